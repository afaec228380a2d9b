import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Harness, startHarness } from '../harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ lingerMs: 300 });
});
afterAll(() => harness.close());

/** The input of wait_for_sources as a message gives it. */
function nextInput(message: string, ids: string[]) {
  const queuedAfter = /"queuedAfter":"([^"]+)"/.exec(message)?.[1];
  return { ids, queuedAfter };
}

test.each(['refresh_sources', 'ingest_sources'])(
  'after %s a wait does not take the old result for the new one',
  async (tool) => {
    const { call, sandbox } = harness;
    const url = `https://docs.example.com/${tool}`;
    const first = await call('ingest_and_wait', { documentIdsToAdd: [url] });
    const [{ id, jobId }] = first.structured.sources;
    const input =
      tool === 'refresh_sources' ? { documentIds: [id] } : { documentIdsToRefresh: [url] };
    const queued = await call(tool, input);
    const waited = await call('wait_for_sources', nextInput(queued.structured.message, [id]));
    expect(waited.structured.outcome).toBe('completed');
    expect(waited.structured.sources[0].jobId).not.toBe(jobId);
    expect(sandbox.documents().filter(({ originalUrl }) => originalUrl === url)).toHaveLength(1);
  },
);

test('an unknown ID and a raw file are refused in Fini’s own words', async () => {
  const file = harness.sandbox.addDocument({ source: 'files' });
  for (const id of ['3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51', file.id]) {
    const { isError, text } = await harness.call('refresh_sources', { documentIds: [id] });
    expect(isError).toBe(true);
    expect(text).toMatch(/HTTP 400.*Nothing was carried out/);
    expect(text).not.toMatch(/Fix the input accordingly/);
    expect(text).toMatch(/raw file.*upload it again in the Fini dashboard/);
  }
});

test('that the IDs are in no order is said of several, and not of one', async () => {
  const { call, sandbox } = harness;
  const [one, another] = [sandbox.addDocument({}).id, sandbox.addDocument({}).id];
  const both = await call('refresh_sources', { documentIds: [one, another] });
  expect(both.structured.message).toContain('not in the order of the inputs');
  const single = await call('refresh_sources', { documentIds: [one] });
  expect(single.structured.message).not.toContain('order');
});

test('IDs are checked before any request, and each is queued once', async () => {
  const { call, sandbox } = harness;
  const before = sandbox.requests.length;
  const refused = await call('refresh_sources', { documentIds: ['https://a.example/', 'OPS'] });
  expect(refused.text).toMatch(/\[0\] "https:\/\/a\.example\/".*\n.*\[1\] "ops"/i);
  expect(sandbox.requests).toHaveLength(before);
  const { id } = sandbox.addDocument({});
  const { structured } = await call('refresh_sources', { documentIds: [id, id.toUpperCase()] });
  expect(structured.queuedDocumentIds).toEqual([id]);
});
