const WINDOW_MS = 60_000;

/** The API's limit on one key's requests in any 60 s. */
export class RateLimit {
  readonly #limit: number;
  /** The times of each key's latest requests, oldest first, in milliseconds since 1970. */
  readonly #taken = new Map<string, number[]>();

  /** Takes the number of requests; `Infinity` for no limit. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Counts a key's request. Returns null if it is within the limit, else the seconds until the next
   * one would be. Requests that are turned away do not count.
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
