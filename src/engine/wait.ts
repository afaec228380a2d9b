import type { CallOptions, TimedCall } from '../fini/call-options.ts';
import type { FiniDocument } from '../fini/documents.ts';
import type { FiniError } from '../fini/errors.ts';
import { type Baseline, isNews, isOlder } from './freshness.ts';
import type { JoinableGroup } from './recent.ts';
import {
  accountFor,
  isSettled,
  type Known,
  type Processing,
  type Queued,
  type Report,
  reportedState,
  type TrackedSource,
} from './source-report.ts';
import { Deadline } from './wait-deadline.ts';

/** What is true of a wait's items at some moment; each input counts in one of these. */
export interface Fate {
  /** IDs that Fini gave when this call queued, or that the call was told to wait for. */
  readonly queued: readonly string[];
  /** IDs of sources whose jobs were queued before and are waited for. */
  readonly joined: readonly string[];
  /** Inputs that may have been queued: a request for them had no answer. */
  readonly doubtful: readonly string[];
  /** Inputs that were surely not queued. */
  readonly left: readonly string[];
  /** The call queues nothing, and Fini has shown none of its sources. */
  readonly unread: boolean;
}

/** How far a wait has come. */
export interface WaitProgress {
  /** How many items were passed. */
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  /** The current phase: before queueing, while queueing, or while jobs run. */
  readonly phase: 'checking' | 'queueing' | 'waiting';
  /** Sources whose job runs at this moment. */
  readonly inProgress: number;
  /** Why Fini did not answer the last status check, or null. */
  readonly trouble: FiniError | null;
}

/** What a wait takes besides its items. */
export interface WaitOptions {
  /** How long to wait for the jobs' ends, in seconds, from `startedAt` on. */
  readonly timeoutSeconds: number;
  /** When the call started, by `performance.now()`: other steps may have come first. */
  readonly startedAt: number;
  /** Ends the wait at once; what is queued stays queued. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: WaitProgress) => void;
  /** Told when the next request has to wait because of Fini's limit. */
  readonly onPause?: CallOptions['onPause'];
  /** Told of each source whose job has come a step further, and of where it was before. */
  readonly onChange?: (document: FiniDocument, before: string | null) => void;
}

/** What one call is waiting for, and how it stands. */
export class Wait {
  readonly #deadline: Deadline;
  readonly #inputs: readonly string[];
  readonly #options: WaitOptions;
  readonly #asked: Processing | null;
  readonly #sources = new Map<string, TrackedSource & { readonly baseline: Baseline | null }>();
  /** By input: the source that it is known to mean. */
  readonly #known = new Map<string, Known>();
  readonly #queued: Queued[] = [];
  readonly #doubtful = new Set<string>();
  #heldSeconds = 0;
  #trouble: FiniError | null = null;

  /** @param asked How the call wants its items processed; null where it queues nothing. */
  constructor(inputs: readonly string[], options: WaitOptions, asked: Processing | null = null) {
    this.#inputs = inputs;
    this.#asked = asked;
    this.#options = options;
    this.#deadline = new Deadline(options);
  }

  /** Aborted by the caller, or by the time-out. */
  get signal(): AbortSignal {
    return this.#deadline.signal;
  }

  /** For requests before the waiting: they may take some seconds longer. */
  get preparing(): TimedCall {
    return this.#deadline.preparing;
  }

  /** The caller's signal, whose end is no end of the wait's own. */
  get cancellation(): AbortSignal {
    return this.#options.signal;
  }

  get onPause(): CallOptions['onPause'] {
    return this.#options.onPause;
  }

  /** Whether all that it waits for was queued by this very call. */
  get hasQueuedAll(): boolean {
    return this.#known.size === 0 && this.#queued.every(({ joined }) => !joined);
  }

