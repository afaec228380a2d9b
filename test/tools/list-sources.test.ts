import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SandboxDocument } from '../../src/sandbox/server.ts';
import { type Harness, startHarness } from '../harness.ts';
import { expectFitToShow, HOSTILE } from './showing.ts';

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

/** 120 records, each changed a second before the one after it, with this many paragraphs. */
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

/** Reads every page and gives the IDs in the order seen. */
async function walk(harness: Harness, input: object): Promise<string[]> {
  const seen: string[] = [];
  let cursor: string | undefined;
  for (let pages = 0; pages < 50; pages += 1) {
    const { structured } = await harness.call('list_sources', {
      ...input,
      ...(cursor === undefined ? {} : { cursor }),
    });
    seen.push(...structured.documents.map(({ id }: { id: string }) => id));
    expect(structured.hasMore).toBe(structured.nextCursor !== undefined);
    if (structured.nextCursor === undefined) break;
    expect(structured.message).toContain(structured.nextCursor);
    cursor = structured.nextCursor;
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
    expect(structured.documents).toHaveLength(50);
    expect(structured.documents[0]).toEqual({
      id: newest?.id,
      title: 'Other 119',
      originalUrl: 'https://odd.example/119',
      source: 'web',
      linkedJobStatus: 'COMPLETED',
      paragraphCount: 400,
      english: true,
      updatedAt: newest?.updatedAt,
      linkedOperation: 'UPDATE_ARTICLE',
      changed: false,
    });
    expect(structured).toMatchObject({ hasMore: true, nextCursor: newestFirst[49] });
    expect(text).toContain(newest?.id);
    expect(text).toContain('400 paragraphs');
    expect(text).toContain(newestFirst[49]);
    expect(text).not.toContain('long text');
    expectFitToShow(answer);
  });

  test('a line of the text has the state, the kind, the time of the last change and the URL', async () => {
    const { text } = await harness.call('list_sources', { limit: 3 });
    const lines = [119, 118, 117].map((index) => {
      const { id } = documents[index] ?? {};
      const kind = index % 3 === 0 ? 'notion' : 'web';
      const url = `https://${index % 2 ? 'odd' : 'even'}.example/${index}`;
      const operation = index % 6 === 0 ? 'DO_NOTHING' : 'UPDATE_ARTICLE';
      return `- ${id} COMPLETED ${kind} 2026-01-01T00:0${Math.floor(index / 60)}:${index % 60}Z: Other ${index} <${url}> (400 paragraphs, ${operation})`;
    });
    expect(text.split('\n').slice(1, 4)).toEqual(lines);
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
    let cursor = newestFirst.at(-1);
    const seen = [cursor];
    for (let pages = 0; cursor !== undefined && pages < 10; pages += 1) {
      const input = { limit: 40, cursor, direction: 'previous' };
      const { structured } = await harness.call('list_sources', input);
      seen.unshift(...structured.documents.map(({ id }: { id: string }) => id));
      cursor = structured.nextCursor;
      if (cursor !== undefined) expect(structured.message).toMatch(/direction "previous"/);
    }
    expect(seen).toEqual(newestFirst);
  });

  test('the end of the list says that it is the end', async () => {
    const input = { limit: 100, cursor: newestFirst[99] };
    const { structured } = await harness.call('list_sources', input);
    expect(structured.documents).toHaveLength(20);
    expect(structured).toMatchObject({ hasMore: false, message: 'That is all.' });
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
    expect(structured.documents).toEqual([]);
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
    expect(await walk(harness, { ...input, limit: 40 })).toEqual(ids.toReversed());
    const query = new URL(harness.sandbox.requests.at(-1)?.path ?? '', 'http://sandbox')
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

  test('says so where a page held other sources too', async () => {
    const { structured } = await harness.call('list_sources', { title: 'refunds', limit: 20 });
    const says = /did not apply every filter: 18 of this page did not match/;
    if (ignoredFilters.length > 0) expect(structured.message).toMatch(says);
    else expect(structured.message).not.toMatch(says);
  });
});

describe('an empty list says why', () => {
  test.each<[what: string, flags: string[], message: string]>([
    [
      'a workspace without sources',
      [],
      'Fini has no sources yet: begin with ingest_site or import_provider_resources.',
    ],
    ['the same on a read-only server', ['--read-only'], 'Fini has no sources yet.'],
  ])('%s', async (_what, flags, message) => {
    const harness = await startHarness({}, {}, flags);
    const { structured, text } = await harness.call('list_sources');
    expect(structured).toMatchObject({ documents: [], message });
    expect(text).toContain(message);
    const filtered = await harness.call('list_sources', { changed: false });
    expect(filtered.structured.message).toBe('No source matches these filters.');
    await harness.close();
  });

  test('filters that Fini ignores and that nothing matches, in a list of one page', async () => {
    const harness = await startHarness({ ignoredFilters: filterNames });
    const { id } = harness.sandbox.addDocument({ title: 'Refunds' });
    const first = await harness.call('list_sources', { title: 'zebra' });
    expect(first.structured.message).toMatch(
      /1 of this page did not match and were left out\. No source matches these filters\.$/,
    );
    const later = await harness.call('list_sources', { cursor: id });
    expect(later.structured).toMatchObject({ documents: [], message: 'That is all.' });
    await harness.close();
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
    expect(structured.documents).toHaveLength(count);
    expect(structured.hasMore).toBe(false);
  });

  test.each<[what: string, fields: object, line: string]>([
    ['nothing', {}, `- ${id} never ingested: untitled (0 paragraphs)`],
    [
      'an empty title',
      { title: '', originalUrl: 'https://a.example/' },
      `- ${id} never ingested: https://a.example/ (0 paragraphs)`,
    ],
    [
      'a title that nobody sees',
      { title: '\u200b \u0000', originalUrl: '', source: '', updatedAt: '', linkedJobStatus: '' },
      `- ${id} never ingested: untitled (0 paragraphs)`,
    ],
  ])('a record with %s still has a name', async (_what, fields, line) => {
    const rewrite = () => ({ documents: [{ id, ...fields }], hasMore: false });
    harness.sandbox.script({ action: { kind: 'rewrite', rewrite } });
    expect((await harness.call('list_sources')).text.split('\n')).toContain(line);
  });

  test('an answer of another shape is an error that says so', async () => {
    harness.sandbox.script({ action: { kind: 'rewrite', rewrite: () => [] } });
    const { isError, text } = await harness.call('list_sources', {});
    expect(isError).toBe(true);
    expect(text).toMatch(/another shape than expected/);
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
