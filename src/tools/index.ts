import { TOOL_GROUPS, type ToolGroup } from '../config.ts';
import { deepCrawlLinks } from './deep-crawl-links.ts';
import { deleteSources } from './delete-sources.ts';
import { generateKnowledge } from './generate-knowledge.ts';
import { getArticles } from './get-articles.ts';
import { getKnowledgeTree } from './get-knowledge-tree.ts';
import { getSource } from './get-source.ts';
import { importProviderResources } from './import-provider-resources.ts';
import { ingestAndWait } from './ingest-and-wait.ts';
import { ingestSite } from './ingest-site.ts';
import { ingestSources } from './ingest-sources.ts';
import { listAgents } from './list-agents.ts';
import { listArticles } from './list-articles.ts';
import { listProviderResources } from './list-provider-resources.ts';
import { listSources } from './list-sources.ts';
import { publishArticles } from './publish-articles.ts';
import { refreshSources } from './refresh-sources.ts';
import { registerProviderResources } from './register-provider-resources.ts';
import type { ServerKind, Tool } from './tool.ts';
import { waitForSources } from './wait-for-sources.ts';

/**
 * The tools of each group, in the order in which they are listed and usually used. Drafts are
 * generated from sources, so the tools that show sources are in both.
 */
const groups: Readonly<Record<ToolGroup, readonly Tool[]>> = {
  sources: [
    ingestSite,
    importProviderResources,
    deepCrawlLinks,
    listProviderResources,
    registerProviderResources,
    ingestAndWait,
    waitForSources,
    ingestSources,
    refreshSources,
    listSources,
    getSource,
    deleteSources,
  ],
  knowledge: [
    waitForSources,
    listSources,
    getSource,
    generateKnowledge,
    listArticles,
    getArticles,
    listAgents,
    getKnowledgeTree,
    publishArticles,
  ],
};

/** Every tool. */
export const tools: readonly Tool[] = [...new Set(TOOL_GROUPS.flatMap((group) => groups[group]))];

/** Why a server does not list a tool: how it was started, and how it would have to be. */
export interface Barrier {
  /** Follows "This server was started". */
  readonly started: string;
  /** Follows "the server must be started". */
  readonly wanted: string;
}

/** Everything that keeps a server of a kind from listing a tool. */
export function barriersTo(tool: Tool, kind: ServerKind): readonly Barrier[] {
  const barriers: Barrier[] = [];
  const { toolGroups } = kind;
  if (!toolGroups.some((group) => groups[group].includes(tool))) {
    const needed = TOOL_GROUPS.filter((group) => groups[group].includes(tool));
    const wanted = TOOL_GROUPS.filter((group) => [...toolGroups, ...needed].includes(group));
    barriers.push({
      started: `with --tools ${toolGroups.join(',')}`,
      wanted: `with --tools ${wanted.join(',')}`,
    });
  }
  if (kind.readOnly && tool.kind !== 'reads') {
    barriers.push({ started: 'with --read-only', wanted: 'without --read-only' });
  }
  if (tool.kind === 'deletes' && !kind.allowDelete) {
    barriers.push({ started: 'without --allow-delete', wanted: 'with --allow-delete' });
  }
  if (tool.kind === 'publishes' && !kind.allowPublish) {
    barriers.push({ started: 'without --allow-publish', wanted: 'with --allow-publish' });
  }
  return barriers;
}

/** Whether a client's access token lacks the scope that a tool needs. */
export function lacksScope(tool: Tool, { withoutScope }: ServerKind): boolean {
  return withoutScope !== undefined && tool.kind !== 'reads';
}

/** The tools that a server of a kind lists: the others cannot be called either. */
export function toolsFor(kind: ServerKind): readonly Tool[] {
  return tools.filter((tool) => barriersTo(tool, kind).length === 0 && !lacksScope(tool, kind));
}

/** Their names, by which texts know what they may lead to. */
export function listedNames(kind: ServerKind): ReadonlySet<string> {
  return new Set(toolsFor(kind).map(({ name }) => name));
}
