import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, describe, expect, test } from 'vitest';
import type { KeyScope, Sandbox, SandboxOptions } from '../src/sandbox/sandbox-server.ts';
import {
  CLI,
  clientWithPerson,
  connectClient,
  environmentFor,
  eventually,
  HAS_SIGNALS,
  ingestRequests,
  LISTED_TOOLS,
  readAnswer,
  Stops,
  startHttp,
  startHttpProcess,
  startQuickSandbox,
} from './harness.ts';
import { nextCall } from './next-calls.ts';
import { initialize, JSON_HEADERS, send } from './rpc.ts';

const stops = new Stops();
afterEach(() => stops.run());

async function startSandboxForTest(options: SandboxOptions = {}): Promise<Sandbox> {
  return stops.use(await startQuickSandbox(options));
}

const start = (flags: string[] = [], environment: Record<string, string> = {}) =>
  startHttp(stops, environment, flags);

/** Starts the built server, for tests of the process itself. */
const startBuilt = (flags: string[] = [], environment: Record<string, string> = {}) =>
  startHttpProcess(stops, environment, flags);

const connect = (url: string, headers?: Record<string, string>) =>
  connectClient(stops, url, headers);

const pages = (count: number, name = 'page') =>
  Array.from({ length: count }, (_, index) => `https://docs.example.com/${name}/${index}`);

test('the SDK client runs every tool', async () => {
  const { url } = await startBuilt(['--sandbox']);
  const { client, call } = await connect(url);
  const { tools } = await client.listTools();
  expect(tools).toHaveLength(LISTED_TOOLS);
  const crawl = await call('deep_crawl_links', {
    links: ['https://help.larkspur.example/billing'],
  });
  const seen: number[] = [];
  const report = await call(
    'ingest_and_wait',
    { documentIdsToAdd: crawl.structured.urls },
    { onprogress: ({ progress }) => seen.push(progress) },
  );
  expect(report.structured.outcome).toBe('completed');
  expect(seen.at(-1)).toBe(crawl.structured.found);
  const [{ id }] = report.structured.sources;
  expect((await call('get_source', { id })).structured.sources[0].id).toBe(id);
  expect((await call('wait_for_sources', { ids: [id] })).structured.outcome).toBe('completed');
  const originalUrl = 'https://help.larkspur.example';
  const listed = await call('list_sources', { originalUrl });
  expect(listed.structured.sources.length).toBe(crawl.structured.found);
  const list = await call('list_provider_resources', { provider: 'notion', limit: 2 });
  const { resources } = list.structured;
  const registered = await call('register_provider_resources', { provider: 'notion', resources });
  const queued = await call('ingest_sources', nextCall(registered, 'ingest_and_wait'));
  expect(queued.structured.sources).toHaveLength(2);
});

test('50 clients wait at once; each gets its own progress and its own answer', async () => {
  const sandbox = await startSandboxForTest({ parallelJobs: 500, workingMs: 150 });
  const { url } = await start([], environmentFor(sandbox));
  const clients = await Promise.all(Array.from({ length: 50 }, () => connect(url)));
  await Promise.all(
    clients.map(async ({ call }, index) => {
      const urls = pages(index % 5 === 0 ? 1 : index % 7 === 0 ? 9 : 4, `client-${index}`);
      const totals = new Set<number | undefined>();
      const report = await call(
        'ingest_and_wait',
        { documentIdsToAdd: urls },
        { onprogress: ({ total }) => totals.add(total) },
      );
      const named = report.structured.sources.map(
        (item: { originalUrl: string }) => item.originalUrl,
      );
      expect(named.sort()).toEqual(urls);
      expect([...totals]).toEqual([urls.length]);
    }),
  );
  expect(ingestRequests(sandbox)).toHaveLength(50);
});

test('a key in X-Fini-Api-Key is that client’s workspace, and keys never mix', async () => {
  const keys = ['fini_alpha_key', 'fini_beta_key'];
  const both: KeyScope[] = ['read', 'write'];
  const scopes = Object.fromEntries([...keys, 'fini_own_key'].map((key) => [key, both]));
  const sandbox = await startSandboxForTest({ keys: scopes });
  const own = { ...environmentFor(sandbox), FINI_API_KEY: 'fini_own_key' };
  const { url, stderr } = await start([], own);
  const clients = await Promise.all([
    ...keys.map(async (key) => ({ key, ...(await connect(url, { 'x-fini-api-key': key })) })),
    connect(url).then((client) => ({ key: 'fini_own_key', ...client })),
  ]);
  await Promise.all(
    clients.map(({ key, call }) => call('ingest_and_wait', { documentIdsToAdd: pages(3, key) })),
  );
  for (const { body, authorization } of sandbox.requests.filter(
    ({ method }) => method === 'POST',
  )) {
    expect(JSON.stringify(body)).toContain(authorization?.replace('Bearer ', ''));
  }
  for (const key of [...keys, 'fini_own_key']) expect(stderr()).not.toContain(key);
});

