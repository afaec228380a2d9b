import { afterEach, describe, expect, test } from 'vitest';
import { createFiniClient, type FiniClient } from '../../src/fini/client.ts';
import { Connections } from '../../src/fini/connections.ts';
import { FiniError } from '../../src/fini/errors.ts';
import { createHttp } from '../../src/fini/http.ts';
import type { SandboxOptions } from '../../src/sandbox/sandbox-server.ts';
import { Stops, startQuickSandbox } from '../harness.ts';
import type { Fault, ScriptedSandbox } from '../scripted-sandbox.ts';

/* The client's knowledge routes: against the sandbox, and against odd answers. */

const UNKNOWN = '5d9f67a8-d853-4af4-b7ce-23ebba1245e5';
const stops = new Stops();
afterEach(() => stops.run());

async function start(
  options: SandboxOptions = {},
  apiKey?: string,
): Promise<{ sandbox: ScriptedSandbox; fini: FiniClient }> {
  const sandbox = await startQuickSandbox({ folders: true, ...options });
  const connections = new Connections(sandbox.url);
  stops.add(() => sandbox.close());
  stops.add(() => connections.destroy());
  const settings = { baseUrl: sandbox.url, requestTimeoutMs: 10_000, retryDelayMs: 1 };
  const http = createHttp({ ...settings, connections, apiKey: apiKey ?? sandbox.apiKey });
  return { sandbox, fini: createFiniClient(http) };
}

/** Makes a client whose next answer is this one. */
async function answered(body: unknown): Promise<FiniClient> {
  const { sandbox, fini } = await start();
  sandbox.script({ action: { kind: 'status', status: 200, body } });
  return fini;
}

async function failureOf(promise: Promise<unknown>): Promise<FiniError> {
  const error = await promise.catch((reason: unknown) => reason);
  if (error instanceof FiniError) return error;
  throw new Error(`not a FiniError: ${String(error)}`);
}

const failing = (status: number): Fault['action'] => ({ kind: 'status', status });
const bare = {
  title: null,
  mainKnowledge: null,
  agentInstruction: null,
  questions: [],
  keywords: [],
  escalation: null,
  parentFolderId: null,
  active: null,
  public: null,
  origin: null,
  version: null,
  originalArticleId: null,
  originalArticleVersion: null,
  isDraftPublished: null,
  createdAt: null,
  updatedAt: null,
};

