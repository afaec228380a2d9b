import { readFileSync } from 'node:fs';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { helpText } from '../src/config.ts';
import { startSandbox } from '../src/sandbox/server.ts';
import { CLI, environmentFor, readAnswer, Stops, startHttp } from './harness.ts';

/* What the README tells people to put into their client's configuration, put to use. */

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const section =
  readme.split(/^## /m).find((text) => text.startsWith('Add it to your client')) ?? '';

const serverSchema = z.strictObject({
  type: z.literal('stdio').optional(),
  command: z.string(),
  args: z.array(z.string()),
  env: z.record(z.string(), z.string()),
});
const inputsSchema = z.array(z.looseObject({ id: z.string() }));
const snippetSchema = z.strictObject({
  inputs: inputsSchema.optional(),
  mcpServers: z.strictObject({ fini: serverSchema }).optional(),
  servers: z.strictObject({ fini: serverSchema }).optional(),
  context_servers: z.strictObject({ fini: serverSchema }).optional(),
});

const snippets = [...section.matchAll(/^```json\n(.*?)^```$/gms)].map(([, text = '']) =>
  snippetSchema.parse(JSON.parse(text)),
);
const byForm = {
  mcpServers: snippets.find((snippet) => snippet.mcpServers)?.mcpServers?.fini,
  servers: snippets.find((snippet) => snippet.servers)?.servers?.fini,
  context_servers: snippets.find((snippet) => snippet.context_servers)?.context_servers?.fini,
};
const inputs = snippets.find((snippet) => snippet.servers)?.inputs ?? [];

/** Where a link leads, by its label. */
function linkTo(label: string): URL {
  const found = new RegExp(`^\\[${label}\\]: (\\S+)$`, 'm').exec(section)?.[1] ?? '';
  expect(section).toContain(`][${label}]`);
  return new URL(found);
}

const stops = new Stops();
afterEach(() => stops.run());

describe('the snippets', () => {
  test.each(Object.entries(byForm))('%s starts a server that works', async (_form, server) => {
    const { command, args, env } = serverSchema.parse(server);
    const sandbox = await startSandbox();
    stops.add(() => sandbox.close());
    // What a person fills in, or a client on the person's answer.
    const filled = new Map([
      ['/path/to/fini-mcp/dist/cli.js', CLI],
      ['$' + '{input:fini-path}', CLI],
      ['$' + '{input:fini-key}', sandbox.apiKey],
      ['fini_...', sandbox.apiKey],
    ]);
    const fill = (text: string) => filled.get(text) ?? text;
    const own = Object.entries(env).map(([name, value]) => [name, fill(value)]);
    const { FINI_BASE_URL } = environmentFor(sandbox);
    const { PATH } = process.env;
    const transport = new StdioClientTransport({
      command,
      args: args.map(fill),
      env: Object.fromEntries([['PATH', PATH], ['FINI_BASE_URL', FINI_BASE_URL], ...own]),
    });
    const client = new Client({ name: 'test', version: '1' });
    stops.add(() => client.close());
    await client.connect(transport);
    const answer = await client.callTool({ name: 'list_sources', arguments: {} });
    expect(readAnswer(answer).isError).toBe(false);
  });

  test('ask for every input that they use, and no other', () => {
    const used = [...JSON.stringify(byForm.servers).matchAll(/\$\{input:([^}]+)\}/g)];
    expect(inputs.map(({ id }) => id).sort()).toEqual(used.map(([, id]) => id).sort());
    expect(inputs.find(({ id }) => id === 'fini-key')).toMatchObject({ password: true });
  });

  test('agree with the command for Claude Code', () => {
    const { command, args, env } = serverSchema.parse(byForm.mcpServers);
    const variables = Object.entries(env).map(([name, value]) => `--env ${name}=${value}`);
    const line = `claude mcp add fini ${variables.join(' ')} -- ${command} ${args.join(' ')}`;
    expect(section).toContain(`\n${line}\n`);
  });
});

describe('the links', () => {
  test('for Cursor holds the common snippet', () => {
    const { origin, pathname, searchParams } = linkTo('cursor');
    expect(origin + pathname).toBe('https://cursor.com/en/install-mcp');
    expect(searchParams.get('name')).toBe('fini');
    const config = Buffer.from(searchParams.get('config') ?? '', 'base64').toString();
    expect(JSON.parse(config)).toEqual(byForm.mcpServers);
  });

  test.each([
    ['vscode', 'vscode:'],
    ['insiders', 'vscode-insiders:'],
  ])('for %s holds the snippet of VS Code', (label, scheme) => {
    const { origin, pathname, searchParams } = linkTo(label);
    expect(origin + pathname).toBe('https://insiders.vscode.dev/redirect');
    const link = new URL(searchParams.get('url') ?? '');
    expect(link.protocol + link.pathname).toBe(`${scheme}mcp/install`);
    const config: unknown = JSON.parse(decodeURIComponent(link.search.slice(1)));
    expect(config).toEqual({ name: 'fini', ...byForm.servers, inputs });
  });
});

describe('the entries for HTTP', () => {
  const entrySchema = z.strictObject({
    type: z.literal('http').optional(),
    url: z.string().optional(),
    serverUrl: z.string().optional(),
    headers: z.strictObject({ Authorization: z.string() }),
  });
  const entries = [...section.matchAll(/^\| ([^|]+) \| `(\{.*\})` \|$/gm)].map(
    ([, name = '', text = '']) => ({ name, entry: entrySchema.parse(JSON.parse(text)) }),
  );

  test('are there for each kind of client, at the default address', () => {
    const port = /--port <value>\n.*Default: (\d+)/.exec(helpText(''))?.[1];
    expect(entries).toHaveLength(3);
    for (const { entry } of entries) {
      expect(entry.url ?? entry.serverUrl).toBe(`http://127.0.0.1:${port}/mcp`);
    }
  });

  test.each(entries)('get $name in', async ({ entry }) => {
    const token = 'a-token-of-the-team-0123456789';
    const server = await startHttp(stops, { FINI_MCP_AUTH_TOKEN: token }, ['--sandbox']);
    const url = new URL(entry.url ?? entry.serverUrl ?? '');
    url.port = new URL(server.url).port;
    const headers = { Authorization: entry.headers.Authorization.replace('...', token) };
    const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } });
    const client = new Client({ name: 'test', version: '1' });
    stops.add(() => client.close());
    await client.connect(transport);
    expect((await client.listTools()).tools).not.toHaveLength(0);
  });
});
