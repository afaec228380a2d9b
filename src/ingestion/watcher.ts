import { setMaxListeners } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FiniClient } from '../fini/client.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import type { NewestChanges } from './newest-changes.ts';
import { forEachAtOnce, withResolvers } from './promises.ts';

/** Up to this many sources are read one by one; more are watched through pages of the list. */
const FEW_SOURCES = 2;
/** How many sources that the list did not show are read by ID per round. */
const MISSING_PER_ROUND = 50;
/** After this many rounds without news, one source in `SILENT_PART` is read by ID. */
const SILENT_ROUNDS = 3;
const SILENT_PART = 100;
/** A source is gone after this many rounds in a row did not find it: new ones may be late. */
const NOT_FOUND_ROUNDS = 3;
/** The longest pause, in polling intervals. */
const LONGEST_PAUSE = 10;
const INTERVAL_GROWTH = 1.25;

/** What one wait watches. */
export interface Watch {
  /** Source IDs to watch until each is settled or gone. */
  readonly ids: Iterable<string>;
  /** The oldest change that may matter, in milliseconds since 1970; without it, any. */
  readonly since?: number;
  /** Takes a record's news; the answer is whether the source needs no more watching. */
  readonly isSettled: (document: FiniDocument) => boolean;
  /** Called when the source no longer exists in Fini. */
  readonly onGone: (id: string) => void;
  /** Called after each round, with the reason why Fini did not answer, or null. */
  readonly onRound: (trouble: FiniError | null) => void;
  /** Ends the watch at once. */
  readonly signal: AbortSignal;
}

interface ActiveWatch extends Watch {
  readonly pending: Set<string>;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** What is remembered of a source between rounds. */
interface Sighting {
  fingerprint: string;
  round: number;
  roundsNotFound: number;
}

/**
 * Watches sources of one workspace for any number of waits at once, with one stream of requests:
 * each round reads the list from its top down to what the round before has read, so requests grow
 * with what changes and not with how many are watched. Nothing runs while nobody waits.
 */
export class Watcher {
  readonly #fini: FiniClient;
  readonly #changes: NewestChanges;
  readonly #pollIntervalMs: number;
  readonly #watches = new Set<ActiveWatch>();
  readonly #sightings = new Map<string, Sighting>();
  /** Every change before this has been read, in milliseconds since 1970. */
  #readUpTo = Number.POSITIVE_INFINITY;
  #round = 0;
  #silentRounds = 0;
  /** Pages that the latest round read. */
  #pages = 0;
  #running = new AbortController();
  #wake = new AbortController();
  /** When the latest round ended, or the first wait began, by `performance.now()`. */
  #restingSince = 0;
  /** When the next round is due, by `performance.now()`. */
  #nextRoundAt = Number.POSITIVE_INFINITY;
  /** The pause between rounds, in milliseconds: it grows while nothing changes. */
  #interval: number;

  /** @param pollIntervalMs The shortest pause between rounds; the longest is ten times that. */
  constructor(fini: FiniClient, changes: NewestChanges, pollIntervalMs: number) {
    this.#fini = fini;
    this.#changes = changes;
    this.#pollIntervalMs = pollIntervalMs;
    this.#interval = pollIntervalMs;
  }

  /**
   * Resolves once every source is settled or gone.
   *
   * @throws {FiniError} once the key is refused (401, 403), and the signal's reason when aborted.
   */
  async watch(watch: Watch): Promise<void> {
    watch.signal.throwIfAborted();
    const pending = new Set(watch.ids);
    if (pending.size === 0) return;
    const { promise, resolve, reject } = withResolvers();
    const active: ActiveWatch = { ...watch, pending, resolve, reject };
    const abort = () => reject(watch.signal.reason);
    watch.signal.addEventListener('abort', abort, { once: true });
    const idle = this.#watches.size === 0;
    this.#watches.add(active);
    this.#readUpTo = Math.min(this.#readUpTo, watch.since ?? Number.POSITIVE_INFINITY);
    // What was queued a moment ago is still running; what was queued before may have ended.
    this.#interval = this.#pollIntervalMs;
    if (idle) this.#restingSince = performance.now();
    const due = this.#dueFor(watch);
    // Before the first round, a watch that joins may delay it: it then has more to read.
    const mayWait = this.#round === 0 && this.#nextRoundAt > performance.now();
    this.#nextRoundAt = mayWait ? due : Math.min(this.#nextRoundAt, due);
    this.#wake.abort();
    if (idle) {
      this.#running = new AbortController();
      // Several requests and a pause listen to it at once, by design.
      setMaxListeners(0, this.#running.signal);
      void this.#run(this.#running.signal);
    }
    try {
      await promise;
    } finally {
      watch.signal.removeEventListener('abort', abort);
      this.#watches.delete(active);
      if (this.#watches.size === 0) {
        this.#running.abort();
        this.#sightings.clear();
        this.#round = 0;
        this.#readUpTo = Number.POSITIVE_INFINITY;
        this.#nextRoundAt = Number.POSITIVE_INFINITY;
      }
    }
  }

  /** Rounds with pauses between them, until nobody waits. */
  async #run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await this.#pause(signal);
      if (signal.aborted) return;
      // A watch that starts during the round sets this again.
      this.#nextRoundAt = Number.POSITIVE_INFINITY;
      let trouble: FiniError | null = null;
      let changed = false;
      try {
        changed = await this.#pollOnce(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof FiniError) || error.isDenied) {
          const ended = [...this.#watches];
          this.#watches.clear();
          for (const watch of ended) watch.reject(error);
          return;
        }
        trouble = error;
      }
      for (const watch of [...this.#watches]) {
        watch.onRound(trouble);
        if (watch.pending.size === 0) watch.resolve();
      }
      this.#interval = changed ? this.#pollIntervalMs : this.#interval * INTERVAL_GROWTH;
      const pause = this.#pauseAfter(this.#pages) * (0.9 + Math.random() * 0.2);
      const asked = (trouble?.retryAfterSeconds ?? 0) * 1000;
      const at = performance.now() + Math.max(pause, asked);
      this.#nextRoundAt = Math.min(this.#nextRoundAt, at);
      this.#restingSince = performance.now();
    }
  }