describe('against the sandbox', () => {
  test('from a source to a live article', async () => {
    let clock = Date.parse('2026-03-01T12:00:00.000Z');
    const { sandbox, fini } = await start({ now: () => clock });
    const { id: documentId } = sandbox.addDocument({ title: 'Refunds' });
    const { jobs } = await fini.generateKnowledge({ documentIds: [documentId] });
    expect(jobs).toEqual([{ documentId, backgroundJobId: expect.any(String) }]);
    const jobIds = jobs.flatMap(({ backgroundJobId }) => backgroundJobId ?? []);
    const queuedAt = new Date(clock).toISOString();
    expect(await fini.knowledgeJobs(jobIds)).toEqual([
      {
        ...{ id: jobIds[0], jobStatus: 'PENDING', createdAt: queuedAt },
        ...{ startedAt: null, completedAt: null, hcArticleId: null, error: null },
      },
    ]);
    clock += 9000;
    const [job] = await fini.knowledgeJobs(jobIds);
    expect(job?.jobStatus).toBe('COMPLETED');
    const [draft] = await fini.getArticles([UNKNOWN, job?.hcArticleId ?? '']);
    const undated = { createdAt: null, updatedAt: null };
    expect(draft).toEqual({ ...sandbox.articles()[0], isDraftPublished: null, ...undated });
    const { articles } = await fini.listArticles({ type: 'draft' });
    expect(articles).toEqual([draft]);
    expect((await fini.listArticles({ type: 'live' })).articles).toEqual([]);
    if (draft === undefined) throw new Error('no draft');
    const { title, mainKnowledge, agentInstruction, parentFolderId, ...rest } = draft;
    const live = await fini.publishArticle(draft.id, {
      ...rest,
      title: title ?? '',
      mainKnowledge: mainKnowledge ?? '',
      agentInstruction: agentInstruction ?? '',
      parentFolderId: parentFolderId ?? '',
    });
    expect(live).toMatchObject({ title: 'Refunds', version: 1 });
    expect(live.id).not.toBe(draft.id);
    expect((await fini.listArticles()).articles).toHaveLength(2);
  });

  test('generates drafts from sources, whatever else', async () => {
    const { sandbox, fini } = await start({ content: 'lived-in' });
    const [agent] = (await fini.listAgents()).agents;
    const [document] = sandbox.documents();
    const request = {
      documentIds: [document?.id ?? ''],
      instructions: 'Be brief',
      restrictedOps: ['ADD_ARTICLE_TO_FOLDER', 'DO_NOTHING'],
      botId: agent?.id,
    } as const;
    await fini.generateKnowledge(request);
    await fini.generateKnowledge({ documentIds: request.documentIds });
    const [whole, least] = sandbox.requests.slice(-2);
    expect(whole?.body).toEqual({ ...request, origin: 'sources', isDraft: true });
    expect(least?.body).toEqual({
      ...{ documentIds: request.documentIds, origin: 'sources', isDraft: true },
    });
  });

  test('publishes what is demanded, and of the rest what the draft has', async () => {
    const { sandbox, fini } = await start();
    const draft = sandbox.addArticle({ isDraftPublished: false });
    const { title, mainKnowledge, agentInstruction, questions, keywords, escalation } = draft;
    const article = {
      ...{ title, mainKnowledge, agentInstruction, questions, keywords, escalation },
      parentFolderId: draft.parentFolderId ?? '',
    };
    await fini.publishArticle(draft.id, { ...article, active: false, public: null, origin: null });
    expect(sandbox.requests.at(-1)).toMatchObject({
      path: `/v2/hc-articles/${draft.id}/publish/public`,
      body: { ...article, active: false },
    });
    expect(sandbox.requests.at(-1)?.body).not.toHaveProperty('public');
    expect(sandbox.requests.at(-1)?.body).not.toHaveProperty('origin');
    expect(await failureOf(fini.publishArticle('../x', article))).toMatchObject({ status: 404 });
    expect(sandbox.requests.at(-1)?.path).toContain('..%2Fx');
  });

  test('reads the folder tree, whole and of one agent', async () => {
    const { sandbox, fini } = await start({ content: 'lived-in' });
    const tree = await fini.folderTree();
    expect(tree).toMatchObject({ id: expect.any(String), updatedAt: expect.any(String) });
    expect(tree.unreadable).toBe(0);
    const renting = tree.folders.find(({ title }) => title === 'Renting');
    const [plans] = renting?.folders ?? [];
    expect(plans).toMatchObject({
      description: expect.stringContaining('City'),
      folders: [{ title: 'Discounts and vouchers', folders: [] }],
      articles: [{ id: expect.any(String), title: 'Plans and prices' }, {}],
    });
    const [agent] = (await fini.listAgents()).agents;
    expect(agent).toEqual({
      ...{ id: expect.any(String), name: 'Team assistant', createdAt: expect.any(String) },
    });
    const own = await fini.folderTree(agent?.id);
    expect(own.folders.map(({ title }) => title)).toEqual(['Billing', 'Riding', 'Team']);
    expect(sandbox.requests.at(-1)?.path).toBe(`/v2/hc-folders/public?botId=${agent?.id}`);
  });

  test('a workspace without folders, agents and articles', async () => {
    const { fini } = await start({ folders: false });
    expect(await fini.folderTree()).toMatchObject({ folders: [], unreadable: 0 });
    expect((await fini.listAgents()).agents).toEqual([]);
    expect(await fini.listArticles()).toEqual({
      ...{ articles: [], unreadable: 0, hasMore: null },
    });
  });
});

describe('what is sent again', () => {
  type Ask = (fini: FiniClient) => Promise<unknown>;

  test.each<[what: string, ask: Ask]>([
    ['a look at articles', (fini) => fini.getArticles([UNKNOWN])],
    ['a list of articles', (fini) => fini.listArticles()],
    ['the folder tree', (fini) => fini.folderTree()],
    ['a list of agents', (fini) => fini.listAgents()],
  ])('%s, after a failure', async (_what, ask) => {
    const { sandbox, fini } = await start();
    sandbox.script({ action: failing(502) }, { action: { kind: 'reset', when: 'after' } });
    await ask(fini);
    expect(sandbox.requests).toHaveLength(3);
  });

  test('a look at jobs, after a failure, but not one that Fini refuses', async () => {
    const { sandbox, fini } = await start();
    sandbox.script({ action: failing(502) });
    const error = await failureOf(fini.knowledgeJobs([UNKNOWN]));
    expect(error).toMatchObject({ status: 404, operation: 'get knowledge jobs' });
    expect(sandbox.requests).toHaveLength(2);
  });

  test.each<[what: string, ask: Ask]>([
    ['a generation', (fini) => fini.generateKnowledge({ documentIds: [UNKNOWN] })],
    ['a publication', (fini) => fini.publishArticle(UNKNOWN, { ...anything })],
  ])('%s only if it was surely not carried out', async (_what, ask) => {
    const { sandbox, fini } = await start();
    sandbox.script({ action: failing(502) });
    expect(await failureOf(ask(fini))).toMatchObject({ status: 502, surelyNotCarriedOut: false });
    expect(sandbox.requests).toHaveLength(1);
    sandbox.script({ action: failing(429) });
    expect((await failureOf(ask(fini))).status).toBeLessThan(429);
    expect(sandbox.requests).toHaveLength(3);
  });
});

