import type { ArticleToPublish, FiniClient } from '../fini/client.ts';
import { type Deadline, WaitEnded } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { FiniArticle } from '../fini/schemas.ts';
import { MemoryStore } from '../store/memory-store.ts';
import { type ArticleState, readStates } from './article-list.ts';
import { inputKey } from './identity.ts';
import { Memory } from './memory.ts';
import { mayBeCarriedOut, type RecentRequest } from './recent.ts';

/** Fields that must not be empty, or Fini refuses to publish the draft. */
export type RequiredField =
  | 'title'
  | 'mainKnowledge'
  | 'agentInstruction'
  | 'questions'
  | 'keywords'
  | 'parentFolderId';

/**
 * The reason that a draft is not published:
 * - `not_found`: Fini has no such article;
 * - `live`: it is not a draft;
 * - `published`: it was already published;
 * - `incomplete`: Fini would refuse it, because of `missing`;
 * - `sent`: a request without an answer may have published it;
 * - `same_original`: another draft of this call updates the same live article, and the later one would
 *   undo the earlier.
 */
export type Obstacle = 'not_found' | 'live' | 'published' | 'incomplete' | 'sent' | 'same_original';

/**
 * A reason why only a person can want a publication:
 * - `original_changed`, `original_gone`: it would undo what happened since the draft was made;
 * - `original_unclear`: it may, since the versions cannot be compared;
 * - `twin`: another draft of the same call has the same title and text, so the same article would be live
 *   twice.
 */
export type Conflict = 'original_changed' | 'original_gone' | 'original_unclear' | 'twin';

/** A draft to publish, in its state before. */
export interface DraftToPublish {
  readonly id: string;
  /** The draft; null if Fini has none. */
  readonly draft: FiniArticle | null;
  readonly obstacle: Obstacle | null;
  /** The empty fields, with the obstacle `incomplete`. */
  readonly missing: readonly RequiredField[];
  /** The article to send; null if there is an obstacle. */
  readonly article: ArticleToPublish | null;
  /** The live article that it would update; null also if Fini no longer has it. */
  readonly original: FiniArticle | null;
  /** Without them, it can be published unasked. */
  readonly conflicts: readonly Conflict[];
  /** The other drafts of the call with the same title and text. */
  readonly twins: readonly string[];
  /** False where no list tells whether it is a draft: Fini refuses to publish what is none. */
  readonly isKnownDraft: boolean;
  /** The ID of the live article that it became, with the obstacle `published`, if known. */
  readonly liveId: string | null;
}

/**
 * A draft after publishing: `published`; `refused` by Fini because of the draft itself; `doubtful`,
 * since there was no answer; or `not_sent`.
 */
export interface PublishedDraft {
  readonly id: string;
  readonly state: 'published' | 'refused' | 'doubtful' | 'not_sent';
  /** The ID of the live article, which may differ; null if unknown. */
  readonly liveId: string | null;
  /** The error that prevented it; null also if it was left because of the draft before it. */
  readonly error: FiniError | null;
}

/** Refusals that concern a single draft; after any other error the next draft would fail too. */
const OWN_REFUSALS: readonly number[] = [400, 404, 406, 409, 422];

/** An empty baseline: publishing is confirmed by its own answer, not by earlier records. */
const NOTHING_BEFORE = { newestChange: 0, records: new Map() };

/** Makes drafts of one workspace live. */
export class Publishing {
  readonly #fini: FiniClient;
  readonly #memory: Memory;

  /** @param memory Drafts that earlier calls of this workspace have published. */
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
    const { states } = await readStates(this.#fini, [...drafts.values()], call);
    const updated = [...drafts.values()].flatMap(
      ({ originalArticleId }) => originalArticleId?.toLowerCase() ?? [],
    );
    const originals =
      updated.length === 0 ? drafts : await this.#articles([...new Set(updated)], call);
    const published = await this.#memory.published.requestsFor(ids);
    const read = ids.map((id): DraftToPublish => {
      const draft = drafts.get(id) ?? null;
      const originalId = draft?.originalArticleId ?? null;
      const original =
        originalId === null ? null : (originals.get(originalId.toLowerCase()) ?? null);
      const sent = published.get(id);
      const missing = draft === null ? [] : missingFields(draft);
      const state = states.get(id) ?? 'unknown';
      const obstacle = obstacleOf(draft, state, sent, missing);
      const conflict = draft === null ? null : conflictOf(draft, original);
      return {
        id,
        draft,
        obstacle,
        missing,
        original,
        article: draft === null || obstacle !== null ? null : articleOf(draft),
        conflicts: conflict === null ? [] : [conflict],
        twins: [],
        isKnownDraft: state === 'draft',
        liveId: liveIdIn(sent, id) ?? (obstacle === 'published' ? originalId : null),
      };
    });
    const rest = read.map(
      (one): DraftToPublish =>
        hasRival(one, read) ? { ...one, obstacle: 'same_original', article: null } : one,
    );
    return rest.map((one) => {
      const twins = twinsOf(one, rest);
      return twins.length === 0 ? one : { ...one, twins, conflicts: [...one.conflicts, 'twin'] };
    });
  }

