import { describe, expect, test } from 'vitest';
import { stateOf } from '../../src/engine/job-states.ts';
import type { Report, ReportedSource } from '../../src/engine/source-report.ts';
import { documentSchema } from '../../src/fini/documents.ts';
import { type ReportOutput, reportOutput, reportText } from '../../src/tools/report.ts';

const MAXIMUM_BYTES = 64_000;

const idOf = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
/** A URL of some 60 characters, as they are in help centres. */
const urlOf = (index: number) =>
  `https://help.company.example/en/articles/${1_000_000 + index}-title`.padEnd(60, '-x');

const MAY_PASS = { linkedJobStatus: 'FAILED', error: 'Failed to fetch page: HTTP 502 Bad Gateway' };
const MISSING = { linkedJobStatus: 'FAILED', error: 'Failed to fetch page: HTTP 404 Not Found' };
const LOGIN = { linkedJobStatus: 'FAILED', error: 'Page requires authentication' };
const COMPLETED = { linkedJobStatus: 'COMPLETED', success: true };
const LONG_AGO = '2026-01-01T00:00:00.000Z';
const RUNNING = { linkedJobStatus: 'IN_PROGRESS' };

const SEEN = { fresh: true, gone: false, neverQueued: false };

/** A source of a report, by its record's fields. */
function source(index: number, fields: object): ReportedSource {
  const document = documentSchema.parse({
    id: idOf(index),
    originalUrl: urlOf(index),
    title: `The title of article ${index}, which says what it is about`,
    source: 'web',
    english: true,
    paragraphs: ['Text'],
    linkedJobId: idOf(index + 500_000),
    ...fields,
  });
  const state = stateOf(document);
  const { id, originalUrl: input } = document;
  return { id, document, state, input, joined: false, ignored: [], ...SEEN };
}

/** The report of so many sources, whose records are these in turn. */
function reportOf(count: number, fieldsOf: (index: number) => object, more: Partial<Report> = {}) {
  const sources = Array.from({ length: count }, (_, index) => source(index, fieldsOf(index)));
  const { unqueued = [] } = more;
  const counted = (state: string) => sources.filter((one) => one.state === state).length;
  const counts = {
    submitted: count + unqueued.length,
    completed: counted('completed'),
    failed: counted('failed'),
    unfinished: counted('unfinished'),
    unqueued: unqueued.length,
  };
  const report: Report = {
    outcome: counts.unfinished > 0 ? 'timed_out' : 'partial',
    counts,
    sources,
    unqueued,
    held: [],
    heldSeconds: 0,
    neverIngested: [],
    unqueuedIsGuess: false,
    elapsedSeconds: 42,
    queuedAfter: Date.UTC(2026, 0, 1),
    trouble: null,
    endedEarly: null,
    batch: null,
    ...more,
  };
  // As a client gets it.
  const output: ReportOutput = JSON.parse(
    JSON.stringify(reportOutput(report, { canCall: () => true })),
  );
  return { output, text: reportText(output) };
}

/** The inputs of the calls of a tool that next steps propose. */
function callsOf(tool: string, { nextSteps }: ReportOutput): Record<string, string[]>[] {
  const found = [...nextSteps.matchAll(new RegExp(`${tool} with (\\{.*?\\})[.,]`, 'g'))];
  return found.map(([, json = '']) => JSON.parse(json));
}

function expectToFit({ output, text }: ReturnType<typeof reportOf>): void {
  expect(Buffer.byteLength(JSON.stringify(output))).toBeLessThan(MAXIMUM_BYTES);
  expect(Buffer.byteLength(text)).toBeLessThan(MAXIMUM_BYTES);
}

