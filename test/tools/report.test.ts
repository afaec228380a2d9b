import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { stateOf } from '../../src/engine/job-states.ts';
import type { Report, ReportedSource } from '../../src/engine/source-report.ts';
import { documentSchema } from '../../src/fini/schemas.ts';
import { nextCallsSchema } from '../../src/tools/next-calls.ts';
import type { Queueing } from '../../src/tools/next-steps.ts';
import { listOmitted, reportAnswer, reportShape } from '../../src/tools/report.ts';
import { defineTool, type ToolContext } from '../../src/tools/tool.ts';

const MAXIMUM_BYTES = 64_000;

const idOf = (index: number) => `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
/** A URL of some 60 characters, typical of help centres. */
const urlOf = (index: number) =>
  `https://help.company.example/en/articles/${1_000_000 + index}-title`.padEnd(60, '-x');

const MAY_PASS = { linkedJobStatus: 'FAILED', error: 'Failed to fetch page: HTTP 502 Bad Gateway' };
const MISSING = { linkedJobStatus: 'FAILED', error: 'Failed to fetch page: HTTP 404 Not Found' };
const LOGIN = { linkedJobStatus: 'FAILED', error: 'Page requires authentication' };
const COMPLETED = { linkedJobStatus: 'COMPLETED', success: true };
const LONG_AGO = '2026-01-01T00:00:00.000Z';
const RUNNING = { linkedJobStatus: 'IN_PROGRESS' };

const SEEN = { fresh: true, gone: false, neverQueued: false };

/** A source in a report, from fields of its record. */
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

/** A report of this many sources, with records from these fields in turn. */
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
    batch: 'b7Q4M2',
    ...more,
  };
  return report;
}

/** A report as a client receives it, from a server that lists all tools. */
async function answerOf(report: Report, queueing: Queueing | null = null) {
  const tool = defineTool({
    name: 'report',
    title: 'Report',
    description: 'Reports.',
    kind: 'reads',
    scope: 'read',
    idempotent: true,
    openWorld: false,
    inputSchema: z.strictObject({}),
    outputSchema: z.object(reportShape),
    lists: { sources: 'by status' },
    handler: async () => reportAnswer(report, { canCall: () => true }, queueing),
    showOmitted: listOmitted,
  });
  const call = tool.read({});
  if ('refusal' in call) throw new Error(call.refusal);
  // The tool uses its context only to ask which tools are listed.
  const { output, text } = await call.run({ canCall: () => true } as unknown as ToolContext);
  const answer: Parsed = parsed.parse(JSON.parse(JSON.stringify(output)));
  return { answer, text };
}

const parsed = z.object({
  ...reportShape,
  message: z.string(),
  omitted: z.record(z.string(), z.int()).optional(),
  nextCalls: nextCallsSchema.default([]),
});
type Parsed = z.output<typeof parsed>;

/** The inputs of all proposed calls of a tool. */
function callsOf(tool: string, { nextCalls }: Parsed): Record<string, unknown>[] {
  return nextCalls.filter((call) => call.tool === tool).map((call) => call.arguments);
}

function expectToFit({ answer, text }: Awaited<ReturnType<typeof answerOf>>): void {
  expect(Buffer.byteLength(JSON.stringify(answer))).toBeLessThan(MAXIMUM_BYTES);
  expect(Buffer.byteLength(text)).toBeLessThan(MAXIMUM_BYTES);
  const { counts, sources, omitted = {} } = answer;
  expect(sources.length + (omitted.sources ?? 0)).toBe(counts.submitted);
}

