import type { Harness } from '../harness.ts';

/**
 * Pings again and again while a call runs. Returns the call's result and the slowest ping's duration,
 * in milliseconds of this process's own time, to which other processes do not add.
 */
export async function pingMeanwhile<Result>(
  { client }: Pick<Harness, 'client'>,
  call: Promise<Result>,
): Promise<{ result: Result; slowest: number }> {
  let isDone = false;
  const ended = call.finally(() => {
    isDone = true;
  });
  let slowest = 0;
  while (!isDone) {
    const before = process.cpuUsage();
    await client.ping();
    const { user, system } = process.cpuUsage(before);
    slowest = Math.max(slowest, (user + system) / 1_000);
  }
  return { result: await ended, slowest };
}
