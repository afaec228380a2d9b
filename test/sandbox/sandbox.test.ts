import { afterEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { siteOrigin, webPages } from '../../src/sandbox/content.ts';
import { providerContent } from '../../src/sandbox/provider-content.ts';
import type { SandboxOptions } from '../../src/sandbox/sandbox-server.ts';
import { askSandbox } from '../harness.ts';
import { type ScriptedSandbox, startScriptedSandbox } from '../scripted-sandbox.ts';

const queued = z.object({
  addedDocumentIds: z.array(z.guid()),
  updatedDocumentIds: z.array(z.guid()),
});
const record = z.looseObject({
  id: z.guid(),
  originalUrl: z.string(),
  title: z.string().nullable(),
  externalId: z.string().nullable(),
  updatedAt: z.string(),
  linkedJobId: z.string().nullable(),
  linkedJobStatus: z.string().nullable(),
});
const page = z.object({ documents: z.array(record), hasMore: z.boolean() });
const found = z.object({ data: z.array(z.string()), message: z.string() });

let sandbox: ScriptedSandbox | undefined;
let clock = 0;
afterEach(() => sandbox?.close());

/** Starts a sandbox whose clock moves only when a test moves it, with jobs of up to 1.5 s + 1.5 s. */
async function start(options: SandboxOptions = {}): Promise<ScriptedSandbox> {
  clock = Date.parse('2026-03-01T12:00:00.000Z');
  const now = () => clock;
  sandbox = await startScriptedSandbox({ pendingMs: 1000, workingMs: 1000, now, ...options });
  return sandbox;
}

const call = (method: string, path: string, body?: unknown, key?: string) =>
  askSandbox(sandbox, method, `/documents/public${path}`, body, key);

async function ingest(body: unknown) {
  return queued.parse((await call('POST', '', body)).answer);
}

async function get(id: string | undefined) {
  return record.parse((await call('GET', `/${id}`)).answer);
}

async function list(query: string) {
  return page.parse((await call('GET', query)).answer);
}

const refunds = `${siteOrigin}/billing/refunds`;
const invoices = `${siteOrigin}/billing/invoices`;

describe('the limit of requests', () => {
  const ask = async (key: string) => {
    const headers = { authorization: `Bearer ${key}` };
    const response = await fetch(`${sandbox?.url}/v2/documents/public`, { headers });
    const answer: unknown = await response.json();
    return { status: response.status, answer, retryAfter: response.headers.get('retry-after') };
  };
  const askOften = async (times: number, key = 'fini_sandbox') => {
    const statuses: number[] = [];
    for (let asked = 0; asked < times; asked += 1) statuses.push((await ask(key)).status);
    return statuses;
  };

  test('is 100 for each key in any 60 s, and the next one is refused', async () => {
    const { requests } = await start();
    expect(await askOften(60)).toEqual(Array(60).fill(200));
    clock += 30_000;
    expect(await askOften(40)).toEqual(Array(40).fill(200));
    expect(await ask('fini_sandbox')).toEqual({
      status: 429,
      answer: { statusCode: 429, message: 'Too Many Requests', error: 'Too Many Requests' },
      retryAfter: '30',
    });
    expect(requests.at(-1)).toMatchObject({ status: 429 });
    // Another key has its own limit.
    expect(await askOften(1, 'fini_sandbox_read')).toEqual([200]);
    clock += 30_000;
    // The first 60 no longer count, and refused requests never did.
    expect(await askOften(61)).toEqual([...Array(60).fill(200), 429]);
  });

  test('may come without a Retry-After, and does not use up a scripted fault', async () => {
    const { script } = await start({ requestsPerMinute: 2, retryAfter: 'none' });
    expect(await askOften(2)).toEqual([200, 200]);
    script({ action: { kind: 'status', status: 503 } });
    expect(await ask('fini_sandbox')).toMatchObject({ status: 429, retryAfter: null });
    clock += 60_000;
    expect(await askOften(2)).toEqual([503, 200]);
  });

  test('counts requests that meet a fault, and can be lifted', async () => {
    const { script } = await start({ requestsPerMinute: 1 });
    script({ action: { kind: 'status', status: 503 } });
    expect(await askOften(2)).toEqual([503, 429]);
    await sandbox?.close();
    await start({ requestsPerMinute: Number.POSITIVE_INFINITY });
    expect(await askOften(150)).toEqual(Array(150).fill(200));
  });
});

describe('access and errors', () => {
  test.each([
    ['wrong', 'GET', '', 401, 'Missing or malformed API key'],
    ['fini_wrong', 'GET', '', 401, 'Invalid API key'],
    ['fini_sandbox_write', 'GET', '', 403, 'API key is missing the required `read` scope'],
    ['fini_sandbox_read', 'POST', '', 403, 'API key is missing the required `write` scope'],
    ['fini_sandbox', 'GET', '/resources/drive', 400, 'Provider drive is not supported'],
    ['fini_sandbox', 'GET', '/abc', 400, 'Validation failed (uuid is expected)'],
    ['fini_sandbox', 'PUT', '', 404, 'Cannot PUT /v2/documents/public'],
    ['fini_sandbox', 'POST', '', 400, 'Invalid request body'],
  ])('%s: %s %s is a %i', async (key, method, path, status, message) => {
    await start();
    const { answer } = await call(method, path, undefined, key);
    expect(answer).toMatchObject({ statusCode: status, message, error: expect.any(String) });
  });

  test('lists the errors in a body', async () => {
    await start();
    const { status, answer } = await call('POST', '/deep-crawl/links', { links: ['ftp://x'] });
    expect(status).toBe(400);
    expect(answer).toMatchObject({ message: ['links.0: Invalid URL'], error: 'Bad Request' });
  });

  test('records requests and follows the clock', async () => {
    const { requests } = await start();
    const { date } = await call('POST', '/refresh?x=1', { documentIds: [] });
    expect(date).toBe('Sun, 01 Mar 2026 12:00:00 GMT');
    expect(requests).toEqual([
      {
        method: 'POST',
        path: '/v2/documents/public/refresh?x=1',
        body: { documentIds: [] },
        authorization: 'Bearer fini_sandbox',
        at: clock,
        status: 400,
      },
    ]);
  });
});

describe('crawl', () => {
  test('finds a section, the site, and made-up pages elsewhere', async () => {
    await start();
    const crawl = async (body: unknown) =>
      found.parse((await call('POST', '/deep-crawl/links', body)).answer).data;
    expect(await crawl({ links: [`${siteOrigin}/billing/`, refunds] })).toHaveLength(10);
    expect(await crawl({ links: [siteOrigin] })).toHaveLength(webPages.length);
    expect(await crawl({ links: [siteOrigin], limit: 3 })).toHaveLength(3);
    expect(await crawl({ links: ['https://a.example/docs'] })).toContain(
      'https://a.example/docs/overview',
    );
    expect(sandbox?.documents()).toEqual([]);
  });
});

describe('a lived-in workspace', () => {
  test('has sources of every kind and state, of different ages', async () => {
    const { documents, resources } = await livedInSandbox();
    const kinds = new Set(documents.map(({ source }) => source));
    expect([...kinds].toSorted()).toEqual(
      ['confluence', 'files', 'googledrive', 'notion', 'web', 'zendesk'].toSorted(),
    );
    const reasons = documents.map(({ error }) => error ?? '').join('\n');
    for (const reason of [
      /authentication/,
      /robots\.txt/,
      /content type/,
      /expired/,
      /No usable/,
    ]) {
      expect(reasons).toMatch(reason);
    }
    const ages = documents.map(({ updatedAt }) => (clock - Date.parse(updatedAt)) / 86_400_000);
    expect(Math.min(...ages)).toBeGreaterThan(15 / (24 * 60));
    expect(ages.filter((days) => days > 90).length).toBeGreaterThan(3);
    expect(new Set(ages).size).toBe(ages.length);
    for (const { createdAt, updatedAt } of documents) expect(createdAt < updatedAt).toBe(true);
    const changed = documents.filter((document) => document.changed);
    expect(changed.length).toBeGreaterThan(2);
    for (const document of changed) {
      expect(document.linkedKnowledgeId).not.toBeNull();
      expect(document.paragraphs).not.toEqual(document.oldParagraphs);
    }
    expect(documents.filter(({ linkedJobStatus }) => linkedJobStatus === null)).toHaveLength(1);
    expect(documents.filter(({ linkedJobStatus }) => linkedJobStatus === 'PENDING')).toHaveLength(
      1,
    );
    for (const { title, success } of documents) if (success === true) expect(title).toBeTruthy();
    // Some items are left to import, and the help centre is left to ingest.
    for (const listed of resources)
      expect(JSON.stringify(listed).match(/"title"/g)?.length).toBeGreaterThan(3);
    expect(documents.filter(({ originalUrl }) => originalUrl?.startsWith(siteOrigin))).toEqual([]);
  });

  test('has the same IDs at each start', async () => {
    const ids = async () => {
      const { documents } = await livedInSandbox();
      return documents.map(({ id }) => id);
    };
    const first = await ids();
    expect(new Set(first).size).toBe(first.length);
    for (const id of first) expect(z.guid().safeParse(id).success, id).toBe(true);
    await sandbox?.close();
    expect(await ids()).toEqual(first);
  });

  test('gives the same again where it is refreshed: what failed fails, what changed has not', async () => {
    const { documents } = await livedInSandbox();
    const pages = documents.filter(
      ({ source, linkedJobStatus }) => source === 'web' && linkedJobStatus !== 'PENDING',
    );
    await call('POST', '/refresh', { documentIds: pages.map(({ id }) => id) });
    clock += 600_000;
    const refreshed = new Map(sandbox?.documents().map((document) => [document.id, document]));
    for (const { id, success, error, paragraphs, title } of pages) {
      expect(refreshed.get(id)).toMatchObject({
        success,
        error,
        paragraphs,
        title,
        changed: false,
      });
    }
  });

  async function livedInSandbox() {
    const { documents } = await start({ content: 'lived-in' });
    const resources = await Promise.all(
      ['notion', 'zendesk', 'confluence'].map(
        async (provider) => (await call('GET', `/resources/${provider}`)).answer,
      ),
    );
    return { documents: documents(), resources };
  }
});

describe('ingest of web pages', () => {
  test('moves a record from PENDING to COMPLETED, on time', async () => {
    await start();
    const { addedDocumentIds } = await ingest({ documentIdsToAdd: [refunds, invoices, refunds] });
    expect(addedDocumentIds).toHaveLength(2);
    expect((await get(addedDocumentIds[1])).originalUrl).toBe(refunds);
    expect(await get(addedDocumentIds[1])).toMatchObject({
      linkedJobStatus: 'PENDING',
      title: null,
      paragraphs: [],
      success: null,
    });
    clock += 1500;
    expect(await get(addedDocumentIds[1])).toMatchObject({ linkedJobStatus: 'IN_PROGRESS' });
    clock += 60_000;
    const done = await get(addedDocumentIds[1]);
    expect(done).toMatchObject({ linkedJobStatus: 'COMPLETED', success: true, title: 'Refunds' });
    expect(Date.parse(done.updatedAt)).toBeLessThan(clock - 50_000);
  });

  test('has a page for each way to fail', async () => {
    await start();
    const failing = ['/account/rewards', '/business/partner-prices', '/bikes/manuals-2026.zip'];
    const urls = [...failing, '/getting-started/bike-finder', '/none'].map((p) => siteOrigin + p);
    await ingest({ documentIdsToAdd: urls });
    clock += 9000;
    expect(
      sandbox
        ?.documents()
        .map(({ linkedJobStatus, success, error }) => [linkedJobStatus, success, error]),
    ).toEqual([
      ['FAILED', false, expect.stringContaining('authentication')],
      ['FAILED', false, expect.stringContaining('robots.txt')],
      ['FAILED', false, expect.stringContaining('content type')],
      ['COMPLETED', false, expect.stringContaining('No usable content')],
      ['FAILED', false, expect.stringContaining('404')],
    ]);
  });

  test('refuses IDs, no items at all, and an unknown source', async () => {
    await start();
    for (const body of [
      { documentIdsToAdd: ['5d9f67a8-d853-4af4-b7ce-23ebba1245e5'] },
      { documentIdsToAdd: [] },
      { source: 'files', documentIdsToAdd: [refunds] },
      { source: 'notion', documentIdsToAdd: [refunds] },
    ]) {
      expect((await call('POST', '', body)).status).toBe(400);
    }
  });

  test('keeps the old status and job on a known record for a while', async () => {
    const { addDocument } = await start();
    const { id, linkedJobId, updatedAt } = addDocument({ originalUrl: refunds });
    clock += 1000;
    expect(await ingest({ documentIdsToAdd: [refunds] })).toEqual({
      addedDocumentIds: [id],
      updatedDocumentIds: [],
    });
    clock += 299;
    expect(await get(id)).toMatchObject({ linkedJobStatus: 'COMPLETED', linkedJobId, updatedAt });
    clock += 1;
    const pending = await get(id);
    expect(pending).toMatchObject({ linkedJobStatus: 'PENDING', success: true });
    expect(pending.linkedJobId).not.toBe(linkedJobId);
    clock += 9000;
    expect(await get(id)).toMatchObject({ linkedOperation: 'UPDATE_ARTICLE', changed: true });
  });

  test('limits how many jobs run at once', async () => {
    await start({ parallelJobs: 2, jobs: () => ({ pendingMs: 0, workingMs: 100 }) });
    await ingest({ documentIdsToAdd: webPages.slice(0, 5).map(({ url }) => url) });
    const inProgress = () =>
      sandbox?.documents().filter((document) => document.linkedJobStatus === 'IN_PROGRESS').length;
    expect(inProgress()).toBe(2);
    clock += 250;
    expect(inProgress()).toBe(1);
    expect(new Set(sandbox?.documents().map((document) => document.updatedAt)).size).toBe(2);
  });

  test('follows a script', async () => {
    await start({
      jobs: ({ url }) =>
        new Map([
          ['https://a.example/drop', { drop: true as const }],
          ['https://a.example/vanish', { vanish: true as const }],
          ['https://a.example/never', { never: true as const }],
          ['https://a.example/odd', { status: 'ARCHIVED' }],
          ['https://a.example/error', { error: 'Too short' }],
          ['https://a.example/text', { paragraphs: ['Mine'], success: true }],
        ]).get(url ?? ''),
    });
    const names = ['drop', 'vanish', 'never', 'odd', 'error', 'text'];
    const urls = names.map((name) => `https://a.example/${name}`);
    expect((await ingest({ documentIdsToAdd: urls })).addedDocumentIds).toHaveLength(5);
    clock += 1e6;
    expect(sandbox?.documents()).toMatchObject([
      { linkedJobStatus: 'IN_PROGRESS' },
      { linkedJobStatus: 'ARCHIVED', success: null },
      { linkedJobStatus: 'COMPLETED', success: false, error: 'Too short' },
      { linkedJobStatus: 'COMPLETED', success: true, paragraphs: ['Mine'] },
    ]);
  });
});

describe('refresh and delete', () => {
  test('refreshes known sources, but no raw files', async () => {
    const { addDocument } = await start();
    const one = addDocument({});
    const file = addDocument({ source: 'files' });
    const { answer } = await call('POST', '/refresh', { documentIds: [one.id] });
    expect(answer).toEqual([one.id]);
    expect((await call('POST', '/refresh', { documentIds: [file.id] })).status).toBe(400);
    const unknown = '5d9f67a8-d853-4af4-b7ce-23ebba1245e5';
    expect((await call('POST', '/refresh', { documentIds: [unknown] })).status).toBe(400);
    expect((await call('GET', `/${unknown}`)).status).toBe(404);
  });

  test('deletes records, with their articles if asked to', async () => {
    const { addDocument } = await start();
    const linkedKnowledgeId = '5d9f67a8-d853-4af4-b7ce-23ebba1245e5';
    const { id, title, originalUrl } = addDocument({ linkedKnowledgeId });
    const body = { documentIds: [id], deleteArticles: true };
    expect((await call('DELETE', '', body)).answer).toEqual({
      deletedDocuments: [{ id, title, originalUrl }],
      deletedArticles: [{ id: linkedKnowledgeId, title, parentFolderId: null }],
    });
    expect((await call('GET', `/${id}`)).status).toBe(404);
  });
});

describe('list', () => {
  test('pages to older and newer records', async () => {
    const { addDocument } = await start();
    for (let index = 0; index < 5; index += 1) {
      addDocument({ title: `T${index}`, updatedAt: new Date(clock + index).toISOString() });
    }
    const titles = ({ documents, hasMore }: z.infer<typeof page>) => [
      documents.map((document) => document.title),
      hasMore,
    ];
    const first = await list('?limit=2');
    expect(titles(first)).toEqual([['T4', 'T3'], true]);
    const second = await list(`?limit=2&cursor=${first.documents[1]?.id}`);
    expect(titles(second)).toEqual([['T2', 'T1'], true]);
    const last = await list(`?limit=2&direction=next&cursor=${second.documents[1]?.id}`);
    expect(titles(last)).toEqual([['T0'], false]);
    const back = await list(`?limit=2&direction=previous&cursor=${last.documents[0]?.id}`);
    expect(titles(back)).toEqual([['T2', 'T1'], true]);
    const unknown = '5d9f67a8-d853-4af4-b7ce-23ebba1245e5';
    expect((await call('GET', `?cursor=${unknown}`)).status).toBe(400);
    expect((await call('GET', '?limit=101')).status).toBe(400);
  });

  test('breaks ties by the external ID, descending', async () => {
    const { addDocument } = await start();
    for (const externalId of ['a', 'c', 'b']) addDocument({ externalId });
    const { documents } = await list('');
    expect(documents.map((document) => document.externalId)).toEqual(['c', 'b', 'a']);
  });

  test('filters, but ignores some filters', async () => {
    const { addDocument } = await start({ ignoredFilters: ['changed'] });
    const { id } = addDocument({ title: 'Refunds', english: false, linkedOperation: 'DO_NOTHING' });
    addDocument({ source: 'notion' });
    for (const query of [`id=${id}`, 'title=fund', 'english=false', 'source=web']) {
      expect((await list(`?${query}`)).documents).toMatchObject([{ id }]);
    }
    expect((await list('?linkedOperation=DO_NOTHING')).documents).toHaveLength(1);
    expect((await list(`?linkedKnowledgeId=${id}`)).documents).toHaveLength(0);
    expect((await list('?changed=true')).documents).toHaveLength(2);
  });
});

describe('providers', () => {
  test('gives three shapes', async () => {
    await start();
    const shapes = await Promise.all(
      ['notion', 'zendesk', 'confluence'].map(
        async (provider) => (await call('GET', `/resources/${provider}`)).answer,
      ),
    );
    expect(shapes).toMatchObject([
      Array(9).fill({ externalId: expect.any(String), mimeType: expect.any(String) }),
      [
        {
          object: 'category',
          name: 'Riding',
          children: [{ object: 'section', children: Array(3).fill({ object: 'article' }) }, {}],
        },
        { children: [{}, {}] },
      ],
      [{ key: 'OPS', pages: [{ pages: [{}, { pages: [{ pages: [] }] }] }, {}] }, { key: 'CARE' }],
    ]);
  });

  test('registers without queueing, then ingests by source ID', async () => {
    await start();
    const resource = { originalUrl: 'https://x.example', title: 'Handbook', mimeType: 'text/html' };
    const resources = [{ ...resource, externalId: '98304000' }];
    const { answer } = await call('POST', '/resources/confluence', { resources });
    const ids = queued.parse(answer).addedDocumentIds;
    expect(await get(ids[0])).toMatchObject({ linkedJobStatus: null, title: 'Handbook' });
    const again = await call('POST', '/resources/confluence', { resources });
    expect(again.answer).toEqual({ addedDocumentIds: [], updatedDocumentIds: ids });
    // The registered page is gone from the list, but the pages below it are not.
    const left = await call('GET', '/resources/confluence');
    expect(left.answer).toMatchObject([{ pages: [{ title: 'Intake check' }, {}, {}] }, {}]);
    await ingest({ source: 'confluence', documentIdsToAdd: ids });
    clock += 9000;
    const { paragraphs } = providerContent('98304000', '');
    expect(paragraphs).toEqual([expect.stringContaining('city workshops')]);
    expect(await get(ids[0])).toMatchObject({ linkedJobStatus: 'COMPLETED', paragraphs });
  });

  test('refuses an incomplete resource and a provider that is not connected', async () => {
    const { addDocument } = await start({ connectedProviders: ['notion'] });
    const resources = [{ originalUrl: 'https://x.example', title: 'X', externalId: '1' }];
    const incomplete = await call('POST', '/resources/notion', { resources });
    expect(incomplete.answer).toMatchObject({
      message: [expect.stringMatching(/^resources\.0\.mimeType: /)],
    });
    expect((await call('GET', '/resources/zendesk')).status).toBe(400);
    const { id } = addDocument({ source: 'zendesk' });
    await call('POST', '/refresh', { documentIds: [id] });
    clock += 9000;
    expect(await get(id)).toMatchObject({ error: expect.stringContaining('expired') });
  });
});
