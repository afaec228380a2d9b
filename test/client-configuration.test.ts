import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { startSandbox } from '../src/sandbox/sandbox-server.ts';
import {
  CLI,
  connectClient,
  environmentFor,
  readAnswer,
  Stops,
  startHttpProcess,
} from './harness.ts';
import { initialize, send } from './rpc.ts';

/* Uses the client configurations in the README and docs/clients.md. */

const pageOf = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const readme = pageOf('README.md');
const team = pageOf('docs/team.md');

/** The README's section for each client. */
const clientSections = new Map(
  [...readme.matchAll(/<summary>(.*?)<\/summary>\n(.*?)<\/details>/gs)].map(
    ([, name = '', text = '']) => [name, text],
  ),
);
const clientSection = (client: string) => clientSections.get(client) ?? '';
const httpSection =
  pageOf('docs/clients.md')
    .split(/^## /m)
    .find((text) => text.startsWith('HTTP')) ?? '';

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

/** The target of a link in the README, by its label. */
function linkTo(label: string): URL {
  const found = new RegExp(`^\\[${label}\\]: (\\S+)$`, 'm').exec(readme)?.[1] ?? '';
  expect(readme).toContain(`][${label}]`);
  return new URL(found);
}

const fence = '```';
const fenced = (text: string, language: string) =>
  new RegExp(`^${fence}${language}\n(.*?)^${fence}$`, 'ms').exec(text)?.[1] ?? '';

/**
 * Reads the tables of Codex's configuration. Node has no parser for TOML, so this one handles only
 * what the examples use: strings, arrays of strings, and inline tables on one line.
 */
function readCodexEntry(text: string): unknown {
  const [header, ...lines] = text.trim().split('\n');
  expect(header).toBe('[mcp_servers.fini]');
  const values = lines.map((line) => {
    const [, key = '', value = ''] = /^(\w+) = (.*)$/.exec(line) ?? [];
    const json = value.replace(/([{,] )(\w+) = /g, '$1"$2": ');
    return [key, JSON.parse(json)];
  });
  return Object.fromEntries(values);
}

type ServerCommand = z.infer<typeof serverSchema>;

const openCodeSchema = z.strictObject({
  $schema: z.literal('https://opencode.ai/config.json'),
  mcp: z.strictObject({
    fini: z
      .strictObject({
        type: z.literal('local'),
        command: z.tuple([z.string()], z.string()),
        environment: z.record(z.string(), z.string()),
      })
      .transform(({ command: [command, ...args], environment: env }) => ({ command, args, env })),
  }),
});

/** The command in a client's configuration file, read in that client's format. */
function serverInFile(client: string): ServerCommand {
  const own = clientSection(client);
  const text = own.includes('the JSON of Claude Desktop') ? clientSection('Claude Desktop') : own;
  if (client === 'Codex') return serverSchema.parse(readCodexEntry(fenced(text, 'toml')));
  const json: unknown = JSON.parse(fenced(text, 'json'));
  if (client === 'OpenCode') return openCodeSchema.parse(json).mcp.fini;
  const snippet = snippetSchema.parse(json);
  const key = { 'VS Code': 'servers', Zed: 'context_servers' } as const;
  const form = client === 'VS Code' || client === 'Zed' ? key[client] : 'mcpServers';
  return serverSchema.parse(snippet[form]?.fini);
}

/** The command that a line such as `claude mcp add` stores: words from `node` on, and variables. */
function serverInLine(line: string): ServerCommand {
  const words = line.split(' ');
  const [command = '', ...args] = words.slice(words.indexOf('node'));
  const env = words.flatMap((word, index) =>
    words[index - 1] === '--env' ? [word.split('=')] : [],
  );
  return serverSchema.parse({ command, args, env: Object.fromEntries(env) });
}

/** The lines in a section that add the server from a terminal. */
const addLines = (client: string) =>
  [...clientSection(client).matchAll(/(?:^|`)(\w+ mcp add [^`\n]*)/gm)].map(
    ([, line = '']) => line,
  );

/** Starts the server as a client would, and calls a tool. */
async function tryServer({ command, args, env }: ServerCommand): Promise<void> {
  const sandbox = stops.use(await startSandbox());
  // A user fills these in, or a client after asking for them.
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
  stops.use(client);
  await client.connect(transport);
  const answer = await client.callTool({ name: 'list_sources', arguments: {} });
  expect(readAnswer(answer).isError).toBe(false);
}

const stops = new Stops();
afterEach(() => stops.run());

describe('the README', () => {
  const inFiles = ['Claude Desktop', 'Codex', 'Cursor', 'VS Code', 'OpenCode', 'Windsurf', 'Zed'];
  const inTerminal = ['Claude Code', 'Codex', 'Gemini CLI'];

  test('has a section for each client that these tests know', () => {
    const known = new Set([...inFiles, ...inTerminal]);
    const [other, ...named] = [...clientSections.keys()].reverse();
    expect(other).toMatch(/^Another client/);
    expect(named.sort()).toEqual([...known].sort());
  });

  test.each(inFiles)('the file of %s starts a server that works', async (client) => {
    await tryServer(serverInFile(client));
  });

  test.each(inTerminal)('the command line of %s starts a server that works', async (client) => {
    const [line = '', ...others] = addLines(client);
    expect(others).toEqual([]);
    await tryServer(serverInLine(line));
  });

  test.each(['Claude Desktop', 'Codex', 'OpenCode'])(
    '%s takes the sandbox as the text says',
    async (client) => {
      const { command, args } = serverInFile(client);
      await tryServer({ command, args: [...args, '--sandbox'], env: {} });
    },
  );

  test('asks in VS Code for exactly the inputs that it uses', () => {
    const text = fenced(clientSection('VS Code'), 'json');
    const { inputs: asked = [] } = snippetSchema.parse(JSON.parse(text));
    const used = [...text.matchAll(/\$\{input:([^}]+)\}/g)];
    expect(asked.map(({ id }) => id).sort()).toEqual(used.map(([, id]) => id).sort());
  });
});

