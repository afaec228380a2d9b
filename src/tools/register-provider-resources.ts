import * as z from 'zod';
import { plural } from '../text.ts';
import { provider } from './fields.ts';
import { callForItems } from './next-calls.ts';
import { textMeanings } from './read-input.ts';
import { resourceShape } from './resource.ts';
import { defineTool } from './tool.ts';

/** An item's URL, also as some models write it. */
const originalUrl = resourceShape.originalUrl.trim().register(textMeanings, {
  kind: 'name',
  one: "the item's URL",
  many: "items' URLs",
});

/** Makes sources of a provider's pages. */
export const registerProviderResources = defineTool({
  name: 'register_provider_resources',
  title: "Turn a provider's pages into sources",
  description:
    'Turns items of list_provider_resources into Fini sources and returns their source IDs. Queues nothing: pass the IDs to ingest_and_wait as documentIdsToAdd, with source set to the same provider. Registering an item again only updates it.',
  kind: 'writes',
  scope: 'write',
  idempotent: true,
  openWorld: true,
  inputSchema: z.strictObject({
    provider,
    resources: z
      .array(z.strictObject({ ...resourceShape, originalUrl, path: resourceShape.path.optional() }))
      .min(1)
      .describe('Items as list_provider_resources returned them.'),
  }),
  outputSchema: z.object({
    sources: z
      .array(z.object({ status: z.enum(['added', 'known']), id: z.string() }))
      .describe('Source IDs, not in the order of the items.'),
  }),
  lists: { sources: 'by status' },
  async handler({ provider, resources }, { fini, call }) {
    const items = resources.map((resource) => ({ ...resource, path: resource.path ?? [] }));
    const registered = await fini.registerProviderResources(provider, items, call);
    const { addedDocumentIds: added, updatedDocumentIds: known } = registered;
    const source = { source: provider };
    return {
      message: `${plural(added.length, 'source')} added, ${known.length} already known. Registered, not ingested yet.`,
      nextCalls: [
        ...callForItems(
          'ingest_and_wait',
          'documentIdsToAdd',
          added,
          `Ingest ${plural(added.length, 'added source')}`,
          source,
        ),
        ...callForItems(
          'ingest_and_wait',
          'documentIdsToRefresh',
          known,
          `Ingest ${plural(known.length, 'known source')} again`,
          source,
        ),
      ],
      sources: [
        ...added.map((id) => ({ status: 'added' as const, id })),
        ...known.map((id) => ({ status: 'known' as const, id })),
      ],
    };
  },
  showOmitted: (_output, { provider }) => ({
    tool: 'list_sources',
    arguments: { source: provider, status: 'never_ingested' },
    why: 'Show all sources of this provider that were never ingested',
  }),
});
