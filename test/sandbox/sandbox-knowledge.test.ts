import { afterEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { siteOrigin, webPages } from '../../src/sandbox/content.ts';
import {
  type Sandbox,
  type SandboxArticle,
  type SandboxOptions,
  startSandbox,
} from '../../src/sandbox/sandbox-server.ts';
import { askSandbox } from '../harness.ts';

const UNKNOWN = '5d9f67a8-d853-4af4-b7ce-23ebba1245e5';
const generated = z.object({
  jobs: z.array(z.object({ documentId: z.guid(), backgroundJobId: z.guid() })),
});
const statuses = z.object({
  jobs: z.array(
    z.looseObject({ id: z.guid(), jobStatus: z.string(), hcArticleId: z.guid().nullable() }),
  ),
});
type Folder = { id: string; title: string; children: Folder[]; articles: { id: string }[] };
const folder: z.ZodType<Folder> = z.object({
  id: z.guid(),
  title: z.string(),
  description: z.string(),
  children: z.array(z.lazy(() => folder)),
  articles: z.array(z.object({ id: z.guid(), title: z.string() })),
});
const tree = z.object({ snapshotObjV2: z.array(folder) });
const agentList = z.array(z.object({ id: z.guid(), name: z.string(), createdAt: z.string() }));

let sandbox: Sandbox | undefined;
let clock = 0;
afterEach(() => sandbox?.close());

/** Starts a sandbox with folders, whose clock moves only when a test moves it. */
async function start(options: SandboxOptions = {}): Promise<Sandbox> {
  clock = Date.parse('2026-03-01T12:00:00.000Z');
  const now = () => clock;
  sandbox = await startSandbox({
    ...{ pendingMs: 1000, workingMs: 1000, now, folders: true },
    ...options,
  });
  return sandbox;
}

const call = (method: string, path: string, body?: unknown, key?: string) =>
  askSandbox(sandbox, method, path, body, key);

/** Adds a source with the text of a page of the help centre. */
function addPage(path: string): string {
  const url = `${siteOrigin}${path}`;
  const page = webPages.find((one) => one.url === url);
  if (page === undefined || sandbox === undefined) throw new Error(`no page ${path}`);
  const { title, paragraphs } = page;
  return sandbox.addDocument({ originalUrl: url, title, paragraphs }).id;
}

const generate = (documentIds: string[], more: object = {}) =>
  call('POST', '/knowledge/public/bulk', { documentIds, origin: 'sources', ...more });
const status = (...jobIds: string[]) => call('POST', '/knowledge/public/jobs/status', { jobIds });

/** Generates from one source, and waits for the job to end. */
async function generateOne(documentId: string, more: object = {}) {
  const { jobs } = generated.parse((await generate([documentId], more)).answer);
  clock += 9000;
  const [job] = statuses.parse((await status(jobs[0]?.backgroundJobId ?? '')).answer).jobs;
  const article = sandbox?.articles().find(({ id }) => id === job?.hcArticleId);
  return { job, article };
}

function publish({ id, ...draft }: SandboxArticle, changes: object = {}) {
  return call('POST', `/hc-articles/${id}/publish/public`, { ...draft, ...changes });
}

describe('generation', () => {
  test('moves a job from PENDING to COMPLETED, on time', async () => {
    const { addDocument } = await start();
    const { id } = addDocument({});
    const { jobs } = generated.parse((await generate([id, id])).answer);
    expect(jobs).toMatchObject([{ documentId: id }]);
    const jobId = jobs[0]?.backgroundJobId ?? '';
    const told = async () => statuses.parse((await status(jobId)).answer).jobs[0];
    expect(await told()).toEqual({
      ...{ id: jobId, jobStatus: 'PENDING', createdAt: new Date(clock).toISOString() },
      hcArticleId: null,
    });
    clock += 1500;
    expect(await told()).toMatchObject({ jobStatus: 'IN_PROGRESS', startedAt: expect.any(String) });
    clock += 1500;
    expect(await told()).toMatchObject({
      jobStatus: 'COMPLETED',
      completedAt: expect.any(String),
      hcArticleId: expect.any(String),
    });
    // By default, a source's record does not show this job.
    expect(sandbox?.documents()[0]?.linkedJobId).not.toBe(jobId);
  });

  test('gives the jobs in another order', async () => {
    const { addDocument } = await start();
    const ids = [addDocument({}).id, addDocument({}).id];
    const { jobs } = generated.parse((await generate(ids)).answer);
    expect(jobs.map(({ documentId }) => documentId)).toEqual(ids.toReversed());
  });

  test('writes a draft from the source into the folder that fits', async () => {
    await start();
    const refunds = addPage('/billing/refunds');
    const { job, article } = await generateOne(refunds);
    expect(job?.jobStatus).toBe('COMPLETED');
    expect(article).toMatchObject({
      title: 'Refunds',
      mainKnowledge: expect.stringMatching(/first 14 days.*\n\nRefunds go to the payment/s),
      questions: ['What do I need to know about refunds?', 'How long does it take?'],
      keywords: expect.arrayContaining(['refunds']),
      originalArticleId: null,
      isDraftPublished: false,
    });
    const { answer } = await call('GET', '/hc-folders/public');
    const billing = tree.parse(answer).snapshotObjV2.find(({ title }) => title === 'Billing');
    const [payments] = billing?.children ?? [];
    expect(payments?.children).toMatchObject([{ id: article?.parentFolderId, title: 'Refunds' }]);
    // A draft is in no folder yet.
    expect(payments?.children[0]?.articles).toEqual([]);
  });

  test('writes something to publish from every page that has an article in it', async () => {
    await start();
    const written = webPages.filter(({ failure }) => failure === null);
    await generate(written.map(({ url }) => addPage(url.replace(siteOrigin, ''))));
    clock += 60_000;
    const articles = sandbox?.articles() ?? [];
    expect(articles.length).toBeGreaterThan(20);
    expect(articles.length).toBeLessThan(written.length);
    for (const { questions, keywords, parentFolderId, title } of articles) {
      expect([questions.length, keywords.length], title).not.toContain(0);
      expect(parentFolderId, title).not.toBeNull();
    }
    expect(new Set(articles.map(({ parentFolderId }) => parentFolderId)).size).toBeGreaterThan(5);
  });

  test.each<[what: string, path: string, more: object, job: object]>([
    ['an overview', '/billing', {}, { jobStatus: 'COMPLETED', hcArticleId: null }],
    [
      'an overview that must become an article',
      '/billing',
      { restrictedOps: ['ADD_ARTICLE_TO_FOLDER'] },
      { jobStatus: 'COMPLETED', hcArticleId: expect.any(String) },
    ],
    [
      'a new page where only updates may be made',
      '/billing/refunds',
      { restrictedOps: ['UPDATE_ARTICLE'] },
      { jobStatus: 'COMPLETED', hcArticleId: null },
    ],
    [
      'the page that fails',
      '/billing/late-return-fees',
      {},
      { jobStatus: 'FAILED', hcArticleId: null, error: expect.stringContaining('contradicted') },
    ],
    [
      'a page that holds nothing',
      '/getting-started/bike-finder',
      {},
      { jobStatus: 'FAILED', hcArticleId: null, error: expect.stringContaining('no usable') },
    ],
  ])('of %s', async (_what, path, more, job) => {
    await start();
    expect((await generateOne(addPage(path), more)).job).toMatchObject(job);
  });

  test('makes nothing in a workspace without folders, and of an agent without any', async () => {
    await start({ folders: false });
    const made = await generateOne(addPage('/billing/refunds'));
    expect(made.job).toMatchObject({ jobStatus: 'COMPLETED', hcArticleId: null });
    await sandbox?.close();
    const agent = { id: UNKNOWN, name: 'Chat', createdAt: '2026-01-01T00:00:00.000Z' };
    await start({ agents: [{ ...agent, folders: [] }] });
    const { job } = await generateOne(addPage('/billing/refunds'), { botId: UNKNOWN });
    expect(job).toMatchObject({ jobStatus: 'COMPLETED', hcArticleId: null });
  });

  test('writes an update where a live article covers the source, linked or of its title', async () => {
    const { addArticle, addDocument } = await start();
    const linked = addArticle({ version: 3, title: 'Returns' });
    const named = addArticle({ title: 'Refunds' });
    const { id } = addDocument({ linkedKnowledgeId: linked.id, paragraphs: ['New text.'] });
    const update = {
      title: 'Returns',
      mainKnowledge: 'New text.',
      parentFolderId: linked.parentFolderId,
      originalArticleId: linked.id,
      originalArticleVersion: 3,
      isDraftPublished: false,
    };
    expect((await generateOne(id)).article).toMatchObject(update);
    const { article } = await generateOne(addPage('/billing/refunds'));
    expect(article).toMatchObject({ originalArticleId: named.id, originalArticleVersion: 1 });
    const other = await generateOne(id, { restrictedOps: ['ADD_ARTICLE_TO_FOLDER'] });
    expect(other.article?.originalArticleId).toBeNull();
  });

  test('makes live articles where no drafts are asked for', async () => {
    await start();
    const { job, article } = await generateOne(addPage('/billing/refunds'), { isDraft: false });
    expect(job?.hcArticleId).toBe(article?.id);
    expect(article?.isDraftPublished).toBeNull();
  });

  test('goes as scripted', async () => {
    const scripts = [
      { status: 'PAUSED' },
      { hcArticleId: null },
      { error: 'No luck' },
      { never: true },
      { drop: true },
      { pendingMs: 100, workingMs: 200 },
    ] as const;
    const { addDocument } = await start({ knowledgeJobs: ({ title }) => scripts[Number(title)] });
    const ids = scripts.map((_, index) => addDocument({ title: String(index) }).id);
    const { jobs } = generated.parse((await generate(ids)).answer);
    expect(jobs.map(({ documentId }) => ids.indexOf(documentId))).toEqual([5, 3, 2, 1, 0]);
    const told = async () => {
      const { answer } = await status(...jobs.map(({ backgroundJobId }) => backgroundJobId));
      return statuses.parse(answer).jobs.map(({ jobStatus }) => jobStatus);
    };
    clock += 300;
    expect((await told())[0]).toBe('COMPLETED');
    clock += 60_000;
    expect(await told()).toEqual(['COMPLETED', 'IN_PROGRESS', 'FAILED', 'COMPLETED', 'PAUSED']);
    expect(sandbox?.articles()).toHaveLength(1);
  });

  test('overwrites the source’s job where it is set to, but not one that runs', async () => {
    const { addDocument, documents } = await start({ knowledgeRewritesJobs: true });
    const { id, linkedJobId } = addDocument({});
    const busy = addDocument({ linkedJobStatus: 'PENDING' });
    const { jobs } = generated.parse((await generate([busy.id, id])).answer);
    const [job] = jobs;
    expect(job?.backgroundJobId).not.toBe(linkedJobId);
    const seen = () => documents().map((document) => document.linkedJobStatus);
    expect(documents()[0]?.linkedJobId).toBe(job?.backgroundJobId);
    expect(seen()).toEqual(['PENDING', 'PENDING']);
    clock += 1500;
    expect(seen()).toEqual(['IN_PROGRESS', 'PENDING']);
    clock += 1500;
    expect(seen()).toEqual(['COMPLETED', 'PENDING']);
    expect(documents()[1]?.linkedJobId).toBe(busy.linkedJobId);
  });

  test.each<[what: string, body: object, status: number]>([
    ['no source', { documentIds: [], origin: 'sources' }, 400],
    ['an unknown source', { documentIds: [UNKNOWN], origin: 'sources' }, 400],
    ['another origin', { documentIds: [UNKNOWN], origin: 'tickets' }, 400],
    ['an unknown operation', { restrictedOps: ['GUESS'] }, 400],
    ['an unknown agent', { botId: UNKNOWN }, 404],
  ])('is refused for %s', async (_what, body, expected) => {
    const { addDocument } = await start();
    const answer = await generate([addDocument({}).id], body);
    expect(answer).toMatchObject({
      ...{ status: expected, answer: { statusCode: expected, message: expect.anything() } },
    });
  });

  test('one job that is unknown, or a source’s, fails the whole request for their status', async () => {
    const { addDocument } = await start();
    const { id, linkedJobId } = addDocument({});
    const { jobs } = generated.parse((await generate([id])).answer);
    const jobId = jobs[0]?.backgroundJobId ?? '';
    expect(await status(jobId)).toMatchObject({ status: 200 });
    expect(await status(jobId, UNKNOWN)).toMatchObject({ status: 404 });
    expect(await status(jobId, linkedJobId ?? '')).toMatchObject({ status: 400 });
    expect(await status('x')).toMatchObject({ status: 400 });
  });
});

describe('articles', () => {
  test('are listed by type, and got by ID', async () => {
    const { addArticle } = await start();
    const live = addArticle({});
    const draft = addArticle({ isDraftPublished: false });
    const list = async (query: string) => (await call('GET', `/hc-articles/public${query}`)).answer;
    // Nothing in the record of a new article's draft says that it is one.
    const record = { ...draft, isDraftPublished: null };
    const update = addArticle({ isDraftPublished: false, originalArticleId: live.id });
    expect(await list('')).toEqual([update, record, live]);
    expect(await list('?type=live')).toEqual([live]);
    expect(await list('?type=draft')).toEqual([update, record]);
    const { answer } = await call('POST', '/hc-articles/ids/public', {
      articleIds: [draft.id, UNKNOWN, live.id],
    });
    expect(answer).toEqual([record, live]);
  });

  test('a draft goes live as a new article with another ID, which links its source', async () => {
    await start();
    const source = addPage('/billing/refunds');
    const { article: draft } = await generateOne(source);
    if (draft === undefined) throw new Error('no draft');
    const { status: code, answer } = await publish(draft, { title: 'Refunds and credits' });
    const [live] = sandbox?.articles() ?? [];
    expect([code, answer]).toEqual([200, live]);
    expect(live).toMatchObject({ title: 'Refunds and credits', version: 1 });
    expect(live?.id).not.toBe(draft.id);
    expect(sandbox?.articles()[1]).toEqual({ ...draft, isDraftPublished: true });
    expect(sandbox?.documents()[0]).toMatchObject({ linkedKnowledgeId: live?.id, changed: false });
    const folders = await call('GET', '/hc-folders/public');
    expect(JSON.stringify(folders.answer)).toContain(live?.id);
    // The draft is gone, so it cannot be published again.
    expect((await publish(draft)).status).toBe(404);
  });

  test('an update goes live under its original’s ID, as its next version', async () => {
    const { addArticle, addDocument } = await start();
    const original = addArticle({ version: 3 });
    const source = addDocument({ linkedKnowledgeId: original.id, paragraphs: ['New text.'] });
    const { article: draft } = await generateOne(source.id);
    if (draft === undefined) throw new Error('no draft');
    const { answer } = await publish(draft);
    expect(answer).toMatchObject({ id: original.id, version: 4, mainKnowledge: 'New text.' });
    expect(sandbox?.articles().filter(({ isDraftPublished }) => isDraftPublished === null)).toEqual(
      [answer],
    );
  });

  test.each<[what: string, changes: object, status: number]>([
    ['no questions', { questions: [] }, 400],
    ['no keywords', { keywords: [] }, 400],
    ['a missing field', { escalation: undefined }, 400],
    ['an unknown folder', { parentFolderId: UNKNOWN }, 404],
  ])('a draft with %s is refused', async (_what, changes, expected) => {
    const { addArticle } = await start();
    const draft = addArticle({ isDraftPublished: false });
    expect((await publish(draft, changes)).status).toBe(expected);
    expect(sandbox?.articles()).toEqual([draft]);
  });

  test('what is no draft cannot be published', async () => {
    const { addArticle } = await start();
    const live = addArticle({});
    expect((await publish(live)).status).toBe(404);
    expect((await publish({ ...live, id: UNKNOWN })).status).toBe(404);
  });

  test('a source’s article is deleted with it only on demand', async () => {
    const { addArticle, addDocument } = await start();
    const { id: articleId, title, parentFolderId } = addArticle({ title: 'Returns' });
    const [kept, gone] = [1, 2].map(() => addDocument({ linkedKnowledgeId: articleId }).id);
    await call('DELETE', '/documents/public', { documentIds: [kept] });
    expect(sandbox?.articles()).toHaveLength(1);
    const request = { documentIds: [gone], deleteArticles: true };
    const { answer } = await call('DELETE', '/documents/public', request);
    expect(answer).toMatchObject({ deletedArticles: [{ id: articleId, title, parentFolderId }] });
    expect(sandbox?.articles()).toEqual([]);
  });
});

describe('scopes and the limit', () => {
  const read: [method: string, path: string, body?: object][] = [
    ['POST', '/knowledge/public/jobs/status', { jobIds: [UNKNOWN] }],
    ['GET', '/hc-articles/public'],
    ['POST', '/hc-articles/ids/public', { articleIds: [UNKNOWN] }],
    ['GET', '/hc-folders/public'],
    ['GET', '/bots/public'],
  ];
  const write: typeof read = [
    ['POST', '/knowledge/public/bulk', {}],
    ['POST', `/hc-articles/${UNKNOWN}/publish/public`, {}],
  ];

  test.each(read)('%s %s needs the read scope', async (method, path, body) => {
    await start();
    expect((await call(method, path, body, 'fini_sandbox_write')).status).toBe(403);
    expect((await call(method, path, body, 'fini_sandbox_read')).status).not.toBe(403);
  });

  test.each(write)('%s %s needs the write scope', async (method, path, body) => {
    await start();
    expect((await call(method, path, body, 'fini_sandbox_read')).status).toBe(403);
    expect((await call(method, path, body, 'fini_sandbox_write')).status).not.toBe(403);
  });

  test('they count for the same limit as all', async () => {
    await start({ requestsPerMinute: 2 });
    await call('GET', '/bots/public');
    await call('GET', '/documents/public');
    expect((await call('GET', '/hc-folders/public')).status).toBe(429);
  });
});

describe('what there is at first', () => {
  test('a lived-in workspace has folders on three levels, agents, articles and drafts', async () => {
    const { articles, documents } = await start({ content: 'lived-in' });
    const { snapshotObjV2: roots } = tree.parse((await call('GET', '/hc-folders/public')).answer);
    expect(roots.length).toBeGreaterThan(3);
    const third = roots.flatMap(({ children }) => children.flatMap((one) => one.children));
    expect(third.length).toBeGreaterThan(2);
    expect(third.flatMap(({ children }) => children)).toEqual([]);
    const live = articles().filter(({ isDraftPublished }) => isDraftPublished === null);
    const ids = new Set(live.map(({ id }) => id));
    const linked = documents().flatMap(({ linkedKnowledgeId }) => linkedKnowledgeId ?? []);
    expect(linked.length).toBeGreaterThan(5);
    expect(new Set(linked)).toEqual(ids);
    for (const { id } of live) expect(JSON.stringify(roots)).toContain(id);
    // The article of a changed source still has its old text.
    for (const { linkedKnowledgeId, changed, paragraphs, oldParagraphs } of documents()) {
      const article = live.find(({ id }) => id === linkedKnowledgeId);
      if (article === undefined) continue;
      const text = changed ? oldParagraphs : paragraphs;
      expect(article.mainKnowledge).toBe(text.join('\n\n'));
    }
    const drafts = articles().filter(({ isDraftPublished }) => isDraftPublished === false);
    expect(drafts.map(({ originalArticleId }) => ids.has(originalArticleId ?? ''))).toEqual([
      false,
      true,
    ]);
  });

  test('each agent has its own folders', async () => {
    await start({ content: 'lived-in' });
    const agents = agentList.parse((await call('GET', '/bots/public')).answer);
    expect(agents.map(({ name }) => name)).toEqual(['Team assistant', 'Website chat']);
    const titles = async (query: string) => {
      const { answer } = await call('GET', `/hc-folders/public${query}`);
      return tree.parse(answer).snapshotObjV2.map(({ title }) => title);
    };
    expect(await titles(`?botId=${agents[0]?.id}`)).toEqual(['Billing', 'Riding', 'Team']);
    expect(await titles(`?botId=${agents[1]?.id}`)).not.toContain('Team');
    expect((await call('GET', `/hc-folders/public?botId=${UNKNOWN}`)).status).toBe(404);
  });

  test('its drafts can be published as they are', async () => {
    const { articles, documents } = await start({ content: 'lived-in' });
    for (const draft of articles().filter(({ isDraftPublished }) => isDraftPublished === false)) {
      const { status: code, answer } = await publish(draft);
      const { id } = z.looseObject({ id: z.guid() }).parse(answer);
      expect([code, draft.originalArticleId ?? id]).toEqual([200, id]);
      const [source] = documents().filter(({ linkedKnowledgeId }) => linkedKnowledgeId === id);
      expect(source).toMatchObject({ changed: false });
    }
  });

  test('has the same IDs at each start', async () => {
    const ids = async () => {
      const { articles } = await start({ content: 'lived-in' });
      const { answer } = await call('GET', '/hc-folders/public');
      return [articles().map(({ id }) => id), answer, (await call('GET', '/bots/public')).answer];
    };
    const first = await ids();
    await sandbox?.close();
    expect(await ids()).toEqual(first);
  });

  test('it can begin without folders and agents, as an empty one does', async () => {
    await start({ content: 'lived-in', folders: false, agents: [] });
    const nothing = async () => [
      tree.parse((await call('GET', '/hc-folders/public')).answer).snapshotObjV2,
      (await call('GET', '/bots/public')).answer,
    ];
    expect(await nothing()).toEqual([[], []]);
    expect(sandbox?.articles().length).toBeGreaterThan(5);
    await sandbox?.close();
    sandbox = await startSandbox();
    expect(await nothing()).toEqual([[], []]);
    expect(sandbox.articles()).toEqual([]);
  });
});
