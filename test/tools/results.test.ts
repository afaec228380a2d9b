import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, startHarness, type ToolAnswer } from '../harness.ts';

/*
 * Some clients give a model only the text of a result, others only its structured content. Each is
 * read here by itself, and must tell all that the other does.
 */

const SITE = 'https://docs.example';
const FAILURES: [part: string, error: string][] = [
  ['login', 'Page requires authentication: redirected to /login'],
  ['robots', 'Blocked by robots.txt'],
  ['archive', 'Unsupported content type: application/zip'],
  ['missing', 'Failed to fetch page: HTTP 404 Not Found'],
  ['broken', 'Failed to fetch page: HTTP 502 Bad Gateway'],
];

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness(
    {
      parallelJobs: 200,
      jobs: ({ url }) => {
        if (url?.includes('/never')) return { never: true };
        const error = FAILURES.find(([part]) => url?.includes(`/${part}`))?.[1];
        return error === undefined ? undefined : { status: 'FAILED', error };
      },
    },
    {},
    ['--allow-delete', '--allow-publish'],
  );
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

const pages = (count: number, part = 'page') =>
  Array.from({ length: count }, (_, index) => `${SITE}/${part}/${index}`);

/** Makes the next crawl find these. */
function findPages(urls: string[]): void {
  const rewrite = () => ({ data: urls, message: 'Found' });
  harness.sandbox.script({ path: /deep-crawl/, action: { kind: 'rewrite', rewrite } });
}

