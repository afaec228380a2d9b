import * as z from 'zod';
import { searchMatcher, shownTitle } from '../engine/import.ts';
import type { Provider, ProviderResource } from '../fini/provider-tree.ts';
import { counted, jsonText, quoted } from '../text.ts';
import { provider } from './fields.ts';
import { pageOf } from './list-page.ts';
import { boundedResource, resourceShape } from './resource.ts';
import { defineTool } from './tool.ts';

/** How much a page may take, in bytes: clients hide longer results from their model. */
const PAGE_BYTES = 60_000;
/** How many titles a search that finds nothing names. */
const NAMED_TITLES = 10;

/** Shows what a connected provider has that Fini does not (fini-api.md, "list provider resources"). */
export const listProviderResources = defineTool({
  name: 'list_provider_resources',
  title: "List a provider's pages",
  description:
    'Lists the pages and articles of a connected Notion, Zendesk or Confluence that are not in Fini yet, as a flat list with the path to each. Pass chosen externalIds to import_provider_resources, or items unchanged to register_provider_resources. For websites use deep_crawl_links; for what is already in Fini, list_sources. Google Drive cannot be listed.',
  readOnlyDescription:
    'Lists the pages and articles of a connected Notion, Zendesk or Confluence that are not in Fini yet, as a flat list with the path to each. Google Drive cannot be listed.',
  kind: 'reads',
  scope: 'read',
  idempotent: true,
  openWorld: true,
  inputSchema: z.strictObject({
    provider,
    /** Keeps the items whose title or path contains this, in any case. */
    search: z.string().trim().optional().describe('Part of the title or path, ignoring case.'),
    limit: z
      .int()
      .min(1)
      .max(500)
      .default(100)
      .describe('Maximum number of items, 1 to 500. Default 100.'),
    /** How many items to pass over. */
    offset: z.int().min(0).default(0).describe('nextOffset of the previous page. Default 0.'),
  }),
  outputSchema: z.object({
    message: z.string().describe('What this page contains, and what to do next.'),
    total: z.int().describe('How many items match the search.'),
    nextOffset: z.int().optional().describe('Pass it as offset; absent on the last page.'),
    resources: z
      .array(z.object(resourceShape))
      .describe('The items, with everything that registering needs.'),
  }),
  async handler({ provider, search, limit, offset }, { fini, call, canCall }) {
    const { resources, unreadable } = await fini.listProviderResources(provider, call);
    const matching = search ? resources.filter(searchMatcher(search)) : resources;
    const range = { offset, limit, bytes: PAGE_BYTES };
    const { items, nextOffset, pastEnd } = pageOf(matching, range, boundedResource);
    const left =
      unreadable === 0
        ? ''
        : ` ${counted(unreadable, 'item')} without a usable ID or URL left out.`;
    const next =
      resources.length === 0
        ? nothingListed(provider, unreadable)
        : matching.length === 0
          ? nothingFound(search ?? '', resources)
          : pastEnd || howToImport(canCall('import_provider_resources'));
    return {
      message: `${next}${left}`,
      total: matching.length,
      nextOffset,
      resources: items,
    };
  },
  text({ resources, total, nextOffset, message }) {
    const more = nextOffset === undefined ? '' : ` For more, call again with offset ${nextOffset}.`;
    const first = `${resources.length} of ${counted(total, 'item')}. ${message}${more}`;
    // As JSON, so that an item can be passed on unchanged.
    return [first, ...resources.map((resource) => `- ${jsonText(resource)}`)].join('\n');
  },
});

function howToImport(canImport: boolean): string {
  return canImport
    ? 'Pass the chosen externalIds to import_provider_resources, or the items unchanged to register_provider_resources.'
    : 'This server is read-only, so they cannot be imported through it.';
}

function nothingListed(provider: Provider, unreadable: number): string {
  return unreadable > 0
    ? 'No items can be shown.'
    : `Everything that Fini can access in ${provider} is already in Fini, or it cannot access anything there. list_sources with source "${provider}" shows what is in Fini.`;
}

/** What there is instead of what was searched for, so that the next search may find it. */
function nothingFound(search: string, resources: readonly ProviderResource[]): string {
  const titles = resources
    .slice(0, NAMED_TITLES)
    .map((resource) => JSON.stringify(shownTitle(resource)));
  const left = resources.length - titles.length;
  const more = left > 0 ? ` and ${left} more` : '';
  return `No title or path contains ${quoted(search)}: try a shorter word. Available: ${titles.join(', ')}${more}. Items that are already in Fini are not listed here: see list_sources.`;
}
