import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { toolsFor } from '../src/tools/listed-tools.ts';
import { configFor, HAS_SIGNALS, LISTED_TOOLS, readAnswer } from './harness.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const SITE = 'https://help.larkspur.example';

/** A server in `mcp.json`. */
interface ConfiguredServer {
  readonly command: string;
  readonly args: string[];
  readonly env?: Record<string, string>;
}

/** A preload that makes a pipe look like a terminal of this width. */
const terminal = (columns: number) =>
  `data:text/javascript,Object.assign(process.stdout,{isTTY:true,columns:${columns}})`;

describe.concurrent('the demo', { timeout: 60_000 }, () => {
  it('fits a narrow terminal and loses no text', async () => {
    const columns = 40;
    const { code, stdout, stderr } = await runDemo({ columns });

    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('\u001b');

    // A carriage return starts each progress line, which overwrites the one before.
    const text = stripVTControlCharacters(stdout);
    const lines = beforeCommands(text).split(/[\r\n]/);
    expect(longest(lines)).toBeLessThanOrEqual(columns);

    const progress = lines.filter((line) => line.includes(' of 38 done'));
    expect(progress.length).toBeGreaterThanOrEqual(5);
    expect(progress.every((line) => /(^| )\d+ of 38 done/.test(line))).toBe(true);
    expect(progress.at(-1)).toContain('38 of 38 done, 4 failed');

    // Removing the line breaks restores words that were broken.
    const unbroken = text.replaceAll(/\s/g, '');
    expect(unbroken).toContain(`redirectedto${SITE}/login→`);
    const unwhole = unbroken.split('larkspur.example').filter((part) => !part.endsWith('//help.'));
    expect(unwhole).toHaveLength(1);
  });

  it.runIf(HAS_SIGNALS)(
    'leaves the terminal as it was on Ctrl-C, and ends the server',
    async () => {
      const { code, stdout, stderr } = await runDemo({ columns: 60, interruptAt: ' of 38 done' });

      // Standard error would still be open if the server were still running.
      expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
      expect(stdout).toMatch(/Stopped\.\n$/);
      // The demo changes no state of the terminal, such as the cursor or line wrap.
      expect(stdout).not.toContain('\u001b[?');
    },
  );

  it('goes from a crawl to the full report, and to the commands that add it to a client, wherever it is', async ({
    onTestFinished,
  }) => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), "fini's demo $HOME ")));
    onTestFinished(() => rm(folder, { recursive: true }));
    for (const name of ['dist', 'demo.ts', 'package.json']) {
      await cp(join(ROOT, name), join(folder, name), { recursive: true });
    }
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');

    // Neither an account nor a terminal.
    const { code, stdout, stderr } = await runDemo({ folder });
    expect(stderr).toBe('');
    expect(code).toBe(0);

    const lines = stdout.split('\n');
    const completed = lines.filter((line) => line.startsWith('completed '));
    const failed = lines.filter((line) => line.startsWith('failed '));
    expect(completed.length + failed.length).toBeGreaterThanOrEqual(20);
    expect(stdout).toContain(`partial: ${completed.length} of 38 completed, 4 failed`);
    expect(longest(beforeCommands(stdout).split('\n'))).toBeLessThanOrEqual(100);

    const reasonOf = (page: string) => {
      const row = lines.findIndex((line) => /^failed +(\S+)$/.exec(line)?.[1] === page);
      return lines.slice(row + 1, row + 3).join(' ');
    };
    expect(failed).toHaveLength(4);
    expect(reasonOf('/account/rewards')).toMatch(/requires authentication.* → .*needs a login/s);
    expect(reasonOf('/bikes/manuals-2026.zip')).toMatch(/content type: application\/zip → /);
    expect(reasonOf('/business/partner-prices')).toMatch(/Blocked by robots\.txt.* → /);
    expect(reasonOf('/getting-started/bike-finder')).toMatch(/No usable content.* → /);

    const progress = lines.filter((line) => /^ {2}\d+ of 38 done/.test(line));
    expect(progress.length).toBeGreaterThanOrEqual(5);
    expect(progress.at(-1)).toContain('38 of 38 done, 4 failed');
    expect(stdout).toMatch(/Completed\s+is\s+not\s+yet\s+live/);
    expect(stdout).not.toContain('\u001b');

    const args = [join(folder, 'dist', 'cli.js'), '--sandbox'];
    const json = /^ *\{\n.*^ *\}$/ms.exec(stdout)?.[0] ?? '';
    expect(JSON.parse(json)).toEqual({ mcpServers: { 'fini-sandbox': { command: 'node', args } } });

    // The shell must parse the command into these words.
    if (process.platform === 'win32') return;
    const command = /^ *claude mcp add .*/m.exec(stdout)?.[0] ?? '';
    const shell = await run('sh', ['-c', `claude() { printf '%s\\n' "$@"; }; ${command}`]);
    expect(shell.stdout.trimEnd().split('\n')).toEqual(
      ['mcp', 'add', 'fini-sandbox', '--', 'node'].concat(args),
    );
  });
});

