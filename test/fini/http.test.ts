import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { Budget } from '../../src/fini/budget.ts';
import { Connections } from '../../src/fini/connections.ts';
import type { Pause } from '../../src/fini/deadline.ts';
import { FiniError } from '../../src/fini/errors.ts';
import { createHttp, type HttpOptions, type HttpRequest } from '../../src/fini/http.ts';
import type { SandboxOptions } from '../../src/sandbox/sandbox-server.ts';
import { eventually, Stops } from '../harness.ts';
import { type Fault, type ScriptedSandbox, startScriptedSandbox } from '../scripted-sandbox.ts';

/* Duration and number of retries, against the sandbox. */

const stops = new Stops();
afterEach(() => stops.run());

const READ = { operation: 'list sources', method: 'GET', path: '/v2/documents/public' } as const;
const CRAWL = {
  operation: 'crawl links',
  method: 'POST',
  path: '/v2/documents/public/deep-crawl/links',
  body: { links: ['https://docs.example.com'] },
} as const;
const ALWAYS = Number.POSITIVE_INFINITY;

async function start(
  options: Partial<HttpOptions> = {},
  sandboxOptions: SandboxOptions = {},
): Promise<{
  sandbox: ScriptedSandbox;
  send: (request: HttpRequest) => Promise<unknown>;
  failure: (request: HttpRequest) => Promise<FiniError>;
}> {
  const sandbox = await startScriptedSandbox(sandboxOptions);
  const connections = new Connections(sandbox.url);
  stops.add(() => sandbox.close());
  stops.add(() => connections.destroy());
  const { url: baseUrl, apiKey } = sandbox;
  const send = createHttp({
    ...{ baseUrl, apiKey, connections, requestTimeoutMs: 10_000, retryDelayMs: 1 },
    ...options,
  });
  return {
    sandbox,
    send,
    async failure(request) {
      const error = await send(request).catch((reason: unknown) => reason);
      if (!(error instanceof FiniError)) throw new Error(`not a FiniError: ${String(error)}`);
      return error;
    },
  };
}

const status = (code: number, headers: Record<string, string> = {}): Fault['action'] => ({
  ...{ kind: 'status', status: code, headers },
});
const within = (milliseconds: number) => performance.now() + milliseconds;

test.each<[string, Fault['action']]>([
  ['502', status(502)],
  ['429', status(429)],
  ['a reset', { kind: 'reset', when: 'before' }],
])('%s ten times: a read is tried again for as long as its call lasts', async (_name, action) => {
  const { sandbox, send } = await start();
  sandbox.script({ times: 10, action });
  await expect(send({ ...READ, endsAt: within(30_000) })).resolves.toMatchObject({ documents: [] });
  expect(sandbox.requests).toHaveLength(11);
});

test('a POST that only reads is tried again like a GET', async () => {
  const { sandbox, send } = await start();
  sandbox.script({ times: 5, action: status(502) });
  await send({ ...CRAWL, reads: true, endsAt: within(30_000) });
  expect(sandbox.requests).toHaveLength(6);
});

test('without an end, a read is tried again three times', async () => {
  const { sandbox, failure } = await start();
  sandbox.script({ times: ALWAYS, action: status(502) });
  expect(await failure(READ)).toMatchObject({ status: 502 });
  expect(sandbox.requests).toHaveLength(4);
});

test('a read that got no answer in time is tried again, however long that took', async () => {
  const { sandbox, send } = await start({ requestTimeoutMs: 300 });
  // The first request opens the connection; the test is about later ones.
  await send(READ);
  sandbox.script({ action: { kind: 'hang' } });
  await expect(send({ ...READ, endsAt: within(30_000) })).resolves.toMatchObject({ documents: [] });
  expect(sandbox.requests).toHaveLength(3);
});

