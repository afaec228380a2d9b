import type { FiniClient } from '../fini/client.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';

/** Sources a page: the API's own default, since the largest it takes is not documented. */
export const PAGE_SIZE = 50;

/**
 * The list of sources page by page, newest change first. Ends with the list, and where paging goes
 * in circles: a page without a source that was not on one before.
 *
 * @throws {FiniError}
 */
export async function* newestChanges(
  fini: FiniClient,
  signal: AbortSignal,
): AsyncGenerator<readonly FiniDocument[]> {
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (;;) {
    const request = {
      limit: PAGE_SIZE,
      cursor,
      direction: cursor === undefined ? undefined : ('next' as const),
    };
    const page = await fini.listSources(request, { signal });
    if (page.documents.length === 0 && page.unreadable > 0) {
      const operation = 'list sources';
      throw new FiniError('The list holds no source that can be read.', {
        operation,
        failure: 'unreadable',
      });
    }
    const news = page.documents.some((document) => !seen.has(document.id));
    if (!news) return;
    for (const document of page.documents) seen.add(document.id);
    yield page.documents;
    if (!page.hasMore) return;
    cursor = page.documents.at(-1)?.id;
  }
}
