import type { FiniClient } from '../fini/client.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import { bounded, plural, searchKey, TITLE_LENGTH, WORD_LENGTH } from '../text.ts';
import {
  fittingParagraphs,
  MAXIMUM_SHOWN_CHARACTERS,
  showableParagraphs,
} from '../tools/source-text.ts';
import { sourceUri } from '../tools/source-uri.ts';

/* Sources as MCP resources: their texts, read part by part. */

/** The MIME type of every part of a source's text. */
export const SOURCE_MIME_TYPE = 'text/plain';

/** Number of sources on a page of the list of resources. */
const LISTED_SOURCES = 50;
/** Number of sources, the newest ones, to search for what a person types. */
const SEARCHED_SOURCES = 100;

/** A source in the list of resources. */
export interface SourceResource {
  readonly uri: string;
  readonly name: string;
  readonly description: string;
  readonly mimeType: string;
}

/**
 * Lists one page of the sources, newest change first.
 *
 * @param cursor The cursor from the previous page: its last source's ID.
 * @throws {FiniError}
 */
export async function listSourceResources(
  fini: FiniClient,
  cursor: string | undefined,
  signal: AbortSignal,
): Promise<{ resources: SourceResource[]; nextCursor?: string }> {
  const direction = cursor === undefined ? undefined : ('next' as const);
  const request = { limit: LISTED_SOURCES, cursor, direction };
  const { documents, hasMore } = await fini.listSources(request, { signal });
  const last = documents.at(-1)?.id;
  const resources = documents.map((document) => ({
    uri: sourceUri(document.id),
    name: resourceName(document),
    description: [document.source, document.linkedJobStatus, document.originalUrl]
      .filter((part) => part !== null)
      .map((part) => bounded(part, TITLE_LENGTH))
      .join(' · '),
    mimeType: SOURCE_MIME_TYPE,
  }));
  // A Fini that returns the same page again would keep a client listing forever.
  const goesOn = hasMore && last !== undefined && last !== cursor;
  return { resources, ...(goesOn && { nextCursor: last }) };
}

/**
 * Reads a part of a source's text. A text that continues ends with the resource of its next part.
 *
 * @throws {FiniError} with status 404 if there is no such source.
 */
export async function readSourceText(
  fini: FiniClient,
  { id, offset }: { id: string; offset: number },
  signal: AbortSignal,
): Promise<string> {
  const document = await fini.getSource(id, { signal });
  const all = showableParagraphs(document.paragraphs);
  const { paragraphs } = fittingParagraphs(all.slice(offset), MAXIMUM_SHOWN_CHARACTERS);
  const end = offset + paragraphs.length;
  if (paragraphs.length === 0) return emptyText(document, all.length);
  if (end >= all.length) return paragraphs.join('\n\n');
  return [...paragraphs, `[The text continues at ${sourceUri(id, end)}]`].join('\n\n');
}

function emptyText({ linkedJobStatus, error }: FiniDocument, paragraphCount: number): string {
  if (paragraphCount > 0)
    return `[Nothing at this offset: the text has only ${plural(paragraphCount, 'paragraph')}]`;
  const why = error ? `: ${JSON.stringify(bounded(error, TITLE_LENGTH))}` : '';
  return `[No text. Job status: ${bounded(linkedJobStatus ?? 'never ingested', WORD_LENGTH)}${why}]`;
}

/**
 * Finds IDs of sources whose ID begins with the typed text, or whose title contains it.
 *
 * @throws {FiniError}
 */
export async function completeSourceId(
  fini: FiniClient,
  typed: string,
  signal: AbortSignal,
): Promise<string[]> {
  const { documents } = await fini.listSources({ limit: SEARCHED_SOURCES }, { signal });
  return documents.filter(idOrTitleMatcher(typed)).map(({ id }) => id);
}

/**
 * Finds the same, and URLs that contain the typed text, since a failed source may have no title.
 *
 * @throws {FiniError}
 */
export async function completeSourceIdOrUrl(
  fini: FiniClient,
  typed: string,
  signal: AbortSignal,
  isWanted: (document: FiniDocument) => boolean,
): Promise<string[]> {
  const { documents } = await fini.listSources({ limit: SEARCHED_SOURCES }, { signal });
  const isNamedSo = idOrTitleMatcher(typed);
  const part = typed.trim().toLowerCase();
  return documents.filter(isWanted).flatMap((document) => {
    if (isNamedSo(document)) return [document.id];
    const url = document.originalUrl ?? '';
    // A URL with invisible characters is not proposed.
    return url.toLowerCase().includes(part) && bounded(url, TITLE_LENGTH) === url ? [url] : [];
  });
}

/** True if a source's ID begins with a text, or its title contains it. */
function idOrTitleMatcher(typed: string): (document: FiniDocument) => boolean {
  const beginning = typed.trim().toLowerCase();
  const part = searchKey(typed);
  return ({ id, title }) => id.startsWith(beginning) || searchKey(title ?? '').includes(part);
}

function resourceName({ id, title, originalUrl }: FiniDocument): string {
  return bounded(title ?? '', TITLE_LENGTH) || bounded(originalUrl ?? '', TITLE_LENGTH) || id;
}
