import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { CLI } from './servers.ts';

/*
 * Cold starts, interleaved with those of bare Node.js and of a server with one tool on the same SDK, so
 * that all run under the same load.
 */

const INITIALIZE =
  '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}\n';
const LIST = '{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n';
/** Bare Node.js: reads a line and writes a line. */
const BARE = 'process.stdin.once("data", () => process.stdout.write("{}\\n"))';

/** Milliseconds from spawning the process to its answer to the last line. */
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

export function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN;
}

/** Bundles the server with one tool in the same way as this server. */
async function bundleOneTool(folder: string): Promise<string> {
  const outfile = join(folder, 'one-tool.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('one-tool.ts', import.meta.url))],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    minify: true,
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  return outfile;
}

/** Measures starts. A row has a label, milliseconds, and ratios to bare Node.js and to one tool. */
export async function measureStarts(times = 11): Promise<string[][]> {
  const folder = await mkdtemp(join(tmpdir(), 'fini-mcp-'));
  const oneTool = await bundleOneTool(folder);
  const bare: number[] = [];
  const ours: number[][] = [[], []];
  const others: number[][] = [[], []];
  for (let round = 0; round < times; round += 1) {
    bare.push(await timeStart(['-e', BARE], [INITIALIZE]));
    for (const [index, lines] of [[INITIALIZE], [INITIALIZE, LIST]].entries()) {
      others[index]?.push(await timeStart([oneTool], lines));
      ours[index]?.push(await timeStart([CLI], lines));
    }
  }
  await rm(folder, { recursive: true });
  const row = (what: string, numbers: number[] = [], other: number[] = []) => [
    what,
    `${median(numbers).toFixed(0)} ms`,
    `${(median(numbers) / median(bare)).toFixed(2)}× of bare Node.js${other.length === 0 ? '' : `, ${(median(numbers) / median(other)).toFixed(2)}× of one tool`}`,
  ];
  return [
    row('bare Node.js', bare),
    row('a server with one tool to the initialize response', others[0]),
    row('this server to the initialize response', ours[0], others[0]),
    row('a server with one tool to tools/list', others[1]),
    row('this server to tools/list', ours[1], others[1]),
  ];
}
