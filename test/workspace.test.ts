import { afterEach, expect, test, vi } from 'vitest';
import { readCommand } from '../src/command-line.ts';
import { startSandbox } from '../src/sandbox/sandbox-server.ts';
import { Secrets } from '../src/secrets.ts';
import { Workspaces } from '../src/workspace.ts';
import { environmentFor, Stops } from './harness.ts';

/* State of a key that outlives the clients that use it. */

const stops = new Stops();
afterEach(() => stops.run());

test('a key whose client comes back is still within its limit, and starts afresh after a minute', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  stops.add(() => vi.useRealTimers());
  const sandbox = await startSandbox();
  stops.add(() => sandbox.close());
  const limit = { FINI_REQUESTS_PER_MINUTE: '1' };
  const command = readCommand([], { ...environmentFor(sandbox), ...limit });
  if (command.kind !== 'serve') throw new Error(JSON.stringify(command));
  const workspaces = new Workspaces(command.config, new Secrets());
  const list = async (key = sandbox.apiKey) => {
    const lease = workspaces.lease(key);
    try {
      return (await lease.workspace().fini.listSources({ limit: 1 })).documents;
    } finally {
      lease.release();
    }
  };
  expect(await list()).toEqual([]);
  // The time is longer than unused connections stay open.
  await vi.advanceTimersByTimeAsync(25_000);
  await expect(list()).rejects.toMatchObject({ failure: 'not_sent', retryAfterSeconds: 35 });
  // Another key has its own limit.
  expect(await list('fini_sandbox_read')).toEqual([]);
  await vi.advanceTimersByTimeAsync(35_000);
  expect(await list()).toEqual([]);
});
