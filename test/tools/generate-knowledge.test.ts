import type { Progress } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, describe, expect, test } from 'vitest';
import type { SandboxOptions } from '../../src/sandbox/sandbox-server.ts';
import { eventually, type Harness, Stops, startHarness } from '../harness.ts';
import { nextCall } from '../next-calls.ts';

const stops = new Stops();
afterEach(() => stops.run());

async function start(
  options: SandboxOptions = {},
  environment: Record<string, string> = {},
): Promise<Harness> {
  return stops.use(await startHarness({ folders: true, ...options }, environment));
}

const BULK = /\/knowledge\/public\/bulk$/;
const STATUS = /\/jobs\/status$/;
const queueings = ({ sandbox }: Harness) =>
  sandbox.requests.filter(({ method, path }) => method === 'POST' && BULK.test(path));

/** Adds sources to a workspace: ingested web pages, unless the fields say otherwise. */
function sourcesIn({ sandbox }: Harness, count: number, given: object = {}): string[] {
  return Array.from({ length: count }, (_, index) => {
    const title = `How refunds work, part ${index}`;
    const originalUrl = `https://d.example/refunds/${index}`;
    return sandbox.addDocument({ title, originalUrl, ...given }).id;
  });
}

test('makes drafts, names each, and says how to read them and that they are not live', async () => {
  const harness = await start();
  const ids = sourcesIn(harness, 3);
  const answer = await harness.call('generate_knowledge', {
    documentIds: ids,
    instructions: 'Be brief.',
  });
  const { structured, text, isError } = answer;
  expect(isError).toBe(false);
  expect(structured.outcome).toBe('completed');
  expect(structured.counts).toMatchObject({ submitted: 3, drafted: 3 });
  expect(structured.sources.map(({ id }: { id: string }) => id)).toEqual(ids);
  const drafts = harness.sandbox.articles().filter((one) => one.isDraftPublished === false);
  const articleIds = structured.sources.map((one: { articleId: string }) => one.articleId);
  expect(articleIds.toSorted()).toEqual(drafts.map(({ id }) => id).toSorted());
  expect(nextCall(answer, 'get_articles')).toEqual({ articleIds });
  expect(text).toMatch(/^completed: 3 of 3 drafted/);
  expect(text).toMatch(/Drafts are not live/);
  for (const id of [...ids, ...articleIds]) expect(text).toContain(id);
  expect(queueings(harness)).toHaveLength(1);
  expect(queueings(harness)[0]?.body).toMatchObject({
    documentIds: ids,
    origin: 'sources',
    isDraft: true,
    instructions: 'Be brief.',
  });
});

test('nothing made, failed and without a job: each source once, with its reason', async () => {
  const harness = await start({
    knowledgeJobs: ({ url }) => {
      if (url?.endsWith('/0')) return { hcArticleId: null };
      if (url?.endsWith('/1')) return { error: 'The model refused' };
      return url?.endsWith('/2') ? { drop: true } : undefined;
    },
  });
  const ids = sourcesIn(harness, 4);
  const { structured, text, nextCalls } = await harness.call('generate_knowledge', {
    documentIds: ids,
  });
  expect(structured.outcome).toBe('partial');
  expect(structured.counts).toEqual({
    ...{ submitted: 4, drafted: 1, nothing_made: 1, failed: 1, unfinished: 0, unqueued: 1 },
  });
  expect(structured.sources).toMatchObject([
    { status: 'nothing_made', hint: 'nothing_new' },
    { status: 'failed', error: 'The model refused' },
    { status: 'unqueued', hint: 'no_job' },
    { status: 'drafted' },
  ]);
  const again = nextCalls.filter(({ tool }) => tool === 'generate_knowledge');
  expect(again.map((call) => call.arguments)).toEqual([
    { documentIds: [ids[1]] },
    { documentIds: [ids[2]] },
  ]);
  expect(text).toContain('"The model refused"');
});

test('without a folder tree nothing is made, which is no success', async () => {
  const harness = await start({ folders: false });
  const documentIds = sourcesIn(harness, 2);
  const answer = await harness.call('generate_knowledge', { documentIds });
  expect(answer.isError).toBe(true);
  expect(answer.structured).toMatchObject({
    ...{ outcome: 'failed', counts: { nothing_made: 2 } },
    hints: [{ hint: 'no_draft', advice: expect.stringMatching(/no folders yet/), count: 2 }],
  });
  expect(nextCall(answer, 'get_knowledge_tree')).toEqual({});
});

