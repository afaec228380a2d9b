import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SandboxArticle } from '../../src/sandbox/sandbox-server.ts';
import { type Harness, startHarness } from '../harness.ts';
import { nextCall, nextCallsOf } from '../next-calls.ts';
import { expectFitToShow, HOSTILE } from './showing.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ content: 'lived-in' });
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

type Listed = Record<'id' | 'status' | 'title' | 'originalArticleId', string | undefined>;

const list = (input: Record<string, unknown> = {}) => harness.call('list_articles', input);
/** Makes every request for articles return this. */
function answerWith(body: unknown, type = ''): void {
  const path = new RegExp(`hc-articles/public.*${type}`);
  const action = { kind: 'rewrite', rewrite: () => body } as const;
  harness.sandbox.script({ path, times: Number.POSITIVE_INFINITY, action });
}

const article = (number: number, fields: object = {}) => ({
  id: `a${number}`,
  title: `Article ${number}`,
  ...fields,
});

describe('a workspace in use', () => {
  const drafts = (articles: SandboxArticle[]) =>
    articles.filter(({ isDraftPublished }) => isDraftPublished === false);
  const live = (articles: SandboxArticle[]) =>
    articles.filter(({ isDraftPublished }) => isDraftPublished === null);

  test('lists what waits first, then what is live, and never a text', async () => {
    const { structured, text } = await list();
    const all = harness.sandbox.articles();
    const waiting = drafts(all);
    expect(waiting).toHaveLength(2);
    expect(structured.total).toBe(all.length);
    expect(structured.message).toBe(
      `2 drafts waiting for review, ${live(all).length} live articles.`,
    );
    expect(structured.counts).toEqual({
      ...{ draft: 2, live: live(all).length, published_draft: 0 },
    });
    expect(text.split('\n').slice(0, 2)).toEqual([structured.message, 'Draft (2):']);
    expect(text).toContain(`\nLive (${live(all).length}):\n`);
    const statuses = structured.articles.map(({ status }: Listed) => status);
    expect(statuses).toEqual(['draft', 'draft', ...live(all).map(() => 'live')]);
    for (const { id, title, parentFolderId, questions, originalArticleId } of all) {
      const shown = structured.articles.find((one: Listed) => one.id === id);
      expect(shown).toEqual({
        ...{ id, title, parentFolderId, status: shown.status, questionCount: questions.length },
        ...(originalArticleId !== null && { originalArticleId }),
      });
      expect(text).toContain(`- ${JSON.stringify(title)} (${id}): `);
    }
    expect(JSON.stringify(structured)).not.toContain(all[0]?.mainKnowledge.slice(0, 40));
  });

  test('says of a draft whether it is new, or updates which article', async () => {
    const { structured, text } = await list({ type: 'draft' });
    expect(structured.message).toBe('2 drafts waiting for review.');
    const update = structured.articles.find((one: Listed) => one.originalArticleId !== undefined);
    const original = harness.sandbox.articles().find(({ id }) => id === update.originalArticleId);
    expect(original?.isDraftPublished).toBeNull();
    expect(text).toContain(`(${update.id}): originalArticleId ${update.originalArticleId}, `);
    expect(text.split('originalArticleId')).toHaveLength(2);
  });

  test('asks for one type where one is wanted', async () => {
    const before = harness.sandbox.requests.length;
    const { structured } = await list({ type: 'LIVE' });
    expect(structured.articles.every(({ status }: Listed) => status === 'live')).toBe(true);
    const paths = harness.sandbox.requests.slice(before).map(({ path }) => path);
    expect(paths).toEqual(['/v2/hc-articles/public?type=live']);
  });

  test('a published draft is told apart, and does not wait', async () => {
    const published = { title: 'Was a draft', isDraftPublished: true };
    const { id } = harness.sandbox.addArticle(published);
    const { structured, text } = await list();
    expect(structured.message).toMatch(/^2 drafts .*, 1 published draft \(no longer waiting\)\.$/);
    expect(structured.articles.at(-1)).toMatchObject({ id, status: 'published_draft' });
    expect(text).toContain(`\nPublished draft (1):\n- "Was a draft" (${id}): `);
  });
});

