import type { FiniClient } from '../fini/client.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import { timeOf } from './states.ts';

/** Sources a page. The largest that the API takes is not documented, so this is only tried. */
const LARGE_PAGE = 100;
/** The API's own default. */
const SAFE_PAGE = 50;

/** One page of the list, and the span of its changes in milliseconds since 1970. */
export interface ChangePage {
  readonly documents: readonly FiniDocument[];
  /** -Infinity where no record says when it changed. */
  readonly newestChange: number;
  /** Infinity where no record says when it changed. */
  readonly oldestChange: number;
}

/** The list of a workspace's sources, newest change first. */
export class NewestChanges {
  readonly #fini: FiniClient;
  #pageSize = LARGE_PAGE;

  constructor(fini: FiniClient) {
    this.#fini = fini;
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
      const page = await this.#page(cursor, signal);
      if (page.documents.length === 0 && page.unreadable > 0) {
        throw new FiniError('The list holds no source that can be read.', {
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
      };
      if (!page.hasMore) return;
      cursor = page.documents.at(-1)?.id;
    }
  }

  async #page(cursor: string | undefined, signal: AbortSignal) {
    const direction = cursor === undefined ? undefined : ('next' as const);
    const limit = this.#pageSize;
    try {
      return await this.#fini.listSources({ limit, cursor, direction }, { signal });
    } catch (error) {
      const isRefused = error instanceof FiniError && error.status === 400;
      if (!isRefused || limit === SAFE_PAGE) throw error;
      const page = await this.#fini.listSources(
        { limit: SAFE_PAGE, cursor, direction },
        { signal },
      );
      this.#pageSize = SAFE_PAGE;
      return page;
    }
  }
}
