import type { FiniClient, GenerateRequest } from '../fini/client.ts';
import { type Deadline, GRACE_MS, WaitEnded } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { FiniDocument, KnowledgeJob } from '../fini/schemas.ts';
import { MemoryStore } from '../store/memory-store.ts';
import type { Batch } from './batches.ts';
import { accountForDrafts, type GenerationReport } from './draft-report.ts';
import { inputKey } from './identity.ts';
import { isInFlight, type SourceState, stateOf } from './job-states.ts';
import { lookBeforeQueueing } from './look.ts';
import { Memory } from './memory.ts';
import { type ActiveWatch, Poller, pendingOf } from './poller.ts';
import { mayBeCarriedOut } from './recent.ts';
import { type JobKind, Wait, type WaitOptions } from './wait.ts';

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
  /** The handle under which a later call finds what was queued; null if that is nothing. */
  readonly batch: string | null;

  constructor(
    { queued, doubtful, batch }: Pick<GenerationError, 'queued' | 'doubtful' | 'batch'>,
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.queued = queued;
    this.doubtful = doubtful;
    this.batch = batch;
  }

  /** It ended because of a fault of this server. */
  get isFault(): boolean {
    return !(this.cause instanceof FiniError || this.cause instanceof WaitEnded);
  }
}

const DRAFT_JOBS: JobKind<KnowledgeJob> = {
  idOf: ({ id }) => id,
  stateOf: draftJobState,
  statusOf: ({ jobStatus }) => jobStatus,
  // A job of its own for each request: there is none before it.
  isNews: () => true,
  isOlder: () => false,
  compact: (job) => job,
};

/** Asks after the jobs of generation that calls of one workspace wait for. */
class DraftJobs extends Poller<KnowledgeJob> {
  readonly #fini: FiniClient;

  constructor(fini: FiniClient, pollIntervalMs: number) {
    super(pollIntervalMs);
    this.#fini = fini;
  }

  protected override async askFor(
    watches: readonly ActiveWatch<KnowledgeJob>[],
    deadline: Partial<Deadline>,
  ): Promise<number> {
    const ids = [...pendingOf(watches)];
    for (let first = 0; first < ids.length; first += JOBS_A_REQUEST) {
      await this.#ask(ids.slice(first, first + JOBS_A_REQUEST), watches, deadline);
    }
    return Math.ceil(ids.length / JOBS_A_REQUEST);
  }

  /**
   * Takes the news of jobs. One ID that Fini does not know fails a whole request, so such a request
   * is made again in halves, until only that one is left: the others' state is not lost with it.
   */
  async #ask(
    ids: readonly string[],
    watches: readonly ActiveWatch<KnowledgeJob>[],
    deadline: Partial<Deadline>,
  ): Promise<void> {
    let jobs: readonly KnowledgeJob[];
    try {
      jobs = await this.#fini.knowledgeJobs(ids, deadline);
    } catch (error) {
      if (!isAboutAnId(error)) throw error;
      const [first = '', ...others] = ids;
      if (others.length === 0) return this.deliverGone(watches, first);
      const half = Math.ceil(ids.length / 2);
      await this.#ask(ids.slice(0, half), watches, deadline);
      return this.#ask(ids.slice(half), watches, deadline);
    }
    for (const job of jobs) {
      await this.deliver(watches, job.id, job, draftJobState(job) !== 'unfinished');
    }
  }
}

/** One call of `generate`. */
interface DraftWait {
  readonly wait: Wait<KnowledgeJob>;
  readonly handle: string;
  /** The sources' records as they were before, by ID. */
  readonly records: Map<string, FiniDocument>;
  /** Sources for which Fini queued a job without telling its ID. */
  readonly jobless: Set<string>;
}

/** Generates drafts of articles from the sources of one workspace. */
export class Generation {
  readonly #fini: FiniClient;
  readonly #jobs: DraftJobs;
  readonly #memory: Memory;

  /**
   * @param pollIntervalMs The shortest pause between looks at Fini, in milliseconds.
   * @param memory What this workspace's calls before have queued.
   */
  constructor(fini: FiniClient, pollIntervalMs: number, memory = new Memory(new MemoryStore())) {
    this.#fini = fini;
    this.#jobs = new DraftJobs(fini, pollIntervalMs);
    this.#memory = memory;
  }