  /** Whether it waits for jobs that were queued before, whose records it has not been shown. */
  get hasUnshown(): boolean {
    const joined = [
      ...[...this.#known.values()].flatMap(({ id, joined }) => (joined ? [id] : [])),
      ...this.#queued.flatMap(({ ids, joined }) => (joined ? ids : [])),
    ];
    return joined.some((id) => this.#sources.get(id)?.document === null);
  }

  get ids(): string[] {
    return [...this.#sources.keys()];
  }

  /** Waits for a source that an input means: its job was queued before. */
  follow(input: string, known: Known, baseline: Baseline | null): void {
    this.#known.set(input, known);
    this.#track(known.id, baseline);
  }

  /** Notes that nobody knows whether these inputs are queued. */
  doubt(inputs: readonly string[]): void {
    for (const input of inputs) this.#doubtful.add(input);
  }

  /** Notes that these inputs are surely not queued. */
  release(inputs: readonly string[]): void {
    for (const input of inputs) this.#doubtful.delete(input);
  }

  /** Notes that these inputs may be queued, and when to call again for them. */
  hold(inputs: readonly string[], seconds: number): void {
    this.doubt(inputs);
    this.#heldSeconds = Math.max(this.#heldSeconds, seconds);
  }

  /** Waits for what a request has queued. */
  queued(inputs: readonly string[], ids: readonly string[], baseline: Baseline): void {
    this.release(inputs);
    this.#queued.push({ inputs, ids, joined: false });
    for (const id of ids) this.#track(id, baseline);
  }

  /** Waits for what a call before has queued together. */
  joinGroup({ inputs, ids, baseline, processing }: JoinableGroup): void {
    this.#queued.push({ inputs, ids, joined: true, processing });
    for (const id of ids) this.#track(id, baseline);
  }

  #track(id: string, baseline: Baseline | null): void {
    if (this.#sources.has(id)) return;
    const source = { id, document: null, fresh: false, gone: false, neverQueued: false, baseline };
    this.#sources.set(id, source);
  }

  /** What is true of the items so far. */
  fate(): Fate {
    const known = [...this.#known.values()];
    const joined = this.#queued.flatMap((request) => (request.joined ? request.ids : []));
    const ids = [
      ...this.#queued.flatMap((request) => (request.joined ? [] : request.ids)),
      ...known.flatMap(({ id, joined }) => (joined ? [] : [id])),
    ];
    const queued = new Set(ids);
    const doubtful = this.#inputs.filter((input) => this.#doubtful.has(input));
    const sent = new Set(this.#queued.flatMap((request) => request.inputs));
    return {
      queued: [...queued],
      joined: [...new Set([...known.map(({ id }) => id), ...joined])].filter(
        (id) => !queued.has(id),
      ),
      doubtful,
      left: this.#inputs.filter(
        (input) => !this.#known.has(input) && !sent.has(input) && !this.#doubtful.has(input),
      ),
      unread:
        this.#asked === null &&
        [...this.#sources.values()].every(({ document }) => document === null),
    };
  }

  /**
   * Takes a record's news. The answer is whether the source needs no more watching.
   *
   * @param neverQueued It has no job, and none is on its way.
   */
  take(document: FiniDocument, neverQueued = false): boolean {
    const source = this.#sources.get(document.id);
    if (source === undefined) return true;
    const news = isNews(document, source.baseline);
    // A slow answer may tell of the old job last. A new job counts whatever Fini's clocks say, but
    // without a baseline nothing else tells which of two records is the newer.
    const isSure = news && source.baseline !== null;
    if (!isSure && isOlder(document, source.document)) return isSettled(source);
    // Reports count paragraphs and never show them, so a long wait need not hold on to them.
    const before = source.fresh ? (source.document?.linkedJobStatus ?? null) : null;
    source.document = { ...document, paragraphs: [] };
    source.neverQueued = neverQueued;
    source.fresh ||= news;
    if (source.fresh && document.linkedJobStatus !== before) {
      this.#options.onChange?.(source.document, before);
    }
    return isSettled(source) || neverQueued;
  }

  lose(id: string): void {
    const source = this.#sources.get(id);
    if (source !== undefined) source.gone = true;
  }

  endRound(trouble: FiniError | null): void {
    this.#trouble = trouble;
    this.progress('waiting');
  }

  progress(phase: WaitProgress['phase']): void {
    const sources = [...this.#sources.values()];
    const count = (state: string) => sources.filter((item) => reportedState(item) === state).length;
    this.#options.onProgress({
      total: this.#inputs.length,
      completed: count('completed'),
      failed: count('failed'),
      phase,
      inProgress: sources.filter(({ document }) => document?.linkedJobStatus === 'IN_PROGRESS')
        .length,
      trouble: this.#trouble,
    });
  }

  report(queuedAfter: number | null): Report {
    const { elapsedSeconds } = this.#deadline;
    const items = {
      inputs: this.#inputs,
      asked: this.#asked,
      sources: this.#sources,
      known: this.#known,
      queued: this.#queued,
      held: this.#doubtful,
      heldSeconds: Math.ceil(this.#heldSeconds),
    };
    return accountFor(items, { elapsedSeconds, queuedAfter, trouble: this.#trouble });
  }

  end(): void {
    this.#deadline.end();
  }
}