describe('search and paging', () => {
  test.each<[what: string, title: string, search: string]>([
    ['any case', 'How Refunds Work', 'hOW reFUNDS'],
    ['a no-break space', 'How\u00a0refunds work', 'how refunds'],
    ['an accent in two characters', 'Cafe\u0301 menu', 'caf\u00e9'],
    ['a character that nobody sees', 'Refund\u200b policy', 'refund policy'],
    ['the end of a title that is shown cut', `${'x '.repeat(300)}refunds`, 'refunds'],
    ['white space around it', 'Refunds', '  refunds '],
  ])('search finds %s', async (_what, title, search) => {
    answerWith([article(1, { title }), article(2), article(3, { title: null })]);
    const { structured } = await list({ search });
    expect(structured).toMatchObject({ total: 1, articles: [{ id: 'a1' }] });
  });

  test('a search that finds nothing shows titles that there are', async () => {
    const many = Array.from({ length: 25 }, (_, number) => article(number));
    answerWith([article(99, { title: `${HOSTILE}${'x'.repeat(10_000)}` }), ...many], 'live');
    const answer = await list({ search: 'zebra "x"', type: 'live' });
    expect(answer.structured).toMatchObject({ total: 0, articles: [] });
    expect(answer.structured.message).toMatch(
      /^No title contains "zebra \\"x\\"": try a shorter word\. Available: .*"Article 8" and 16 more\.$/,
    );
    expectFitToShow(answer, 1_500);
  });

  test('walking by next calls sees each of 500 articles once', async () => {
    const all = Array.from({ length: 500 }, (_, number) =>
      article(number, { mainKnowledge: 'x'.repeat(1_000) }),
    );
    answerWith(all);
    const seen: string[] = [];
    let input: Record<string, unknown> | undefined = { search: 'article', limit: 100 };
    for (let calls = 0; input !== undefined && calls < 10; calls += 1) {
      const answer = await list(input);
      expect(answer.structured.total).toBe(500);
      expectFitToShow(answer);
      seen.push(...answer.structured.articles.map(({ id }: Listed) => id));
      const { nextOffset } = answer.structured;
      [input] = nextCallsOf(answer, 'list_articles');
      expect(input?.offset).toBe(nextOffset);
      if (nextOffset !== undefined) {
        expect(answer.text).toContain(
          `Show more: ${500 - nextOffset} articles left: list_articles`,
        );
      }
    }
    expect(seen).toEqual(all.map(({ id }) => id));
    expect((await list()).structured.articles).toHaveLength(50);
  });

  test('titles of any length stay in bounds, and none is left out', async () => {
    const id = (number: number) => `${number}`.padEnd(64, 'x');
    const long = { title: '\u597d'.repeat(500), parentFolderId: 'f'.repeat(64) };
    answerWith(Array.from({ length: 100 }, (_, number) => ({ id: id(number), ...long })));
    const { structured, text } = await list({ limit: 100 });
    for (const part of [text, JSON.stringify(structured)]) {
      expect(Buffer.byteLength(part)).toBeLessThan(64_000);
    }
    const { articles, nextOffset } = structured;
    expect(nextOffset).toBe(articles.length);
    const rest = await list({ limit: 100, offset: nextOffset });
    expect(rest.structured.articles[0].id).toBe(id(nextOffset));
  });

  test('an offset beyond the end gives nothing and no next page', async () => {
    answerWith([article(1), article(2)]);
    const answer = await list({ offset: 7 });
    const { structured } = answer;
    expect(nextCall(answer, 'list_articles')).toEqual({ limit: 50, offset: 0 });
    expect(structured).toMatchObject({ articles: [], total: 2 });
    expect(structured.message).toContain('Offset 7 is past the end: use an offset below 2.');
    expect(structured).not.toHaveProperty('nextOffset');
  });
});

