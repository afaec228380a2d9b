import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Harness, startHarness, type ToolAnswer } from '../harness.ts';
import { nextCall, nextCallsOf } from '../next-calls.ts';
import { addExamples, EXAMPLE_CASES } from './examples.ts';

/*
 * Some clients pass a model only the text of a result, others only its structured content. These tests
 * read each by itself: both must tell everything.
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
      folders: true,
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

describe('every tool', () => {
  test.each(EXAMPLE_CASES)(
    '%s answers one text and no link, and without nulls',
    async (name, { input }) => {
      // A Fini of its own for each, where no job of another example runs.
      const own = await startHarness({ folders: true }, {}, ['--allow-delete', '--allow-publish']);
      onTestFinished(() => own.close());
      const { sandbox, client } = own;
      addExamples(sandbox);
      sandbox.addDocument({ title: null, linkedJobStatus: null });
      const answer = await client.callTool({ name, arguments: input });
      expect(answer.content).toMatchObject([{ type: 'text' }]);
      expect(answer.content).toHaveLength(1);
      expect(answer.structuredContent).toBeDefined();
      expectNoNull(answer.structuredContent);
      expect(JSON.stringify(answer)).not.toMatch(/structured content/i);
    },
  );

  test('what decides comes before the lists, in the structured content too', async () => {
    for (const { name, outputSchema } of (await harness.client.listTools()).tools) {
      const fields = Object.entries(Object(outputSchema?.properties));
      const names = fields.map(([field]) => field);
      expect(names[0], name).toBe('message');
      const lists = fields.slice(names.indexOf('nextCalls') + 1);
      for (const [, schema] of lists) expect(schema, name).toMatchObject({ type: 'array' });
    }
  });
});

describe.each([
  ['deep_crawl_links', {}],
  ['ingest_site', { dryRun: true }],
])('%s', (tool, more) => {
  const urlsOf = (answer: ToolAnswer): string[] =>
    answer.structured.urls ??
    answer.structured.sources.map(({ originalUrl }: { originalUrl: string }) => originalUrl);

  test('of 120 pages names each, in the text and in the structured content', async () => {
    const urls = pages(120);
    findPages(urls);
    const answer = await harness.call(tool, { links: [SITE], ...more });
    expect(urlsOf(answer)).toEqual(urls);
    const lines = answer.text.split('\n');
    for (const url of urls) expect(lines).toContain(`- ${url}`);
  });

  test('of more pages than fit says how many more there are, and what shows them', async () => {
    const urls = Array.from({ length: 5_000 }, (_, page) =>
      `${SITE}/guides/section-${page}/`.padEnd(60, 'x'),
    );
    findPages(urls);
    const answer = await harness.call(tool, { links: [SITE], limit: 5_000, ...more });
    const { omitted, nextCalls } = answer.structured;
    const [left = 0] = Object.values<number>(omitted ?? {});
    expect(urlsOf(answer)).toEqual(urls.slice(0, 5_000 - left));
    expect(urlsOf(answer).length).toBeGreaterThan(500);
    expect(nextCalls.length).toBeGreaterThan(0);
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
    for (const { advice } of structured.hints) expect(text.split(advice)).toHaveLength(2);
    for (const { originalUrl, id, error, title } of structured.sources) {
      const named = lines.filter((line) => line.includes(`- ${originalUrl} (${id})`));
      expect(named).toHaveLength(1);
      expect(named[0]).toContain(error ?? title);
    }
  });

  test('proposes to try again only what may pass', async () => {
    expect(nextCallsOf(answer, 'ingest_and_wait')).toEqual([
      { documentIdsToRefresh: pages(5, 'broken') },
    ]);
    const none = await harness.call('ingest_and_wait', { documentIdsToAdd: pages(2, 'missing') });
    expect(none.structured.hints).toMatchObject([{ hint: 'page_missing', count: 2 }]);
    for (const tool of ['ingest_and_wait', 'refresh_sources']) {
      expect(nextCallsOf(none, tool)).toEqual([]);
    }
  });
});

test('a list of sources has in its text all that a next call needs', async () => {
  const { structured, text } = await harness.call('list_sources', { limit: 100 });
  const lines = text.split('\n');
  for (const { id, title, originalUrl, source, error } of structured.sources) {
    const [line, ...others] = lines.filter((one) => one.includes(id));
    expect(others).toEqual([]);
    for (const part of [title, originalUrl, source, error]) {
      if (part !== undefined) expect(line).toContain(part);
    }
  }
  for (const { advice } of structured.hints) expect(text.split(advice)).toHaveLength(2);
  expect(text.startsWith(structured.message)).toBe(true);
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
    const input = nextCall(registered, 'ingest_and_wait');
    const { structured: report } = await fresh.call('ingest_and_wait', input);
    expect(report.counts).toMatchObject({ submitted: 9, completed: 9 });
    await fresh.close();
  },
);

describe('a call that asks for no progress', () => {
  let silent: Harness;
  beforeAll(async () => {
    const jobs = () => ({ pendingMs: 0, workingMs: 1_500 });
    silent = await startHarness({ jobs }, {}, [], {
      dependencies: { silentCallSeconds: 2 },
    });
  });
  afterAll(() => silent.close());

  test.each([
    ['ingest_and_wait', { documentIdsToAdd: [`${SITE}/slow/1`] }],
    ['ingest_site', { links: ['https://slow.example'], limit: 1 }],
    ['import_provider_resources', { provider: 'notion', search: 'refund' }],
  ])('%s ends in time whatever it asks for, and says how to continue', async (tool, input) => {
    const answer = await silent.call(tool, { ...input, timeoutSeconds: 3_600 });
    expect(answer.structured).toMatchObject({ outcome: 'timed_out', askedSeconds: 3_600 });
    expect(answer.structured.message).toMatch(
      /Waited [\d.]+ s, not 3600: this client asked for no progress\./,
    );
    expect(answer.structured.elapsedSeconds).toBeLessThan(6);
    const next = nextCall(answer, 'wait_for_sources');
    const options = { onprogress: () => undefined };
    const waited = await silent.call('wait_for_sources', next, options);
    expect(waited.structured.outcome).toBe('completed');
  });

  test('wait_for_sources and generate_knowledge say so, too', async () => {
    const knowledgeJobs = () => ({ workingMs: 9_000 });
    const dependencies = { silentCallSeconds: 2 };
    const slow = await startHarness({ folders: true, knowledgeJobs }, {}, [], { dependencies });
    const running = slow.sandbox.addDocument({ linkedJobStatus: 'IN_PROGRESS', success: null });
    const done = slow.sandbox.addDocument({});
    for (const [tool, input] of [
      ['wait_for_sources', { ids: [running.id] }],
      ['generate_knowledge', { documentIds: [done.id] }],
    ] as const) {
      const { structured } = await slow.call(tool, { ...input, timeoutSeconds: 1_800 });
      expect(structured).toMatchObject({ outcome: 'timed_out', askedSeconds: 1_800 });
      expect(structured.message).toContain('this client asked for no progress');
    }
    await slow.close();
  });

  test.each([
    ['deep_crawl_links', { links: ['https://a.example'] }],
    ['ingest_site', { links: ['https://a.example'], timeoutSeconds: 1_800 }],
    ['list_provider_resources', { provider: 'notion' }],
    ['import_provider_resources', { provider: 'notion', all: true, timeoutSeconds: 1_800 }],
    ['list_sources', {}],
  ])('%s says why it had so little time for a request', async (tool, input) => {
    silent.sandbox.script({ times: 9, action: { kind: 'hang' } });
    const { isError, text } = await silent.call(tool, input);
    silent.sandbox.clearFaults();
    expect(isError).toBe(true);
    expect(text).toContain('This client asked for no progress, so a call has 2 s at most.');
    expect(text).not.toContain('FINI_REQUEST_TIMEOUT_MS');
  });

  test.each([
    ['deep_crawl_links', {}, 'set FINI_WAIT_TIMEOUT_SECONDS'],
    ['ingest_site', { timeoutSeconds: 1 }, 'pass a larger timeoutSeconds'],
    ['ingest_site', {}, 'pass a larger timeoutSeconds'],
  ])('%s with progress and %j says what gives it more time', async (tool, input, how) => {
    const patient = await startHarness({}, { FINI_WAIT_TIMEOUT_SECONDS: '1' });
    patient.sandbox.script({ times: 9, action: { kind: 'hang' } });
    const links = ['https://a.example'];
    const options = { onprogress: () => undefined };
    const { text } = await patient.call(tool, { links, ...input }, options);
    await patient.close();
    expect(text).toContain(`To allow more time, ${how}.`);
  });

  test('and without timeoutSeconds; one with progress waits as long as it asks for', async () => {
    const first = { documentIdsToAdd: [`${SITE}/slow/2`] };
    expect((await silent.call('ingest_and_wait', first)).structured.outcome).toBe('timed_out');
    const second = { documentIdsToAdd: [`${SITE}/slow/3`], timeoutSeconds: 60 };
    const options = { onprogress: () => undefined };
    const { structured } = await silent.call('ingest_and_wait', second, options);
    expect(structured.outcome).toBe('completed');
  });
});