const anything = {
  ...{ title: 'T', mainKnowledge: 'M', agentInstruction: '', escalation: '' },
  ...{ questions: ['Q'], keywords: ['K'], parentFolderId: UNKNOWN },
};

describe('a key without the scope', () => {
  test('learns it from a look that is a POST, where a request without IDs said so', async () => {
    const { fini } = await start({}, 'fini_sandbox_write');
    // This 403 could also mean that the articles belong to another workspace.
    expect((await failureOf(fini.getArticles([UNKNOWN]))).missingScope).toBeUndefined();
    expect((await failureOf(fini.listAgents())).missingScope).toBe('read');
    expect((await failureOf(fini.getArticles([UNKNOWN]))).missingScope).toBe('read');
    expect((await failureOf(fini.getSource(UNKNOWN))).missingScope).toBe('read');
  });

  test('a read that is a POST says nothing of the write scope', async () => {
    const { fini } = await start({}, 'fini_sandbox_read');
    const crawl = () => failureOf(fini.crawlLinks(['https://a.example'], 1));
    expect((await crawl()).missingScope).toBe('write');
    await fini.getArticles([UNKNOWN]);
    const generation = fini.generateKnowledge({ documentIds: [UNKNOWN] });
    expect((await failureOf(generation)).missingScope).toBe('write');
  });
});

describe('an answer to generating', () => {
  const job = { documentId: 'd', backgroundJobId: 'j' };
  test.each<[what: string, body: unknown, jobs: object[]]>([
    ['of the contract', { jobs: [job] }, [job]],
    ['without an envelope', [job], [job]],
    [
      'with a job that lacks its ID',
      { jobs: [{ documentId: 'd' }] },
      [{ ...job, backgroundJobId: null }],
    ],
    [
      'with a job that lacks its source',
      { jobs: [{ ...job, documentId: null }] },
      [{ ...job, documentId: null }],
    ],
    ['with what is no job', { jobs: [null, 'x', 5, [], {}, { documentId: 7 }, job] }, [job]],
    ['with no jobs', { jobs: [] }, []],
  ])('%s', async (_what, body, jobs) => {
    const fini = await answered(body);
    expect(await fini.generateKnowledge({ documentIds: [UNKNOWN] })).toEqual({ jobs });
  });

  test.each([[null], ['queued'], [{}], [{ jobs: null }], [{ status: true }]])(
    'that does not say what was queued leaves it in doubt: %j',
    async (body) => {
      const fini = await answered(body);
      const error = await failureOf(fini.generateKnowledge({ documentIds: [UNKNOWN] }));
      expect(error).toMatchObject({ failure: 'unreadable', surelyNotCarriedOut: false });
    },
  );
});

describe('the status of jobs', () => {
  const plain = {
    ...{ id: 'j', jobStatus: null, createdAt: null, startedAt: null, completedAt: null },
    ...{ hcArticleId: null, error: null },
  };
  test.each<[what: string, job: object, expected: object[]]>([
    ['in lower case', { id: 'j', jobStatus: 'completed' }, [{ ...plain, jobStatus: 'COMPLETED' }]],
    ['unknown', { id: 'j', jobStatus: 'PAUSED' }, [{ ...plain, jobStatus: 'PAUSED' }]],
    ['missing', { id: 'j' }, [plain]],
    ['odd', { id: 'j', jobStatus: 3, hcArticleId: 3, createdAt: 3 }, [plain]],
    ['with an article', { id: 'j', hcArticleId: 'a' }, [{ ...plain, hcArticleId: 'a' }]],
    ['with a reason', { id: 'j', error: 'Why' }, [{ ...plain, error: 'Why' }]],
    ['of no job', { jobStatus: 'COMPLETED' }, []],
  ])('%s', async (_what, job, expected) => {
    const fini = await answered({ jobs: [job] });
    expect(await fini.knowledgeJobs(['j'])).toEqual(expected);
  });
});

