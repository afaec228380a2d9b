import type { Deadline } from '../fini/deadline.ts';
import type { FiniError } from '../fini/errors.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import type { Baseline } from './freshness.ts';
import type { Processing, SourceState } from './job-states.ts';
import type { Poller } from './poller.ts';

/** The progress of a wait. */
export interface WaitProgress {
  /** Number of items in the call. */
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  /** The current phase: before queueing, while queueing, or while jobs run. */
  readonly phase: 'checking' | 'queueing' | 'waiting';
  /** Number of jobs that are running now. */
  readonly inProgress: number;
  /** The error that kept Fini from answering the last status check, or null. */
  readonly trouble: FiniError | null;
}

/** Options of a wait. */
export interface WaitOptions {
  /** The end of the wait. Queued jobs stay queued after it. */
  readonly deadline: Deadline;
  /** The requested seconds, if the deadline is earlier because the client asked for no progress. */
  readonly askedSeconds?: number | undefined;
  readonly onProgress: (progress: WaitProgress) => void;
  /** Called with each source whose job has changed its status, and with the status before. */
  readonly onChange?: ((document: FiniDocument, before: string | null) => void) | undefined;
}

/** A wait that ended early because its client asked for no progress. */
export interface EndedEarly {
  readonly waitedSeconds: number;
  readonly askedSeconds: number;
}

/** A source or a job that a wait follows to its end. */
export interface Tracked<Job> {
  readonly id: string;
  /** The latest record; null while Fini has shown none. */
  record: Job | null;
  /** True if the record shows the job that is waited for, not the one before. */
  fresh: boolean;
  /** True if Fini no longer has it. */
  gone: boolean;
  /** True if it has no job and none is on its way, so there is nothing to wait for. */
  neverQueued: boolean;
  /** The baseline that tells its new job from the one before; null if there is none. */
  readonly baseline: Baseline | null;
}

/** A kind of job, with the functions that a wait needs for it. */
export interface JobKind<Job> {
  readonly idOf: (job: Job) => string;
  readonly stateOf: (job: Job) => SourceState;
  readonly statusOf: (job: Job) => string | null;
  /** True if a record is news of the job that is waited for. */
  readonly isNews: (job: Job, baseline: Baseline | null) => boolean;
  /** True if a record was read before the known one. */
  readonly isOlder: (job: Job, known: Job | null) => boolean;
  /** The record without the parts that no report shows, so that a long wait holds less. */
  readonly compact: (job: Job) => Job;
}

/** An input whose ID is known. */
export interface KnownInput {
  readonly id: string;
  /** True if its job was queued before this call, which waits for it instead of queueing it again. */
  readonly joined: boolean;
  /** The job's settings, if this process knows them. */
  readonly processing: Processing | null;
}

/** The state of a wait's inputs at some moment. */
export interface Standing {
  /** IDs that this call queued, or was told to wait for. */
  readonly queued: readonly string[];
  /** IDs whose jobs were queued before and are waited for. */
  readonly joined: readonly string[];
  /** Inputs that may have been queued: a request for them got no answer. */
  readonly doubtful: readonly string[];
  /** Inputs that were surely not queued. */
  readonly notQueued: readonly string[];
}

const NOTHING_SENT = { inputs: [], ids: [] };

/** One call's wait: its inputs, and what is known of each. */
export class Wait<Job> {
  readonly inputs: readonly string[];
  readonly deadline: Deadline;
  /** Sources or jobs by ID. */
  readonly tracked = new Map<string, Tracked<Job>>();
  /** Known IDs by input. */
  readonly known = new Map<string, KnownInput>();
  /** Inputs that this call has queued, with the IDs that Fini returned for them in any order. */
  sent: { readonly inputs: readonly string[]; readonly ids: readonly string[] } = NOTHING_SENT;
  /** Inputs that may be queued already. */
  readonly doubtful = new Set<string>();
  /** Seconds after which to call again for inputs that are held back. */
  heldSeconds = 0;
  /** The error that kept Fini from answering the last status check, or null. */
  trouble: FiniError | null = null;
  readonly #kind: JobKind<Job>;
  readonly #options: WaitOptions;
  readonly #onStep: (job: Job, before: string | null) => void;

  /** @param onStep Called with each job that has changed its status, and with the status before. */
  constructor(
    kind: JobKind<Job>,
    inputs: readonly string[],
    options: WaitOptions,
    onStep: (job: Job, before: string | null) => void = () => undefined,
  ) {
    this.inputs = inputs;
    this.deadline = options.deadline;
    this.#kind = kind;
    this.#options = options;
    this.#onStep = onStep;
  }

  /** Waits for the known source or job of an input. */
  add(input: string, known: KnownInput, baseline: Baseline | null): void {
    this.known.set(input, known);
    this.#track(known.id, baseline);
  }

  /** Waits for everything that a request has queued. */
  addSent(
    inputs: readonly string[],
    ids: readonly string[],
    baselineOf: (id: string) => Baseline | null,
  ): void {
    this.markCertain(inputs);
    this.sent = { inputs, ids };
    for (const id of ids) this.#track(id, baselineOf(id));
  }

  /** Notes that it is unknown whether these inputs are queued. */
  markDoubtful(inputs: Iterable<string>): void {
    for (const input of inputs) this.doubtful.add(input);
  }

