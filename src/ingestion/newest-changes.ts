import type { FiniClient } from '../fini/client.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';

/** Sources a page. The largest that the API takes is not documented, so this is only tried. */
const LARGE_PAGE = 100;
/** The API's own default. */
const SAFE_PAGE = 50;

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
  async *pages(signal: AbortSignal): AsyncGenerator<readonly FiniDocument[]> {
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
      yield page.documents;
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
