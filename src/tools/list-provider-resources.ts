import * as z from 'zod';
import { searchMatcher, shownTitle } from '../engine/import.ts';
import type { Provider, ProviderResource } from '../fini/provider-tree.ts';
import { paragraph, plural, quoted } from '../text.ts';
import { fittingPage } from './bound.ts';
import { provider } from './fields.ts';
import { inputFor, type NextCall } from './next-calls.ts';
import {
  boundedResource,
  leftOutOf,
  leftOutOutput,
  leftOutText,
  resourceShape,
} from './resource.ts';
import { defineTool } from './tool.ts';

/** How many titles a search that finds nothing names. */
const NAMED_TITLES = 10;

/** Defaults of the input, which a proposed call leaves out. */
const DEFAULTS = { limit: 100, offset: 0 };

/** Shows what a connected provider has that Fini does not. */
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
      .default(DEFAULTS.limit)
      .describe('Maximum number of items, 1 to 500. Default 100.'),
    /** How many items to pass over. */
    offset: z
      .int()
      .min(0)
      .default(DEFAULTS.offset)
      .describe('nextOffset of the previous page. Default 0.'),
  }),
  outputSchema: z.object({
    total: z.int().describe('How many items match the search.'),
    nextOffset: z.int().optional().describe('Pass it as offset; absent on the last page.'),
    leftOut: leftOutOutput,
    resources: z
      .array(z.object(resourceShape))
      .describe('The items, with everything that registering needs.'),
  }),
  lists: { resources: 'as JSON' },
  async handler({ provider, search, limit, offset }, { fini, call, canCall }) {
    const tree = await fini.listProviderResources(provider, call);
    const { resources: all, unreadable } = tree;
    const matching = search ? all.filter(searchMatcher(search)) : all;
    const resources = fittingPage(matching.slice(offset, offset + limit).map(boundedResource));
    const end = offset + resources.length;
    const nextOffset = resources.length > 0 && end < matching.length ? end : undefined;
    const canImport = canCall('import_provider_resources');
    const given = { provider, search, limit };
    return {
      message: paragraph(
        `${resources.length} of ${plural(matching.length, 'item')}.`,
        all.length === 0
          ? nothingListed(provider, unreadable)
          : matching.length === 0
            ? nothingFound(search ?? '', all)
            : resources.length === 0
              ? `Offset ${offset} is past the end.`
              : canImport
                ? ''
                : 'This server is read-only, so they cannot be imported through it.',
        leftOutText(tree),
      ),
      nextCalls: nextCalls(given, matching.length, nextOffset, resources.length),
      total: matching.length,
      nextOffset,
      leftOut: leftOutOf(tree),
      resources,
    };
  },
});

/** The next page, what imports all that was found, and what there is instead of nothing. */
function nextCalls(
  given: {
    readonly provider: Provider;
    readonly search: string | undefined;
    readonly limit: number;
  },
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
    const input = inputFor({ ...given, offset: nextOffset ?? 0 }, DEFAULTS);
    const why = nextOffset === undefined ? 'Show the first items' : 'Show the next items';
    calls.unshift({ tool: 'list_provider_resources', arguments: input, why });
  }
  return calls;
}

function nothingListed(provider: Provider, unreadable: number): string {
  return unreadable > 0
    ? 'No items can be shown.'
    : `Everything that Fini can access in ${provider} is already in Fini, or it cannot access anything there.`;
}

/** Other titles than the one that was searched for, so that the next search may find something. */
function nothingFound(search: string, resources: readonly ProviderResource[]): string {
  const titles = resources.slice(0, NAMED_TITLES).map((resource) => quoted(shownTitle(resource)));
  const left = resources.length - titles.length;
  const more = left > 0 ? ` and ${left} more` : '';
  return `No title or path contains ${quoted(search)}: try a shorter word. Available: ${titles.join(', ')}${more}. Items that are already in Fini are not listed here.`;
}
