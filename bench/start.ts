import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { CLI } from './servers.ts';

/* Cold starts, interleaved with those of bare Node.js, so that both run under the same load. */

const INITIALIZE =
  '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}\n';
const LIST = '{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n';
/** Bare Node.js: reads a line, writes a line. */
const BARE = 'process.stdin.once("data", () => process.stdout.write("{}\\n"))';

/** Milliseconds from spawning to the answer to the last line. */
async function timeStart(command: readonly string[], lines: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, command, { stdio: ['pipe', 'pipe', 'ignore'] });
  for (const line of lines) {
    child.stdin.write(line);
    let answer = '';
    while (!answer.endsWith('\n')) answer += (await once(child.stdout, 'data'))[0];
  }
  const took = performance.now() - startedAt;
  child.kill('SIGKILL');
  await once(child, 'exit');
  return took;
}

/** The median. */
export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

/** Rows: what, milliseconds, ratio to bare Node.js. */
export async function measureStarts(times = 11): Promise<string[][]> {
  const bare: number[] = [];
  const initialize: number[] = [];
  const list: number[] = [];
  for (let round = 0; round < times; round += 1) {
    bare.push(await timeStart(['-e', BARE], [INITIALIZE]));
    initialize.push(await timeStart([CLI], [INITIALIZE]));
    list.push(await timeStart([CLI], [INITIALIZE, LIST]));
  }
  const row = (what: string, numbers: number[]) => [
    what,
    `${median(numbers).toFixed(0)} ms`,
    `${(median(numbers) / median(bare)).toFixed(2)}×`,
  ];
  return [
    row('cold start: bare Node.js', bare),
    row('cold start to the initialize response', initialize),
    row('cold start to tools/list', list),
  ];
}
