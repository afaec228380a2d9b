import type { FiniClient, GenerateRequest, GenerationLimits } from '../fini/client.ts';
import { type Deadline, GRACE_MS, WaitEnded } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { FiniDocument, KnowledgeJob } from '../fini/schemas.ts';
import { MemoryStore } from '../store/memory-store.ts';
import type { Batch } from './batches.ts';
import { checkDrafts, type DraftCheck } from './draft-check.ts';
import { accountForDrafts, type FolderState, type GenerationReport } from './draft-report.ts';
import { inputKey } from './identity.ts';
import { isInFlight, type SourceState, stateOf } from './job-states.ts';
import { lookBeforeQueueing } from './look.ts';
import { Memory } from './memory.ts';
import { OPTIONAL_READ_SECONDS, optionalRead } from './optional-read.ts';
import { type ActiveWatch, Poller, pendingOf } from './poller.ts';
import { mayBeCarriedOut } from './recent.ts';
import { type JobKind, Wait, type WaitOptions } from './wait.ts';

/** Maximum number of jobs in one status request. */
const JOBS_A_REQUEST = 100;

/** The reason that nothing can be generated from a source yet. */
export type Unreadiness = 'absent' | 'failed' | 'running' | 'never_ingested';

/** Sources that nothing can be generated from. Nothing was sent. */
export class SourcesNotReady extends Error {
  override readonly name = 'SourcesNotReady';
  /** Reasons by source ID. */
  readonly reasons: ReadonlyMap<string, Unreadiness>;

  constructor(reasons: ReadonlyMap<string, Unreadiness>) {
    super(`${reasons.size} sources are not ready.`);
    this.reasons = reasons;
  }
}

/** There are no folders to write articles into, so no job could make a draft. Nothing was sent. */
export class NoFolders extends Error {
  override readonly name = 'NoFolders';
  /** The agent without folders; undefined if there are none at all. */
  readonly botId: string | undefined;

  constructor(botId: string | undefined) {
    super('There are no folders.');
    this.botId = botId;
  }
}

/** A generation that ended without a report, with what is known of its sources. */
export class GenerationError extends Error {
  override readonly name = 'GenerationError';
  /** Sources whose job is known to run, or to have run. */
  readonly queued: readonly string[];
  /** Sources that may have been queued: the request got no answer. */
  readonly doubtful: readonly string[];
  /** The handle of what was queued; null if nothing was. */
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

  /** True if a fault of this server ended the generation. */
  get isFault(): boolean {
    return !(this.cause instanceof FiniError || this.cause instanceof WaitEnded);
  }
}

const DRAFT_JOBS: JobKind<KnowledgeJob> = {
  idOf: ({ id }) => id,
  stateOf: draftJobState,
  statusOf: ({ jobStatus }) => jobStatus,
  // Each request has jobs of its own, so there is no earlier job to tell apart.
  isNews: () => true,
  isOlder: () => false,
  compact: (job) => job,
};

/** Polls the generation jobs that the calls of one workspace wait for. */
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
   * Reads the state of jobs. One unknown ID fails a whole request, so a failed request is repeated in
   * halves until only that ID is left, and the states of the others are not lost.
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
  /** The sources' records before the call, by ID. */
  readonly records: Map<string, FiniDocument>;
  /** Sources for which Fini queued a job without returning its ID. */
  readonly jobless: Set<string>;
  readonly limits: GenerationLimits;
  /** Says whether the call found folders; null if it has not looked. */
  folders: FolderState | null;
}

/** Generates drafts of articles from the sources of one workspace. */
export class Generation {
  readonly #fini: FiniClient;
  readonly #jobs: DraftJobs;
  readonly #memory: Memory;

  /**
   * @param pollIntervalMs The shortest pause between polls, in milliseconds.
   * @param memory Requests that earlier calls of this workspace have queued.
   */
  constructor(fini: FiniClient, pollIntervalMs: number, memory = new Memory(new MemoryStore())) {
    this.#fini = fini;
    this.#jobs = new DraftJobs(fini, pollIntervalMs);
    this.#memory = memory;
  }

