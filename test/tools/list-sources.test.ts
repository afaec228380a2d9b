import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SandboxDocument } from '../../src/sandbox/sandbox-server.ts';
import { type Harness, Stops, startHarness, type ToolAnswer } from '../harness.ts';
import { nextCall, nextCallsOf } from '../next-calls.ts';
import { expectFitToShow, HOSTILE } from './showing.ts';

const stops = new Stops();
afterEach(() => stops.run());

type Filters = Record<string, string | boolean>;
const filterNames = [
  'source',
  'english',
  'id',
  'title',
  'originalUrl',
  'linkedKnowledgeId',
  'linkedOperation',
  'changed',
];
const KNOWLEDGE_ID = '0d9c8b7a-6f5e-4d3c-8b2a-190807060504';

/** Adds 120 records with this many paragraphs, each changed a second before the next. */
function fill({ sandbox }: Harness, paragraphCount: number): SandboxDocument[] {
  const paragraphs = Array.from(
    { length: paragraphCount },
    (_, index) => `Paragraph ${index} of a long text.`,
  );
  return Array.from({ length: 120 }, (_, index) =>
    sandbox.addDocument({
      title: index % 10 === 0 ? `Refunds ${index}` : `Other ${index}`,
      originalUrl: `https://${index % 2 ? 'odd' : 'even'}.example/${index}`,
      source: index % 3 === 0 ? 'notion' : 'web',
      english: index % 4 !== 0,
      changed: index % 5 === 0,
      linkedKnowledgeId: index === 7 ? KNOWLEDGE_ID : null,
      linkedOperation: index % 6 === 0 ? 'DO_NOTHING' : 'UPDATE_ARTICLE',
      updatedAt: new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString(),
      paragraphs,
    }),
  );
}

const idsOf = ({ structured }: ToolAnswer): string[] =>
  structured.sources.map(({ id }: { id: string }) => id);

/** Reads every page by its next call, and returns the IDs in the order seen. */
async function walk(harness: Harness, first: Record<string, unknown>): Promise<string[]> {
  const seen: string[] = [];
  let input: Record<string, unknown> | undefined = first;
  for (let pages = 0; input !== undefined && pages < 50; pages += 1) {
    const answer = await harness.call('list_sources', input);
    const { hasMore, nextCursor: cursor } = answer.structured;
    const { direction } = input;
    seen.push(...idsOf(answer));
    expect(hasMore).toBe(cursor !== undefined);
    [input] = nextCallsOf(answer, 'list_sources');
    if (cursor === undefined) expect(input).toBeUndefined();
    // The next call makes the same request from there on.
    else expect(input).toEqual({ limit: 50, summary: false, ...first, direction, cursor });
  }
  return seen;
}

