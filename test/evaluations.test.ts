import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { siteOrigin as SITE } from '../src/sandbox/content.ts';
import type { JobScript, Sandbox, SandboxOptions } from '../src/sandbox/server.ts';
import { callAgain, callNamed, type Done, type Input } from './following.ts';
import { type Harness, ingestRequests, startHarness } from './harness.ts';
import { nextCallsOf, toolsNamed } from './next-calls.ts';

/*
 * What people say, and the calls that should follow: evaluations without a model. Each row is
 * played against the sandbox. Wherever a model would go by what the call before said, the call is
 * read from there (`named`, `again`), so next steps are proven to be real calls.
 */

interface Step {
  readonly tool: string;
  /** The input, or how it follows from what was done before. */
  readonly input: Input | ((done: readonly Done[], tool: Tool) => Input);
  /** What the text must show. */
  readonly shows: RegExp;
  /** What the structured result must hold. */
  readonly has?: object;
  /** The call fails as a whole. */
  readonly fails?: true;
}

interface Row {
  readonly says: string;
  /** Sets up what exists, or what fails, before the call. */
  readonly given?: (sandbox: Sandbox) => void;
  readonly steps: readonly Step[];
  /** What is true at the end. */
  readonly finally?: (sandbox: Sandbox) => void;
}

/** The last call's answer. */
function last(done: readonly Done[]): Done {
  const one = done.at(-1);
  if (one === undefined) throw new Error('nothing was done before');
  return one;
}

/** The call of this tool that the last answer suggests. */
const named = (done: readonly Done[], tool: Tool) =>
  nextCallsOf(last(done).answer, tool.name)[0] ?? callNamed(last(done).answer, tool);
/** The last call, repeated as its answer suggests. */
const again = (done: readonly Done[], tool: Tool) =>
  nextCallsOf(last(done).answer, tool.name)[0] ?? callAgain(last(done), tool);
/** The first call again. */
const repeated = (done: readonly Done[]) => ({ ...done[0]?.input });
/** The ID of the first source listed before. */
const listed = (done: readonly Done[]): string => last(done).answer.structured.sources[0].id;

const ID = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';
const YESTERDAY = new Date(Date.now() - 86_400_000).toISOString();
const COMPLETED = { outcome: 'completed' };
const INGEST = /\/public$/;