describe('the entries for HTTP in docs/clients.md', () => {
  const text = httpSection;
  const entrySchema = z.strictObject({
    type: z.enum(['http', 'remote']).optional(),
    url: z.string().optional(),
    serverUrl: z.string().optional(),
    headers: z.strictObject({ Authorization: z.string() }),
  });
  const codexSchema = z
    .strictObject({ url: z.string(), http_headers: entrySchema.shape.headers })
    .transform(({ url, http_headers: headers }) => ({ url, headers }));
  const rows = [...text.matchAll(/^\| ([^|]+) \| `(\{.*\})` \|$/gm)]
    .map(([, name = '', json = '']) => ({ name, json: JSON.parse(json) }))
    .filter(({ json }) => json.command === undefined)
    .map(({ name, json }) => ({ name, entry: entrySchema.parse(json) }));
  const codex = codexSchema.parse(readCodexEntry(fenced(text, 'toml')));
  const token = 'a-token-of-the-team-0123456789';

  test.each([...rows, { name: 'Codex', entry: { ...codex, serverUrl: undefined } }])(
    'work for $name',
    async ({ entry }) => {
      const server = await startHttpProcess(stops, { FINI_MCP_AUTH_TOKEN: token }, ['--sandbox']);
      const url = new URL(entry.url ?? entry.serverUrl ?? '');
      expect(url.href).toBe('http://127.0.0.1:3333/mcp');
      url.port = new URL(server.url).port;
      const headers = { Authorization: entry.headers.Authorization.replace('...', token) };
      const { client } = await connectClient(stops, url, headers);
      expect((await client.listTools()).tools).not.toHaveLength(0);
    },
  );

  test('agree with the bridge for Claude Desktop', () => {
    const [, , json = ''] = /^\| (Claude Desktop[^|]*) \| `(\{.*\})` \|$/m.exec(text) ?? [];
    const bridge = serverSchema.parse(JSON.parse(json));
    const [{ entry } = { entry: undefined }] = rows;
    expect([bridge.command, ...bridge.args]).toEqual([
      'npx',
      '-y',
      'mcp-remote',
      entry?.url,
      '--header',
      // The header has no space, since Claude Desktop on Windows would split the argument there.
      'Authorization:$' + '{TOKEN}',
    ]);
    expect(bridge.env).toEqual({ TOKEN: entry?.headers.Authorization });
  });

  test('can send a workspace key, as the section for teams shows', async () => {
    const sandbox = stops.use(await startSandbox());
    const { FINI_BASE_URL = '' } = environmentFor(sandbox);
    const server = await startHttpProcess(stops, { FINI_BASE_URL, FINI_MCP_AUTH_TOKEN: token });
    const text = /`"headers": (\{.*?\})`/.exec(team)?.[1] ?? '';
    const headers = JSON.parse(
      text.replace('Bearer ...', `Bearer ${token}`).replace('fini_...', sandbox.apiKey),
    );
    const { call } = await connectClient(stops, server.url, headers);
    expect((await call('list_sources')).isError).toBe(false);
  });

  test('have the address and the header of the command lines', () => {
    const lines = fenced(text, 'sh').trim().split('\n');
    expect(lines).toHaveLength(3);
    for (const line of lines) {
      expect(line).toContain(` ${codex.url}`);
      expect(line).toMatch(/ --header "Authorization(: |=)Bearer \.\.\."/);
    }
  });
});

describe('the links', () => {
  test.each([
    ['vscode', 'vscode:'],
    ['insiders', 'vscode-insiders:'],
  ])('for %s contains the snippet for VS Code', (label, scheme) => {
    const { origin, pathname, searchParams } = linkTo(label);
    expect(origin + pathname).toBe('https://insiders.vscode.dev/redirect');
    const link = new URL(searchParams.get('url') ?? '');
    expect(link.protocol + link.pathname).toBe(`${scheme}mcp/install`);
    const config: unknown = JSON.parse(decodeURIComponent(link.search.slice(1)));
    const { inputs, servers } = snippetSchema.parse(
      JSON.parse(fenced(clientSection('VS Code'), 'json')),
    );
    expect(config).toEqual({ name: 'fini', ...servers?.fini, inputs });
  });
});

describe('the command for a team', () => {
  const command = /^export FINI_API_KEY.*?^node dist\/cli\.js (.*?)$/ms.exec(team);
  const flags = command?.[1]?.split(' ') ?? [];

  test('creates a token that the server accepts', () => {
    expect(command?.[0]).toContain('export FINI_MCP_AUTH_TOKEN="$(openssl rand -hex 32)"');
  });

  test('starts a server that a teammate reaches by its name, only with the token', async () => {
    const token = randomBytes(32).toString('hex');
    const environment = { FINI_API_KEY: 'fini_sandbox', FINI_MCP_AUTH_TOKEN: token };
    const server = await startHttpProcess(stops, environment, flags);
    const { port } = new URL(server.url);
    const ask = async (host: string, authorization: string) => {
      const headers = { host: `${host}:${port}`, authorization };
      return (await send(`http://127.0.0.1:${port}/mcp`, { headers, body: initialize })).status;
    };
    expect(team).toContain('`http://fini-mcp.example.com:3333/mcp`');
    expect(await ask('fini-mcp.example.com', `Bearer ${token}`)).toBe(200);
    expect(await ask('fini-mcp.example.com', 'Bearer another')).toBe(401);
    expect(await ask('other.example.com', `Bearer ${token}`)).toBe(403);
  });
});