describe('a workspace of 120 sources', () => {
  let harness: Harness;
  let documents: SandboxDocument[];
  let newestFirst: string[];
  beforeAll(async () => {
    harness = await startHarness();
    documents = fill(harness, 400);
    newestFirst = documents.map(({ id }) => id).reverse();
  });
  afterEach(() => harness.sandbox.clearFaults());
  afterAll(() => harness.close());

  test('a page of sources shows everything but their text, in bounds', async () => {
    const answer = await harness.call('list_sources');
    const { structured, text } = answer;
    const [newest] = documents.toReversed();
    expect(structured.sources).toHaveLength(50);
    expect(structured.sources[0]).toEqual({
      id: newest?.id,
      title: 'Other 119',
      originalUrl: 'https://odd.example/119',
      source: 'web',
      status: 'completed',
      paragraphCount: 400,
      updatedAt: newest?.updatedAt,
      linkedOperation: 'UPDATE_ARTICLE',
    });
    expect(structured).toMatchObject({ hasMore: true, nextCursor: newestFirst[49] });
    expect(text).toContain(newest?.id);
    expect(text).toContain('paragraphCount 400');
    expect(text).toMatch(
      /^50 sources on this page\. There are more\. changed is .*\nNext calls:\n- Show more sources: /,
    );
    expect(text).toContain(newestFirst[49]);
    expect(text).not.toContain('long text');
    expectFitToShow(answer);
  });

  test('a line of the text has everything that there is to say of a source', async () => {
    const { text } = await harness.call('list_sources', { limit: 3 });
    const lines = [119, 118, 117].map((index) => {
      const { id } = documents[index] ?? {};
      const kind = index % 3 === 0 ? 'notion' : 'web';
      const url = `https://${index % 2 ? 'odd' : 'even'}.example/${index}`;
      const operation = index % 6 === 0 ? 'DO_NOTHING' : 'UPDATE_ARTICLE';
      return `- ${url} (${id}): "Other ${index}", source ${kind}, paragraphCount 400, updatedAt 2026-01-01T00:0${Math.floor(index / 60)}:${index % 60}.000Z, linkedOperation ${operation}`;
    });
    expect(text.split('\n').slice(3)).toEqual(['Completed (3):', ...lines]);
  });

  test.each([1, 17, 50, 60, 100])(
    'paging by %i sees each source once, newest first',
    async (limit) => {
      const few = limit === 1 ? { limit, title: 'Refunds' } : { limit };
      const wanted =
        limit === 1 ? newestFirst.filter((_, index) => (119 - index) % 10 === 0) : newestFirst;
      expect(await walk(harness, few)).toEqual(wanted);
    },
  );

  test('paging back leads from the oldest to the newest again', async () => {
    const first = { limit: 40, cursor: newestFirst.at(-1), direction: 'previous' };
    const seen = [newestFirst.at(-1)];
    let input: Record<string, unknown> | undefined = first;
    for (let pages = 0; input !== undefined && pages < 10; pages += 1) {
      const answer = await harness.call('list_sources', input);
      seen.unshift(...idsOf(answer));
      [input] = nextCallsOf(answer, 'list_sources');
    }
    expect(seen).toEqual(newestFirst);
  });

  test('the end of the list says that it is the end', async () => {
    const input = { limit: 100, cursor: newestFirst[99] };
    const { structured } = await harness.call('list_sources', input);
    expect(structured.sources).toHaveLength(20);
    expect(structured).toMatchObject({
      ...{ hasMore: false, message: expect.stringMatching(/^20 .* on this page\. That is all\./) },
    });
  });

  test('an answer that does not say whether there is more is read by its length', async () => {
    const rewrite = (body: unknown) => ({ ...Object(body), hasMore: undefined });
    harness.sandbox.script({
      action: { kind: 'rewrite', rewrite },
      times: Number.POSITIVE_INFINITY,
    });
    expect(await walk(harness, { limit: 50 })).toEqual(newestFirst);
  });

  test('a page without one readable record does not pretend to be the last', async () => {
    const rewrite = () => ({ documents: [{ id: null }, null], hasMore: true });
    harness.sandbox.script({ action: { kind: 'rewrite', rewrite } });
    const { structured } = await harness.call('list_sources');
    expect(structured.sources).toEqual([]);
    expect(structured.message).toMatch(/2 records without an ID/);
    expect(structured.message).not.toMatch(/That is all/);
  });

  test('an unknown cursor is refused in Fini’s own words', async () => {
    const { isError, text } = await harness.call('list_sources', { cursor: KNOWLEDGE_ID });
    expect(isError).toBe(true);
    expect(text).toMatch(/HTTP 400.*Unknown cursor/);
  });
});

const filters: [what: string, filters: Filters, wanted: (index: number) => boolean][] = [
  ['source', { source: 'notion' }, (index) => index % 3 === 0],
  ['english', { english: false }, (index) => index % 4 === 0],
  ['changed', { changed: true }, (index) => index % 5 === 0],
  ['not changed', { changed: false }, (index) => index % 5 !== 0],
  ['a part of the title in any case', { title: 'rEFUNDS' }, (index) => index % 10 === 0],
  ['a part of the URL in any case', { originalUrl: 'ODD.example' }, (index) => index % 2 === 1],
  ['an article', { linkedKnowledgeId: KNOWLEDGE_ID }, (index) => index === 7],
  ['an operation', { linkedOperation: 'DO_NOTHING' }, (index) => index % 6 === 0],
  [
    'several',
    { source: 'notion', english: true, title: 'refunds' },
    (i) => i % 30 === 0 && i % 4 !== 0,
  ],
  ['a title that none has', { title: 'zebra' }, () => false],
];

