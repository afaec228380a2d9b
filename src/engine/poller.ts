import { setMaxListeners } from 'node:events';
import { now } from '../clock.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';

/** The longest pause, in polling intervals. */
const LONGEST_PAUSE = 10;
const PAUSE_GROWTH = 1.25;

/** The jobs that one call waits for. */
export interface Watch<Job> {
  /** The IDs to watch, until each is settled or gone. */
  readonly ids: Iterable<string>;
  /** The oldest change that may matter, in milliseconds since 1970; null for any. */
  readonly since: number | null;
  /** True if all of it was queued a moment ago, so that nothing can have ended yet. */
  readonly isNew: boolean;
  /** Takes a job's news. Returns true if the job needs no more watching. */
  readonly take: (job: Job) => boolean | Promise<boolean>;
  /** Called when Fini no longer has a source or job. */
  readonly onGone: (id: string) => void;
  /** Called after each round, with the error that kept Fini from answering, or null. */
  readonly onRound: (trouble: FiniError | null) => void | Promise<void>;
}

/** A watch and its progress. */
export interface ActiveWatch<Job> extends Watch<Job> {
  readonly deadline: Deadline;
  /** The IDs that it still waits for. */
  readonly pending: Set<string>;
  readonly end: () => void;
  readonly fail: (reason: unknown) => void;
  hasNews: boolean;
  /** Number of rounds in a row that brought no news. */
  silentRounds: number;
}

/**
 * Polls Fini for everything that the calls of one workspace wait for: one round after another, each for
 * all calls at once. Nothing runs while no one waits.
 */
export abstract class Poller<Job> {
  readonly #shortestPauseMs: number;
  readonly #watches = new Set<ActiveWatch<Job>>();
  #pauseMs: number;
  #dueAt: number | null = null;
  /** No request is sent before this time, since Fini asked for a pause. */
  #patientUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #roundUnderWay: AbortController | undefined;

  /** @param pollIntervalMs The shortest pause between rounds; see {@link LONGEST_PAUSE}. */
  constructor(pollIntervalMs: number) {
    this.#shortestPauseMs = pollIntervalMs;
    this.#pauseMs = pollIntervalMs;
  }

  /** Notes that a watch begins. */
  protected begin(_watch: ActiveWatch<Job>): void {
    // A poller that asks about every job in each round has nothing to note.
  }
  /**
   * Asks for news of these watches and delivers it. Returns the number of pages it read, since the next
   * pause is as many times as long.
   */
  protected abstract askFor(
    watches: readonly ActiveWatch<Job>[],
    deadline: Partial<Deadline>,
  ): Promise<number>;
  /** Forgets everything that no one waits for any more. */
  protected forget(_pending: ReadonlySet<string>): void {
    // Such a poller has nothing to forget either.
  }