  /**
   * Queues a job for each source that has none under way here, and waits for all of them.
   *
   * @throws {SourcesNotReady} before anything is sent; {GenerationError} where there can be no
   *   report; the signal's reason when it is aborted.
   */
  async generate(request: GenerateRequest, options: WaitOptions): Promise<GenerationReport> {
    const wait = new Wait(DRAFT_JOBS, [...new Set(request.documentIds)], options);
    const handle = this.#memory.batches.newHandle();
    const call: DraftWait = { wait, handle, records: new Map(), jobless: new Set() };
    return this.#account(call, async () => {
      wait.progress('checking');
      const work = () => this.#queue(request, call);
      await this.#memory.withReserved('drafts', wait.inputs, wait.deadline, work);
    });
  }

  /**
   * Waits for the jobs of a batch of drafts, and queues nothing.
   *
   * @throws as {@link generate} does.
   */
  async waitForBatch(
    { handle, inputs, idOf }: Batch,
    options: WaitOptions,
  ): Promise<GenerationReport> {
    const wait = new Wait(DRAFT_JOBS, inputs, options);
    const jobless = new Set(inputs.filter((input) => idOf[input] === undefined));
    return this.#account({ wait, handle, records: new Map(), jobless }, async () => {
      for (const [input, id] of Object.entries(idOf)) {
        wait.add(input, { id, joined: true, processing: null }, null);
      }
    });
  }

  /** Waits once the work has queued or joined, and reports; where that fails, with what is true. */
  async #account(call: DraftWait, work: () => Promise<void>): Promise<GenerationReport> {
    const { wait, handle } = call;
    const isQueued = (id: string) => wait.known.has(id) || call.jobless.has(id);
    try {
      await work();
      await wait.watch(this.#jobs, null, {
        isNew: [...wait.known.values()].every(({ joined }) => !joined),
        onRound: () => this.#forgetEnded(wait),
      });
      const batch = wait.inputs.some(isQueued) ? handle : null;
      return accountForDrafts(wait, call.records, call.jobless, batch);
    } catch (error) {
      wait.deadline.signal.throwIfAborted();
      if (error instanceof SourcesNotReady) throw error;
      await this.#keepBatch(call);
      const queued = wait.inputs.filter(isQueued);
      const { doubtful } = wait.standing();
      const batch = queued.length > 0 ? handle : null;
      throw new GenerationError({ queued, doubtful, batch }, error);
    }
  }

  /** Joins what runs, holds back what may run, and queues the rest in one request. */
  async #queue(request: GenerateRequest, call: DraftWait): Promise<void> {
    const { wait } = call;
    const { drafts } = this.#memory;
    const heldMs = new Map<string, number>();
    for (const [id, { ids, idOf, forgottenAt }] of await drafts.requestsFor(wait.inputs)) {
      const jobId = idOf[inputKey(id)];
      if (ids === null) heldMs.set(id, forgottenAt - Date.now());
      else if (jobId !== undefined) {
        wait.add(id, { id: jobId, joined: true, processing: null }, null);
      }
    }
    wait.markHeld(heldMs);
    const rest = wait.inputs.filter((id) => !wait.known.has(id) && !heldMs.has(id));
    if (rest.length > 0) await this.#send(request, rest, call);
    await this.#keepBatch(call);
  }

  /** Keeps what is queued or joined, for calls that come back to it. */
  async #keepBatch({ wait, handle, jobless }: DraftWait): Promise<void> {
    const queued = wait.inputs.filter((id) => wait.known.has(id) || jobless.has(id));
    if (queued.length === 0) return;
    await this.#memory.batches.keep({
      handle,
      kind: 'drafts',
      inputs: queued,
      ids: [...wait.known.values()].map(({ id }) => id),
      idOf: Object.fromEntries([...wait.known].map(([input, { id }]) => [input, id])),
      queuedAfter: null,
    });
  }

  async #send(request: GenerateRequest, rest: readonly string[], call: DraftWait): Promise<void> {
    const { wait, handle, jobless } = call;
    const deadline = wait.deadline.extend(GRACE_MS);
    await this.#check(rest, call, deadline);
    wait.progress('queueing');
    // Until it is known what became of the request, nobody can say.
    wait.markDoubtful(rest);
    const baseline = { newestChange: 0, records: new Map() };
    try {
      const { jobs } = await this.#memory.drafts.send(
        { batch: handle, inputs: rest, baseline },
        () => this.#fini.generateKnowledge({ ...request, documentIds: rest }, deadline),
        (answer) => jobIdsIn(answer, rest),
      );
      const { idOf } = jobIdsIn({ jobs }, rest);
      for (const [input, id] of idOf) {
        wait.add(input, { id, joined: false, processing: null }, null);
      }
      for (const { documentId, backgroundJobId } of jobs) {
        if (documentId !== null && backgroundJobId === null) jobless.add(documentId);
      }
      wait.markCertain(rest);
    } catch (error) {
      if (!mayBeCarriedOut(error)) wait.markCertain(rest);
      throw error;
    }
  }

  /** Looks at the sources before anything is queued, as far as eight requests show them. */
  async #check(
    sources: readonly string[],
    { records }: DraftWait,
    deadline: Deadline,
  ): Promise<void> {
    const wanted = { mayRun: [], known: sources };
    const look = await lookBeforeQueueing(this.#fini, wanted, deadline);
    const reasons = new Map<string, Unreadiness>();
    for (const id of sources) {
      const document = look.records.get(id);
      if (document !== undefined) records.set(inputKey(id), document);
      const reason = look.absent.has(id) ? 'absent' : unreadinessOf(document);
      if (reason !== null) reasons.set(id, reason);
    }
    if (reasons.size > 0) throw new SourcesNotReady(reasons);
  }

  /** Forgets jobs that have ended, or that Fini does not know: from their sources drafts may be generated again. */
  async #forgetEnded({ known, tracked }: Wait<KnowledgeJob>): Promise<void> {
    const ended = [...known].flatMap(([input, { id }]) => {
      const { record = null, gone = false } = tracked.get(id) ?? {};
      const hasEnded = record !== null && draftJobState(record) !== 'unfinished';
      return hasEnded || gone ? [input] : [];
    });
    await this.#memory.drafts.forget(ended);
  }
}