describe.each([
  ['heeds', []],
  ['ignores', filterNames],
])('an API that %s the filters', (_what, ignoredFilters) => {
  let harness: Harness;
  let documents: SandboxDocument[];
  beforeAll(async () => {
    harness = await startHarness({ ignoredFilters });
    documents = fill(harness, 1);
  });
  afterAll(() => harness.close());

  test.each(filters)('gives just what matches %s', async (_name, input, wanted) => {
    const ids = documents.filter((_, index) => wanted(index)).map(({ id }) => id);
    const before = harness.sandbox.requests.length;
    expect(await walk(harness, { ...input, limit: 40 })).toEqual(ids.toReversed());
    const query = new URL(harness.sandbox.requests[before]?.path ?? '', 'http://sandbox')
      .searchParams;
    expect(Object.fromEntries(query)).toMatchObject(
      Object.fromEntries(Object.entries(input).map(([name, value]) => [name, String(value)])),
    );
  });

  test('gives the one source with an ID', async () => {
    const id = documents[33]?.id ?? '';
    expect(await walk(harness, { id })).toEqual([id]);
    expect(await walk(harness, { id: id.toUpperCase() })).toEqual([id]);
  });

  test('fills a page with matches', async () => {
    const { structured } = await harness.call('list_sources', { title: 'refunds', limit: 7 });
    expect(structured.sources).toHaveLength(7);
    expect(structured.hasMore).toBe(true);
  });
});

describe('an empty list says why', () => {
  test.each<[what: string, flags: string[], message: string]>([
    [
      'a workspace without sources',
      [],
      'Fini has no sources yet: start with ingest_site or import_provider_resources.',
    ],
    ['the same on a read-only server', ['--read-only'], 'Fini has no sources yet.'],
  ])('%s', async (_what, flags, message) => {
    const harness = stops.use(await startHarness({}, {}, flags));
    const { structured, text } = await harness.call('list_sources');
    expect(structured).toMatchObject({ sources: [], message });
    expect(text).toContain(message);
    const filtered = await harness.call('list_sources', { changed: false });
    expect(filtered.structured.message).toBe('No source matches these filters.');
  });

  test('filters that Fini ignores and that nothing matches, in a list of one page', async () => {
    const harness = stops.use(await startHarness({ ignoredFilters: filterNames }));
    const { id } = harness.sandbox.addDocument({ title: 'Refunds' });
    const first = await harness.call('list_sources', { changed: true });
    expect(first.structured.message).toBe('No source matches these filters.');
    const later = await harness.call('list_sources', { cursor: id });
    expect(later.structured).toMatchObject({
      ...{ sources: [], message: '0 sources on this page. That is all.' },
    });
  });
});

describe('odd records', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterEach(() => harness.sandbox.clearFaults());
  afterAll(() => harness.close());

  const id = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';

  test.each<[what: string, body: unknown, documents: number]>([
    ['no fields', {}, 0],
    ['null for the list', { documents: null, hasMore: null }, 0],
    ['an ID alone', { documents: [{ id }], hasMore: false }, 1],
    ['records that are none', { documents: [null, 7, 'text', [], { id }], hasMore: false }, 1],
    [
      'nulls',
      { documents: [{ id, title: null, originalUrl: null, paragraphs: null, error: null }] },
      1,
    ],
    ['other types', { documents: [{ id, title: {}, english: 'yes', paragraphs: 'text' }] }, 1],
  ])('%s break nothing', async (_what, body, count) => {
    harness.sandbox.script({ action: { kind: 'rewrite', rewrite: () => body } });
    const { isError, structured, text } = await harness.call('list_sources', {});
    expect(isError, text).toBe(false);
    expect(structured.sources).toHaveLength(count);
    expect(structured.hasMore).toBe(false);
  });

  test.each<[what: string, fields: object, line: string]>([
    ['nothing', {}, `- ${id}: paragraphCount 0`],
    [
      'an empty title',
      { title: '', originalUrl: 'https://a.example/' },
      `- https://a.example/ (${id}): paragraphCount 0`,
    ],
    [
      'a title that nobody sees',
      { title: '\u200b \u0000', originalUrl: '', source: '', updatedAt: '', linkedJobStatus: '' },
      `- ${id}: paragraphCount 0`,
    ],
  ])('a record with %s still has a name', async (_what, fields, line) => {
    const rewrite = () => ({ documents: [{ id, ...fields }], hasMore: false });
    harness.sandbox.script({ action: { kind: 'rewrite', rewrite } });
    const { text } = await harness.call('list_sources');
    expect(text.split('\n').slice(1)).toEqual(['Never ingested (1):', line]);
  });

  test('an answer of another shape is an error that says so', async () => {
    harness.sandbox.script({ action: { kind: 'rewrite', rewrite: () => [] } });
    const { isError, text } = await harness.call('list_sources', {});
    expect(isError).toBe(true);
    expect(text).toMatch(/an unexpected format/);
  });

  test('hostile records come out in bounds', async () => {
    const hostile = `${HOSTILE}${'x'.repeat(198 - 12)}😀${'x'.repeat(10_000)}`;
    const text = Object.fromEntries(
      [
        'title',
        'originalUrl',
        'error',
        'source',
        'linkedJobStatus',
        'linkedJobId',
        'updatedAt',
      ].map((name) => [name, hostile]),
    );
    const rewrite = () => ({ documents: Array(3).fill({ id, ...text }), hasMore: false });
    harness.sandbox.script({ action: { kind: 'rewrite', rewrite } });
    expectFitToShow(await harness.call('list_sources', {}), 30_000);
  });
});

