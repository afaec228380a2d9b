import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import { forEachAtOnce } from './concurrency.ts';
import { sourcePages } from './list.ts';
import { type ActiveWatch, Poller, pendingOf } from './poller.ts';

/** Up to this many sources are read one by one; more are watched through pages of the list. */
const FEW_SOURCES = 2;
/** Maximum number of sources that one round reads by ID, because the list cannot show them. */
const READ_BY_ID = 25;
/** After this many rounds without news for a wait, one in `SILENT_PART` of its sources is read by ID. */
const SILENT_ROUNDS = 3;
const SILENT_PART = 100;
/** A source is gone after this many rounds in a row without it; a new source may appear late. */
const NOT_FOUND_ROUNDS = 3;

type SourceWatch = ActiveWatch<FiniDocument>;

/** The last known state of a source. */
interface Sighting {
  /** Null before its record has been read. */
  readonly fingerprint: string | null;
  readonly round: number;
  readonly roundsNotFound: number;
}

/**
 * Reads what changes in one workspace, for every wait at once. The list is ordered by change, so each
 * round reads it from its top down to what the round before has read: requests grow with what
 * changes, never with how many sources or waits there are.
 */
export class Changes extends Poller<FiniDocument> {
  readonly #fini: FiniClient;
  /** Awaited sources by ID. A source without a sighting may have changed unseen. */
  readonly #sightings = new Map<string, Sighting>();
  /** Every change before this has been read, in milliseconds since 1970; null if none has. */
  #readUpTo: number | null = null;
  /** The oldest change that matters to watches that began since the latest round did, or null. */
  #newWatchesSince: number | null = null;
  /** The newest change that the latest round has read, or null. */
  #newestRead: number | null = null;
  #round = 0;

  /** @param pollIntervalMs The shortest pause between rounds. */
  constructor(fini: FiniClient, pollIntervalMs: number) {
    super(pollIntervalMs);
    this.#fini = fini;
  }

  protected override begin({ pending, since }: SourceWatch): void {
    // Records that were delivered to other waits were not delivered to this one.
    for (const id of pending) this.#sightings.delete(id);
    this.#newWatchesSince = earlier(this.#newWatchesSince, since);
  }

