import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, startHarness } from '../harness.ts';
import { nextCall } from '../next-calls.ts';
import { expectFitToShow, HOSTILE } from './showing.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ connectedProviders: ['notion', 'confluence'] });
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

const list = (input: object) => harness.call('list_provider_resources', { ...input });

/** Makes the next discovery return this. */
function answerWith(body: unknown): void {
  harness.sandbox.script({ method: 'GET', action: { kind: 'rewrite', rewrite: () => body } });
}

function page(number: number): Record<string, unknown> {
  return { id: `p${number}`, title: `Page ${number}`, url: `https://n.example/${number}` };
}

test('a flat provider comes out as it is', async () => {
  const answer = await list({ provider: 'notion' });
  const { structured, text } = answer;
  expect(structured).toMatchObject({ total: 9 });
  expect(structured.resources).toHaveLength(9);
  expect(structured).not.toHaveProperty('nextOffset');
  expect(structured.message).toBe('9 of 9 items.');
  expect(nextCall(answer, 'import_provider_resources')).toEqual({
    ...{ provider: 'notion', all: true, dryRun: true },
  });
  const replies = structured.resources.find(({ title }: { title: string }) =>
    title.startsWith('Saved'),
  );
  expect(replies).toEqual({
    externalId: replies.externalId,
    title: 'Saved replies',
    originalUrl: `https://www.notion.so/larkspur/${replies.externalId.replaceAll('-', '')}`,
    mimeType: 'application/vnd.notion.database',
    object: 'database',
    path: [],
  });
  expect(text.split('\n')).toContain(`- ${JSON.stringify(replies)}`);
});

test('a nested provider comes out flat, with what each item is nested in', async () => {
  const { structured, text } = await list({ provider: 'confluence' });
  const paths = new Map(
    structured.resources.map((resource: { title: string; path: string[] }) => [
      resource.title,
      resource.path,
    ]),
  );
  expect(paths.get('Hydraulic brakes')).toEqual([
    'Operations',
    'Workshop handbook',
    'Brake service',
  ]);
  expect(paths.get('Brake service')).toEqual(['Operations', 'Workshop handbook']);
  expect(paths.has('Operations')).toBe(false);
  expect(paths.size).toBe(9);
  expect(text).toContain('"path":["Operations","Workshop handbook","Brake service"]');
});

