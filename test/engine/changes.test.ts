import type { Progress } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, describe, expect, test } from 'vitest';
import type { SandboxOptions } from '../../src/sandbox/sandbox-server.ts';
import { eventually, type Harness, jobOf, Stops, startHarness } from '../harness.ts';
import type { ScriptedSandbox } from '../scripted-sandbox.ts';

/* Costs of a look and a wait, in workspaces of any size and with any number of waits at once. */

const stops = new Stops();
afterEach(() => stops.run());

async function start(
  options: SandboxOptions = {},
  environment: Record<string, string> = {},
): Promise<Harness> {
  return stops.use(await startHarness(options, environment));
}

const page = (name: string | number) => `https://d.example/${name}`;

/** Number of requests before the first one that queues. */
function requestsBeforeQueueing({ requests }: ScriptedSandbox): number {
  const isQueueing = ({ method, path }: ScriptedSandbox['requests'][number]) =>
    method === 'POST' && /^\/v2\/documents\/public(\/refresh)?$/.test(path);
  return requests.findIndex(isQueueing);
}

describe('in a workspace whose 10,000 sources have just changed', () => {
  const KNOWN = 10_000;

  async function startBusy(): Promise<Harness> {
    const harness = await start({ lingerMs: 150, parallelJobs: 100 });
    const now = Date.now();
    for (let index = 0; index < KNOWN; index += 1) {
      // The changes span the last five minutes, up to now.
      const updatedAt = new Date(now - (KNOWN - index) * 30).toISOString();
      const originalUrl = page(index);
      harness.sandbox.addDocument({ originalUrl, updatedAt, createdAt: updatedAt });
    }
    await harness.call('get_source', { id: '00000000-0000-4000-8000-000000000000' });
    harness.sandbox.requests.length = 0;
    return harness;
  }

  /** Refreshes twenty sources a second, as another process would. */
  function refreshOthers({ sandbox }: Harness): void {
    const others = sandbox.documents().slice(5_000);
    let next = 0;
    const timer = setInterval(() => {
      const other = others[next];
      next += 1;
      if (other === undefined) return;
      const updatedAt = new Date().toISOString();
      sandbox.addDocument({ ...other, linkedJobId: `other-${next}`, updatedAt });
    }, 50);
    stops.add(() => clearInterval(timer));
  }

  const oldest = Array.from({ length: 30 }, (_, index) => page(index));
  const fresh = Array.from({ length: 30 }, (_, index) => page(`new/${index}`));

  test.each<[what: string, input: Record<string, unknown>]>([
    ['one new page', { documentIdsToAdd: fresh.slice(0, 1) }],
    ['thirty new pages', { documentIdsToAdd: fresh }],
    ['one page that it has', { documentIdsToAdd: oldest.slice(0, 1) }],
    ['thirty pages that it has', { documentIdsToRefresh: oldest }],
  ])(
    '%s: queued after eight requests at most, and never done before its job is',
    async (_, input) => {
      for (const isCalm of [true, false]) {
        const harness = await startBusy();
        const { call, sandbox } = harness;
        if (!isCalm) refreshOthers(harness);
        const before = new Map(sandbox.documents().map(({ id, linkedJobId }) => [id, linkedJobId]));
        const { structured } = await call('ingest_and_wait', { ...input, timeoutSeconds: 60 });
        expect(structured.outcome).toBe('completed');
        expect(requestsBeforeQueueing(sandbox)).toBeLessThanOrEqual(8);
        for (const { id } of structured.sources) {
          expect(jobOf(sandbox, id)).toBeTypeOf('string');
          expect(jobOf(sandbox, id)).not.toBe(before.get(id));
        }
      }
    },
  );

  test('a source to refresh: the same, though it is touched before its job starts', async () => {
    const harness = await startBusy();
    const { call, sandbox } = harness;
    const [old] = sandbox.documents();
    if (old === undefined) throw new Error('there is no source');
    const queued = await call('refresh_sources', { documentIds: [old.id] });
    expect(requestsBeforeQueueing(sandbox)).toBeLessThanOrEqual(8);
    sandbox.addDocument({ ...old, updatedAt: new Date().toISOString() });
    const { queuedAfter } = queued.structured;
    const input = { ids: [old.id], ...(queuedAfter && { queuedAfter }) };
    const { structured } = await call('wait_for_sources', input);
    expect(structured.outcome).toBe('completed');
    expect(sandbox.documents()[0]?.linkedJobId).not.toBe(old.linkedJobId);
  });

  test('seven sources to refresh are looked up by themselves, also where the list hides them', async () => {
    const harness = await startBusy();
    const { call, sandbox } = harness;
    const old = sandbox.documents().slice(0, 7);
    const documentIds = old.map(({ id }) => id);
    const queued = await call('refresh_sources', { documentIds });
    expect(requestsBeforeQueueing(sandbox)).toBeLessThanOrEqual(8);
    for (const one of old) sandbox.addDocument({ ...one, updatedAt: new Date().toISOString() });
    const { queuedAfter } = queued.structured;
    const { structured } = await call('wait_for_sources', { ids: documentIds, queuedAfter });
    expect(structured.counts).toMatchObject({ submitted: 7, completed: 7 });
    const jobs = new Set(old.map(({ linkedJobId }) => linkedJobId));
    for (const id of documentIds) expect(jobs.has(jobOf(sandbox, id) ?? null)).toBe(false);
  });
});

