import * as z from 'zod';
import { shownTitle } from '../engine/import.ts';
import type { ProviderResource, ProviderResources } from '../fini/provider-tree.ts';
import {
  bounded,
  paragraph,
  plural,
  quoted,
  TITLE_LENGTH,
  URL_LENGTH,
  WORD_LENGTH,
} from '../text.ts';

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

/** Maximum number of translations to name. */
const NAMED_TRANSLATIONS = 5;

type LeftOut = Pick<ProviderResources, 'unreadable' | 'translations'>;

/** The items of a provider that cannot be chosen, as answers count them. */
export const leftOutOutput = z
  .object({
    unreadable: z.int().describe('Items without a usable ID or URL.'),
    translations: z.int().describe('Items under the ID of another item, such as translations.'),
  })
  .optional()
  .describe('How many items cannot be selected, if any.');

/** Counts what is left out; undefined if that is nothing. */
export function leftOutOf({ unreadable, translations }: LeftOut) {
  if (unreadable + translations.length === 0) return undefined;
  return { unreadable, translations: translations.length };
}

/** Sentences about what is left out, with the first translations. */
export function leftOutText({ unreadable, translations }: LeftOut): string {
  const named = translations.slice(0, NAMED_TRANSLATIONS).map(({ title, originalUrl }) => {
    const url = bounded(originalUrl, URL_LENGTH);
    return `${quoted(bounded(title, TITLE_LENGTH))} (${url})`;
  });
  const left = translations.length - named.length;
  const more = left > 0 ? ` and ${left} more` : '';
  return paragraph(
    unreadable === 0 ? '' : `${plural(unreadable, 'item')} without a usable ID or URL left out.`,
    named.length === 0
      ? ''
      : `${plural(translations.length, 'translation')} left out, because another item has the same ID: ${named.join(', ')}${more}.`,
  );
}
