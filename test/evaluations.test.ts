import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { siteOrigin as SITE } from '../src/sandbox/content.ts';
import type { JobScript, SandboxOptions } from '../src/sandbox/sandbox-server.ts';
import { type Harness, ingestRequests, startHarness, type ToolAnswer } from './harness.ts';
import { nextCall, toolsNamed } from './next-calls.ts';
import type { ScriptedSandbox } from './scripted-sandbox.ts';

/*
 * Evaluations without a model: what people say, and the calls that should follow. Each row runs
 * against the sandbox. Where a model would follow the previous answer, the row takes the call from
 * that answer (`next`), which proves that next calls work as they are.
 */

type Input = Record<string, unknown>;

/** A call with its answer. */
interface Done {
  readonly tool: string;
  readonly input: Input;
  readonly answer: ToolAnswer;
}

interface Step {
  readonly tool: string;
  /** The input, or a function that derives it from earlier calls. */
  readonly input: Input | ((done: readonly Done[], tool: string) => Input);
  /** A pattern that the text must match. */
  readonly shows: RegExp;
  /** Fields that the structured result must have. */
  readonly has?: object;
  /** True if the call fails as a whole. */
  readonly fails?: true;
}

interface Row {
  readonly says: string;
  /** Sets up the sandbox before the first call. */
  readonly given?: (sandbox: ScriptedSandbox) => void;
  readonly steps: readonly Step[];
  /** Checks the sandbox at the end. */
  readonly finally?: (sandbox: ScriptedSandbox) => void;
}

/** The last call with its answer. */
function last(done: readonly Done[]): Done {
  const one = done.at(-1);
  if (one === undefined) throw new Error('nothing was done before');
  return one;
}

/** The input of the call of this tool that the last answer proposes. */
const next = (done: readonly Done[], tool: string) => nextCall(last(done).answer, tool);
/** The input of the first call, to make it again. */
const repeated = (done: readonly Done[]) => ({ ...done[0]?.input });
/** The ID of the first source in the last list. */
const listed = (done: readonly Done[]): string => {
  const { sources, documents } = last(done).answer.structured;
  return (sources ?? documents)[0].id;
};

const INGEST = /\/public$/;

/** Scripts the sandbox's jobs by their URLs. */
function jobScripts(): SandboxOptions['jobs'] {
  const seen = new Set<string>();
  const scripts: [part: string, script: JobScript, onlyFirst: boolean][] = [
    ['/slow', { pendingMs: 0, workingMs: 800 }, false],
    ['/mended', { status: 'FAILED', error: 'Page requires authentication: login' }, true],
    ['/dropped', { drop: true }, true],
  ];
  return ({ url }) => {
    const found = scripts.find(([part]) => url?.includes(part));
    if (url === null || found === undefined) return undefined;
    const [, script, onlyFirst] = found;
    const isFirst = !seen.has(url);
    seen.add(url);
    return onlyFirst && !isFirst ? undefined : script;
  };
}

