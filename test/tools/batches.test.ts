import { afterEach, describe, expect, test } from 'vitest';
import type { SandboxOptions } from '../../src/sandbox/sandbox-server.ts';
import {
  askSandbox,
  connectClient,
  environmentFor,
  type Harness,
  Stops,
  startFiniOf,
  startHarness,
  startHttp,
  startQuickSandbox,
  type ToolAnswer,
} from '../harness.ts';
import { nextCall } from '../next-calls.ts';

/* Handles of what a call has queued: the tools that return them, take them, and refuse them. */

const stops = new Stops();
afterEach(() => stops.run());

const page = (name: string | number) => `https://b.example/${name}`;
const BULK = /\/knowledge\/public\/bulk$/;
const BATCH = /^b[A-Z0-9]{5}$/;
/** A job that fails and may succeed on another try. */
const failed = { status: 'FAILED', error: 'HTTP 503' } as const;
const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** Starts a server whose jobs for pages under `/slow` outlast a wait of a second. */
async function start(options: SandboxOptions = {}, parts = {}): Promise<Harness> {
  const jobs: SandboxOptions['jobs'] = ({ url }) => {
    if (url?.includes('/slow')) return { workingMs: 2_500 };
    if (url?.includes('/never')) return { never: true };
    return url?.includes('/fails') ? { status: 'FAILED', error: 'HTTP 404' } : undefined;
  };
  const sandbox = { folders: true, parallelJobs: 500, jobs, ...options };
  return stops.use(await startHarness(sandbox, {}, [], parts));
}

const ingest = (harness: Harness, names: readonly (string | number)[], timeoutSeconds = 60) =>
  harness.call('ingest_and_wait', { documentIdsToAdd: names.map(page), timeoutSeconds });

const idsOf = ({ structured }: ToolAnswer): string[] =>
  structured.sources.map(({ id }: { id: string }) => id);
const urlsOf = ({ structured }: ToolAnswer): string[] =>
  structured.sources.map(({ originalUrl }: { originalUrl: string }) => originalUrl);

