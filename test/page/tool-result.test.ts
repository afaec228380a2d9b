import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { afterCall, chosenRows, countsOf, generateCall, headlineOf } from '../../src/page/table.ts';
import { type Outcome, readResult } from '../../src/page/tool-result.ts';
import type { SandboxOptions } from '../../src/sandbox/sandbox-server.ts';
import { type Harness, Stops, startHarness } from '../harness.ts';

/* What the page reads of the server's own results, and what it knows after calls of its own. */

const stops = new Stops();
afterEach(() => stops.run());

async function start(options: SandboxOptions = {}): Promise<Harness> {
  return stops.use(await startHarness({ folders: true, parallelJobs: 2_000, ...options }));
}

async function outcomeOf({ client }: Harness, name: string, input: object): Promise<Outcome> {
  const outcome = readResult(await client.callTool({ name, arguments: { ...input } }));
  if (outcome === undefined) throw new Error('The result has nothing for the table.');
  return outcome;
}

const urls = (count: number) =>
  Array.from({ length: count }, (_, index) => `https://many.example/page-${index}`);
const QUICK = { pendingMs: 1, workingMs: 1 };

test('of a dry run a person reads what was found, and the model what to call', async () => {
  const input = {
    links: ['https://help.larkspur.example'],
    include: ['/billing/**'],
    dryRun: true,
  };
  const { message, nextSteps } = await outcomeOf(await start(), 'ingest_site', input);
  expect(message).toBe(
    '38 pages found, 10 selected (28 match no include glob). Nothing is queued yet.',
  );
  expect(nextSteps).toMatch(/^To ingest all of these, call ingest_site again without dryRun\./);
});

test('every page of a report is one row, and the counts are those of the report', async () => {
  const harness = await start({
    jobs: ({ url }) => ({ ...QUICK, ...(url?.endsWith('0') && { error: 'No usable content' }) }),
  });
  for (const count of [10, 1_000]) {
    const outcome = await outcomeOf(harness, 'ingest_and_wait', { documentIdsToAdd: urls(count) });
    expect(countsOf(outcome)).toEqual({ completed: count * 0.9, failed: count / 10 });
    expect(outcome.unlisted).toEqual({});
    expect(outcome.rows.map(({ url }) => url).sort()).toEqual(urls(count).sort());
    for (const row of outcome.rows.filter(({ state }) => state === 'failed')) {
      expect(row).toMatchObject({ reason: 'No usable content', hint: expect.any(String) });
    }
    expect(headlineOf(outcome)).toBe(
      `${count * 0.9} of ${count.toLocaleString('en-US')} pages completed`,
    );
  }
});

test('what a report cannot list is counted', async () => {
  const harness = await start({ jobs: () => QUICK });
  const documentIdsToAdd = urls(1_200).map((url) => `${url}?${'x'.repeat(60)}`);
  const outcome = await outcomeOf(harness, 'ingest_and_wait', { documentIdsToAdd });
  expect(countsOf(outcome)).toEqual({ completed: 1_200 });
  expect(outcome.rows.length).toBeLessThan(1_200);
  expect(generateCall(outcome)).toBe(null);
});

test('a thousand pages that still run are waited for to the end, each once', async () => {
  let isSlow = true;
  const harness = await start({
    jobs: () => ({ ...QUICK, workingMs: isSlow ? 1_500 : 1 }),
  });
  const input = { documentIdsToAdd: urls(1_000), timeoutSeconds: 1 };
  const before = await outcomeOf(harness, 'ingest_and_wait', input);
  isSlow = false;
  expect(countsOf(before)).toEqual({ unfinished: 1_000 });
  let now = before;
  while (now.offers.wait[0] !== undefined) {
    const [wait] = now.offers.wait;
    const result = await outcomeOf(harness, wait.tool, wait.input);
    now = afterCall(now, wait, result);
  }
  expect(countsOf(now)).toEqual({ completed: 1_000 });
  expect(now.rows.map(({ url }) => url).sort()).toEqual(urls(1_000).sort());
});

