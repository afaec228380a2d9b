/** What this process asked of Fini for something, and what it knows of it. */
export interface RecentRequest {
  /** Without an answer, nobody knows whether it was carried out. */
  readonly isAnswered: boolean;
  /** The ID that Fini answered with, of the job or of the live article; null where it gave none. */
  readonly answer: string | null;
  /** When it is forgotten, by `performance.now()`. */
  readonly until: number;
}

/** Long enough for any job: one that takes longer is asked for again. */
const ANSWER_REMEMBERED_MS = 15 * 60_000;
/** A request that has not arrived by then most likely never will. */
const DOUBT_REMEMBERED_MS = 60_000;
/** For how many sources or drafts it is remembered; past it the oldest are forgotten. */
const REMEMBERED = 5_000;

/**
 * What this process asked of Fini lately in one workspace, by the source or draft that it was for.
 * Nothing at Fini tells which jobs a source has, and a draft may not show at once that it is
 * published, so the same call made again can only know what is remembered here.
 */
export class RecentRequests {
  readonly #byId = new Map<string, RecentRequest>();

  /** What was asked lately for a source or draft. */
  of(id: string): RecentRequest | undefined {
    const request = this.#byId.get(id);
    if (request === undefined || request.until > performance.now()) return request;
    this.#byId.delete(id);
    return undefined;
  }

  /** Remembers what Fini answered. */
  remember(id: string, answer: string | null): void {
    this.#keep(id, { isAnswered: true, answer, until: performance.now() + ANSWER_REMEMBERED_MS });
  }

  /** Remembers that a request for these had no answer. */
  doubt(ids: readonly string[]): void {
    const until = performance.now() + DOUBT_REMEMBERED_MS;
    for (const id of ids) this.#keep(id, { isAnswered: false, answer: null, until });
  }

  /** Forgets a source whose job has ended: its drafts may be generated again. */
  forget(id: string): void {
    this.#byId.delete(id);
  }

  /** Whether there is nothing left to remember. */
  get isEmpty(): boolean {
    const now = performance.now();
    for (const [id, { until }] of this.#byId) if (until < now) this.#byId.delete(id);
    return this.#byId.size === 0;
  }

  #keep(id: string, request: RecentRequest): void {
    this.#byId.delete(id);
    this.#byId.set(id, request);
    for (const oldest of this.#byId.keys()) {
      if (this.#byId.size <= REMEMBERED) return;
      this.#byId.delete(oldest);
    }
  }
}