const usual: Row[] = [
  {
    says: 'Ingest our help centre at https://help.larkspur.example',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: [SITE], dryRun: true },
        shows: /38 pages found, 38 selected.*Nothing is queued/,
      },
      {
        tool: 'ingest_site',
        input: next,
        shows: /34 of 38 completed, 4 failed[\s\S]*not yet live[\s\S]*robots/,
      },
      // The others failed for a permanent reason.
      { tool: 'ingest_and_wait', input: next, shows: /0 of 1 completed, 1 failed/, fails: true },
    ],
  },
  {
    says: 'Which pages about bikes are there? I only want the first two',
    steps: [
      {
        tool: 'deep_crawl_links',
        input: { links: [`${SITE}/bikes`] },
        shows: /7 pages found\. Nothing is ingested yet/,
      },
      {
        tool: 'ingest_and_wait',
        input: (done) => ({ documentIdsToAdd: last(done).answer.structured.urls.slice(0, 2) }),
        shows: /2 of 2 completed/,
      },
    ],
  },
  {
    says: 'Not more than three pages for a start',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: ['https://large.example/'], limit: 3, dryRun: true },
        shows: /3 selected.*the site may have more/,
      },
      { tool: 'ingest_site', input: next, shows: /3 of 3 completed/ },
    ],
  },
  {
    says: 'Import everything about refunds from Notion',
    steps: [
      {
        tool: 'import_provider_resources',
        input: { provider: 'notion', search: 'refund', dryRun: true },
        shows: /1 selected to add[\s\S]*Refund decisions/,
      },
      { tool: 'import_provider_resources', input: next, shows: /1 of 1 completed/ },
    ],
  },
  {
    says: 'Bring in all of Confluence',
    steps: [
      {
        tool: 'import_provider_resources',
        input: { provider: 'confluence', all: true, dryRun: true },
        shows: /9 selected to add/,
      },
      { tool: 'import_provider_resources', input: next, shows: /9 of 9 completed/ },
      {
        tool: 'import_provider_resources',
        input: { provider: 'confluence', all: true },
        shows: /0 items not in Fini yet/,
      },
    ],
  },
  {
    says: 'What does our Zendesk say about vouchers? Take the first one',
    steps: [
      {
        tool: 'list_provider_resources',
        input: { provider: 'zendesk', search: 'voucher' },
        shows: /2 of 2 items/,
      },
      {
        tool: 'register_provider_resources',
        input: (done) => ({
          provider: 'zendesk',
          resources: last(done).answer.structured.resources.slice(0, 1),
        }),
        shows: /Registered, not ingested/,
      },
      { tool: 'ingest_and_wait', input: next, shows: /1 of 1 completed/ },
    ],
  },
  {
    says: 'Take Zendesk article 4402118230 (an externalId, passed to ingest)',
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { source: 'zendesk', documentIdsToAdd: ['4402118230'] },
        shows: /externalId.*import_provider_resources with externalIds/,
        fails: true,
      },
      {
        tool: 'import_provider_resources',
        input: { provider: 'zendesk', externalIds: ['4402118230'] },
        shows: /1 of 1 completed.*1 selected to add/,
      },
      {
        tool: 'import_provider_resources',
        input: { provider: 'zendesk', externalIds: ['4402118230'] },
        shows: /1 of 1 completed.*1 selected item already in Fini, to be ingested again/,
      },
    ],
  },
  {
    says: 'Import what Notion has on pelicans (there is nothing)',
    steps: [
      {
        tool: 'import_provider_resources',
        input: { provider: 'notion', search: 'pelican' },
        shows: /Nothing matches "pelican"\. Try a shorter word\. Available: "/,
        fails: true,
      },
      { tool: 'list_provider_resources', input: next, shows: /Tone of voice/ },
    ],
  },
  {
    says: 'Refresh the page about tandems',
    given: (sandbox) => void sandbox.addDocument({ title: 'Tandems' }),
    steps: [
      { tool: 'list_sources', input: { title: 'tandem' }, shows: /Tandems/ },
      {
        tool: 'refresh_sources',
        input: (done) => ({ documentIds: [listed(done)] }),
        shows: /1 source queued, not done/,
      },
      { tool: 'wait_for_sources', input: next, shows: /1 of 1 completed/ },
    ],
  },
  {
    says: 'Just queue it. … Did that go through?',
    steps: [
      {
        tool: 'ingest_sources',
        input: { documentIdsToAdd: ['https://queue.example/a', 'https://queue.example/b'] },
        shows: /2 sources queued, not done/,
      },
      { tool: 'wait_for_sources', input: next, shows: /2 of 2 completed/ },
    ],
  },
  {
    says: 'It timed out, what now?',
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToAdd: ['https://a.example/slow'], timeoutSeconds: 1 },
        shows: /timed_out.*1 unfinished/,
      },
      { tool: 'wait_for_sources', input: next, shows: /1 of 1 completed/ },
    ],
  },
  {
    says: 'It timed out, so I asked again: is it in there twice now?',
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToAdd: ['https://b.example/slow'], timeoutSeconds: 1 },
        shows: /timed_out/,
      },
      {
        tool: 'ingest_and_wait',
        input: (done) => ({ ...repeated(done), timeoutSeconds: 60 }),
        shows: /1 of 1 completed/,
        has: { sources: [{ joined: true }] },
      },
    ],
    finally: (sandbox) => {
      const requests = JSON.stringify(ingestRequests(sandbox));
      expect(requests.split('https://b.example/slow')).toHaveLength(2);
    },
  },
  {
    says: 'Add this Google Drive doc: https://docs.google.com/document/d/1',
    given: (sandbox) => void sandbox.addDocument({ source: 'googledrive', title: 'Price list' }),
    steps: [
      {
        tool: 'ingest_and_wait',
        input: {
          source: 'googledrive',
          documentIdsToAdd: ['https://docs.google.com/document/d/1'],
        },
        shows: /Google Drive cannot be listed.*list_sources with source/,
        fails: true,
      },
      { tool: 'list_sources', input: { source: 'googledrive' }, shows: /Price list/ },
      {
        tool: 'ingest_and_wait',
        input: (done) => ({ source: 'googledrive', documentIdsToRefresh: [listed(done)] }),
        shows: /1 of 1 completed/,
      },
    ],
  },
  {
    says: 'Ingest help.larkspur.example/subscription',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: ['help.larkspur.example/subscription'] },
        shows: /put https:\/\/ before/,
        fails: true,
      },
      {
        tool: 'ingest_site',
        input: { links: [`${SITE}/subscription`] },
        shows: /5 of 5 completed/,
      },
    ],
  },
  {
    says: 'Ingest https://help.larkspur.example/hlep (no such section)',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: [`${SITE}/hlep`] },
        shows: /0 pages found.*Check that the start URLs exist/,
        fails: true,
      },
      {
        tool: 'deep_crawl_links',
        input: { links: [`${SITE}/hlep`] },
        shows: /0 pages found.*Check that the start URLs exist/,
      },
    ],
  },
  {
    says: 'I have taken the login off that page, try again',
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToAdd: ['https://c.example/mended'] },
        shows: /Trying failed sources again without a change will not help[\s\S]*needs a login/,
        fails: true,
      },
      { tool: 'ingest_and_wait', input: repeated, shows: /1 of 1 completed/ },
    ],
  },
  {
    says: 'The Notion page failed; I have reconnected Notion',
    given: (sandbox) =>
      void sandbox.addDocument({
        id: '11111111-1111-4111-8111-111111111111',
        source: 'notion',
        linkedJobStatus: 'FAILED',
        success: false,
        error: 'The notion connection has expired',
      }),
    steps: [
      {
        tool: 'wait_for_sources',
        input: { ids: ['11111111-1111-4111-8111-111111111111'] },
        shows: /reconnect it in the Fini dashboard/,
        fails: true,
      },
      { tool: 'refresh_sources', input: next, shows: /1 source queued, not done/ },
      { tool: 'wait_for_sources', input: next, shows: /1 of 1 completed/ },
    ],
  },
  {
    says: 'It said error 500. Is it in?',
    given: (sandbox) =>
      sandbox.script({ method: 'POST', path: INGEST, action: { kind: 'status', status: 500 } }),
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToAdd: ['https://e.example/'] },
        shows: /may have been queued all the same/,
        fails: true,
      },
      { tool: 'list_sources', input: next, shows: /./ },
      {
        tool: 'ingest_and_wait',
        input: (done) => nextCall((done[0] ?? last(done)).answer, 'ingest_and_wait'),
        shows: /1 of 1 completed/,
      },
    ],
  },
  {
    says: 'The connection broke. Is it in?',
    given: (sandbox) =>
      sandbox.script({ method: 'POST', path: INGEST, action: { kind: 'reset', when: 'after' } }),
    steps: [
      {
        tool: 'ingest_sources',
        input: { documentIdsToAdd: ['https://f.example/slow'] },
        shows: /may have been queued all the same, so check before calling again/,
        fails: true,
      },
      { tool: 'list_sources', input: next, shows: /PENDING|IN_PROGRESS|running/ },
      {
        tool: 'wait_for_sources',
        input: (done) => ({ ids: [listed(done)], timeoutSeconds: 60 }),
        shows: /1 of 1 completed/,
      },
    ],
  },
  {
    says: 'Notion was registered, but Fini refused the rest',
    given: (sandbox) =>
      sandbox.script({ method: 'POST', path: INGEST, action: { kind: 'status', status: 400 } }),
    steps: [
      {
        tool: 'import_provider_resources',
        input: { provider: 'notion', search: 'outage' },
        shows: /Nothing was queued.*1 item registered\./,
        fails: true,
      },
      { tool: 'ingest_and_wait', input: next, shows: /1 of 1 completed/ },
    ],
  },
];