/** A variable as clients and shells write it, where none of them has put its value. */
const VARIABLES = [
  ...['{env:FINI_API_KEY}', '$FINI_API_KEY', '$env:FINI_API_KEY', '%FINI_API_KEY%'],
  ...['{{FINI_API_KEY}}', `$\{FINI_API_KEY}`, `$\{{ secrets.FINI_API_KEY }}`],
];

test('a header that is no key is refused, and says why without repeating it', async () => {
  const { url, stderr } = await start(['--sandbox']);
  const secret = '5ecretWorkspaceKey0123456789';
  for (const [key, says] of [
    ['fini_...', 'it is the placeholder of the README; set your own key.'],
    [`fini_${secret}...`, 'it is the placeholder of the README; set your own key.'],
    [`Bearer fini_${secret}`, 'it has characters that no key has; set only the key'],
    ['fini_', 'it is too short to be a key.'],
    ['', 'it is empty; if it comes from a variable, that is not set.'],
    ...VARIABLES.map((variable) => [variable, 'it is an unexpanded variable; '] as const),
  ] as const) {
    const answer = await send(url, { headers: { 'x-fini-api-key': key }, body: initialize });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain(`X-Fini-Api-Key is not a key: ${says}`);
    expect(answer.text + stderr()).not.toContain(secret);
  }
});

test('without any key the server starts and lists, and a call says what to set', async () => {
  const { url } = await start();
  const { client, call } = await connect(url);
  expect((await client.listTools()).tools).toHaveLength(LISTED_TOOLS);
  const { text } = await call('list_sources');
  expect(text).toMatch(/X-Fini-Api-Key header.*FINI_API_KEY in the server's environment/);
  expect(text).not.toContain('"env"');
});

test('advice about a wrong key is for a server over HTTP', async () => {
  const { url } = await start([], environmentFor(await startSandboxForTest()));
  const { call } = await connect(url, { 'x-fini-api-key': 'fini_revoked' });
  const { text } = await call('list_sources');
  expect(text).toMatch(/HTTP 401.*X-Fini-Api-Key header.*in the server's environment/);
});

const TOKEN = 'a-token-of-the-team';
const refusals: [string, number, Parameters<typeof send>[1]][] = [
  ['a foreign Host', 403, { headers: { host: 'evil.example' }, body: initialize }],
  ['no Host that can be read', 403, { headers: { host: '@' }, body: initialize }],
  ['a foreign Origin', 403, { headers: { origin: 'https://evil.example' }, body: initialize }],
  ['an Origin of null', 403, { headers: { origin: 'null' }, body: initialize }],
  [
    'a key with characters that no key has',
    400,
    { headers: { 'x-fini-api-key': 'fini key"' }, body: initialize },
  ],
  ['malformed JSON', 400, { body: '{"jsonrpc": ' }],
  ['a body of 20 MB', 413, { body: `"${'x'.repeat(20 * 1024 * 1024)}"` }],
];
test.each(refusals)('%s is refused with %d', async (_name, status, options) => {
  const { url } = await start(['--sandbox']);
  const answer = await send(url, options);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.text)).toMatchObject({ jsonrpc: '2.0', error: { message: /./ } });
  expect(answer.text).not.toMatch(/at .*\.js/);
});

test('with a token, only who brings it gets in', async () => {
  const { url, stderr } = await start(['--sandbox'], {
    FINI_MCP_AUTH_TOKEN: TOKEN,
  });
  for (const authorization of [
    undefined,
    `Bearer ${TOKEN}x`,
    `Bearer ${TOKEN.slice(1)}`,
    TOKEN,
    'Basic abc',
    'Bearer ',
  ]) {
    const headers = authorization === undefined ? {} : { authorization };
    const answer = await send(url, {
      headers: headers as Record<string, string>,
      body: initialize,
    });
    expect(answer.status, authorization ?? 'none').toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer/);
  }
  const { call } = await connect(url, { authorization: `Bearer ${TOKEN}` });
  expect((await call('list_sources')).isError).toBe(false);
  expect(stderr()).not.toContain(TOKEN);
  for (const variable of VARIABLES.filter((text) => !text.includes(' '))) {
    const headers = { authorization: `Bearer ${variable}` };
    const { text } = await send(url, { headers, body: initialize });
    expect(JSON.parse(text).error.message).toMatch(/^The token is an unexpanded variable: every/);
  }
});

