import { execFile } from 'node:child_process';
import { createServer } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, describe, expect, test } from 'vitest';
import { check } from '../src/check.ts';
import { CLI, configFor, environmentFor, Stops, startQuickSandbox } from './harness.ts';
import type { FaultAction } from './scripted-sandbox.ts';

const stops = new Stops();
afterEach(() => stops.run());

const KEY = 'fini_5ecretWorkspaceKey0123456789';

const startSandbox = async () => stops.use(await startQuickSandbox());
/** Checks these settings. */
const checked = (environment: Record<string, string>) => check(configFor([], environment), '1.2.3');

test('the right settings: what was checked, by one request that reads', async () => {
  const sandbox = await startSandbox();
  const { isRight, text } = await checked(environmentFor(sandbox));
  expect(isRight).toBe(true);
  expect(text).toMatch(/^fini-mcp 1\.2\.3, Node\.js \d+\..*\nFini: +http.*\nProxy: none\nKey: /);
  expect(text).toMatch(
    /All is well: Fini answered in \d+ ms, and the key can read\. This check cannot/,
  );
  expect(sandbox.requests).toHaveLength(1);
  expect(sandbox.requests[0]?.method).toBe('GET');
  expect(text).not.toContain(sandbox.apiKey);
});

test('no key', async () => {
  const sandbox = await startSandbox();
  const { isRight, text } = await checked({ ...environmentFor(sandbox), FINI_API_KEY: '' });
  expect(isRight).toBe(false);
  expect(text).toMatch(/Key: +none[\s\S]*No Fini API key is set.*set FINI_API_KEY.*--sandbox/);
  expect(sandbox.requests).toEqual([]);
});

describe('what is wrong, and what to do', () => {
  test.each<[what: string, key: string, says: RegExp]>([
    ['a wrong key', KEY, /HTTP 401.*malformed, revoked or wrong.*FINI_API_KEY/],
    ['a key that can only write', 'fini_sandbox_write', /HTTP 403.*lacks the read scope/],
  ])('%s', async (_what, key, says) => {
    const sandbox = await startSandbox();
    const { isRight, text } = await checked({ ...environmentFor(sandbox), FINI_API_KEY: key });
    expect(isRight).toBe(false);
    expect(text).toMatch(says);
    expect(text).not.toContain(key);
  });

  test.each<[what: string, action: FaultAction, says: RegExp]>([
    ['a firewall', { kind: 'status', status: 403, body: 'no' }, /a proxy or a firewall/],
    [
      'another server',
      { kind: 'status', status: 404 },
      /not found at this address: check FINI_BASE_URL/,
    ],
    ['a limit', { kind: 'status', status: 429 }, /rate limit was reached.*Call again in a minute/],
    [
      'a fault of Fini',
      { kind: 'status', status: 503 },
      /Fini failed to list sources \(HTTP 503\)/,
    ],
    ['a login page', { kind: 'html' }, /could not be read.*login page/],
    [
      'a redirect',
      { kind: 'redirect', location: 'https://e.example/' },
      /so the key is not sent to another address/,
    ],
    ['no answer', { kind: 'hang' }, /did not answer within.*FINI_REQUEST_TIMEOUT_MS/],
  ])('%s', async (_what, action, says) => {
    const sandbox = await startSandbox();
    sandbox.script({ times: Number.POSITIVE_INFINITY, action });
    const environment = { ...environmentFor(sandbox), FINI_REQUEST_TIMEOUT_MS: '300' };
    // The time limit keeps retries short; http.test.ts covers them.
    const { isRight, text } = await check(configFor([], environment), '1.2.3', 500);
    expect(isRight).toBe(false);
    expect(text).toMatch(says);
  });

  test('a proxy that refuses', async () => {
    const proxy = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    stops.add(() => proxy.close());
    const address = proxy.address();
    const port = typeof address === 'object' ? address?.port : address;
    const { isRight, text } = await checked({
      ...{ FINI_API_KEY: KEY, FINI_BASE_URL: 'https://fini.example', NO_PROXY: 'a.example' },
      HTTPS_PROXY: `http://someone:secret@127.0.0.1:${port}`,
    });
    expect(isRight).toBe(false);
    expect(text).toMatch(
      /Proxy: http:\/\/127\.0\.0\.1:\d+ for fini\.example, but not for NO_PROXY: a\.example/,
    );
    expect(text).toMatch(/HTTP 407.*through the proxy.*Check the network and FINI_BASE_URL/);
    expect(text).not.toContain('secret');
  });
});

describe('the built server', () => {
  const run = async (args: string[], env: Record<string, string>) => {
    try {
      const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args], { env });
      return { code: 0, stdout };
    } catch (error) {
      const { code, stdout } = Object(error);
      return { code, stdout };
    }
  };

  test('ends with 0 where all is right, also with its sandbox, and else with 1', async () => {
    const sandbox = await startSandbox();
    expect(await run(['--check'], environmentFor(sandbox))).toMatchObject({ code: 0 });
    expect(await run(['--check', '--sandbox'], {})).toMatchObject({ code: 0 });
    expect(await run(['--check'], {})).toMatchObject({
      code: 1,
      stdout: expect.stringMatching(/No Fini API key is set/),
    });
  });
});
