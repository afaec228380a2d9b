import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect as connectSocket, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { Connections } from '../src/fini/connections.ts';
import { Deadline } from '../src/fini/deadline.ts';
import { FiniError } from '../src/fini/errors.ts';
import { createHttp } from '../src/fini/http.ts';
import { createLog } from '../src/log.ts';
import { isAllowedOrigin } from '../src/mcp/http-access.ts';
import { serveHttp } from '../src/mcp/http-server.ts';
import { textFault } from '../src/mcp/messages.ts';
import type { KeyScope, Sandbox, SandboxOptions } from '../src/sandbox/sandbox-server.ts';
import { Secrets } from '../src/secrets.ts';
import { Workspaces } from '../src/workspace.ts';
import {
  CLI,
  configFor,
  environmentFor,
  eventually,
  ingestRequests,
  listening,
  Stops,
  startFiniOf,
  startHttp,
  startHttpProcess,
  startQuickSandbox,
  startStdio,
} from './harness.ts';
import { REPEATS, SEED } from './random.ts';
import { initialize, initializeParams, JSON_HEADERS, RawClient, send } from './rpc.ts';

/* One client, clumsy or hostile, does its worst; the server keeps serving the others. */

const stops = new Stops();
afterEach(() => stops.run());

const MEGABYTE = 1024 * 1024;
/** A text nearly as long as a body over HTTP may be. */
const LONG = 'x'.repeat(MEGABYTE - 1_000);
const both: KeyScope[] = ['read', 'write'];

async function sandboxFor(options: SandboxOptions = {}): Promise<Sandbox> {
  return stops.use(await startQuickSandbox(options));
}

/** Starts a server over HTTP that logs everything. */
const serve = (environment: Record<string, string>, flags: string[] = []) =>
  startHttp(stops, environment, ['--log-level', 'debug', ...flags]);

/** Posts a message, or a text that may not be one. */
async function post(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
  agent?: Agent,
) {
  const { status, text } = await send(url, { headers, body, agent });
  return { status, text };
}

const rpc = (id: unknown, method: string, params: object = {}) => ({
  jsonrpc: '2.0',
  id,
  method,
  params,
});
const call = (id: unknown, name: string, input: object = {}, meta: object = {}) =>
  rpc(id, 'tools/call', { name, arguments: input, _meta: meta });

/** Sends `initialize` as a client. The result posts as the same client. */
async function open(url: string, key?: string, agent?: Agent) {
  const headers: Record<string, string> = key === undefined ? {} : { 'x-fini-api-key': key };
  expect((await post(url, initialize, headers, agent)).status).toBe(200);
  return { post: (body: unknown) => post(url, body, headers, agent) };
}