test('a wait is looked at on time, however many others begin meanwhile', async () => {
  const { call, sandbox } = await start(
    { pendingMs: 0, workingMs: 60_000, parallelJobs: 1_000 },
    { FINI_POLL_INTERVAL_MS: '200' },
  );
  const cancel = new AbortController();
  const calls: Promise<unknown>[] = [];
  const begin = (name: string, onprogress: (progress: Progress) => void = () => undefined) => {
    const input = { documentIdsToAdd: [1, 2, 3].map((number) => page(`${name}/${number}`)) };
    const options = { signal: cancel.signal, onprogress };
    calls.push(call('ingest_and_wait', input, options).catch(() => undefined));
  };
  let newcomers = 0;
  let seenAfter: number | undefined;
  begin('first', ({ message = '' }) => {
    if (message.includes('in progress')) seenAfter ??= newcomers;
  });
  await eventually(() => expect(sandbox.documents()).toHaveLength(3));
  const timer = setInterval(() => {
    newcomers += 1;
    begin(`newcomer-${newcomers}`);
  }, 50);
  stops.add(() => clearInterval(timer));
  await eventually(() => expect(newcomers).toBeGreaterThan(20));
  clearInterval(timer);
  expect(seenAfter).toBeLessThan(20);
  cancel.abort();
  await Promise.all(calls);
});

test('while nothing changes, pauses grow to ten times the polling interval, and no further', async () => {
  const { call, sandbox } = await start({}, { FINI_POLL_INTERVAL_MS: '10' });
  const running = { linkedJobStatus: 'IN_PROGRESS', success: null };
  const { id } = sandbox.addDocument({ originalUrl: page('a'), ...running });
  const cancel = new AbortController();
  const waiting = call('wait_for_sources', { ids: [id] }, { signal: cancel.signal });
  // Growing takes eleven rounds. Without an end, the 24th pause would be 200 times the interval.
  await eventually(() => expect(sandbox.requests.length).toBeGreaterThan(24));
  cancel.abort();
  await waiting.catch(() => undefined);
  const times = sandbox.requests.map(({ at }) => at);
  const pauses = times.map((at, index) => at - (times[index - 1] ?? at));
  // A busy machine makes pauses longer, never shorter, so the shortest of the last ones counts.
  const shortest = Math.min(...pauses.slice(-4));
  expect(shortest).toBeGreaterThan(80);
  expect(shortest).toBeLessThan(500);
});