/** The text before the commands, which stay on one line, however long, so that they can be copied. */
function beforeCommands(stdout: string): string {
  const [before, after] = stdout.split('To add this checkout');
  expect(after).toBeDefined();
  return before ?? '';
}

function longest(lines: readonly string[]): number {
  return Math.max(...lines.map((line) => line.length));
}

describe('mcp.json', () => {
  it('starts a server for a real account, which asks for the missing key', async () => {
    const client = await connect('fini');
    const answer = await client.callTool({ name: 'list_sources', arguments: {} });
    expect(readAnswer(answer)).toMatchObject({
      isError: true,
      text: expect.stringContaining('No Fini API key is set'),
    });
  });

  it('starts a server that needs no account', async () => {
    const client = await connect('fini-sandbox');
    const answer = await client.callTool({
      name: 'deep_crawl_links',
      arguments: { links: ['https://help.larkspur.example'] },
    });
    expect(readAnswer(answer)).toMatchObject({ isError: false, structured: { found: 38 } });
  });
});

/** Starts a server exactly as `mcp.json` configures it, and lists its tools. */
async function connect(name: string): Promise<Client> {
  const { mcpServers } = JSON.parse(await readFile(`${ROOT}/mcp.json`, 'utf8'));
  const server: ConfiguredServer = mcpServers[name];
  const client = new Client({ name: 'test', version: '1' });
  onTestFinished(() => client.close());
  await client.connect(new StdioClientTransport({ ...server, cwd: ROOT }));
  const listed = await client.listTools();
  expect(listed.tools.map((tool) => tool.name)).toEqual(
    toolsFor(configFor([])).map((tool) => tool.name),
  );
  expect(listed.tools).toHaveLength(LISTED_TOOLS);
  return client;
}

/** Runs the demo in a folder until it shows a text. With a width, it runs in a terminal. */
async function runDemo({
  columns,
  folder = ROOT,
  interruptAt,
}: {
  readonly columns?: number;
  readonly folder?: string;
  readonly interruptAt?: string;
} = {}): Promise<Finished> {
  const preload = columns === undefined ? [] : ['--import', terminal(columns)];
  return run(process.execPath, [...preload, '--import', 'tsx', 'demo.ts'], folder, interruptAt);
}

/** The exit code and output of a program that has ended. */
interface Finished {
  readonly code: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

function run(file: string, args: string[], cwd = ROOT, interruptAt?: string): Promise<Finished> {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: undefined, TERM: 'xterm-256color' };
    const child = execFile(file, args, { cwd, env, timeout: 50_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal), stdout, stderr });
    });
    if (interruptAt === undefined) return;
    child.stdout?.on('data', (chunk: string) => {
      if (!child.killed && chunk.includes(interruptAt)) child.kill('SIGINT');
    });
  });
}
