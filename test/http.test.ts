import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import type { Sandbox, SandboxOptions, Scope } from '../src/sandbox/server.ts';
import {
  CLI,
  connectClient,
  environmentFor,
  eventually,
  HAS_SIGNALS,
  ingestRequests,
  LISTED_TOOLS,
  Stops,
  startHttp,
  startHttpProcess,
  startQuickSandbox,
} from './harness.ts';
import { initialize, initializeParams, JSON_HEADERS, send } from './rpc.ts';

const stops = new Stops();
afterEach(() => stops.run());

async function startSandboxForTest(options: SandboxOptions = {}): Promise<Sandbox> {
  return stops.use(await startQuickSandbox(options));
}

const start = (flags: string[] = [], environment: Record<string, string> = {}) =>
  startHttp(stops, environment, flags);

/** The built server, for what depends on the process. */
const startBuilt = (flags: string[] = [], environment: Record<string, string> = {}) =>
  startHttpProcess(stops, environment, flags);

const connect = (url: string, headers?: Record<string, string>) =>
  connectClient(stops, url, headers);

const pages = (count: number, name = 'page') =>
  Array.from({ length: count }, (_, index) => `https://docs.example.com/${name}/${index}`);

describe.each(['with sessions', 'stateless'])('%s', (mode) => {
  const flags = mode === 'stateless' ? ['--stateless'] : [];

  test('the SDK client runs every tool', async () => {
    const { url } = await startBuilt(['--sandbox', ...flags]);
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
    expect(seen.at(-1)).toBe(crawl.structured.count);
    const [{ id }] = report.structured.sources;
    expect((await call('get_source', { id })).structured.sources[0].id).toBe(id);
    expect((await call('wait_for_sources', { ids: [id] })).structured.outcome).toBe('completed');
    const originalUrl = 'https://help.larkspur.example';
    const listed = await call('list_sources', { originalUrl });
    expect(listed.structured.sources.length).toBe(crawl.structured.count);
    const list = await call('list_provider_resources', { provider: 'notion', limit: 2 });
    const { resources } = list.structured;
    const registered = await call('register_provider_resources', { provider: 'notion', resources });
    const { addedDocumentIds } = registered.structured;
    const queued = await call('ingest_sources', {
      source: 'notion',
      documentIdsToAdd: addedDocumentIds,
    });
    expect(queued.structured.addedDocumentIds).toHaveLength(2);
  });

  test('50 clients wait at once; each gets its own progress and its own answer', async () => {
    const sandbox = await startSandboxForTest({ parallelJobs: 500, workingMs: 150 });
    const { url } = await start(flags, environmentFor(sandbox));
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
    const both: Scope[] = ['read', 'write'];
    const scopes = Object.fromEntries([...keys, 'fini_own_key'].map((key) => [key, both]));
    const sandbox = await startSandboxForTest({ keys: scopes });
    const own = { ...environmentFor(sandbox), FINI_API_KEY: 'fini_own_key' };
    const { url, stderr } = await start(flags, own);
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

  test('a header that is no key is refused, and says why without repeating it', async () => {
    const { url, stderr } = await start(['--sandbox', ...flags]);
    const secret = '5ecretWorkspaceKey0123456789';
    for (const [key, says] of [
      ['fini_...', 'it is the placeholder of the README; set your own key.'],
      [`fini_${secret}...`, 'it is the placeholder of the README; set your own key.'],
      [`Bearer fini_${secret}`, 'it has characters that no key has; set only the key'],
      ['fini_', 'it is too short to be a key.'],
    ] as const) {
      const answer = await send(url, { headers: { 'x-fini-api-key': key }, body: initialize });
      expect(answer.status).toBe(400);
      expect(answer.text).toContain(`X-Fini-Api-Key is not a key: ${says}`);
      expect(answer.text + stderr()).not.toContain(secret);
    }
  });

  test('without any key the server starts and lists, and a call says what to set', async () => {
    const { url } = await start(flags);
    const { client, call } = await connect(url);
    expect((await client.listTools()).tools).toHaveLength(LISTED_TOOLS);
    const { text } = await call('list_sources');
    expect(text).toMatch(/X-Fini-Api-Key header.*FINI_API_KEY in the server's environment/);
    expect(text).not.toContain('"env"');
  });

  test('advice about a wrong key is for a server over HTTP', async () => {
    const { url } = await start(flags, environmentFor(await startSandboxForTest()));
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
    const { url } = await start(['--sandbox', ...flags]);
    const answer = await send(url, options);
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.text)).toMatchObject({ jsonrpc: '2.0', error: { message: /./ } });
    expect(answer.text).not.toMatch(/at .*\.js/);
  });

  test('with a token, only who brings it gets in', async () => {
    const { url, stderr } = await start(['--sandbox', ...flags], {
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
  });

  test('unknown paths are a 404, /healthz is well, and other methods are a 405', async () => {
    const { url } = await start(['--sandbox', ...flags]);
    expect((await send(url.replace('/mcp', '/else'), { body: initialize })).status).toBe(404);
    const health = await send(url.replace('/mcp', '/healthz'), { method: 'GET' });
    expect([health.status, JSON.parse(health.text).status]).toEqual([200, 'ok']);
    const put = await send(url, { method: 'PUT', body: initialize });
    expect(flags.length > 0 ? [405] : [400, 405]).toContain(put.status);
  });

  test('names and origins that were allowed come in', async () => {
    const allowed = ['--allowed-host', 'fini.internal', '--allowed-origin', 'https://app.example'];
    const { url } = await start(['--sandbox', ...allowed, ...flags]);
    const headers = { host: 'fini.internal:8080', origin: 'https://app.example' };
    const answer = await send(url, { headers, body: initialize });
    expect(answer.status).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBe('https://app.example');
    expect((await send(url, { method: 'OPTIONS', headers })).status).toBe(204);
  });

  test('the name that it listens on comes in, and one that stands for all does not', async () => {
    const environment = { FINI_MCP_AUTH_TOKEN: TOKEN };
    const statusFor = async (listen: string, host: string) => {
      const { url } = await start(['--sandbox', '--host', listen, ...flags], environment);
      const headers = { host, authorization: `Bearer ${TOKEN}` };
      return (await send(url, { headers, body: initialize })).status;
    };
    // Elsewhere the machine's name may stand for a link-local address, which no URL can name.
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
    const everywhere = ['--sandbox', '--host', '0.0.0.0', ...flags];
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
      const server = await startBuilt(flags, environmentFor(sandbox));
      const { call } = await connect(server.url);
      const given = call('ingest_and_wait', { documentIdsToAdd: pages(3) });
      await eventually(() => expect(ingestRequests(sandbox)).toHaveLength(1));
      server.process.kill('SIGTERM');
      const [code] = await Promise.all([
        once(server.process, 'exit').then(([exit]) => exit),
        given,
      ]);
      expect(code).toBe(0);
      expect((await given).structured.outcome).toBe('completed');
    },
  );

  test('an access line a request: method, tool, status, time, and no secret', async () => {
    const server = await start(['--sandbox', ...flags]);
    const { call, transport } = await connect(server.url);
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
    if (transport.sessionId !== undefined) {
      expect(line.session).toMatch(/^[0-9a-f]{8}$/);
      expect(server.stderr()).not.toContain(transport.sessionId);
    }
  });
});

describe('sessions', () => {
  test('another client’s session is as unknown as none', async () => {
    const { url } = await start(['--sandbox']);
    const { transport } = await connect(url, { 'x-fini-api-key': 'fini_sandbox' });
    const session = { 'mcp-session-id': transport.sessionId ?? '' };
    const body = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    for (const headers of [session, { ...session, 'x-fini-api-key': 'fini_somebody_else' }]) {
      for (const method of ['POST', 'GET', 'DELETE']) {
        expect(
          (await send(url, { method, headers, ...(method === 'POST' ? { body } : {}) })).status,
        ).toBe(404);
      }
    }
    expect((await send(url, { body })).status).toBe(400);
    const own = { ...session, 'x-fini-api-key': 'fini_sandbox' };
    expect((await send(url, { headers: own, body })).status).toBe(200);
  });

  test('DELETE ends a session', async () => {
    const { url } = await start(['--sandbox']);
    const { transport } = await connect(url);
    const headers = { 'mcp-session-id': transport.sessionId ?? '' };
    await transport.terminateSession();
    const body = { jsonrpc: '2.0', id: 2, method: 'tools/list' };
    expect((await send(url, { headers, body })).status).toBe(404);
  });

  test('past the bound a new session is a clear 503, until one is free', async () => {
    const { url } = await start(['--sandbox', '--max-sessions', '2']);
    const first = await connect(url);
    await connect(url);
    const refused = await send(url, { body: initialize });
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '30']);
    expect(refused.text).toMatch(/2 sessions/);
    await first.transport.terminateSession();
    expect((await send(url, { body: initialize })).status).toBe(200);
  });

  test('an idle session is closed, one with an open stream is not', async () => {
    const { url } = await start([
      '--sandbox',
      '--session-idle-seconds',
      '1',
      '--max-sessions',
      '2',
    ]);
    const { call } = await connect(url);
    const idle = await send(url, { body: initialize });
    const headers = { 'mcp-session-id': String(idle.headers['mcp-session-id']) };
    const body = { jsonrpc: '2.0', id: 2, method: 'ping' };
    expect((await send(url, { headers, body })).status).toBe(200);
    // There is no room for a third until the idle one is closed.
    const third = async () => (await send(url, { body: initialize })).status;
    expect(await third()).toBe(503);
    await eventually(async () => expect(await third()).toBe(200));
    expect((await send(url, { headers, body })).status).toBe(404);
    expect((await call('list_sources')).isError).toBe(false);
  });

  test('an initialize that is refused leaves no session', async () => {
    const { url } = await start(['--sandbox', '--max-sessions', '1']);
    for (let count = 0; count < 3; count += 1) {
      expect(
        (await send(url, { headers: { accept: 'text/plain' }, body: initialize })).status,
      ).toBe(406);
    }
    expect((await send(url, { body: initialize })).status).toBe(200);
  });

  test('a call is cancelled', async () => {
    const sandbox = await startSandboxForTest({ workingMs: 60_000 });
    const { url } = await start([], environmentFor(sandbox));
    const { call } = await connect(url);
    const cancel = new AbortController();
    const given = call(
      'ingest_and_wait',
      { documentIdsToAdd: pages(2) },
      { signal: cancel.signal },
    );
    await eventually(() => expect(sandbox.requests.length).toBeGreaterThan(3));
    cancel.abort();
    await expect(given).rejects.toThrow();
    await expectQuiet(sandbox);
  });

  test('a client whose stream broke takes it up where it was', async () => {
    const sandbox = await startSandboxForTest({ workingMs: 500 });
    const { url } = await start([], environmentFor(sandbox));
    const opened = await send(url, {
      body: { ...initialize, params: initializeParams('2025-11-25') },
    });
    const headers = {
      ...JSON_HEADERS,
      'mcp-session-id': String(opened.headers['mcp-session-id']),
      'mcp-protocol-version': '2025-11-25',
    };
    const broken = new AbortController();
    const params = {
      name: 'ingest_and_wait',
      arguments: { documentIdsToAdd: pages(3) },
      _meta: { progressToken: 7 },
    };
    const response = await fetch(url, {
      method: 'POST',
      headers,
      body: JSON.stringify({ jsonrpc: '2.0', id: 9, method: 'tools/call', params }),
      signal: broken.signal,
    });
    const reader = response.body?.getReader();
    let read = '';
    while (!read.includes('notifications/progress')) {
      read += new TextDecoder().decode((await reader?.read())?.value);
    }
    broken.abort();
    const lastId = [...read.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? '';
    const resumed = await fetch(url, { headers: { ...headers, 'last-event-id': lastId } });
    const again = resumed.body?.getReader();
    let rest = '';
    while (!rest.includes('"id":9')) rest += new TextDecoder().decode((await again?.read())?.value);
    expect(rest).toContain('"outcome":"completed"');
    expect(ingestRequests(sandbox)).toHaveLength(1);
    await again?.cancel();
  });
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
    const id = String((await send(url, { body: initialize })).headers['mcp-session-id']);
    expect((await send(url, { headers: { 'mcp-session-id': id }, body })).text).toContain(
      '99999999',
    );
  });

  test('a cancelled call gives its stream back', async () => {
    const sandbox = await startSandboxForTest({ workingMs: 60_000 });
    const flags = ['--session-idle-seconds', '1', '--max-sessions', '1'];
    const server = await startBuilt(flags, environmentFor(sandbox));
    const { call, transport } = await connect(server.url);
    const cancels = pages(10).map((page) => {
      const cancel = new AbortController();
      const given = call(
        'ingest_and_wait',
        { documentIdsToAdd: [page] },
        { signal: cancel.signal },
      );
      return {
        cancel,
        given: given.then(
          () => 'answered',
          () => 'cancelled',
        ),
      };
    });
    await eventually(() => expect(ingestRequests(sandbox)).toHaveLength(10));
    for (const { cancel } of cancels) cancel.abort();
    await Promise.all(cancels.map(({ given }) => given));
    const ended = () =>
      server
        .stderr()
        .split('\n')
        .filter((line) => line.includes('"ingest_and_wait"'));
    await eventually(() => expect(ended()).toHaveLength(10));
    expect(server.stderr()).not.toContain('"error"');
    await transport.terminateSession();
    const stopping = once(server.process, 'exit');
    const startedAt = performance.now();
    server.process.kill('SIGTERM');
    await stopping;
    // Calls that still ran would get five seconds.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
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

describe('stateless', () => {
  test('a closed response ends its call', async () => {
    const sandbox = await startSandboxForTest({ workingMs: 60_000 });
    const { url } = await start(['--stateless'], environmentFor(sandbox));
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
  });

  test('GET and DELETE are a 405: there is no session to open or end', async () => {
    const { url } = await start(['--sandbox', '--stateless']);
    for (const method of ['GET', 'DELETE']) expect((await send(url, { method })).status).toBe(405);
  });

  test('two replicas behind a round-robin proxy serve a whole crawl, ingest and wait', async () => {
    const sandbox = await startSandboxForTest({ workingMs: 1_300 });
    const replicas = await Promise.all(
      [1, 2].map(() => start(['--stateless'], environmentFor(sandbox))),
    );
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
    const next = /wait_for_sources with (\{.*?\})\./.exec(first.structured.nextSteps)?.[1];
    const second = await call('wait_for_sources', JSON.parse(next ?? ''));
    expect(second.structured.outcome).toBe('completed');
    expect(ingestRequests(sandbox)).toHaveLength(1);
    for (const { stderr } of replicas) expect(stderr()).toMatch(/tools\/call/);
  });
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

test('a question to the person comes on the call’s own stream, since a client may have no other', async () => {
  const sandbox = await startSandboxForTest();
  const { url } = await start(['--allow-delete'], environmentFor(sandbox));
  const headers: Record<string, string> = { ...JSON_HEADERS };
  const post = (body: object) =>
    fetch(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...body }) });
  const params = { ...initializeParams(), capabilities: { elicitation: {} } };
  const opened = await post({ id: 1, method: 'initialize', params });
  headers['mcp-session-id'] = opened.headers.get('mcp-session-id') ?? '';
  await opened.text();
  await post({ method: 'notifications/initialized' });

  const { id } = sandbox.addDocument({ title: 'Refunds' });
  const call = { name: 'delete_sources', arguments: { documentIds: [id] } };
  const { body } = await post({ id: 2, method: 'tools/call', params: call });
  let said = '';
  for await (const chunk of body?.pipeThrough(new TextDecoderStream()) ?? []) {
    said += chunk;
    const question = /^data: (.*"elicitation\/create".*)$/m.exec(said)?.[1];
    if (question === undefined || said.includes('"id":2')) continue;
    await post({ id: JSON.parse(question).id, result: { action: 'accept', content: {} } });
  }
  expect(said).toMatch(/"elicitation\/create"[\s\S]*"id":2/);
  expect(sandbox.documents()).toEqual([]);
});

test.each([[], ['--stateless']])(
  'what was queued with a client’s own key is joined by its next session or request: %j',
  async (...flags) => {
    const sandbox = await startSandboxForTest({ workingMs: 30, lingerMs: 10_000 });
    const { FINI_API_KEY: key = '', ...environment } = environmentFor(sandbox);
    const { url } = await start(flags, environment);
    const page = 'https://docs.example.com/known';
    sandbox.addDocument({ originalUrl: page });
    const refresh = async () => {
      const { call, transport } = await connect(url, { 'x-fini-api-key': key });
      const input = { documentIdsToRefresh: [page], timeoutSeconds: 1 };
      const { structured } = await call('ingest_and_wait', input);
      if (flags.length === 0) await transport.terminateSession();
      return structured;
    };
    expect((await refresh()).outcome).toBe('timed_out');
    expect((await refresh()).sources).toMatchObject([{ joined: true }]);
    expect(ingestRequests(sandbox)).toHaveLength(1);
  },
);

/** Nothing more is asked of the sandbox, after what is on its way has arrived. */
async function expectQuiet(sandbox: Sandbox): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  const requests = sandbox.requests.length;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(sandbox.requests).toHaveLength(requests);
}