  /**
   * Resolves once every job is settled or gone, or the time is over.
   *
   * @throws {FiniError} once the key is refused (401, 403), and the signal's reason when aborted.
   */
  async watch(watch: Watch<Job>, deadline: Deadline): Promise<void> {
    deadline.signal.throwIfAborted();
    const pending = new Set(watch.ids);
    if (pending.size === 0) return;
    let end: () => void = () => undefined;
    let fail: (reason: unknown) => void = () => undefined;
    const ended = new Promise<void>((resolve, reject) => {
      end = resolve;
      fail = reject;
    });
    // The call may be over before its watch fails.
    ended.catch(() => undefined);
    const active = { ...watch, deadline, pending, end, fail, hasNews: false, silentRounds: 0 };
    this.#watches.add(active);
    this.begin(active);
    this.#begin(watch.isNew ? this.#jittered(this.#shortestPauseMs * (pending.size / 100)) : 0);
    try {
      await deadline.until(ended);
    } finally {
      this.#watches.delete(active);
      this.forget(pendingOf(this.#watches));
      if (this.#watches.size === 0) this.#sleep();
    }
    // Everything may have ended in the middle of a round, whose end the watch does not wait for.
    if (pending.size === 0) await watch.onRound(null);
  }

  /** Passes a job's news to the watches of a round that wait for it. */
  protected async deliver(
    watches: readonly ActiveWatch<Job>[],
    id: string,
    job: Job,
    isNews: boolean,
  ): Promise<void> {
    for (const watch of this.#waitingFor(id, watches)) {
      watch.hasNews ||= isNews;
      if (await watch.take(job)) settle(watch, id);
    }
  }

  /** Tells the watches of a round that a source or job no longer exists. */
  protected deliverGone(watches: readonly ActiveWatch<Job>[], id: string): void {
    for (const watch of this.#waitingFor(id, watches)) {
      watch.onGone(id);
      watch.hasNews = true;
      settle(watch, id);
    }
  }

  /** The watches that wait for an ID. A watch whose call is over gets no more news. */
  #waitingFor(id: string, watches: readonly ActiveWatch<Job>[]): ActiveWatch<Job>[] {
    return watches.filter((watch) => this.#watches.has(watch) && watch.pending.has(id));
  }

  /** Starts a new watch's first round after this pause, or with the next round if that is sooner. */
  #begin(pauseMs: number): void {
    this.#pauseMs = this.#shortestPauseMs;
    const dueAt = now() + pauseMs;
    this.#dueAt = Math.min(this.#dueAt ?? dueAt, dueAt);
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#roundUnderWay !== undefined || this.#dueAt === null) return;
    const milliseconds = Math.max(this.#dueAt, this.#patientUntil) - now();
    this.#timer = setTimeout(() => void this.#round(), Math.max(0, milliseconds));
  }

  /** Ends the round in progress at once, since no one needs its answers. */
  #sleep(): void {
    clearTimeout(this.#timer);
    this.#roundUnderWay?.abort();
    this.#roundUnderWay = undefined;
    this.#dueAt = null;
    this.#patientUntil = 0;
  }

  /** Runs one round for all current watches. It never throws: each watch gets the error. */
  async #round(): Promise<void> {
    const round = new AbortController();
    // Several requests listen to it at once, by design.
    setMaxListeners(0, round.signal);
    this.#roundUnderWay = round;
    this.#dueAt = null;
    const watches = [...this.#watches];
    let pages = 1;
    let trouble: FiniError | null = null;
    try {
      pages = await this.askFor(watches, {
        signal: round.signal,
        priority: 'poll',
        onPause: (pause) => {
          for (const { deadline } of watches) deadline.onPause?.(pause);
        },
      });
    } catch (error) {
      if (round.signal.aborted) return;
      if (error instanceof FiniError && !error.isDenied) trouble = error;
      else for (const { fail } of watches) fail(error);
    }
    if (round.signal.aborted) return;
    const seconds = trouble?.retryAfterSeconds ?? 0;
    this.#patientUntil = now() + seconds * 1000;
    if (trouble?.failure === 'not_sent' && seconds > 0) {
      // Fini answers: only the limit on requests keeps this one waiting.
      for (const { deadline } of watches) deadline.onPause?.({ reason: 'limit', seconds });
      trouble = null;
    }
    const hasNews = watches.some((watch) => watch.hasNews);
    this.#pauseMs = hasNews ? this.#shortestPauseMs : this.#pauseMs * PAUSE_GROWTH;
    for (const watch of watches) {
      watch.silentRounds = watch.hasNews ? 0 : watch.silentRounds + 1;
      watch.hasNews = false;
      if (!this.#watches.has(watch)) continue;
      try {
        await watch.onRound(trouble);
      } catch (error) {
        watch.fail(error);
      }
    }
    if (round.signal.aborted) return;
    this.#roundUnderWay = undefined;
    if (this.#watches.size === 0) return;
    const dueAt = now() + this.#jittered(this.#pauseMs * Math.max(pages, 1));
    this.#dueAt = Math.min(this.#dueAt ?? dueAt, dueAt);
    this.#schedule();
  }

  /** A pause with jitter, at most the longest one. */
  #jittered(milliseconds: number): number {
    const pause = Math.min(
      Math.max(milliseconds, this.#shortestPauseMs),
      this.#shortestPauseMs * LONGEST_PAUSE,
    );
    return pause * (0.9 + Math.random() * 0.2);
  }
}

function settle<Job>({ pending, end }: ActiveWatch<Job>, id: string): void {
  pending.delete(id);
  if (pending.size === 0) end();
}

/** Everything that these watches wait for, by ID. */
export function pendingOf<Job>(watches: Iterable<ActiveWatch<Job>>): Set<string> {
  const ids = new Set<string>();
  for (const { pending } of watches) for (const id of pending) ids.add(id);
  return ids;
}