test('wait_for_sources looks at once, however long the polling interval is', async () => {
  const { call, sandbox } = await start({}, { FINI_POLL_INTERVAL_MS: '60000' });
  const documentIdsToAdd = [1, 2, 3].map(page);
  const { structured } = await call('ingest_sources', { documentIdsToAdd });
  await eventually(() => {
    for (const { linkedJobStatus } of sandbox.documents())
      expect(linkedJobStatus).toBe('COMPLETED');
  });
  const ids = structured.sources.map(({ id }: { id: string }) => id);
  for (const since of [{}, { queuedAfter: new Date(0).toISOString() }]) {
    const waited = await call('wait_for_sources', { ids, ...since, timeoutSeconds: 30 });
    expect(waited.structured.outcome).toBe('completed');
  }
});

test('a call that waits for a source that another one has seen hears of it too', async () => {
  const { call, sandbox } = await start({ workingMs: 60_000, parallelJobs: 1_000 });
  const documentIdsToAdd = [1, 2, 3, 4].map(page);
  const cancel = new AbortController();
  const first = call('ingest_and_wait', { documentIdsToAdd }, { signal: cancel.signal });
  await eventually(() => expect(sandbox.requests.length).toBeGreaterThan(4));
  const ids = sandbox.documents().map(({ id }) => id);
  const { structured } = await call('wait_for_sources', { ids, timeoutSeconds: 1 });
  expect(structured.sources).toHaveLength(4);
  for (const { jobStatus } of structured.sources) expect(jobStatus).toBeDefined();
  cancel.abort();
  await first.catch(() => undefined);
});

describe('a look before queueing', () => {
  test('that Fini leaves hanging once, or fails, is made again within the time of the call', async () => {
    const { call, sandbox } = await start({}, { FINI_REQUEST_TIMEOUT_MS: '300' });
    await call('list_sources');
    sandbox.script(
      { method: 'GET', action: { kind: 'hang' } },
      { method: 'GET', times: 5, action: { kind: 'status', status: 502 } },
    );
    const { structured } = await call('ingest_and_wait', { documentIdsToAdd: [page('a')] });
    expect(structured.outcome).toBe('completed');
  });

  test('for which Fini asks for patience is made when that is over, and progress says so', async () => {
    const { call, sandbox } = await start();
    const headers = { 'retry-after': '1' };
    sandbox.script({ method: 'GET', action: { kind: 'status', status: 429, headers } });
    const messages: string[] = [];
    const onprogress = ({ message = '' }: Progress) => messages.push(message);
    const input = { documentIdsToAdd: [page('a')] };
    const { structured } = await call('ingest_and_wait', input, { onprogress });
    expect(structured.outcome).toBe('completed');
    expect(messages).toContain('Fini allows 100 requests a minute; continuing in 1 s');
  });

  test('for which Fini asks for more patience than the call has ends it at once', async () => {
    const { call, sandbox } = await start();
    const headers = { 'retry-after': '20' };
    sandbox.script({ method: 'GET', action: { kind: 'status', status: 429, headers } });
    const input = { documentIdsToAdd: [page('a')], timeoutSeconds: 2 };
    const { isError, text } = await call('ingest_and_wait', input);
    expect(isError).toBe(true);
    expect(text).toMatch(/^Nothing was queued\..*Call again in 20 s/);
    expect(sandbox.requests).toHaveLength(1);
  });
});

