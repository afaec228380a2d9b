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
  /** All of it was queued a moment ago, so nothing can have ended yet. */
  readonly isNew: boolean;
  /** Takes a job's news. The answer is whether it needs no more watching. */
  readonly take: (job: Job) => boolean | Promise<boolean>;
  /** Called when Fini has no such source or job any more. */
  readonly onGone: (id: string) => void;
  /** Called after each round, with the reason why Fini did not answer, or null. */
  readonly onRound: (trouble: FiniError | null) => void | Promise<void>;
}

/** A watch, and how far it has come. */
export interface ActiveWatch<Job> extends Watch<Job> {
  readonly deadline: Deadline;
  /** The IDs that it still waits for. */
  readonly pending: Set<string>;
  readonly end: () => void;
  readonly fail: (reason: unknown) => void;
  hasNews: boolean;
  /** Rounds in a row that brought no news. */
  silentRounds: number;
}

/**
 * Asks Fini for news of what calls of one workspace wait for: one round after the other, each for
 * all of them at once. Nothing runs while nobody waits.
 */
export abstract class Poller<Job> {
  readonly #shortestPauseMs: number;
  readonly #watches = new Set<ActiveWatch<Job>>();
  #pauseMs: number;
  #dueAt: number | null = null;
  /** Nothing is asked before this, since Fini asked for patience. */
  #patientUntil = 0;
  #timer: NodeJS.Timeout | undefined;
  #roundUnderWay: AbortController | undefined;

  /** @param pollIntervalMs The shortest pause between rounds; the longest is ten times that. */
  constructor(pollIntervalMs: number) {
    this.#shortestPauseMs = pollIntervalMs;
    this.#pauseMs = pollIntervalMs;
  }

  /** Notes that a watch begins. */
  protected begin(_watch: ActiveWatch<Job>): void {
    // A poller that asks for everything in each round has nothing to note.
  }
  /**
   * Asks for news of these watches, and delivers it. The answer is how many pages it took: a round
   * of many is followed by a pause as many times as long.
   */
  protected abstract askFor(
    watches: readonly ActiveWatch<Job>[],
    deadline: Partial<Deadline>,
  ): Promise<number>;
  /** Forgets what nobody waits for any more. */
  protected forget(_pending: ReadonlySet<string>): void {
    // Nor has it anything to forget.
  }

  /**
   * Resolves once all of it is settled or gone, or the time is over.
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
    // All may have ended in the middle of a round, whose end it does not wait for.
    if (pending.size === 0) await watch.onRound(null);
  }

  /** Passes a job's news to those of a round's watches that wait for it. */
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

  /** Tells those of a round's watches that wait for it that there is no such source or job. */
  protected deliverGone(watches: readonly ActiveWatch<Job>[], id: string): void {
    for (const watch of this.#waitingFor(id, watches)) {
      watch.onGone(id);
      watch.hasNews = true;
      settle(watch, id);
    }
  }

  /** A watch whose call is over hears nothing more. */
  #waitingFor(id: string, watches: readonly ActiveWatch<Job>[]): ActiveWatch<Job>[] {
    return watches.filter((watch) => this.#watches.has(watch) && watch.pending.has(id));
  }

  /** The first round of a new watch comes after this pause, or with the next one that is due. */
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

  /** Ends the round under way at once: its requests are for nobody. */
  #sleep(): void {
    clearTimeout(this.#timer);
    this.#roundUnderWay?.abort();
    this.#roundUnderWay = undefined;
    this.#dueAt = null;
    this.#patientUntil = 0;
  }

  /** One round for all who wait when it begins. It never throws: each watch hears how it went. */
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
      // Fini is well: it is the limit on requests that keeps this one waiting.
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

/** All that these watches wait for, by ID. */
export function pendingOf<Job>(watches: Iterable<ActiveWatch<Job>>): Set<string> {
  const ids = new Set<string>();
  for (const { pending } of watches) for (const id of pending) ids.add(id);
  return ids;
}
