import * as z from 'zod';
import { bounded, counted, TITLE_LENGTH } from '../bounded.ts';
import type { ProviderResource } from '../fini/provider-tree.ts';
import { matchesSearch } from '../ingestion/provider-import.ts';
import { defineTool } from './define.ts';
import { provider } from './schemas.ts';

/** A provider's page or article, as list gives it and register takes it. */
export const resourceShape = {
  /** The provider's own ID, not a source ID. */
  externalId: z.string(),
  title: z.string(),
  originalUrl: z.string(),
  mimeType: z.string(),
  /** `page`, `database`, `article`. */
  object: z.string().optional(),
  /** Titles of what it is nested in, outermost first. */
  path: z.array(z.string()),
};

/** A provider's item, fit to be shown. */
export function boundedResource(resource: ProviderResource): ProviderResource & { path: string[] } {
  return {
    ...resource,
    // Register demands a title.
    title: bounded(resource.title, TITLE_LENGTH) || resource.originalUrl,
    path: resource.path.map((title) => bounded(title, TITLE_LENGTH)),
  };
}

/** Shows what a connected provider has that Fini does not (fini-api.md, "list provider resources"). */
export const listProviderResources = defineTool({
  name: 'list_provider_resources',
  title: "List a provider's pages",
  description:
    'Lists the pages and articles of a connected Notion, Zendesk or Confluence that are not in Fini yet, flat, with the path to each. Pass the chosen items unchanged to register_provider_resources. For websites use deep_crawl_links; for what Fini has, list_sources. Google Drive cannot be listed. Needs read scope.',
  inputSchema: z.strictObject({
    provider,
    /** Keeps the items whose title or path contains this, in any case. */
    search: z.string().trim().optional().describe('Keep items whose title or path contains this.'),
    limit: z.int().min(1).max(500).default(100),
    /** How many items to pass over. */
    offset: z.int().min(0).default(0).describe('Pass nextOffset of the page before.'),
  }),
  outputSchema: z.object({
    resources: z
      .array(z.custom<z.output<z.ZodObject<typeof resourceShape>>>())
      .describe('Items for register_provider_resources.'),
    /** How many match the search. */
    total: z.int(),
    /** Where the next page starts; absent on the last. */
    nextOffset: z.int().optional(),
    message: z.string(),
  }),
  annotations: {
    readOnlyHint: true,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: true,
  },
  async handler({ provider, search, limit, offset }, { fini, signal, canWrite }) {
    const { resources, unreadable } = await fini.listProviderResources(provider, { signal });
    const matching = resources.filter((resource) => matchesSearch(resource, search ?? ''));
    const page = matching.slice(offset, offset + limit).map(boundedResource);
    const end = offset + page.length;
    const left =
      unreadable === 0
        ? ''
        : ` ${counted(unreadable, 'item')} had no ID or URL and had to be left out.`;
    const next =
      matching.length === 0
        ? 'Nothing matches. What Fini has already is left out here: see list_sources.'
        : canWrite
          ? 'Pass the chosen items unchanged to register_provider_resources, or their externalIds to import_provider_resources.'
          : 'This server is read-only, so they cannot be imported through it.';
    return {
      resources: page,
      total: matching.length,
      nextOffset: page.length > 0 && end < matching.length ? end : undefined,
      message: `${next}${left}`,
    };
  },
  text({ resources, total, nextOffset, message }) {
    const lines = resources.map(
      ({ externalId, title, path }) =>
        `- ${[...path, title].join(' › ')} (externalId ${externalId})`,
    );
    const more = nextOffset === undefined ? '' : `\nGo on with offset ${nextOffset}.`;
    return `${resources.length} of ${counted(total, 'item')}. ${message}\n${lines.join('\n')}${more}`;
  },
});
