import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, startHarness } from '../harness.ts';
import { nextCall } from '../next-calls.ts';
import { expectFitToShow, HOSTILE } from './showing.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

const get = (id: string, paragraphs?: object) => harness.call('get_source', { id, paragraphs });

/** Adds a source with this many paragraphs of about this many characters, all different. */
function addText(count: number, length: number): { id: string; paragraphs: string[] } {
  const paragraphs = Array.from({ length: count }, (_, index) =>
    `${index} `.padEnd(length, 'text '),
  );
  return harness.sandbox.addDocument({ paragraphs });
}

test('a short source comes whole, in the text too', async () => {
  const document = harness.sandbox.addDocument({ paragraphs: ['First.', 'Second.'] });
  const { structured, text } = await get(document.id);
  expect(structured).toEqual({
    message: 'Status: completed. Paragraphs 1 to 2 of 2.',
    offset: 0,
    sources: [
      {
        ...{ status: 'completed', originalUrl: document.originalUrl, id: document.id },
        ...{ title: document.title, source: 'web', paragraphCount: 2 },
        updatedAt: document.updatedAt,
      },
    ],
    paragraphs: ['First.', 'Second.'],
  });
  expect(text.split('\n')).toEqual([
    structured.message,
    'Completed (1):',
    `- ${document.originalUrl} (${document.id}): "${document.title}", source web, paragraphCount 2, updatedAt ${document.updatedAt}`,
    ...['> First.', '>', '> Second.'],
  ]);
});

test('a running source leads to the wait for it', async () => {
  const { id } = harness.sandbox.addDocument({ linkedJobStatus: 'PENDING', success: null });
  expect(nextCall(await get(id), 'wait_for_sources')).toEqual({ ids: [id] });
});

test('a failed source says why and what to do', async () => {
  const error = 'Blocked by robots.txt';
  const fields = { linkedJobStatus: 'FAILED', success: false, error, paragraphs: [] };
  const { isError, structured, text } = await get(harness.sandbox.addDocument(fields).id);
  expect(isError).toBe(false);
  expect(structured).toMatchObject({
    message: 'Status: failed. It has no text.',
    hints: [{ hint: 'robots_forbidden', advice: expect.stringMatching(/robots\.txt/), count: 1 }],
    sources: [{ error, hint: 'robots_forbidden', paragraphCount: 0 }],
    paragraphs: [],
  });
  expect(text).toContain(`Failed (1): ${structured.hints[0].advice}`);
  expect(text).toContain(JSON.stringify(error));
});

describe('a long text', () => {
  test('is bounded by default, with the way to the rest', async () => {
    const { id, paragraphs } = addText(400, 500);
    const answer = await get(id);
    expect(answer.structured.sources).toMatchObject([{ paragraphCount: 400 }]);
    expect(answer.structured.paragraphs).toEqual(
      paragraphs.slice(0, answer.structured.paragraphs.length),
    );
    expect(answer.structured.nextOffset).toBe(answer.structured.paragraphs.length);
    const { nextOffset: offset } = answer.structured;
    expect(nextCall(answer, 'get_source')).toEqual({ id, paragraphs: { offset } });
    expectFitToShow(answer, 15_000);
  });

  test.each([
    [400, 500, {}],
    [400, 500, { limit: 7 }],
    [1_200, 3, { limit: 500 }],
    [3, 15_000, { limit: 500 }],
  ])(
    'of %i paragraphs of %i characters is read whole, each part once, by %o',
    async (count, length, part) => {
      const { id, paragraphs } = addText(count, length);
      const read: string[] = [];
      let input: Record<string, unknown> = { id, paragraphs: { ...part, offset: 0 } };
      for (let calls = 0; calls < 100; calls += 1) {
        const answer = await harness.call('get_source', input);
        read.push(...answer.structured.paragraphs);
        expect(JSON.stringify(answer).length).toBeLessThan(60_000);
        if (answer.structured.nextOffset === undefined) break;
        input = nextCall(answer, 'get_source');
      }
      expect(read).toEqual(paragraphs);
    },
  );

  test('whose paragraphs are too long for the default is shown whole by reading on', async () => {
    const { id, paragraphs } = addText(2, 6_000);
    const read = new Set<string>();
    let answer = await get(id);
    for (let calls = 0; answer.structured.nextOffset !== undefined && calls < 5; calls += 1) {
      answer = await get(id, { offset: answer.structured.nextOffset });
      for (const paragraph of answer.structured.paragraphs) read.add(paragraph);
    }
    expect(read).toEqual(new Set(paragraphs));
  });

  test('with a paragraph that no call can show whole is read to its end all the same', async () => {
    const long = Array.from({ length: 10_000 }, (_, index) => `${index}😀`).join(' ');
    const { id } = harness.sandbox.addDocument({ paragraphs: [long, 'the end'] });
    const parts: string[] = [];
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const { structured } = await get(id, { offset });
      expect(structured.message).toContain('counts as several');
      parts.push(...structured.paragraphs);
      offset = structured.nextOffset;
    }
    expect(parts.at(-1)).toBe('the end');
    expect(parts.slice(0, -1).join('')).toBe(long);
  });

  test('gives nothing beyond its end', async () => {
    const { structured } = await get(addText(3, 10).id, { offset: 3 });
    expect(structured).toMatchObject({ paragraphs: [], offset: 3 });
    expect(structured.message).toMatch(/Nothing at this offset: the text has only 3 paragraphs\.$/);
    expect(structured).not.toHaveProperty('nextOffset');
  });
});