/** Scripts the sandbox's jobs by what their URL holds. */
function jobScripts(): SandboxOptions['jobs'] {
  const seen = new Set<string>();
  const scripts: [part: string, script: JobScript, onlyFirst: boolean][] = [
    ['/slow', { pendingMs: 0, workingMs: 1_200 }, false],
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
        input: again,
        shows: /34 of 38 completed, 4 failed[\s\S]*not yet live[\s\S]*robots/,
      },
      // The others failed for a reason that stays.
      { tool: 'ingest_and_wait', input: named, shows: /0 of 1 completed, 1 failed/, fails: true },
    ],
  },
  {
    says: 'Just the billing pages, please',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: [`${SITE}/billing`], dryRun: true },
        shows: /10 pages found, 10 selected/,
      },
      {
        tool: 'ingest_site',
        input: again,
        shows: /10 of 10 completed/,
        has: { report: COMPLETED },
      },
    ],
  },
  {
    says: 'The safety pages, but not the one about accidents',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: [SITE], include: ['/safety/**'], exclude: ['**/accidents'], dryRun: true },
        shows: /3 selected \(34 match no include glob, 1 match an exclude glob\)/,
      },
      { tool: 'ingest_site', input: again, shows: /3 of 3 completed/ },
    ],
  },
  {
    says: 'Which pages about bikes are there? I only want the first two',
    steps: [
      {
        tool: 'deep_crawl_links',
        input: { links: [`${SITE}/bikes`] },
        shows: /7 pages found.*ingest_and_wait as documentIdsToAdd/,
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
        shows: /3 selected.*set a higher limit/,
      },
      { tool: 'ingest_site', input: again, shows: /3 of 3 completed/ },
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
      { tool: 'import_provider_resources', input: again, shows: /1 of 1 completed/ },
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
      { tool: 'import_provider_resources', input: again, shows: /9 of 9 completed/ },
      {
        tool: 'import_provider_resources',
        input: { provider: 'confluence', all: true },
        shows: /0 items not in Fini yet.*list_sources/,
      },
    ],
  },
  {
    says: 'What does our Zendesk say about vouchers? Take the first one',
    steps: [
      {
        tool: 'list_provider_resources',
        input: { provider: 'zendesk', search: 'voucher' },
        shows: /2 of 2 items.*register_provider_resources/,
      },
      {
        tool: 'register_provider_resources',
        input: (done) => ({
          provider: 'zendesk',
          resources: last(done).answer.structured.resources.slice(0, 1),
        }),
        shows: /Registered, not ingested.*ingest_and_wait with {"source":"zendesk"/,
      },
      { tool: 'ingest_and_wait', input: named, shows: /1 of 1 completed/ },
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
        shows: /1 selected to add[\s\S]*1 of 1 completed/,
      },
      {
        tool: 'import_provider_resources',
        input: { provider: 'zendesk', externalIds: ['4402118230'] },
        shows: /1 selected item already in Fini, to be ingested again[\s\S]*1 of 1 completed/,
      },
    ],
  },
  {
    says: 'And what else is in Zendesk? Show me the rest',
    steps: [
      {
        tool: 'list_provider_resources',
        input: { provider: 'zendesk', search: 'charge', limit: 1 },
        shows: /1 of 2 items/,
      },
      { tool: 'list_provider_resources', input: again, shows: /Charged twice/ },
    ],
  },
  {
    says: 'Import what Notion has on pelicans (there is nothing)',
    steps: [
      {
        tool: 'import_provider_resources',
        input: { provider: 'notion', search: 'pelican' },
        shows:
          /Nothing matches "pelican": try a shorter word\. Available: ".*list_provider_resources/,
        fails: true,
      },
      { tool: 'list_provider_resources', input: { provider: 'notion' }, shows: /Tone of voice/ },
    ],
  },
  {
    says: 'What failed yesterday and why?',
    given: (sandbox) => {
      sandbox.addDocument({
        originalUrl: 'https://failed.example/prices',
        title: 'Old prices',
        updatedAt: YESTERDAY,
        linkedJobStatus: 'FAILED',
        success: false,
        error: 'Blocked by robots.txt',
        paragraphs: [],
      });
    },
    steps: [
      {
        tool: 'list_sources',
        input: { originalUrl: 'failed.example' },
        shows: /failed web .*: "Old prices".*Blocked by robots/,
      },
      {
        tool: 'get_source',
        input: (done) => ({ id: listed(done) }),
        shows: /allow Fini's crawler there/,
        has: { sources: [{ updatedAt: YESTERDAY }] },
      },
    ],
  },
  {
    says: 'How many pages do we have in Fini? … And which of them failed?',
    given: (sandbox) => {
      sandbox.addDocument({
        originalUrl: 'https://totals.example/rewards',
        title: null,
        linkedJobStatus: 'FAILED',
        success: false,
        error: 'Page requires authentication',
        paragraphs: [],
      });
    },
    steps: [
      {
        tool: 'list_sources',
        input: { summary: true, originalUrl: 'totals.example' },
        shows: /Counted all matching sources: 1\..*status "failed"/,
        has: { totals: { total: 1, failed: 1 } },
      },
      {
        tool: 'list_sources',
        input: { status: 'failed', originalUrl: 'totals.example' },
        shows: /failed web .*totals\.example\/rewards.*requires authentication/,
      },
    ],
  },
  {
    says: 'Refresh the page about tandems',
    given: (sandbox) => void sandbox.addDocument({ title: 'Tandems' }),
    steps: [
      { tool: 'list_sources', input: { title: 'tandem' }, shows: /1 source on this page/ },
      {
        tool: 'refresh_sources',
        input: (done) => ({ documentIds: [listed(done)] }),
        shows: /Queued, not done.*wait_for_sources/,
      },
      { tool: 'wait_for_sources', input: named, shows: /1 of 1 completed/ },
    ],
  },
  {
    says: 'Just queue it. … Did that go through?',
    steps: [
      {
        tool: 'ingest_sources',
        input: { documentIdsToAdd: ['https://queue.example/a', 'https://queue.example/b'] },
        shows: /2 sources queued.*wait_for_sources/,
      },
      { tool: 'wait_for_sources', input: named, shows: /2 of 2 completed/ },
    ],
  },
  {
    says: 'Is it live now?',
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToAdd: ['https://live.example/'] },
        shows:
          /Completed is not yet live.*Knowledge.*generate_knowledge with \{"documentIds".*dashboard/,
      },
      {
        tool: 'list_sources',
        input: { originalUrl: 'live.example' },
        shows: / completed /,
        has: { sources: [{ status: 'completed' }] },
      },
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
      { tool: 'wait_for_sources', input: named, shows: /1 of 1 completed/ },
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
        input: repeated,
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
      { tool: 'list_sources', input: named, shows: /Price list/ },
      {
        tool: 'ingest_and_wait',
        input: (done) => ({ source: 'googledrive', documentIdsToRefresh: [listed(done)] }),
        shows: /1 of 1 completed/,
      },
    ],
  },
  {
    says: 'Show me https://known.example/terms (a URL where an ID is needed)',
    given: (sandbox) => void sandbox.addDocument({ originalUrl: 'https://known.example/terms' }),
    steps: [
      {
        tool: 'get_source',
        input: { id: 'https://known.example/terms' },
        shows: /is not a source ID.*list_sources.*originalUrl/,
        fails: true,
      },
      {
        tool: 'list_sources',
        input: { originalUrl: 'https://known.example/terms' },
        shows: /1 source on this page/,
      },
      { tool: 'get_source', input: (done) => ({ id: listed(done) }), shows: /The text of page/ },
    ],
  },
  {
    says: `Ingest ${ID} again (an ID where a URL is needed)`,
    given: (sandbox) =>
      void sandbox.addDocument({ id: ID, originalUrl: 'https://known.example/id' }),
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToRefresh: [ID] },
        shows: /web takes URLs.*get_source shows it as originalUrl/,
        fails: true,
      },
      { tool: 'get_source', input: { id: ID }, shows: /known\.example\/id/ },
      {
        tool: 'ingest_and_wait',
        input: (done) => ({ documentIdsToRefresh: [last(done).answer.structured.originalUrl] }),
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
    says: 'Our German site, please: https://hilfe.example (no English)',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: ['https://hilfe.example/'], limit: 2, english: false, dryRun: true },
        shows: /2 selected/,
      },
      { tool: 'ingest_site', input: again, shows: /2 of 2 completed/ },
      { tool: 'list_sources', input: { english: false }, shows: /2 sources on this page/ },
    ],
  },
  {
    says: 'Ingest https://help.larkspur.example/hlep (no such section)',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: [`${SITE}/hlep`] },
        shows: /No pages found. Check that the start URLs exist/,
        fails: true,
      },
      {
        tool: 'deep_crawl_links',
        input: { links: [`${SITE}/hlep`] },
        shows: /No pages found. Check that the start URLs exist/,
      },
    ],
  },
  {
    says: 'Ingest https://help.larkspur.example/billing/refnuds (no such page)',
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToAdd: [`${SITE}/billing/refnuds`] },
        shows: /Failed \(1\): The page does not exist[^\n]*\n- .*HTTP 404 Not Found/,
        fails: true,
      },
    ],
  },
  {
    says: 'Only what is under /docs (there is nothing)',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: [SITE], include: ['/docs/**'] },
        shows: /deep_crawl_links lists every page.*No page matches/,
        fails: true,
      },
      { tool: 'deep_crawl_links', input: { links: [SITE] }, shows: /38 pages found/ },
    ],
  },
  {
    says: 'I have taken the login off that page, try again',
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToAdd: ['https://c.example/mended'] },
        shows: /Trying again without a change will not help[\s\S]*needs a login/,
        fails: true,
      },
      { tool: 'ingest_and_wait', input: repeated, shows: /1 of 1 completed/ },
    ],
  },
  {
    says: 'One of the two is missing',
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToAdd: ['https://d.example/', 'https://d.example/dropped'] },
        shows: /partial[\s\S]*Not queued \(1\):\n- https:\/\/d\.example\/dropped/,
      },
      {
        tool: 'ingest_and_wait',
        input: (done) => ({ documentIdsToAdd: last(done).answer.structured.unqueued }),
        shows: /1 of 1 completed/,
      },
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
      { tool: 'refresh_sources', input: named, shows: /1 source to be refreshed/ },
      { tool: 'wait_for_sources', input: named, shows: /1 of 1 completed/ },
    ],
  },
  {
    says: 'Read the long page to me',
    given: (sandbox) =>
      void sandbox.addDocument({
        title: 'A long page',
        paragraphs: Array.from({ length: 6 }, (_, index) => `${index} ${'word '.repeat(300)}`),
      }),
    steps: [
      { tool: 'list_sources', input: { title: 'a long page' }, shows: /6 paragraphs/ },
      {
        tool: 'get_source',
        input: (done) => ({ id: listed(done) }),
        shows: /Paragraphs 1 to \d of 6; read on/,
      },
      { tool: 'get_source', input: again, shows: /Paragraphs [23456] to 6 of 6:/ },
    ],
  },
  {
    says: 'What do you have? And the next?',
    given: (sandbox) => {
      for (const title of ['Menu one', 'Menu two']) sandbox.addDocument({ title });
    },
    steps: [
      {
        tool: 'list_sources',
        input: { title: 'menu', limit: 1 },
        shows: /There are more: call again with cursor/,
      },
      { tool: 'list_sources', input: again, shows: /1 source on this page. That is all/ },
    ],
  },
  {
    says: 'Which pages have changed since? Bring them up to date',
    given: (sandbox) =>
      void sandbox.addDocument({ originalUrl: 'https://changed.example/', changed: true }),
    steps: [
      {
        tool: 'list_sources',
        input: { changed: true, originalUrl: 'changed.example' },
        shows: /1 source on this page/,
      },
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToRefresh: ['https://changed.example/'] },
        shows: /1 of 1 completed/,
      },
    ],
  },
  {
    says: 'Look at source 99999999-… (it does not exist)',
    steps: [
      {
        tool: 'get_source',
        input: { id: '99999999-9999-4999-8999-999999999999' },
        shows: /HTTP 404.*Find the right ID with list_sources/,
        fails: true,
      },
      { tool: 'list_sources', input: { limit: 1 }, shows: /1 source on this page/ },
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
        shows: /may have been queued all the same.*list_sources/,
        fails: true,
      },
      { tool: 'list_sources', input: named, shows: /No source matches these filters/ },
      { tool: 'ingest_and_wait', input: repeated, shows: /1 of 1 completed/ },
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
        shows: /do not simply call again\. First call list_sources/,
        fails: true,
      },
      {
        tool: 'list_sources',
        input: { originalUrl: 'https://f.example/slow' },
        shows: /PENDING|IN_PROGRESS/,
      },
      {
        tool: 'wait_for_sources',
        input: (done) => ({ ids: [listed(done)], timeoutSeconds: 3 }),
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
        shows: /Nothing was queued.*1 item registered\. To queue it, call ingest_and_wait with /,
        fails: true,
      },
      { tool: 'ingest_and_wait', input: named, shows: /1 of 1 completed/ },
    ],
  },
  {
    says: 'Ingest this (with the wrong field)',
    steps: [
      {
        tool: 'ingest_site',
        input: { url: SITE },
        shows: /ingest_site has no "url": use links/,
        fails: true,
      },
    ],
  },
  {
    says: 'Delete the old pricing page (deleting is not allowed here)',
    steps: [
      {
        tool: 'delete_sources',
        input: { documentIds: [ID] },
        shows: /delete_sources is off: .*--allow-delete/,
        fails: true,
      },
    ],
    finally: (sandbox) =>
      expect(sandbox.requests.every(({ method }) => method !== 'DELETE')).toBe(true),
  },
];