describe('where a knowledge job rewrites the job of a source', () => {
  test('before a refresh: its end is not taken for that of the refresh', async () => {
    const { call, sandbox } = await start({ lingerMs: 200 });
    const { id } = sandbox.addDocument({ originalUrl: page('a'), linkedJobId: 'knowledge-job' });
    const { structured } = await call('ingest_and_wait', { documentIdsToRefresh: [page('a')] });
    expect(structured.outcome).toBe('completed');
    expect(structured.sources).toMatchObject([{ id, status: 'completed' }]);
    expect(jobOf(sandbox, id)).not.toBe('knowledge-job');
  });

  test('after the refresh has ended: the source is still reported as completed', async () => {
    const { call, sandbox } = await start({}, { FINI_POLL_INTERVAL_MS: '300' });
    const old = sandbox.addDocument({ originalUrl: page('a') });
    const given = call('ingest_and_wait', { documentIdsToRefresh: [page('a')] });
    const current = () => sandbox.documents().find(({ id }) => id === old.id) ?? old;
    const rewrite = (linkedJobStatus: string) => {
      const updatedAt = new Date().toISOString();
      const linkedJobId = 'knowledge-job';
      sandbox.addDocument({ ...current(), linkedJobId, linkedJobStatus, updatedAt });
    };
    await eventually(() => {
      const { linkedJobId, linkedJobStatus } = current();
      expect(linkedJobId).not.toBe(old.linkedJobId);
      expect(linkedJobStatus).toBe('COMPLETED');
    });
    rewrite('IN_PROGRESS');
    const requests = sandbox.requests.length;
    await eventually(() => expect(sandbox.requests.length).toBeGreaterThan(requests));
    rewrite('COMPLETED');
    expect((await given).structured).toMatchObject({ outcome: 'completed' });
  });
});

describe('waits that share their polls', () => {
  const running = { linkedJobStatus: 'IN_PROGRESS', success: null };

  test('one is told of its end though the answer for another does not come', async () => {
    const { call, sandbox } = await start(
      {},
      { FINI_REQUEST_TIMEOUT_MS: '60000', FINI_POLL_INTERVAL_MS: '300' },
    );
    const ended = sandbox.addDocument({ originalUrl: page('a'), ...running });
    const other = sandbox.addDocument({ originalUrl: page('b'), ...running });
    const cancel = new AbortController();
    const hanging = call('wait_for_sources', { ids: [other.id] }, { signal: cancel.signal });
    const given = call('wait_for_sources', { ids: [ended.id] });
    const looksAt = ({ id }: { id: string }) =>
      sandbox.requests.filter(({ path }) => path.endsWith(id)).length;
    await eventually(() => {
      expect(looksAt(ended)).toBeGreaterThan(0);
      expect(looksAt(other)).toBeGreaterThan(1);
    });
    const path = new RegExp(other.id);
    sandbox.script({ method: 'GET', path, times: 9, action: { kind: 'hang' } });
    const updatedAt = new Date().toISOString();
    sandbox.addDocument({ ...ended, linkedJobStatus: 'COMPLETED', success: true, updatedAt });
    expect((await given).structured.outcome).toBe('completed');
    cancel.abort();
    await hanging.catch(() => undefined);
  });

  test('an ID of another workspace ends the wait for it, and no other', async () => {
    const { call, sandbox } = await start();
    const ids = [1, 2, 3, 4].map(
      (name) => sandbox.addDocument({ originalUrl: page(name), ...running }).id,
    );
    const foreign = '00000000-0000-4000-8000-000000000000';
    const path = new RegExp(foreign);
    const action = { kind: 'status', status: 403 } as const;
    sandbox.script({ method: 'GET', path, times: Number.POSITIVE_INFINITY, action });
    const given = call('wait_for_sources', { ids, timeoutSeconds: 2 });
    await eventually(() => expect(sandbox.requests.length).toBeGreaterThan(2));
    // The answer is so slow that the two calls' next polls overlap.
    const slow = { kind: 'slow', milliseconds: 400 } as const;
    sandbox.script({ method: 'GET', path: /\?/, times: 3, action: slow });
    const { isError, text } = await call('wait_for_sources', { ids: [foreign] });
    expect(isError).toBe(true);
    expect(text).toContain('403');
    const { structured } = await given;
    expect(structured).toMatchObject({ outcome: 'timed_out', counts: { unfinished: 4 } });
  });
});