function expectNoNull(value: unknown): void {
  expect(JSON.stringify(value)).not.toMatch(/[:[,]null/);
}

/** The JSON inputs of the calls of a tool that a text proposes. */
function callsOf(tool: string, text: string): Record<string, unknown>[] {
  const found = [...text.matchAll(new RegExp(`${tool} with (\\{.*?\\})[.,;\\n]`, 'g'))];
  return found.map(([, json = '']) => JSON.parse(json));
}

describe('every tool', () => {
  const calls: [tool: string, input: (id: string) => Record<string, unknown>][] = [
    ['deep_crawl_links', () => ({ links: [SITE] })],
    ['ingest_site', () => ({ links: [SITE], limit: 2 })],
    ['ingest_site', () => ({ links: [SITE], limit: 2, dryRun: true })],
    ['ingest_and_wait', () => ({ documentIdsToAdd: pages(2) })],
    ['ingest_sources', () => ({ documentIdsToAdd: pages(2) })],
    ['wait_for_sources', (id) => ({ ids: [id] })],
    ['refresh_sources', (id) => ({ documentIds: [id] })],
    ['list_sources', () => ({})],
    ['get_source', (id) => ({ id })],
    ['generate_knowledge', (id) => ({ documentIds: [id] })],
    ['list_articles', () => ({})],
    ['get_articles', (id) => ({ articleIds: [id] })],
    ['list_agents', () => ({})],
    ['get_knowledge_tree', () => ({})],
    ['list_provider_resources', () => ({ provider: 'notion' })],
    ['import_provider_resources', () => ({ provider: 'notion', all: true, dryRun: true })],
    ['import_provider_resources', () => ({ provider: 'zendesk', search: 'voucher' })],
    ['delete_sources', (id) => ({ documentIds: [id] })],
  ];

  test.each(calls)('%s answers one text and no link, and without nulls', async (name, input) => {
    const { id } = harness.sandbox.addDocument({ title: null, linkedJobStatus: null });
    const { sandbox, client } = harness;
    sandbox.addDocument({ title: 'Page' });
    const isIngested = ['wait_for_sources', 'generate_knowledge'].includes(name);
    const given = input(isIngested ? sandbox.addDocument({}).id : id);
    const answer = await client.callTool({ name, arguments: given });
    expect(answer.content).toMatchObject([{ type: 'text' }]);
    expect(answer.content).toHaveLength(1);
    expect(answer.structuredContent).toBeDefined();
    expectNoNull(answer.structuredContent);
    expect(JSON.stringify(answer)).not.toMatch(/structured content/i);
  });

  test('what decides comes before the lists, in the structured content too', async () => {
    const keys = async (name: string, input: Record<string, unknown>) =>
      Object.keys((await harness.call(name, input)).structured);
    expect(await keys('deep_crawl_links', { links: [SITE] })).toEqual(['message', 'count', 'urls']);
    expect(await keys('list_sources', { limit: 1 })).toEqual([
      'message',
      'hasMore',
      'nextCursor',
      'documents',
    ]);
    const listed = await keys('list_provider_resources', { provider: 'confluence', limit: 1 });
    expect(listed).toEqual(['message', 'total', 'nextOffset', 'resources']);
    const articles = await keys('list_articles', { limit: 1 });
    expect(articles).toEqual(['message', 'total', 'articles']);
    expect(await keys('get_knowledge_tree', {})).toEqual([
      ...['message', 'total', 'updatedAt', 'folders'],
    ]);
    const waited = await keys('ingest_and_wait', { documentIdsToAdd: pages(1, 'login') });
    expect(waited).toEqual([
      'outcome',
      'counts',
      'elapsedSeconds',
      'nextSteps',
      'unqueued',
      'sources',
    ]);
    const dry = await keys('ingest_site', { links: [SITE], dryRun: true });
    expect(dry).toEqual(['message', 'found', 'selected', 'leftOut', 'urls']);
  });
});

describe.each([
  ['deep_crawl_links', {}],
  ['ingest_site', { dryRun: true }],
])('%s', (tool, more) => {
  test('of 120 pages names each, in the text and in the structured content', async () => {
    const urls = pages(120);
    findPages(urls);
    const { text, structured } = await harness.call(tool, { links: [SITE], ...more });
    expect(text.split('\n').slice(1)).toEqual(urls);
    expect(structured.urls).toEqual(urls);
    expect(text).toContain(structured.message);
  });

  test('of more pages than fit says how many more there are, and what shows them', async () => {
    const urls = Array.from({ length: 5_000 }, (_, page) =>
      `${SITE}/guides/section-${page}/`.padEnd(60, 'x'),
    );
    findPages(urls);
    const input = { links: [SITE], limit: 5_000, ...more };
    const { text, structured } = await harness.call(tool, input);
    const left = 5_000 - structured.urls.length;
    expect(text.split('\n').slice(1)).toEqual(structured.urls);
    expect(structured.urls.length).toBeGreaterThan(900);
    expect(structured.message).toContain(`the other ${left}, call deep_crawl_links with links`);
    for (const part of [text, JSON.stringify(structured)])
      expect(Buffer.byteLength(part)).toBeLessThan(64_000);
  });
});

describe('a report of 55 pages, 25 of which fail', () => {
  const wanted = FAILURES.flatMap(([part]) => [...pages(6, `good-${part}`), ...pages(5, part)]);
  let answer: ToolAnswer;
  beforeAll(async () => {
    answer = await harness.call('ingest_and_wait', { documentIdsToAdd: wanted });
  });

  test('is whole in the structured content, in the order of the inputs', () => {
    const { sources, counts } = answer.structured;
    expect(counts).toMatchObject({ submitted: 55, completed: 30, failed: 25 });
    const urls = sources.map((source: { originalUrl: string }) => source.originalUrl);
    expect(urls).toEqual(wanted);
    for (const { status, error, hint, id, title } of sources) {
      expect(id).toMatch(/^[0-9a-f-]{36}$/);
      if (status === 'completed') expect(title).toMatch(/\S/);
      else expect(error && hint).toMatch(/\S/);
    }
    expect(answer.structured.omitted).toBeUndefined();
  });

  test('is whole in the text, what decides first', () => {
    const { text, structured } = answer;
    const lines = text.split('\n');
    expect(lines[0]).toMatch(/^partial: 30 of 55 completed, 25 failed/);
    expect(text.slice(`${lines[0]}\n`.length)).toMatch(/^Each failed source has a hint/);
    expect(text).toContain(`\n${structured.nextSteps}\nFailed (5): `);
    for (const { originalUrl, id, error, hint, title } of structured.sources) {
      const named = lines.filter((line) => line.includes(`- ${originalUrl} (${id})`));
      expect(named).toHaveLength(1);
      expect(named[0]).toContain(error ?? title);
      // Said once for all that it concerns.
      if (hint !== undefined) expect(text.split(hint)).toHaveLength(2);
    }
  });

  test('proposes to try again only what may pass', async () => {
    const { nextSteps } = answer.structured;
    expect(callsOf('ingest_and_wait', nextSteps)).toEqual([
      { documentIdsToRefresh: pages(5, 'broken') },
    ]);
    const hints = new Map(
      answer.structured.sources.map((one: { originalUrl: string; hint: string }) => [
        one.originalUrl,
        one.hint,
      ]),
    );
    expect(hints.get(`${SITE}/missing/0`)).toMatch(/page does not exist/);
    const none = await harness.call('ingest_and_wait', { documentIdsToAdd: pages(2, 'missing') });
    expect(none.structured.nextSteps).toMatch(/Trying again without a change will not help/);
    expect(none.structured.nextSteps).not.toMatch(/ingest_and_wait|refresh_sources/);
  });
});

test('a list of sources has in its text all that a next call needs', async () => {
  const { structured, text } = await harness.call('list_sources', { limit: 100 });
  const lines = text.split('\n').slice(1);
  expect(lines).toHaveLength(structured.documents.length);
  for (const [index, document] of structured.documents.entries()) {
    const { id, title, originalUrl, source, error, hint } = document;
    const status = document.status.replace('_', ' ');
    for (const part of [id, title, originalUrl, status, source, error, hint]) {
      if (part !== undefined) expect(lines[index]).toContain(part);
    }
  }
  expect(text).toContain(structured.message);
});

test.each(['notion', 'zendesk', 'confluence'])(
  'what %s has is registered and ingested from the text alone',
  async (provider) => {
    const fresh = await startHarness();
    const { text, structured } = await fresh.call('list_provider_resources', { provider });
    const resources = text
      .split('\n')
      .filter((line) => line.startsWith('- {'))
      .map((line) => JSON.parse(line.slice(2)));
    expect(resources).toEqual(structured.resources);
    expect(resources).toHaveLength(9);
    const registered = await fresh.call('register_provider_resources', { provider, resources });
    const [input] = callsOf('ingest_and_wait', registered.text);
    const { structured: report } = await fresh.call('ingest_and_wait', input);
    expect(report.counts).toMatchObject({ submitted: 9, completed: 9 });
    await fresh.close();
  },
);

describe('a call that asks for no progress', () => {
  let silent: Harness;
  beforeAll(async () => {
    const jobs = () => ({ pendingMs: 0, workingMs: 900 });
    silent = await startHarness({ jobs }, {}, [], {
      dependencies: { silentCallSeconds: 0.3 },
    });
  });
  afterAll(() => silent.close());

  test.each([
    ['ingest_and_wait', { documentIdsToAdd: [`${SITE}/slow/1`] }],
    ['ingest_site', { links: ['https://slow.example'], limit: 1 }],
    ['import_provider_resources', { provider: 'notion', search: 'refund' }],
  ])('%s ends in time whatever it asks for, and says how to continue', async (tool, input) => {
    const { structured } = await silent.call(tool, { ...input, timeoutSeconds: 3_600 });
    const report = structured.report ?? structured;
    expect(report.outcome).toBe('timed_out');
    expect(report.elapsedSeconds).toBeLessThan(0.9);
    const [next = {}] = callsOf('wait_for_sources', report.nextSteps);
    const options = { onprogress: () => undefined };
    const waited = await silent.call('wait_for_sources', next, options);
    expect(waited.structured.outcome).toBe('completed');
  });

  test('and without timeoutSeconds; one with progress waits as long as it asks for', async () => {
    const first = { documentIdsToAdd: [`${SITE}/slow/2`] };
    expect((await silent.call('ingest_and_wait', first)).structured.outcome).toBe('timed_out');
    const second = { documentIdsToAdd: [`${SITE}/slow/3`], timeoutSeconds: 10 };
    const options = { onprogress: () => undefined };
    const { structured } = await silent.call('ingest_and_wait', second, options);
    expect(structured.outcome).toBe('completed');
  });
});