test('an attempt ends with its call, and the error is that of the attempt before', async () => {
  const { sandbox, failure } = await start({ requestTimeoutMs: 60_000 });
  sandbox.script({ action: status(503) }, { times: ALWAYS, action: { kind: 'hang' } });
  expect(await failure({ ...READ, endsAt: within(500) })).toMatchObject({ status: 503 });
});

test('a single attempt that its call cuts short says how long it had', async () => {
  const { sandbox, failure } = await start({ requestTimeoutMs: 60_000 });
  sandbox.script({ times: ALWAYS, action: { kind: 'hang' } });
  const error = await failure({ ...READ, endsAt: within(400) });
  expect(error.failure).toBe('timed_out');
  expect(error.message).toMatch(/^Fini did not answer within 0\.\d{1,3} s\.$/);
});

test('a write that its call cuts short stays in doubt, though Fini refused it before', async () => {
  const { sandbox, failure } = await start({ requestTimeoutMs: 60_000 });
  sandbox.script({ action: status(429) }, { times: ALWAYS, action: { kind: 'hang' } });
  const error = await failure({ ...CRAWL, endsAt: within(500) });
  expect(error).toMatchObject({ failure: 'timed_out', surelyNotCarriedOut: false });
});

test('after the end of its call nothing is sent', async () => {
  const { sandbox, failure } = await start();
  const error = await failure({ ...READ, endsAt: performance.now() - 1 });
  expect(error).toMatchObject({ failure: 'not_sent', surelyNotCarriedOut: true });
  expect(sandbox.requests).toHaveLength(0);
});

test('a Retry-After beyond the end of the call ends it at once', async () => {
  const { sandbox, failure } = await start();
  sandbox.script({ times: ALWAYS, action: status(503, { 'retry-after': '20' }) });
  const startedAt = performance.now();
  const error = await failure({ ...READ, endsAt: within(15_000) });
  expect(error).toMatchObject({ status: 503, retryAfterSeconds: 20 });
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  expect(sandbox.requests).toHaveLength(1);
});

test('a Retry-After before the end of the call is kept to, beyond the time of an attempt', async () => {
  const { sandbox, send } = await start({ requestTimeoutMs: 500 });
  await send(READ);
  sandbox.script({ action: status(429, { 'retry-after': '1' }) });
  const pauses: Pause[] = [];
  const onPause = (pause: Pause) => pauses.push(pause);
  await send({ ...READ, endsAt: within(30_000), onPause });
  const [, refused, answered] = sandbox.requests.map(({ at }) => at);
  expect((answered ?? 0) - (refused ?? 0)).toBeGreaterThanOrEqual(990);
  expect(pauses).toEqual([{ reason: 'limit', seconds: 1 }]);
});

test('a Retry-After of 0 is no reason to ask again and again without a pause', async () => {
  const { sandbox, failure } = await start({ retryDelayMs: 50 });
  sandbox.script({ times: ALWAYS, action: status(429, { 'retry-after': '0' }) });
  await failure({ ...READ, endsAt: within(500) });
  expect(sandbox.requests.length).toBeLessThan(8);
});

test.each<[string, Fault['action']]>([
  ['a login page', { kind: 'html' }],
  ['a cut-off answer', { kind: 'cut' }],
])('%s every time does not hold a call until its end', async (_name, action) => {
  const { sandbox, failure } = await start();
  sandbox.script({ times: ALWAYS, action });
  const error = await failure({ ...READ, endsAt: within(60_000) });
  expect(error.failure).toBe('unreadable');
  expect(sandbox.requests).toHaveLength(4);
});

test('a host without a server does not hold a call until its end', async () => {
  const { sandbox, failure } = await start();
  await sandbox.close();
  const error = await failure({ ...READ, endsAt: within(60_000) });
  expect(error.failure).toBe('unreachable');
});