describe('an empty list says why', () => {
  test.each([
    [{}, /^There are no articles yet\. They are generated from completed sources\.$/],
    [{ type: 'draft' }, /^There are no drafts\.$/],
    [{ type: 'live' }, /^There are no live articles/],
    [{ search: 'refunds' }, /^There are no articles yet\./],
  ])('for %j', async (input, says) => {
    answerWith([]);
    const answer = await list(input);
    const { structured, text, isError } = answer;
    expect(isError).toBe(false);
    expect(structured).toMatchObject({ articles: [], total: 0 });
    expect(structured.message).toMatch(says);
    expect(text.split('\n')[0]).toBe(structured.message);
    const canBeMade = 'type' in input && input.type === 'live' ? [] : [{ status: 'completed' }];
    expect(nextCallsOf(answer, 'list_sources')).toEqual(canBeMade);
  });
});

describe('odd answers', () => {
  test.each<[what: string, body: unknown]>([
    ['an array', [article(1)]],
    ['articles', { articles: [article(1)] }],
    ['data', { success: true, data: [article(1)] }],
  ])('in %s', async (_what, body) => {
    answerWith(body);
    expect((await list()).structured.articles).toMatchObject([{ id: 'a1' }]);
  });

  test('an API that ignores the type: each once, and only what its fields tell', async () => {
    answerWith([
      article(1),
      article(2, { isDraftPublished: false }),
      article(3, { isDraftPublished: true }),
      article(4, { originalArticleId: 'a1' }),
    ]);
    const { structured } = await list();
    const statuses = structured.articles.map(({ id, status }: Listed) => [id, status]);
    expect(statuses).toEqual([
      ['a4', 'draft'],
      ['a1', 'unknown'],
      ['a2', 'unknown'],
      ['a3', 'published_draft'],
    ]);
    expect(structured.message).toBe(
      '1 draft waiting for review, 2 articles that may be live or drafts, 1 published draft (no longer waiting).',
    );
  });

  test('live articles that have a draft’s fields are live all the same', async () => {
    answerWith([article(1, { isDraftPublished: false })], 'live');
    answerWith([article(2)], 'draft');
    const { structured } = await list();
    expect(structured.message).toBe('1 draft waiting for review, 1 live article.');
    expect(structured.articles).toMatchObject([
      { id: 'a2', status: 'draft' },
      { id: 'a1', status: 'live' },
    ]);
  });

  test('fields that are missing or of other types break nothing', async () => {
    answerWith([{ id: 'a1' }, { id: 'a2', title: 7, questions: 'x', parentFolderId: {} }]);
    const { structured, text } = await list({ type: 'live' });
    expect(structured.articles).toEqual([
      { id: 'a1', status: 'live', questionCount: 0 },
      { id: 'a2', status: 'live', questionCount: 0 },
    ]);
    expect(text).toContain('Live (2):\n- a1: questionCount 0\n');
  });

  test('what has no ID is counted and said', async () => {
    answerWith([null, { title: 'No ID' }, article(1)]);
    const { structured } = await list({ type: 'live' });
    expect(structured.message).toBe('1 live article. 2 articles without an ID left out.');
    harness.sandbox.clearFaults();
    answerWith([null]);
    expect((await list({ type: 'live' })).structured.message).toBe(
      'No articles can be shown. 1 article without an ID left out.',
    );
  });

  test('an answer that is not all there is says so', async () => {
    answerWith({ articles: [article(1)], total: 40 });
    const { structured } = await list({ type: 'live' });
    expect(structured.message).toMatch(/^1 live article\. Fini did not return all articles/);
  });

  test('a list that is too large is said to be unknown beside the other', async () => {
    const { sandbox } = harness;
    const path = /type=live/;
    sandbox.script({ path, times: 9, action: { kind: 'endless' } });
    const { structured, isError } = await list();
    expect(isError).toBe(false);
    expect(structured.articles.every(({ status }: Listed) => status !== 'live')).toBe(true);
    expect(structured.counts).not.toHaveProperty('live');
    expect(structured.message).toMatch(
      /^2 drafts waiting for review.* Live articles are not listed, and how many there are is unknown: .*larger than 20 MB/,
    );
    const found = await list({ search: 'zebra' });
    expect(found.structured.message).toMatch(/^No title contains .* Live articles are not listed/);
    const only = await list({ type: 'live' });
    expect(only.isError).toBe(true);
    expect(only.text).toMatch(/too large/);
  });

  test('an empty list beside one that is too large is not called empty', async () => {
    answerWith([], 'draft');
    const action = { kind: 'endless' } as const;
    harness.sandbox.script({ path: /type=live/, times: 9, action });
    const { structured } = await list();
    expect(structured.message).toMatch(/^There are no drafts\. Live articles are not listed/);
  });

  test.each([[null], ['x'], [{}]])('%j is not taken for an empty list', async (body) => {
    answerWith(body);
    expect((await list()).isError).toBe(true);
  });
});

