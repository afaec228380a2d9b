import { setImmediate } from 'node:timers/promises';

/** How long work may hold the event loop, in milliseconds, before others get their turn. */
const SLICE_MS = 4;

/** Cuts long work into short slices: between them other calls are answered and a cancel is heard. */
export class Pacer {
  readonly #signal: AbortSignal;
  #sliceEndsAt = performance.now() + SLICE_MS;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /**
   * Waits for the next turn of the event loop where this slice is over.
   *
   * @throws The signal's reason, once it is aborted.
   */
  async pause(): Promise<void> {
    if (performance.now() < this.#sliceEndsAt) return;
    await setImmediate();
    this.#signal.throwIfAborted();
    this.#sliceEndsAt = performance.now() + SLICE_MS;
  }
}