/** The fields that mark each status, repeated in this order. */
const STATUS_FIELDS: [status: string, fields: Partial<SandboxDocument>][] = [
  ['completed', { linkedJobStatus: 'COMPLETED', success: true }],
  ['failed', { linkedJobStatus: 'FAILED', success: false, error: 'Blocked', title: null }],
  ['failed', { linkedJobStatus: 'COMPLETED', success: false, paragraphs: [] }],
  ['running', { linkedJobStatus: 'PENDING', success: null }],
  ['running', { linkedJobStatus: 'IN_PROGRESS', success: null }],
  ['never_ingested', { linkedJobStatus: null, linkedJobId: null, success: null, paragraphs: [] }],
];

/** Adds this many records, each changed a second before the next. */
function fillByStatus({ sandbox }: Harness, count: number): [status: string, id: string][] {
  return Array.from({ length: count }, (_, index) => {
    const [status, fields] = STATUS_FIELDS[index % STATUS_FIELDS.length] ?? ['', {}];
    const { id } = sandbox.addDocument({
      ...fields,
      source: index % 5 === 0 ? 'notion' : 'web',
      updatedAt: new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString(),
    });
    return [status, id] as [string, string];
  });
}

describe('by status', () => {
  let harness: Harness;
  let records: [status: string, id: string][];
  beforeAll(async () => {
    harness = await startHarness();
    records = fillByStatus(harness, 260);
  });
  afterEach(() => harness.sandbox.clearFaults());
  afterAll(() => harness.close());

  const wanted = (status: string) => records.filter(([one]) => one === status).map(([, id]) => id);

  test.each(['completed', 'failed', 'running', 'never_ingested'])(
    '%s: every source once, newest first, whatever the page size',
    async (status) => {
      for (const limit of [7, 40, 100]) {
        expect(await walk(harness, { status, limit })).toEqual(wanted(status).toReversed());
      }
    },
  );

  test('back from the oldest, too', async () => {
    const failed = wanted('failed');
    const seen: string[] = [];
    const first = { status: 'failed', limit: 9, cursor: records[0]?.[1], direction: 'previous' };
    let input: Record<string, unknown> | undefined = first;
    for (let calls = 0; input !== undefined && calls < 20; calls += 1) {
      const answer = await harness.call('list_sources', input);
      seen.unshift(...idsOf(answer));
      [input] = nextCallsOf(answer, 'list_sources');
    }
    expect(seen).toEqual(failed.toReversed());
  });

  test('with another filter', async () => {
    const { structured } = await harness.call('list_sources', {
      status: 'failed',
      source: 'notion',
    });
    const { sources } = structured;
    expect(sources.length).toBeGreaterThan(10);
    for (const { source } of sources) expect(source).toBe('notion');
  });

  test('asks for the largest pages', async () => {
    const before = harness.sandbox.requests.length;
    await harness.call('list_sources', { status: 'never_ingested', limit: 100 });
    const paths = harness.sandbox.requests.slice(before).map(({ path }) => path);
    expect(paths).toHaveLength(3);
    for (const path of paths) expect(path).toContain('limit=100');
  });

  test('a later page that cannot be read leaves what was found, and says how to read on', async () => {
    const action = { kind: 'status', status: 401 } as const;
    harness.sandbox.script({ method: 'GET', skip: 1, times: Number.POSITIVE_INFINITY, action });
    const input = { status: 'failed', limit: 100 };
    const first = await harness.call('list_sources', input);
    harness.sandbox.clearFaults();
    expect(first.isError).toBe(false);
    expect(first.structured.message).toMatch(
      /^33 matching sources on this page\. Stopped after the newest 100 sources\. .*HTTP 401/,
    );
    const second = await harness.call('list_sources', nextCall(first, 'list_sources'));
    expect([first, second].flatMap(idsOf)).toEqual(wanted('failed').toReversed());
  });

  test('a status that this server does not know is none of them, and is counted', async () => {
    const rewrite = () => ({
      documents: [
        { id: records[0]?.[1], source: 'web', linkedJobStatus: 'ARCHIVED' },
        { id: records[1]?.[1], linkedJobStatus: 'FAILED' },
      ],
      hasMore: false,
    });
    const times = Number.POSITIVE_INFINITY;
    harness.sandbox.script({ times, action: { kind: 'rewrite', rewrite } });
    for (const status of ['completed', 'running', 'never_ingested']) {
      const { structured } = await harness.call('list_sources', { status });
      expect(structured.sources).toEqual([]);
    }
    const { structured } = await harness.call('list_sources', { summary: true });
    expect(structured).toMatchObject({
      totals: { total: 2, failed: 1, unknown: 1 },
      kinds: [
        { source: 'web', total: 1 },
        { source: 'unknown', total: 1 },
      ],
    });
  });

  test('a Fini that gives the same page again ends the reading', async () => {
    const action = { kind: 'endlessPaging', pages: 'repeated' } as const;
    harness.sandbox.script({ method: 'GET', times: Number.POSITIVE_INFINITY, action });
    const before = harness.sandbox.requests.length;
    const { structured } = await harness.call('list_sources', {
      status: 'never_ingested',
      limit: 100,
    });
    expect(harness.sandbox.requests.length - before).toBe(2);
    expect(structured.sources.length).toBeGreaterThan(10);
    expect(structured).not.toHaveProperty('nextCursor');
    expect(structured.message).toMatch(/returned no cursor/);
  });

  test('a cancelled call asks for no further page', async () => {
    const abort = new AbortController();
    const action = { kind: 'run', run: () => abort.abort() } as const;
    harness.sandbox.script({ method: 'GET', action });
    const before = harness.sandbox.requests.length;
    const input = { status: 'never_ingested', limit: 100 };
    await expect(harness.call('list_sources', input, { signal: abort.signal })).rejects.toThrow();
    // By the time this call is answered, the next page would have been requested.
    await harness.call('list_sources');
    expect(harness.sandbox.requests.length - before).toBe(2);
  });
});

