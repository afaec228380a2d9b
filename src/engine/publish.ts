import type { ArticleToPublish, FiniClient } from '../fini/client.ts';
import { type Deadline, WaitEnded } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { FiniArticle } from '../fini/schemas.ts';
import { MemoryStore } from '../store/memory-store.ts';
import {
  type ArticleState,
  articleStateOf,
  type ListedArticles,
  listArticles,
} from './article-list.ts';
import { inputKey } from './identity.ts';
import { Memory } from './memory.ts';
import { mayBeCarriedOut, type RecentRequest } from './recent.ts';

/** Fields that Fini wants to have something in before it publishes a draft. */
export type RequiredField =
  | 'title'
  | 'mainKnowledge'
  | 'agentInstruction'
  | 'questions'
  | 'keywords'
  | 'parentFolderId';

/**
 * Why a draft is not to be published:
 * - `not_found`: Fini has no such article;
 * - `live`: it is no draft;
 * - `untold`: nothing tells if it is a draft, since the list could not be read;
 * - `published`: it has been published already;
 * - `incomplete`: Fini would refuse it, because of `missing`;
 * - `sent`: a request that had no answer may have published it;
 * - `same_original`: another draft of the same call updates the same live article, and whichever came
 *   last would undo the other.
 */
export type Obstacle =
  | 'not_found'
  | 'live'
  | 'untold'
  | 'published'
  | 'incomplete'
  | 'sent'
  | 'same_original';

/** A draft that somebody wants to publish, as it stands before. */
export interface DraftToPublish {
  readonly id: string;
  /** Null where Fini has none. */
  readonly draft: FiniArticle | null;
  readonly obstacle: Obstacle | null;
  /** The empty fields, with the obstacle `incomplete`. */
  readonly missing: readonly RequiredField[];
  /** The article to send; null if there is an obstacle. */
  readonly article: ArticleToPublish | null;
  /** The live article that it would update; null also where Fini has it no more. */
  readonly original: FiniArticle | null;
  /** Publishing would undo what happened since the draft was made; only a person can want that. */
  readonly conflict: 'original_changed' | 'original_gone' | null;
  /** The live article that it became, with the obstacle `published`, as far as is known. */
  readonly liveId: string | null;
}

/**
 * A draft after publishing: `published`; `refused` by Fini for itself; `doubtful`, since there was no
 * answer; or `left`, since nothing was sent.
 */
export interface PublishedDraft {
  readonly id: string;
  readonly state: 'published' | 'refused' | 'doubtful' | 'left';
  /** The live article, which may have another ID; null where it is not known. */
  readonly liveId: string | null;
  /** Why it is not published; null also where it was left because of the one before. */
  readonly error: FiniError | null;
}

/** Refusals that concern one draft alone; after any other error the next draft would fail, too. */
const OWN_REFUSALS: readonly number[] = [400, 404, 406, 409, 422];

/** Publishing tells by its own answer, and not by what was there before. */
const NOTHING_BEFORE = { newestChange: 0, records: new Map() };

/** Makes drafts of one workspace live. */
export class Publishing {
  readonly #fini: FiniClient;
  readonly #memory: Memory;

  /** @param memory What this workspace's calls before have published. */
  constructor(fini: FiniClient, memory = new Memory(new MemoryStore())) {
    this.#fini = fini;
    this.#memory = memory;
  }

  /**
   * Reads drafts and the live articles that they would update.
   *
   * @throws {FiniError}
   */
  async read(ids: readonly string[], call: Deadline): Promise<DraftToPublish[]> {
    const drafts = await this.#articles(ids, call);
    const states = await this.#statesOf([...drafts.values()], call);
    const updated = [...drafts.values()].flatMap(
      ({ originalArticleId }) => originalArticleId?.toLowerCase() ?? [],
    );
    const originals =
      updated.length === 0 ? drafts : await this.#articles([...new Set(updated)], call);
    const published = await this.#memory.published.of(ids);
    const read = ids.map((id): DraftToPublish => {
      const draft = drafts.get(id) ?? null;
      const originalId = draft?.originalArticleId ?? null;
      const original =
        originalId === null ? null : (originals.get(originalId.toLowerCase()) ?? null);
      const sent = published.get(id);
      const missing = draft === null ? [] : missingFields(draft);
      const obstacle = obstacleOf(draft, states.get(id), sent, missing);
      return {
        id,
        draft,
        obstacle,
        missing,
        original,
        article: draft === null || obstacle !== null ? null : articleOf(draft),
        conflict: draft === null ? null : conflictOf(draft, original),
        liveId: liveIdIn(sent, id) ?? (obstacle === 'published' ? originalId : null),
      };
    });
    return read.map((one) =>
      hasRival(one, read) ? { ...one, obstacle: 'same_original', article: null } : one,
    );
  }

