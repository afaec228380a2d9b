import * as z from 'zod';
import { counted } from '../text.ts';
import { listOf, provider } from './fields.ts';
import { aboutOrder, NAMED_IDS, queuedShape } from './queued.ts';
import { textMeanings } from './read-input.ts';
import { resourceShape } from './resource.ts';
import { defineTool } from './tool.ts';

/** An item's URL, also as some models write it. */
const originalUrl = resourceShape.originalUrl.trim().register(textMeanings, {
  kind: 'name',
  one: "the item's URL",
  many: "items' URLs",
});

/** Makes sources of a provider's pages (fini-api.md, "register provider resources"). */
export const registerProviderResources = defineTool({
  name: 'register_provider_resources',
  title: "Register a provider's pages",
  description:
    'Turns items of list_provider_resources into Fini sources and returns their source IDs. Queues nothing: pass the IDs to ingest_and_wait as documentIdsToAdd, with source set to the same provider. Registering an item again only updates it.',
  kind: 'writes',
  scope: 'write',
  idempotent: true,
  openWorld: true,
  inputSchema: z.strictObject({
    provider,
    resources: listOf(
      z.strictObject({ ...resourceShape, originalUrl, path: resourceShape.path.optional() }),
      1,
    ).describe('Items as list_provider_resources returned them.'),
  }),
  outputSchema: z.object({ message: z.string().describe('How to ingest them.'), ...queuedShape }),
  async handler({ provider, resources }, { fini, call }) {
    const items = resources.map((resource) => ({ ...resource, path: resource.path ?? [] }));
    const registered = await fini.registerProviderResources(provider, items, call);
    const { addedDocumentIds, updatedDocumentIds } = registered;
    const input = {
      source: provider,
      ...(addedDocumentIds.length > 0 && { documentIdsToAdd: addedDocumentIds }),
      ...(updatedDocumentIds.length > 0 && { documentIdsToRefresh: updatedDocumentIds }),
    };
    const ids = addedDocumentIds.length + updatedDocumentIds.length;
    const how =
      ids <= NAMED_IDS
        ? `call ingest_and_wait with ${JSON.stringify(input)}`
        : `call ingest_and_wait with source "${provider}" and these IDs: added ones as documentIdsToAdd, already known ones as documentIdsToRefresh`;
    const order = aboutOrder([...addedDocumentIds, ...updatedDocumentIds]);
    const message = `Registered, not ingested yet: ${how}.${order}`;
    return { ...registered, message };
  },
  text({ addedDocumentIds, updatedDocumentIds, message }) {
    const first = `${counted(addedDocumentIds.length, 'source')} added, ${updatedDocumentIds.length} already known. ${message}`;
    const isLong = addedDocumentIds.length + updatedDocumentIds.length > NAMED_IDS;
    const lists = [
      `Added: ${JSON.stringify(addedDocumentIds)}`,
      `Already known: ${JSON.stringify(updatedDocumentIds)}`,
    ];
    return [first, ...(isLong ? lists : [])].join('\n');
  },
});
