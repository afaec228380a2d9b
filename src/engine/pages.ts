import type { CallOptions } from '../fini/call-options.ts';
import type { FiniClient, SourceFilters } from '../fini/client.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import { timeOf } from './job-states.ts';

/** Sources a page, where the API gives as many. */
export const LARGE_PAGE = 100;

/** One page of the list, and the span of its changes in milliseconds since 1970. */
export interface ChangePage {
  readonly documents: readonly FiniDocument[];
  /** -Infinity where no record says when it changed. */
  readonly newestChange: number;
  /** Infinity where no record says when it changed. */
  readonly oldestChange: number;
  readonly hasMore: boolean;
  /** How many sources it could hold. */
  readonly limit: number;
}

/** Which pages of the list are read. */
export interface PagesWanted {
  /** Narrow the list; an API may ignore one that it does not know. */
  readonly filters?: SourceFilters;
  /** Sources a page. */
  readonly limit?: number;
  /** The ID of the source after which to begin; the list's top without it. */
  readonly after?: string | undefined;
}

/**
 * A workspace's sources page by page, newest change first. Ends with the list, and where paging goes
 * in circles: a page without a source that was not on one before.
 *
 * @throws {FiniError}
 */
export async function* pagesOf(
  fini: FiniClient,
  options: CallOptions,
  { filters = {}, limit = LARGE_PAGE, after }: PagesWanted = {},
): AsyncGenerator<ChangePage> {
  const seen = new Set<string>();
  let cursor = after;
  for (;;) {
    const direction = cursor === undefined ? undefined : ('next' as const);
    const page = await fini.listSources({ ...filters, limit, cursor, direction }, options);
    if (page.documents.length === 0 && page.unreadable > 0) {
      throw new FiniError('The list contains no source that can be read.', {
        operation: 'list sources',
        failure: 'unreadable',
      });
    }
    if (page.documents.every(({ id }) => seen.has(id))) return;
    for (const { id } of page.documents) seen.add(id);
    const changes = page.documents.flatMap(({ updatedAt }) => timeOf(updatedAt) ?? []);
    yield {
      documents: page.documents,
      newestChange: Math.max(...changes),
      oldestChange: Math.min(...changes),
      hasMore: page.hasMore,
      limit: page.limit,
    };
    if (!page.hasMore) return;
    cursor = page.documents.at(-1)?.id;
  }
}