const deleting: Row[] = [
  {
    says: 'Delete the old pricing page',
    given: (sandbox) => void sandbox.addDocument({ title: 'Old pricing' }),
    steps: [
      { tool: 'list_sources', input: { title: 'old pricing' }, shows: /Old pricing/ },
      { tool: 'get_source', input: (done) => ({ id: listed(done) }), shows: /Old pricing/ },
      {
        tool: 'delete_sources',
        input: (done) => ({ documentIds: [last(done).input.id] }),
        shows: /1 source and 0 articles deleted/,
      },
    ],
  },
];

/** The first article in the last answer. */
const listedArticle = (done: readonly Done[]) => last(done).answer.structured.articles[0].id;

const publishing: Row[] = [
  {
    says: 'Make the refunds page live, from the page to the answer',
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToAdd: [`${SITE}/billing/refunds`] },
        shows: /Completed is not yet live/,
      },
      { tool: 'generate_knowledge', input: next, shows: /1 of 1 drafted/ },
      { tool: 'get_articles', input: next, shows: /Refunds/ },
      {
        tool: 'publish_articles',
        input: (done) => ({ articleIds: [listedArticle(done)], dryRun: true }),
        shows: /1 draft of 1 can be published/,
      },
      // The person agrees in the chat: this client cannot ask.
      { tool: 'publish_articles', input: next, shows: /1 draft published/ },
    ],
  },
];

