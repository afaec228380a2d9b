import { setTimeout as sleep } from 'node:timers/promises';
import type { Call, CallOptions } from '../fini/call-options.ts';
import type { FiniClient } from '../fini/client.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import { recordsById } from './freshness.ts';
import { LARGE_PAGE, pagesOf } from './pages.ts';
import { PollInterval } from './polling.ts';
import { forEachAtOnce } from './promises.ts';
import { SharedRun } from './shared-run.ts';

/** Up to this many sources are read one by one; more are watched through pages of the list. */
const FEW_SOURCES = 2;
/** How many sources that the list cannot show are read by ID a round. */
const READ_BY_ID = 25;
/** After this many rounds without news for a wait, one in `SILENT_PART` of its sources is read by ID. */
const SILENT_ROUNDS = 3;
const SILENT_PART = 100;
/** A source is gone after this many rounds in a row did not find it: new ones may be late. */
const NOT_FOUND_ROUNDS = 3;
/** How many of the records that polls have read are kept for waits that begin later. */
const KEPT_RECORDS = 2_000;

/** What one wait watches. */
export interface Watch {
  /** Source IDs to watch until each is settled or gone. */
  readonly ids: Iterable<string>;
  /** The oldest change that may matter, in milliseconds since 1970; without it, any. */
  readonly since?: number;
  /** All of it was queued a moment ago, so nothing can have ended yet. */
  readonly isNew: boolean;
  /** Takes a record's news; the answer is whether the source needs no more watching. */
  readonly isSettled: (document: FiniDocument) => boolean;
  /** Called when the source no longer exists in Fini. */
  readonly onGone: (id: string) => void;
  /** Called after each round, with the reason why Fini did not answer, or null. */
  readonly onRound: (trouble: FiniError | null) => void;
  /** Told when the next round has to wait because of Fini's limit. */
  readonly onPause: CallOptions['onPause'];
  /** Ends the watch at once. */
  readonly signal: AbortSignal;
}

interface ActiveWatch extends Watch {
  readonly pending: Set<string>;
  /** Aborted once nothing is pending, or with the error that ends this watch alone. */
  readonly ended: AbortController;
  /** When the next round is due, by `performance.now()`. */
  dueAt: number;
  readonly interval: PollInterval;
  /** Rounds in a row that brought no news. */
  silentRounds: number;
  hasNews: boolean;
  /** Every change since the watch's oldest one has been read, so what the list did not show has not changed. */
  isCovered: boolean;
}

/** What is remembered of a source between rounds. */
interface Sighting {
  fingerprint: string;
  round: number;
  roundsNotFound: number;
}

/**
 * What changes in one workspace, for every wait at once. The list is ordered by change, so each poll
 * reads it from its top down to what the poll before has read: requests grow with what changes, never
 * with how many sources or waits there are. Nothing runs while nobody waits.
 */
export class Changes {
  readonly #fini: FiniClient;
  readonly #pollIntervalMs: number;
  readonly #polls: SharedRun<void>;
  readonly #watches = new Set<ActiveWatch>();
  readonly #sightings = new Map<string, Sighting>();
  /** Every change before this has been read, in milliseconds since 1970. */
  #readUpTo = Number.POSITIVE_INFINITY;
  /** The newest change that the latest poll of the list has read, in the same way. */
  #newestRead = Number.POSITIVE_INFINITY;
  /** The newest records as polls have read them, without their text: every one that changed since `#keptSince`. */
  readonly #kept = new Map<string, FiniDocument>();
  #keptSince = Number.POSITIVE_INFINITY;
  #round = 0;
  /** Pages that the latest poll read: a poll of many is followed by a pause as many times as long. */
  #pages = 0;
  /** Until when Fini asked for patience, by `performance.now()`. */
  #patientUntil = Number.NEGATIVE_INFINITY;

  /** @param pollIntervalMs The shortest pause between polls; the longest is ten times that. */
  constructor(fini: FiniClient, pollIntervalMs: number) {
    this.#fini = fini;
    this.#pollIntervalMs = pollIntervalMs;
    this.#polls = new SharedRun((options) => this.#poll({ ...options, priority: 'poll' }));
  }

