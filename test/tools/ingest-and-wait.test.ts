import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { siteOrigin } from '../../src/sandbox/content.ts';
import { type Harness, ingestRequests, startHarness } from '../harness.ts';
import { nextCall } from '../next-calls.ts';
import { expectFitToShow, HOSTILE } from './showing.ts';

const hostileError = `${HOSTILE}${'x'.repeat(398)}😀${'x'.repeat(10_000)}`;

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    jobs: ({ url }) => {
      if (url?.includes('slow')) return { workingMs: 1_300 };
      if (url?.includes('dropped')) return { drop: true };
      if (url?.includes('hostile')) return { status: 'FAILED', error: hostileError };
      return undefined;
    },
  });
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

const ingest = (...documentIdsToAdd: string[]) =>
  harness.call('ingest_and_wait', { documentIdsToAdd, timeoutSeconds: 60 });

test('a page that is ingested is reported as completed, not yet live, and the text says so', async () => {
  const url = `${siteOrigin}/billing/refunds`;
  const { isError, structured, text } = await ingest(url);
  const [document] = harness.sandbox.documents().filter(({ originalUrl }) => originalUrl === url);
  expect(isError).toBe(false);
  expect(structured).toEqual({
    message: expect.stringMatching(/^completed: 1 of 1 completed, in .*not yet live.*Knowledge/),
    outcome: 'completed',
    counts: { submitted: 1, completed: 1, failed: 0, unfinished: 0, unqueued: 0 },
    sources: [
      {
        id: document?.id,
        title: document?.title,
        originalUrl: url,
        status: 'completed',
        paragraphCount: document?.paragraphs.length,
      },
    ],
    elapsedSeconds: expect.any(Number),
    batch: structured.batch,
    nextCalls: [
      {
        tool: 'generate_knowledge',
        arguments: { batch: structured.batch },
        why: 'Generate draft articles from 1 completed source',
      },
    ],
  });
  expect(text).toContain(structured.message);
});

test.each([
  ['a login', '/account/rewards', /requires authentication/, 'needs_login'],
  ['robots.txt', '/business/partner-prices', /robots\.txt/, 'robots_forbidden'],
  ['a content type', '/bikes/manuals-2026.zip', /application\/zip/, 'unsupported_type'],
  ['no text', '/getting-started/bike-finder', /No usable content/, 'no_content'],
])('a page that fails for %s is an error with a hint', async (_what, path, error, hint) => {
  const { isError, structured, text } = await ingest(`${siteOrigin}${path}`);
  expect(isError).toBe(true);
  expect(structured).toMatchObject({
    outcome: 'failed',
    counts: { submitted: 1, failed: 1 },
    hints: [{ hint, advice: expect.any(String), count: 1 }],
    sources: [{ status: 'failed', error: expect.stringMatching(error), hint }],
  });
  expect(text).toContain(structured.sources[0].error);
  expect(text).toContain(structured.hints[0].advice);
});

test('a mixed call accounts for every item once', async () => {
  const items = ['/billing', '/safety', '/account/rewards'].map((path) => `${siteOrigin}${path}`);
  const { isError, structured, text } = await ingest(...items, 'https://a.example/dropped');
  expect(isError).toBe(false);
  expect(structured.outcome).toBe('partial');
  expect(structured.counts).toEqual({
    submitted: 4,
    completed: 2,
    failed: 1,
    unfinished: 0,
    unqueued: 1,
  });
  expect(structured.sources).toMatchObject([
    ...items.map((originalUrl) => ({ originalUrl })),
    { status: 'unqueued', input: 'https://a.example/dropped', hint: 'no_id' },
  ]);
  expect(text).toMatch(/Unqueued \(1\): Fini returned no ID.*\n- https:\/\/a\.example\/dropped/);
});

test('a wait that runs out is no error and says how to go on, which works', async () => {
  const before = ingestRequests(harness.sandbox).length;
  const input = { documentIdsToAdd: ['https://a.example/slow'], timeoutSeconds: 1 };
  const answer = await harness.call('ingest_and_wait', input);
  const { isError, structured } = answer;
  expect(isError).toBe(false);
  expect(structured.outcome).toBe('timed_out');
  expect(structured.sources).toMatchObject([{ status: 'unfinished', jobStatus: 'IN_PROGRESS' }]);
  const next = nextCall(answer, 'wait_for_sources');
  expect(next).toEqual({ batch: structured.batch });
  const waited = await harness.call('wait_for_sources', next);
  expect(waited.structured.outcome).toBe('completed');
  expect(ingestRequests(harness.sandbox)).toHaveLength(before + 1);
});

test('a source that does not exist queues nothing and says so', async () => {
  const { isError, text } = await harness.call('ingest_and_wait', {
    source: 'notion',
    documentIdsToAdd: ['3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51'],
  });
  expect(isError).toBe(true);
  expect(text).toMatch(/^Nothing was queued\..*Document does not exist/);
});

test('hostile errors and titles come out in bounds', async () => {
  const answer = await ingest('https://a.example/hostile');
  expect(answer.structured.counts).toMatchObject({ failed: 1 });
  expect(answer.structured.sources[0].error).toMatch(/^A \[31m B C/);
  expectFitToShow(answer, 4_000);
});

test('spellings of one page are one input, and a trailing slash makes another page', async () => {
  const page = 'https://a.example/billing';
  const documentIdsToAdd = [page, `${page}/`, `${page}#refunds`, 'HTTPS://A.example:443/billing'];
  const { structured } = await harness.call('ingest_and_wait', { documentIdsToAdd });
  expect(structured.counts).toMatchObject({ submitted: 2, completed: 2 });
});
