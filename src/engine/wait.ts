import type { Deadline } from '../fini/deadline.ts';
import type { FiniError } from '../fini/errors.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import type { Baseline } from './freshness.ts';
import type { Processing, SourceState } from './job-states.ts';
import type { Poller } from './poller.ts';

/** How far a wait has come. */
export interface WaitProgress {
  /** How many items were passed. */
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  /** The current phase: before queueing, while queueing, or while jobs run. */
  readonly phase: 'checking' | 'queueing' | 'waiting';
  /** How many jobs run at this moment. */
  readonly inProgress: number;
  /** Why Fini did not answer the last status check, or null. */
  readonly trouble: FiniError | null;
}

/** How a call waits. */
export interface WaitOptions {
  /** Until when. What is queued stays queued after it. */
  readonly deadline: Deadline;
  /** The seconds that were asked for, if the deadline comes earlier since the client hears no progress. */
  readonly askedSeconds?: number | undefined;
  readonly onProgress: (progress: WaitProgress) => void;
  /** Told of each source whose job has come a step further, and of where it was before. */
  readonly onChange?: ((document: FiniDocument, before: string | null) => void) | undefined;
}

/** A wait that ended before its time, since its client asked for no progress. */
export interface EndedEarly {
  readonly waitedSeconds: number;
  readonly askedSeconds: number;
}

/** A source or a job of a wait, followed to its end. */
export interface Tracked<Job> {
  readonly id: string;
  /** Its latest record; null while Fini has shown none. */
  record: Job | null;
  /** The record tells of the job that is waited for, and not of the one before it. */
  fresh: boolean;
  /** Fini does not have it any more. */
  gone: boolean;
  /** It has no job and none is on its way, so there is nothing to wait for. */
  neverQueued: boolean;
  /** The baseline that tells its new job from the one before; null if nothing does. */
  readonly baseline: Baseline | null;
}

/** A kind of jobs, as a wait has to know it. */
export interface JobKind<Job> {
  readonly idOf: (job: Job) => string;
  readonly stateOf: (job: Job) => SourceState;
  readonly statusOf: (job: Job) => string | null;
  /** Tells whether a record is news of the job that is waited for. */
  readonly isNews: (job: Job, baseline: Baseline | null) => boolean;
  /** Tells whether a record was read before the one that is known. */
  readonly isOlder: (job: Job, known: Job | null) => boolean;
  /** The record without what no report shows: a long wait need not hold on to it. */
  readonly compact: (job: Job) => Job;
}

/** An input whose ID is known. */
export interface KnownInput {
  readonly id: string;
  /** Its job was queued before this call, which waits for it instead of queueing it again. */
  readonly joined: boolean;
  /** How that job processes its source, if this process knows. */
  readonly processing: Processing | null;
}

/** The state of a wait's inputs at some moment. */
export interface Standing {
  /** IDs that Fini gave when this call queued, or that the call was told to wait for. */
  readonly queued: readonly string[];
  /** IDs whose jobs were queued before and are waited for. */
  readonly joined: readonly string[];
  /** Inputs that may have been queued: a request for them had no answer. */
  readonly doubtful: readonly string[];
  /** Inputs that were surely not queued. */
  readonly notQueued: readonly string[];
}

const NOTHING_SENT = { inputs: [], ids: [] };

/** One call's wait: its inputs, and what is known of each. */
export class Wait<Job> {
  readonly inputs: readonly string[];
  readonly deadline: Deadline;
  /** By ID. */
  readonly tracked = new Map<string, Tracked<Job>>();
  /** By input. */
  readonly known = new Map<string, KnownInput>();
  /** Inputs that this call has queued, and the IDs that Fini gave for them, in any order. */
  sent: { readonly inputs: readonly string[]; readonly ids: readonly string[] } = NOTHING_SENT;
  /** Inputs that may be queued already. */
  readonly doubtful = new Set<string>();
  /** When to call again for inputs that are held back, in seconds. */
  heldSeconds = 0;
  /** The error that kept Fini from answering the last status check, or null. */
  trouble: FiniError | null = null;
  readonly #kind: JobKind<Job>;
  readonly #options: WaitOptions;
  readonly #onStep: (job: Job, before: string | null) => void;

  /** @param onStep Told of each job that has come a step further, and of where it was before. */
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

  /** Waits for what an input is known to mean. */
  add(input: string, known: KnownInput, baseline: Baseline | null): void {
    this.known.set(input, known);
    this.#track(known.id, baseline);
  }

  /** Waits for what a request has queued. */
  addSent(
    inputs: readonly string[],
    ids: readonly string[],
    baselineOf: (id: string) => Baseline | null,
  ): void {
    this.markCertain(inputs);
    this.sent = { inputs, ids };
    for (const id of ids) this.#track(id, baselineOf(id));
  }

  /** Notes that nobody knows whether these inputs are queued. */
  markDoubtful(inputs: Iterable<string>): void {
    for (const input of inputs) this.doubtful.add(input);
  }

  /** Notes that it is known of these inputs whether they are queued. */
  markCertain(inputs: Iterable<string>): void {
    for (const input of inputs) this.doubtful.delete(input);
  }

  /** Notes that these inputs may be queued already, and when to call again for each. */
  markHeld(heldMs: ReadonlyMap<string, number>): void {
    this.markDoubtful(heldMs.keys());
    this.heldSeconds = Math.ceil(Math.max(0, ...heldMs.values()) / 1000);
  }

  /**
   * Takes a record's news. The answer is whether it needs no more watching.
   *
   * @param neverQueued It has no job, and none is on its way.
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

  /** The state of something, as far as it was followed. */
  stateOf(tracked: Tracked<Job>): SourceState {
    if (tracked.gone) return 'failed';
    return tracked.fresh && tracked.record !== null
      ? this.#kind.stateOf(tracked.record)
      : 'unfinished';
  }

  /**
   * Waits until everything has ended, or the time is over.
   *
   * @param since The oldest change that may matter; null for any.
   * @param isNew All of it was queued a moment ago, so nothing can have ended yet.
   * @param wasNeverQueued Whether a record has no job, and none is on its way.
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
      // A job that was queued before this call may have ended before it, too.
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

  /** Reports how far it has come. */
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

  /** Says that the time was over earlier than was asked, and why, if that is so; else null. */
  endedEarly(hasUnfinished: boolean): EndedEarly | null {
    const { askedSeconds } = this.#options;
    if (askedSeconds === undefined || !hasUnfinished) return null;
    return { waitedSeconds: Math.round(this.deadline.elapsedSeconds), askedSeconds };
  }

  /** Tells whether it waits for jobs that were queued before, whose records it has not been shown. */
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
