import { afterEach, expect, test } from 'vitest';
import type { Batch } from '../../src/engine/batches.ts';
import { Generation } from '../../src/engine/drafts.ts';
import { Ingestion } from '../../src/engine/ingest.ts';
import { Memory } from '../../src/engine/memory.ts';
import { createFiniClient } from '../../src/fini/client.ts';
import { Connections } from '../../src/fini/connections.ts';
import { Deadline } from '../../src/fini/deadline.ts';
import { createHttp } from '../../src/fini/http.ts';
import type { SandboxOptions } from '../../src/sandbox/sandbox-server.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import { eventually, Stops, startQuickSandbox } from '../harness.ts';

/* Handles that calls return for what they queued, and what later calls find under them. */

const stops = new Stops();
afterEach(() => stops.run());

const page = (name: string) => `https://d.example/${name}`;

async function start(options: SandboxOptions = {}) {
  const sandbox = stops.use(await startQuickSandbox({ folders: true, ...options }));
  const { url: baseUrl, apiKey } = sandbox;
  const connections = new Connections(baseUrl);
  stops.add(() => connections.destroy());
  const http = createHttp({
    baseUrl,
    apiKey,
    connections,
    requestTimeoutMs: 10_000,
    retryDelayMs: 1,
  });
  const fini = createFiniClient(http);
  const memory = new Memory(new MemoryStore());
  const ingestion = new Ingestion(fini, 10, memory);
  const generation = new Generation(fini, 10, memory);
  const within = (milliseconds: number) => ({
    deadline: Deadline.after(milliseconds / 1000, new AbortController().signal),
    onProgress: () => undefined,
  });
  const find = async (handle: string | null): Promise<Batch> => {
    const batch = handle === null ? null : await memory.batches.find(handle);
    if (batch === null) throw new Error(`no batch ${handle}`);
    return batch;
  };
  return { sandbox, memory, ingestion, generation, within, find };
}

const requestFor = (urls: readonly string[]) => ({
  source: 'web' as const,
  documentIdsToAdd: urls,
  documentIdsToRefresh: [],
  english: true,
  baser: false,
});

test('a wait that ran out goes on under its handle, with the inputs as they were given', async () => {
  const { sandbox, ingestion, within, find } = await start({
    workingMs: 600,
    parallelJobs: 9,
    jobs: ({ url }) => (url === page('c') ? { drop: true } : undefined),
  });
  sandbox.addDocument({});
  const inputs = ['a', 'b', 'c'].map(page);
  const first = await ingestion.ingestAndWait(requestFor(inputs), within(150));
  expect(first.outcome).toBe('timed_out');
  const batch = await find(first.batch);
  const ids = inputs.slice(0, 2).map((url) => {
    return sandbox.documents().find(({ originalUrl }) => originalUrl === url)?.id;
  });
  expect(batch).toMatchObject({ kind: 'sources', inputs, queuedAfter: first.queuedAfter });
  expect(batch.ids.toSorted()).toEqual(ids.toSorted());
  const later = await ingestion.waitForBatch(batch, within(10_000));
  expect(later.batch).toBe(first.batch);
  expect(later.sources.map(({ input, id, state }) => [input, id, state])).toEqual([
    [page('a'), ids[0], 'completed'],
    [page('b'), ids[1], 'completed'],
  ]);
  expect(later.unqueued).toEqual([page('c')]);
});

test('what ingest queues without waiting is named once its records show their pages', async () => {
  const { ingestion, within, find } = await start();
  const inputs = ['a', 'b'].map(page);
  const { deadline } = within(10_000);
  const queued = await ingestion.ingest(requestFor(inputs), deadline);
  const batch = await find(queued.batch);
  expect(batch).toMatchObject({ inputs, idOf: {} });
  const report = await ingestion.waitForBatch(batch, within(10_000));
  expect(report.sources.map(({ input, state }) => [input, state])).toEqual([
    [page('a'), 'completed'],
    [page('b'), 'completed'],
  ]);
  const idOf = Object.fromEntries(report.sources.map(({ input, id }) => [input, id]));
  expect((await find(queued.batch)).idOf).toEqual(idOf);
});

