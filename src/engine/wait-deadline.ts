import { setMaxListeners } from 'node:events';
import type { CallOptions, TimedCall } from '../fini/call-options.ts';

/** Why a wait came to its end by its own rules, in words: its time ran out, or it may not continue. */
export class WaitEnded extends Error {
  override readonly name = 'WaitEnded';
}

/** What is left for waiting where what came before has taken all the time. */
const SHORTEST_WAIT_MS = 1_000;
/**
 * How long queueing, and the check before it, may continue after the wait's time is over. A report of
 * what is queued is worth it, and without this a call of too little time could be repeated forever.
 */
export const LAST_ANSWER_MS = 5_000;

/** When a call that waits is over, and what is left of its time for each stage. */
export class Deadline {
  /** Aborted by the caller, or by the time-out. */
  readonly signal: AbortSignal;
  /** For requests before the waiting: they may take some seconds longer. */
  readonly preparing: TimedCall;
  readonly #startedAt: number;
  readonly #timers: readonly NodeJS.Timeout[];

  constructor({
    timeoutSeconds,
    startedAt,
    signal,
    onPause,
  }: {
    readonly timeoutSeconds: number;
    /** When the call began, by `performance.now()`. */
    readonly startedAt: number;
    readonly signal: AbortSignal;
    readonly onPause?: CallOptions['onPause'];
  }) {
    this.#startedAt = startedAt;
    const now = performance.now();
    const total = timeoutSeconds * 1000;
    const left = Math.max(startedAt + total - now, Math.min(total, SHORTEST_WAIT_MS));
    const timeout = new AbortController();
    const lastAnswer = new AbortController();
    const abort = (controller: AbortController) =>
      controller.abort(new WaitEnded(`The wait timed out after ${timeoutSeconds} s.`));
    this.#timers = [
      setTimeout(abort, left, timeout),
      setTimeout(abort, left + LAST_ANSWER_MS, lastAnswer),
    ];
    this.signal = AbortSignal.any([signal, timeout.signal]);
    this.preparing = {
      signal: AbortSignal.any([signal, lastAnswer.signal]),
      endsAt: now + left + LAST_ANSWER_MS,
      onPause,
    };
    // Several requests listen to them at once, by design.
    setMaxListeners(0, this.signal, this.preparing.signal);
  }

  /** How long the call has taken so far, in seconds, to a tenth. */
  get elapsedSeconds(): number {
    return Math.round((performance.now() - this.#startedAt) / 100) / 10;
  }

  /** Clears its timers. */
  end(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