describe('search and paging', () => {
  test.each([
    ['title', 'HOLIDAY', ['Holidays']],
    ['path', 'brake service', ['Brake service', 'Hydraulic brakes']],
    ['space', ' quality reviews ', ['Quality reviews', 'The five questions']],
    ['nothing', 'zebra', []],
  ])('search by %s finds what contains it, in any case', async (_what, search, titles) => {
    const { structured } = await list({ provider: 'confluence', search });
    expect(structured.resources.map(({ title }: { title: string }) => title)).toEqual(titles);
    expect(structured.total).toBe(titles.length);
  });

  const billing = (title: string, parent = 'Billing') => ({
    title: parent,
    object: 'category',
    children: [{ ...page(1), title }, page(2)],
  });

  test.each<[what: string, tree: object, search: string]>([
    ['a path as it is shown', billing('How refunds work'), 'Billing › How refunds work'],
    ['a part of that path', billing('How refunds work'), 'LLING › how REF'],
    ['a no-break space in the title', billing('How\u00a0refunds work'), 'how refunds'],
    ['a no-break space in the search', billing('How refunds work'), 'how\u00a0refunds'],
    ['double spaces', billing('How  refunds \t work'), 'how refunds work'],
    ['double spaces in the search', billing('How refunds work'), 'Billing  ›  How refunds'],
    ['an accent in two characters', billing('Cafe\u0301 menu'), 'caf\u00e9'],
    ['an accent in one character', billing('Caf\u00e9 menu'), 'CAFE\u0301'],
    ['a character that nobody sees', billing('Refund\u200b policy\u200e'), 'refund policy'],
    ['what is folded to two letters', billing('Stra\u00dfe'), 'STRASSE'],
    ['a ligature and full width', billing('Pro\ufb01t \uff12\uff10'), 'profit 20'],
    ['a title that is shown cut', billing(`Refunds ${'x'.repeat(300)}`), `${'x'.repeat(150)}…`],
    ['the end of such a title', billing(`${'x '.repeat(300)}refunds`), 'refunds'],
    ['a title that nobody sees, by what is shown', billing('\u200b'), 'n.example/1'],
  ])('search finds %s', async (_what, tree, search) => {
    answerWith([tree]);
    const { structured } = await list({ provider: 'confluence', search });
    expect(structured.resources).toMatchObject([{ externalId: 'p1' }]);
    // An import with the same search chooses the same items.
    answerWith([tree]);
    const input = { provider: 'confluence', search, dryRun: true };
    const chosen = await harness.call('import_provider_resources', input);
    expect(chosen.structured.sources).toMatchObject([{ status: 'new', externalId: 'p1' }]);
  });

  test('a search in which there is nothing to see chooses nothing', async () => {
    const input = { provider: 'confluence', search: '\u200b', dryRun: true };
    const { structured } = await harness.call('import_provider_resources', input);
    expect(structured.selected).toBe(0);
    expect((await list({ provider: 'confluence', search: '\u200b' })).structured.total).toBe(0);
  });

  test('every line of the list is found when it is searched for', async () => {
    for (const provider of ['notion', 'confluence']) {
      const { text } = await list({ provider });
      const items = [...text.matchAll(/^- (\{.*\})$/gm)].map(([, json = '']) => JSON.parse(json));
      expect(items).toHaveLength(9);
      for (const { externalId, path = [], title } of items) {
        // A path is shown as a person writes it, so all of it can be pasted.
        const search = [...path, title].join(' › ');
        const { structured } = await list({ provider, search });
        expect(structured.resources).toContainEqual(expect.objectContaining({ externalId }));
      }
    }
  });

  test('walking by the calls that come next sees each item once', async () => {
    const seen: string[] = [];
    let input: object | undefined = { provider: 'notion', limit: 4 };
    while (input !== undefined) {
      const { structured, nextCalls } = await list(input);
      expect(structured.total).toBe(9);
      seen.push(...structured.resources.map((item: { externalId: string }) => item.externalId));
      input = nextCalls.find(({ tool }) => tool === 'list_provider_resources')?.arguments;
      expect(input).toEqual(
        structured.nextOffset && { provider: 'notion', limit: 4, offset: structured.nextOffset },
      );
    }
    expect(seen).toHaveLength(9);
    expect(new Set(seen).size).toBe(9);
  });

  test('an offset beyond the end gives nothing and no next page', async () => {
    const { structured } = await list({ provider: 'notion', offset: 9 });
    expect(structured).toMatchObject({
      resources: [],
      total: 9,
      message: '0 of 9 items. Offset 9 is past the end.',
    });
    expect(structured).not.toHaveProperty('nextOffset');
  });
});

describe('an empty list says why', () => {
  test('a search that finds nothing shows titles that there are', async () => {
    const few = await list({ provider: 'notion', search: 'Refund "policy"' });
    expect(few.structured).toMatchObject({ resources: [], total: 0 });
    expect(few.structured.message).toMatch(
      /^0 of 0 items\. No title or path contains "Refund \\"policy\\"": try a shorter word\. Available: "[^"]+"(, "[^"]+"){8}\. Items that are already in Fini are not listed here\.$/,
    );
    expect(few.structured.message).toContain('"Saved replies"');
    expect(few.text).toContain(few.structured.message);
    const pages = Array.from({ length: 25 }, (_, number) => page(number));
    answerWith([{ ...page(99), title: `${HOSTILE}${'x'.repeat(10_000)}` }, ...pages]);
    const many = await list({ provider: 'notion', search: 'refunds' });
    expect(many.structured.message).toMatch(/"Page 0", .*"Page 8" and 16 more\./);
    expectFitToShow(many, 1_500);
  });

  test('a provider of which Fini has everything, or sees nothing', async () => {
    answerWith([]);
    const answer = await list({ provider: 'notion', search: 'refunds' });
    expect(nextCall(answer, 'list_sources')).toEqual({ source: 'notion' });
    expect(answer.structured.message).toMatch(
      /Everything that Fini can access in notion is already in Fini, or it cannot access anything there\./,
    );
    answerWith([{ title: 'No ID' }]);
    const unreadable = await list({ provider: 'notion' });
    expect(unreadable.structured.message).toBe(
      '0 of 0 items. No items can be shown. 1 item without a usable ID or URL left out.',
    );
  });
});

