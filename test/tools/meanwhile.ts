import type { Harness } from '../harness.ts';

/**
 * Pings again and again while a call runs: what it ends with, and how long the slowest ping took,
 * in milliseconds of this process's own time, which other processes do not add to.
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
