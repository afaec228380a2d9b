/** A job of generation that this process queued, or may have. */
export interface RecentJob {
  /** Null where the request had no answer, so that nobody knows whether there is a job. */
  readonly jobId: string | null;
  /** When it is forgotten, by `performance.now()`. */
  readonly until: number;
}

/** Long enough for any job: one that takes longer is asked for again. */
const JOB_REMEMBERED_MS = 15 * 60_000;
/** A request that has not arrived by then most likely never will. */
const DOUBT_REMEMBERED_MS = 60_000;
/** How many sources are remembered; past it the oldest are forgotten. */
const REMEMBERED = 5_000;

/**
 * The jobs of generation that this process queued lately in one workspace, by source. Nothing at Fini
 * tells which jobs a source has, so the same call made again can join only what is remembered here.
 */
export class RecentJobs {
  readonly #bySource = new Map<string, RecentJob>();

  /** What was queued lately from a source. */
  of(documentId: string): RecentJob | undefined {
    const job = this.#bySource.get(documentId);
    if (job === undefined || job.until > performance.now()) return job;
    this.#bySource.delete(documentId);
    return undefined;
  }

  /** Remembers a source's job. */
  remember(documentId: string, jobId: string): void {
    this.#keep(documentId, { jobId, until: performance.now() + JOB_REMEMBERED_MS });
  }

  /** Remembers that a request for these had no answer. */
  doubt(documentIds: readonly string[]): void {
    const until = performance.now() + DOUBT_REMEMBERED_MS;
    for (const id of documentIds) this.#keep(id, { jobId: null, until });
  }

  /** Forgets a source whose job has ended: its drafts may be generated again. */
  forget(documentId: string): void {
    this.#bySource.delete(documentId);
  }

  /** Whether there is nothing left to remember. */
  get isEmpty(): boolean {
    const now = performance.now();
    for (const [id, { until }] of this.#bySource) if (until < now) this.#bySource.delete(id);
    return this.#bySource.size === 0;
  }

  #keep(documentId: string, job: RecentJob): void {
    this.#bySource.delete(documentId);
    this.#bySource.set(documentId, job);
    for (const oldest of this.#bySource.keys()) {
      if (this.#bySource.size <= REMEMBERED) return;
      this.#bySource.delete(oldest);
    }
  }
}
