import type { FiniClient, GenerationOperation } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { FiniArticle } from '../fini/schemas.ts';
import { searchKey } from '../text.ts';
import { OPTIONAL_READ_SECONDS, optionalRead } from './optional-read.ts';

/** A draft that a job has made, with what a person should know before reviewing it. */
export interface CheckedDraft {
  /** The length of its text, in characters. */
  readonly textLength: number;
  readonly operation: Exclude<GenerationOperation, 'DO_NOTHING'>;
  /** Other drafts of the same live article that wait for a review. */
  readonly sameArticle: readonly string[];
  /** Other drafts of new articles that wait, with the same title. */
  readonly sameTitle: readonly string[];
}

/** The drafts that jobs have made, as far as Fini shows them. */
export interface DraftCheck {
  /** By ID in lower case; null for one that Fini does not find. One that is not in it is not checked. */
  readonly drafts: ReadonlyMap<string, CheckedDraft | null>;
  /** True if all drafts that wait were seen. */
  readonly isWhole: boolean;
}

/** Checks the drafts with these IDs, in one request if the list of drafts shows them. */
export async function checkDrafts(
  fini: FiniClient,
  ids: readonly string[],
  deadline: Deadline,
): Promise<DraftCheck> {
  const wanted = [...new Set(ids.map((id) => id.toLowerCase()))];
  const look = () => deadline.atMost(OPTIONAL_READ_SECONDS);
  // The drafts are worth more than their check.
  const list = await optionalRead(fini.listArticles({ type: 'draft' }, look()), deadline);
  const listed = list instanceof FiniError ? [] : list.articles;
  const found = new Map(listed.map((draft) => [draft.id.toLowerCase(), draft]));
  const unlisted = wanted.filter((id) => !found.has(id));
  const others =
    unlisted.length === 0 ? [] : await optionalRead(fini.getArticles(unlisted, look()), deadline);
  const isRead = !(others instanceof FiniError);
  for (const draft of isRead ? others : []) found.set(draft.id.toLowerCase(), draft);
  const waiting = listed.filter(({ isDraftPublished }) => isDraftPublished !== true);
  const drafts = wanted.flatMap((id): [string, CheckedDraft | null][] => {
    const draft = found.get(id);
    if (draft !== undefined) return [[id, checked(draft, waiting)]];
    return isRead ? [[id, null]] : [];
  });
  const isWhole = !(list instanceof FiniError) && list.unreadable === 0 && list.hasMore !== true;
  return { drafts: new Map(drafts), isWhole };
}

function checked(draft: FiniArticle, waiting: readonly FiniArticle[]): CheckedDraft {
  const originalOf = ({ originalArticleId }: FiniArticle) =>
    originalArticleId?.toLowerCase() ?? null;
  const titleOf = ({ title }: FiniArticle) => searchKey(title ?? '');
  const original = originalOf(draft);
  const others = waiting.filter(
    (other) => other.id.toLowerCase() !== draft.id.toLowerCase() && originalOf(other) === original,
  );
  const title = titleOf(draft);
  const isNew = original === null;
  const alike = isNew ? others.filter((other) => title !== '' && titleOf(other) === title) : others;
  const otherIds = alike.map(({ id }) => id);
  return {
    textLength: draft.mainKnowledge?.length ?? 0,
    operation: isNew ? 'ADD_ARTICLE_TO_FOLDER' : 'UPDATE_ARTICLE',
    sameArticle: isNew ? [] : otherIds,
    sameTitle: isNew ? otherIds : [],
  };
}
