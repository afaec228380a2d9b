import * as z from 'zod';
import { searchMatcher, shownTitle } from '../engine/import.ts';
import type { Provider, ProviderResources } from '../fini/provider-tree.ts';
import { paragraph, plural } from '../text.ts';
import { fittingPage } from './bound.ts';
import { provider } from './fields.ts';
import { nothingFound } from './list-page.ts';
import { inputFor, type NextCall } from './next-calls.ts';
import {
  boundedResource,
  leftOutOf,
  leftOutOutput,
  leftOutText,
  resourceShape,
} from './resource.ts';
import { defineTool } from './tool.ts';

/** Defaults of the input, which a proposed call leaves out. */
const LISTING_DEFAULTS = { limit: 100, offset: 0 };

/** Lists the items of a connected provider that Fini lacks. */
export const listProviderResources = defineTool({
  name: 'list_provider_resources',
  title: "List a provider's pages that are not in Fini yet",
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
    /** Selects the items whose title or path contains this, in any case. */
    search: z.string().trim().optional().describe('Part of the title or path, ignoring case.'),
    limit: z
      .int()
      .min(1)
      .max(500)
      .default(LISTING_DEFAULTS.limit)
      .describe('Maximum number of items, 1 to 500. Default 100.'),
    /** Number of items to skip. */
    offset: z
      .int()
      .min(0)
      .default(LISTING_DEFAULTS.offset)
      .describe('nextOffset of the previous page. Default 0.'),
  }),
  outputSchema: z.object({
    total: z.int().describe('Number of items that match the search.'),
    nextOffset: z.int().optional().describe('Pass it as offset; absent on the last page.'),
    leftOut: leftOutOutput,
    resources: z
      .array(z.object(resourceShape))
      .describe('Items, with everything that registering them requires.'),
  }),
  lists: { resources: 'as JSON' },
  async handler({ provider, search, limit, offset }, { fini, call, canCall }) {
    const all = await fini.listProviderResources(provider, call);
    const matching = search ? all.resources.filter(searchMatcher(search)) : all.resources;
    const resources = fittingPage(matching.slice(offset, offset + limit).map(boundedResource));
    const end = offset + resources.length;
    const nextOffset = resources.length > 0 && end < matching.length ? end : undefined;
    const given = { provider, search, limit };
    const about = canCall('import_provider_resources')
      ? ''
      : 'This server is read-only, so they cannot be imported through it.';
    return {
      message: paragraph(
        `${resources.length} of ${plural(matching.length, 'item')}.`,
        resources.length > 0 ? about : whyNoneShown({ ...given, offset }, all, matching.length),
        leftOutText(all),
      ),
      nextCalls: callsAfterListing(given, matching.length, nextOffset, resources.length),
      total: matching.length,
      nextOffset,
      leftOut: leftOutOf(all),
      resources,
    };
  },
});

/** The input that decides what is listed. */
interface ListingInput {
  readonly provider: Provider;
  readonly search: string | undefined;
  readonly limit: number;
}

/** The next page, what imports all that was found, and what there is instead of nothing. */
function callsAfterListing(
  given: ListingInput,
  total: number,
  nextOffset: number | undefined,
  shown: number,
): NextCall[] {
  const { provider, search } = given;
  if (total === 0) {
    const why = 'Show what is already in Fini';
    return [{ tool: 'list_sources', arguments: { source: provider }, why }];
  }
  const choice = search ? { search } : { all: true };
  const calls: NextCall[] = [
    {
      tool: 'import_provider_resources',
      arguments: { provider, ...choice, dryRun: true },
      why: `Show what importing ${plural(total, 'item')} would do`,
    },
  ];
  if (nextOffset !== undefined || shown === 0) {
    const input = inputFor({ ...given, offset: nextOffset ?? 0 }, LISTING_DEFAULTS);
    const why = nextOffset === undefined ? 'Show the first items' : 'Show the next items';
    calls.unshift({ tool: 'list_provider_resources', arguments: input, why });
  }
  return calls;
}

/** Why no item is shown. */
function whyNoneShown(
  { provider, search = '', offset }: ListingInput & { readonly offset: number },
  { resources, unreadable }: ProviderResources,
  matching: number,
): string {
  if (resources.length === 0) {
    return unreadable > 0
      ? 'No items can be shown.'
      : `Everything that Fini can access in ${provider} is already in Fini, or it cannot access anything there.`;
  }
  if (matching > 0) return `Offset ${offset} is past the end.`;
  const found = nothingFound('title or path', search, resources, shownTitle);
  return `${found} Items that are already in Fini are not listed here.`;
}