  /**
   * Resolves once every source is settled or gone.
   *
   * @throws {FiniError} once the key is refused (401, 403), and the signal's reason when aborted.
   */
  async watch(watch: Watch): Promise<void> {
    const { signal, since } = watch;
    signal.throwIfAborted();
    const startedAt = performance.now();
    const active: ActiveWatch = {
      ...watch,
      pending: new Set(watch.ids),
      ended: new AbortController(),
      dueAt: startedAt,
      interval: new PollInterval(this.#pollIntervalMs),
      silentRounds: 0,
      hasNews: false,
      isCovered: false,
    };
    const { pending } = active;
    if (pending.size === 0) return;
    this.#watches.add(active);
    // What another wait has seen was not told to this one.
    for (const id of pending) this.#sightings.delete(id);
    if (watch.isNew) active.dueAt += active.interval.pauseMs(pending.size / LARGE_PAGE);
    if (since !== undefined) {
      active.isCovered = covers(this.#keptSince, since);
      if (!active.isCovered) this.#readUpTo = Math.min(this.#readUpTo, since);
      for (const id of active.isCovered ? [...pending] : []) {
        const document = this.#kept.get(id);
        if (document !== undefined) this.#deliver(document);
      }
    }
    const ended = active.ended.signal;
    const until = AbortSignal.any([signal, ended]);
    try {
      while (!ended.aborted) {
        const left = Math.max(active.dueAt, this.#patientUntil) - performance.now();
        if (left > 0) {
          // Meanwhile another wait may poll, which is as good: the poll says when the next is due.
          await sleep(left, undefined, { signal: until }).catch(() => undefined);
          signal.throwIfAborted();
        } else {
          await this.#polls.join({ signal: until, onPause: watch.onPause }, startedAt);
        }
      }
    } catch (error) {
      // The rest of a round is for others.
      if (!ended.aborted || signal.aborted) throw error;
    } finally {
      this.#watches.delete(active);
      this.#forget();
    }
    if (pending.size > 0) throw ended.reason;
    // It may have ended in the middle of a round, whose end it does not wait for.
    watch.onRound(null);
  }

  /** One round for all who wait. Its end says when each of them is due for the next. */
  async #poll(options: Call): Promise<void> {
    const watches = [...this.#watches];
    this.#round += 1;
    this.#pages = 0;
    let trouble: FiniError | null = null;
    try {
      await this.#readNews(watches, options);
    } catch (error) {
      if (!(error instanceof FiniError) || error.isDenied || options.signal.aborted) throw error;
      trouble = error;
    }
    const now = performance.now();
    const seconds = trouble?.retryAfterSeconds ?? 0;
    this.#patientUntil = now + seconds * 1000;
    if (trouble?.failure === 'not_sent' && seconds > 0) {
      // Fini is well: it is the limit on requests that keeps this one waiting.
      for (const { onPause } of watches) onPause?.({ reason: 'limit', seconds });
      trouble = null;
    }
    for (const watch of watches) {
      watch.interval.note(watch.hasNews);
      watch.silentRounds = watch.hasNews ? 0 : watch.silentRounds + 1;
      watch.hasNews = false;
      watch.dueAt = now + watch.interval.pauseMs(this.#pages);
      if (this.#watches.has(watch)) watch.onRound(trouble);
    }
  }

  async #readNews(watches: readonly ActiveWatch[], options: CallOptions): Promise<void> {
    const pending = pendingOf(watches);
    if (pending.size <= FEW_SOURCES) return this.#readById([...pending], options);
    await this.#readList(watches, pending, options);
    await this.#readById(this.#hidden(watches), options);
  }

  /** Reads the list from its top down to what has been read, or as long as it shows unseen ones. */
  async #readList(
    watches: readonly ActiveWatch[],
    pending: ReadonlySet<string>,
    options: CallOptions,
  ): Promise<void> {
    const readUpTo = this.#readUpTo;
    const unseen = new Set([...pending].filter((id) => !this.#sightings.has(id)));
    const read: FiniDocument[] = [];
    let newest = Number.NEGATIVE_INFINITY;
    let coveredSince = Number.POSITIVE_INFINITY;
    for await (const page of pagesOf(this.#fini, options)) {
      read.push(...page.documents);
      newest = Math.max(newest, page.newestChange);
      coveredSince = page.hasMore ? page.oldestChange : Number.NEGATIVE_INFINITY;
      let foundUnseen = false;
      for (const document of page.documents) {
        if (!pending.has(document.id)) continue;
        foundUnseen = unseen.delete(document.id) || foundUnseen;
        this.#deliver(document);
      }
      this.#pages += 1;
      if (this.#pages >= 10 + Math.ceil((4 * pending.size) / page.limit)) break;
      if (page.oldestChange < readUpTo && !(foundUnseen && unseen.size > 0)) break;
    }
    // Once nobody waits any more, nothing is to be remembered.
    options.signal?.throwIfAborted();
    if (coveredSince >= this.#newestRead) this.#doubtSightings(watches, read);
    this.#keep(read, coveredSince, coveredSince < readUpTo);
    for (const watch of watches) {
      if (watch.since !== undefined) watch.isCovered ||= covers(coveredSince, watch.since);
    }
    // A watch that began meanwhile may have asked for older changes: those are still to be read.
    if (!Number.isFinite(newest)) return;
    this.#newestRead = newest;
    if (this.#readUpTo === readUpTo) this.#readUpTo = newest;
  }

  /** Changes between two polls went unread: what the second did not show may be among them. */
  #doubtSightings(watches: readonly ActiveWatch[], read: readonly FiniDocument[]): void {
    const shown = new Set(read.map(({ id }) => id));
    for (const [id, { roundsNotFound }] of this.#sightings) {
      if (roundsNotFound === 0 && !shown.has(id)) this.#sightings.delete(id);
    }
    for (const watch of watches) watch.isCovered = false;
  }

  /** Keeps what a poll has read, behind what was kept if the poll has read down to that. */
  #keep(documents: readonly FiniDocument[], since: number, isContinued: boolean): void {
    if (!isContinued || this.#kept.size > KEPT_RECORDS) {
      this.#kept.clear();
      this.#keptSince = Number.POSITIVE_INFINITY;
    }
    for (const [id, document] of recordsById(documents)) this.#kept.set(id, document);
    this.#keptSince = Math.min(this.#keptSince, since);
  }

  /**
   * What only its ID may tell of: sources that the list was not read far enough to show, those that
   * were not found a moment ago, and the longest silent ones, since the list may hide a change (an
   * odd order, a lost cursor).
   */
  #hidden(watches: readonly ActiveWatch[]): string[] {
    const first = this.#round % watches.length;
    const lists = [...watches.slice(first), ...watches.slice(0, first)].map((watch) =>
      this.#hiddenOf(watch),
    );
    const longest = Math.max(...lists.map(({ length }) => length));
    const hidden = new Set<string>();
    // By turns, so that a wait for many holds up none for few.
    for (let turn = 0; turn < longest && hidden.size < READ_BY_ID; turn += 1) {
      for (const list of lists) for (const id of list.slice(turn, turn + 1)) hidden.add(id);
    }
    return [...hidden].slice(0, READ_BY_ID);
  }

  #hiddenOf({ pending, isCovered, silentRounds }: ActiveWatch): string[] {
    const ids = [...pending];
    const unseen = isCovered ? [] : ids.filter((id) => !this.#sightings.has(id));
    const notFound = ids.filter((id) => this.#sightings.get(id)?.roundsNotFound);
    const hidden = [...unseen.slice(0, READ_BY_ID), ...notFound];
    if (silentRounds < SILENT_ROUNDS) return hidden;
    const roundOf = (id: string) => this.#sightings.get(id)?.round ?? 0;
    const silent = ids.toSorted((one, other) => roundOf(one) - roundOf(other));
    return [...hidden, ...silent.slice(0, Math.ceil(ids.length / SILENT_PART))];
  }

  async #readById(ids: readonly string[], options: CallOptions): Promise<void> {
    await forEachAtOnce(ids, async (id) => {
      try {
        this.#deliver(await this.#fini.getSource(id, options));
      } catch (error) {
        if (!(error instanceof FiniError)) throw error;
        if (error.status === 404) this.#deliverNotFound(id);
        else if (error.status === 403) this.#deliverDenied(id, error);
        else throw error;
      }
    });
  }

  /** The ID may be another workspace's, which concerns nobody else who waits. */
  #deliverDenied(id: string, error: FiniError): void {
    for (const { pending, ended } of this.#watches) if (pending.has(id)) ended.abort(error);
  }

  /** Passes a record to every watch that waits for it. */
  #deliver(document: FiniDocument): void {
    const { id, linkedJobStatus, linkedJobId, updatedAt, success } = document;
    const fingerprint = JSON.stringify([linkedJobStatus, linkedJobId, updatedAt, success]);
    const isNews = this.#sightings.get(id)?.fingerprint !== fingerprint;
    this.#sightings.set(id, { fingerprint, round: this.#round, roundsNotFound: 0 });
    for (const watch of this.#watches) {
      if (!watch.pending.has(id)) continue;
      watch.hasNews ||= isNews;
      if (watch.isSettled(document)) this.#settle(watch, id);
    }
  }

  #deliverNotFound(id: string): void {
    const sighting = this.#sightings.get(id) ?? { fingerprint: '', round: 0, roundsNotFound: 0 };
    sighting.round = this.#round;
    sighting.roundsNotFound += 1;
    this.#sightings.set(id, sighting);
    if (sighting.roundsNotFound < NOT_FOUND_ROUNDS) return;
    for (const watch of this.#watches) {
      if (!watch.pending.has(id)) continue;
      watch.onGone(id);
      this.#settle(watch, id);
    }
  }

  #settle({ pending, ended }: ActiveWatch, id: string): void {
    pending.delete(id);
    if (pending.size === 0) ended.abort();
  }

  /** Forgets the sources that nobody waits for any more. */
  #forget(): void {
    const pending = pendingOf(this.#watches);
    for (const id of this.#sightings.keys()) if (!pending.has(id)) this.#sightings.delete(id);
    if (this.#watches.size > 0) return;
    this.#kept.clear();
    this.#keptSince = Number.POSITIVE_INFINITY;
    this.#readUpTo = Number.POSITIVE_INFINITY;
    this.#newestRead = Number.POSITIVE_INFINITY;
    this.#patientUntil = Number.NEGATIVE_INFINITY;
  }
}

/** Whether records that were read down to a change hold every one since another; -Infinity: all were. */
function covers(readDownTo: number, since: number): boolean {
  return readDownTo < since || readDownTo === Number.NEGATIVE_INFINITY;
}

function pendingOf(watches: Iterable<ActiveWatch>): Set<string> {
  const ids = new Set<string>();
  for (const { pending } of watches) for (const id of pending) ids.add(id);
  return ids;
}
