import type { Progress } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, describe, expect, test } from 'vitest';
import type { SandboxArticle, SandboxOptions } from '../../src/sandbox/sandbox-server.ts';
import { eventually, type Harness, Stops, startHarness, type ToolAnswer } from '../harness.ts';
import { nextCall, nextCallsOf } from '../next-calls.ts';
import type { FaultAction } from '../scripted-sandbox.ts';

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
    const paragraphs = ['A refund takes five days from the moment you ask for it.'];
    return sandbox.addDocument({ title, originalUrl, paragraphs, ...given }).id;
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

describe('a workspace', () => {
  const TREE = /hc-folders/;
  const AGENT = { id: 'b1', name: 'Chat', createdAt: '2026-01-01T00:00:00.000Z' };

  test('without folders is told before any job, and what to do', async () => {
    const harness = await start({ folders: false });
    const documentIds = sourcesIn(harness, 2);
    const answer = await harness.call('generate_knowledge', { documentIds });
    expect(answer.isError).toBe(true);
    expect(answer.text).toMatch(
      /^Nothing was queued\. This workspace has no folders.*[Cc]reate folders.*dashboard/,
    );
    expect(nextCall(answer, 'get_knowledge_tree')).toEqual({});
    expect(nextCall(answer, 'generate_knowledge')).toEqual({ documentIds });
    expect(queueings(harness)).toHaveLength(0);
    expect(harness.sandbox.requests.filter(({ path }) => TREE.test(path))).toHaveLength(1);
  });

  test('whose agent has no folder is told the same of the agent, whatever form its ID has', async () => {
    const harness = await start({ agents: [{ ...AGENT, folders: [] }] });
    const documentIds = sourcesIn(harness, 1);
    const input = { documentIds, botId: ' "b1" ' };
    const answer = await harness.call('generate_knowledge', input);
    expect(answer.text).toMatch(/^Nothing was queued\. No folder is assigned to this agent/);
    expect(queueings(harness)).toHaveLength(0);
  });

  test('whose agent has folders gets drafts, whatever form its ID has', async () => {
    const harness = await start({ agents: [AGENT] });
    const documentIds = sourcesIn(harness, 1);
    const { structured } = await harness.call('generate_knowledge', { documentIds, botId: 'b1' });
    expect(structured.outcome).toBe('completed');
    expect(queueings(harness)[0]?.body).toMatchObject({ botId: 'b1' });
  });

  test('has no agent with an ID longer than any that is shown', async () => {
    const harness = await start();
    const documentIds = sourcesIn(harness, 1);
    const input = { documentIds, botId: 'b'.repeat(65) };
    const { text } = await harness.call('generate_knowledge', input);
    expect(text).toMatch(/botId must be an agent's ID/);
    expect(harness.sandbox.requests).toHaveLength(0);
  });

  test.each<[what: string, action: FaultAction]>([
    ['refused', { kind: 'status', status: 403 }],
    ['failing', { kind: 'status', status: 500 }],
    ['of something else', { kind: 'status', status: 200, body: { id: 't' } }],
  ])(
    'whose tree is %s gets its jobs, and folders are said to be unknown',
    async (_what, action) => {
      const harness = await start({ knowledgeJobs: () => ({ hcArticleId: null }) });
      const documentIds = sourcesIn(harness, 2);
      const times = Number.POSITIVE_INFINITY;
      harness.sandbox.script({ path: TREE, times, action });
      const answer = await harness.call('generate_knowledge', { documentIds });
      expect(queueings(harness)).toHaveLength(1);
      expect(answer.structured).toMatchObject({
        ...{ outcome: 'failed', counts: { nothing_made: 2 } },
        hints: [{ hint: 'no_draft', advice: expect.stringMatching(/unknown.*folders/), count: 2 }],
      });
      expect(nextCall(answer, 'get_knowledge_tree')).toEqual({});
    },
  );

  test('with folders is not said to have none where nothing was made', async () => {
    const harness = await start({ knowledgeJobs: () => ({ hcArticleId: null }) });
    const documentIds = sourcesIn(harness, 2);
    const answer = await harness.call('generate_knowledge', { documentIds });
    expect(answer.structured.hints).toMatchObject([{ hint: 'nothing_new', count: 2 }]);
    expect(nextCallsOf(answer, 'get_knowledge_tree')).toEqual([]);
  });

  test('whose folders are gone when a wait ends is told so', async () => {
    const script = { workingMs: 1_500, hcArticleId: null };
    const harness = await start({ knowledgeJobs: () => script });
    const documentIds = sourcesIn(harness, 1);
    const first = await harness.call('generate_knowledge', { documentIds, timeoutSeconds: 1 });
    const body = { snapshotObjV2: [] };
    harness.sandbox.script({ path: TREE, times: 9, action: { kind: 'status', status: 200, body } });
    const { structured } = await harness.call(
      'generate_knowledge',
      nextCall(first, 'generate_knowledge'),
    );
    expect(structured.hints).toMatchObject([
      { hint: 'no_folders', advice: expect.stringMatching(/no folders/), count: 1 },
    ]);
  });
});

describe('a draft that a person should look at first', () => {
  type Drafted = { status: string; warnings?: string[] };
  const warningsOf = (answer: ToolAnswer) =>
    answer.structured.sources.map(({ warnings }: Drafted) => warnings);

  test('has a text of a few characters', async () => {
    const harness = await start();
    const documentIds = [
      ...sourcesIn(harness, 1),
      ...sourcesIn(harness, 1, { title: 'X', paragraphs: ['Test'] }),
    ];
    const answer = await harness.call('generate_knowledge', { documentIds });
    expect(answer.structured).toMatchObject({
      outcome: 'completed',
      message: expect.stringMatching(/2 of 2 drafted.* 1 draft has warnings/),
    });
    expect(warningsOf(answer)[1]).toContainEqual('Its text has only 4 characters.');
    expect(answer.text).toContain('Its text has only 4 characters.');
  });

  test.each([
    ['UPDATE_ARTICLE', 'is a new article', (): Partial<SandboxArticle> => ({})],
    [
      'ADD_ARTICLE_TO_FOLDER',
      'updates an article',
      ({ sandbox }: Harness): Partial<SandboxArticle> => {
        return { originalArticleId: sandbox.addArticle({}).id };
      },
    ],
  ] as const)('is not what %s allows', async (operation, what, fields) => {
    const harness = await start();
    const { id } = harness.sandbox.addArticle({
      ...{ isDraftPublished: false, mainKnowledge: 'A text that is long enough. '.repeat(9) },
      ...fields(harness),
    });
    const rewrite = (answer: unknown) => ({
      jobs: [{ ...Object(answer).jobs[0], jobStatus: 'COMPLETED', hcArticleId: id }],
    });
    const action = { kind: 'rewrite', rewrite } as const;
    harness.sandbox.script({ path: STATUS, times: 9, action });
    const documentIds = sourcesIn(harness, 1);
    const restrictedOps = [operation];
    const answer = await harness.call('generate_knowledge', { documentIds, restrictedOps });
    const [warnings] = warningsOf(answer);
    expect(warnings).toEqual([expect.stringMatching(new RegExp(`^It ${what}, .*not allowed`))]);
    // The batch of the call knows what was allowed.
    const again = await harness.call('generate_knowledge', { batch: answer.structured.batch });
    expect(warningsOf(again)).toEqual([warnings]);
    const free = await harness.call('generate_knowledge', { documentIds });
    expect(warningsOf(free)).toEqual([undefined]);
  });

  test('stands beside one of the same article, or with the same title, that waits already', async () => {
    const harness = await start();
    const { sandbox } = harness;
    const live = sandbox.addArticle({ title: 'Returns' });
    const update = { title: 'Other words', isDraftPublished: false, originalArticleId: live.id };
    const waiting = sandbox.addArticle(update);
    sandbox.addArticle({ ...update, id: crypto.randomUUID(), isDraftPublished: true });
    const documentIds = [
      ...sourcesIn(harness, 1, { linkedKnowledgeId: live.id }),
      ...sourcesIn(harness, 1, { title: 'Brand new', originalUrl: 'https://d.example/new' }),
    ];
    const first = await harness.call('generate_knowledge', { documentIds });
    expect(warningsOf(first)).toEqual([
      [`Another draft of the same article waits for review: ${waiting.id}.`],
      undefined,
    ]);
    const again = await harness.call('generate_knowledge', { documentIds: documentIds.slice(1) });
    const before = first.structured.sources[1].articleId;
    expect(warningsOf(again)).toEqual([
      [`Another draft with the same title waits for review: ${before}.`],
    ]);
  });

  test('is read by its ID where the list of drafts cannot be read', async () => {
    const harness = await start();
    const documentIds = sourcesIn(harness, 1, { paragraphs: ['Test'] });
    harness.sandbox.script({ path: /public\?type=/, times: 9, action: { kind: 'endless' } });
    const answer = await harness.call('generate_knowledge', { documentIds });
    expect(warningsOf(answer)).toEqual([['Its text has only 4 characters.']]);
    expect(answer.structured.message).toMatch(/unknown whether other drafts .* wait/);
  });

  test('is not found by Fini, or cannot be checked', async () => {
    const harness = await start();
    const documentIds = sourcesIn(harness, 1);
    const none = { kind: 'status', status: 200, body: [] } as const;
    harness.sandbox.script({ path: /hc-articles/, times: 9, action: none });
    const answer = await harness.call('generate_knowledge', { documentIds });
    expect(warningsOf(answer)).toEqual([[expect.stringMatching(/^Fini does not find it/)]]);
    harness.sandbox.clearFaults();
    const fault = { kind: 'status', status: 404 } as const;
    harness.sandbox.script({ path: /hc-articles/, times: 9, action: fault });
    const other = await harness.call('generate_knowledge', { documentIds });
    expect(other.structured.outcome).toBe('completed');
    expect(other.structured.message).toMatch(/1 draft could not be checked/);
    expect(warningsOf(other)).toEqual([undefined]);
  });

  test('costs one request where all is well', async () => {
    const harness = await start();
    await harness.call('generate_knowledge', { documentIds: sourcesIn(harness, 3) });
    const reads = harness.sandbox.requests.filter(({ path }) => /hc-articles/.test(path));
    expect(reads.map(({ path }) => path)).toEqual(['/v2/hc-articles/public?type=draft']);
  });
});

test('what cannot become an article is not proposed again', async () => {
  const harness = await start({
    knowledgeJobs: ({ url }) => ({
      error: url?.endsWith('/empty') ? 'The source holds no usable content' : 'The model refused',
    }),
  });
  const empty = { originalUrl: 'https://d.example/empty' };
  const [full = '', none = ''] = [...sourcesIn(harness, 1), ...sourcesIn(harness, 1, empty)];
  const documentIds = [full, none];
  const answer = await harness.call('generate_knowledge', { documentIds });
  expect(nextCallsOf(answer, 'generate_knowledge')).toEqual([{ documentIds: [full] }]);
  const restrictedOps = ['DO_NOTHING'];
  const nothing = await harness.call('generate_knowledge', { documentIds, restrictedOps });
  expect(nextCallsOf(nothing, 'generate_knowledge')).toEqual([]);
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