test('only the jobs of a batch count as completed in it, and never the ones before', async () => {
  const { sandbox, ingestion, within, find } = await start({
    jobs: ({ url }) => {
      if (url === page('b')) return { status: 'FAILED', error: 'HTTP 500' };
      return url === page('old') ? { workingMs: 60_000 } : undefined;
    },
  });
  const old = sandbox.addDocument({ originalUrl: page('old') });
  const other = sandbox.addDocument({ originalUrl: page('other') });
  const { deadline } = within(10_000);
  const refreshed = await ingestion.refresh([old.id], deadline);
  const states = await ingestion.statesOf(await find(refreshed.batch), deadline);
  expect(states).toEqual({ completed: [], failed: [], unfinished: [old.id], gone: [], unseen: [] });
  const report = await ingestion.ingestAndWait(requestFor([page('a'), page('b')]), within(10_000));
  const { completed, failed } = await ingestion.statesOf(await find(report.batch), deadline);
  const idOf = (url: string) => report.sources.find(({ input }) => input === url)?.id;
  expect([completed, failed]).toEqual([[idOf(page('a'))], [idOf(page('b'))]]);
  expect(completed).not.toContain(other.id);
});

test('joined jobs are in the batch of the call that joined them; held inputs are not', async () => {
  const { sandbox, ingestion, within, find } = await start({ workingMs: 600 });
  const first = await ingestion.ingestAndWait(requestFor([page('a')]), within(100));
  sandbox.script({ method: 'POST', action: { kind: 'reset', when: 'before' } });
  const lost = ingestion.ingestAndWait(requestFor([page('b')]), within(5_000));
  await expect(lost).rejects.toMatchObject({ stage: 'maybe_queued', batch: null });
  const second = await ingestion.ingestAndWait(requestFor([page('a'), page('b')]), within(10_000));
  expect(second.held).toEqual([page('b')]);
  expect(second.batch).not.toBe(first.batch);
  const { inputs, ids } = await find(second.batch);
  expect([inputs, ids]).toEqual([[page('a')], (await find(first.batch)).ids]);
});

test('a generation has a batch, from whose sources the next call joins the jobs', async () => {
  const { sandbox, generation, within, find } = await start({
    knowledgeJobs: () => ({ workingMs: 500 }),
  });
  const documentIds = [sandbox.addDocument({}).id, sandbox.addDocument({}).id];
  const first = await generation.generate({ documentIds }, within(100));
  expect(first.outcome).toBe('timed_out');
  const batch = await find(first.batch);
  expect(batch).toMatchObject({ kind: 'drafts', inputs: documentIds });
  const again = { documentIds: batch.inputs };
  const { counts, sources } = await generation.generate(again, within(10_000));
  expect(counts.drafted).toBe(2);
  expect(sources.every(({ joined }) => joined)).toBe(true);
});

test('a report says that it ended early only where that is why something is unfinished', async () => {
  const { ingestion, within } = await start({ workingMs: 300 });
  const request = requestFor([page('a')]);
  const cut = await ingestion.ingestAndWait(request, { ...within(100), askedSeconds: 1_800 });
  expect(cut.endedEarly).toEqual({ waitedSeconds: 0, askedSeconds: 1_800 });
  const whole = await ingestion.ingestAndWait(request, { ...within(9_000), askedSeconds: 1_800 });
  expect([whole.outcome, whole.endedEarly]).toEqual(['completed', null]);
  const uncut = await ingestion.ingestAndWait(request, within(50));
  expect(uncut.endedEarly).toBeNull();
});

test('a handle is short, is found in any case, and is unknown to another key', async () => {
  const { memory, ingestion, within } = await start();
  const { deadline } = within(10_000);
  const { batch } = await ingestion.ingest(requestFor([page('a')]), deadline);
  expect(batch).toMatch(/^b[A-Z0-9]{5}$/);
  expect((await memory.batches.find(batch.toLowerCase()))?.handle).toBe(batch);
  expect(await new Memory(new MemoryStore()).batches.find(batch)).toBeNull();
  expect(await memory.batches.find('bAAAAA')).toBeNull();
});

test('a store forgets the oldest first, and what has expired', async () => {
  const store = new MemoryStore();
  const shelf = store.shelf<string>();
  await shelf.put([['brief', 'x']], 1);
  await eventually(async () => expect([...(await shelf.get(['brief']))]).toEqual([]));
  const long = 'x'.repeat(1_500_000);
  for (const key of ['a', 'b', 'c']) await shelf.put([[key, long]], 60_000);
  expect([...(await shelf.get(['a', 'b', 'c'])).keys()]).toEqual(['b', 'c']);
  expect(store.characters).toBeLessThanOrEqual(4_000_000);
});
