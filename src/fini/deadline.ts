import { now } from '../clock.ts';

/** Why a request waits, and for how many seconds, as far as is known. */
export interface Pause {
  readonly reason: 'limit';
  readonly seconds: number;
}

/** The time of a call was over before its work was done. */
export class WaitEnded extends Error {
  override readonly name = 'WaitEnded';
}

/**
 * How long a request that queues, and the check before it, may continue after its call's end. Its
 * fate is worth the time: without a report of what is queued, a call of too little time could be
 * repeated forever.
 */
export const GRACE_MS = 5_000;

/**
 * Until when a call may work. Every layer passes it on, down to each request. Requests take a part
 * of it: one without `endsAt` may take the time of one attempt.
 */
export class Deadline {
  /** Aborted when nobody waits for the call any more: it ends at once, as does every request of it. */
  readonly signal: AbortSignal;
  /** When the call began, by {@link now}. */
  readonly startedAt: number;
  /** When the call is over, by {@link now}. A read that failed in passing is tried again until then. */
  readonly endsAt: number;
  /** Told when a request has to wait because of Fini's limit: why, and for how long. */
  readonly onPause: ((pause: Pause) => void) | undefined;
  /** Polls wait for what people called. */
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

  /** The deadline of a call that begins now and may take this long. */
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

  /** The same call, ending so many seconds after its start. */
  lasting(seconds: number): Deadline {
    return new Deadline({ ...this, endsAt: this.startedAt + seconds * this.secondMs });
  }

  /** The same call with its whole time from now on, or with another: a person may think for long. */
  renewed(milliseconds = this.endsAt - this.startedAt): Deadline {
    return new Deadline({ ...this, startedAt: now(), endsAt: now() + milliseconds });
  }

  get isOver(): boolean {
    return now() >= this.endsAt;
  }

  /** How long the call has taken so far, in seconds, to a tenth. */
  get elapsedSeconds(): number {
    return this.#inSeconds(now() - this.startedAt);
  }

  /** The error that says that the time is over. */
  ended(): WaitEnded {
    const seconds = this.#inSeconds(this.endsAt - this.startedAt);
    return new WaitEnded(`The wait timed out after ${seconds} s.`);
  }

  #inSeconds(milliseconds: number): number {
    return Math.round((10 * milliseconds) / this.secondMs) / 10;
  }

  /**
   * Waits for something, and for no longer than the call lasts. The answer is whether it came.
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