describe('a list of articles', () => {
  const article = { id: 'a', title: 'T' };
  test.each<[what: string, body: unknown]>([
    ['an array', [article]],
    ['articles', { articles: [article] }],
    ['data', { data: [article] }],
    ['items', { total: 1, items: [article] }],
    ['any other name', { tags: ['x'], knowledge: [article] }],
    ['the likely name first', { folders: [{ id: 'f' }], articles: [article] }],
  ])('in %s', async (_what, body) => {
    const { articles } = await (await answered(body)).listArticles();
    expect(articles).toEqual([{ ...bare, ...article }]);
  });

  test.each([[null], ['x'], [{}], [{ total: 0 }], [{ tags: ['x'] }], [{ errors: [] }]])(
    'that is none must not pass for an empty one: %j',
    async (body) => {
      const { sandbox, fini } = await start();
      const action = { kind: 'status', status: 200, body } as const;
      sandbox.script({ times: Number.POSITIVE_INFINITY, action });
      expect(await failureOf(fini.listArticles())).toMatchObject({ failure: 'unreadable' });
    },
  );

  test.each<[what: string, body: object, hasMore: boolean | null]>([
    ['nothing', { articles: [article] }, null],
    ['more', { articles: [article], hasMore: true }, true],
    ['no more', { articles: [article], hasMore: false }, false],
    ['a cursor', { articles: [article], nextCursor: 'c' }, true],
    ['a larger total', { articles: [article], total: 2 }, true],
    ['no cursor', { articles: [article], nextCursor: null, hasMore: false }, false],
    [
      'hints of another type',
      { articles: [article], hasMore: 'yes', nextCursor: 1, total: '2' },
      null,
    ],
  ])('that says of paging: %s', async (_what, body, hasMore) => {
    const list = await (await answered(body)).listArticles();
    expect(list).toMatchObject({ articles: [article], hasMore });
  });

  test('has its odd fields emptied, its items as they came, and what has no ID counted', async () => {
    const odd = {
      ...{ id: 'a', title: 5, mainKnowledge: null, questions: ['Q', null, 5], keywords: 'k' },
      ...{ parentFolderId: 7, active: 'yes', version: 'v3', extra: true },
    };
    const list = await (await answered([odd, { title: 'T' }, null, { id: '' }])).listArticles();
    expect(list.articles).toEqual([{ ...bare, id: 'a', questions: ['Q', null, 5] }]);
    expect(list.unreadable).toBe(3);
  });

  test.each([
    [' 3 ', 3],
    ['10', 10],
    [3, 3],
    ['', null],
    ['3.1', null],
    ['0x3', null],
    [true, null],
    ['9007199254740993', null],
  ])('has %j for the version %j', async (version, read) => {
    const { articles } = await (await answered([{ id: 'a', version }])).listArticles();
    expect(articles[0]?.version).toBe(read);
  });

  test('keeps an escalation of any type, since it has to be published as it is', async () => {
    const escalations = ['When angry', false, { when: ['angry'] }];
    const body = escalations.map((escalation, index) => ({ id: `a${index}`, escalation }));
    const { articles } = await (await answered(body)).listArticles();
    expect(articles.map(({ escalation }) => escalation)).toEqual(escalations);
  });

  test('is bounded, and says so', async () => {
    const body = Array.from({ length: 5_001 }, (_, index) => ({ id: `a${index}` }));
    const list = await (await answered(body)).listArticles();
    expect(list.articles).toHaveLength(5_000);
    expect(list.hasMore).toBe(true);
  });

  test('articles by ID may come in an envelope too', async () => {
    const articles = await (await answered({ data: [article] })).getArticles(['a', 'b']);
    expect(articles).toEqual([{ ...bare, ...article }]);
  });
});

describe('an answer to publishing', () => {
  test.each<[what: string, body: unknown, expected: object]>([
    ['the article', { id: 'a', title: 'T' }, { id: 'a', title: 'T' }],
    ['without an ID', { title: 'T' }, { id: null, title: 'T' }],
    ['anything else, since it is live', [], { id: null, title: null }],
    ['nothing', null, { id: null, title: null }],
  ])('%s', async (_what, body, expected) => {
    const fini = await answered(body);
    expect(await fini.publishArticle(UNKNOWN, anything)).toEqual({ ...bare, ...expected });
  });
});

