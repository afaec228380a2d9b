import { setTimeout as sleep } from 'node:timers/promises';
import type { CallOptions, TimedCall } from '../fini/call-options.ts';
import type { FiniClient } from '../fini/client.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import type { KnowledgeJob } from '../fini/knowledge.ts';
import type { GenerateRequest } from '../fini/knowledge-client.ts';
import { accountForGeneration, type GenerationReport, type SourceOfDraft } from './draft-report.ts';
import { isInFlight, stateOf } from './job-states.ts';
import { Looks } from './look.ts';
import { PollInterval } from './polling.ts';
import { RecentRequests } from './recent-requests.ts';
import { Reservations } from './reservations.ts';
import type { WaitOptions } from './wait.ts';
import { Deadline, WaitEnded } from './wait-deadline.ts';

/** How many jobs one request asks after. */
const JOBS_A_REQUEST = 100;

/** Why nothing can be generated from a source yet. */
export type Unreadiness = 'absent' | 'failed' | 'running' | 'never_ingested';

/** Sources from which nothing can be generated. Nothing was sent. */
export class SourcesNotReady extends Error {
  override readonly name = 'SourcesNotReady';
  /** By source ID. */
  readonly reasons: ReadonlyMap<string, Unreadiness>;

  constructor(reasons: ReadonlyMap<string, Unreadiness>) {
    super(`${reasons.size} sources are not ready.`);
    this.reasons = reasons;
  }
}

/** A generation that ended without a report, with what is true of its sources. */
export class GenerationError extends Error {
  override readonly name = 'GenerationError';
  /** Sources whose job is known to run, or to have run. */
  readonly queued: readonly string[];
  /** Sources that may have been queued: the request had no answer. */
  readonly doubtful: readonly string[];

  constructor(queued: readonly string[], doubtful: readonly string[], cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.queued = queued;
    this.doubtful = doubtful;
  }

  /** What ended it is a fault of this server. */
  get isFault(): boolean {
    return !(this.cause instanceof FiniError || this.cause instanceof WaitEnded);
  }
}

/** Generates drafts of articles from the sources of one workspace. */
export class Generation {
  readonly #fini: FiniClient;
  readonly #pollIntervalMs: number;
  readonly #recent: RecentRequests;
  readonly #looks: Looks;
  /** Two calls at once must not queue the same twice. */
  readonly #reservations = new Reservations((id) => id);

  /**
   * @param pollIntervalMs The shortest pause between looks at Fini, in milliseconds.
   * @param recent What was queued in this workspace before.
   */
  constructor(fini: FiniClient, pollIntervalMs: number, recent = new RecentRequests()) {
    this.#fini = fini;
    this.#pollIntervalMs = pollIntervalMs;
    this.#recent = recent;
    this.#looks = new Looks(fini);
  }

