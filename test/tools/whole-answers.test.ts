import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, startHarness, type ToolAnswer } from '../harness.ts';
import { nextCallsOf } from '../next-calls.ts';
import { addExamples, EXAMPLE_CASES } from './examples.ts';

/*
 * An answer is complete, however much there is to say: it has everything, or says how much it leaves
 * out and proposes the call that shows the rest. Clients hide larger answers from their model.
 */

/** Largest answer, in bytes of structured content; its text is about as long. */
const LARGEST = 60_000;
const LARGEST_TEXT = 66_000;

const LONG = 'Ünlesbar: the page answered with a very long error. '.repeat(30);
const FLAGS = ['--allow-delete', '--allow-publish'];
const urls = (count: number, part: string) =>
  Array.from(
    { length: count },
    (_, index) => `https://big.example/${part}/${index}/${'x'.repeat(80)}`,
  );

let harness: Harness;
beforeAll(async () => {
  const failing = { pendingMs: 0, workingMs: 0, status: 'FAILED', error: LONG } as const;
  harness = await startHarness(
    {
      folders: true,
      parallelJobs: 2_000,
      jobs: ({ url }) => (url?.includes('/fails/') ? failing : { pendingMs: 0, workingMs: 0 }),
    },
    {},
    FLAGS,
  );
});
afterAll(() => harness.close());

function expectInBounds({ structured, text }: ToolAnswer): void {
  expect(Buffer.byteLength(JSON.stringify(structured))).toBeLessThanOrEqual(LARGEST);
  expect(Buffer.byteLength(text)).toBeLessThanOrEqual(LARGEST_TEXT);
  expect(text.startsWith(structured.message)).toBe(true);
}

const add = (count: number, fields: object = {}) =>
  urls(count, 'known').map(
    (originalUrl) => harness.sandbox.addDocument({ originalUrl, title: LONG, ...fields }).id,
  );

/** A call, the number of items in its answer, and the tool of the call that shows the rest. */
type Case = [tool: string, list: string, count: number, rest: string, input: () => object];

const cases: Case[] = [
  ['delete_sources', 'sources', 1_000, 'list_sources', () => ({ documentIds: add(1_000) })],
  ['refresh_sources', 'sources', 1_000, 'wait_for_sources', () => ({ documentIds: add(1_000) })],
  [
    ...(['register_provider_resources', 'sources', 1_000, 'list_sources'] as const),
    () => ({
      provider: 'notion',
      resources: urls(1_000, 'new').map((originalUrl, index) => {
        return {
          externalId: `${index}`,
          title: LONG.slice(0, 200),
          originalUrl,
          mimeType: 'text/html',
        };
      }),
    }),
  ],
  ['generate_knowledge', 'sources', 100, 'list_sources', () => ({ documentIds: add(100) })],
  [
    ...(['ingest_and_wait', 'sources', 500, 'list_sources'] as const),
    () => ({ documentIdsToAdd: urls(500, 'fails') }),
  ],
];

test.each(cases)(
  '%s: its %s, listed or left out, are %i in all',
  async (tool, list, count, rest, input) => {
    const answer = await harness.call(tool, { ...input() });
    expectInBounds(answer);
    const { structured } = answer;
    const omitted = structured.omitted?.[list] ?? 0;
    expect(structured[list].length + omitted).toBe(count);
    if (omitted > 0) expect(nextCallsOf(answer, rest).length).toBeGreaterThan(0);
    // Failures are the last to be left out.
    const isBad = ({ status }: { status: string }) =>
      status === 'failed' || status === 'not_deleted';
    if (structured.counts?.failed > 0) expect(structured[list].every(isBad)).toBe(true);
  },
);

describe('pages', () => {
  /** Follows the calls of the same tool until every item was seen. */
  async function walk(tool: string, first: object, list: string): Promise<string[]> {
    const seen = new Set<string>();
    const calls: Record<string, unknown>[] = [{ ...first }];
    for (let made = 0; made < 60; made += 1) {
      const input = calls.shift();
      if (input === undefined) break;
      const answer = await harness.call(tool, input);
      expectInBounds(answer);
      expect(answer.structured.omitted).toBeUndefined();
      for (const { id } of answer.structured[list]) seen.add(id);
      calls.push(...nextCallsOf(answer, tool));
    }
    return [...seen].toSorted();
  }

  test('100 failed pages with long errors and hints are all seen by following list_sources', async () => {
    const failed = { linkedJobStatus: 'FAILED', success: false, error: LONG, source: 'confluence' };
    const ids = add(100, failed);
    const first = { source: 'confluence', status: 'failed', limit: 100 };
    expect(await walk('list_sources', first, 'sources')).toEqual(ids.toSorted());
  });

  test('20 long articles are all seen by following get_articles', async () => {
    const long = {
      title: LONG,
      agentInstruction: LONG,
      escalation: LONG,
      mainKnowledge: 'x'.repeat(3_000),
    };
    const articleIds = Array.from(
      { length: 20 },
      () => harness.sandbox.addArticle({ ...long, questions: Array<string>(20).fill(LONG) }).id,
    );
    expect(await walk('get_articles', { articleIds }, 'articles')).toEqual(articleIds.toSorted());
  });
});

test.each(EXAMPLE_CASES)(
  '%s proposes only calls that are right, of tools that are listed',
  async (tool, { input }) => {
    const fresh = await startHarness({ folders: true }, {}, FLAGS);
    addExamples(fresh.sandbox);
    const { structured, text } = await fresh.call(tool, input);
    const names = (await fresh.client.listTools()).tools.map(({ name }) => name);
    for (const { tool: next, arguments: given, why } of structured.nextCalls ?? []) {
      expect(names).toContain(next);
      expect(why).toMatch(/^[A-Z].*[^.]$/);
      expect(text).toContain(`- ${why}: ${next} {`);
      const answer = await fresh.call(next, given);
      expect(answer.text).not.toMatch(/The input of .* is wrong/);
    }
    // The message itself contains no call.
    expect(structured.message).not.toMatch(/\{"|\bcall \w+_/);
    await fresh.close();
  },
);
