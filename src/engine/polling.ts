/** The longest pause, in polling intervals. */
const LONGEST_PAUSE = 10;
const INTERVAL_GROWTH = 1.25;

/** How often Fini is asked while a call waits: less and less while nothing changes. */
export class PollInterval {
  readonly #shortestMs: number;
  #currentMs: number;

  /** @param shortestMs The shortest pause between polls, in milliseconds; the longest is ten times that. */
  constructor(shortestMs: number) {
    this.#shortestMs = shortestMs;
    this.#currentMs = shortestMs;
  }

  /** Notes whether a poll brought news. */
  note(hasNews: boolean): void {
    this.#currentMs = hasNews ? this.#shortestMs : this.#currentMs * INTERVAL_GROWTH;
  }

  /**
   * How long to pause, with jitter, in milliseconds. Before or after a poll of many pages that is as
   * many times as long, so that there is about one request an interval however much changes.
   */
  pauseMs(pages = 1): number {
    const longest = this.#shortestMs * LONGEST_PAUSE;
    const pause = Math.min(this.#currentMs * Math.max(pages, 1), longest);
    return pause * (0.9 + Math.random() * 0.2);
  }
}
