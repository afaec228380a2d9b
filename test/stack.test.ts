import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { HAS_SIGNALS, Stops, startHttpProcess } from './harness.ts';

const stops = new Stops();
afterEach(() => stops.run());

/** Code that makes the server fail when it shuts down, for the process that loads it. */
const BREAK = `
  import { Server } from 'node:http';
  Server.prototype.closeIdleConnections = () => { throw new TypeError('broken') };
`;

// Only a signal makes the server shut down.
test.runIf(HAS_SIGNALS)(
  'the stack of a fault in the built server names the functions that it came through',
  async () => {
    const breaking = `data:text/javascript,${encodeURIComponent(BREAK)}`;
    const environment = { NODE_OPTIONS: `--import=${breaking}` };
    const { url, process: child, stderr } = await startHttpProcess(stops, environment);
    // Once the server answers, it handles SIGTERM.
    await fetch(new URL('/healthz', url));
    child.kill('SIGTERM');
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    const fault = stderr()
      .split('\n')
      .find((line) => line.includes('"fault"'));
    const { error } = JSON.parse(fault ?? '{}');
    expect(error).toMatch(/^TypeError: broken\n/);
    expect(error).toMatch(/at process\.stopGracefully \(file:\/\/\S+\.js:\d+:\d+\)/);
  },
);
