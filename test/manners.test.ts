import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HttpServer, Stops, startHttp } from './harness.ts';
import { initialize, send } from './rpc.ts';

/* Raw requests with what clients really send over HTTP, against the specification or not. */

const TOKEN = 'a-token-of-a-team';
const EXTENSION = 'chrome-extension://abcdefghijklmnop';
const DESKTOP = 'app://desktop';
const stops = new Stops();
let server: HttpServer;
let guarded: HttpServer;
beforeAll(async () => {
  const origins = ['--allowed-origin', EXTENSION, '--allowed-origin', DESKTOP];
  server = await startHttp(stops, {}, ['--sandbox', ...origins]);
  const host = ['--allowed-host', 'Bücher.example'];
  guarded = await startHttp(stops, { FINI_MCP_AUTH_TOKEN: TOKEN }, ['--sandbox', ...host]);
});
afterAll(() => stops.run());

/** Sends `initialize`, or another body. */
const ask = (
  url: string,
  headers: Record<string, string | undefined> = {},
  body: unknown = initialize,
  { method = 'POST', path = new URL(url).pathname }: { method?: string; path?: string } = {},
) => send(url, { method, path, headers, ...(method === 'POST' && { body }) });

describe('Accept', () => {
  test.each<[string, Record<string, string | undefined>]>([
    ['missing', { accept: undefined }],
    ['of everything', { accept: '*/*' }],
    ['in capitals', { accept: 'Application/JSON, Text/Event-Stream' }],
    ['with weights', { accept: 'application/*;q=0.9, text/*;q=0.8' }],
  ])('%s is answered', async (_what, headers) => {
    const { status, text } = await ask(server.url, headers);
    expect(text).toContain('serverInfo');
    expect(status).toBe(200);
  });
});

test.each([
  ['a slash at the end', (url: URL) => `${url.pathname}/`],
  ['a query', (url: URL) => `${url.pathname}?client=a`],
  ['the whole URL, as a proxy has it', (url: URL) => url.href],
])('the path with %s is the same path', async (_what, pathOf) => {
  const path = pathOf(new URL(server.url));
  const { status } = await ask(server.url, {}, initialize, { path });
  expect(status).toBe(200);
});

test('the ID of a session that another server gave changes nothing, and none is given', async () => {
  const headers = { 'mcp-session-id': '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51' };
  for (const method of ['initialize', 'tools/list']) {
    const { status, headers: answered } = await ask(server.url, headers, { ...initialize, method });
    expect(status).toBe(200);
    expect(answered['mcp-session-id']).toBeUndefined();
  }
});

test('a byte order mark before a body is skipped', async () => {
  const { status } = await ask(server.url, {}, `\uFEFF${JSON.stringify(initialize)}`);
  expect(status).toBe(200);
});

test('a connection is kept longer than the minute of a balancer', async () => {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  stops.add(() => socket.destroy());
  socket.write(`GET /healthz HTTP/1.1\r\nhost: ${hostname}\r\n\r\n`);
  const [chunk]: Buffer[] = await once(socket, 'data');
  const seconds = /keep-alive: timeout=(\d+)/i.exec(String(chunk))?.[1];
  expect(Number(seconds)).toBeGreaterThan(60);
});

describe('a web page', () => {
  test('may send the headers of both eras', async () => {
    const { status, headers } = await ask(
      server.url,
      { origin: 'http://localhost:6274', 'access-control-request-method': 'POST' },
      undefined,
      { method: 'OPTIONS' },
    );
    expect(status).toBe(204);
    for (const name of ['authorization', 'mcp-method', 'mcp-name', 'mcp-protocol-version']) {
      expect(headers['access-control-allow-headers']).toContain(name);
    }
  });

  test('hears why it is refused, where it may ask at all', async () => {
    const origin = 'http://localhost:6274';
    const { status, headers, text } = await ask(guarded.url, { origin });
    expect(status).toBe(401);
    expect(headers['access-control-allow-origin']).toBe(origin);
    expect(headers['access-control-expose-headers']).toContain('www-authenticate');
    expect(text).toMatch(/token/);
  });

  test('hears nothing from elsewhere', async () => {
    const headers = { origin: 'https://evil.example' };
    const answer = await ask(server.url, headers);
    expect(answer.status).toBe(403);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
  });

  test.each([EXTENSION, DESKTOP])('of %s may ask where it is allowed', async (origin) => {
    const { status, headers } = await ask(server.url, { origin });
    expect(status).toBe(200);
    expect(headers['access-control-allow-origin']).toBe(origin);
  });
});

test('a host with letters beyond ASCII is known by the name that clients send', async () => {
  const headers = {
    host: 'xn--bcher-kva.example',
    authorization: `Bearer ${TOKEN}`,
  };
  expect((await ask(guarded.url, headers)).status).toBe(200);
});

test('a wrong token is named in words, for people behind mcp-remote too', async () => {
  const headers = { authorization: 'Bearer another' };
  const { status, text } = await ask(guarded.url, headers);
  expect(status).toBe(401);
  expect(JSON.parse(text).error.message).toMatch(/FINI_MCP_AUTH_TOKEN/);
});

test.each<[string, string, Record<string, string | undefined>, number]>([
  ['another method', 'PUT', {}, 405],
  ['another content type', 'POST', { 'content-type': 'text/plain' }, 415],
  ['no content type', 'POST', { 'content-type': undefined, accept: '*/*' }, 415],
])('%s is refused by its status', async (_what, method, headers, status) => {
  const answer = await ask(server.url, headers, initialize, { method });
  expect(answer.status).toBe(status);
  if (status === 405) expect(answer.headers.allow).toContain('POST');
});

test.each<[string, object]>([
  ['null params', { method: 'tools/list', params: null }],
  ['a task', { method: 'tools/call', params: { name: 'list_sources', task: { ttl: 1 } } }],
])('a request with %s is read as meant', async (_what, message) => {
  const { status, text } = await ask(server.url, {}, { jsonrpc: '2.0', id: 2, ...message });
  expect(status).toBe(200);
  expect(text).toContain('"result"');
});

test.each<[string, object]>([
  ['no name', { method: 'tools/call', params: {} }],
  ['a list for params', { method: 'ping', params: [1] }],
  ['no version', { jsonrpc: undefined, method: 'ping' }],
])('a request with %s is answered by its ID, in a sentence', async (_what, message) => {
  const { text } = await ask(server.url, {}, { jsonrpc: '2.0', id: 2, ...message });
  const answer = JSON.parse(
    text
      .split('\n')
      .find((line) => line.startsWith('data: '))
      ?.slice(6) ?? text,
  );
  expect(answer.id).toBe(2);
  expect(answer.error.message).toMatch(/^[A-Z].*\.$/);
  expect(answer.error.message).not.toMatch(/[{\n]/);
});