describe('descriptors', () => {
  // Windows has no such limit.
  test.skipIf(process.platform === 'win32')(
    'a hundred idle strangers at a low limit break nothing that stays broken',
    async () => {
      const sandbox = await sandboxFor();
      const { url } = await startBounded(60, environmentFor(sandbox));
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      stops.add(() => agent.destroy());
      const client = await open(url, undefined, agent);
      const strangers = Array.from({ length: 100 }, () => stranger(url));
      await sleep(300);
      // A server over stdio loads modules for each of these on first use, which takes descriptors.
      const uses = [
        call(2, 'list_sources'),
        rpc(3, 'tools/list'),
        rpc(4, 'prompts/list'),
        rpc(5, 'resources/list'),
      ];
      for (const use of uses) await client.post(use).catch(() => undefined);
      for (const socket of strangers) socket.destroy();
      await eventually(() => post(url, rpc(9, 'ping')));
      for (const use of uses) {
        const { status, text } = await client.post(use);
        expect([status, text]).toEqual([200, expect.stringContaining('"result"')]);
        expect(text).not.toContain('"isError":true');
      }
    },
  );

  test('strangers who stay and say nothing are let go', async () => {
    const timeouts = { headersTimeout: 200, connectionsCheckingInterval: 50 };
    const server = await startHttp(stops, environmentFor(await sandboxFor()), [], timeouts);
    await once(stranger(server.url).resume(), 'close');
  });

  test('with --http no module is loaded once it listens', async () => {
    const sandbox = await sandboxFor();
    sandbox.addDocument({ paragraphs: ['Words.'] });
    const folder = mkdtempSync(join(tmpdir(), 'fini-mcp-test-'));
    stops.add(() => rmSync(folder, { recursive: true, force: true }));
    cpSync(dirname(CLI), join(folder, 'dist'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const { url } = await startAt(join(folder, 'dist', 'cli.js'), environmentFor(sandbox));
    for (const name of readdirSync(join(folder, 'dist', 'chunks'))) {
      writeFileSync(join(folder, 'dist', 'chunks', name), 'throw new Error("loaded late");');
    }
    const client = await open(url);
    const id = sandbox.documents()[0]?.id;
    for (const use of [
      rpc(2, 'tools/list'),
      call(3, 'list_sources'),
      call(4, 'ingest_and_wait', { documentIdsToAdd: ['https://docs.example.com/'] }),
      rpc(5, 'prompts/list'),
      rpc(6, 'resources/list'),
      rpc(7, 'resources/read', { uri: `fini://sources/${id}` }),
      rpc(8, 'resources/read', { uri: 'ui://fini/report' }),
    ]) {
      const { text } = await client.post(use);
      expect(text).toContain('"result"');
      expect(text).not.toContain('"isError":true');
    }
  });
});

describe('errors outside tools', () => {
  test('name a reference, and no place on the machine', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fini-mcp-test-'));
    stops.add(() => rmSync(folder, { recursive: true, force: true }));
    cpSync(dirname(CLI), join(folder, 'dist'), { recursive: true });
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
    const { url, stderr } = await startAt(join(folder, 'dist', 'cli.js'), {});
    const client = await open(url);
    rmSync(folder, { recursive: true });
    for (const method of ['tools/list', 'prompts/list', 'resources/list']) {
      const { text } = await client.post(rpc(2, method));
      expect(text).not.toContain(folder);
      const reference = /reference ([0-9a-f-]{36})/.exec(text)?.[1];
      if (text.includes('"error":{"code"')) expect(stderr()).toContain(reference);
    }
  });

  test('over HTTP a fault before any tool is a 500 in the same words', async () => {
    const config = configFor(['--http', '--port', '0']);
    const lines: string[] = [];
    const log = createLog('error', new Secrets(), (line) => lines.push(line));
    const workspaces = new Workspaces(config, new Secrets());
    workspaces.lease = () => {
      throw new Error('cannot open /home/somebody/file');
    };
    const server = await serveHttp({ ...config, version: '0', workspaces, log });
    stops.add(() => server.stop(0));
    const { status, text } = await post(`${server.url}/mcp`, initialize);
    expect(status).toBe(500);
    const { error } = JSON.parse(text);
    expect(error.message).toMatch(/reference [0-9a-f-]{36}/);
    expect(text).not.toContain('/home');
    const reference = /reference ([0-9a-f-]{36})/.exec(error.message)?.[1];
    expect(lines.join('')).toContain(reference);
    expect(lines.join('')).toContain('/home/somebody/file');
  });
});

/** Connects and sends nothing. */
function stranger(url: string): Socket {
  const { hostname, port } = new URL(url);
  const socket = connectSocket(Number(port), hostname);
  socket.on('error', () => undefined);
  stops.add(() => socket.destroy());
  return socket;
}

/** Starts the built server with a limit on descriptors. */
function startBounded(descriptors: number, environment: Record<string, string>) {
  const command = `ulimit -n ${descriptors}; exec "${process.execPath}" "${CLI}" --http --port 0`;
  return listening(stops, spawn('bash', ['-c', command], optionsFor(environment)));
}

function startAt(cli: string, environment: Record<string, string>) {
  return listening(
    stops,
    spawn(process.execPath, [cli, '--http', '--port', '0'], optionsFor(environment)),
  );
}

const optionsFor = (environment: Record<string, string>) => ({
  env: { PATH: process.env.PATH, ...environment },
  stdio: ['ignore' as const, 'ignore' as const, 'pipe' as const],
});

describe('what is kept and echoed', () => {
  test('a request ID or progressToken that is too long is refused, and not repeated', async () => {
    const { url } = await serve(environmentFor(await sandboxFor()));
    const client = await open(url);
    for (const body of [
      rpc(LONG, 'ping'),
      [rpc(2, 'ping'), rpc(LONG, 'ping')],
      call(3, 'list_sources', {}, { progressToken: LONG }),
      rpc('y'.repeat(257), 'ping'),
    ]) {
      const { status, text } = await client.post(body);
      expect(status).toBe(400);
      expect(JSON.parse(text)).toMatchObject({ jsonrpc: '2.0', error: { message: /longer than/ } });
      expect(text.length).toBeLessThan(300);
    }
    for (const id of ['y'.repeat(256), Number.MAX_SAFE_INTEGER]) {
      expect((await client.post(rpc(id, 'ping'))).text).toContain(JSON.stringify(id));
    }
  });

  test('over stdio too, and the next message is answered', async () => {
    const raw = new RawClient(await startStdio(stops, environmentFor(await sandboxFor())));
    await raw.initialize();
    raw.send(rpc(LONG, 'ping'), call('mine', 'list_sources', {}, { progressToken: LONG }));
    raw.send(call(2, 'list_sources'));
    expect((await raw.answer(2)).result).toMatchObject({ isError: false });
    const [, first = '', second = ''] = raw.lines;
    expect(first).toMatch(/request ID is longer/);
    expect(second).toMatch(/"id":"mine".*progressToken is longer/);
    expect((first + second).length).toBeLessThan(500);
  });

  test('20 clients that send a megabyte wherever they can leave a heap of 96 MB standing', async () => {
    const sandbox = await sandboxFor();
    const server = await startHttpProcess(stops, {
      ...environmentFor(sandbox),
      NODE_OPTIONS: '--max-old-space-size=96',
    });
    const bystander = await open(server.url);
    const greeting = { ...initializeParams(), clientInfo: { name: LONG, version: '1' } };
    const clients = Array.from({ length: 20 }, async (_, count) => {
      const client = await open(server.url);
      await client.post(rpc(1, 'initialize', greeting));
      await client.post(rpc(LONG, 'ping'));
      if (count % 3 === 0) await client.post(rpc(2, 'resources/read', { uri: LONG }));
      if (count % 3 === 1) await client.post(rpc(2, LONG));
      if (count % 3 === 2) await client.post(rpc(2, 'prompts/get', { name: LONG }));
      expect((await bystander.post(rpc(count, 'ping'))).status).toBe(200);
    });
    await Promise.all(clients);
    expect((await post(server.url, rpc(1, `${LONG}${LONG}`))).status).toBe(413);
    expect(server.process.exitCode).toBeNull();
    expect(
      server
        .stderr()
        .split('\n')
        .every((line) => line.length < 1_000),
    ).toBe(true);
  }, 60_000);
});

const A = 'fini_tenant_alpha';
const B = 'fini_tenant_beta';
const keys = { [A]: both, [B]: both };

describe('between tenants', () => {
  test('another key’s arrival makes nobody forget what was queued', async () => {
    const sandbox = await sandboxFor({ keys, pendingMs: 60_000, lingerMs: 60_000 });
    const document = sandbox.addDocument({ originalUrl: 'https://docs.example.com/' });
    const { url } = await serve({ ...environmentFor(sandbox), FINI_API_KEY: A });
    const first = await open(url, A);
    await open(url, B);
    const refreshed = { documentIdsToRefresh: [document.originalUrl] };
    await first.post(call(2, 'ingest_sources', refreshed));
    await open(url, B);
    await open(url, 'fini_tenant_gamma');
    const again = await open(url, A);
    const { text } = await again.post(
      call(2, 'ingest_and_wait', { ...refreshed, timeoutSeconds: 1 }),
    );
    expect(text).toContain('"outcome":"timed_out"');
    expect(ingestRequests(sandbox)).toHaveLength(1);
  });

  test('keys that somebody makes up make nobody forget what was queued', async () => {
    const sandbox = await sandboxFor({ keys, pendingMs: 60_000, lingerMs: 60_000 });
    const config = configFor([], { ...environmentFor(sandbox), FINI_API_KEY: A });
    const workspaces = new Workspaces(config, new Secrets());
    const { originalUrl } = sandbox.addDocument({ originalUrl: 'https://docs.example.com/' });
    const refresh = { documentIdsToAdd: [], documentIdsToRefresh: [originalUrl ?? ''] };
    const queue = async () => {
      const lease = workspaces.lease(A);
      const request = { source: 'web' as const, ...refresh, english: true, baser: false };
      const { signal } = new AbortController();
      await lease.workspace().ingestion.ingest(request, Deadline.after(20, signal));
      lease.release();
    };
    await queue();
    for (let number = 0; number < 1_100; number += 1)
      workspaces.lease(`fini_made_up_${number}`).release();
    const lease = workspaces.lease(A);
    const deadline = Deadline.after(1, new AbortController().signal);
    await lease
      .workspace()
      .ingestion.ingestAndWait(
        { source: 'web', ...refresh, english: true, baser: false },
        { deadline, onProgress: () => undefined },
      );
    lease.release();
    expect(ingestRequests(sandbox)).toHaveLength(1);
  });

  test('150 hanging calls of one key slow nobody else’s reads', async () => {
    const sandbox = await sandboxFor({ keys });
    const { url } = await serve({
      ...environmentFor(sandbox),
      FINI_BASE_URL: await startFiniOf(stops, { [A]: null, [B]: sandbox }),
    });
    const reading = await open(url, B);
    const leaving = new AbortController();
    const hung = Array.from({ length: 150 }, (_, index) =>
      fetch(url, {
        method: 'POST',
        headers: { ...JSON_HEADERS, 'x-fini-api-key': A },
        body: JSON.stringify(call(`h${index}`, 'list_sources')),
        signal: leaving.signal,
      }).then(
        (response) => response.text(),
        () => undefined,
      ),
    );
    await sleep(300);
    const startedAt = performance.now();
    const { text } = await reading.post(call(2, 'list_sources'));
    expect(text).not.toContain('"isError":true');
    // Requests that hang do so for thirty seconds.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    leaving.abort();
    await Promise.allSettled(hung);
  });

  test('a write that waited for its turn was not sent, and says so', async () => {
    const sandbox = await sandboxFor({ keys });
    const baseUrl = await startFiniOf(stops, { [A]: null, [B]: sandbox });
    const connections = new Connections(new URL(baseUrl).origin);
    stops.add(() => connections.destroy());
    const patient = createHttp({
      baseUrl,
      apiKey: A,
      requestTimeoutMs: 60_000,
      retryDelayMs: 1,
      connections,
    });
    const filling = Array.from({ length: 32 }, () => new AbortController());
    const read = { operation: 'list sources', method: 'GET', path: '/x' } as const;
    const hung = filling.map(({ signal }) => patient({ ...read, signal }).catch(() => undefined));
    await sleep(300);
    const write = { operation: 'ingest sources', method: 'POST', path: '/y', body: {} } as const;
    const hasty = createHttp({
      baseUrl,
      apiKey: A,
      requestTimeoutMs: 100,
      retryDelayMs: 1,
      connections,
    });
    const late = await hasty(write).catch((error: unknown) => error);
    const cancel = new AbortController();
    setTimeout(() => cancel.abort(), 50);
    const startedAt = performance.now();
    const cancelled = await patient({ ...write, signal: cancel.signal }).catch(
      (error: unknown) => error,
    );
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    for (const error of [late, cancelled]) {
      expect(error).toBeInstanceOf(FiniError);
      expect(error).toMatchObject({ failure: 'not_sent', surelyNotCarriedOut: true });
    }
    for (const one of filling) one.abort();
    await Promise.all(hung);
    // A request that was sent may have been carried out.
    const slow = createHttp({
      baseUrl,
      apiKey: A,
      // The timeout leaves enough time to send the request on a busy machine.
      requestTimeoutMs: 2_000,
      retryDelayMs: 1,
      connections,
    });
    const sent = await slow(write).catch((error: unknown) => error);
    expect(sent).toMatchObject({ failure: 'timed_out', surelyNotCarriedOut: false });
  });
});

describe('messages of a bad shape', () => {
  test.each([
    ['evil-app://localhost', false],
    ['chrome-extension://localhost', false],
    ['ftp://127.0.0.1', false],
    ['http://localhost:5173', true],
    ['https://127.0.0.1', true],
    ['http://[::1]:80', true],
    ['http://localhost.evil.example', false],
  ])('an Origin of %s passes by default: %s', (origin, passes) => {
    expect(isAllowedOrigin(origin, { allowedHosts: [], allowedOrigins: [] })).toBe(passes);
  });

  const deep = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  const wide = (count: number) =>
    `{${Array.from({ length: count }, (_, index) => `"${index.toString(36)}":0`).join(',')}}`;
  const around = (json: string) =>
    `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"ingest_sources","arguments":{"documentIdsToAdd":[${json}]}}}`;
  const bad: [string, string][] = [
    ['100,000 levels of objects', deep(100_000)],
    ['500,000 levels of lists', '['.repeat(500_000) + ']'.repeat(500_000)],
    ['100,000 names', wide(100_000)],
    ['300,000 lists', `[${'[],'.repeat(300_000)}0]`],
    ['140,000 objects', `[${'{"":0},'.repeat(140_000)}0]`],
  ];
  test.each(bad)('%s: an error over HTTP', async (_name, json) => {
    const { url } = await serve(environmentFor(await sandboxFor()));
    const client = await open(url);
    for (const body of [json, around(json)]) {
      const { status, text } = await client.post(body);
      expect(status).toBe(400);
      expect(text).not.toMatch(/call stack/);
    }
    expect((await client.post(rpc(2, 'ping'))).status).toBe(200);
  });

  test('over stdio deep and wide arguments are answered with an error, under their ID', async () => {
    const raw = new RawClient(await startStdio(stops, environmentFor(await sandboxFor())));
    await raw.initialize();
    for (const json of [deep(100_000), wide(300_000)]) {
      const asked = raw.lines.length;
      raw.send(around(json), rpc(`after ${asked}`, 'ping'));
      await raw.answer(`after ${asked}`);
      const [refusal] = raw.messages().slice(asked);
      expect(refusal?.id).toBe(7);
      expect(JSON.stringify(refusal)).toMatch(/levels deep|names/);
    }
    raw.send(call(2, 'list_sources'));
    expect((await raw.answer(2)).result).toMatchObject({ isError: false });
  });

  test('the bounds leave alone what the tools take, and count no more than there is', () => {
    const resources = Array.from({ length: 10_000 }, (_, index) => ({
      externalId: `${index}`,
      originalUrl: 'https://docs.example.com/:{}[]"\\',
      title: '{[:"\\',
      mimeType: 'text/html',
    }));
    const message = call(1, 'register_provider_resources', { provider: 'notion', resources });
    expect(textFault(Buffer.from(JSON.stringify(message)))).toBeNull();
    const json = fc.json({ maxDepth: 80, noUnicodeString: false });
    fc.assert(
      fc.property(json, (text) => {
        const isTooDeep = depthOf(JSON.parse(text)) > 64;
        expect(textFault(Buffer.from(text)) !== null).toBe(isTooDeep);
      }),
      { interruptAfterTimeLimit: 1_000, numRuns: 500 },
    );
  });
});

/** The nesting depth of a parsed value. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

describe('a fuzz', () => {
  const BYSTANDER = 'fini_bystander';
  const tenants = { [A]: 'alpha', [B]: 'beta' };
  const secretsOf = { [A]: [A, 'Title of alpha'], [B]: [B, 'Title of beta'] };
  const methods = fc.constantFrom(
    'ping',
    'initialize',
    'tools/list',
    'prompts/list',
    'prompts/get',
    'resources/list',
    'resources/read',
    'completion/complete',
    'logging/setLevel',
    'notifications/cancelled',
    'notifications/initialized',
    '__proto__',
  );
  const tools = fc.constantFrom(
    'list_sources',
    'get_source',
    'ingest_sources',
    'ingest_and_wait',
    'wait_for_sources',
    'refresh_sources',
    'list_provider_resources',
    'deep_crawl_links',
    'nothing',
  );
  const text = fc.oneof(
    fc.string(),
    fc.constantFrom(A, B, 'Title of alpha', 'https://docs.example.com/', '__proto__', '\u0000'),
    // Long texts are rare, since they take long to make.
    fc.constantFrom(1_000, 300_000).map((length) => 'z'.repeat(length)),
  );
  const id = fc.oneof(
    { weight: 8, arbitrary: fc.integer() },
    { weight: 1, arbitrary: fc.string({ maxLength: 256 }) },
    { weight: 1, arbitrary: text },
    { weight: 1, arbitrary: fc.constant(null) },
  );
  const input = fc.oneof(
    fc.constant({}),
    fc.object({ maxDepth: 3 }),
    fc.record({ documentIdsToAdd: fc.array(fc.webUrl(), { maxLength: 50 }) }),
    fc.record({ ids: fc.array(fc.oneof(fc.uuid(), text), { maxLength: 20 }) }),
    fc.record({ title: text, limit: fc.integer() }),
  );
  const message = fc.oneof(
    fc.record({
      id,
      method: methods,
      params: fc.oneof(
        fc.object({ maxDepth: 2 }),
        fc.record({ name: text, uri: text, requestId: id, protocolVersion: text }),
      ),
    }),
    fc
      .record({ id, tool: tools, input, progressToken: id })
      .map(({ tool, progressToken, ...rest }) =>
        call(rest.id, tool, rest.input, { progressToken }),
      ),
  );
  const body = fc.oneof(
    { weight: 6, arbitrary: message.map((one) => JSON.stringify({ jsonrpc: '2.0', ...one })) },
    { weight: 2, arbitrary: fc.array(message, { maxLength: 5 }).map((all) => JSON.stringify(all)) },
    { weight: 1, arbitrary: fc.json() },
    { weight: 1, arbitrary: fc.string() },
    { weight: 1, arbitrary: fc.nat(100_000).map((depth) => '['.repeat(depth)) },
  );
  const steps = fc.array(
    fc.record({
      key: fc.constantFrom(A, B),
      body,
      abortAfterMs: fc.oneof({ weight: 3, arbitrary: fc.constant(400) }, fc.nat(30)),
    }),
    { minLength: 1, maxLength: 6 },
  );

  test('whatever two tenants send, a third is answered and nothing crosses over', {
    timeout: 40_000 + REPEATS * 10_000,
  }, async () => {
    const workspaces: Record<string, Sandbox> = {};
    for (const [key, name] of Object.entries({ ...tenants, [BYSTANDER]: 'bystander' })) {
      const sandbox = await sandboxFor({ keys: { [key]: both } });
      sandbox.addDocument({ title: `Title of ${name}` });
      workspaces[key] = sandbox;
    }
    const { url, stderr } = await serve({
      FINI_API_KEY: BYSTANDER,
      FINI_BASE_URL: await startFiniOf(stops, workspaces),
      FINI_POLL_INTERVAL_MS: '20',
      FINI_REQUESTS_PER_MINUTE: '100000',
      FINI_WAIT_TIMEOUT_SECONDS: '1',
      FINI_MCP_LOG_LEVEL: 'debug',
    });
    const bystander = await open(url);
    const clients = { [A]: await open(url, A), [B]: await open(url, B) };
    const memoryBefore = process.memoryUsage().heapUsed;
    let asked = 0;
    const property = fc.asyncProperty(steps, async (all) => {
      const answers = all.map(async ({ key, body, abortAfterMs }) => {
        const other = key === A ? B : A;
        const headers = { ...JSON_HEADERS, 'x-fini-api-key': key };
        const signal = AbortSignal.timeout(abortAfterMs);
        const given = await fetch(url, { method: 'POST', headers, body, signal })
          .then((response) => response.text())
          .catch(() => '');
        // An answer may repeat the client's own input, but nothing else of the other tenant's.
        for (const secret of secretsOf[other] ?? []) {
          if (!body.includes(secret)) expect(given).not.toContain(secret);
        }
        expect(given).not.toMatch(/call stack|node_modules|\/src\/|file:\/\//);
      });
      asked += 1;
      const startedAt = performance.now();
      const { status, text } = await bystander.post(call(`b${asked}`, 'list_sources'));
      expect([status, text]).toEqual([200, expect.stringContaining('Title of bystander')]);
      expect(performance.now() - startedAt).toBeLessThan(2_000);
      // Each tenant still finds its own source, and only that.
      for (const key of [A, B] as const) {
        const own = await clients[key].post(call(`own-${asked}`, 'list_sources'));
        expect(own.text).toContain(`Title of ${tenants[key]}`);
        expect(own.text).not.toContain(`Title of ${tenants[key === A ? B : A]}`);
      }
      await Promise.all(answers);
      expect(process.memoryUsage().heapUsed - memoryBefore).toBeLessThan(300 * MEGABYTE);
    });
    await fc.assert(property, { numRuns: 15 * REPEATS, ...SEED });
    for (const key of [A, B, BYSTANDER]) expect(stderr()).not.toContain(key);
  });
});