test('unknown paths are a 404, /healthz is well, and other methods are a 405', async () => {
  const { url } = await start(['--sandbox']);
  expect((await send(url.replace('/mcp', '/else'), { body: initialize })).status).toBe(404);
  const health = await send(url.replace('/mcp', '/healthz'), { method: 'GET' });
  expect([health.status, JSON.parse(health.text).status]).toEqual([200, 'ok']);
  for (const method of ['GET', 'DELETE', 'PUT']) {
    const { status, headers } = await send(url, { method });
    expect([status, headers.allow]).toEqual([405, 'POST']);
  }
});

test('the path of the public URL is the endpoint too, without a sign-in as well', async () => {
  const flags = ['--sandbox', '--public-url', 'https://tools.example/fini/mcp'];
  const { url } = await start(flags, { FINI_MCP_AUTH_TOKEN: TOKEN });
  const headers = { host: 'tools.example', authorization: `Bearer ${TOKEN}` };
  const ask = (path: string) => send(url, { path, headers, body: initialize });
  for (const path of ['/fini/mcp', '/fini/mcp/', '/mcp'])
    expect((await ask(path)).status).toBe(200);
  const { status, text } = await ask('/fini');
  expect([status, text]).toEqual([
    404,
    expect.stringContaining('only /mcp here, and /fini/mcp, /'),
  ]);
  expect((await send(url, { path: '/fini/mcp', body: initialize })).status).toBe(401);
});

test('names and origins that were allowed come in', async () => {
  const allowed = ['--allowed-host', 'fini.internal', '--allowed-origin', 'https://app.example'];
  const { url } = await start(['--sandbox', ...allowed]);
  const headers = { host: 'fini.internal:8080', origin: 'https://app.example' };
  const answer = await send(url, { headers, body: initialize });
  expect(answer.status).toBe(200);
  expect(answer.headers['access-control-allow-origin']).toBe('https://app.example');
  expect((await send(url, { method: 'OPTIONS', headers })).status).toBe(204);
});

test('the name that it listens on comes in, and one that stands for all does not', async () => {
  const environment = { FINI_MCP_AUTH_TOKEN: TOKEN };
  const statusFor = async (listen: string, host: string) => {
    const { url } = await start(['--sandbox', '--host', listen], environment);
    const headers = { host, authorization: `Bearer ${TOKEN}` };
    return (await send(url, { headers, body: initialize })).status;
  };
  // Elsewhere the machine's name may resolve to a link-local address, which no URL can contain.
  if (process.platform === 'linux') {
    expect(await statusFor(hostname(), `${hostname()}:3333`)).toBe(200);
    expect(await statusFor(hostname(), 'evil.example')).toBe(403);
  }
  expect(await statusFor('::ffff:127.0.0.1', '[::ffff:7f00:1]:3333')).toBe(200);
  expect(await statusFor('0.0.0.0', '0.0.0.0:3333')).toBe(403);
  expect(await statusFor('0', '0.0.0.0:3333')).toBe(403);
  expect(await statusFor('0.0.0.0', 'localhost:3333')).toBe(200);
});

test('a server that listens on every address and is known by no name says so', async () => {
  const environment = { FINI_MCP_AUTH_TOKEN: TOKEN };
  const everywhere = ['--sandbox', '--host', '0.0.0.0'];
  const nameless = await start(everywhere, environment);
  await eventually(() => expect(nameless.stderr()).toContain('--allowed-host'));
  const named = await start([...everywhere, '--allowed-host', 'fini.internal'], environment);
  await send(named.url, { body: initialize });
  await eventually(() => expect(named.stderr()).toContain('"request"'));
  expect(named.stderr()).not.toContain('--allowed-host');
});