describe('a report of 1,000 pages', () => {
  test('with 100 failures tells every failure, and each advice once', async () => {
    const kinds = [MAY_PASS, MISSING, LOGIN, MAY_PASS];
    const fields = (index: number) =>
      index % 10 === 0 ? (kinds[(index / 10) % 4] ?? {}) : COMPLETED;
    const whole = await answerOf(reportOf(1_000, fields));
    expectToFit(whole);
    const { answer, text } = whole;
    const failed = answer.sources.filter(({ status }) => status === 'failed');
    expect(failed.map(({ originalUrl }) => originalUrl)).toEqual(
      Array.from({ length: 100 }, (_, index) => urlOf(index * 10)),
    );
    expect(answer.hints).toMatchObject([
      { hint: 'site_failed', count: 50 },
      { hint: 'page_missing', count: 25 },
      { hint: 'needs_login', count: 25 },
    ]);
    for (const { advice } of answer.hints ?? []) expect(text.split(advice)).toHaveLength(2);
    expect(answer.sources.length).toBeGreaterThan(100);
    expect(callsOf('list_sources', answer)).toEqual([
      { batch: 'b7Q4M2', status: 'completed', limit: 100 },
    ]);
    const [again] = callsOf('ingest_and_wait', answer);
    expect(again?.documentIdsToRefresh).toEqual(
      failed.filter(({ hint }) => hint === 'site_failed').map(({ originalUrl }) => originalUrl),
    );
  });

  test('that all still run offers to wait for the batch', async () => {
    const whole = await answerOf(reportOf(1_000, () => RUNNING));
    expectToFit(whole);
    const [next] = whole.answer.nextCalls;
    expect(next).toMatchObject({
      tool: 'wait_for_sources',
      arguments: { batch: 'b7Q4M2' },
      why: 'Wait for 1,000 unfinished sources',
    });
  });
});

test.each<[what: string, fields: (index: number) => object, more: Partial<Report>]>([
  ['failures', () => MAY_PASS, {}],
  [
    'failures with long errors, all different',
    (i) => ({ ...MAY_PASS, error: `${i} ${'ä'.repeat(390)}` }),
    {},
  ],
  ['long URLs', (i) => ({ ...MAY_PASS, originalUrl: urlOf(i).padEnd(1_990, 'y') }), {}],
  ['sources of a provider', () => ({ ...MAY_PASS, source: 'notion' }), {}],
  ['jobs that pend for too long', () => ({ linkedJobStatus: 'PENDING', updatedAt: LONG_AGO }), {}],
  [
    'items that were not queued',
    () => COMPLETED,
    { unqueued: Array.from({ length: 3_000 }, (_, i) => urlOf(i + 9_000)) },
  ],
])('3,000 sources with %s stay in bounds and are counted', async (_what, fields, more) => {
  expectToFit(await answerOf(reportOf(3_000, fields, more)));
});

test('a page is tried again as it was processed, a source of a provider by its ID', async () => {
  const fields = [
    MAY_PASS,
    { ...MAY_PASS, english: false },
    { ...MAY_PASS, english: false, baser: true },
    { ...MAY_PASS, source: 'notion' },
    { ...MAY_PASS, source: 'files' },
  ];
  const { answer } = await answerOf(reportOf(fields.length, (index) => fields[index] ?? {}));
  expect(callsOf('ingest_and_wait', answer)).toEqual([
    { documentIdsToRefresh: [urlOf(0)] },
    { documentIdsToRefresh: [urlOf(1)], english: false },
    { documentIdsToRefresh: [urlOf(2)], english: false, baser: true },
  ]);
  expect(callsOf('refresh_sources', answer)).toEqual([{ documentIds: [idOf(3)] }]);
});

