import { now } from '../clock.ts';
import type { Deadline } from './deadline.ts';
import { FiniError, type Operation } from './errors.ts';

/** The share of a window's requests that polls may use. The rest is kept for people's calls. */
const SHARE_OF_POLLS = 2 / 3;
/** Minimum wait to report, in milliseconds. */
export const NOTICEABLE_MS = 1_000;
/** The pause after Fini's first 429 without a `Retry-After`, and the longest, as shares of a window. */
const FIRST_PAUSE_SHARE = 1 / 60;
const LONGEST_PAUSE_SHARE = 1 / 6;

/** A request that asks for its turn. */
export interface Turn extends Partial<Deadline> {
  /** Name of the request in errors. */
  readonly operation: Operation;
}

/** A request that waits for its turn. */
interface Waiter {
  readonly turn: Turn;
  /** Time at which its caller expects it to go, by {@link now}. */
  expectedAt: number;
  readonly go: () => void;
  readonly fail: (reason: unknown) => void;
}

/**
 * Keeps the requests of one key below Fini's limit: a request that would go over it waits for its
 * turn. Calls go before polls, and each in the order in which they came.
 *
 * No one knows when Fini counts a request, so here it counts from its turn until a window after its
 * answer.
 */
export class Budget {
  readonly #limit: number;
  readonly #limitOfPolls: number;
  readonly #windowMs: number;
  /** Number of requests that have had their turn and are not over. */
  #underWay = 0;
  /** End times of the other requests that still count, by {@link now}. */
  readonly #endedAt: number[] = [];
  readonly #calls: Waiter[] = [];
  readonly #polls: Waiter[] = [];
  /** Nothing is sent before this time, since Fini asked for a pause, by {@link now}. */
  #pausedUntil = 0;
  /** The next pause after a 429 without a `Retry-After`. */
  #pauseMs: number;
  #timer: NodeJS.Timeout | undefined;
  /** The time at which the timer looks at all waiters, by {@link now}; null if it is not set. */
  #wakeAt: number | null = null;

  /**
   * @param limit Maximum number of requests in a window.
   * @param windowMs The window's length in milliseconds; Fini's is a minute.
   */
  constructor(limit: number, windowMs = 60_000) {
    this.#limit = limit;
    this.#limitOfPolls = Math.max(1, Math.floor(limit * SHARE_OF_POLLS));
    this.#windowMs = windowMs;
    this.#pauseMs = windowMs * FIRST_PAUSE_SHARE;
  }

  /** True if no request counts any more, so that a new budget would do as well. */
  get isIdle(): boolean {
    const time = now();
    this.#forget(time);
    const used = this.#underWay + this.#endedAt.length;
    return used === 0 && this.#calls.length + this.#polls.length === 0 && this.#pausedUntil <= time;
  }

  /**
   * Waits for a request's turn. The function it resolves to must be called once the request is over.
   *
   * @throws {FiniError} `not_sent`, if its turn would come after the call's end, as soon as that can
   *   be foreseen. The signal's reason, once that is aborted.
   */
  async take(turn: Turn): Promise<() => void> {
    const { signal } = turn;
    signal?.throwIfAborted();
    const waiters = turn.priority === 'poll' ? this.#polls : this.#calls;
    await new Promise<void>((resolve, reject) => {
      const leave = () => {
        waiters.splice(waiters.indexOf(waiter), 1);
        if (this.#calls.length + this.#polls.length === 0) this.#stopTimer();
        signal?.removeEventListener('abort', abort);
      };
      const waiter: Waiter = {
        turn,
        expectedAt: now(),
        go: () => {
          leave();
          resolve();
        },
        fail: (reason) => {
          leave();
          reject(reason);
        },
      };
      const abort = () => waiter.fail(signal?.reason);
      signal?.addEventListener('abort', abort, { once: true });
      waiters.push(waiter);
      const time = now();
      this.#letGo(time);
      // The others keep their place and know their wait already, and there may be many.
      if (waiters.at(-1) === waiter)
        this.#wakeBy(this.#look(waiters, waiters.length - 1, time), time);
    });
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#underWay -= 1;
      this.#endedAt.push(now());
      this.#update();
    };
  }