test('a write that Fini refused for its limit is sent again, one in doubt is not', async () => {
  const { sandbox, send, failure } = await start();
  sandbox.script({ times: 5, action: status(429) });
  await expect(send({ ...CRAWL, endsAt: within(30_000) })).resolves.toHaveProperty('data');
  sandbox.requests.length = 0;
  sandbox.script({ action: status(502) });
  expect(await failure({ ...CRAWL, endsAt: within(30_000) })).toMatchObject({ status: 502 });
  expect(sandbox.requests).toHaveLength(1);
});

test('what is cancelled in the pause before a retry was not carried out', async () => {
  const { sandbox, failure } = await start();
  sandbox.script({ times: ALWAYS, action: status(429, { 'retry-after': '20' }) });
  const cancel = new AbortController();
  const { signal } = cancel;
  const onPause = () => setImmediate(() => cancel.abort());
  const error = await failure({ ...CRAWL, signal, onPause, endsAt: within(30_000) });
  expect(error).toMatchObject({ status: 429, surelyNotCarriedOut: true });
  expect(sandbox.requests).toHaveLength(1);
});

test('every attempt counts for the budget, retries included', async () => {
  const { sandbox, failure } = await start({ budget: new Budget(3) });
  sandbox.script({ times: ALWAYS, action: status(502) });
  const error = await failure({ ...READ, endsAt: within(30_000) });
  // The budget leaves no time for a fourth attempt; the error must be Fini's, which says more.
  expect(error).toMatchObject({ status: 502 });
  expect(sandbox.requests).toHaveLength(3);
  expect(await failure({ ...READ, endsAt: within(30_000) })).toMatchObject({
    ...{ failure: 'not_sent', retryAfterSeconds: 60 },
  });
  expect(sandbox.requests).toHaveLength(3);
});

test('without an end, a request waits for its turn no longer than an attempt may take', async () => {
  const { sandbox, send, failure } = await start({ budget: new Budget(1) });
  await send(READ);
  expect(await failure(READ)).toMatchObject({ failure: 'not_sent' });
  expect(sandbox.requests).toHaveLength(1);
});

test('what is cancelled while it waits for its turn was not carried out', async () => {
  const { sandbox, send, failure } = await start({ budget: new Budget(1, 20_000) });
  await send(READ);
  const cancel = new AbortController();
  const { signal } = cancel;
  const onPause = () => setImmediate(() => cancel.abort(new Error('enough')));
  const error = await failure({ ...CRAWL, signal, onPause, endsAt: within(30_000) });
  expect(error).toMatchObject({ failure: 'not_sent', message: 'enough' });
  expect(sandbox.requests).toHaveLength(1);
});

test('a 429 holds back the other requests of the key too', async () => {
  const { sandbox, send } = await start({ budget: new Budget(90) });
  sandbox.script({ action: status(429, { 'retry-after': '1' }) });
  const first = send({ ...READ, endsAt: within(30_000) });
  await eventually(() => expect(sandbox.requests[0]?.status).toBe(429));
  await sleep(50);
  await send({ ...CRAWL, endsAt: within(30_000) });
  await first;
  const [refused, ...later] = sandbox.requests.map(({ at }) => at);
  expect(later).toHaveLength(2);
  for (const at of later) expect(at - (refused ?? 0)).toBeGreaterThanOrEqual(990);
});

test('whatever is called at once, a sandbox that counts never refuses any of it', async () => {
  const limit = 20;
  const { sandbox, send } = await start(
    { budget: new Budget(limit, 60_000) },
    { requestsPerMinute: limit },
  );
  const all = Array.from({ length: 60 }, (_, index) =>
    send({ ...READ, priority: index % 2 ? 'poll' : 'call', endsAt: within(2_000) }).catch(
      (error: unknown) => error,
    ),
  );
  const answers = await Promise.all(all);
  expect(answers.filter((answer) => !(answer instanceof FiniError))).toHaveLength(limit);
  expect(sandbox.requests.map(({ status }) => status)).toEqual(Array(limit).fill(200));
});