test('what was not queued is queued again as it was passed', async () => {
  const queueing = {
    source: 'web',
    documentIdsToRefresh: [urlOf(8)],
    english: false,
    baser: false,
  };
  const more = { unqueued: [urlOf(7), urlOf(8), urlOf(9)], held: [urlOf(8)], heldSeconds: 40 };
  const { answer } = await answerOf(
    reportOf(0, () => ({}), more),
    queueing as Queueing,
  );
  expect(answer.sources).toMatchObject([
    { status: 'unqueued', input: urlOf(7), hint: 'no_id' },
    { status: 'unqueued', input: urlOf(8), hint: 'maybe_queued' },
    { status: 'unqueued', input: urlOf(9), hint: 'no_id' },
  ]);
  expect(callsOf('ingest_and_wait', answer)).toEqual([
    { english: false, documentIdsToAdd: [urlOf(7), urlOf(9)] },
    { english: false, documentIdsToRefresh: [urlOf(8)] },
  ]);
  expect(answer.message).toContain('1 item may already be queued');
});

test('settings that a joined job did not use are offered once it has ended', async () => {
  const joined: ReportedSource = { ...source(0, COMPLETED), joined: true, ignored: ['english'] };
  const report = reportOf(0, () => ({}), { sources: [joined] });
  const queueing: Queueing = {
    ...{ source: 'web', documentIdsToRefresh: [], english: false, baser: false },
  };
  const { answer } = await answerOf(report, queueing);
  expect(answer.sources).toMatchObject([{ joined: true, ignored: ['english'] }]);
  expect(callsOf('ingest_and_wait', answer)).toEqual([
    { english: false, documentIdsToRefresh: [urlOf(0)] },
  ]);
});

test('what nobody sees in a URL is escaped where a call is proposed', async () => {
  const originalUrl = 'https://help.example/\u202e\u{e0001}b';
  const { answer, text } = await answerOf(reportOf(1, () => ({ ...MAY_PASS, originalUrl })));
  expect(text).not.toMatch(/\p{Cf}/u);
  expect(callsOf('ingest_and_wait', answer)).toEqual([
    { documentIdsToRefresh: [new URL(originalUrl).href] },
  ]);
});

test('a source of which only the ID is known is a row, and shown by its input if that is known', async () => {
  const blank = { ...source(1, RUNNING), document: null, fresh: false };
  const sources = [
    { ...blank, input: null },
    { ...blank, id: idOf(2), input: urlOf(2) },
  ];
  const counts = { submitted: 2, completed: 0, failed: 0, unfinished: 2, unqueued: 0 };
  const report = reportOf(0, () => ({}), { sources, counts, outcome: 'timed_out' });
  const { answer, text } = await answerOf(report);
  expect(answer.sources).toEqual([
    { status: 'unfinished', id: idOf(1) },
    { status: 'unfinished', id: idOf(2), input: urlOf(2) },
  ]);
  expect(text).toContain(`- ${idOf(1)}\n- ${idOf(2)}: input ${urlOf(2)}`);
});

test('a text groups sources by status and hint, and quotes what a page wrote', async () => {
  const title = 'A title\n- https://fake.example: completed';
  const report = reportOf(3, (index) =>
    index === 0 ? { ...COMPLETED, title } : index === 1 ? LOGIN : RUNNING,
  );
  const { text } = await answerOf(report);
  const lines = text.split('\n');
  expect(lines[0]).toMatch(/^timed_out: 1 of 3 completed, 1 failed, 1 unfinished, in 42 s\. /);
  expect(lines[1]).toBe('Next calls:');
  expect(lines.filter((line) => /^[A-Z].*\(\d+\):/.test(line))).toEqual([
    'Failed (1): The page needs a login, which Fini does not have: make it public, or leave it out.',
    'Unfinished (1):',
    'Completed (1):',
  ]);
  expect(text).toContain(
    `- ${urlOf(0)} (${idOf(0)}): "A title - https://fake.example: completed", paragraphCount 1`,
  );
});

test('the message says how many of the failed can succeed on another try', async () => {
  const { answer } = await answerOf(reportOf(4, (index) => (index === 1 ? MAY_PASS : MISSING)));
  expect(answer.message).toBe(
    'partial: 0 of 4 completed, 4 failed, in 42 s. 1 of 4 failed sources can succeed on another try, once the cause is fixed.',
  );
});