  protected override forget(pending: ReadonlySet<string>): void {
    for (const id of this.#sightings.keys()) if (!pending.has(id)) this.#sightings.delete(id);
    if (pending.size > 0) return;
    this.#readUpTo = null;
    this.#newWatchesSince = null;
    this.#newestRead = null;
  }

  protected override async askFor(
    watches: readonly SourceWatch[],
    deadline: Partial<Deadline>,
  ): Promise<number> {
    this.#round += 1;
    const pending = pendingOf(watches);
    if (pending.size <= FEW_SOURCES) {
      await this.#readById([...pending], watches, deadline);
      return 1;
    }
    const pages = await this.#readList(watches, pending, deadline);
    await this.#readById(this.#hidden(watches), watches, deadline);
    return pages;
  }

  /** Reads the list down to what the last round has read, or as long as it shows unseen sources. */
  async #readList(
    watches: readonly SourceWatch[],
    pending: ReadonlySet<string>,
    deadline: Partial<Deadline>,
  ): Promise<number> {
    const readUpTo = earlier(this.#readUpTo, this.#newWatchesSince);
    this.#newWatchesSince = null;
    const unseen = new Set([...pending].filter((id) => !this.#sightings.has(id)));
    const shown = new Set<string>();
    let newest: number | null = null;
    /** The oldest change read so far, in milliseconds since 1970; null if unknown. */
    let oldest: number | null = null;
    let isWhole = false;
    let pages = 0;
    for await (const page of sourcePages(this.#fini, deadline)) {
      pages += 1;
      newest ??= page.newestChange;
      oldest = page.oldestChange ?? oldest;
      isWhole = !page.hasMore;
      let hasFoundUnseen = false;
      for (const document of page.documents) {
        shown.add(document.id);
        if (!pending.has(document.id)) continue;
        hasFoundUnseen = unseen.delete(document.id) || hasFoundUnseen;
        await this.#see(document, watches);
      }
      if (pages >= 10 + Math.ceil((4 * pending.size) / page.limit)) break;
      const isRead = readUpTo === null || (oldest !== null && oldest < readUpTo);
      if (isRead && !(hasFoundUnseen && unseen.size > 0)) break;
    }
    // Once no one waits any more, nothing must be remembered.
    deadline.signal?.throwIfAborted();
    const reaches = (time: number | null) =>
      isWhole || (time !== null && oldest !== null && oldest < time);
    if (this.#newestRead !== null && !reaches(this.#newestRead)) this.#doubtSightings(shown);
    else this.#noteUnchanged(watches, reaches);
    this.#newestRead = newest ?? this.#newestRead;
    this.#readUpTo = newest ?? this.#readUpTo;
    return pages;
  }

  /** Drops sightings of sources that this round did not show, since it has missed some changes. */
  #doubtSightings(shown: ReadonlySet<string>): void {
    for (const [id, { roundsNotFound }] of this.#sightings) {
      if (roundsNotFound === 0 && !shown.has(id)) this.#sightings.delete(id);
    }
  }

  /** Notes sources that have not changed: the list, read back to the wait's start, does not show them. */
  #noteUnchanged(watches: readonly SourceWatch[], reaches: (time: number | null) => boolean): void {
    for (const { pending, since } of watches) {
      if (since === null || !reaches(since)) continue;
      for (const id of pending) {
        if (this.#sightings.has(id)) continue;
        this.#sightings.set(id, { fingerprint: null, round: this.#round, roundsNotFound: 0 });
      }
    }
  }

  /**
   * Sources that must be read by ID: those beyond the part of the list that was read, those not found a
   * moment ago, and the longest silent ones, since the list may hide a change (an odd order, a lost
   * cursor).
   */
  #hidden(watches: readonly SourceWatch[]): string[] {
    const first = this.#round % watches.length;
    const lists = [...watches.slice(first), ...watches.slice(0, first)].map((watch) =>
      this.#hiddenOf(watch),
    );
    const longest = Math.max(...lists.map(({ length }) => length));
    const hidden = new Set<string>();
    // The waits take turns, so that a wait for many sources does not hold up a wait for few.
    for (let turn = 0; turn < longest && hidden.size < READ_BY_ID; turn += 1) {
      for (const list of lists) for (const id of list.slice(turn, turn + 1)) hidden.add(id);
    }
    return [...hidden].slice(0, READ_BY_ID);
  }

  #hiddenOf({ pending, silentRounds }: SourceWatch): string[] {
    const ids = [...pending];
    const unseen = ids.filter((id) => !this.#sightings.has(id));
    const notFound = ids.filter((id) => this.#sightings.get(id)?.roundsNotFound);
    const hidden = [...unseen.slice(0, READ_BY_ID), ...notFound];
    if (silentRounds < SILENT_ROUNDS) return hidden;
    const roundOf = (id: string) => this.#sightings.get(id)?.round ?? 0;
    const silent = ids.toSorted((one, other) => roundOf(one) - roundOf(other));
    return [...hidden, ...silent.slice(0, Math.ceil(ids.length / SILENT_PART))];
  }

  async #readById(
    ids: readonly string[],
    watches: readonly SourceWatch[],
    deadline: Partial<Deadline>,
  ): Promise<void> {
    await forEachAtOnce(ids, async (id) => {
      try {
        await this.#see(await this.#fini.getSource(id, deadline), watches);
      } catch (error) {
        if (!(error instanceof FiniError)) throw error;
        if (error.status === 404) this.#miss(id, watches);
        // The ID may be another workspace's, which concerns no other wait.
        else if (error.status === 403) {
          for (const { pending, fail } of watches) if (pending.has(id)) fail(error);
        } else throw error;
      }
    });
  }

  async #see(document: FiniDocument, watches: readonly SourceWatch[]): Promise<void> {
    const { id, linkedJobStatus, linkedJobId, updatedAt, success } = document;
    const fingerprint = JSON.stringify([linkedJobStatus, linkedJobId, updatedAt, success]);
    const isNews = this.#sightings.get(id)?.fingerprint !== fingerprint;
    this.#sightings.set(id, { fingerprint, round: this.#round, roundsNotFound: 0 });
    await this.deliver(watches, id, document, isNews);
  }

  #miss(id: string, watches: readonly SourceWatch[]): void {
    const { fingerprint = null, roundsNotFound = 0 } = this.#sightings.get(id) ?? {};
    const missed = { fingerprint, round: this.#round, roundsNotFound: roundsNotFound + 1 };
    this.#sightings.set(id, missed);
    if (missed.roundsNotFound >= NOT_FOUND_ROUNDS) this.deliverGone(watches, id);
  }
}

/** The earlier of two times; null counts as no time. */
function earlier(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}