/** Expects every source in both, or counted among those left out. */
function expectAllAccountedFor({ output, text }: ReturnType<typeof reportOf>): void {
  const { counts, sources, completed = [], unqueued, omitted = {} } = output;
  const failed = sources.filter(({ status }) => status === 'failed');
  expect(failed.length + (omitted.failed ?? 0)).toBe(counts.failed);
  expect(completed.length + (omitted.completed ?? 0)).toBe(counts.completed);
  expect(unqueued.length + (omitted.unqueued ?? 0)).toBe(counts.unqueued);
  const named = failed.map(({ originalUrl, id }) => originalUrl ?? id ?? '');
  for (const name of [...named, ...completed, ...unqueued]) expect(text).toContain(`- ${name}`);
  for (const left of Object.values(omitted)) expect(output.nextSteps).toContain(`${left}`);
  expect(text).toContain(output.nextSteps);
}

describe('a report of 1,000 pages', () => {
  test('that all completed names each by its URL', () => {
    const short = (index: number) => ({ ...COMPLETED, originalUrl: urlOf(index).slice(0, 52) });
    const report = reportOf(1_000, short);
    expectToFit(report);
    expectAllAccountedFor(report);
    expect(report.output.completed).toHaveLength(1_000);
    expect(report.output.omitted).toBeUndefined();
  });

  test('with 250 failures tells every failure, why and what to do, each hint once', () => {
    const kinds = [MAY_PASS, MISSING, LOGIN, MAY_PASS];
    const report = reportOf(1_000, (index) =>
      index % 4 === 0 ? (kinds[(index / 4) % 4] ?? {}) : COMPLETED,
    );
    expectToFit(report);
    expectAllAccountedFor(report);
    const { output, text } = report;
    const { hints = [], sources, completed = [] } = output;
    expect(sources.map(({ originalUrl }) => originalUrl)).toEqual(
      Array.from({ length: 250 }, (_, index) => urlOf(index * 4)),
    );
    expect(hints.map(({ count }) => count).toSorted()).toEqual([125, 62, 63].toSorted());
    for (const { error } of sources) {
      const shared = hints.find((one) => one.error === error);
      expect(shared?.hint).toMatch(/\S/);
      expect(text.split(shared?.hint ?? '')).toHaveLength(2);
    }
    expect(completed.length).toBeGreaterThan(200);
    expect(output.nextSteps).toMatch(
      /Too many to list here: \d+ completed\. To see them, most recently changed first, call list_sources with \{"status":"completed","limit":100\}/,
    );
    const [again] = callsOf('ingest_and_wait', output);
    expect(again?.documentIdsToRefresh).toEqual(
      sources.filter(({ error }) => error === MAY_PASS.error).map(({ originalUrl }) => originalUrl),
    );
  });

  test('that all still run names each by its ID, in a call that can be pasted', () => {
    const report = reportOf(1_000, () => RUNNING);
    expectToFit(report);
    expectAllAccountedFor(report);
    const [next] = callsOf('wait_for_sources', report.output);
    expect(next).toEqual({
      ids: Array.from({ length: 1_000 }, (_, index) => idOf(index)),
      queuedAfter: '2026-01-01T00:00:00.000Z',
    });
    expect(report.output.omitted).toBeUndefined();
  });

  test('with some of each', () => {
    const kinds = [RUNNING, COMPLETED, MAY_PASS, MISSING];
    const report = reportOf(1_000, (index) => kinds[index % 4] ?? {});
    expectToFit(report);
    expectAllAccountedFor(report);
    const [next] = callsOf('wait_for_sources', report.output);
    expect(next?.ids).toHaveLength(250);
  });
});

describe('a report that does not fit however short', () => {
  test.each<[what: string, fields: (index: number) => object, more: Partial<Report>]>([
    ['failures', () => MAY_PASS, {}],
    [
      'failures with long errors, all different',
      (i) => ({ ...MAY_PASS, error: `${i} ${'ä'.repeat(390)}` }),
      {},
    ],
    ['long URLs', (i) => ({ ...MAY_PASS, originalUrl: urlOf(i).padEnd(1_990, 'y') }), {}],
    ['sources of a provider', () => ({ ...MAY_PASS, source: 'notion' }), {}],
    ['running jobs', () => RUNNING, {}],
    [
      'jobs that pend for too long',
      () => ({ linkedJobStatus: 'PENDING', updatedAt: LONG_AGO }),
      {},
    ],
    [
      'items that were not queued',
      () => COMPLETED,
      { unqueued: Array.from({ length: 3_000 }, (_, i) => urlOf(i + 9_000)) },
    ],
  ])('of 3,000 with %s stays in bounds and says how many more there are', (_what, fields, more) => {
    const report = reportOf(3_000, fields, more);
    expectToFit(report);
    expectAllAccountedFor(report);
    for (const tool of ['wait_for_sources', 'ingest_and_wait', 'refresh_sources', 'list_sources']) {
      callsOf(tool, report.output);
    }
    expect(report.output.omitted).toBeDefined();
  });
});