test('sources that are not ready are named with why before anything is sent', async () => {
  const harness = await start();
  const [ready = ''] = sourcesIn(harness, 1);
  const add = (given: object) => harness.sandbox.addDocument(given).id;
  const failed = add({ linkedJobStatus: 'FAILED', error: 'HTTP 404', success: false });
  const running = add({ linkedJobStatus: 'IN_PROGRESS' });
  const never = add({ linkedJobStatus: null, linkedJobId: null, success: null });
  const absent = '00000000-0000-4000-8000-000000000009';
  const documentIds = [ready, failed, running, never, absent];
  const answer = await harness.call('generate_knowledge', { documentIds });
  const { text, isError } = answer;
  expect(isError).toBe(true);
  expect(text).toMatch(/^Nothing was queued\./);
  expect(text).toContain(`Not in this workspace: ${absent}`);
  expect(text).toContain(`Failed to be ingested: ${failed}`);
  expect(nextCall(answer, 'wait_for_sources')).toEqual({ ids: [running] });
  expect(nextCall(answer, 'refresh_sources')).toEqual({ documentIds: [never] });
  expect(nextCall(answer, 'generate_knowledge')).toEqual({ documentIds: [ready] });
  expect(queueings(harness)).toHaveLength(0);
});

test('a source that the key may not read is not said to be absent', async () => {
  const harness = await start();
  const [id = ''] = sourcesIn(harness, 1);
  // Another record is newest in the list, so the source is looked up by its ID.
  harness.sandbox.addDocument({ updatedAt: new Date(Date.now() + 1_000).toISOString() });
  const action = { kind: 'status', status: 403 } as const;
  harness.sandbox.script({ method: 'GET', path: new RegExp(id), action });
  const { structured, text } = await harness.call('generate_knowledge', { documentIds: [id] });
  expect(text).not.toContain('Not in this workspace');
  expect(structured.outcome).toBe('completed');
});

test('URLs are refused, and more than a report can name', async () => {
  const harness = await start();
  const url = await harness.call('generate_knowledge', { documentIds: ['https://d.example/'] });
  expect(url.text).toMatch(/documentIds: \[0\].*are URLs.*list_sources/);
  const ids = Array.from({ length: 101 }, () => crypto.randomUUID());
  const many = await harness.call('generate_knowledge', { documentIds: ids });
  expect([many.isError, many.text.length < 2_000]).toEqual([true, true]);
  expect(harness.sandbox.requests).toHaveLength(0);
});

describe('the same call again', () => {
  test('after a time-out joins the jobs, as it comes next, and queues nothing', async () => {
    const harness = await start({ knowledgeJobs: () => ({ workingMs: 1_800 }) });
    const documentIds = sourcesIn(harness, 2);
    const input = { documentIds, instructions: 'Be brief.', timeoutSeconds: 1 };
    const first = await harness.call('generate_knowledge', input);
    expect(first.structured.outcome).toBe('timed_out');
    const next = nextCall(first, 'generate_knowledge');
    expect(next).toEqual({ batch: first.structured.batch });
    const { structured } = await harness.call('generate_knowledge', next);
    expect(structured.counts).toMatchObject({ submitted: 2, drafted: 2 });
    expect(structured.sources).toMatchObject([{ joined: true }, { joined: true }]);
    expect(queueings(harness)).toHaveLength(1);
    // A source whose job has ended can be generated from again.
    await harness.call('generate_knowledge', { documentIds });
    expect(queueings(harness)).toHaveLength(2);
  });

  test('at once queues each source once', async () => {
    const harness = await start({ knowledgeJobs: () => ({ workingMs: 1_500 }) });
    const ids = sourcesIn(harness, 4);
    const answers = await Promise.all([
      harness.call('generate_knowledge', { documentIds: ids.slice(0, 3) }),
      harness.call('generate_knowledge', { documentIds: ids.slice(1) }),
    ]);
    for (const { structured } of answers) expect(structured.counts.drafted).toBe(3);
    const queued = queueings(harness).flatMap(({ body }) => Object(body).documentIds);
    expect(queued.toSorted()).toEqual(ids.toSorted());
  });

  test('after a cancel joins, and after the cancel nothing more is asked', async () => {
    const harness = await start({ knowledgeJobs: () => ({ workingMs: 1_500 }) });
    const documentIds = sourcesIn(harness, 2);
    const cancel = new AbortController();
    const given = harness.call('generate_knowledge', { documentIds }, { signal: cancel.signal });
    await eventually(() =>
      expect(harness.sandbox.requests.some(({ path }) => STATUS.test(path))).toBe(true),
    );
    cancel.abort();
    await expect(given).rejects.toThrow();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const asked = harness.sandbox.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(harness.sandbox.requests).toHaveLength(asked);
    const { structured } = await harness.call('generate_knowledge', { documentIds });
    expect(structured.counts.drafted).toBe(2);
    expect(queueings(harness)).toHaveLength(1);
  });

  test('after no answer queues nothing for a minute, and says how to check', async () => {
    const harness = await start();
    const documentIds = sourcesIn(harness, 2);
    harness.sandbox.script({
      method: 'POST',
      path: BULK,
      action: { kind: 'reset', when: 'after' },
    });
    const first = await harness.call('generate_knowledge', { documentIds });
    expect(first.isError).toBe(true);
    expect(first.text).toMatch(/did not confirm.*2 sources/);
    expect(nextCall(first, 'list_articles')).toEqual({ type: 'draft' });
    expect(nextCall(first, 'generate_knowledge')).toEqual({ documentIds });
    const again = await harness.call('generate_knowledge', { documentIds });
    expect(again.structured.counts).toMatchObject({ submitted: 2, unqueued: 2 });
    expect(again.structured.sources).toMatchObject([
      { hint: 'maybe_generating' },
      { hint: 'maybe_generating' },
    ]);
    expect(again.structured.message).toMatch(/can be queued again in [1-6]?\d s/);
    expect(queueings(harness)).toHaveLength(1);
  });

  test('after a refusal queues at once', async () => {
    const harness = await start();
    const documentIds = sourcesIn(harness, 1);
    harness.sandbox.script({ method: 'POST', path: BULK, action: { kind: 'status', status: 400 } });
    const first = await harness.call('generate_knowledge', { documentIds });
    expect(first.text).toMatch(/^Nothing was queued\..*HTTP 400/);
    const { structured } = await harness.call('generate_knowledge', { documentIds });
    expect(structured.outcome).toBe('completed');
  });
});

