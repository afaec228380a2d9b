import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { readCommand } from '../src/command-line.ts';
import { proxyFor } from '../src/proxies.ts';
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

describe('a proxy that is no HTTP proxy', () => {
  const SOCKS = 'socks5h://me:secret-word@127.0.0.1:9050';
  const faultsOf = (argv: string[], environment: Record<string, string>) => {
    const command = readCommand(argv, { FINI_BASE_URL: `https://${HOST}`, ...environment });
    return command.kind === 'faults' ? command.faults : [];
  };

  test.each<[what: string, argv: string[], environment: Record<string, string>]>([
    ['with the sandbox', ['--sandbox'], { HTTPS_PROXY: SOCKS }],
    ['with NO_PROXY for all', [], { HTTPS_PROXY: SOCKS, NO_PROXY: '*' }],
    ['with NO_PROXY for Fini', [], { https_proxy: SOCKS, no_proxy: `a.example, .${HOST}:443` }],
    ['with Fini on loopback', [], { HTTPS_PROXY: SOCKS, FINI_BASE_URL: 'http://127.0.0.1:1' }],
    ['where another one is used', [], { HTTPS_PROXY: 'proxy:3128', HTTP_PROXY: SOCKS }],
    [
      'with a sign-in on loopback',
      ['--http', '--sandbox'],
      { HTTPS_PROXY: SOCKS, FINI_MCP_OAUTH_ISSUER: 'http://localhost:8080' },
    ],
  ])('stops no start %s', (_what, argv, environment) => {
    expect(faultsOf(argv, environment)).toEqual([]);
  });

  test.each<[name: string, value: string]>([
    ['HTTPS_PROXY', SOCKS],
    ['HTTP_PROXY', SOCKS],
    ['HTTPS_PROXY', 'socks5://127.0.0.1'],
    ['HTTPS_PROXY', 'http://'],
    ['HTTPS_PROXY', '$HTTPS_PROXY'],
  ])('%s=%s is refused where it would be used, with the way round it', (name, value) => {
    const fault = `${name} is not the URL of an HTTP proxy, and requests to ${HOST} would go through it; write it as http://host:port, or add ${HOST} to NO_PROXY`;
    expect(faultsOf([], { [name]: value })).toEqual([fault]);
    expect(faultsOf(['--check'], { [name]: value, NO_PROXY: 'a.example' })).toEqual([fault]);
  });

  test('is refused where the identity provider would be asked through it', () => {
    const environment = { HTTPS_PROXY: SOCKS, FINI_MCP_OAUTH_ISSUER: 'https://id.example/a' };
    expect(faultsOf(['--http', '--sandbox'], environment)).toEqual([
      expect.stringMatching(/^HTTPS_PROXY .* requests to id\.example would .* add id\.example to/),
    ]);
  });

  test.each<[what: string, environment: Record<string, string>]>([
    ['NO_PROXY for all', { NO_PROXY: '*' }],
    ['NO_PROXY for Fini', { NO_PROXY: HOST }],
  ])('is not so much as looked at with %s', async (_what, environment) => {
    const { call } = await startBehind({ HTTPS_PROXY: SOCKS, HTTP_PROXY: SOCKS, ...environment });
    const { text, isError } = await call('list_sources');
    expect(isError).toBe(true);
    expect(text).toMatch(/could not be reached/);
    expect(text).not.toMatch(/proxy/);
  });
});

test.each<[noProxy: string, url: string, isDirect: boolean]>([
  ['', 'https://a.example', false],
  [' , ', 'https://a.example', false],
  ['*', 'https://a.example', true],
  ['b.example *', 'https://a.example', true],
  ['a.example', 'https://a.example', true],
  ['A.Example', 'https://a.example', true],
  ['a.example', 'https://sub.a.example', true],
  ['.a.example', 'https://a.example', true],
  ['*.a.example', 'https://sub.a.example', true],
  ['a.example', 'https://not-a.example', false],
  ['a.example.evil', 'https://a.example', false],
  ['a.example:443', 'https://a.example', true],
  ['a.example:8443', 'https://a.example', false],
  ['a.example:8443', 'https://a.example:8443', true],
  ['[2001:db8::1]', 'https://[2001:db8::1]', true],
  ['10.0.0.1', 'https://10.0.0.10', false],
])('NO_PROXY=%s: %s is asked directly: %s', (noProxy, url, isDirect) => {
  const proxy = proxyFor(new URL(url), { httpsProxy: 'http://proxy', noProxy });
  expect(proxy).toBe(isDirect ? undefined : 'http://proxy');
});

test('HTTP_PROXY is for what HTTPS_PROXY does not say, and HTTPS_PROXY for https alone', () => {
  const [httpsProxy, httpProxy] = ['http://one', 'http://other'];
  const [secure, plain] = [new URL('https://a.example'), new URL('http://a.example')];
  expect(proxyFor(secure, { httpsProxy, httpProxy })).toBe(httpsProxy);
  expect(proxyFor(secure, { httpProxy })).toBe(httpProxy);
  expect(proxyFor(plain, { httpsProxy, httpProxy })).toBe(httpProxy);
  expect(proxyFor(plain, { httpsProxy })).toBeUndefined();
});
