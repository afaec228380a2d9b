import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../harness.ts';
import {
  type FaultAction,
  type ScriptedSandbox,
  startScriptedSandbox,
} from '../scripted-sandbox.ts';

const path = '/v2/documents/public';
let sandbox: ScriptedSandbox;
beforeEach(async () => {
  sandbox = await startScriptedSandbox({ pendingMs: 0, workingMs: 0 });
});
afterEach(() => sandbox.close());

function request(init: RequestInit = {}, target = path): Promise<Response> {
  const headers = { authorization: `Bearer ${sandbox.apiKey}`, 'content-type': 'application/json' };
  return fetch(sandbox.url + target, { headers, redirect: 'manual', ...init });
}

/** Queues one page; the fault decides whether that is carried out. */
function post(signal: AbortSignal | null = null): Promise<Response> {
  const body = JSON.stringify({ documentIdsToAdd: ['https://a.example/page'] });
  return request({ method: 'POST', body, signal });
}

function script(action: FaultAction): void {
  sandbox.script({ action });
}

test('status: the envelope or a given body, with headers', async () => {
  script({ kind: 'status', status: 429, headers: { 'retry-after': '2' } });
  script({ kind: 'status', status: 503, body: null });
  const limited = await post();
  expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '2']);
  expect(await limited.json()).toMatchObject({ statusCode: 429, error: 'Too Many Requests' });
  expect(await (await post()).json()).toBeNull();
  expect(sandbox.documents()).toEqual([]);
  expect(sandbox.requests).toHaveLength(2);
});

test('html and redirect', async () => {
  script({ kind: 'html' });
  script({ kind: 'redirect', location: 'https://login.example/' });
  const page = await request();
  expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html']);
  const redirect = await request();
  expect([redirect.status, redirect.headers.get('location')]).toEqual([
    302,
    'https://login.example/',
  ]);
});

test('cut: carried out, and half of the body', async () => {
  script({ kind: 'cut' });
  const response = await post();
  expect(response.status).toBe(200);
  await expect(response.text()).rejects.toThrow();
  expect(sandbox.documents()).toHaveLength(1);
});

test('reset: before or after carrying out', async () => {
  script({ kind: 'reset', when: 'before' });
  await expect(post()).rejects.toThrow();
  expect(sandbox.documents()).toHaveLength(0);
  script({ kind: 'reset', when: 'after' });
  await expect(post()).rejects.toThrow();
  expect(sandbox.documents()).toHaveLength(1);
});

test.each([false, true])('hang: carried out only on demand (%s)', async (carryOut) => {
  script({ kind: 'hang', carryOut });
  const client = new AbortController();
  const answer = post(client.signal);
  await eventually(() => expect(sandbox.requests).toHaveLength(1));
  await eventually(() => expect(sandbox.documents()).toHaveLength(carryOut ? 1 : 0));
  client.abort();
  await expect(answer).rejects.toThrow();
});

test('slow and drip: the real answer, late or bit by bit', async () => {
  script({ kind: 'slow', milliseconds: 50 });
  const begin = performance.now();
  expect(await (await request()).json()).toEqual({ documents: [], hasMore: false });
  expect(performance.now() - begin).toBeGreaterThan(45);
  script({ kind: 'drip', everyMs: 1 });
  expect(await (await request()).json()).toEqual({ documents: [], hasMore: false });
});

test('big and endless', async () => {
  script({ kind: 'big', bytes: 1_000_000 });
  const text = await (await request()).text();
  expect([text.length, typeof JSON.parse(text)]).toEqual([1_000_000, 'object']);
  script({ kind: 'endless' });
  const { body } = await request();
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > 1_000_000) break;
  }
  expect(bytes).toBeGreaterThan(1_000_000);
});

test('rewrite and run', async () => {
  script({ kind: 'rewrite', rewrite: (body) => [body, null] });
  script({ kind: 'run', run: () => sandbox.addDocument({}) });
  expect(await (await request()).json()).toEqual([{ documents: [], hasMore: false }, null]);
  expect(await (await request()).json()).toMatchObject({ documents: [{}] });
});

test('endlessPaging: made-up pages or the first again', async () => {
  const { id } = sandbox.addDocument({});
  const next = `${path}?cursor=${id}`;
  const made = Array(10).fill({ originalUrl: expect.stringContaining('endless') });
  script({ kind: 'endlessPaging' });
  expect(await (await request({}, path)).json()).toMatchObject({ documents: [{ id }] });
  sandbox.script({ times: Infinity, action: { kind: 'endlessPaging' } });
  expect(await (await request({}, next)).json()).toMatchObject({ documents: made, hasMore: true });
  sandbox.clearFaults();
  script({ kind: 'endlessPaging', pages: 'repeated' });
  expect(await (await request({}, next)).json()).toMatchObject({
    documents: [{ id }],
    hasMore: true,
  });
});

test('a fault matches by method and path, skips requests, and ends', async () => {
  const action: FaultAction = { kind: 'status', status: 500 };
  sandbox.script({ method: 'GET', path: /limit=/, skip: 1, times: 2, action });
  const statuses: number[] = [];
  for (let index = 0; index < 4; index += 1) {
    statuses.push((await request()).status, (await request({}, `${path}?limit=1`)).status);
  }
  expect(statuses).toEqual([200, 200, 200, 500, 200, 500, 200, 200]);
});

test('close ends at once, and leaves no socket or timer behind', async () => {
  sandbox.script({ times: 2, action: { kind: 'hang' } }, { action: { kind: 'drip', everyMs: 1 } });
  const pending = Promise.allSettled([post(), post(), request().then((drip) => drip.text())]);
  while (sandbox.requests.length < 3) await sleep(1);
  expect(sandbox.connections()).toBeGreaterThanOrEqual(3);
  await sandbox.close();
  expect(sandbox.connections()).toBe(0);
  expect((await pending).map(({ status }) => status)).toEqual(Array(3).fill('rejected'));
});