  /**
   * Queues a job for each source that has none in progress here, and waits for all of them.
   *
   * @throws {SourcesNotReady} and {NoFolders} before anything is sent; {GenerationError} if there can be
   *   no report; the signal's reason when it is aborted.
   */
  async generate(request: GenerateRequest, options: WaitOptions): Promise<GenerationReport> {
    const wait = new Wait(DRAFT_JOBS, [...new Set(request.documentIds)], options);
    const handle = this.#memory.batches.newHandle();
    const { restrictedOps, botId } = request;
    const call = newCall(wait, handle, { restrictedOps, botId });
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
    { handle, inputs, idOf, limits = {} }: Batch,
    options: WaitOptions,
  ): Promise<GenerationReport> {
    const wait = new Wait(DRAFT_JOBS, inputs, options);
    const call = newCall(wait, handle, limits);
    for (const input of inputs) if (idOf[input] === undefined) call.jobless.add(input);
    return this.#account(call, async () => {
      for (const [input, id] of Object.entries(idOf)) {
        wait.add(input, { id, joined: true, processing: null }, null);
      }
    });
  }

  /** Waits after the work has queued or joined, and reports. An error has what is known so far. */
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
      const check = await this.#checkMade(call);
      return accountForDrafts({ ...call, batch, check });
    } catch (error) {
      wait.deadline.signal.throwIfAborted();
      if (error instanceof SourcesNotReady || error instanceof NoFolders) throw error;
      await this.#keepBatch(call);
      const queued = wait.inputs.filter(isQueued);
      const { doubtful } = wait.standing();
      const batch = queued.length > 0 ? handle : null;
      throw new GenerationError({ queued, doubtful, batch }, error);
    }
  }

  /** Joins running jobs, holds back sources that may have one, and queues the rest in one request. */
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

  /** Keeps what is queued or joined for later calls. */
  async #keepBatch({ wait, handle, jobless, limits }: DraftWait): Promise<void> {
    const queued = wait.inputs.filter((id) => wait.known.has(id) || jobless.has(id));
    if (queued.length === 0) return;
    await this.#memory.batches.keep({
      handle,
      kind: 'drafts',
      inputs: queued,
      ids: [...wait.known.values()].map(({ id }) => id),
      idOf: Object.fromEntries([...wait.known].map(([input, { id }]) => [input, id])),
      queuedAfter: null,
      limits,
    });
  }

  async #send(request: GenerateRequest, rest: readonly string[], call: DraftWait): Promise<void> {
    const { wait, handle, jobless } = call;
    const deadline = wait.deadline.extend(GRACE_MS);
    await this.#check(rest, call, deadline);
    call.folders = await this.#lookForFolders(call.limits, deadline);
    if (call.folders === 'none') throw new NoFolders(call.limits.botId);
    wait.progress('queueing');
    // Until the request has an answer, no one can say whether the sources are queued.
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

  /** Looks at the sources before anything is queued, with up to eight requests. */
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

  /** Looks whether there are folders; `unknown` if the tree, which is a snapshot, cannot be read. */
  async #lookForFolders({ botId }: GenerationLimits, deadline: Deadline): Promise<FolderState> {
    const read = this.#fini.folderTree(botId, deadline.atMost(OPTIONAL_READ_SECONDS));
    const tree = await optionalRead(read, deadline);
    if (tree instanceof FiniError) return 'unknown';
    if (tree.folders.length > 0) return 'some';
    return tree.unreadable > 0 ? 'unknown' : 'none';
  }

  /** Checks the drafts that were made; if there are none, looks for the cause if nobody has looked. */
  async #checkMade(call: DraftWait): Promise<DraftCheck> {
    const { wait, limits } = call;
    const jobs = [...wait.tracked.values()].flatMap(({ record }) => record ?? []);
    const ended = jobs.filter(({ jobStatus }) => jobStatus === 'COMPLETED');
    const made = ended.flatMap(({ hcArticleId }) => hcArticleId ?? []);
    const deadline = wait.deadline.extend(GRACE_MS);
    if (made.length > 0) return checkDrafts(this.#fini, made, deadline);
    if (ended.length > 0) call.folders ??= await this.#lookForFolders(limits, deadline);
    return { drafts: new Map(), isWhole: true };
  }

  /** Forgets jobs that have ended or are unknown to Fini: their sources may be used again. */
  async #forgetEnded({ known, tracked }: Wait<KnowledgeJob>): Promise<void> {
    const ended = [...known].flatMap(([input, { id }]) => {
      const { record = null, gone = false } = tracked.get(id) ?? {};
      const hasEnded = record !== null && draftJobState(record) !== 'unfinished';
      return hasEnded || gone ? [input] : [];
    });
    await this.#memory.drafts.forget(ended);
  }
}

function newCall(wait: Wait<KnowledgeJob>, handle: string, limits: GenerationLimits): DraftWait {
  return { wait, handle, limits, records: new Map(), jobless: new Set(), folders: null };
}

/** The job IDs in an answer, by source as far as the answer tells. */
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
  // A job that doesn't name its source can only be the last source's.
  if (source && jobId && !anotherSource && !anotherJob) idOf.set(source, jobId);
  return { idOf, ids: [...idOf.values()] };
}

function draftJobState({ jobStatus }: KnowledgeJob): SourceState {
  if (jobStatus === 'FAILED') return 'failed';
  return jobStatus === 'COMPLETED' ? 'completed' : 'unfinished';
}

/** True if Fini refused the request because of an ID in it, not because of the key or its limit. */
function isAboutAnId(error: unknown): boolean {
  return error instanceof FiniError && (error.status === 400 || error.status === 404);
}

/** The reason that nothing can be generated from a source yet. Fini judges those not looked at. */
function unreadinessOf(document: FiniDocument | undefined): Unreadiness | null {
  if (document === undefined) return null;
  if (!document.linkedJobStatus) return 'never_ingested';
  if (isInFlight(document)) return 'running';
  return stateOf(document) === 'failed' ? 'failed' : null;
}
