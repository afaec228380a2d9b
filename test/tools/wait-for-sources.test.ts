import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, ingestRequests, startHarness } from '../harness.ts';
import { nextCall } from '../next-calls.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    jobs: ({ url }) => (url?.includes('never') ? { never: true } : undefined),
  });
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

const wait = (input: object) => harness.call('wait_for_sources', { timeoutSeconds: 60, ...input });

test('jobs that were queued before are waited for, and nothing is queued', async () => {
  const documentIdsToAdd = ['https://a.example/1', 'https://a.example/2'];
  const queued = await harness.call('ingest_sources', { documentIdsToAdd });
  const queuedIds = queued.structured.sources.map(({ id }: { id: string }) => id);
  const { isError, structured, text } = await wait({ ids: queuedIds });
  expect(isError).toBe(false);
  expect(structured.outcome).toBe('completed');
  expect(structured.counts).toMatchObject({ submitted: 2, completed: 2 });
  const ids = structured.sources.map(({ id }: { id: string }) => id);
  expect(ids).toEqual(queuedIds);
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

test('sources are reported in the order in which their IDs were passed', async () => {
  const ids = Array.from({ length: 5 }, () => harness.sandbox.addDocument({}).id).toReversed();
  const { structured } = await wait({ ids });
  expect(structured.sources.map(({ id }: { id: string }) => id)).toEqual(ids);
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

test('a queuedAfter in the future is refused before any request, with the time it is', async () => {
  const { id } = harness.sandbox.addDocument({});
  const before = harness.sandbox.requests.length;
  const queuedAfter = new Date(Date.now() + 20 * 60_000).toISOString();
  const { isError, text } = await wait({ ids: [id], queuedAfter });
  expect(isError).toBe(true);
  expect(text).toContain(`queuedAfter: "${queuedAfter}" is in the future (it is now 2`);
  expect(harness.sandbox.requests).toHaveLength(before);
});

test.concurrent('a job that pends for more than a quarter of an hour is sent to Fini’s support', async () => {
  const document = harness.sandbox.addDocument({
    linkedJobStatus: 'PENDING',
    updatedAt: new Date(Date.now() - 16 * 60_000).toISOString(),
  });
  const { structured, nextCalls } = await wait({ ids: [document.id], timeoutSeconds: 1 });
  expect(structured).toMatchObject({
    outcome: 'timed_out',
    hints: [{ hint: 'pending_too_long', advice: expect.stringMatching(/contact Fini support/) }],
    sources: [{ id: document.id, hint: 'pending_too_long', jobId: document.linkedJobId }],
  });
  // Waiting longer would not help.
  expect(structured.message).toContain(
    'Waiting longer will not help 1 job, pending for more than 15 minutes: contact Fini support with its jobId.',
  );
  const listed = { batch: structured.batch, status: 'running', limit: 100 };
  expect(nextCalls).toMatchObject([{ tool: 'list_sources', arguments: listed }]);
});

test.concurrent('beside a job that pends for too long, only the others are waited for', async () => {
  const stuck = harness.sandbox.addDocument({
    linkedJobStatus: 'PENDING',
    updatedAt: new Date(Date.now() - 16 * 60_000).toISOString(),
  });
  const running = harness.sandbox.addDocument({ linkedJobStatus: 'IN_PROGRESS', success: null });
  const answer = await wait({ ids: [stuck.id, running.id], timeoutSeconds: 1 });
  expect(answer.structured.counts.unfinished).toBe(2);
  expect(nextCall(answer, 'wait_for_sources')).toEqual({ ids: [running.id] });
});

test.concurrent('a status that nobody knows is unfinished and said', async () => {
  const { id } = harness.sandbox.addDocument({ linkedJobStatus: 'ARCHIVED' });
  const { structured } = await wait({ ids: [id], timeoutSeconds: 1 });
  expect(structured.sources).toMatchObject([
    { status: 'unfinished', jobStatus: 'ARCHIVED', hint: 'unknown_status' },
  ]);
});

describe('a source that was never ingested', () => {
  const NEVER = { linkedJobStatus: null, linkedJobId: null, success: null, error: null };

  const originalUrl = 'https://a.example/never-ingested';
  test.each<[source: string, hint: string, call: (id: string) => object | undefined]>([
    ['notion', 'never_ingested', (id) => ({ source: 'notion', documentIdsToAdd: [id] })],
    ['web', 'never_ingested', () => ({ documentIdsToAdd: [originalUrl] })],
    ['files', 'raw_file', () => undefined],
  ])(
    'of the kind %s is not waited for: the call that ingests it comes next',
    async (source, hint, call) => {
      const { id } = harness.sandbox.addDocument({ ...NEVER, source, originalUrl });
      const { structured, nextCalls } = await wait({ ids: [id] });
      expect(structured.elapsedSeconds).toBeLessThan(5);
      expect(structured).toMatchObject({
        outcome: 'failed',
        counts: { submitted: 1, unfinished: 0, unqueued: 1 },
        sources: [{ status: 'unqueued', id, originalUrl, hint }],
      });
      const input = call(id);
      expect(nextCalls).toMatchObject(
        input === undefined ? [] : [{ tool: 'ingest_and_wait', arguments: input }],
      );
    },
  );

  test('does not keep the others from being waited for', async () => {
    const { call, sandbox } = harness;
    const queued = await call('ingest_sources', { documentIdsToAdd: ['https://a.example/other'] });
    const [{ id: other }] = queued.structured.sources;
    const { id } = sandbox.addDocument({ ...NEVER, source: 'zendesk' });
    const { structured } = await wait({ ids: [id, other] });
    expect(structured).toMatchObject({
      outcome: 'partial',
      counts: { submitted: 2, completed: 1, unqueued: 1 },
      sources: [{ id: other }, { id, status: 'unqueued' }],
    });
  });

  test.each<[what: string, queuedHere: boolean]>([
    ['this process has queued', true],
    ['queuedAfter says was queued', false],
  ])('is waited for where %s it', async (_what, queuedHere) => {
    const { call, sandbox } = harness;
    const { id } = sandbox.addDocument({ ...NEVER, source: 'notion' });
    const asItWas = { ...sandbox.documents().find((one) => one.id === id) };
    if (queuedHere) await call('refresh_sources', { documentIds: [id] });
    const rewrite = () => asItWas;
    sandbox.script({ path: new RegExp(id), times: 100, action: { kind: 'rewrite', rewrite } });
    const since = queuedHere ? {} : { queuedAfter: '2026-01-01T00:00:00.000Z' };
    const { structured } = await wait({ ids: [id], timeoutSeconds: 1, ...since });
    expect(structured).toMatchObject({ outcome: 'timed_out', counts: { unfinished: 1 } });
  });
});

test('a key that is refused before anything was read leaves nothing to say but that', async () => {
  const { sandbox } = harness;
  const ids = [sandbox.addDocument({}).id, sandbox.addDocument({}).id];
  const action = { kind: 'status', status: 401 } as const;
  sandbox.script({ method: 'GET', times: 10, action });
  const queuedAfter = '2026-01-01T00:00:00.000Z';
  const { isError, text, nextCalls } = await wait({ ids, queuedAfter });
  expect(isError).toBe(true);
  expect(text).toMatch(/^Nothing could be read of 2 sources/);
  expect(text).not.toMatch(/jobs continue/);
  const [again] = nextCalls;
  expect(again).toMatchObject({
    tool: 'wait_for_sources',
    arguments: { batch: expect.any(String) },
  });
  sandbox.clearFaults();
  const waited = await wait({ ...again?.arguments, timeoutSeconds: 1 });
  expect(waited.structured.sources.map(({ id }: { id: string }) => id)).toEqual(ids);
});