const onlyKnowledge: Row[] = [
  {
    says: 'Draft articles from what has changed',
    given: (sandbox) =>
      void sandbox.addDocument({ title: 'Changed', changed: true, paragraphs: ['The new text.'] }),
    steps: [
      { tool: 'list_sources', input: { changed: true }, shows: /Changed/ },
      {
        tool: 'generate_knowledge',
        input: (done) => ({ documentIds: [listed(done)] }),
        shows: /1 of 1 drafted/,
      },
    ],
  },
];

const reading: Row[] = [
  {
    says: 'What failed, and can you fix it? (the server is read-only)',
    given: (sandbox) =>
      void sandbox.addDocument({ linkedJobStatus: 'FAILED', success: false, error: 'No reason' }),
    steps: [
      { tool: 'list_sources', input: {}, shows: /Failed \(1\): / },
      {
        tool: 'wait_for_sources',
        input: (done) => ({ ids: [listed(done)] }),
        shows: /This server has no tools that ingest/,
        fails: true,
      },
      {
        tool: 'get_source',
        input: (done) => ({ id: last(done).answer.structured.sources[0].id }),
        shows: /Check that the page opens/,
      },
    ],
  },
];

const keyless: Row[] = [
  {
    says: 'Ingest the help centre (no key is set)',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: [SITE] },
        shows: /No Fini API key is set.*FINI_API_KEY.*--sandbox/,
        fails: true,
      },
      { tool: 'list_sources', input: {}, shows: /nothing was sent to Fini/, fails: true },
    ],
    finally: (sandbox) => expect(sandbox.requests).toEqual([]),
  },
];

const readKey: Row[] = [
  {
    says: 'Ingest the help centre (with a key that can only read)',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: [SITE] },
        shows: /HTTP 403.*lacks the write scope.*Calling again with this key will not help/,
        fails: true,
      },
      { tool: 'list_sources', input: {}, shows: /Fini has no sources yet/ },
      { tool: 'list_provider_resources', input: { provider: 'notion' }, shows: /9 of 9 items/ },
    ],
  },
];

