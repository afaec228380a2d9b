import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { FiniArticle } from '../fini/schemas.ts';

/** The types that Fini tells apart: articles that agents answer from, and drafts to be reviewed first. */
export const ARTICLE_TYPES = ['live', 'draft'] as const;

/** A type of article that Fini tells apart. */
export type ArticleType = (typeof ARTICLE_TYPES)[number];

/** The state of an article. A published draft stays among the drafts, but waits for nobody. */
export type ArticleState = ArticleType | 'published_draft';

/** Reads the state of an article from its fields alone. */
export function articleStateOf(article: FiniArticle): ArticleState {
  const { isDraftPublished, originalArticleId } = article;
  if (isDraftPublished === true) return 'published_draft';
  return isDraftPublished === false || originalArticleId !== null ? 'draft' : 'live';
}

/** An article, and where it stands. */
export interface ListedArticle {
  readonly article: FiniArticle;
  readonly state: ArticleState;
}

/** Articles as far as Fini's answers could be read. */
export interface ListedArticles {
  /** Drafts that wait for a review first, then live ones, then published drafts. */
  readonly articles: readonly ListedArticle[];
  /** How many had no ID and had to be left out. */
  readonly unreadable: number;
  /** Fini has more than it gave. */
  readonly hasMore: boolean;
  /** A type that could not be read beside the other one, and why; null if none. */
  readonly unread: { readonly type: ArticleType; readonly error: FiniError } | null;
}

const ORDER: readonly ArticleState[] = ['draft', 'live', 'published_draft'];

/**
 * Lists the articles of a type, or of both. Each type is asked for by itself: the contract does not
 * say that the fields of a live article differ from those of a draft.
 *
 * @throws {FiniError} if nothing could be read.
 */
export async function listArticles(
  fini: FiniClient,
  wanted: ArticleType | undefined,
  call: Deadline,
): Promise<ListedArticles> {
  const types = wanted === undefined ? ARTICLE_TYPES : [wanted];
  const listed = new Map<string, ListedArticle>();
  let unreadable = 0;
  let hasMore = false;
  let unread: ListedArticles['unread'] = null;
  for (const type of types) {
    let list: Awaited<ReturnType<typeof fini.listArticles>>;
    try {
      list = await fini.listArticles({ type }, call);
    } catch (error) {
      const isLast = wanted !== undefined || unread !== null;
      if (isLast || call.signal.aborted || !(error instanceof FiniError)) throw error;
      unread = { type, error };
      continue;
    }
    unreadable += list.unreadable;
    hasMore ||= list.hasMore === true;
    for (const article of list.articles) {
      const byFields = articleStateOf(article);
      // An API that ignores the type gives each article twice.
      const isInBoth = listed.has(article.id);
      const state = isInBoth || byFields === 'published_draft' ? byFields : type;
      listed.set(article.id, { article, state });
    }
  }
  const articles = ORDER.flatMap((state) =>
    [...listed.values()].filter((article) => article.state === state),
  );
  return { articles, unreadable, hasMore, unread };
}

/** A value of an open type as text: as it is where it is text, else as JSON. */
export function fieldText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