const deleting: Row[] = [
  {
    says: 'Delete the old pricing page',
    given: (sandbox) => void sandbox.addDocument({ title: 'Old pricing' }),
    steps: [
      { tool: 'list_sources', input: { title: 'old pricing' }, shows: /1 source on this page/ },
      { tool: 'get_source', input: (done) => ({ id: listed(done) }), shows: /Old pricing/ },
      {
        tool: 'delete_sources',
        input: (done) => ({ documentIds: [last(done).answer.structured.id] }),
        shows: /1 source and 0 articles deleted/,
      },
      { tool: 'list_sources', input: repeated, shows: /No source matches these filters/ },
    ],
  },
  {
    says: 'Delete the old terms, and what agents answer from them',
    given: (sandbox) => void sandbox.addDocument({ title: 'Old terms', linkedKnowledgeId: ID }),
    steps: [
      { tool: 'list_sources', input: { title: 'old terms' }, shows: /1 source on this page/ },
      {
        tool: 'delete_sources',
        input: (done) => ({ documentIds: [listed(done)], deleteArticles: true }),
        shows: /1 source and 1 article deleted/,
      },
    ],
  },
  {
    says: 'Delete https://old.example/',
    steps: [
      {
        tool: 'delete_sources',
        input: { documentIds: ['https://old.example/'] },
        shows: /are URLs, but source IDs.*list_sources with originalUrl/,
        fails: true,
      },
    ],
  },
];