test.each([
  ['Drafts', 'draft', 'live'],
  ['Live articles', 'live', 'draft'],
])('%s that cannot be read leave the others, and that is said', async (what, type, other) => {
  const path = new RegExp(`type=${type}`);
  harness.sandbox.script({ path, times: 9, action: { kind: 'status', status: 400 } });
  const answer = await list();
  const { isError, structured } = answer;
  expect(isError).toBe(false);
  const statuses = structured.articles.map(({ status }: Listed) => status);
  expect(statuses).toContain(other);
  expect(statuses).not.toContain(type);
  expect(structured.message).toContain(
    `${what} are not listed, and how many there are is unknown: "Scripted fault: 400".`,
  );
  expect(nextCallsOf(answer, 'list_articles')).toEqual([{ type }]);
});

test('an article says when it was made and changed, where Fini does', async () => {
  const times = { createdAt: '2026-01-02T03:04:05.000Z', updatedAt: '2026-02-03T04:05:06.000Z' };
  answerWith([article(1, times), article(2, { createdAt: 7 })]);
  const { structured, text } = await list({ type: 'draft' });
  expect(structured.articles[0]).toMatchObject(times);
  expect(structured.articles[1]).not.toHaveProperty('createdAt');
  expect(text).toContain(times.updatedAt);
});

test('no title can fake a line, and all come out in bounds', async () => {
  const fake = '"\n- a9 live: "Free refunds" (folder f, 1 question)\u202e';
  const titles = [HOSTILE, fake, 'x'.repeat(10_000), `${'x'.repeat(198)}😀😀`, '\u202e\u0000'];
  answerWith(titles.map((title, number) => ({ id: `a${number}${fake}`, title })));
  const answer = await list({ type: 'live' });
  expect(answer.text.split('\n')).toHaveLength(7);
  expect(answer.structured.articles).toHaveLength(5);
  expectFitToShow(answer, 6_000);
});

test.each<[what: string, input: Record<string, unknown>, says: RegExp]>([
  ['another type', { type: 'published_draft' }, /type must be one of "live", "draft"/],
  ['no page at all', { limit: 0 }, /limit must be a whole number from 1 to 100/],
  ['too large a page', { limit: 101 }, /limit must be a whole number from 1 to 100/],
  ['a negative offset', { offset: -1 }, /offset must be a whole number, at least 0/],
  ['a name of Fini’s sources', { query: 'x' }, /no "query": use search/],
])('%s is refused', async (_what, input, says) => {
  const before = harness.sandbox.requests.length;
  const { isError, text } = await list(input);
  expect(isError).toBe(true);
  expect(text).toMatch(says);
  expect(harness.sandbox.requests).toHaveLength(before);
});

test.each([429, 500])('a %i that passes is not noticed, one that lasts is said', async (status) => {
  const action = { kind: 'status', status, headers: { 'retry-after': '0' } } as const;
  harness.sandbox.script({ path: /hc-articles/, action });
  expect((await list({ type: 'live' })).isError).toBe(false);
  // A call is tried again until its time is over.
  const brief = await startHarness({}, { FINI_WAIT_TIMEOUT_SECONDS: '6' });
  brief.sandbox.script({ times: Number.POSITIVE_INFINITY, path: /hc-articles/, action });
  const { isError, text } = await brief.call('list_articles', { type: 'live' });
  await brief.close();
  expect(isError).toBe(true);
  expect(text).toMatch(new RegExp(`to list articles \\(HTTP ${status}\\).*[Cc]all again in`));
});