/** Number of times that each ID occurs in the structured content. */
function idCounts({ structured }: ToolAnswer): number[] {
  const counts = new Map<string, number>();
  for (const [id] of JSON.stringify(structured).matchAll(UUID)) {
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return [...counts.values()];
}

describe('a batch is given by', () => {
  test.each<[tool: string, input: (ids: string[]) => object]>([
    ['ingest_and_wait', () => ({ documentIdsToAdd: [page('a')] })],
    ['ingest_site', () => ({ links: [page('')], limit: 2 })],
    ['import_provider_resources', () => ({ provider: 'notion', all: true })],
    ['ingest_sources', () => ({ documentIdsToAdd: [page('a'), page('b')] })],
    ['refresh_sources', (documentIds) => ({ documentIds })],
    ['generate_knowledge', (documentIds) => ({ documentIds })],
    ['wait_for_sources', (ids) => ({ ids })],
  ])('%s, and its next calls name it in place of IDs', async (tool, input) => {
    const harness = await start();
    const added = [harness.sandbox.addDocument({}).id, harness.sandbox.addDocument({}).id];
    const { structured, nextCalls } = await harness.call(tool, { ...input(added) });
    const { batch } = structured;
    expect(batch).toMatch(BATCH);
    const byBatch = nextCalls.filter(
      ({ tool: next }) => next === 'wait_for_sources' || next === 'generate_knowledge',
    );
    for (const { arguments: next } of byBatch) expect(next).toEqual({ batch });
    expect(tool === 'generate_knowledge' || byBatch.length > 0).toBe(true);
    const listed = await harness.call('list_sources', { batch });
    expect(idsOf(listed).toSorted()).toEqual(idsOf({ structured } as ToolAnswer).toSorted());
  });
});

test('a wait for 250 pages that ran out names each once, and its next call is short', async () => {
  const harness = await start();
  const names = Array.from({ length: 250 }, (_, index) => `never/${index}`);
  const answer = await ingest(harness, names, 8);
  expect(answer.structured).toMatchObject({ outcome: 'timed_out', counts: { unfinished: 250 } });
  const { batch, omitted = { sources: 0 } } = answer.structured;
  expect(answer.structured.sources.length + omitted.sources).toBe(250);
  expect(new Set(urlsOf(answer)).size).toBe(answer.structured.sources.length);
  expect(Math.max(...idCounts(answer))).toBe(1);
  expect(nextCall(answer, 'wait_for_sources')).toEqual({ batch });
  const [wait, rest, ...others] = answer.nextCalls;
  expect([wait?.tool, others]).toEqual(['wait_for_sources', []]);
  if (omitted.sources > 0) {
    const input = { batch, status: 'running', limit: 100 };
    expect(rest).toMatchObject({ tool: 'list_sources', arguments: input });
  }
});

test('a wait goes on under its batch, in input order, and queues nothing', async () => {
  const harness = await start();
  const { structured } = await ingest(harness, ['slow/b', 'a'], 1);
  const posts = () => harness.sandbox.requests.filter(({ method }) => method === 'POST').length;
  const before = posts();
  const waited = await harness.call('wait_for_sources', { batch: structured.batch });
  expect(waited.structured).toMatchObject({ outcome: 'completed', batch: structured.batch });
  expect(urlsOf(waited)).toEqual([page('slow/b'), page('a')]);
  expect(posts()).toBe(before);
});

test('drafts of a batch are made from what has completed in it, and from nothing else', async () => {
  const harness = await start();
  harness.sandbox.addDocument({ originalUrl: page('other') });
  const { structured } = await ingest(harness, ['a', 'fails', 'never'], 1);
  const { batch } = structured;
  const answer = await harness.call('generate_knowledge', { batch });
  expect(urlsOf(answer)).toEqual([page('a')]);
  expect(answer.structured).toMatchObject({ counts: { submitted: 1, drafted: 1 } });
  expect(answer.structured.message).toContain(
    'Left out of the batch: 1 unfinished, 1 not ingested.',
  );
  expect(nextCall(answer, 'wait_for_sources')).toEqual({ batch });
});

test('a batch of which nothing has completed yet queues no drafts, and says how it stands', async () => {
  const harness = await start();
  const { structured } = await ingest(harness, ['never', 'fails'], 1);
  const answer = await harness.call('generate_knowledge', { batch: structured.batch });
  expect(answer.isError).toBe(true);
  expect(answer.text).toMatch(
    /^Nothing was queued, because no source of this batch is known to have completed\. Left out of the batch: 1 unfinished, 1 not ingested\./,
  );
  expect(answer.nextCalls).toMatchObject([
    { tool: 'wait_for_sources', arguments: { batch: structured.batch } },
    { tool: 'list_sources', arguments: { batch: structured.batch, status: 'failed' } },
  ]);
});

test('a batch far down the list is not said to be unfinished, and its sources can be listed', async () => {
  const harness = await start();
  const names = Array.from({ length: 10 }, (_, index) => index);
  const { batch } = (await ingest(harness, names)).structured;
  for (let index = 0; index < 900; index += 1) harness.sandbox.addDocument({});
  const { text, nextCalls } = await harness.call('generate_knowledge', { batch });
  expect(text).toContain(
    'Left out of the batch: 10 not among the newest sources, which are all that was looked at.',
  );
  expect(nextCalls).toMatchObject([{ tool: 'list_sources', arguments: { batch } }]);
  const listed = await harness.call('list_sources', { ...nextCalls[0]?.arguments });
  expect(idsOf(listed)).toHaveLength(10);
});

test('after a partial import every next call names what this call did', async () => {
  const harness = await start({ jobs: ({ url }) => (url?.includes('38500') ? failed : undefined) });
  for (let index = 0; index < 50; index += 1) harness.sandbox.addDocument({ source: 'notion' });
  const input = { provider: 'notion', all: true, timeoutSeconds: 60 };
  const answer = await harness.call('import_provider_resources', input);
  const { outcome, batch, counts, sources } = answer.structured;
  expect(outcome).toBe('partial');
  expect(answer.nextCalls).toMatchObject([
    { tool: 'refresh_sources', arguments: { documentIds: expect.any(Array) } },
    { tool: 'generate_knowledge', arguments: { batch } },
  ]);
  expect(counts.submitted).toBe(sources.length);
  const drafted = await harness.call('generate_knowledge', { batch });
  expect(drafted.structured.counts.submitted).toBe(counts.completed);
});

test('what is in Fini already is listed by the search that found it', async () => {
  const harness = await start();
  const title = 'Refund rules';
  for (let index = 0; index < 12; index += 1) {
    harness.sandbox.addDocument({ source: 'notion', title: `${title} ${index}` });
    harness.sandbox.addDocument({ source: 'notion', title: 'Other' });
  }
  const input = { provider: 'notion', search: title };
  const answer = await harness.call('import_provider_resources', input);
  const next = nextCall(answer, 'list_sources');
  expect(next).toEqual({ source: 'notion', title });
  expect(idsOf(await harness.call('list_sources', next))).toHaveLength(12);
});

test('a source that failed is shown by its ID where no drafts can be made of it', async () => {
  const harness = await start();
  harness.sandbox.addDocument({ linkedJobStatus: 'FAILED', success: false });
  const { id } = harness.sandbox.addDocument({ linkedJobStatus: 'FAILED', success: false });
  const answer = await harness.call('generate_knowledge', { documentIds: [id] });
  expect(answer.isError).toBe(true);
  expect(nextCall(answer, 'get_source')).toEqual({ id });
});

test('what was deleted from a batch is told apart from what was not found', async () => {
  const harness = await start();
  const { structured } = await ingest(harness, ['a', 'b']);
  const [deleted] = structured.sources;
  await askSandbox(harness.sandbox, 'DELETE', '/documents/public', { documentIds: [deleted.id] });
  const answer = await harness.call('generate_knowledge', { batch: structured.batch });
  expect(urlsOf(answer)).toEqual([page('b')]);
  expect(answer.structured.message).toContain('Left out of the batch: 1 not in this workspace.');
});

test('get_source says why it cannot show all of a batch', async () => {
  const harness = await start();
  const { batch } = (await ingest(harness, ['a', 'b'])).structured;
  for (let index = 0; index < 120; index += 1) harness.sandbox.addDocument({});
  const action = { kind: 'status', status: 400 } as const;
  harness.sandbox.script({ method: 'GET', skip: 1, times: 9, action });
  const { isError, structured, nextCalls } = await harness.call('get_source', { batch });
  expect(isError).toBe(false);
  expect(structured.message).toBe(
    '0 of 2 sources of this batch, without text. The list was not read to its end: "Scripted fault: 400".',
  );
  expect(nextCalls).toMatchObject([{ tool: 'list_sources', arguments: { batch } }]);
});

test('of more than a hundred, the first are drafted from and all others come next', async () => {
  const harness = await start();
  const names = Array.from({ length: 202 }, (_, index) => index);
  const { structured } = await ingest(harness, names);
  const input = { batch: structured.batch, instructions: 'Be brief.' };
  const answer = await harness.call('generate_knowledge', input);
  expect(answer.structured.counts.submitted).toBe(100);
  expect(answer.structured.message).toContain('102 completed beyond the first 100');
  const rest = answer.nextCalls.filter(({ tool }) => tool === 'generate_knowledge');
  expect(rest).toMatchObject([
    { arguments: { instructions: 'Be brief.' }, why: 'Generate from 100 other completed sources' },
    { arguments: { instructions: 'Be brief.' }, why: 'Generate from 2 other completed sources' },
  ]);
  const ids = rest.flatMap(({ arguments: input }) => input.documentIds);
  expect(new Set([...ids, ...idsOf(answer)]).size).toBe(202);
});

test('a batch of drafts is waited for, and makes no further drafts when its jobs have ended', async () => {
  const harness = await start({ knowledgeJobs: () => ({ workingMs: 1_800 }) });
  const documentIds = [harness.sandbox.addDocument({}).id];
  const first = await harness.call('generate_knowledge', { documentIds, timeoutSeconds: 1 });
  const { batch, outcome } = first.structured;
  expect(outcome).toBe('timed_out');
  expect(nextCall(first, 'generate_knowledge')).toEqual({ batch });
  for (const _again of [1, 2]) {
    const { structured } = await harness.call('generate_knowledge', { batch });
    expect(structured).toMatchObject({ counts: { drafted: 1 }, batch });
  }
  const queued = harness.sandbox.requests.filter(
    ({ method, path }) => method === 'POST' && BULK.test(path),
  );
  expect(queued).toHaveLength(1);
  const answer = await harness.call('wait_for_sources', { batch });
  expect([answer.isError, answer.nextCalls]).toMatchObject([
    true,
    [{ tool: 'generate_knowledge', arguments: { batch } }],
  ]);
});

test('list_sources pages through a batch and filters it by status', async () => {
  const harness = await start();
  const names = Array.from({ length: 30 }, (_, index) => (index < 3 ? `fails/${index}` : index));
  const { batch } = (await ingest(harness, names)).structured;
  for (let index = 0; index < 150; index += 1) harness.sandbox.addDocument({});
  const seen: string[] = [];
  let input: Record<string, unknown> | undefined = { batch, limit: 8 };
  while (input !== undefined) {
    const answer: ToolAnswer = await harness.call('list_sources', input);
    seen.push(...urlsOf(answer));
    input = answer.nextCalls[0]?.arguments;
  }
  expect(seen.toSorted()).toEqual(names.map(page).toSorted());
  const failed = await harness.call('list_sources', { batch, status: 'failed' });
  expect(failed.structured).toMatchObject({ hasMore: false });
  expect(failed.structured.sources).toHaveLength(3);
  const { structured } = await harness.call('list_sources', { batch, summary: true });
  expect(structured.totals).toMatchObject({ total: 30, completed: 27, failed: 3 });
});

test('once all of a batch are found, the list is not read on', async () => {
  const harness = await start();
  for (let index = 0; index < 150; index += 1) harness.sandbox.addDocument({});
  const { batch } = (await ingest(harness, ['a', 'b'])).structured;
  const before = harness.sandbox.requests.length;
  const { structured } = await harness.call('list_sources', { batch });
  expect(structured).toMatchObject({ hasMore: false, sources: [{}, {}] });
  expect(harness.sandbox.requests).toHaveLength(before + 1);
});

test('get_source shows the text of a batch of one, and of several that they are there', async () => {
  const harness = await start();
  const one = (await ingest(harness, ['a'])).structured;
  const shown = await harness.call('get_source', { batch: one.batch });
  expect(urlsOf(shown)).toEqual([page('a')]);
  expect(shown.structured.paragraphs.length).toBeGreaterThan(0);
  const names = Array.from({ length: 22 }, (_, index) => index);
  const { batch } = (await ingest(harness, names)).structured;
  const several = await harness.call('get_source', { batch });
  expect(several.structured).toMatchObject({ paragraphs: [], message: expect.any(String) });
  expect(several.structured.sources).toHaveLength(20);
  expect(nextCall(several, 'list_sources')).toEqual({ batch, limit: 100 });
});

test.each([
  ['wait_for_sources', 'ids'],
  ['generate_knowledge', 'documentIds'],
  ['get_source', 'id'],
])('%s takes exactly one of batch and %s', async (tool, other) => {
  const harness = await start();
  const { id } = harness.sandbox.addDocument({});
  const both = { batch: 'bAAAAA', [other]: other === 'id' ? id : [id] };
  for (const input of [{}, both]) {
    const { isError, text } = await harness.call(tool, input);
    expect([isError, text]).toEqual([
      true,
      expect.stringContaining(`Set exactly one of batch and ${other}.`),
    ]);
  }
});

test('queuedAfter goes with ids only', async () => {
  const harness = await start();
  const input = { batch: 'bAAAAA', queuedAfter: '2026-01-01T00:00:00.000Z' };
  const { text } = await harness.call('wait_for_sources', input);
  expect(text).toContain('queuedAfter goes only with ids');
});

const TAKERS = ['wait_for_sources', 'generate_knowledge', 'list_sources', 'get_source'];

test.each(TAKERS)(
  '%s says of a batch that is not known why, and what works instead',
  async (tool) => {
    const harness = await start();
    const { isError, text, nextCalls } = await harness.call(tool, { batch: 'bAAAAA' });
    expect(isError).toBe(true);
    expect(text).toMatch(/^The batch "bAAAAA" is not known\. .*for a day.*restarted.*key/);
    expect(nextCalls).toMatchObject([{ tool: 'list_sources', arguments: { status: 'running' } }]);
  },
);

test("another key's batch is not known", async () => {
  const sandboxFor = async (key: string) =>
    stops.use(await startQuickSandbox({ keys: { [key]: ['read', 'write'] } }));
  const one = await sandboxFor('fini_one');
  const workspaces = { fini_one: one, fini_other: await sandboxFor('fini_other') };
  const baseUrl = await startFiniOf(stops, workspaces);
  const environment = { ...environmentFor(one), FINI_BASE_URL: baseUrl, FINI_API_KEY: '' };
  const { url } = await startHttp(stops, environment);
  const as = (key: string) => connectClient(stops, url, { 'X-Fini-Api-Key': key });
  const [mine, theirs] = [await as('fini_one'), await as('fini_other')];
  const { structured } = await mine.call('ingest_and_wait', { documentIdsToAdd: [page('a')] });
  const input = { batch: structured.batch };
  expect((await mine.call('list_sources', input)).structured.sources).toHaveLength(1);
  for (const tool of TAKERS) {
    expect((await theirs.call(tool, input)).text).toMatch(/^The batch "\w+" is not known/);
  }
});

test('an error after queueing names the batch, under which the wait goes on', async () => {
  const harness = await start();
  const refused = { kind: 'status', status: 401 } as const;
  // The look before queueing succeeds.
  harness.sandbox.script({ method: 'GET', skip: 1, times: 99, action: refused });
  const answer = await ingest(harness, ['a', 'b']);
  harness.sandbox.clearFaults();
  expect(answer.isError).toBe(true);
  const next = nextCall(answer, 'wait_for_sources');
  expect(next).toEqual({ batch: expect.stringMatching(BATCH) });
  const waited = await harness.call('wait_for_sources', next);
  expect(urlsOf(waited)).toEqual([page('a'), page('b')]);
});

test('a wait that was cut since the client asked for no progress says so', async () => {
  const harness = await start({}, { dependencies: { silentCallSeconds: 1 } });
  const { structured } = await ingest(harness, ['never'], 1_800);
  expect(structured).toMatchObject({ outcome: 'timed_out', askedSeconds: 1_800 });
  expect(structured.message).toContain('Waited 1 s, not 1800: this client asked for no progress.');
  const short = await ingest(harness, ['never'], 1);
  expect(short.structured).not.toHaveProperty('askedSeconds');
  expect(short.structured.message).not.toContain('progress');
});