test('a wait for a thousand old sources does not hold up one for three', async () => {
  const { call, sandbox } = await start();
  for (let index = 0; index < 1_500; index += 1) {
    const updatedAt = new Date(Date.now() - (1_500 - index) * 60_000).toISOString();
    sandbox.addDocument({ originalUrl: page(index), updatedAt });
  }
  const old = sandbox.documents().map(({ id }) => id);
  const many = new Set(old.slice(0, 1_000));
  const cancel = new AbortController();
  const other = call('wait_for_sources', { ids: [...many] }, { signal: cancel.signal });
  await eventually(() => expect(sandbox.requests.length).toBeGreaterThan(5));
  const { structured } = await call('wait_for_sources', { ids: old.slice(1_010, 1_013) });
  expect(structured.outcome).toBe('completed');
  const read = sandbox.requests.filter(({ path }) => many.has(path.split('/').at(-1) ?? ''));
  expect(read.length).toBeLessThan(500);
  cancel.abort();
  await other.catch(() => undefined);
});

test('ends between two polls are found, also below more changes than a poll reads', async () => {
  const { call, sandbox } = await start(
    { jobs: () => ({ never: true }), parallelJobs: 100 },
    { FINI_POLL_INTERVAL_MS: '100' },
  );
  for (let index = 0; index < 3_000; index += 1) {
    const updatedAt = new Date(Date.now() - (3_000 - index) * 60_000).toISOString();
    sandbox.addDocument({ originalUrl: page(`old/${index}`), updatedAt });
  }
  const old = sandbox.documents();
  const documentIdsToAdd = Array.from({ length: 20 }, (_, index) => page(index));
  const messages: string[] = [];
  const onprogress = ({ message = '' }: Progress) => messages.push(message);
  const given = call('ingest_and_wait', { documentIdsToAdd }, { onprogress });
  await eventually(() => expect(messages.join()).toContain('20 in progress'));
  const requests = sandbox.requests.length;
  const ended = { linkedJobStatus: 'COMPLETED', success: true };
  for (const document of sandbox.documents().slice(old.length)) {
    sandbox.addDocument({ ...document, ...ended, updatedAt: new Date().toISOString() });
  }
  const updatedAt = new Date(Date.now() + 5).toISOString();
  for (const document of old) sandbox.addDocument({ ...document, updatedAt });
  expect((await given).structured.counts).toMatchObject({ submitted: 20, completed: 20 });
  expect(sandbox.requests.length - requests).toBeLessThan(60);
});

test('jobs that ended before the call, and below what it reads of the list, are read by ID', async () => {
  const { call, sandbox } = await start({ parallelJobs: 100 });
  for (let index = 0; index < 1_500; index += 1) {
    const updatedAt = new Date(Date.now() - (1_500 - index) * 100).toISOString();
    sandbox.addDocument({ originalUrl: page(`old/${index}`), updatedAt });
  }
  const old = sandbox.documents();
  const documentIdsToAdd = Array.from({ length: 30 }, (_, index) => page(index));
  const queued = await call('ingest_sources', { documentIdsToAdd });
  await eventually(() => {
    for (const { linkedJobStatus } of sandbox.documents().slice(old.length))
      expect(linkedJobStatus).toBe('COMPLETED');
  });
  const updatedAt = new Date(Date.now() + 5).toISOString();
  for (const document of old) sandbox.addDocument({ ...document, updatedAt });
  const requests = sandbox.requests.length;
  const ids = queued.structured.sources.map(({ id }: { id: string }) => id);
  const waited = await call('wait_for_sources', { ids });
  expect(waited.structured.counts).toMatchObject({ submitted: 30, completed: 30 });
  // By now each page's source is known.
  const { structured } = await call('ingest_and_wait', { documentIdsToAdd });
  expect(structured.counts).toMatchObject({ submitted: 30, completed: 30 });
  expect(sandbox.requests.length - requests).toBeLessThan(140);
});
