import type { Sandbox } from '../../src/sandbox/sandbox-server.ts';

/* One example of every tool, from which the tests derive what must hold for each. */

/** A source that {@link addExamples} adds. */
export const SOURCE = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';
/** A draft that {@link addExamples} adds. */
export const DRAFT = '0d9c8b7a-6f5e-4d3c-8b2a-190807060504';
const PAGE = 'https://help.example/a';
const RESOURCE = { externalId: '1', title: 'A', originalUrl: PAGE, mimeType: 'text/html' };

/** A tool with a valid input, and facts about it. */
export interface Example {
  readonly tool: string;
  /** An input that works once {@link addExamples} has run. */
  readonly input: Readonly<Record<string, unknown>>;
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
}

const READS = { needs: 'read', writes: false, reachesOut: false } as const;
const WRITES = { needs: 'write', writes: true, reachesOut: true } as const;
const WAITS = { ...WRITES, needs: 'read and write' } as const;

/** One row per tool. */
export const EXAMPLES: readonly Example[] = [
  { tool: 'ingest_site', input: { links: [PAGE], limit: 2 }, ...WAITS },
  { tool: 'import_provider_resources', input: { provider: 'notion', all: true }, ...WAITS },
  { tool: 'deep_crawl_links', input: { links: [PAGE] }, ...WRITES },
  { tool: 'list_provider_resources', input: { provider: 'notion' }, ...READS, reachesOut: true },
  {
    tool: 'register_provider_resources',
    input: { provider: 'notion', resources: [RESOURCE] },
    ...WRITES,
  },
  { tool: 'ingest_and_wait', input: { documentIdsToAdd: [PAGE] }, ...WAITS },
  { tool: 'wait_for_sources', input: { ids: [SOURCE], timeoutSeconds: 5 }, ...READS },
  { tool: 'ingest_sources', input: { documentIdsToAdd: [PAGE] }, ...WRITES, addsUp: true },
  { tool: 'refresh_sources', input: { documentIds: [SOURCE] }, ...WRITES, addsUp: true },
  { tool: 'list_sources', input: {}, ...READS },
  { tool: 'get_source', input: { id: SOURCE }, ...READS },
  {
    tool: 'delete_sources',
    input: { documentIds: [SOURCE] },
    ...{ ...WRITES, reachesOut: false, flag: '--allow-delete' },
  },
  // After its jobs have ended, a second call makes further drafts.
  {
    tool: 'generate_knowledge',
    input: { documentIds: [SOURCE] },
    ...{ ...WAITS, reachesOut: false, addsUp: true },
  },
  { tool: 'list_articles', input: {}, ...READS },
  { tool: 'get_articles', input: { articleIds: [SOURCE] }, ...READS },
  { tool: 'list_agents', input: {}, ...READS },
  { tool: 'get_knowledge_tree', input: {}, ...READS },
  {
    tool: 'publish_articles',
    input: { articleIds: [DRAFT] },
    ...{ ...WAITS, reachesOut: false, flag: '--allow-publish' },
  },
];

/** The examples as test cases: a tool's name and its example. */
export const EXAMPLE_CASES = EXAMPLES.map((example) => [example.tool, example] as const);

export const TOOL_NAMES = EXAMPLES.map(({ tool }) => tool);

/** Adds the source and the draft that the examples use. */
export function addExamples(sandbox: Sandbox): void {
  sandbox.addDocument({ id: SOURCE });
  sandbox.addArticle({ id: DRAFT, isDraftPublished: false });
}