describe('a workspace that is too large for one call', () => {
  let harness: Harness;
  let ids: string[];
  beforeAll(async () => {
    harness = await startHarness({ ignoredFilters: filterNames });
    ids = Array.from({ length: 1_150 }, (_, index) => {
      const updatedAt = new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString();
      const isOld = index < 5;
      return harness.sandbox.addDocument({
        updatedAt,
        title: isOld ? `Ancient ${index}` : 'Other',
        ...(isOld && { linkedJobStatus: 'FAILED', success: false }),
      }).id;
    });
  });
  afterAll(() => harness.close());

  test.each([{ status: 'failed' }, { title: 'ancient' }])(
    '%j: says where it stopped, and leads on to the rest',
    async (input) => {
      const before = harness.sandbox.requests.length;
      const first = await harness.call('list_sources', { ...input, limit: 100 });
      expect(harness.sandbox.requests.length - before).toBe(10);
      expect(first.structured).toMatchObject({ sources: [], hasMore: true });
      expect(first.structured.message).toMatch(/^No match among the newest 1,000 sources\./);
      const rest = await harness.call('list_sources', nextCall(first, 'list_sources'));
      expect(idsOf(rest)).toEqual(ids.slice(0, 5).toReversed());
      expect(rest.structured).toMatchObject({ hasMore: false });
      expect(rest.structured.message).toMatch(/^5 matching sources on this page\. That is all\.$/);
    },
  );

  test('totals say of how many sources they are', async () => {
    const first = await harness.call('list_sources', { summary: true });
    expect(first.structured).toMatchObject({
      ...{ sources: [], hasMore: true },
      totals: { total: 1_000, completed: 1_000, failed: 0 },
      message:
        'Counted the newest 1,000 sources: 1000 completed. The others are not in these totals.',
    });
    const rest = await harness.call('list_sources', nextCall(first, 'list_sources'));
    expect(rest.structured).toMatchObject({ hasMore: false, totals: { total: 150 } });
    expect(rest.structured.message).toMatch(/^Counted the 150 sources after the cursor: 145 comp/);
    expect(nextCall(rest, 'list_sources')).toEqual({ status: 'failed' });
    const cursor = first.structured.nextCursor;
    const filtered = await harness.call('list_sources', {
      summary: true,
      title: 'ancient',
      cursor,
    });
    expect(filtered.structured.totals).toMatchObject({ total: 5, failed: 5 });
    expect(filtered.structured.message).toMatch(
      /^Counted 5 matching sources among the 150 sources after the cursor: 5 failed\.$/,
    );
  });
});