test.each<[what: string, fields: object]>([
  ['missing', {}],
  [
    'null',
    Object.fromEntries(['title', 'originalUrl', 'paragraphs', 'error'].map((name) => [name, null])),
  ],
  [
    'of other types',
    { title: 7, paragraphs: [null, 'Text', 7], success: 'yes', linkedJobStatus: {} },
  ],
])('a record with fields that are %s breaks nothing', async (_what, fields) => {
  const { id } = harness.sandbox.addDocument({});
  const rewrite = () => ({ id, ...fields });
  harness.sandbox.script({ method: 'GET', action: { kind: 'rewrite', rewrite } });
  const { isError, structured, text } = await get(id);
  expect(isError, text).toBe(false);
  expect(structured.sources).toMatchObject([{ id, paragraphCount: expect.any(Number) }]);
  expect(JSON.stringify(structured)).not.toContain('null');
  expect(structured.paragraphs).toEqual('title' in fields && fields.title === 7 ? ['Text'] : []);
});

test('hostile titles, URLs and errors come out in bounds', async () => {
  const { id } = harness.sandbox.addDocument({
    title: `${'x'.repeat(198)}😀${HOSTILE}`,
    originalUrl: `https://a.example/${HOSTILE}${'x'.repeat(10_000)}`,
    error: `${HOSTILE}${'x'.repeat(10_000)}`,
    linkedJobStatus: 'FAILED',
    paragraphs: [],
  });
  expectFitToShow(await get(id), 10_000);
});

test('a text that is cut is cut between characters', async () => {
  const { id } = harness.sandbox.addDocument({
    paragraphs: ['😀'.repeat(3_000), `x${'😀'.repeat(3_000)}`],
  });
  for (const part of [undefined, { offset: 0 }, { offset: 1 }]) {
    expect((await get(id, part)).text).not.toMatch(/\p{Cs}/u);
  }
  const odd = harness.sandbox.addDocument({ paragraphs: [`x${'😀'.repeat(3_000)}`] });
  expect((await get(odd.id)).text).not.toMatch(/\p{Cs}/u);
});

test('a flood of empty paragraphs comes out in bounds', async () => {
  const { id } = harness.sandbox.addDocument({ paragraphs: Array<string>(300_000).fill('') });
  const { structured, text } = await harness.call('get_source', { id });
  expect(structured.sources).toMatchObject([{ paragraphCount: 300_000 }]);
  expect(structured.paragraphs.length).toBeLessThan(5_000);
  expect(structured.nextOffset).toBe(structured.paragraphs.length);
  expect(text.length).toBeLessThan(12_000);
});

test('a job that is lost is not waited for', async () => {
  const pending = { linkedJobStatus: 'PENDING', success: null };
  const updatedAt = new Date(Date.now() - 20 * 60_000).toISOString();
  const { id } = harness.sandbox.addDocument({ ...pending, updatedAt });
  const answer = await harness.call('get_source', { id });
  expect(answer.structured.sources).toMatchObject([{ hint: 'pending_too_long' }]);
  expect(answer.nextCalls).toEqual([]);
  const young = harness.sandbox.addDocument({ ...pending, updatedAt: new Date().toISOString() });
  const { nextCalls } = await harness.call('get_source', { id: young.id });
  expect(nextCalls.map(({ tool }) => tool)).toEqual(['wait_for_sources']);
});
