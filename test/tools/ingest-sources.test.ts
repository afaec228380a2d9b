import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Harness, ingestRequests, startHarness } from '../harness.ts';
import { nextCall } from '../next-calls.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    jobs: ({ url }) => (url?.includes('dropped') ? { drop: true } : undefined),
  });
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

test('pages are queued and the IDs come back at once, before any job has ended', async () => {
  const documentIdsToAdd = ['https://a.example/1', 'https://a.example/2'];
  const input = { documentIdsToAdd, english: false, baser: true };
  const answer = await harness.call('ingest_sources', input);
  const { structured, text } = answer;
  const ids: string[] = structured.sources.map(({ id }: { id: string }) => id);
  const known = harness.sandbox.documents().map(({ id }) => id);
  expect(ids.toSorted()).toEqual(known.toSorted());
  expect(structured.sources).toEqual(ids.map((id) => ({ status: 'queued', id })));
  expect(nextCall(answer, 'wait_for_sources')).toEqual({ batch: structured.batch });
  expect(structured.message).toContain(
    '2 sources queued, not done. The IDs are not in the order of the inputs.',
  );
  for (const id of ids) expect(text).toContain(id);
  expect(ingestRequests(harness.sandbox)).toEqual([
    { source: 'web', documentIdsToAdd, documentIdsToRefresh: [], english: false, baser: true },
  ]);
  // The only other request checks the newest change, to tell old results from new ones.
  expect(harness.sandbox.requests.map(({ method }) => method)).toEqual(['GET', 'POST']);
});

test('where Fini gives no ID, no call is named that would be refused', async () => {
  const input = { documentIdsToAdd: ['https://a.example/dropped'] };
  const { structured, nextCalls } = await harness.call('ingest_sources', input);
  expect(structured.message).toMatch(/^Nothing is known to be queued.*returned no ID/);
  expect(nextCalls.map(({ tool }) => tool)).toEqual(['list_sources']);
});

test('known pages and source IDs are queued again', async () => {
  const url = 'https://a.example/known';
  const web = harness.sandbox.addDocument({ originalUrl: url });
  const page = harness.sandbox.addDocument({ source: 'notion', externalId: 'n1' });
  const refreshed = await harness.call('ingest_sources', { documentIdsToRefresh: [url] });
  expect(refreshed.structured.sources).toEqual([{ status: 'queued', id: web.id }]);
  const input = { source: 'notion', documentIdsToAdd: [page.id] };
  const added = await harness.call('ingest_sources', input);
  expect(added.structured.sources).toEqual([{ status: 'queued', id: page.id }]);
});

test('fewer IDs than items is said', async () => {
  const documentIdsToAdd = ['https://a.example/3', 'https://a.example/dropped'];
  const { structured } = await harness.call('ingest_sources', { documentIdsToAdd });
  expect(structured.message).toMatch(/Fini returned 1 IDs? for 2 items/);
});

test('the same page twice is one item', async () => {
  const documentIdsToAdd = ['https://a.example/4', 'HTTPS://A.EXAMPLE/4'];
  const { structured } = await harness.call('ingest_sources', { documentIdsToAdd });
  expect(structured.sources).toHaveLength(1);
  expect(structured.message).not.toMatch(/not queued/);
});

test('an ID that Fini does not have is refused in its own words', async () => {
  const { isError, text } = await harness.call('ingest_sources', {
    source: 'zendesk',
    documentIdsToAdd: ['3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51'],
  });
  expect(isError).toBe(true);
  expect(text).toMatch(/HTTP 400.*Document does not exist: 3f2b8c1e.*Nothing was carried out/);
});
