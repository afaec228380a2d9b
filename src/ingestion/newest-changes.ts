import type { FiniClient, SourceFilters } from '../fini/client.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import { timeOf } from './states.ts';

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
}

/** The list of a workspace's sources, newest change first. */
export class NewestChanges {
  readonly #fini: FiniClient;
  readonly #filters: SourceFilters;
  #pageSize = LARGE_PAGE;

  /** @param filters Narrow the list; without any it has every source. */
  constructor(fini: FiniClient, filters: SourceFilters = {}) {
    this.#fini = fini;
    this.#filters = filters;
  }

  /** How many pages it takes, at the most, to hold so many sources. */
  pagesFor(sources: number): number {
    return Math.ceil(sources / this.#pageSize);
  }

  /**
   * The list page by page. Ends with the list, and where paging goes in circles: a page without a
   * source that was not on one before.
   *
   * @throws {FiniError}
   */
  async *pages(signal: AbortSignal): AsyncGenerator<ChangePage> {
    const seen = new Set<string>();
    let cursor: string | undefined;
    for (;;) {
      const direction = cursor === undefined ? undefined : ('next' as const);
      const request = { ...this.#filters, limit: LARGE_PAGE, cursor, direction };
      const page = await this.#fini.listSources(request, { signal });
      this.#pageSize = page.limit;
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
      };
      if (!page.hasMore) return;
      cursor = page.documents.at(-1)?.id;
    }
  }
}
