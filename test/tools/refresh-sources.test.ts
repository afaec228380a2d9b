import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Harness, startHarness } from '../harness.ts';
import { nextCall } from '../next-calls.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ lingerMs: 300 });
});
afterAll(() => harness.close());

test.each(['refresh_sources', 'ingest_sources'])(
  'after %s a wait does not take the old result for the new one',
  async (tool) => {
    const { call, sandbox } = harness;
    const url = `https://docs.example.com/${tool}`;
    const first = await call('ingest_and_wait', { documentIdsToAdd: [url] });
    const [{ id }] = first.structured.sources;
    const jobOf = () => sandbox.documents().find((document) => document.id === id)?.linkedJobId;
    const before = jobOf();
    const input =
      tool === 'refresh_sources' ? { documentIds: [id] } : { documentIdsToRefresh: [url] };
    const queued = await call(tool, input);
    const waited = await call('wait_for_sources', nextCall(queued, 'wait_for_sources'));
    expect(waited.structured.sources).toMatchObject([{ id, status: 'completed' }]);
    expect(jobOf()).not.toBe(before);
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

test('each source is a row, in the order of the inputs, also one that was not queued', async () => {
  const { call, sandbox } = harness;
  const [one, left, another] = [1, 2, 3].map(() => sandbox.addDocument({}).id);
  const rewrite = () => [another, one];
  sandbox.script({ method: 'POST', action: { kind: 'rewrite', rewrite } });
  const { structured } = await call('refresh_sources', { documentIds: [one, left, another] });
  expect(structured.message).toMatch(
    /^2 sources queued, not done\. Fini returned 2 IDs for 3 items/,
  );
  expect(structured.sources).toEqual([
    { status: 'queued', id: one },
    { status: 'unqueued', id: left },
    { status: 'queued', id: another },
  ]);
});

test('IDs are checked before any request, and each is queued once', async () => {
  const { call, sandbox } = harness;
  const before = sandbox.requests.length;
  const refused = await call('refresh_sources', { documentIds: ['https://a.example/', 'OPS'] });
  expect(refused.text).toMatch(/\[0\] "https:\/\/a\.example\/".*\n.*\[1\] "ops"/i);
  expect(sandbox.requests).toHaveLength(before);
  const { id } = sandbox.addDocument({});
  const { structured } = await call('refresh_sources', { documentIds: [id, id.toUpperCase()] });
  expect(structured.sources).toEqual([{ status: 'queued', id }]);
});
