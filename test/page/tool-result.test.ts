import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import {
  afterCall,
  callsAfter,
  callsForOthers,
  chosenRows,
  copyOf,
  countByStatus,
  duration,
  endingOf,
  headlineOf,
  sharedAdvice,
  unlistedText,
} from '../../src/page/table.ts';
import { type Overview, readDraft, readResult } from '../../src/page/tool-result.ts';
import type { SandboxOptions } from '../../src/sandbox/sandbox-server.ts';
import { errorResult } from '../../src/tools/call.ts';
import type { NextCall } from '../../src/tools/next-calls.ts';
import { type Harness, Stops, startHarness } from '../harness.ts';

/* Reads the server's own results as the page does, and carries out the calls that it offers. */

const stops = new Stops();
afterEach(() => stops.run());

async function start(options: SandboxOptions = {}): Promise<Harness> {
  return stops.use(await startHarness({ folders: true, parallelJobs: 2_000, ...options }));
}

/** The overview of the page, and the calls that it offers. */
interface Known {
  readonly overview: Overview;
  readonly nextCalls: readonly NextCall[];
}

async function call({ client }: Harness, name: string, input: object): Promise<Known> {
  const result = await client.callTool({ name, arguments: { ...input } });
  const { overview, nextCalls } = readResult(result, { ...input });
  if (overview === undefined) throw new Error('The result has nothing for the table.');
  return { overview, nextCalls };
}

/** Presses the button of this tool. */
async function press(harness: Harness, { overview, nextCalls }: Known, tool: string) {
  const next = callOf(nextCalls, tool);
  const result = await call(harness, tool, next.arguments);
  return {
    overview: afterCall(overview, next, result.overview),
    nextCalls: callsAfter(nextCalls, next, result.nextCalls),
  };
}

function callOf(nextCalls: readonly NextCall[], tool: string): NextCall {
  const found = nextCalls.find((next) => next.tool === tool);
  if (found === undefined) throw new Error(`There is no call of ${tool}.`);
  return found;
}

const urls = (count: number) =>
  Array.from({ length: count }, (_, index) => `https://many.example/page-${index}`);
const countsIn = (overview: Overview) => Object.fromEntries(countByStatus(overview));
const QUICK = { pendingMs: 1, workingMs: 1 };

test('a dry run is told from its input, and proposes the same call in earnest', async () => {
  const input = { links: ['https://help.larkspur.example'], include: ['/billing/**'] };
  const { overview, nextCalls } = await call(await start(), 'ingest_site', {
    ...input,
    dryRun: true,
  });
  expect(headlineOf(overview)).toBe('Dry run: 10 pages, nothing queued yet');
  expect(countsIn(overview)).toEqual({ selected: 10 });
  expect(nextCalls).toMatchObject([{ tool: 'ingest_site', arguments: input }]);
});

test('every page of a report is one row, or one of those that are only counted', async () => {
  const harness = await start({
    jobs: ({ url }) => ({ ...QUICK, ...(url?.endsWith('0') && { error: 'No usable content' }) }),
  });
  for (const count of [10, 1_000]) {
    const { overview } = await call(harness, 'ingest_and_wait', { documentIdsToAdd: urls(count) });
    expect(countsIn(overview)).toEqual({ completed: count * 0.9, failed: count / 10 });
    const listed = overview.rows.map(({ url }) => url);
    expect(new Set(listed).size).toBe(listed.length);
    // Failures are listed before anything is left out.
    const failed = overview.rows.filter(({ status }) => status === 'failed');
    expect(failed).toHaveLength(count / 10);
    for (const row of failed) {
      expect(row).toMatchObject({ reason: 'No usable content', advice: expect.any(String) });
    }
    expect(overview.unlisted.size).toBe(count === 10 ? 0 : 1);
    // Advice for few stands at their rows alone.
    expect([...sharedAdvice(overview).values()]).toEqual(count === 10 ? [] : [count / 10]);
    expect(headlineOf(overview)).toBe(
      `${count * 0.9} of ${count.toLocaleString('en-US')} pages completed`,
    );
  }
});

test('what still runs is waited for by the call that is offered', async () => {
  let isSlow = true;
  const harness = await start({ jobs: () => ({ ...QUICK, workingMs: isSlow ? 1_500 : 1 }) });
  let known = await call(harness, 'ingest_and_wait', {
    ...{ documentIdsToAdd: urls(100), timeoutSeconds: 1 },
  });
  isSlow = false;
  expect(countsIn(known.overview)).toEqual({ unfinished: 100 });
  known = await press(harness, known, 'wait_for_sources');
  expect(countsIn(known.overview)).toEqual({ completed: 100 });
  expect(known.overview.rows.map(({ url }) => url)).toEqual(urls(100));
  expect(known.nextCalls.map(({ tool }) => tool)).not.toContain('wait_for_sources');
});

