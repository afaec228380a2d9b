import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { pathToFileURL } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, describe, expect, test } from 'vitest';
import { readCommand } from '../src/command-line.ts';
import { nodeFault } from '../src/node-version.ts';
import type { SandboxDocument } from '../src/sandbox/sandbox-server.ts';
import { CLI, type Harness, Stops, startHarness, startHttp } from './harness.ts';
import { startIssuer } from './issuer.ts';
import { initialize, send } from './rpc.ts';
import type { Fault } from './scripted-sandbox.ts';

/* Triggers every message that docs/troubleshooting.md quotes, and checks that it contains the quote. */

const doc = readFileSync(new URL('../docs/troubleshooting.md', import.meta.url), 'utf8');

/** The entries of the page: a heading, the quoted texts, and the text below it. */
const entries = doc
  .split(/^### /m)
  .slice(1)
  .map((text) => {
    const [heading = '', ...lines] = text.split('\n');
    const quotes = [...heading.matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote);
    return { heading, quotes, below: lines.join('\n') };
  });

const PAGE = 'https://a.example/page';
const SOURCE_ID = '5d9f67a8-d853-4af4-b7ce-23ebba1245e5';
const KEY = 'fini_5ecretWorkspaceKey0123456789';

const stops = new Stops();
afterAll(() => stops.run());

const start = async (...settings: Parameters<typeof startHarness>): Promise<Harness> =>
  stops.use(await startHarness(...settings));

/** Makes a value once and shares it. */
function shared<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

const plain = shared(() => start());

/** Returns the answer of a tool whose requests fail like this. */
async function withFault(
  fault: Fault,
  name = 'list_sources',
  input: Record<string, unknown> = {},
): Promise<string> {
  // Only a request without an answer gets a short timeout, so that a slow machine does not fail the test.
  const early: Record<string, string> =
    fault.action.kind === 'hang' ? { FINI_REQUEST_TIMEOUT_MS: '1000' } : {};
  // A permanent fault is retried until the call's time is over.
  const brief: Record<string, string> =
    fault.times === Number.POSITIVE_INFINITY ? { FINI_WAIT_TIMEOUT_SECONDS: '1' } : {};
  const { call, sandbox } = await start({}, { ...early, ...brief });
  sandbox.script(fault);
  return (await call(name, input)).text;
}

/** Returns what get_source says about such a source. */
async function ofSource(fields: Partial<SandboxDocument>): Promise<string> {
  const { call, sandbox } = await plain();
  const { id } = sandbox.addDocument({ success: false, paragraphs: [], ...fields });
  return (await call('get_source', { id })).text;
}

/** Returns what the report says about one of the sandbox's failing pages. */
async function ofPage(path: string): Promise<string> {
  const { call } = await plain();
  const url = `https://help.larkspur.example${path}`;
  return (await call('ingest_and_wait', { documentIdsToAdd: [url] })).text;
}

/** Returns what the server says about an invalid command line. */
function faultsOf(args: string[], env: Record<string, string> = {}): Promise<string> {
  const command = readCommand(args, env);
  return Promise.resolve(command.kind === 'faults' ? command.faults.join('\n') : command.kind);
}

/** Returns what the built server prints when it refuses to start. */
async function startupFault(args: string[]): Promise<string> {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: {},
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  stops.add(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  const [code] = await once(child, 'close');
  expect(code).toBe(2);
  for (const line of stderr.trimEnd().split('\n')) expect(line).toMatch(/^fini-mcp: /);
  return stderr;
}

/** Returns the error of a client that starts the server with this command, or the server's stderr. */
async function clientFault(
  command: string,
  args: string[],
  environment: Record<string, string> = {},
): Promise<string> {
  const { PATH = '' } = process.env;
  const env = { PATH, ...environment };
  const transport = new StdioClientTransport({ command, args, env, stderr: 'pipe' });
  const client = new Client({ name: 'test', version: '1' });
  const said: string[] = [];
  transport.stderr?.on('data', (chunk: Buffer) => said.push(chunk.toString()));
  client.onerror = (error) => said.push(error.message);
  await client.connect(transport).catch((error: Error) => said.push(error.message));
  const { pid } = transport;
  if (pid !== null) process.kill(pid, 'SIGTERM');
  await client.close();
  return said.join('\n');
}

/** Returns the error of a call that the client itself rejects. */
async function refusedCall(
  client: Client,
  name: string,
  input: object,
  timeout = 5_000,
): Promise<string> {
  const answer = client.callTool({ name, arguments: { ...input } }, undefined, { timeout });
  return answer.then(JSON.stringify, (error: Error) => error.message);
}

/** Starts a server over HTTP, and returns a function that sends it a bare request. */
async function askHttp(flags: string[] = [], environment: Record<string, string> = {}) {
  const { url } = await startHttp(stops, environment, ['--sandbox', ...flags]);
  return async (
    status: number,
    { method = 'POST', path = '/mcp', headers = {}, rpc = 'initialize' } = {},
  ): Promise<string> => {
    const body = { ...initialize, method: rpc };
    const target = new URL(path, url).href;
    const answer = await send(target, { method, headers, ...(method === 'POST' && { body }) });
    expect(answer.status).toBe(status);
    return status === 200 ? answer.text : JSON.parse(answer.text).error.message;
  };
}

/** Returns what a server behind a sign-in says about a token with these claims. */
async function ofToken(
  status: number,
  claims?: Record<string, unknown>,
  isGone = false,
): Promise<string> {
  const issuer = await startIssuer(stops);
  const send = await askHttp([], {
    FINI_MCP_OAUTH_ISSUER: issuer.url,
    FINI_MCP_OAUTH_AUDIENCE: 'fini',
  });
  issuer.isGone = isGone;
  if (claims === undefined) return send(status);
  return send(status, {
    headers: { authorization: `Bearer ${await issuer.token('fini', { claims })}` },
  });
}

const http = shared(() => askHttp());

const status = (code: number): Fault => ({
  times: Number.POSITIVE_INFINITY,
  action: { kind: 'status', status: code },
});

/** For the first text that an entry quotes, a function that triggers it and returns what was said. */
const causes: Record<string, () => Promise<string>> = {
  // The server does not start
  'fini-mcp needs Node.js': () => Promise.resolve(nodeFault('18.20.8') ?? ''),
  'is not a flag of fini-mcp; see --help': () => faultsOf(['--api-key=x']),
  'FINI_API_KEY has characters that no key has': () =>
    faultsOf([], { FINI_API_KEY: `Bearer ${KEY}` }),
  'FINI_API_KEY is the placeholder of the README': () => faultsOf([], { FINI_API_KEY: 'fini_...' }),
  'is an unexpanded variable': () => faultsOf([], { FINI_API_KEY: '{env:FINI_API_KEY}' }),
  'is not the URL of an HTTP proxy': () => faultsOf([], { HTTPS_PROXY: 'socks5h://127.0.0.1' }),
  'is not a URL; write it as https://host': () => faultsOf(['--base-url', 'usefini.com']),
  'must be https (http only on loopback)': () =>
    faultsOf([], { FINI_BASE_URL: 'http://fini.example.com' }),
  'exclude each other': async () => {
    const first = await faultsOf(['--sandbox', '--base-url', 'https://usefini.com']);
    expect(first).toContain('exclude each other');
    return faultsOf(['--read-only', '--allow-delete']);
  },
  'needs --http': () => faultsOf(['--port', '8080']),
  'must be one or both of sources, knowledge': () => faultsOf(['--tools', 'ingest_site']),
  'so FINI_MCP_AUTH_TOKEN must be set': () => faultsOf(['--http', '--host', '0.0.0.0']),
  'put a proxy with TLS in front': () =>
    faultsOf(['--http', '--host', '0.0.0.0'], { FINI_MCP_OAUTH_ISSUER: 'https://id.example' }),
  'fini-mcp: cannot listen on': async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    stops.add(() => other.close());
    const address = other.address();
    const port = typeof address === 'object' ? address?.port : address;
    const said = await startupFault(['--http', '--sandbox', '--port', `${port}`]);
    expect(said).toContain('EADDRINUSE');
    return said;
  },

  // The client does not get through to the server
  'spawn node ENOENT': () => clientFault('node', [CLI], { PATH: '/nowhere' }),
  'spawn npx ENOENT': () => clientFault('npx', ['-y', 'fini-mcp'], { PATH: '/nowhere' }),
  'Cannot find module': () => clientFault(process.execPath, ['/nowhere/fini-mcp/dist/cli.js']),
  'is not valid JSON': () => {
    const server = JSON.stringify(pathToFileURL(CLI).href);
    const script = `console.log('> fini-mcp@0.1.0 start'); await import(${server});`;
    return clientFault(process.execPath, ['--input-type=module', '--eval', script]);
  },
  'Connection closed': () => clientFault(process.execPath, [CLI], { FINI_API_KEY: 'fini_...' }),
  'Request timed out': async () => {
    const { client } = await start({ jobs: () => ({ never: true }) });
    return refusedCall(client, 'ingest_and_wait', { documentIdsToAdd: [PAGE] }, 100);
  },
  'delete_sources is off': async () => {
    const { client } = await plain();
    const publishing = await refusedCall(client, 'publish_articles', { articleIds: [SOURCE_ID] });
    return `${publishing} ${await refusedCall(client, 'delete_sources', { documentIds: [SOURCE_ID] })}`;
  },

  // The key
  'No Fini API key is set': async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what a client leaves unexpanded.
    const { call } = await start({}, { FINI_API_KEY: '${FINI_API_KEY}' });
    return (await call('list_sources')).text;
  },
  '(HTTP 401)': async () => {
    const { call } = await start({}, { FINI_API_KEY: 'fini_revoked' });
    return (await call('list_sources')).text;
  },
  '(HTTP 403)': async () => {
    const { call } = await start({}, { FINI_API_KEY: 'fini_sandbox_read' });
    return (await call('deep_crawl_links', { links: [PAGE] })).text;
  },

  // The input is refused
  'With source "web" these are source IDs, but web takes URLs': async () =>
    (await (await plain()).call('ingest_and_wait', { documentIdsToAdd: [SOURCE_ID] })).text,
  'these are URLs, but source IDs (UUIDs) are needed': async () => {
    const { call } = await plain();
    return (await call('ingest_and_wait', { source: 'notion', documentIdsToAdd: [PAGE] })).text;
  },
  "A provider's own ID (externalId) is not a source ID": async () => {
    const { call } = await plain();
    const documentIdsToAdd = ['360001234567'];
    return (await call('ingest_and_wait', { source: 'zendesk', documentIdsToAdd })).text;
  },
  'without a scheme: put https:// before them': async () => {
    const { call } = await plain();
    return (await call('ingest_and_wait', { documentIdsToAdd: ['a.example/page'] })).text;
  },
  'documentIdsToAdd and documentIdsToRefresh are both empty': async () =>
    (await (await plain()).call('ingest_and_wait')).text,

  // Fini refuses, or does not answer
  'The provider must be connected in the Fini dashboard': async () => {
    const { call } = await start({ connectedProviders: [] });
    return (await call('list_provider_resources', { provider: 'notion' })).text;
  },
  'There is no such source in this workspace.': async () =>
    (await (await plain()).call('get_source', { id: SOURCE_ID })).text,
  'there is no such agent in this workspace': async () =>
    (await (await plain()).call('get_knowledge_tree', { botId: SOURCE_ID })).text,
  'This workspace has no folder tree.': async () =>
    (await (await plain()).call('get_knowledge_tree')).text,
  'This workspace has no folders, and without one no draft can be made': async () => {
    const { call, sandbox } = await plain();
    const documentIds = [sandbox.addDocument({}).id];
    return (await call('generate_knowledge', { documentIds })).text;
  },
  'Nothing has been published yet: this client cannot ask the person.': async () => {
    const { call, sandbox } = await start({ folders: true }, {}, ['--allow-publish']);
    const { id } = sandbox.addArticle({ isDraftPublished: false });
    return (await call('publish_articles', { articleIds: [id] })).text;
  },
  "Fini's rate limit was reached": () => withFault(status(429)),
  "Fini's rate limit is reached, and the next request can be sent in": async () => {
    const { call } = await start({}, { FINI_REQUESTS_PER_MINUTE: '1' });
    await call('list_sources');
    return (await call('list_sources')).text;
  },
  'Fini did not finish the request to': () =>
    withFault({ times: Number.POSITIVE_INFINITY, action: { kind: 'hang' } }),
  'Fini could not be reached to': async () => {
    const { call } = await start({}, { FINI_BASE_URL: 'http://127.0.0.1:1' });
    return (await call('list_sources')).text;
  },
  'A proxy or a login page may be in the way': () =>
    withFault({ times: Number.POSITIVE_INFINITY, action: { kind: 'html' } }),
  'Fini redirected the request to': () =>
    withFault({ action: { kind: 'redirect', location: 'https://b.example/' } }),
  'Fini failed to': () => withFault(status(500)),

  // Queueing and waiting
  'They may have been queued all the same': () =>
    withFault({ method: 'POST', action: { kind: 'reset', when: 'after' } }, 'ingest_and_wait', {
      documentIdsToAdd: [PAGE],
    }),
  'Nothing was queued.': () =>
    withFault({ method: 'POST', ...status(400) }, 'ingest_and_wait', { documentIdsToAdd: [PAGE] }),
  'The wait ended early.': async () => {
    const { call, sandbox } = await start({ jobs: () => ({ never: true }) });
    const revoke = () => sandbox.script({ method: 'GET', ...status(401) });
    sandbox.script({ method: 'POST', action: { kind: 'run', run: revoke } });
    return (await call('ingest_and_wait', { documentIdsToAdd: [PAGE] })).text;
  },
  'timed_out:': async () => {
    const { call } = await start({ jobs: () => ({ never: true }) });
    // The first request is the slowest; the second call's time is for waiting.
    await call('list_sources');
    return (await call('ingest_and_wait', { documentIdsToAdd: [PAGE], timeoutSeconds: 1 })).text;
  },
  'Fini returned no ID, so nothing was queued': async () => {
    const { call } = await start({
      jobs: ({ url }) => (url?.endsWith('/2') ? { drop: true } : undefined),
    });
    const documentIdsToAdd = ['https://a.example/1', 'https://a.example/2'];
    return (await call('ingest_and_wait', { documentIdsToAdd })).text;
  },
  'Pending for more than 15 minutes': () => {
    const updatedAt = new Date(Date.now() - 16 * 60_000).toISOString();
    return ofSource({ linkedJobStatus: 'PENDING', success: null, updatedAt });
  },

  // A source has failed
  'The page needs a login, which Fini does not have': () => ofPage('/account/rewards'),
  'The page does not exist': () =>
    ofSource({ linkedJobStatus: 'FAILED', error: 'Failed to fetch page: HTTP 404 Not Found' }),
  "The site's robots.txt forbids this page": () => ofPage('/business/partner-prices'),
  'Fini does not extract this content type': () =>
    ofSource({ linkedJobStatus: 'FAILED', error: 'Unsupported content type: video/mp4' }),
  'The page gave no usable content': () => ofSource({ linkedJobStatus: 'COMPLETED' }),
  'The site refuses to show this page to Fini': () =>
    ofSource({ linkedJobStatus: 'FAILED', error: 'HTTP 403' }),
  'The page took too long to load': () =>
    ofSource({ linkedJobStatus: 'FAILED', error: 'Timeout while loading the page' }),
  'The site answered with an error': () =>
    ofSource({ linkedJobStatus: 'FAILED', error: 'HTTP 500' }),
  'The site could not be reached': () =>
    ofSource({ linkedJobStatus: 'FAILED', error: 'Host not found' }),
  'The provider has no such item any more': () =>
    ofSource({ linkedJobStatus: 'FAILED', source: 'notion', error: 'object_not_found' }),
  'The provider did not answer as it should': () =>
    ofSource({ linkedJobStatus: 'FAILED', source: 'notion', error: 'HTTP 503' }),
  'Check that the item opens at the provider': () =>
    ofSource({ linkedJobStatus: 'FAILED', source: 'notion', error: 'No reason' }),
  'may have expired or lost its permission': () =>
    ofSource({ linkedJobStatus: 'FAILED', source: 'notion', error: 'The connection has expired' }),
  'Check that the page opens without a login, is not forbidden by robots.txt and is HTML': () =>
    ofSource({ linkedJobStatus: 'FAILED', error: 'Failed to fetch page' }),
  'Fini reports a status that this server does not know': () =>
    ofSource({ linkedJobStatus: 'PAUSED', success: null }),

  // Over HTTP
  'This Host is not allowed': async () =>
    (await http())(403, { headers: { host: 'fini.example.com' } }),
  'This Origin is not allowed': async () =>
    (await http())(403, { headers: { origin: 'https://evil.example' } }),
  'every request needs "Authorization: Bearer"': async () => {
    const send = await askHttp([], { FINI_MCP_AUTH_TOKEN: 'a-token-of-the-team-0123456789' });
    return send(401, { headers: { authorization: 'Bearer another-token-0123456789' } });
  },
  'An access token is missing': () => ofToken(401),
  'Sign in again.': () => ofToken(401, { exp: 1 }),
  'Sign in again with that scope.': () => ofToken(403, { scope: 'openid' }),
  'cannot be read now, so no token can be checked': () => ofToken(503, {}, true),
  'X-Fini-Api-Key is not a key': async () =>
    (await http())(400, { headers: { 'x-fini-api-key': `Bearer ${KEY}` } }),
  'There is only POST here: this server keeps no sessions': async () =>
    (await http())(405, { method: 'GET' }),
  'There is only /mcp here, and /healthz.': async () => (await http())(404, { path: '/' }),
};

const quoting = entries.filter(({ quotes }) => quotes.length > 0);

test('every entry says why and what to do', () => {
  expect(entries.length).toBeGreaterThan(40);
  for (const { heading, below } of entries) {
    expect(below, heading).toMatch(/^\*\*Why\.\*\* \S.*\n\n\*\*What to do\.\*\* \S/m);
  }
});

test('all entries but one quote a message, and each of those is triggered here', () => {
  const silent = entries.filter(({ quotes }) => quotes.length === 0);
  expect(silent.map(({ heading }) => heading)).toEqual(['No tools show up']);
  expect(quoting.map(({ quotes: [first] }) => first).sort()).toEqual(Object.keys(causes).sort());
});

describe('the page quotes the real messages', () => {
  test.each(quoting)('$heading', async ({ quotes }) => {
    const said = await causes[quotes[0] ?? '']?.();
    for (const quote of quotes) expect(said).toContain(quote);
  });
});

test('the README links to the page', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  expect(readme).toContain('(docs/troubleshooting.md)');
});
