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
import type { Tool } from './tool.ts';
import { waitForSources } from './wait-for-sources.ts';

/**
 * The tools of each group, in the order in which they are listed and usually used. Drafts are
 * generated from sources, so the tools that show sources are in both.
 */
export const toolGroups: Readonly<Record<ToolGroup, readonly Tool[]>> = {
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
export const tools: readonly Tool[] = [
  ...new Set(TOOL_GROUPS.flatMap((group) => toolGroups[group])),
];