/** Fini's rate limit holds back the whole key, so these rows use a separate server. */
const limited: Row[] = [
  {
    says: 'Fini says too many requests',
    given: (sandbox) =>
      sandbox.script({
        method: 'POST',
        action: { kind: 'status', status: 429, headers: { 'retry-after': '60' } },
      }),
    steps: [
      {
        tool: 'deep_crawl_links',
        input: { links: [SITE] },
        shows: /HTTP 429.*nothing was carried out. Call again in 60 s/,
        fails: true,
      },
      {
        tool: 'deep_crawl_links',
        input: repeated,
        shows: /was not sent.*rate limit.*can be sent in \d+ s.*Nothing was carried out/,
        fails: true,
      },
    ],
  },
];

const impatient: Row[] = [
  {
    says: 'Fini takes forever. Is it in?',
    given: (sandbox) =>
      sandbox.script({ method: 'POST', path: INGEST, action: { kind: 'hang', carryOut: true } }),
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToAdd: ['https://g.example/'] },
        shows: /in time.*may have been queued/,
        fails: true,
      },
      { tool: 'list_sources', input: next, shows: /g\.example/ },
      {
        tool: 'wait_for_sources',
        input: (done) => ({ ids: [listed(done)] }),
        shows: /1 of 1 completed/,
      },
    ],
  },
];

/** One server per configuration, and the rows that run on it. */
const servers: Record<
  string,
  { rows: Row[]; environment?: Record<string, string>; flags?: string[] }
> = {
  'as usual': { rows: usual },
  'with --allow-delete': { rows: deleting, flags: ['--allow-delete'] },
  'with --allow-publish': { rows: publishing, flags: ['--allow-publish'] },
  'with --tools knowledge': { rows: onlyKnowledge, flags: ['--tools', 'knowledge'] },
  'with --read-only': { rows: reading, flags: ['--read-only'] },
  'without a key': { rows: keyless, environment: { FINI_API_KEY: '' } },
  'with a read key': { rows: readKey, environment: { FINI_API_KEY: 'fini_sandbox_read' } },
  'with a key at its limit': { rows: limited },
  'with a short request timeout': {
    rows: impatient,
    environment: { FINI_REQUEST_TIMEOUT_MS: '700' },
  },
};

describe.each(Object.entries(servers))('%s', (_name, { rows, environment, flags }) => {
  let harness: Harness;
  let tools: Map<string, Tool>;
  beforeAll(async () => {
    harness = await startHarness(
      { parallelJobs: 50, folders: true, jobs: jobScripts() },
      environment,
      flags,
    );
    tools = new Map((await harness.client.listTools()).tools.map((tool) => [tool.name, tool]));
  });
  afterAll(() => harness.close());

  test.each(rows)('$says', async ({ given, steps, finally: check }) => {
    const { call, sandbox } = harness;
    sandbox.clearFaults();
    given?.(sandbox);
    const done: Done[] = [];
    for (const { tool, input, shows, has, fails = false } of steps) {
      const made = typeof input === 'function' ? input(done, tool) : input;
      const answer = await call(tool, made);
      expect(answer.text).toMatch(shows);
      expect(answer.isError, answer.text).toBe(fails);
      if (has !== undefined) expect(answer.structured).toMatchObject(has);
      for (const call of answer.nextCalls) expect([...tools.keys()]).toContain(call.tool);
      done.push({ tool, input: made, answer });
    }
    check?.(sandbox);
  });

  test('descriptions and instructions name only listed tools', () => {
    const texts = [...tools.values()].map((tool) =>
      JSON.stringify([tool.description, tool.inputSchema]),
    );
    for (const text of [harness.client.getInstructions() ?? '', ...texts]) {
      // JSON's own quotes do not mark data here.
      const said = toolsNamed(text.replaceAll('"', ' '));
      for (const one of said) expect([...tools.keys()]).toContain(one);
    }
  });
});
