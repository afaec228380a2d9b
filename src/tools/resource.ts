import * as z from 'zod';
import { shownTitle } from '../engine/import.ts';
import type { ProviderResource } from '../fini/provider-tree.ts';
import { bounded, TITLE_LENGTH, WORD_LENGTH } from '../text.ts';

/** The MIME type of an item whose provider names none that can be shown. */
const UNSAID_MIME_TYPE = 'text/html';

/** A provider's page or article, as listing returns it and registering takes it. */
export const resourceShape = {
  externalId: z.string().describe("The provider's own ID, not a source ID."),
  title: z.string().describe('Title.'),
  originalUrl: z.string().describe('URL at the provider.'),
  mimeType: z.string().describe('MIME type, such as text/html.'),
  object: z.string().optional().describe('Type: page, database, article.'),
  path: z.array(z.string()).describe('Titles of the parents, outermost first.'),
};

/** A provider's item, fit to be shown; the fields for registering stay unchanged. */
export function boundedResource(resource: ProviderResource): ProviderResource & { path: string[] } {
  return {
    ...resource,
    // Registering requires a title and a MIME type.
    title: shownTitle(resource),
    // The longest MIME types in use exceed the length of a word.
    mimeType: bounded(resource.mimeType, TITLE_LENGTH) || UNSAID_MIME_TYPE,
    object: resource.object === undefined ? undefined : bounded(resource.object, WORD_LENGTH),
    path: resource.path.map((title) => bounded(title, TITLE_LENGTH)),
  };
}