test('a summary counts by status and by kind, in the text too', async () => {
  const harness = stops.use(await startHarness());
  const records = fillByStatus(harness, 60);
  const { structured, text } = await harness.call('list_sources', { summary: true, limit: 1 });
  expect(structured).toMatchObject({
    ...{ sources: [], hasMore: false },
    totals: {
      ...{ total: records.length, completed: 10, failed: 20, running: 20, never_ingested: 10 },
    },
    kinds: [
      { source: 'web', total: 48, completed: 8, failed: 16, running: 16, never_ingested: 8 },
      { source: 'notion', total: 12, completed: 2, failed: 4, running: 4, never_ingested: 2 },
    ],
  });
  expect(text.split('\n')).toEqual([
    'Counted 60 sources in all: 10 completed, 20 failed, 20 running, 10 never ingested.',
    'Next calls:',
    '- See what failed and why: list_sources {"status":"failed"}',
    'Kinds (2):',
    '- source web, total 48, completed 8, failed 16, running 16, never_ingested 8',
    '- source notion, total 12, completed 2, failed 4, running 4, never_ingested 2',
  ]);
});

test('a search by title that finds nothing points to the URL, since what failed has no title', async () => {
  const harness = stops.use(await startHarness());
  const originalUrl = 'https://help.example/rewards';
  const { id } = harness.sandbox.addDocument({
    title: null,
    originalUrl,
    linkedJobStatus: 'FAILED',
  });
  const byTitle = await harness.call('list_sources', { title: 'rewards' });
  expect(byTitle.structured.sources).toEqual([]);
  expect(byTitle.text).toMatch(/No source matches.*may have no title.*originalUrl/);
  const byUrl = await harness.call('list_sources', { originalUrl: 'rewards' });
  expect(byUrl.structured.sources).toMatchObject([{ id }]);
});

test('a page that ignores limit is read in part, quickly, and the rest comes with the next call', async () => {
  const harness = stops.use(await startHarness());
  const records = Array.from({ length: 100_000 }, (_, index) => ({
    id: `3f2b8c1e-5d47-4a90-b6e1-${String(index).padStart(12, '0')}`,
  }));
  const answerWith = (documents: unknown[]) =>
    harness.sandbox.script({
      action: { kind: 'rewrite', rewrite: () => ({ documents, hasMore: false }) },
    });
  answerWith(records);
  const { structured } = await harness.call('list_sources', { limit: 20 });
  expect(structured.sources).toHaveLength(20);
  expect(structured).toMatchObject({ hasMore: true, nextCursor: records[19]?.id });
  answerWith(Array(100_000).fill({}));
  const startedAt = performance.now();
  const broken = await harness.call('list_sources', { status: 'failed' });
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  expect(broken.structured).toMatchObject({ sources: [], hasMore: true });
});

test('each source has the status that its job came to, in the text too', async () => {
  const harness = stops.use(await startHarness());
  const states = fillByStatus(harness, STATUS_FIELDS.length);
  const { structured, text } = await harness.call('list_sources');
  const heading = (status: string) =>
    status.replace('_', ' ').replace(/^./, (c) => c.toUpperCase());
  for (const [status, id] of states) {
    expect(structured.sources).toContainEqual(expect.objectContaining({ id, status }));
    const one = await harness.call('get_source', { id });
    expect(one.structured.sources).toMatchObject([{ id, status }]);
    for (const told of [text, one.text]) {
      const [above = ''] = told.split(`(${id})`);
      expect(above.match(/^[A-Z][a-z ]+(?= \(\d+\):)/gm)?.at(-1)).toBe(heading(status));
    }
  }
  expect(structured.sources.map(({ jobStatus }: { jobStatus?: string }) => jobStatus)).toEqual([
    ...[undefined, 'IN_PROGRESS', 'PENDING', undefined, undefined, undefined],
  ]);
});

test('sources that failed for one reason share its advice, in the text and in the data', async () => {
  const harness = stops.use(await startHarness());
  const failed = { linkedJobStatus: 'FAILED', success: false, paragraphs: [] };
  for (const error of ['Blocked by robots.txt', 'HTTP 404', 'Blocked by robots.txt too']) {
    harness.sandbox.addDocument({ ...failed, error });
  }
  const { structured, text } = await harness.call('list_sources');
  expect(structured.hints).toMatchObject([
    { hint: 'robots_forbidden', count: 2 },
    { hint: 'page_missing', count: 1 },
  ]);
  for (const { hint, advice, count } of structured.hints) {
    const named = structured.sources.filter((source: { hint: string }) => source.hint === hint);
    expect(named).toHaveLength(count);
    expect(text.split(`Failed (${count}): ${advice}\n`)).toHaveLength(2);
  }
});

