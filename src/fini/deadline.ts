import { now } from '../clock.ts';

/** The reason that a request waits, with the seconds if known. */
export interface Pause {
  readonly reason: 'limit';
  readonly seconds: number;
}

/** The error of a call whose time was over before its work was done. */
export class WaitEnded extends Error {
  override readonly name = 'WaitEnded';
}

/**
 * Extra time after a call's end for a request that queues, and for the check before it. Knowing the
 * result is worth the time: without a report of what is queued, a call with too little time could be
 * repeated forever.
 */
export const GRACE_MS = 5_000;

/**
 * The time limit of a call. Every layer passes it on, down to each request, which takes a part of it. A
 * request without `endsAt` may take the time of one attempt.
 */
export class Deadline {
  /** A signal that is aborted once no one waits for the call: it and its requests end at once. */
  readonly signal: AbortSignal;
  /** Time at which the call began, by {@link now}. */
  readonly startedAt: number;
  /** Time at which the call is over, by {@link now}. Until then, failed reads may be retried. */
  readonly endsAt: number;
  /** Called when a request has to wait because of Fini's limit. */
  readonly onPause: ((pause: Pause) => void) | undefined;
  /** The priority of its requests: polls wait for calls. */
  readonly priority: 'call' | 'poll';
  /** Milliseconds in a second of the call's time. Tests take fewer, so that time-outs come soon. */
  readonly secondMs: number;

  constructor(given: {
    readonly signal: AbortSignal;
    readonly endsAt: number;
    readonly startedAt?: number;
    readonly onPause?: ((pause: Pause) => void) | undefined;
    readonly priority?: 'call' | 'poll';
    readonly secondMs?: number;
  }) {
    this.signal = given.signal;
    this.startedAt = given.startedAt ?? now();
    this.endsAt = given.endsAt;
    this.onPause = given.onPause;
    this.priority = given.priority ?? 'call';
    this.secondMs = given.secondMs ?? 1000;
  }

  /** The deadline of a call that begins now and lasts this long. */
  static after(
    seconds: number,
    signal: AbortSignal,
    { onPause, secondMs = 1000 }: Pick<Partial<Deadline>, 'onPause' | 'secondMs'> = {},
  ): Deadline {
    return new Deadline({ signal, endsAt: now() + seconds * secondMs, onPause, secondMs });
  }

  /** The same call with more time. */
  extend(milliseconds: number): Deadline {
    return new Deadline({ ...this, endsAt: this.endsAt + milliseconds });
  }

  /** The same call, lasting this many seconds from its start. */
  lasting(seconds: number): Deadline {
    return new Deadline({ ...this, endsAt: this.startedAt + seconds * this.secondMs });
  }

  /** The same call with its whole time from now on, or with another: a person may think for long. */
  renewed(milliseconds = this.endsAt - this.startedAt): Deadline {
    return new Deadline({ ...this, startedAt: now(), endsAt: now() + milliseconds });
  }

  /** The same call, for a part that may take only so many seconds from now on. */
  atMost(seconds: number): Deadline {
    return new Deadline({
      ...this,
      endsAt: Math.min(this.endsAt, now() + seconds * this.secondMs),
    });
  }

  get isOver(): boolean {
    return now() >= this.endsAt;
  }

  /** Time that the call has taken so far, in seconds, to a tenth. */
  get elapsedSeconds(): number {
    return this.#inSeconds(now() - this.startedAt);
  }

  /** The error of a call whose time is over. */
  ended(): WaitEnded {
    const seconds = this.#inSeconds(this.endsAt - this.startedAt);
    return new WaitEnded(`The wait timed out after ${seconds} s.`);
  }

  #inSeconds(milliseconds: number): number {
    return Math.round((10 * milliseconds) / this.secondMs) / 10;
  }

  /**
   * Waits for a promise, but not beyond the call's end. Returns true if it resolved in time.
   *
   * @throws what the promise is rejected with, and the signal's reason once that is aborted.
   */
  async until(promise: Promise<unknown>): Promise<boolean> {
    const { signal } = this;
    signal.throwIfAborted();
    let timer: NodeJS.Timeout | undefined;
    let abort: () => void = () => undefined;
    const end = new Promise<boolean>((resolve, reject) => {
      abort = () => reject(signal.reason);
      timer = setTimeout(resolve, Math.max(0, this.endsAt - now()), false);
    });
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await Promise.race([promise.then(() => true), end]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }
}