describe('while it waits', () => {
  test.each<[what: string, status: number, times: number]>([
    ['429', 429, 2],
    ['500', 500, 3],
  ])('%s: the wait continues', async (_what, status, times) => {
    const harness = await start();
    const documentIds = sourcesIn(harness, 2);
    const headers = { 'retry-after': '0' };
    const action = { kind: 'status', status, headers } as const;
    harness.sandbox.script({ method: 'POST', path: STATUS, times, action });
    const { structured } = await harness.call('generate_knowledge', { documentIds });
    expect(structured.outcome).toBe('completed');
    expect(queueings(harness)).toHaveLength(1);
  });

  test('one job that Fini does not know loses nothing of the others', async () => {
    const harness = await start();
    const documentIds = sourcesIn(harness, 5);
    const lost = crypto.randomUUID();
    harness.sandbox.script({
      method: 'POST',
      path: BULK,
      action: {
        kind: 'rewrite',
        rewrite: (answer) => {
          const { jobs } = answer as { jobs: { documentId: string; backgroundJobId: string }[] };
          const [first, ...others] = jobs;
          return { jobs: [{ ...first, backgroundJobId: lost }, ...others] };
        },
      },
    });
    const answer = await harness.call('generate_knowledge', { documentIds });
    expect(answer.structured).toMatchObject({
      counts: { submitted: 5, drafted: 4, unfinished: 1 },
      hints: [{ hint: 'lost_job', count: 1 }],
    });
    expect(nextCall(answer, 'list_articles')).toEqual({ type: 'draft' });
  });

  test('an unknown status is unfinished, under its own name', async () => {
    const harness = await start({ knowledgeJobs: () => ({ status: 'PAUSED' }) });
    const documentIds = sourcesIn(harness, 1);
    const input = { documentIds, timeoutSeconds: 1 };
    const { structured } = await harness.call('generate_knowledge', input);
    expect(structured.sources).toMatchObject([{ status: 'unfinished', jobStatus: 'PAUSED' }]);
  });

  test('progress strictly increases and reaches its total at the end', async () => {
    const harness = await start();
    const documentIds = sourcesIn(harness, 4);
    const seen: Progress[] = [];
    const onprogress = (one: Progress) => seen.push(one);
    await harness.call('generate_knowledge', { documentIds }, { onprogress });
    expect(seen.length).toBeGreaterThan(1);
    for (const [index, { progress, total }] of seen.entries()) {
      expect(progress).toBeGreaterThan(seen[index - 1]?.progress ?? 0);
      expect(total).toBe(4);
    }
    expect(seen.at(-1)?.progress).toBe(4);
  });

  test('where the jobs rewrite the status of their sources, it ends all the same', async () => {
    const harness = await start({ knowledgeRewritesJobs: true });
    const documentIds = sourcesIn(harness, 3);
    const { structured } = await harness.call('generate_knowledge', { documentIds });
    expect(structured.outcome).toBe('completed');
  });
});
