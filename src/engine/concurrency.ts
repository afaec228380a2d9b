import { setImmediate } from 'node:timers/promises';
import { now } from '../clock.ts';

/** How many requests one task has under way at once. */
const CONCURRENT_REQUESTS = 8;
/** How long work may hold the event loop, in milliseconds, before others get their turn. */
const SLICE_MS = 4;

/**
 * Does something with each item, a few at once. After a failure no further item is begun, since it
 * would meet the same trouble at its own cost in time, and nothing is under way any more at the end.
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

/** Cuts long work into short slices: between them other calls are answered and a cancel is heard. */
export class Pacer {
  readonly #signal: AbortSignal;
  #sliceEndsAt = now() + SLICE_MS;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /**
   * Waits for the next turn of the event loop where this slice is over.
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