  /** When a round is due for a watch that begins now. */
  #dueFor({ since }: Watch): number {
    const now = performance.now();
    // What was queued before may have ended; what was queued a moment ago has not.
    if (since === undefined) return now;
    const pause = this.#pauseAfter(this.#changes.pagesFor(this.#pendingIds().size));
    return Math.max(now + this.#pollIntervalMs, this.#restingSince + pause);
  }

  /**
   * A round of many pages is followed by a pause as many times as long, so that there is about one
   * request an interval however much changes.
   */
  #pauseAfter(pages: number): number {
    return Math.min(this.#interval * Math.max(pages, 1), this.#pollIntervalMs * LONGEST_PAUSE);
  }

  /** Sleeps until the next round is due, however often that is moved. */
  async #pause(signal: AbortSignal): Promise<void> {
    for (;;) {
      const left = this.#nextRoundAt - performance.now();
      if (left <= 0 || signal.aborted) return;
      this.#wake = new AbortController();
      const wake = AbortSignal.any([signal, this.#wake.signal]);
      await sleep(left, undefined, { signal: wake }).catch(() => undefined);
    }
  }

  /** One round. The answer is whether anything watched has changed. */
  async #pollOnce(signal: AbortSignal): Promise<boolean> {
    this.#round += 1;
    this.#pages = 0;
    const pending = this.#pendingIds();
    if (pending.size <= FEW_SOURCES) return this.#readById([...pending], signal);
    let changed = await this.#readList(pending, signal);
    const waiting = [...this.#pendingIds()];
    const unseen = waiting.filter((id) => !this.#sightings.has(id)).slice(0, MISSING_PER_ROUND);
    if (unseen.length > 0) changed = (await this.#readById(unseen, signal)) || changed;
    this.#silentRounds = changed ? 0 : this.#silentRounds + 1;
    if (this.#silentRounds < SILENT_ROUNDS) return changed;
    return this.#readById(this.#longestSilent(waiting), signal);
  }

  #pendingIds(): Set<string> {
    const ids = new Set<string>();
    for (const watch of this.#watches) for (const id of watch.pending) ids.add(id);
    return ids;
  }

  /** The list may hide a change (an odd order, a lost cursor), so silence is looked into. */
  #longestSilent(ids: readonly string[]): string[] {
    const roundOf = (id: string) => this.#sightings.get(id)?.round ?? 0;
    return ids
      .toSorted((a, b) => roundOf(a) - roundOf(b))
      .slice(0, Math.ceil(ids.length / SILENT_PART));
  }

  /** Reads the list from its top down to what has been read, or as long as it shows unseen ones. */
  async #readList(pending: ReadonlySet<string>, signal: AbortSignal): Promise<boolean> {
    const readUpTo = this.#readUpTo;
    const unseen = new Set([...pending].filter((id) => !this.#sightings.has(id)));
    const maximumPages = 10 + this.#changes.pagesFor(4 * pending.size);
    let newest = Number.NEGATIVE_INFINITY;
    let changed = false;
    for await (const page of this.#changes.pages(signal)) {
      newest = Math.max(newest, page.newestChange);
      let foundUnseen = false;
      for (const document of page.documents) {
        if (!pending.has(document.id)) continue;
        foundUnseen = unseen.delete(document.id) || foundUnseen;
        changed = this.#deliver(document) || changed;
      }
      this.#pages += 1;
      if (this.#pages >= maximumPages) break;
      if (page.oldestChange < readUpTo && !(foundUnseen && unseen.size > 0)) break;
    }
    // A watch that began meanwhile may have asked for older changes: those are still to be read.
    if (Number.isFinite(newest) && this.#readUpTo === readUpTo) this.#readUpTo = newest;
    return changed;
  }

  async #readById(ids: readonly string[], signal: AbortSignal): Promise<boolean> {
    let changed = false;
    await forEachAtOnce(ids, async (id) => {
      try {
        changed = this.#deliver(await this.#fini.getSource(id, { signal })) || changed;
      } catch (error) {
        if (!(error instanceof FiniError) || error.status !== 404) throw error;
        this.#deliverNotFound(id);
      }
    });
    return changed;
  }

  /** Passes a record to every watch that waits for it. The answer is whether it has changed since the last. */
  #deliver(document: FiniDocument): boolean {
    const { id, linkedJobStatus, linkedJobId, updatedAt, success } = document;
    const fingerprint = JSON.stringify([linkedJobStatus, linkedJobId, updatedAt, success]);
    const changed = this.#sightings.get(id)?.fingerprint !== fingerprint;
    this.#sightings.set(id, { fingerprint, round: this.#round, roundsNotFound: 0 });
    for (const watch of this.#watches) {
      if (watch.pending.has(id) && watch.isSettled(document)) watch.pending.delete(id);
    }
    return changed;
  }

  #deliverNotFound(id: string): void {
    const sighting = this.#sightings.get(id) ?? { fingerprint: '', round: 0, roundsNotFound: 0 };
    sighting.round = this.#round;
    sighting.roundsNotFound += 1;
    this.#sightings.set(id, sighting);
    if (sighting.roundsNotFound < NOT_FOUND_ROUNDS) return;
    for (const watch of this.#watches) {
      if (watch.pending.delete(id)) watch.onGone(id);
    }
  }
}
