import { orAborted, withResolvers } from './promises.ts';

/** What calls under way are about to queue: another call for the same waits until that is done. */
export class Reservations {
  readonly #keyOf: (item: string) => string;
  readonly #underWay = new Map<string, Promise<unknown>>();

  /** @param keyOf The same for two items that mean the same source. */
  constructor(keyOf: (item: string) => string) {
    this.#keyOf = keyOf;
  }

  /** Whether a call is about to queue this. */
  has(item: string): boolean {
    return this.#underWay.has(this.#keyOf(item));
  }

  /**
   * Waits until no other call queues one of these, and makes others wait until the answer is called.
   *
   * @param onBusy Told which of them another call is about to queue.
   * @throws the signal's reason, once it is aborted.
   */
  async take(
    items: readonly string[],
    signal: AbortSignal,
    onBusy: (items: readonly string[]) => void = () => undefined,
  ): Promise<() => void> {
    const keys = items.map(this.#keyOf);
    for (;;) {
      const underWay = keys.map((key) => this.#underWay.get(key));
      const busy = items.filter((_, index) => underWay[index] !== undefined);
      if (busy.length === 0) break;
      onBusy(busy);
      await orAborted(Promise.all(underWay), signal);
    }
    const { promise: reservation, resolve: release } = withResolvers();
    for (const key of keys) this.#underWay.set(key, reservation);
    return () => {
      for (const key of keys) {
        if (this.#underWay.get(key) === reservation) this.#underWay.delete(key);
      }
      release();
    };
  }
}