test('generating drafts from what an import completed keeps what it was', async () => {
  const harness = await start({
    jobs: ({ url }) => ({ ...QUICK, ...(url?.endsWith('-0') && { error: 'Timeout' }) }),
    knowledgeJobs: ({ url }) => (url?.endsWith('-1') ? { hcArticleId: null } : { ...QUICK }),
  });
  const before = await call(harness, 'ingest_and_wait', { documentIdsToAdd: urls(4) });
  const now = await press(harness, before, 'generate_knowledge');
  expect(countsIn(now.overview)).toEqual({ failed: 1, nothing_made: 1, drafted: 2 });
  expect(headlineOf(now.overview)).toBe('3 of 4 pages completed, 2 drafted');
  expect(now.overview.rows.map(({ url }) => url)).toEqual(
    before.overview.rows.map(({ url }) => url),
  );
  // Earlier failures can still be tried again, and drafts are not made twice.
  const tools = now.nextCalls.map(({ tool }) => tool);
  expect(tools).toContain('ingest_and_wait');
  expect(tools).not.toContain('generate_knowledge');
});

test('drafts of a large batch take several calls, and nothing else is taken for one of them', async () => {
  const harness = await start({
    jobs: () => QUICK,
    knowledgeJobs: ({ url }) => ({ ...QUICK, ...(url?.endsWith('-0') && { error: 'Overloaded' }) }),
  });
  const before = await call(harness, 'ingest_and_wait', { documentIdsToAdd: urls(202) });
  let { overview } = before;
  const left = [callOf(before.nextCalls, 'generate_knowledge')];
  const sizes: number[] = [];
  for (let next = left.shift(); next !== undefined; next = left.shift()) {
    const answer = await harness.client.callTool({ name: next.tool, arguments: next.arguments });
    const result = readResult(answer, next.arguments);
    if (result.overview === undefined) throw new Error('The result has nothing for the table.');
    sizes.push(result.overview.rows.length);
    overview = afterCall(overview, next, result.overview);
    left.push(...callsForOthers(next, result));
  }
  expect(sizes).toEqual([100, 100, 2]);
  expect(countsIn(overview)).toEqual({ failed: 1, drafted: 201 });
});

test('a draft is read by the title and the text of its article', async () => {
  const harness = await start();
  const before = await call(harness, 'ingest_and_wait', { documentIdsToAdd: urls(1) });
  const { overview } = await press(harness, before, 'generate_knowledge');
  const articleIds = overview.rows.flatMap(({ articleId }) => articleId ?? []);
  const read = async (ids: readonly string[]) =>
    readDraft(
      await harness.client.callTool({ name: 'get_articles', arguments: { articleIds: ids } }),
    );
  const [article] = harness.sandbox.articles();
  expect(await read(articleIds)).toEqual({ title: article?.title, text: article?.mainKnowledge });
  expect(await read(overview.rows.flatMap(({ id }) => id ?? []))).toMatchObject({
    ...{ title: '', text: expect.stringMatching(/no(t| article)/) },
  });
  const long = { articles: [{ title: 'A', mainKnowledge: 'text', nextOffset: 4 }] };
  expect(readDraft({ structuredContent: long })).toEqual({ title: 'A', text: 'text…' });
});

test('the notice after a call says what became of its items', () => {
  const read = (statuses: readonly string[]) =>
    readResult(
      { structuredContent: { sources: statuses.map((status, id) => ({ status, id: `${id}` })) } },
      {},
    ).overview ?? null;
  const ending = (before: readonly string[], after: readonly string[]) => {
    const now = read(after);
    return now && endingOf(read(before), now);
  };
  expect(ending(['failed', 'failed'], ['completed', 'failed'])).toBe(
    'Done: 1 completed, 1 failed again.',
  );
  expect(ending(['completed', 'completed'], ['drafted', 'failed'])).toBe(
    'Done: 1 drafted, 1 failed.',
  );
  expect(ending(['unfinished', 'failed'], ['unfinished'])).toBe('1 running.');
});

test.each([
  [0.4, '0.4 s'],
  [59, '59 s'],
  [110.3, '1 min 50 s'],
  [3_600, '60 min 0 s'],
])('%s seconds are %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words);
});

test('a page with a URL that is too long to be shown stays one row when it is tried again', async () => {
  let isDown = true;
  const harness = await start({
    jobs: () => ({ ...QUICK, ...(isDown && { error: 'Timeout' }) }),
  });
  const { id } = harness.sandbox.addDocument({
    ...{ originalUrl: `https://a.example/${'x'.repeat(3_000)}`, success: false, error: 'Timeout' },
    paragraphs: [],
  });
  const before = await call(harness, 'wait_for_sources', { ids: [id] });
  isDown = false;
  const now = await press(harness, before, 'ingest_and_wait');
  expect(now.overview.rows.map((row) => [row.id, row.status])).toEqual([[id, 'completed']]);
});

test('an error has its message, and the calls that may help', () => {
  const next = { tool: 'wait_for_sources', arguments: { ids: ['x'] }, why: 'Wait for it' };
  const error = { message: 'Fini is away.', nextCalls: [next] };
  const expected = { ...error, isError: true, overview: undefined };
  expect(readResult(errorResult(error), {})).toMatchObject(expected);
  const alone = { message: 'The key lacks scope write.', nextCalls: [] };
  expect(readResult(errorResult(alone), {})).toMatchObject({ ...alone, isError: true });
  const odd = { structuredContent: { nextCalls: [next, { tool: 'a', why: 'b' }, null] } };
  expect(readResult(odd, {}).nextCalls).toEqual([next]);
});