  /** Notes that Fini refused a request because of its limit. Others use the key: all slow down. */
  refused(retryAfterSeconds: number | undefined): void {
    const time = now();
    if (retryAfterSeconds !== undefined) {
      this.#pausedUntil = Math.max(this.#pausedUntil, time + retryAfterSeconds * 1000);
    } else if (this.#pausedUntil <= time) {
      // Requests that were in progress together are refused together, which is one reason to pause.
      this.#pausedUntil = time + this.#pauseMs;
      this.#pauseMs = Math.min(this.#pauseMs * 2, this.#windowMs * LONGEST_PAUSE_SHARE);
    }
    this.#update();
  }

  /** Notes that Fini carried out a request, so the next pause is a short one again. */
  accepted(): void {
    this.#pauseMs = this.#windowMs * FIRST_PAUSE_SHARE;
  }

  /** Lets waiters go whose turn it is, checks all others, and schedules the next check. */
  #update(): void {
    const time = now();
    this.#letGo(time);
    this.#stopTimer();
    for (const waiters of [this.#calls, this.#polls]) {
      for (let position = 0; position < waiters.length; ) {
        const wakeAt = this.#look(waiters, position, time);
        // If this waiter has failed, the next one has taken its place.
        if (wakeAt !== null) position += 1;
        this.#wakeBy(wakeAt, time);
      }
    }
  }

  #letGo(time: number): void {
    this.#forget(time);
    for (const waiters of [this.#calls, this.#polls]) {
      for (let next = waiters[0]; next !== undefined; next = waiters[0]) {
        if (this.#turnAt(waiters, 0, time) > time) break;
        this.#underWay += 1;
        next.go();
      }
    }
  }

  /**
   * Tells a waiter if it has to wait longer than it expects. Returns the time of its next look; null
   * if its call ends before its turn, so that it has failed.
   */
  #look(waiters: readonly Waiter[], position: number, time: number): number | null {
    const waiter = waiters[position];
    if (waiter === undefined) return null;
    const { endsAt = Number.POSITIVE_INFINITY, onPause } = waiter.turn;
    const at = this.#turnAt(waiters, position, time);
    if (at > endsAt) {
      waiter.fail(outOfTurn(waiter.turn, at - time));
      return null;
    }
    if (at > waiter.expectedAt + NOTICEABLE_MS) {
      waiter.expectedAt = at;
      onPause?.({ reason: 'limit', seconds: wholeSeconds(at - time) });
    }
    return Math.min(at, endsAt);
  }

  #wakeBy(at: number | null, time: number): void {
    if (at === null || (this.#wakeAt !== null && at >= this.#wakeAt)) return;
    this.#stopTimer();
    this.#wakeAt = at;
    this.#timer = setTimeout(() => this.#update(), Math.max(1, at - time));
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#wakeAt = null;
  }

  /**
   * The earliest time at which a waiter can go, by {@link now}. It is later if requests under
   * way take long, or if calls come before a poll.
   */
  #turnAt(waiters: readonly Waiter[], position: number, time: number): number {
    const isPoll = waiters === this.#polls;
    const limit = isPoll ? this.#limitOfPolls : this.#limit;
    const ahead = position + (isPoll ? this.#calls.length : 0);
    const used = this.#underWay + this.#endedAt.length;
    // If more requests wait ahead than there is room for, those count for a window too.
    const rounds = Math.max(0, Math.ceil((ahead + 1 - limit) / limit));
    /** The request that must stop counting first, the oldest being 0; below 0, there is room. */
    const index = used + ahead - limit * (rounds + 1);
    const freeAt = index < 0 ? time : (this.#endedAt[index] ?? time) + this.#windowMs;
    return Math.max(freeAt, this.#pausedUntil) + rounds * this.#windowMs;
  }

  #forget(time: number): void {
    while ((this.#endedAt[0] ?? time) <= time - this.#windowMs) this.#endedAt.shift();
  }
}

/** Rounds up, but ignores fractions of a millisecond. */
function wholeSeconds(milliseconds: number): number {
  return Math.ceil(Math.round(milliseconds) / 1000);
}

function outOfTurn({ operation }: Turn, milliseconds: number): FiniError {
  const retryAfterSeconds = wholeSeconds(milliseconds);
  const message = `Fini's rate limit is reached, and the next request can be sent in ${retryAfterSeconds} s.`;
  return new FiniError(message, { operation, failure: 'not_sent', retryAfterSeconds });
}