  /**
   * Queues a job for each source that has none under way here, and waits for all of them.
   *
   * @throws {SourcesNotReady} before anything is sent; {GenerationError} where there can be no
   *   report; the signal's reason when it is aborted.
   */
  async generate(request: GenerateRequest, options: WaitOptions): Promise<GenerationReport> {
    const deadline = new Deadline(options);
    const sources = new Map<string, SourceOfDraft>();
    for (const id of new Set(request.documentIds)) {
      sources.set(id, { id, document: null, jobId: null, job: null, joined: false, state: 'left' });
    }
    const run: Run = { sources, deadline, options, heldSeconds: 0, trouble: null };
    try {
      tell(run, 'checking');
      const release = await this.#reservations.take([...sources.keys()], deadline.signal);
      try {
        await this.#queue(request, run);
      } finally {
        release();
      }
      await this.#watch(run);
      const { elapsedSeconds } = deadline;
      const { heldSeconds, trouble } = run;
      return accountForGeneration([...sources.values()], { elapsedSeconds, heldSeconds, trouble });
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof SourcesNotReady) throw error;
      const all = [...sources.values()];
      const idsOf = (state: SourceOfDraft['state']) =>
        all.filter((source) => source.state === state).map(({ id }) => id);
      throw new GenerationError(idsOf('queued'), idsOf('held'), error);
    } finally {
      deadline.end();
    }
  }

  /** Joins what runs, holds back what may run, and queues the rest in one request. */
  async #queue(request: GenerateRequest, run: Run): Promise<void> {
    const { sources, deadline } = run;
    for (const source of sources.values()) {
      const job = this.#recent.of(source.id);
      if (job === undefined) continue;
      if (!job.isAnswered) {
        source.state = 'held';
        run.heldSeconds = Math.max(run.heldSeconds, (job.until - performance.now()) / 1000);
      } else {
        source.state = 'queued';
        source.jobId = job.answer;
        source.joined = true;
      }
    }
    const left = [...sources.values()].filter(({ state }) => state === 'left');
    if (left.length === 0) return;
    await this.#check(left, deadline.preparing);
    tell(run, 'queueing');
    const documentIds = left.map(({ id }) => id);
    // Until it is known what became of the request, nobody can say.
    for (const source of left) source.state = 'held';
    let jobs: Awaited<ReturnType<FiniClient['generateKnowledge']>>['jobs'];
    try {
      ({ jobs } = await this.#fini.generateKnowledge(
        { ...request, documentIds },
        deadline.preparing,
      ));
    } catch (error) {
      if (error instanceof FiniError && error.surelyNotCarriedOut) {
        for (const source of left) source.state = 'left';
      } else this.#recent.doubt(documentIds);
      throw error;
    }
    for (const source of left) source.state = 'left';
    const jobless = new Set(left);
    const nameless = jobs.filter(({ documentId }) => !sources.has(documentId ?? ''));
    for (const { documentId, backgroundJobId } of jobs) {
      const source = sources.get(documentId ?? '');
      if (source === undefined) continue;
      jobless.delete(source);
      this.#follow(source, backgroundJobId);
    }
    const [only, another] = jobless;
    const [single, further] = nameless;
    // A job that does not say whose it is can only be the last source's.
    if (only !== undefined && another === undefined && single !== undefined && !further) {
      this.#follow(only, single.backgroundJobId);
    }
  }

  #follow(source: SourceOfDraft, jobId: string | null): void {
    source.state = 'queued';
    source.jobId = jobId;
    if (jobId !== null) this.#recent.remember(source.id, jobId);
  }

  /** Looks at the sources before anything is queued, as far as eight requests show them. */
  async #check(sources: readonly SourceOfDraft[], call: TimedCall): Promise<void> {
    const there = sources.map(({ id }) => id);
    const { records, absent } = await this.#looks.look({ mayRun: [], there }, call);
    const reasons = new Map<string, Unreadiness>();
    for (const source of sources) {
      source.document = records.get(source.id) ?? null;
      const reason = absent.has(source.id) ? 'absent' : unreadinessOf(source.document);
      if (reason !== null) reasons.set(source.id, reason);
    }
    if (reasons.size > 0) throw new SourcesNotReady(reasons);
  }

  /** Asks after the jobs until all have ended or the time is over. */
  async #watch(run: Run): Promise<void> {
    const { deadline, options } = run;
    const interval = new PollInterval(this.#pollIntervalMs);
    let patienceMs = 0;
    tell(run, 'waiting');
    for (;;) {
      const pending = pendingOf(run);
      if (pending.length === 0) return;
      const milliseconds = Math.max(interval.pauseMs(), patienceMs);
      await sleep(milliseconds, undefined, { signal: deadline.signal }).catch(() => undefined);
      options.signal.throwIfAborted();
      if (deadline.signal.aborted) return;
      const { signal } = deadline;
      const call: CallOptions = { signal, priority: 'poll', onPause: options.onPause };
      try {
        await this.#ask(pending, call);
        run.trouble = null;
        patienceMs = 0;
      } catch (error) {
        options.signal.throwIfAborted();
        if (deadline.signal.aborted) return;
        if (!(error instanceof FiniError) || error.isDenied) throw error;
        run.trouble = error;
        patienceMs = (error.retryAfterSeconds ?? 0) * 1000;
      }
      interval.note(pendingOf(run).length < pending.length);
      tell(run, 'waiting');
    }
  }

  /**
   * Takes the news of jobs. One ID that Fini does not know fails a whole request, so such a request
   * is made again in halves, until only that one is left: the others' state is not lost with it.
   */
  async #ask(sources: readonly SourceOfDraft[], call: CallOptions): Promise<void> {
    for (let start = 0; start < sources.length; start += JOBS_A_REQUEST) {
      await this.#askTogether(sources.slice(start, start + JOBS_A_REQUEST), call);
    }
  }

  async #askTogether(sources: readonly SourceOfDraft[], call: CallOptions): Promise<void> {
    const byJob = new Map(sources.flatMap((one) => (one.jobId === null ? [] : [[one.jobId, one]])));
    let jobs: readonly KnowledgeJob[];
    try {
      jobs = await this.#fini.knowledgeJobs([...byJob.keys()], call);
    } catch (error) {
      if (!isAboutAnId(error)) throw error;
      const [only, another] = sources;
      if (only !== undefined && another === undefined) {
        only.state = 'unknown';
        this.#recent.forget(only.id);
        return;
      }
      const half = Math.ceil(sources.length / 2);
      await this.#askTogether(sources.slice(0, half), call);
      await this.#askTogether(sources.slice(half), call);
      return;
    }
    for (const job of jobs) {
      const source = byJob.get(job.id);
      if (source === undefined) continue;
      source.job = job;
      // What has ended may be generated again.
      if (hasEnded(job)) this.#recent.forget(source.id);
    }
  }
}

/** One call of `generate`. */
interface Run {
  readonly sources: ReadonlyMap<string, SourceOfDraft>;
  readonly deadline: Deadline;
  readonly options: WaitOptions;
  /** When to call again for what is held, in seconds. */
  heldSeconds: number;
  trouble: FiniError | null;
}

function pendingOf({ sources }: Run): SourceOfDraft[] {
  return [...sources.values()].filter(
    ({ state, jobId, job }) =>
      state === 'queued' && jobId !== null && (job === null || !hasEnded(job)),
  );
}

function tell({ sources, options, trouble }: Run, phase: 'checking' | 'queueing' | 'waiting') {
  const jobs = [...sources.values()].flatMap(({ job }) => job ?? []);
  const count = (status: string) => jobs.filter(({ jobStatus }) => jobStatus === status).length;
  options.onProgress({
    total: sources.size,
    completed: count('COMPLETED'),
    failed: count('FAILED'),
    phase,
    inProgress: count('IN_PROGRESS'),
    trouble,
  });
}

function hasEnded({ jobStatus }: KnowledgeJob): boolean {
  return jobStatus === 'COMPLETED' || jobStatus === 'FAILED';
}

/** Fini refused the request because of what it names, and not because of the key or its limit. */
function isAboutAnId(error: unknown): boolean {
  return error instanceof FiniError && (error.status === 400 || error.status === 404);
}

function unreadinessOf(document: FiniDocument | null): Unreadiness | null {
  // What the look did not show is for Fini to refuse.
  if (document === null) return null;
  if (!document.linkedJobStatus) return 'never_ingested';
  if (isInFlight(document)) return 'running';
  return stateOf(document) === 'failed' ? 'failed' : null;
}