test.runIf(HAS_SIGNALS)(
  'SIGTERM: a running call gets its answer, then the process ends with 0',
  async () => {
    const sandbox = await startSandboxForTest({ workingMs: 600 });
    const server = await startBuilt([], environmentFor(sandbox));
    const { call } = await connect(server.url);
    const given = call('ingest_and_wait', { documentIdsToAdd: pages(3) });
    await eventually(() => expect(ingestRequests(sandbox)).toHaveLength(1));
    server.process.kill('SIGTERM');
    const [code] = await Promise.all([once(server.process, 'exit').then(([exit]) => exit), given]);
    expect(code).toBe(0);
    expect((await given).structured.outcome).toBe('completed');
  },
);

test('an access line a request: method, tool, status, time, and no secret', async () => {
  const server = await start(['--sandbox']);
  const { call } = await connect(server.url);
  await call('list_sources');
  const line = await eventually(() => {
    const lines = server
      .stderr()
      .trim()
      .split('\n')
      .map((text) => JSON.parse(text));
    const found = lines.find(({ tool }) => tool === 'list_sources');
    expect(found).toBeDefined();
    return found;
  });
  expect(line).toMatchObject({ message: 'request', method: 'tools/call', status: 200 });
  expect(line.ms).toBeGreaterThanOrEqual(0);
});
describe('a team', () => {
  test('one client’s key changes nothing of what another is told', async () => {
    const { url } = await start(['--sandbox']);
    for (const key of ['structuredContent', 'protocolVersion', 'documents', '99999999']) {
      await connect(url, { 'x-fini-api-key': key });
    }
    const { client, call } = await connect(url);
    const { structured } = await call('list_sources', { title: 'zebra' });
    expect(structured.sources).toEqual([]);
    expect(JSON.stringify(await client.listTools())).not.toContain('[secret]');
    const body = { jsonrpc: '2.0', id: 99999999, method: 'ping' };
    expect((await send(url, { body })).text).toContain('99999999');
  });

  test('a log that nobody reads any more ends nothing', async () => {
    const server = await startBuilt(['--sandbox']);
    server.process.stderr?.destroy();
    for (let count = 0; count < 3; count += 1) {
      expect((await send(server.url.replace('/mcp', '/healthz'), { method: 'GET' })).status).toBe(
        200,
      );
    }
    const { call } = await connect(server.url);
    expect((await call('list_sources')).isError).toBe(false);
  });
});

test('a client of 2025 hears of its progress as it happens, on the stream of its call', async () => {
  const sandbox = await startSandboxForTest({
    parallelJobs: 3,
    jobs: ({ url }) => ({ workingMs: 150 + 400 * Number(url?.at(-1)) }),
  });
  const { url } = await start([], environmentFor(sandbox));
  const { call } = await connect(url);
  const working: number[] = [];
  const report = await call(
    'ingest_and_wait',
    { documentIdsToAdd: pages(3) },
    {
      onprogress: ({ progress }) => {
        const running = sandbox.documents().filter((one) => one.linkedJobStatus !== 'COMPLETED');
        if (progress > 0) working.push(running.length);
      },
    },
  );
  expect(report.structured.outcome).toBe('completed');
  // Progress comes while the others are still running, not all at once with the answer.
  expect(Math.max(...working)).toBeGreaterThan(0);
});

test('a client of 2025 that goes away ends its wait', async () => {
  const sandbox = await startSandboxForTest({ workingMs: 60_000 });
  const { url } = await start([], environmentFor(sandbox));
  const { client, call } = await connect(url);
  const given = call('ingest_and_wait', { documentIdsToAdd: pages(2) });
  const ended = expect(given).rejects.toThrow();
  await eventually(() => expect(sandbox.requests.length).toBeGreaterThan(3));
  await client.close();
  await ended;
  await expectQuiet(sandbox);
});

test('a closed response ends its call, and is no fault in the log', async () => {
  const sandbox = await startSandboxForTest({ workingMs: 60_000 });
  const { url, stderr } = await start([], environmentFor(sandbox));
  const gone = new AbortController();
  const params = { name: 'ingest_and_wait', arguments: { documentIdsToAdd: pages(2) } };
  const given = fetch(url, {
    method: 'POST',
    headers: JSON_HEADERS,
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
    signal: gone.signal,
  }).then((response) => response.text());
  await eventually(() => expect(sandbox.requests.length).toBeGreaterThan(3));
  gone.abort();
  await expect(given).rejects.toThrow();
  await expectQuiet(sandbox);
  expect(stderr()).not.toContain('"error"');
});