describe('the folder tree', () => {
  const empty = { id: null, title: null, description: null, folders: [], articles: [] };
  const child = { ...empty, id: 'c', title: 'C' };
  test.each<[what: string, node: object, folder: object]>([
    ['a title', { title: 'F' }, { title: 'F' }],
    ['a name', { name: 'F' }, { title: 'F' }],
    ['an empty title and a name', { title: '', name: 'F' }, { title: 'F' }],
    ['a number for an ID', { id: 7 }, { id: '7' }],
    ['a description', { description: 'D' }, { description: 'D' }],
    ['children', { children: [{ id: 'c', title: 'C' }] }, { folders: [child] }],
    ['folders', { folders: [{ id: 'c', title: 'C' }] }, { folders: [child] }],
    ['subfolders', { subfolders: [{ id: 'c', title: 'C' }] }, { folders: [child] }],
    ['nodes', { nodes: [{ id: 'c', title: 'C' }] }, { folders: [child] }],
    [
      'articles by ID',
      { articles: ['a', 7] },
      {
        articles: [
          { id: 'a', title: null },
          { id: '7', title: null },
        ],
      },
    ],
    [
      'articles as objects',
      { articles: [{ id: 'a', name: 'A' }] },
      { articles: [{ id: 'a', title: 'A' }] },
    ],
    ['odd fields', { id: {}, title: 5, description: [], children: 'c', articles: {} }, {}],
    ['more than is known', { title: 'F', icon: 'x', order: 3 }, { title: 'F' }],
  ])('reads a node with %s', async (_what, node, folder) => {
    const fini = await answered({ id: 't', snapshotObjV2: [node] });
    expect(await fini.folderTree()).toEqual({
      ...{ id: 't', createdAt: null, updatedAt: null, unreadable: 0 },
      folders: [{ ...empty, ...folder }],
    });
  });

  test.each<[what: string, body: unknown, folders: number, unreadable: number]>([
    ['no tree', null, 0, 0],
    ['no snapshot', { id: 't', snapshotObjV2: null }, 0, 0],
    ['an empty one', { snapshotObjV2: [] }, 0, 0],
    ['an array', [{ title: 'F' }], 1, 0],
    ['something else, which is no empty tree', { id: 't' }, 0, 1],
    ['text', 'tree', 0, 1],
    ['nodes that are none', { snapshotObjV2: [null, 'x', 5, [], { title: 'F' }] }, 1, 4],
    ['articles that are none', { snapshotObjV2: [{ articles: [null, {}, [], ''] }] }, 1, 4],
  ])('reads %s', async (_what, body, folders, unreadable) => {
    const tree = await (await answered(body)).folderTree();
    expect([tree.folders.length, tree.unreadable]).toEqual([folders, unreadable]);
  });

  test('is bounded in depth and number', async () => {
    let deep: object = { title: 'deepest' };
    for (let depth = 0; depth < 1000; depth += 1) deep = { title: 'F', children: [deep] };
    const nested = await (await answered({ snapshotObjV2: [deep] })).folderTree();
    expect(nested.unreadable).toBe(1);
    expect(JSON.stringify(nested).match(/"title":"F"/g)).toHaveLength(16);
    const many = Array.from({ length: 200 }, () => ({
      articles: Array.from({ length: 200 }, (_, index) => index),
    }));
    const wide = await (await answered({ snapshotObjV2: many })).folderTree();
    const articles = wide.folders.flatMap((folder) => folder.articles);
    expect(wide.folders.length + articles.length).toBe(10_000);
    expect(wide.unreadable).toBe(200 + 200 * 200 - 10_000);
  });
});

describe('a list of agents', () => {
  const agent = { id: 'b', name: 'Chat', createdAt: '2026-01-01' };
  test.each<[what: string, body: unknown, agents: object[]]>([
    ['an array', [agent], [agent]],
    ['bots', { bots: [agent] }, [agent]],
    ['data', { data: [agent] }, [agent]],
    ['with fields missing', [{ id: 'b', name: 5 }], [{ id: 'b', name: null, createdAt: null }]],
    ['with what is none', [null, {}, { name: 'x' }, agent], [agent]],
  ])('%s', async (_what, body, agents) => {
    expect((await (await answered(body)).listAgents()).agents).toEqual(agents);
  });

  test('says what of it is missing', async () => {
    const list = await (await answered({ bots: [null, {}, agent], hasMore: true })).listAgents();
    expect(list).toMatchObject({ agents: [agent], unreadable: 2, hasMore: true });
  });
});
