import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Harness, ingestRequests, startHarness } from '../harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    jobs: ({ url }) => (url?.includes('never') ? { never: true } : undefined),
  });
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

const wait = (input: object) => harness.call('wait_for_sources', { timeoutSeconds: 10, ...input });

test('jobs that were queued before are waited for, and nothing is queued', async () => {
  const documentIdsToAdd = ['https://a.example/1', 'https://a.example/2'];
  const { addedDocumentIds } = (await harness.call('ingest_sources', { documentIdsToAdd }))
    .structured;
  const { isError, structured, text } = await wait({ ids: addedDocumentIds });
  expect(isError).toBe(false);
  expect(structured.outcome).toBe('completed');
  expect(structured.counts).toMatchObject({ submitted: 2, completed: 2 });
  const ids = structured.sources.map(({ id }: { id: string }) => id);
  expect(ids.toSorted()).toEqual(addedDocumentIds.toSorted());
  expect(text).toMatch(/^completed: 2 of 2 completed/);
  expect(ingestRequests(harness.sandbox)).toHaveLength(1);
});

test.each<[what: string, write: (id: string) => string[]]>([
  ['twice', (id) => [id, id, ` ${id} `]],
  ['in capitals', (id) => [id.toUpperCase()]],
  ['in capitals and not', (id) => [id.toUpperCase(), id]],
])('the same ID %s is one source', async (_what, write) => {
  const { id } = harness.sandbox.addDocument({});
  const { structured } = await wait({ ids: write(id), timeoutSeconds: 1 });
  expect(structured.counts).toMatchObject({ submitted: 1, completed: 1 });
  expect(structured.sources).toMatchObject([{ id, status: 'completed' }]);
});

test('IDs that arrive as JSON text are read as the list', async () => {
  const { id } = harness.sandbox.addDocument({});
  expect((await wait({ ids: `["${id}"]` })).structured.outcome).toBe('completed');
});

test('a source that Fini does not have is an error that says so', async () => {
  const { isError, structured } = await wait({ ids: ['3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51'] });
  expect(isError).toBe(true);
  expect(structured).toMatchObject({
    outcome: 'failed',
    counts: { submitted: 1, failed: 1 },
    sources: [{ status: 'failed', error: 'Fini has no source with this ID.' }],
  });
});

test.concurrent('what ended before queuedAfter does not count', async () => {
  const { id } = harness.sandbox.addDocument({});
  const queuedAfter = new Date(Date.now() + 60_000).toISOString();
  const { isError, structured } = await wait({ ids: [id], queuedAfter, timeoutSeconds: 1 });
  expect(isError).toBe(false);
  expect(structured).toMatchObject({
    outcome: 'timed_out',
    sources: [{ id, status: 'unfinished' }],
  });
  expect(structured.sources[0]).not.toHaveProperty('jobStatus');
  expect(structured.sources[0]).not.toHaveProperty('paragraphCount');
});

test.concurrent('a job that pends for more than a quarter of an hour is sent to Fini’s support', async () => {
  const document = harness.sandbox.addDocument({
    linkedJobStatus: 'PENDING',
    updatedAt: new Date(Date.now() - 16 * 60_000).toISOString(),
  });
  const { structured } = await wait({ ids: [document.id], timeoutSeconds: 1 });
  expect(structured.outcome).toBe('timed_out');
  expect(structured.sources[0].hint).toMatch(/contact Fini support/);
  expect(structured.sources[0].hint).toContain(document.linkedJobId);
});

test.concurrent('a status that nobody knows is unfinished and said', async () => {
  const { id } = harness.sandbox.addDocument({ linkedJobStatus: 'ARCHIVED' });
  const { structured } = await wait({ ids: [id], timeoutSeconds: 1 });
  expect(structured.sources).toMatchObject([{ status: 'unfinished', jobStatus: 'ARCHIVED' }]);
  expect(structured.sources[0].hint).toMatch(/does not know/);
});