/** The jobs that an answer names, by source as far as it tells. */
function jobIdsIn(
  { jobs }: Awaited<ReturnType<FiniClient['generateKnowledge']>>,
  sources: readonly string[],
) {
  const asked = new Set(sources);
  const idOf = new Map<string, string>();
  const nameless: string[] = [];
  const answered = new Set<string>();
  for (const { documentId, backgroundJobId } of jobs) {
    if (documentId !== null && asked.has(documentId)) {
      answered.add(documentId);
      if (backgroundJobId !== null) idOf.set(documentId, backgroundJobId);
    } else if (backgroundJobId !== null) nameless.push(backgroundJobId);
  }
  const [source, anotherSource] = sources.filter((id) => !answered.has(id));
  const [jobId, anotherJob] = nameless;
  // A job that does not say whose it is can only be the last source's.
  if (source && jobId && !anotherSource && !anotherJob) idOf.set(source, jobId);
  return { idOf, ids: [...idOf.values()] };
}

function draftJobState({ jobStatus }: KnowledgeJob): SourceState {
  if (jobStatus === 'FAILED') return 'failed';
  return jobStatus === 'COMPLETED' ? 'completed' : 'unfinished';
}

/** Fini refused the request because of an ID in it, and not because of the key or its limit. */
function isAboutAnId(error: unknown): boolean {
  return error instanceof FiniError && (error.status === 400 || error.status === 404);
}

/** Why nothing can be generated from a source yet. One that the look did not show is for Fini to refuse. */
function unreadinessOf(document: FiniDocument | undefined): Unreadiness | null {
  if (document === undefined) return null;
  if (!document.linkedJobStatus) return 'never_ingested';
  if (isInFlight(document)) return 'running';
  return stateOf(document) === 'failed' ? 'failed' : null;
}
