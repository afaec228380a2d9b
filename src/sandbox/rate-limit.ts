const WINDOW_MS = 60_000;

/** The API's limit: so many requests of one key in any 60 s. */
export class RateLimit {
  readonly #limit: number;
  /** When each key's latest requests came, oldest first, in milliseconds since 1970. */
  readonly #taken = new Map<string, number[]>();

  /** @param limit How many it takes; `Infinity` for any number. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Counts a key's request. The answer is null where it is taken, and else in how many seconds the
   * next one would be. What is turned away does not count.
   */
  take(key: string, now: number): number | null {
    if (this.#limit === Number.POSITIVE_INFINITY) return null;
    const taken = (this.#taken.get(key) ?? []).filter((at) => at > now - WINDOW_MS);
    this.#taken.set(key, taken);
    const [oldest = now] = taken;
    if (taken.length >= this.#limit) return Math.ceil((oldest + WINDOW_MS - now) / 1000);
    taken.push(now);
    return null;
  }
}
