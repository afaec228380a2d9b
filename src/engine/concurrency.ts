import { setImmediate } from 'node:timers/promises';
import { now } from '../clock.ts';

/** Maximum number of requests that one task sends at once. */
const CONCURRENT_REQUESTS = 8;
/** Time that work may hold the event loop before others get their turn, in milliseconds. */
const SLICE_MS = 4;

/**
 * Processes each item, a few at once. After a failure it starts no further item, which would fail in
 * the same way and cost time, and waits for those in progress.
 *
 * @throws what the work threw.
 */
export async function forEachAtOnce<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const troubles: unknown[] = [];
  const workThrough = async (): Promise<void> => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) {
      try {
        await work(item);
      } catch (error) {
        troubles.push(error);
        queue.length = 0;
      }
    }
  };
  const workers = Math.min(CONCURRENT_REQUESTS, items.length);
  await Promise.all(Array.from({ length: workers }, workThrough));
  if (troubles.length > 0) throw troubles[0];
}

/** Cuts long work into short slices, so that other calls are answered and a cancel takes effect. */
export class Pacer {
  readonly #signal: AbortSignal;
  #sliceEndsAt = now() + SLICE_MS;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /**
   * Waits for the next turn of the event loop if this slice is used up.
   *
   * @throws The signal's reason, once it is aborted.
   */
  async pause(): Promise<void> {
    if (now() < this.#sliceEndsAt) return;
    await setImmediate();
    this.#signal.throwIfAborted();
    this.#sliceEndsAt = now() + SLICE_MS;
  }
}