test('a batch is answered, and one of more than a hundred messages is refused', async () => {
  const { url } = await start(['--sandbox']);
  const batch = (count: number) =>
    Array.from({ length: count }, (_, id) => ({ jsonrpc: '2.0', id, method: 'ping' }));
  const answer = await send(url, { body: batch(100) });
  expect([answer.status, answer.text.match(/"result"/g)?.length]).toEqual([200, 100]);
  const refused = await send(url, { body: batch(101) });
  expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('100 messages')]);
});

test('two replicas behind a round-robin proxy serve a whole crawl, ingest and wait', async () => {
  const sandbox = await startSandboxForTest({ workingMs: 1_300 });
  const replicas = await Promise.all([1, 2].map(() => start([], environmentFor(sandbox))));
  let turn = 0;
  const proxy = createServer((request, response) => {
    const target = replicas[turn++ % replicas.length]?.url ?? '';
    const passed = httpRequest(
      target,
      { method: request.method, headers: request.headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    passed.on('error', () => response.destroy());
    request.pipe(passed);
  }).listen(0, '127.0.0.1');
  stops.add(() => proxy.closeAllConnections());
  stops.add(() => proxy.close());
  await once(proxy, 'listening');
  const { call } = await connect(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}/mcp`);
  const crawl = await call('deep_crawl_links', {
    links: ['https://help.larkspur.example/billing'],
  });
  const input = { documentIdsToAdd: crawl.structured.urls, timeoutSeconds: 1 };
  const first = await call('ingest_and_wait', input);
  expect(first.structured.outcome).toBe('timed_out');
  // The other replica does not know the batch, so the call passes the IDs.
  const { sources, queuedAfter } = first.structured;
  const ids = sources.map(({ id }: { id: string }) => id);
  const second = await call('wait_for_sources', { ids, queuedAfter });
  expect(second.structured.outcome).toBe('completed');
  expect(ingestRequests(sandbox)).toHaveLength(1);
  for (const { stderr } of replicas) expect(stderr()).toMatch(/tools\/call/);
});

describe('the address', () => {
  test('anything but loopback refuses to start without a token', async () => {
    const child = spawn(process.execPath, [CLI, '--http', '--host', '0.0.0.0', '--port', '0'], {
      env: { PATH: process.env.PATH },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    expect(await once(child, 'close')).toEqual([2, null]);
    expect(stderr).toMatch(/FINI_MCP_AUTH_TOKEN must be set/);
  });

  test('a port that is taken ends the start with a line and exit code 2', async () => {
    const { url } = await start(['--sandbox']);
    const child = spawn(process.execPath, [CLI, '--http', '--port', new URL(url).port], {
      stdio: 'ignore',
    });
    expect(await once(child, 'close')).toEqual([2, null]);
  });
});

test('a client of 2025 cannot be asked, and the answer of a deletion says what it relied on', async () => {
  const sandbox = await startSandboxForTest();
  const { url } = await start(['--allow-delete'], environmentFor(sandbox));
  let asked = 0;
  const client = clientWithPerson(() => {
    asked += 1;
    return 'accept';
  });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  stops.use(client);
  const { id } = sandbox.addDocument({ title: 'Refunds' });
  const input = { documentIds: [id] };
  const answer = readAnswer(await client.callTool({ name: 'delete_sources', arguments: input }));
  expect(answer.text).toMatch(
    /deleted\..*cannot be asked to confirm.*--allow-delete.*client's own approval/,
  );
  expect(asked).toBe(0);
  expect(sandbox.documents()).toEqual([]);
});

test('jobs queued with a client’s own key are joined by its next request', async () => {
  const sandbox = await startSandboxForTest({ workingMs: 30, lingerMs: 10_000 });
  const { FINI_API_KEY: key = '', ...environment } = environmentFor(sandbox);
  const { url } = await start([], environment);
  const page = 'https://docs.example.com/known';
  sandbox.addDocument({ originalUrl: page });
  const refresh = async () => {
    const { call } = await connect(url, { 'x-fini-api-key': key });
    const input = { documentIdsToRefresh: [page], timeoutSeconds: 1 };
    return (await call('ingest_and_wait', input)).structured;
  };
  expect((await refresh()).outcome).toBe('timed_out');
  expect((await refresh()).sources).toMatchObject([{ joined: true }]);
  expect(ingestRequests(sandbox)).toHaveLength(1);
});

/** Checks that the sandbox gets no more requests, after those that are already on their way. */
async function expectQuiet(sandbox: Sandbox): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  const requests = sandbox.requests.length;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(sandbox.requests).toHaveLength(requests);
}