test.each([
  ['pending', 'running'],
  ['in_progress', 'running'],
  ['IN PROGRESS', 'running'],
  ['queued', 'running'],
  ['FAILED', 'failed'],
  ['error', 'failed'],
  ['COMPLETED', 'completed'],
])('status %j is read as %j', async (given, meant) => {
  const harness = stops.use(await startHarness());
  fillByStatus(harness, STATUS_FIELDS.length);
  const { structured } = await harness.call('list_sources', { status: given });
  const wanted = await harness.call('list_sources', { status: meant });
  expect(structured.sources.length).toBeGreaterThan(0);
  expect(structured.sources).toEqual(wanted.structured.sources);
});

describe('a URL that is written otherwise than in Fini', () => {
  let harness: Harness;
  let id: string;
  beforeAll(async () => {
    harness = await startHarness();
    ({ id } = harness.sandbox.addDocument({ originalUrl: 'https://help.example/rewards' }));
  });
  afterAll(() => harness.close());

  test.each([
    'https://help.example/rewards/',
    'https://help.example/rewards?utm_source=mail',
    'https://help.example/rewards/?utm_source=mail#top',
    'help.example/rewards#top',
  ])('%s points to the page that is there', async (originalUrl) => {
    const { structured, text } = await harness.call('list_sources', { originalUrl });
    expect(structured.sources).toEqual([]);
    expect(structured.message).toBe(
      'No source matches these filters. Without the slash, query or fragment at its end, the URL matches 1 source.',
    );
    expect(structured.similar).toMatchObject([{ id, originalUrl: 'https://help.example/rewards' }]);
    expect(text).toContain(`- https://help.example/rewards (${id}): `);
    // The other filters still apply.
    const other = await harness.call('list_sources', { originalUrl, source: 'notion' });
    expect(other.structured.message).toBe('No source matches these filters.');
  });

  test('a URL of another page finds nothing', async () => {
    for (const originalUrl of [
      'https://help.example/prices/',
      'https://help.example/prices',
      '/',
    ]) {
      const { structured } = await harness.call('list_sources', { originalUrl, title: 'none' });
      expect(structured.message).toMatch(/^No source matches these filters\. A failed source/);
    }
  });
});

test('what Fini’s mark means is said where it is shown, and nowhere else', async () => {
  const { call, sandbox } = stops.use(await startHarness());
  const { id } = sandbox.addDocument({ changed: true, linkedKnowledgeId: KNOWLEDGE_ID });
  const other = sandbox.addDocument({});
  const meaning =
    /changed is Fini's mark, as of updatedAt: .* differs from what its Knowledge was made from\. A refresh need not clear it\.$/;
  for (const [tool, input] of [
    ['list_sources', { changed: true }],
    ['get_source', { id }],
  ] as const) {
    expect((await call(tool, input)).structured.message).toMatch(meaning);
  }
  for (const [tool, input] of [
    ['list_sources', { changed: false }],
    ['get_source', { id: other.id }],
  ] as const) {
    expect((await call(tool, input)).structured.message).not.toMatch(meaning);
  }
});

test('a search for a similar URL that fails does not hide that there is none with this URL', async () => {
  const { call, sandbox } = stops.use(await startHarness());
  const action = { kind: 'status', status: 400 } as const;
  sandbox.script({ method: 'GET', skip: 1, action });
  const originalUrl = 'https://help.example/rewards/';
  const { isError, structured } = await call('list_sources', { originalUrl });
  expect(isError).toBe(false);
  expect(structured.message).toBe(
    'No source matches these filters. Whether the URL is in Fini with another ending is unknown, because the search for it failed: "Scripted fault: 400".',
  );
});

