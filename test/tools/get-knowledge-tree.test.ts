import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, startHarness } from '../harness.ts';
import { nextCall, nextCallsOf } from '../next-calls.ts';
import { expectFitToShow, HOSTILE } from './showing.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ content: 'lived-in' }, { FINI_WAIT_TIMEOUT_SECONDS: '6' });
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

type Folder = Record<'id' | 'path', string> & { articleCount: number };

const get = (input: Record<string, unknown> = {}) => harness.call('get_knowledge_tree', input);

/** Makes every request return this. */
function answerWith(body: unknown): void {
  const action = { kind: 'rewrite', rewrite: () => body } as const;
  harness.sandbox.script({ method: 'GET', times: Number.POSITIVE_INFINITY, action });
}

test('the folders with their paths, each before those in it, in the text too', async () => {
  const { structured, text } = await get();
  const paths = structured.folders.map(({ path }: Folder) => path);
  expect(paths).toHaveLength(structured.total);
  expect(paths.slice(0, 4)).toEqual([
    'Larkspur',
    'Larkspur › Cities and stores',
    'Larkspur › Legal',
    'Renting',
  ]);
  expect(paths).toContain('Billing › Payments › Refunds');
  expect(structured.message).toBe(
    `${structured.total} folders. This is a snapshot of ${structured.updatedAt} and may be stale.`,
  );
  const live = harness.sandbox.articles().filter((one) => one.isDraftPublished === null);
  for (const { id, articleCount } of structured.folders) {
    const inIt = live.filter(({ parentFolderId }) => parentFolderId === id);
    expect(articleCount).toBe(inIt.length);
  }
  const lines = structured.folders.map(
    ({ id, path, articleCount }: Folder) =>
      `- ${id}: path ${/^\w+$/.test(path) ? path : `"${path}"`}, articleCount ${articleCount}`,
  );
  expect(text).toBe([structured.message, ...lines].join('\n'));
});

test('the folders of one agent', async () => {
  const { structured: agents } = await harness.call('list_agents');
  const { id: botId } = agents.agents[0];
  const { structured } = await get({ botId: ` "${botId}" ` });
  const paths = structured.folders.map(({ path }: Folder) => path);
  expect(paths.some((path: string) => path.startsWith('Renting'))).toBe(false);
  expect(paths).toContain('Team › Playbooks');
  expect(structured.message).toMatch(/^\d+ folders assigned to this agent\. /);
  expect(harness.sandbox.requests.at(-1)?.path).toBe(`/v2/hc-folders/public?botId=${botId}`);
});

describe('without folders', () => {
  test.each<[what: string, body: unknown]>([
    ['no tree', null],
    ['no snapshot', { id: 't', snapshotObjV2: null }],
    ['an empty one', { id: 't', snapshotObjV2: [] }],
  ])('%s: generating needs one first', async (_what, body) => {
    answerWith(body);
    const { structured, text, isError } = await get();
    expect(isError).toBe(false);
    expect(structured).toMatchObject({ total: 0, folders: [] });
    expect(structured.message).toMatch(
      /^This workspace has no folder tree\. Generating articles from sources needs one first: create folders .* dashboard\. The tree is a snapshot/,
    );
    expect(text).toBe(structured.message);
  });

  test('for an agent, it says that none is assigned', async () => {
    const body = { snapshotObjV2: [] };
    harness.sandbox.script({ action: { kind: 'status', status: 200, body } });
    const answer = await get({ botId: 'b' });
    expect(answer.structured.message).toMatch(
      /^No folder is assigned to this agent\. The tree is a snapshot/,
    );
    expect(nextCall(answer, 'get_knowledge_tree')).toEqual({});
  });

  test.each<[what: string, body: unknown]>([
    ['something else', { id: 't' }],
    ['nodes that are none', { snapshotObjV2: [null] }],
  ])('%s is not taken for an empty tree', async (_what, body) => {
    answerWith(body);
    expect((await get()).structured.message).toMatch(
      /^No folder can be shown, but there may be some: .* Left out, because .*: 1 part of the tree\.$/,
    );
  });
});

