import type { Sandbox } from '../../src/sandbox/sandbox-server.ts';

/* One example of every tool, from which the tests derive what must hold for each. */

/** A source that {@link addExamples} adds. */
export const SOURCE = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';
/** A draft that {@link addExamples} adds. */
export const DRAFT = '0d9c8b7a-6f5e-4d3c-8b2a-190807060504';
const PAGE = 'https://help.example/a';
const RESOURCE = { externalId: '1', title: 'A', originalUrl: PAGE, mimeType: 'text/html' };

/** A tool with an input that is right, and facts about it. */
export interface Example {
  readonly tool: string;
  /** An input that works once {@link addExamples} has been called. */
  readonly input: Readonly<Record<string, unknown>>;
  /** The scopes without which it answers with an error. */
  readonly needs: 'read' | 'write' | 'read and write';
  /** Changes something at Fini, or costs a crawl. */
  readonly writes: boolean;
  /** Reaches a site or a provider. */
  readonly reachesOut: boolean;
  /** Does more when it is called again. */
  readonly addsUp?: boolean;
  /** The flag without which it is not listed. */
  readonly flag?: '--allow-delete' | '--allow-publish';
}

const READS = { needs: 'read', writes: false, reachesOut: false } as const;
const WRITES = { needs: 'write', writes: true, reachesOut: true } as const;
const WAITS = { ...WRITES, needs: 'read and write' } as const;

/** A row a tool. */
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
  { tool: 'wait_for_sources', input: { ids: [SOURCE], timeoutSeconds: 30 }, ...READS },
  { tool: 'ingest_sources', input: { documentIdsToAdd: [PAGE] }, ...WRITES, addsUp: true },
  { tool: 'refresh_sources', input: { documentIds: [SOURCE] }, ...WRITES, addsUp: true },
  { tool: 'list_sources', input: {}, ...READS },
  { tool: 'get_source', input: { id: SOURCE }, ...READS },
  {
    tool: 'delete_sources',
    input: { documentIds: [SOURCE] },
    ...{ ...WRITES, reachesOut: false, flag: '--allow-delete' },
  },
  // Once its jobs have ended, it makes further drafts.
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

/** The same as cases of a test: the name of a tool, and its example. */
export const EXAMPLE_CASES = EXAMPLES.map((example) => [example.tool, example] as const);

/** The names of all tools. */
export const TOOL_NAMES = EXAMPLES.map(({ tool }) => tool);

/** Adds what the examples name. */
export function addExamples(sandbox: Sandbox): void {
  sandbox.addDocument({ id: SOURCE });
  sandbox.addArticle({ id: DRAFT, isDraftPublished: false });
}