describe('a title is found as it is shown', () => {
  const TITLES = [
    'می\u200cخواهم',
    '👩\u200d💻 Setup ❤\ufe0f',
    'Refund\u00a0policy',
    'Shipping  \t costs',
    'Daten\u00adschutz',
    'Line\u2028break',
    '\u200bHidden',
  ];

  test.each(TITLES)('%j', async (title) => {
    const { call, sandbox } = stops.use(await startHarness());
    const { id } = sandbox.addDocument({ title });
    sandbox.addDocument({ title: 'Another' });
    const all = await call('list_sources');
    const shown = all.structured.sources.find((source: { id: string }) => source.id === id).title;
    for (const search of [shown, title]) {
      const found = await call('list_sources', { title: search });
      expect(idsOf(found)).toEqual([id]);
      expect(found.structured.message).toBe('1 matching source on this page. That is all.');
    }
  });

  test('beside others that Fini finds by itself', async () => {
    const { call, sandbox } = stops.use(await startHarness());
    const titles = ['Refund\u00a0policy', 'Refund policy 2024', 'Refund  policy 2025', 'Policy'];
    const ids = titles.map((title) => sandbox.addDocument({ title }).id);
    const found = await call('list_sources', { title: 'refund policy' });
    expect(idsOf(found).toSorted()).toEqual(ids.slice(0, 3).toSorted());
  });

  test('page by page, where many have it', async () => {
    const harness = stops.use(await startHarness());
    const title = 'Daten\u00adschutz';
    const ids = Array.from({ length: 5 }, () => harness.sandbox.addDocument({ title }).id);
    const seen = await walk(harness, { title: 'Datenschutz', limit: 2 });
    expect(seen.toSorted()).toEqual(ids.toSorted());
  });

  test('and so is a URL with a blank', async () => {
    const { call, sandbox } = stops.use(await startHarness());
    const { id } = sandbox.addDocument({ originalUrl: 'https://a.example/terms of use' });
    const [shown] = (await call('list_sources')).structured.sources;
    expect(idsOf(await call('list_sources', { originalUrl: shown.originalUrl }))).toEqual([id]);
  });

  test('a title in which there is nothing to see is that of no source', async () => {
    const { call, sandbox } = stops.use(await startHarness());
    sandbox.addDocument({ title: 'Refunds' });
    expect(idsOf(await call('list_sources', { title: '\u00ad' }))).toEqual([]);
  });

  test('if the titles cannot be compared here, it says so', async () => {
    const { call, sandbox } = stops.use(await startHarness());
    sandbox.addDocument({ title: 'Daten\u00adschutz' });
    sandbox.script({ method: 'GET', skip: 1, action: { kind: 'status', status: 400 }, times: 9 });
    const { isError, structured } = await call('list_sources', { title: 'Datenschutz' });
    expect(isError).toBe(false);
    expect(structured.message).toContain(
      'Titles with characters that are not shown could not be compared',
    );
    expect(structured.message).toContain('Scripted fault: 400');
  });

  test('in a large workspace it says how far it has looked', async () => {
    const harness = stops.use(await startHarness());
    for (let index = 0; index < 1_001; index += 1) harness.sandbox.addDocument({ title: 'Other' });
    const { structured, nextCalls } = await harness.call('list_sources', { title: 'zebra' });
    expect(structured.message).toContain(
      'Titles with characters that are not shown were compared among the newest 1,000 sources only.',
    );
    expect([structured.hasMore, nextCalls]).toEqual([false, []]);
  });
});

describe('what was asked for by ID', () => {
  test('is said not to be there', async () => {
    const { call } = stops.use(await startHarness());
    const one = await call('list_sources', { id: KNOWLEDGE_ID });
    expect(one.structured.message).toBe('There is no source with this ID in this workspace.');
    const other = await call('list_sources', { id: KNOWLEDGE_ID, status: 'failed' });
    expect(other.structured.message).toBe('No source matches these filters.');
  });

  test('of a batch, too', async () => {
    const harness = stops.use(await startHarness({}, {}, ['--allow-delete']));
    const { call } = harness;
    const documentIdsToAdd = ['https://a.example/1', 'https://a.example/2'];
    const { structured } = await call('ingest_and_wait', { documentIdsToAdd, timeoutSeconds: 60 });
    const { batch } = structured;
    const [first, second] = structured.sources.map(({ id }: { id: string }) => id);
    await call('delete_sources', { documentIds: [first] });
    const some = await call('list_sources', { batch });
    expect(idsOf(some)).toEqual([second]);
    expect(some.structured.message).toBe(
      "1 matching source on this page. That is all. 1 of the 2 sources of this batch is not in Fini's list: it may have been deleted.",
    );
    await call('delete_sources', { documentIds: [second] });
    const none = await call('list_sources', { batch });
    expect(none.structured.message).toBe(
      "No source of this batch is in Fini's list: they may have been deleted.",
    );
  });
});