/** A draft, as somebody made it before. */
const addDraft = (sandbox: Sandbox, title: string) =>
  void sandbox.addArticle({ title, isDraftPublished: false });
/** The first article of the last answer. */
const listedArticle = (done: readonly Done[]) => last(done).answer.structured.articles[0].id;

const publishing: Row[] = [
  {
    says: 'Publish the draft about returns',
    given: (sandbox) => addDraft(sandbox, 'Returns'),
    steps: [
      { tool: 'list_articles', input: { type: 'draft', search: 'returns' }, shows: /1 draft wait/ },
      {
        tool: 'publish_articles',
        input: (done) => ({ articleIds: [listedArticle(done)], dryRun: true }),
        shows: /Nothing was published yet\. 1 draft can be.*would publish: .*"Returns"/s,
      },
      { tool: 'publish_articles', input: named, shows: /published: 1 draft published/ },
      {
        tool: 'publish_articles',
        input: (done) => ({ articleIds: [last(done).answer.structured.articles[0].id] }),
        shows: /0 drafts published, 1 published before.*already been published as/s,
      },
    ],
  },
  {
    says: 'Make the refunds page live, from the page to the answer',
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToAdd: [`${SITE}/billing/refunds`] },
        shows: /not yet live.*generate_knowledge with \{.*publish_articles publishes them/,
      },
      { tool: 'generate_knowledge', input: named, shows: /1 of 1 drafted.*get_articles with \{/s },
      { tool: 'get_articles', input: named, shows: /Refunds/ },
      {
        tool: 'publish_articles',
        input: (done) => ({ articleIds: [listedArticle(done)] }),
        shows: /1 draft published/,
      },
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
  {
    says: 'Ingest the help centre (only Knowledge is on)',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: [SITE] },
        shows: /ingest_site is off: .* started with --tools knowledge.*--tools sources,knowledge/,
        fails: true,
      },
    ],
  },
];