  /** Notes that it is known whether these inputs are queued. */
  markCertain(inputs: Iterable<string>): void {
    for (const input of inputs) this.doubtful.delete(input);
  }

  /** Notes that these inputs may already be queued, and when to call again for each. */
  markHeld(heldMs: ReadonlyMap<string, number>): void {
    this.markDoubtful(heldMs.keys());
    this.heldSeconds = Math.ceil(Math.max(0, ...heldMs.values()) / 1000);
  }

  /**
   * Takes a record's news. Returns true if it needs no more watching.
   *
   * @param neverQueued True if it has no job, and none is on its way.
   */
  takeRecord(record: Job, neverQueued = false): boolean {
    const { idOf, isNews, isOlder, compact, statusOf } = this.#kind;
    const tracked = this.tracked.get(idOf(record));
    if (tracked === undefined) return true;
    const news = isNews(record, tracked.baseline);
    // Answers can arrive out of order. With a baseline, the job ID shows which record is newer;
    // without one, compare `updatedAt`.
    const isSure = news && tracked.baseline !== null;
    if (!isSure && isOlder(record, tracked.record)) return this.#isSettled(tracked);
    const before = tracked.fresh && tracked.record !== null ? statusOf(tracked.record) : null;
    tracked.record = compact(record);
    tracked.neverQueued = neverQueued;
    tracked.fresh ||= news;
    if (tracked.fresh && statusOf(record) !== before) this.#onStep(tracked.record, before);
    return this.#isSettled(tracked) || neverQueued;
  }

  /** The state of a source or job, as far as it was followed. */
  stateOf(tracked: Tracked<Job>): SourceState {
    if (tracked.gone) return 'failed';
    return tracked.fresh && tracked.record !== null
      ? this.#kind.stateOf(tracked.record)
      : 'unfinished';
  }

  /**
   * Waits until every job has ended, or the time is over.
   *
   * @param since The oldest change that may matter; null for any.
   * @param isNew True if all of it was queued a moment ago, so nothing can have ended yet.
   * @param wasNeverQueued Returns true if a record has no job, and none is on its way.
   * @param onRound Called after each round of polling.
   * @throws as {@link Poller.watch} does.
   */
  async watch(
    poller: Poller<Job>,
    since: number | null,
    {
      isNew = false,
      wasNeverQueued = () => false,
      onRound = () => undefined,
    }: {
      readonly isNew?: boolean;
      readonly wasNeverQueued?: (job: Job) => boolean | Promise<boolean>;
      readonly onRound?: () => void | Promise<void>;
    } = {},
  ): Promise<void> {
    this.progress('waiting');
    const watch = {
      ids: this.tracked.keys(),
      // A job that was queued before this call may also have ended before it.
      since: this.#hasUnshown() ? null : since,
      isNew,
      take: async (job: Job) => this.takeRecord(job, await wasNeverQueued(job)),
      onGone: (id: string) => {
        const tracked = this.tracked.get(id);
        if (tracked !== undefined) tracked.gone = true;
      },
      onRound: async (trouble: FiniError | null) => {
        this.trouble = trouble;
        this.progress('waiting');
        await onRound();
      },
    };
    await poller.watch(watch, this.deadline);
  }

  /** Reports progress. */
  progress(phase: WaitProgress['phase']): void {
    const all = [...this.tracked.values()];
    const count = (state: SourceState) => all.filter((one) => this.stateOf(one) === state).length;
    const isRunning = ({ record }: Tracked<Job>) =>
      record !== null && this.#kind.statusOf(record) === 'IN_PROGRESS';
    this.#options.onProgress({
      total: this.inputs.length,
      completed: count('completed'),
      failed: count('failed'),
      phase,
      inProgress: all.filter(isRunning).length,
      trouble: this.trouble,
    });
  }

  /** The state of the inputs so far. */
  standing(): Standing {
    const known = [...this.known.values()];
    const idsOf = (joined: boolean) =>
      known.filter((one) => one.joined === joined).map((one) => one.id);
    const queued = new Set([...this.sent.ids, ...idsOf(false)]);
    const sent = new Set(this.sent.inputs);
    const isNotQueued = (input: string) =>
      !this.known.has(input) && !sent.has(input) && !this.doubtful.has(input);
    return {
      queued: [...queued],
      joined: [...new Set(idsOf(true))].filter((id) => !queued.has(id)),
      doubtful: this.inputs.filter((input) => this.doubtful.has(input)),
      notQueued: this.inputs.filter(isNotQueued),
    };
  }

  /** Describes a wait that ended earlier than requested; null if it did not. */
  endedEarly(hasUnfinished: boolean): EndedEarly | null {
    const { askedSeconds } = this.#options;
    if (askedSeconds === undefined || !hasUnfinished) return null;
    return { waitedSeconds: Math.round(this.deadline.elapsedSeconds), askedSeconds };
  }

  /** True if it waits for jobs that were queued earlier and whose records it has not seen. */
  #hasUnshown(): boolean {
    return [...this.known.values()].some(
      ({ id, joined }) => joined && this.tracked.get(id)?.record === null,
    );
  }

  #track(id: string, baseline: Baseline | null): void {
    if (this.tracked.has(id)) return;
    const young = { record: null, fresh: false, gone: false, neverQueued: false };
    this.tracked.set(id, { id, ...young, baseline });
  }

  #isSettled(tracked: Tracked<Job>): boolean {
    return this.stateOf(tracked) !== 'unfinished';
  }
}
