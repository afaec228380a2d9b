import type { Sandbox } from '../../src/sandbox/sandbox-server.ts';
import { tools } from '../../src/tools/all-tools.ts';

/* A row for every tool, from which the tests derive what must hold for each. */

/** A source that {@link addExamples} adds. */
export const SOURCE = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';
/** A draft that {@link addExamples} adds. */
export const DRAFT = '0d9c8b7a-6f5e-4d3c-8b2a-190807060504';
const PAGE = 'https://help.example/a';
const RESOURCE = { externalId: '1', title: 'A', originalUrl: PAGE, mimeType: 'text/html' };

/** A tool with a right and a wrong input, and facts about it. */
export interface Example {
  readonly tool: string;
  /** An input that works once {@link addExamples} has run. */
  readonly input: Readonly<Record<string, unknown>>;
  /** An input that is not as it should be, and how the refusal names that. */
  readonly wrong: readonly [input: Readonly<Record<string, unknown>>, says: RegExp];
  /** The scopes that the tool cannot do without. */
  readonly needs: 'read' | 'write' | 'read and write';
  /** True if the tool changes something at Fini, or costs a crawl. */
  readonly writes: boolean;
  /** True if the tool reaches a site or a provider. */
  readonly reachesOut: boolean;
  /** True if a second call does more. */
  readonly addsUp?: boolean;
  /** The flag that lists the tool. */
  readonly flag?: '--allow-delete' | '--allow-publish';
  /** How many of its requests are refused before it gives up with a wrong key; one if not given. */
  readonly refusals?: number;
}

const READS = { needs: 'read', writes: false, reachesOut: false } as const;
const WRITES = { needs: 'write', writes: true, reachesOut: true } as const;
const WAITS = { ...WRITES, needs: 'read and write' } as const;

/** One row for each tool. */
export const EXAMPLES: readonly Example[] = [
  {
    tool: 'ingest_site',
    input: { links: [PAGE], limit: 2 },
    wrong: [{ links: ['help.example'] }, /links: \[0\] "help\.example".*put https:\/\//],
    ...WAITS,
  },
  {
    tool: 'import_provider_resources',
    input: { provider: 'notion', all: true },
    wrong: [
      { provider: 'notion' },
      /exactly one of search, externalIds and all: list_provider_resources/,
    ],
    ...WAITS,
  },
  {
    tool: 'deep_crawl_links',
    input: { links: [PAGE] },
    wrong: [{ links: [SOURCE] }, /links: \[0\] ".*pass the page's URL \(get_source/],
    ...WRITES,
  },
  {
    tool: 'list_provider_resources',
    input: { provider: 'notion' },
    wrong: [{ provider: 'googledrive' }, /provider must be one of "notion".*given: "googledrive"/],
    ...{ ...READS, reachesOut: true },
  },
  {
    tool: 'register_provider_resources',
    input: { provider: 'notion', resources: [RESOURCE] },
    wrong: [
      { provider: 'notion', resources: ['1'] },
      /resources: \[0\] "1"\. Each must be an object with externalId/,
    ],
    ...WRITES,
  },
  {
    tool: 'ingest_and_wait',
    input: { documentIdsToAdd: [PAGE] },
    wrong: [{}, /both empty: pass at least one URL/],
    ...WAITS,
  },
  {
    tool: 'wait_for_sources',
    input: { ids: [SOURCE], timeoutSeconds: 30 },
    wrong: [{ ids: ['OPS'] }, /ids: \[0\] "OPS".*not source IDs.*list_sources/],
    ...READS,
  },
  {
    tool: 'ingest_sources',
    input: { documentIdsToAdd: [PAGE] },
    wrong: [
      { documentIdsToAdd: [PAGE], documentIdsToRefresh: [PAGE] },
      /also in documentIdsToRefresh: keep them in only one/,
    ],
    ...{ ...WRITES, addsUp: true },
  },
  {
    tool: 'refresh_sources',
    input: { documentIds: [SOURCE] },
    wrong: [{ documentIds: [PAGE] }, /documentIds: \[0\].*are URLs.*list_sources/],
    ...{ ...WRITES, addsUp: true },
  },
  {
    tool: 'list_sources',
    input: {},
    wrong: [{ limit: 1_000 }, /limit must be a whole number from 1 to 100 \(given: 1000\)/],
    ...READS,
  },
  {
    tool: 'get_source',
    input: { id: SOURCE },
    wrong: [{ id: PAGE }, /is not a source ID \(a UUID\): list_sources.*originalUrl/],
    ...READS,
  },
  {
    tool: 'delete_sources',
    input: { documentIds: [SOURCE] },
    wrong: [{ documentIds: [] }, /documentIds is empty: pass a list of source IDs/],
    ...{ ...WRITES, reachesOut: false, flag: '--allow-delete' },
    // Deleting does not depend on the look before it.
    refusals: 2,
  },
  // After its jobs have ended, a second call makes further drafts.
  {
    tool: 'generate_knowledge',
    input: { documentIds: [SOURCE] },
    wrong: [{ documentIds: [PAGE] }, /documentIds: \[0\].*are URLs/],
    ...{ ...WAITS, reachesOut: false, addsUp: true },
  },
  {
    tool: 'list_articles',
    input: {},
    wrong: [{ type: 'old' }, /type must be one of "live", "draft" \(given: "old"\)/],
    ...READS,
  },
  {
    tool: 'get_articles',
    input: { articleIds: [SOURCE] },
    wrong: [{ articleIds: [PAGE] }, /articleIds: \[0\].*not article IDs.*list_articles/],
    ...READS,
  },
  {
    tool: 'list_agents',
    input: {},
    wrong: [{ limit: 5 }, /list_agents has no "limit": it takes no input/],
    ...READS,
  },
  {
    tool: 'get_knowledge_tree',
    input: {},
    wrong: [{ agentId: 'x' }, /no "agentId": use botId/],
    ...READS,
  },
  {
    tool: 'publish_articles',
    input: { articleIds: [DRAFT] },
    wrong: [{ draftIds: [PAGE] }, /no "draftIds": use articleIds/],
    ...{ ...WAITS, reachesOut: false, flag: '--allow-publish' },
  },
];

/** The examples as test cases: a tool's name and its example. */
export const EXAMPLE_CASES = EXAMPLES.map((example) => [example.tool, example] as const);

export const TOOL_NAMES = tools.map(({ name }) => name);

/** Adds the source and the draft that the examples use. */
export function addExamples(sandbox: Sandbox): void {
  sandbox.addDocument({ id: SOURCE });
  sandbox.addArticle({ id: DRAFT, isDraftPublished: false });
}