  /**
   * Publishes drafts, one after the other, and accounts for each, whatever happens. After an error
   * that is not about one draft alone nothing more is sent.
   *
   * @throws the signal's reason when it is aborted.
   */
  async publish(drafts: readonly DraftToPublish[], call: Deadline): Promise<PublishedDraft[]> {
    const outcomes: PublishedDraft[] = [];
    let isOver = false;
    for (const { id, article, original } of drafts) {
      if (article === null || isOver) {
        outcomes.push({ id, state: 'left', liveId: null, error: null });
        continue;
      }
      const outcome = await this.#publishOne(id, article, call);
      const liveId =
        outcome.liveId ?? (outcome.state === 'published' ? original?.id : null) ?? null;
      outcomes.push({ ...outcome, liveId });
      isOver = outcome.error !== null && outcome.state !== 'refused';
    }
    return outcomes;
  }

  async #publishOne(
    id: string,
    article: ArticleToPublish,
    call: Deadline,
  ): Promise<PublishedDraft> {
    try {
      const work = () => this.#publishReserved(id, article, call);
      return await this.#memory.withReserved('published', [id], call, work);
    } catch (error) {
      if (!(error instanceof WaitEnded)) throw error;
      return { id, state: 'left', liveId: null, error: stillPublishing() };
    }
  }

  async #publishReserved(
    id: string,
    article: ArticleToPublish,
    call: Deadline,
  ): Promise<PublishedDraft> {
    const { published } = this.#memory;
    const request = { batch: id, inputs: [id], baseline: NOTHING_BEFORE };
    const sent = (await published.of([id])).get(id);
    if (sent !== undefined) {
      const state = sent.ids === null ? 'doubtful' : 'published';
      return { id, state, liveId: liveIdIn(sent, id), error: null };
    }
    try {
      const live = await published.send(
        request,
        () => this.#fini.publishArticle(id, article, call),
        (answer) => liveIdsOf(id, answer.id),
      );
      return { id, state: 'published', liveId: live.id, error: null };
    } catch (error) {
      if (!(error instanceof FiniError)) throw error;
      if (!mayBeCarriedOut(error)) {
        const isOwn = OWN_REFUSALS.includes(error.status ?? 0);
        return { id, state: isOwn ? 'refused' : 'left', liveId: null, error };
      }
      if (!(await this.#isPublished(id, call))) {
        return { id, state: 'doubtful', liveId: null, error };
      }
      await published.remember(request, liveIdsOf(id, null));
      return { id, state: 'published', liveId: null, error: null };
    }
  }

  /** Tells whether a draft shows that it is published; false also where nobody can tell. */
  async #isPublished(id: string, call: Deadline): Promise<boolean> {
    try {
      const [draft] = await this.#fini.getArticles([id], call);
      return draft?.isDraftPublished === true;
    } catch (error) {
      if (error instanceof FiniError) return false;
      throw error;
    }
  }

  async #articles(ids: readonly string[], call: Deadline): Promise<Map<string, FiniArticle>> {
    const articles = await this.#fini.getArticles(ids, call);
    return new Map(articles.map((article) => [article.id.toLowerCase(), article]));
  }

  /**
   * Tells whether articles are drafts. Their fields do not always tell, since any may be missing: the lists
   * of drafts and of live articles do.
   */
  async #statesOf(articles: readonly FiniArticle[], call: Deadline) {
    const states = new Map<string, ArticleState | 'untold'>(
      articles.map((one) => [one.id.toLowerCase(), articleStateOf(one)]),
    );
    const unsure = [...states].flatMap(([id, state]) => (state === 'live' ? [id] : []));
    if (unsure.length === 0) return states;
    const listed = await this.#listed(call, unsure.length < states.size);
    const stateOf = new Map(
      listed?.articles.map(({ article, state }) => [article.id.toLowerCase(), state]),
    );
    const isWhole = listed !== null && listed.unread === null;
    for (const id of unsure) states.set(id, stateOf.get(id) ?? (isWhole ? 'live' : 'untold'));
    return states;
  }

  /** All articles; null if they cannot be read and are not needed. */
  async #listed(call: Deadline, isOptional: boolean): Promise<ListedArticles | null> {
    try {
      const listed = await listArticles(this.#fini, undefined, call);
      if (listed.unread !== null && !isOptional) throw listed.unread.error;
      return listed;
    } catch (error) {
      if (!isOptional || call.signal.aborted || !(error instanceof FiniError)) throw error;
      return null;
    }
  }
}

