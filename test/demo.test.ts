import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { tools } from '../src/tools/index.ts';
import { readAnswer } from './harness.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** A server as `mcp.json` names it. */
interface ConfiguredServer {
  readonly command: string;
  readonly args: string[];
  readonly env?: Record<string, string>;
}

describe('the demo', () => {
  it('shows the way from a crawl to a full account, without an account or a terminal', async () => {
    const { code, stdout, stderr } = await run(['--import', 'tsx', 'demo.ts']);

    expect(stderr).toBe('');
    expect(code).toBe(0);

    const lines = stdout.split('\n');
    const completed = lines.filter((line) => line.startsWith('completed '));
    const failed = lines.filter((line) => line.startsWith('failed '));
    expect(completed.length + failed.length).toBeGreaterThanOrEqual(20);
    expect(stdout).toContain(`Outcome partial: ${completed.length} of 38 completed, 4 failed`);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);

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
    expect(stdout).toContain('Completed is not yet live');
    expect(stdout).not.toContain('\u001b');
  });
});

describe('mcp.json', () => {
  it('starts a server for a real account, which asks for the key that is not set', async () => {
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
    expect(readAnswer(answer)).toMatchObject({ isError: false, structured: { count: 38 } });
  });
});

/** Starts a server of `mcp.json` just as it is configured and lists its tools. */
async function connect(name: string): Promise<Client> {
  const { mcpServers } = JSON.parse(await readFile(`${ROOT}/mcp.json`, 'utf8'));
  const server: ConfiguredServer = mcpServers[name];
  const client = new Client({ name: 'test', version: '1' });
  onTestFinished(() => client.close());
  await client.connect(new StdioClientTransport({ ...server, cwd: ROOT }));
  const listed = await client.listTools();
  expect(listed.tools.map((tool) => tool.name)).toEqual(
    tools.filter(({ isDestructive }) => !isDestructive).map((tool) => tool.name),
  );
  expect(listed.tools).toHaveLength(11);
  return client;
}

function run(args: string[]): Promise<{ code: unknown; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: ROOT, timeout: 15_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}
