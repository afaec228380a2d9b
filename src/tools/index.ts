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
import { refreshSources } from './refresh-sources.ts';
import { registerProviderResources } from './register-provider-resources.ts';
import type { ServerKind, Tool } from './tool.ts';
import { waitForSources } from './wait-for-sources.ts';

/** Every tool, in the order in which they are listed and usually used. */
export const tools: readonly Tool[] = [
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
  generateKnowledge,
  listArticles,
  getArticles,
  listAgents,
  getKnowledgeTree,
  deleteSources,
];

/** The tools that a server of a kind lists: the others cannot be called either. */
export function toolsFor({ readOnly, allowDelete }: ServerKind): readonly Tool[] {
  return tools.filter(
    ({ kind }) => kind === 'reads' || (!readOnly && (kind === 'writes' || allowDelete)),
  );
}