test('a page is tried again as it was processed, a source of a provider by its ID', () => {
  const fields = [
    MAY_PASS,
    { ...MAY_PASS, english: false },
    { ...MAY_PASS, english: false, baser: true },
    { ...MAY_PASS, source: 'notion' },
    { ...MAY_PASS, source: 'files' },
  ];
  const { output } = reportOf(fields.length, (index) => fields[index] ?? {});
  expect(callsOf('ingest_and_wait', output)).toEqual([
    { documentIdsToRefresh: [urlOf(0)] },
    { documentIdsToRefresh: [urlOf(1)], english: false },
    { documentIdsToRefresh: [urlOf(2)], english: false, baser: true },
  ]);
  expect(callsOf('refresh_sources', output)).toEqual([{ documentIds: [idOf(3)] }]);
});

test('what nobody sees in a URL is escaped where a call is proposed, which still parses', () => {
  const originalUrl = 'https://help.example/\u202e\u{e0001}b';
  const { output, text } = reportOf(1, () => ({ ...MAY_PASS, originalUrl }));
  expect(text).not.toMatch(/\p{Cf}/u);
  expect(callsOf('ingest_and_wait', output)).toEqual([
    { documentIdsToRefresh: [new URL(originalUrl).href] },
  ]);
});

describe('a source that shows nothing yet', () => {
  test('is only in the call that waits for it, and counted there', () => {
    const blank: ReportedSource = {
      ...source(1, RUNNING),
      document: null,
      input: null,
      fresh: false,
    };
    const sources = [source(0, RUNNING), blank, { ...blank, id: idOf(2), input: idOf(2) }];
    const counts = { submitted: 3, completed: 0, failed: 0, unfinished: 3, unqueued: 0 };
    const { output, text } = reportOf(0, () => ({}), { sources, counts, outcome: 'timed_out' });
    expect(output.sources.map(({ id }) => id)).toEqual([idOf(0)]);
    expect(callsOf('wait_for_sources', output)).toMatchObject([
      { ids: [idOf(0), idOf(1), idOf(2)] },
    ]);
    expect(output.nextSteps).toMatch(/2 of them .*named only here/);
    expect(text).not.toMatch(/not started/);
  });

  test('is shown by its URL where the input is known', () => {
    const young: ReportedSource = { ...source(1, RUNNING), document: null, fresh: false };
    const counts = { submitted: 1, completed: 0, failed: 0, unfinished: 1, unqueued: 0 };
    const { output, text } = reportOf(0, () => ({}), { sources: [young], counts });
    expect(output.sources).toMatchObject([{ id: idOf(1), input: urlOf(1) }]);
    expect(text).toContain(urlOf(1));
  });
});

test('one line says how many of the failed can succeed on another try, and how', () => {
  const { output } = reportOf(4, (index) => (index === 1 ? MAY_PASS : MISSING));
  expect(output.nextSteps).toContain(
    'Each failed source has a hint. 1 of the 4 can succeed on another try; once its cause is fixed, call ingest_and_wait with {"documentIdsToRefresh":["',
  );
});

test('the first line of the text leaves out what there is none of', () => {
  const first = (fields: object) => reportOf(1, () => fields).text.split('\n')[0];
  expect(first(COMPLETED)).toBe('partial: 1 of 1 completed, in 42 s.');
  expect(first(MISSING)).toBe('partial: 0 of 1 completed, 1 failed, in 42 s.');
});