function stillPublishing(): FiniError {
  const message = 'Another call was still publishing the same draft.';
  return new FiniError(message, { operation: 'publish articles', failure: 'not_sent' });
}

/** The live article that a draft became, as far as its request tells. */
function liveIdIn(sent: RecentRequest | undefined, draftId: string): string | null {
  return sent?.idOf[inputKey(draftId)] ?? null;
}

function liveIdsOf(draftId: string, liveId: string | null) {
  if (liveId === null) return { ids: [] };
  return { ids: [liveId], idOf: new Map([[draftId, liveId]]) };
}

function obstacleOf(
  draft: FiniArticle | null,
  state: ArticleState | 'untold' | undefined,
  sent: RecentRequest | undefined,
  missing: readonly RequiredField[],
): Obstacle | null {
  if (sent !== undefined && sent.ids !== null) return 'published';
  if (draft === null) return 'not_found';
  if (state === 'published_draft') return 'published';
  if (state === 'live' || state === 'untold') return state;
  if (sent !== undefined) return 'sent';
  return missing.length > 0 ? 'incomplete' : null;
}

/** Tells whether another of these drafts that could be published updates the same live article. */
function hasRival(one: DraftToPublish, all: readonly DraftToPublish[]): boolean {
  const originalOf = ({ draft, obstacle }: DraftToPublish) =>
    obstacle === null ? draft?.originalArticleId?.toLowerCase() : undefined;
  const original = originalOf(one);
  return (
    original !== undefined && all.some((other) => other !== one && originalOf(other) === original)
  );
}

/** The empty ones of the fields that Fini demands: it answers 400 without them. */
function missingFields(draft: FiniArticle): RequiredField[] {
  const { title, mainKnowledge, agentInstruction, questions, keywords, parentFolderId } = draft;
  const empty: readonly [RequiredField, boolean][] = [
    ['title', !title?.trim()],
    ['mainKnowledge', !mainKnowledge?.trim()],
    // It may be empty, but not missing.
    ['agentInstruction', agentInstruction === null],
    ['questions', questions.length === 0],
    ['keywords', keywords.length === 0],
    ['parentFolderId', parentFolderId === null],
  ];
  return empty.flatMap(([field, isEmpty]) => (isEmpty ? [field] : []));
}

/** The draft's own fields, as publishing takes them. */
function articleOf(draft: FiniArticle): ArticleToPublish {
  const { title, mainKnowledge, agentInstruction, parentFolderId } = draft;
  const { questions, keywords, escalation, active, origin } = draft;
  return {
    // None of these is null, or the draft would be incomplete.
    title: title ?? '',
    mainKnowledge: mainKnowledge ?? '',
    agentInstruction: agentInstruction ?? '',
    parentFolderId: parentFolderId ?? '',
    questions,
    keywords,
    escalation,
    active,
    origin,
    public: draft.public,
  };
}

function conflictOf(draft: FiniArticle, original: FiniArticle | null): DraftToPublish['conflict'] {
  if (draft.originalArticleId === null) return null;
  if (original === null) return 'original_gone';
  const { originalArticleVersion: before } = draft;
  const isNewer = before !== null && original.version !== null && original.version > before;
  return isNewer ? 'original_changed' : null;
}