describe('odd answers', () => {
  test.each<[what: string, node: object, folder: object]>([
    ['a name', { id: 'f', name: 'F' }, { id: 'f', path: 'F' }],
    ['no title', { id: 'f' }, { path: 'untitled' }],
    ['no ID', { title: 'F' }, { path: 'F' }],
    ['articles by ID', { title: 'F', articles: ['a', 'b'] }, { articleCount: 2 }],
  ])('a node with %s', async (_what, node, folder) => {
    answerWith({ snapshotObjV2: [node] });
    const { structured } = await get();
    expect(structured.folders).toMatchObject([folder]);
    expect(structured.message).toBe('1 folder. This is a snapshot and may be stale.');
  });

  test('what could not be read is counted', async () => {
    answerWith({ snapshotObjV2: [{ title: 'F' }, null, 'x'] });
    const { structured, text } = await get();
    expect(structured.message).toContain('could not be read: 2 parts of the tree.');
    expect(text).toContain('\n- path F, articleCount 0');
  });
});

test('walking by next calls sees each of 1,000 folders once, 200 at a time at most', async () => {
  const nodes = Array.from({ length: 500 }, (_, number) => ({
    ...{ id: `f${number}`, title: `F ${number}`, children: [{ id: `c${number}`, title: 'C' }] },
  }));
  answerWith({ snapshotObjV2: nodes });
  const seen: string[] = [];
  let input: Record<string, unknown> | undefined = {};
  for (let calls = 0; input !== undefined && calls < 10; calls += 1) {
    const answer = await get(input);
    expectFitToShow(answer);
    expect(answer.structured.total).toBe(1_000);
    seen.push(...answer.structured.folders.map(({ id }: Folder) => id));
    const { nextOffset } = answer.structured;
    [input] = nextCallsOf(answer, 'get_knowledge_tree');
    expect(input?.offset).toBe(nextOffset);
    if (nextOffset === undefined) continue;
    expect(answer.structured.folders).toHaveLength(200);
    expect(answer.text).toContain(`- Show more: ${1_000 - nextOffset} folders left: `);
  }
  expect(seen).toEqual(nodes.flatMap(({ id, children }) => [id, ...children.map((c) => c.id)]));
  expect((await get({ offset: 1_000 })).structured.message).toContain(
    'Offset 1000 is past the end: use an offset below 1000.',
  );
});

test('hostile titles fake no line, and long paths stay in bounds', async () => {
  const fake = `"\n- f9: "Real" (1 article)${HOSTILE}`;
  answerWith({ updatedAt: fake, snapshotObjV2: [{ id: `f${fake}`, title: fake }] });
  const answer = await get();
  expect(answer.text.split('\n')).toHaveLength(2);
  expectFitToShow(answer, 2_000);
  let node: object = { title: 'deepest' };
  for (let depth = 0; depth < 15; depth += 1) {
    node = { title: '\u597d'.repeat(1_000), children: [node] };
  }
  harness.sandbox.clearFaults();
  answerWith({ snapshotObjV2: Array<object>(100).fill(node) });
  const { structured, text } = await get();
  for (const part of [text, JSON.stringify(structured)]) {
    expect(Buffer.byteLength(part)).toBeLessThan(64_000);
  }
  expect(structured.nextOffset).toBe(structured.folders.length);
  expect(structured.total).toBe(1_600);
});

test.each<[what: string, input: Record<string, unknown>, says: RegExp]>([
  ['another name', { agentId: 'b' }, /no "agentId": use botId/],
  ['a negative offset', { offset: -1 }, /offset must be a whole number, at least 0/],
  ['a list', { botId: ['a', 'b'] }, /botId must be an agent's ID/],
])('%s is refused', async (_what, input, says) => {
  const { isError, text } = await get(input);
  expect(isError).toBe(true);
  expect(text).toMatch(says);
});

test.each([429, 500])('a %i that passes is not noticed, one that lasts is said', async (status) => {
  const action = { kind: 'status', status, headers: { 'retry-after': '0' } } as const;
  harness.sandbox.script({ action });
  expect((await get()).isError).toBe(false);
  harness.sandbox.script({ times: Number.POSITIVE_INFINITY, action });
  const { isError, text } = await get();
  expect(isError).toBe(true);
  expect(text).toMatch(new RegExp(`to get folder tree \\(HTTP ${status}\\).*[Cc]all again in`));
});