describe('a long answer', () => {
  const rows = (count: number, status: string, from = 0) =>
    Array.from({ length: count }, (_, index) => ({ id: `${from + index}`, status }));
  const read = (data: object, input = {}) => {
    const { overview } = readResult({ structuredContent: data }, input);
    if (overview === undefined) throw new Error('There is no overview.');
    return overview;
  };
  const long = {
    ...{ message: 'm', batch: 'b7Q4M2', counts: { submitted: 9, failed: 2, unfinished: 7 } },
    ...{ omitted: { sources: 4 }, sources: [...rows(2, 'failed'), ...rows(3, 'unfinished', 2)] },
  };
  const wait = { tool: 'wait_for_sources', arguments: { batch: 'b7Q4M2' }, why: 'Wait' };

  test('counts what it leaves out by status', () => {
    expect(countsIn(read(long))).toEqual({ failed: 2, unfinished: 7 });
    const plan = { omitted: { sources: 5 }, sources: rows(2, 'selected') };
    expect(countsIn(read(plan, { dryRun: true }))).toEqual({ selected: 7 });
  });

  test('says how many of each status are not listed, and counts their advice', () => {
    const hints = [{ hint: 'page_missing', advice: 'Check its URL.', count: 20 }];
    const sources = rows(3, 'failed').map((row) => ({ ...row, hint: 'page_missing' }));
    const counts = { submitted: 1_020, completed: 1_000, failed: 20 };
    const overview = read({ hints, counts, sources, omitted: { sources: 1_017 } });
    expect(unlistedText(overview.unlisted)).toBe(
      '1,000 more completed, 17 more failed; not listed here: ask the assistant for them.',
    );
    expect([...sharedAdvice(overview)]).toEqual([['Check its URL.', 20]]);
    expect(unlistedText(new Map())).toBe('');
  });

  test('is counted once when its batch was waited for', () => {
    const counts = { submitted: 9, failed: 2, completed: 7 };
    const whole = {
      batch: 'b7Q4M2',
      counts,
      sources: [...rows(2, 'failed'), ...rows(7, 'completed', 2)],
    };
    expect(countsIn(afterCall(read(long), wait, read(whole)))).toEqual({ failed: 2, completed: 7 });
    const part = { ...whole, omitted: { sources: 6 }, sources: whole.sources.slice(0, 3) };
    expect(countsIn(afterCall(read(long), wait, read(part)))).toEqual({ failed: 2, completed: 7 });
  });
});

test('a call that was made is not offered again, unless its answer proposes it', () => {
  const wait = { tool: 'wait_for_sources', arguments: { ids: ['1'] }, why: 'Wait for 2' };
  const retry = { tool: 'ingest_and_wait', arguments: { documentIdsToAdd: ['2'] }, why: 'Again' };
  const renamed = { ...wait, why: 'Wait for 1' };
  expect(callsAfter([wait, retry], wait, [])).toEqual([retry]);
  expect(callsAfter([wait, retry], wait, [renamed])).toEqual([renamed, retry]);
  expect(callsAfter([wait, retry], retry, [renamed])).toEqual([renamed]);
});

test('rows are copied as lines with tabs', () => {
  const rows = [
    { status: 'failed', url: 'https://a.example/', title: 'A', reason: 'Timeout' },
    { status: 'not_found', input: 'x' },
  ];
  expect(copyOf(rows)).toBe('https://a.example/\tFailed\tTimeout\nx\tNot found');
});

test.each(['constructor', '__proto__', 'toString'])('a status or a job may be %s', (word) => {
  const sources = [
    { status: 'unfinished', id: 'x', jobStatus: word, hint: word },
    { status: word, id: 'y' },
  ];
  const { overview } = readResult({ structuredContent: { counts: {}, sources } }, {});
  expect(overview?.rows).toMatchObject([{ reason: word, advice: undefined }, { status: word }]);
  expect(overview && countByStatus(overview).get(word)).toBe(1);
});

test('anything at all is read without a fault', () => {
  const scrap = fc.object({
    key: fc.constantFrom(
      ...['outcome', 'counts', 'sources', 'message', 'hints', 'omitted', 'batch'],
      ...['nextCalls', 'tool', 'arguments', 'why', 'status', 'hint', 'id', 'originalUrl'],
    ),
  });
  fc.assert(
    fc.property(scrap, (structuredContent) => {
      const { overview } = readResult({ structuredContent }, {});
      if (overview === undefined) return;
      expect(headlineOf(overview)).toEqual(expect.any(String));
      chosenRows(overview.rows, {
        ...{ status: null, search: 'a', sorting: { column: 'page', up: true } },
      });
    }),
  );
  for (const result of [undefined, null, 1, [], {}, { structuredContent: [] }]) {
    expect(readResult(result, {})).toMatchObject({ overview: undefined, message: '' });
  }
});
