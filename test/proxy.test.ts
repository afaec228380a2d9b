import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { eventually, Stops, startHarness, startProcess } from './harness.ts';

/* A server behind a proxy on loopback, which is asked to connect and records what it receives. */

const KEY = 'fini_a_key_for_the_proxy_test';
const HOST = 'fini.example';
const stops = new Stops();
afterEach(() => stops.run());

interface Proxy {
  readonly url: string;
  /** Everything that the proxy received, as text. */
  readonly received: () => string;
}

/** Starts a proxy that answers CONNECT as given, and never answers in the tunnel. */
async function startProxy(answer: string): Promise<Proxy> {
  let received = '';
  const sockets = new Set<Socket>();
  const proxy: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let isAsked = false;
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
      if (isAsked) socket.destroy();
      else socket.write(answer);
      isAsked = true;
    });
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  stops.add(() => {
    for (const socket of sockets) socket.destroy();
    proxy.close();
  });
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, received: () => received };
}

async function startBehind(environment: Record<string, string>, start = startHarness) {
  const harness = await start(
    {},
    {
      FINI_API_KEY: KEY,
      FINI_BASE_URL: `https://${HOST}`,
      FINI_REQUEST_TIMEOUT_MS: '1000',
      ...environment,
    },
  );
  stops.use(harness);
  return harness;
}

test.each<[name: string, process: string, start: typeof startProcess]>([
  ['HTTPS_PROXY', 'the built server', startProcess],
  ['https_proxy', 'this process', startHarness],
  ['HTTP_PROXY', 'this process', startHarness],
  ['http_proxy', 'this process', startHarness],
])(
  '%s of %s is asked for a tunnel to Fini, and never sees the key',
  async (name, _process, start) => {
    const proxy = await startProxy('HTTP/1.1 200 Connection established\r\n\r\n');
    const { call } = await startBehind({ [name]: proxy.url }, start);
    const { isError } = await call('list_sources');
    expect(isError).toBe(true);
    expect(proxy.received()).toMatch(new RegExp(`^CONNECT ${HOST}:443 HTTP/1.1\r\n`));
    // TLS follows.
    await eventually(() => expect(proxy.received()).toContain('\x16\x03'));
    expect(proxy.received()).not.toContain(KEY);
    expect(proxy.received().toLowerCase()).not.toContain('\r\nauthorization');
  },
);

test.each(['NO_PROXY', 'no_proxy'])('%s is respected', async (name) => {
  const proxy = await startProxy('HTTP/1.1 200 Connection established\r\n\r\n');
  const { call } = await startBehind({ HTTPS_PROXY: proxy.url, [name]: `other.example,${HOST}` });
  expect((await call('list_sources')).isError).toBe(true);
  expect(proxy.received()).toBe('');
});

test('an error names the proxy, without its password, and what it answered', async () => {
  const proxy = await startProxy('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
  const withPassword = proxy.url.replace('http://', 'http://me:secret-word@');
  const { call } = await startBehind({ HTTPS_PROXY: withPassword });
  const { text } = await call('list_sources');
  expect(text).toContain(`proxy ${proxy.url}`);
  expect(text).toContain('407');
  expect(text).not.toContain('secret-word');
});

test('a Fini on loopback is asked directly', async () => {
  const proxy = await startProxy('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  const harness = stops.use(
    await startHarness({}, { HTTPS_PROXY: proxy.url, HTTP_PROXY: proxy.url }),
  );
  expect((await harness.call('list_sources')).isError).toBe(false);
  expect(proxy.received()).toBe('');
});
