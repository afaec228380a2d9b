import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../clock.ts';
import { type Deadline, GRACE_MS } from '../fini/deadline.ts';
import type { Store } from '../store/store.ts';
import { Batches } from './batches.ts';
import { inputKey } from './identity.ts';
import { Recent } from './recent.ts';

/** Pause between checks while a call waits for another one's reservation, in milliseconds. */
const LOOK_AGAIN_MS = 20;

/** The engine's memory of one workspace between calls. */
export class Memory {
  readonly #store: Store;
  readonly batches: Batches;
  readonly sources: Recent;
  readonly drafts: Recent;
  readonly published: Recent;

  constructor(store: Store) {
    this.#store = store;
    this.batches = new Batches(store);
    this.sources = new Recent(store, 'sources');
    this.drafts = new Recent(store, 'drafts');
    this.published = new Recent(store, 'published');
  }

  /**
   * Runs the work once no other call is queueing one of these names, and makes others wait until it is
   * done. Two calls at once must not queue the same item twice.
   *
   * @param onBusy Called with the names that another call is about to queue.
   * @throws what the work throws; the signal's reason, once it is aborted; {WaitEnded} if the time is
   *   over before the work begins.
   */
  async withReserved<Result>(
    kind: 'sources' | 'drafts' | 'published',
    items: readonly string[],
    deadline: Deadline,
    work: () => Promise<Result>,
    onBusy: (items: readonly string[]) => void = () => undefined,
  ): Promise<Result> {
    const { signal, endsAt } = deadline;
    const names = items.map((item) => reservationName(kind, item));
    const holder = randomUUID();
    for (;;) {
      signal.throwIfAborted();
      const milliseconds = Math.max(0, endsAt - now()) + 2 * GRACE_MS;
      const busy = new Set(await this.#store.reserve(names, holder, milliseconds));
      if (busy.size === 0) break;
      onBusy(items.filter((item) => busy.has(reservationName(kind, item))));
      if (deadline.isOver) throw deadline.ended();
      await sleep(Math.min(LOOK_AGAIN_MS, endsAt - now()), undefined, { signal }).catch(
        () => undefined,
      );
    }
    try {
      return await work();
    } finally {
      await this.#store.release(names, holder);
    }
  }

  /** True if a call is about to queue one of these sources. */
  isQueueing(names: readonly string[]): Promise<boolean> {
    return this.#store.isReserved(names.map((name) => reservationName('sources', name)));
  }
}

function reservationName(kind: string, item: string): string {
  return `${kind} ${inputKey(item)}`;
}
