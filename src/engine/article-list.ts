import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { FiniArticle } from '../fini/schemas.ts';
import { OPTIONAL_READ_SECONDS, optionalRead } from './optional-read.ts';

/** The types that Fini tells apart: articles that agents answer from, and drafts to be reviewed first. */
export const ARTICLE_TYPES = ['live', 'draft'] as const;

/** A type of article that Fini tells apart. */
export type ArticleType = (typeof ARTICLE_TYPES)[number];

/**
 * The state of an article. A published draft stays among the drafts, but needs no review. `unknown`:
 * neither the article nor a list tells.
 */
export type ArticleState = ArticleType | 'published_draft' | 'unknown';

/**
 * Reads the state of an article from its fields alone. Those of a new article's draft do not tell it
 * apart from a live one.
 */
function stateInFields({ isDraftPublished, originalArticleId }: FiniArticle): ArticleState {
  if (isDraftPublished === true) return 'published_draft';
  return originalArticleId === null ? 'unknown' : 'draft';
}

/** The states of articles, as far as they are known. */
export interface ArticleStates {
  /** By ID in lower case. */
  readonly states: ReadonlyMap<string, ArticleState>;
  /** The error that kept the list of drafts from telling, or null. */
  readonly trouble: FiniError | null;
}

/** Reads the states of articles: from the list of drafts, if the fields of one do not tell. */
export async function readStates(
  fini: FiniClient,
  articles: readonly FiniArticle[],
  call: Deadline,
): Promise<ArticleStates> {
  const states = new Map(articles.map((one) => [one.id.toLowerCase(), stateInFields(one)]));
  const untold = [...states].flatMap(([id, state]) => (state === 'unknown' ? [id] : []));
  if (untold.length === 0) return { states, trouble: null };
  // The articles are worth more than their states.
  const list = await optionalRead(
    fini.listArticles({ type: 'draft' }, call.atMost(OPTIONAL_READ_SECONDS)),
    call,
  );
  if (list instanceof FiniError) return { states, trouble: list };
  const drafts = new Map(list.articles.map((draft) => [draft.id.toLowerCase(), draft]));
  // A list that is not whole says nothing of an article that is not in it.
  const others = list.unreadable > 0 || list.hasMore === true ? 'unknown' : 'live';
  for (const id of untold) {
    const draft = drafts.get(id);
    states.set(id, draft === undefined ? others : listedState(draft, 'draft'));
  }
  return { states, trouble: null };
}

function listedState(article: FiniArticle, type: ArticleType): ArticleState {
  return article.isDraftPublished === true ? 'published_draft' : type;
}

/** An article and its state. */
export interface ListedArticle {
  /** Without its text. */
  readonly article: FiniArticle;
  readonly state: ArticleState;
}

/** Articles, as far as Fini's answers could be read. */
export interface ListedArticles {
  /** Drafts that wait for a review first, then what may be one, then live ones, then published drafts. */
  readonly articles: readonly ListedArticle[];
  /** Number of articles left out because they had no ID. */
  readonly unreadable: number;
  /** True if Fini has more than it returned. */
  readonly hasMore: boolean;
  /** The type that could not be read beside the other one, and the error; or null. */
  readonly unread: { readonly type: ArticleType; readonly error: FiniError } | null;
}

const ORDER: readonly ArticleState[] = ['draft', 'unknown', 'live', 'published_draft'];

/**
 * Lists the articles of one type, or of both. Each type takes a request of its own, since the contract
 * does not say that a live article's fields differ from a draft's.
 *
 * @throws {FiniError} if nothing could be read.
 */
export async function readArticles(
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
    const list = await fini.listArticles({ type }, call).catch((error: unknown) => {
      const isOptional = types.length > 1 && unread === null && !call.signal.aborted;
      // With a key that is refused, neither list is worth anything.
      if (!isOptional || !(error instanceof FiniError) || error.isDenied) throw error;
      unread = { type, error };
      return null;
    });
    if (list === null) continue;
    unreadable += list.unreadable;
    hasMore ||= list.hasMore === true;
    for (const article of list.articles) {
      // An API that ignores the type returns each article twice.
      const isInBoth = listed.has(article.id);
      const state = isInBoth ? stateInFields(article) : listedState(article, type);
      // Two lists of long texts are much to hold at once.
      listed.set(article.id, { article: { ...article, mainKnowledge: null }, state });
    }
  }
  const articles = ORDER.flatMap((state) =>
    [...listed.values()].filter((article) => article.state === state),
  );
  return { articles, unreadable, hasMore, unread };
}

/** A value of an open type as text: unchanged if it is text, otherwise as JSON. */
export function articleFieldText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