  /**
   * Publishes drafts one after another and accounts for each, whatever happens. After an error that is
   * not about a single draft, nothing more is sent.
   *
   * @throws the signal's reason when it is aborted.
   */
  async publish(drafts: readonly DraftToPublish[], call: Deadline): Promise<PublishedDraft[]> {
    const outcomes: PublishedDraft[] = [];
    let isOver = false;
    for (const { id, article, original } of drafts) {
      if (article === null || isOver) {
        outcomes.push({ id, state: 'not_sent', liveId: null, error: null });
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
      return { id, state: 'not_sent', liveId: null, error: stillPublishing() };
    }
  }

  async #publishReserved(
    id: string,
    article: ArticleToPublish,
    call: Deadline,
  ): Promise<PublishedDraft> {
    const { published } = this.#memory;
    const request = { batch: id, inputs: [id], baseline: NOTHING_BEFORE };
    const sent = (await published.requestsFor([id])).get(id);
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
        return { id, state: isOwn ? 'refused' : 'not_sent', liveId: null, error };
      }
      if (!(await this.#isPublished(id, call))) {
        return { id, state: 'doubtful', liveId: null, error };
      }
      await published.remember(request, liveIdsOf(id, null));
      return { id, state: 'published', liveId: null, error: null };
    }
  }

  /** True if a draft shows that it is published; false also if no one can tell. */
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
}

function stillPublishing(): FiniError {
  const message = 'Another call was still publishing the same draft.';
  return new FiniError(message, { operation: 'publish articles', failure: 'not_sent' });
}

/** The ID of the live article that a draft became, if its request knows it. */
function liveIdIn(sent: RecentRequest | undefined, draftId: string): string | null {
  return sent?.idOf[inputKey(draftId)] ?? null;
}

function liveIdsOf(draftId: string, liveId: string | null) {
  if (liveId === null) return { ids: [] };
  return { ids: [liveId], idOf: new Map([[draftId, liveId]]) };
}

function obstacleOf(
  draft: FiniArticle | null,
  state: ArticleState,
  sent: RecentRequest | undefined,
  missing: readonly RequiredField[],
): Obstacle | null {
  if (sent !== undefined && sent.ids !== null) return 'published';
  if (draft === null) return 'not_found';
  if (state === 'published_draft') return 'published';
  if (state === 'live') return 'live';
  if (sent !== undefined) return 'sent';
  return missing.length > 0 ? 'incomplete' : null;
}

/** True if another of these publishable drafts updates the same live article. */
function hasRival(one: DraftToPublish, all: readonly DraftToPublish[]): boolean {
  const originalOf = ({ draft, obstacle }: DraftToPublish) =>
    obstacle === null ? draft?.originalArticleId?.toLowerCase() : undefined;
  const original = originalOf(one);
  return (
    original !== undefined && all.some((other) => other !== one && originalOf(other) === original)
  );
}

/** The other drafts among these that could be published with the same title and text. */
function twinsOf(one: DraftToPublish, all: readonly DraftToPublish[]): string[] {
  const { article } = one;
  if (article === null) return [];
  const isSame = (text: string, other: string) => withoutSpacing(text) === withoutSpacing(other);
  return all.flatMap((other) => {
    const isTwin =
      other !== one &&
      other.article !== null &&
      isSame(other.article.title, article.title) &&
      isSame(other.article.mainKnowledge, article.mainKnowledge);
    return isTwin ? [other.id] : [];
  });
}

function withoutSpacing(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

/** The empty fields that Fini requires: without them it answers 400. */
function missingFields(draft: FiniArticle): RequiredField[] {
  const { title, mainKnowledge, agentInstruction, questions, keywords, parentFolderId } = draft;
  const empty: readonly [RequiredField, boolean][] = [
    ['title', !title?.trim()],
    ['mainKnowledge', !mainKnowledge?.trim()],
    // This field may be empty, but not missing.
    ['agentInstruction', agentInstruction === null],
    ['questions', questions.length === 0],
    ['keywords', keywords.length === 0],
    ['parentFolderId', parentFolderId === null],
  ];
  return empty.flatMap(([field, isEmpty]) => (isEmpty ? [field] : []));
}

/** The draft's own fields, in the form for publishing. */
function articleOf(draft: FiniArticle): ArticleToPublish {
  const { title, mainKnowledge, agentInstruction, parentFolderId } = draft;
  const { questions, keywords, escalation, active, origin } = draft;
  return {
    // A draft with a null here would be incomplete.
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

function conflictOf(draft: FiniArticle, original: FiniArticle | null): Conflict | null {
  if (draft.originalArticleId === null) return null;
  if (original === null) return 'original_gone';
  const { originalArticleVersion: before } = draft;
  if (before === null || original.version === null) return 'original_unclear';
  return original.version === before ? null : 'original_changed';
}