const reading: Row[] = [
  {
    says: 'Ingest the help centre (the server is read-only)',
    steps: [
      {
        tool: 'ingest_site',
        input: { links: [SITE] },
        shows: /ingest_site is off: .*--read-only/,
        fails: true,
      },
    ],
    finally: (sandbox) => expect(sandbox.requests).toEqual([]),
  },
  {
    says: 'What failed, and can you fix it? (the server is read-only)',
    given: (sandbox) =>
      void sandbox.addDocument({ linkedJobStatus: 'FAILED', success: false, error: 'HTTP 503' }),
    steps: [
      { tool: 'list_sources', input: {}, shows: / failed / },
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

const writeKey: Row[] = [
  {
    says: 'Ingest one page (with a key that can only write)',
    steps: [
      {
        tool: 'ingest_and_wait',
        input: { documentIdsToAdd: [SITE] },
        shows: /HTTP 403.*lacks the read scope.*ingest_sources/,
        fails: true,
      },
      { tool: 'ingest_sources', input: { documentIdsToAdd: [SITE] }, shows: /1 source queued/ },
    ],
  },
];

const wrongKey: Row[] = [
  {
    says: 'What is in Fini? (with a wrong key)',
    steps: [
      {
        tool: 'list_sources',
        input: {},
        shows: /HTTP 401.*set FINI_API_KEY.*restart the server/,
        fails: true,
      },
    ],
  },
];

/** Fini's refusal holds the whole key back, so these have a server of their own. */
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
        shows: /in time.*may have been queued.*list_sources/,
        fails: true,
      },
      { tool: 'list_sources', input: named, shows: /1 source on this page/ },
      {
        tool: 'wait_for_sources',
        input: (done) => ({ ids: [listed(done)] }),
        shows: /1 of 1 completed/,
      },
    ],
  },
];

/** One server per configuration, and what people say to it. */
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
  'with a write key': { rows: writeKey, environment: { FINI_API_KEY: 'fini_sandbox_write' } },
  'with a wrong key': { rows: wrongKey, environment: { FINI_API_KEY: 'fini_wrong' } },
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
      const made = typeof input === 'function' ? input(done, toolNamed(tool)) : input;
      const answer = await call(tool, made);
      expect(answer.text).toMatch(shows);
      expect(answer.isError, answer.text).toBe(fails);
      if (has !== undefined) expect(answer.structured).toMatchObject(has);
      const others = toolsNamed(answer.text).filter((one) => one !== tool);
      for (const other of others) expect([...tools.keys()], answer.text).toContain(other);
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

  function toolNamed(wanted: string): Tool {
    const tool = tools.get(wanted);
    if (tool === undefined) throw new Error(`no tool ${wanted}`);
    return tool;
  }
});