test('generating drafts from what an import completed keeps what it was', async () => {
  const harness = await start({
    jobs: ({ url }) => ({ ...QUICK, ...(url?.endsWith('-0') && { error: 'Timeout' }) }),
    knowledgeJobs: ({ url }) => (url?.endsWith('-1') ? { hcArticleId: null } : { ...QUICK }),
  });
  const before = await outcomeOf(harness, 'ingest_and_wait', { documentIdsToAdd: urls(4) });
  const call = generateCall(before);
  if (call === null) throw new Error('There is nothing to generate from.');
  const now = afterCall(before, call, await outcomeOf(harness, call.tool, call.input));
  expect(countsOf(now)).toEqual({ failed: 1, nothing_made: 1, drafted: 2 });
  expect(headlineOf(now)).toBe('3 of 4 pages completed, 2 drafted');
  expect(now.rows.map(({ url }) => url)).toEqual(before.rows.map(({ url }) => url));
  expect(generateCall(now)).toBe(null);
  // What failed before can still be tried again.
  expect(now.offers.retry).toEqual(before.offers.retry);
  expect(now.offers.retry).toHaveLength(1);
});

test('what was never ingested is not offered as another try', async () => {
  const harness = await start();
  const { id } = harness.sandbox.addDocument({
    // Of a kind that only refresh_sources takes, as another try would.
    ...{ source: 'wiki', originalUrl: null, linkedJobId: null, linkedJobStatus: null },
    ...{ success: null, paragraphs: [] },
  });
  const outcome = await outcomeOf(harness, 'wait_for_sources', { ids: [id] });
  expect(countsOf(outcome)).toEqual({ unqueued: 1 });
  expect(outcome.nextSteps).toContain(`refresh_sources with {"documentIds":["${id}"]}`);
  expect(outcome.offers.retry).toEqual([]);
});

test('a page with a URL that is too long to be shown stays one row when it is tried again', async () => {
  let isDown = true;
  const harness = await start({
    jobs: () => ({ ...QUICK, ...(isDown && { error: 'Timeout' }) }),
  });
  const { id } = harness.sandbox.addDocument({
    ...{ originalUrl: `https://a.example/${'x'.repeat(3_000)}`, success: false, error: 'Timeout' },
    paragraphs: [],
  });
  const before = await outcomeOf(harness, 'wait_for_sources', { ids: [id] });
  const [retry] = before.offers.retry;
  if (retry === undefined) throw new Error('There is nothing to try again.');
  isDown = false;
  const now = afterCall(before, retry, await outcomeOf(harness, retry.tool, retry.input));
  expect(now.rows.map((row) => [row.id, row.state])).toEqual([[id, 'completed']]);
});

test.each(['constructor', '__proto__', 'toString'])('a job may be %s', (jobStatus) => {
  const sources = [{ status: 'unfinished', id: 'x', jobStatus }];
  const outcome = readResult({ structuredContent: { counts: { unfinished: 1 }, sources } });
  expect(outcome?.rows).toMatchObject([{ reason: jobStatus }]);
});

test('anything at all is read without a fault', () => {
  const scrap = fc.object({
    key: fc.constantFrom(
      'outcome',
      'counts',
      'sources',
      'report',
      'urls',
      'message',
      'toAdd',
      'hints',
      'unqueued',
      'drafted',
      'nextSteps',
    ),
  });
  fc.assert(
    fc.property(scrap, (structuredContent) => {
      const outcome = readResult({ structuredContent });
      if (outcome === undefined) return;
      expect(headlineOf(outcome)).toEqual(expect.any(String));
      chosenRows(outcome.rows, { state: null, search: 'a', sorting: { column: 'page', up: true } });
    }),
  );
  for (const result of [undefined, null, 1, [], {}, { structuredContent: [] }]) {
    expect(readResult(result)).toBe(undefined);
  }
});