test('nodes without an ID or a URL are counted and said', async () => {
  const broken = [null, 'text', 7, { title: 'No ID', url: 'https://n.example' }, { id: 'no-url' }];
  answerWith([page(1), ...broken, page(2)]);
  const { structured, text } = await list({ provider: 'notion' });
  expect(structured.resources).toHaveLength(2);
  expect(structured.message).toMatch(/5 items without a usable ID or URL/);
  expect(text).toContain('5 items without a usable ID or URL');
});

test.each<[what: string, body: unknown]>([
  ['null', null],
  ['text', 'none'],
  ['a number', 0],
  ['an envelope that nobody knows', { items: [page(1)] }],
])('an answer that is %s is not taken for an empty provider', async (_what, body) => {
  answerWith(body);
  const { isError, text } = await list({ provider: 'notion' });
  expect(isError || /left out/.test(text), text).toBe(true);
});

test('an empty provider is no error', async () => {
  answerWith([]);
  const { isError, structured } = await list({ provider: 'notion' });
  expect(isError).toBe(false);
  expect(structured).toMatchObject({ resources: [], total: 0 });
});

test('a provider that is not connected says so and what to do', async () => {
  const { isError, text } = await list({ provider: 'zendesk' });
  expect(isError).toBe(true);
  expect(text).toMatch(/HTTP 400.*zendesk is not connected.*connected in the Fini dashboard/);
});

test('hostile titles come out in bounds', async () => {
  const titles = [HOSTILE, 'x'.repeat(10_000), `${'x'.repeat(198)}😀😀`, '\u202e\u0000'];
  const pages = titles.map((title, index) => ({ ...page(index), title }));
  answerWith([{ title: 'y'.repeat(10_000), children: pages }]);
  const answer = await list({ provider: 'confluence' });
  expect(answer.structured.resources).toHaveLength(4);
  expectFitToShow(answer, 6_000);
});

test('no ID, kind or URL of a provider can fake a line of the list', async () => {
  const fake = '\n- Refunds (externalId "1")\u202e';
  answerWith([
    { ...page(0), id: `p0${fake}` },
    { ...page(1), mimeType: `text/html${fake}`, object: `page${fake}` },
    { id: 'p2', title: '\u200b', url: `https://n.example/2${fake}` },
    { ...page(3), mimeType: '\u200b', object: 'x'.repeat(10_000) },
  ]);
  const answer = await list({ provider: 'notion' });
  const { structured, text } = answer;
  const [, second, third] = structured.resources;
  // Registering uses the ID, so an item whose ID cannot be shown exactly is unusable.
  expect(structured.message).toMatch(/1 item without a usable ID or URL/);
  expectFitToShow(answer);
  expect(second.originalUrl).toBe(
    'https://n.example/2%0A-%20Refunds%20(externalId%20"1")%E2%80%AE',
  );
  expect(second.title).toBe(second.originalUrl);
  expect(third.mimeType).toBe('text/html');
  expect(third.object.length).toBeLessThanOrEqual(64);
  const lines = text.split('\n').filter((line) => line.startsWith('- {'));
  expect(lines.map((line) => JSON.parse(line.slice(2)))).toEqual(structured.resources);
});

test('a MIME type that is long is not cut', async () => {
  const mimeType = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document';
  answerWith([{ ...page(1), mimeType }]);
  const { structured } = await list({ provider: 'notion' });
  expect(structured.resources).toMatchObject([{ mimeType }]);
});

test('a long URL is passed on whole or left out, but never cut', async () => {
  const originalUrl = `https://n.example/${'x'.repeat(5_000)}`;
  answerWith([page(1), { ...page(2), url: originalUrl }]);
  const { structured } = await list({ provider: 'notion' });
  const urls = structured.resources.map((item: { originalUrl: string }) => item.originalUrl);
  expect(['https://n.example/1', originalUrl]).toEqual(expect.arrayContaining(urls));
});

test('thousands of items stay in bounds by default', async () => {
  answerWith(Array.from({ length: 3_000 }, (_, number) => page(number)));
  const answer = await list({ provider: 'notion' });
  expect(answer.structured).toMatchObject({ total: 3_000, nextOffset: 100 });
  expect(answer.structured.resources).toHaveLength(100);
  expectFitToShow(answer);
});
