import type { FiniDocument } from '../fini/documents.ts';
import type { FiniError } from '../fini/errors.ts';
import { type Baseline, isFresh } from './baseline.ts';
import { accountFor, isSettled, type Report, reportedState, type TrackedSource } from './report.ts';
import { isInFlight } from './states.ts';

/** How far a wait has come. */
export interface WaitProgress {
  /** How many items were handed in. */
  readonly total: number;
  readonly completed: number;
  readonly failed: number;
  /** What happens now: before queueing, while queueing, or while jobs run. */
  readonly phase: 'checking' | 'queueing' | 'waiting';
  /** Sources whose job runs at this moment. */
  readonly inProgress: number;
  /** What kept Fini from answering the last look, or null. */
  readonly trouble: FiniError | null;
}

/** What a wait takes besides its items. */
export interface WaitOptions {
  /** How long to wait for the jobs' ends, in seconds, from `startedAt` on. */
  readonly timeoutSeconds: number;
  /** When the call began, by `performance.now()`: something else may have come first. */
  readonly startedAt: number;
  /** Ends the wait at once; what is queued stays queued. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: WaitProgress) => void;
  /** Told of each source whose job has come a step further, and of where it was before. */
  readonly onChange?: (document: FiniDocument, before: string | null) => void;
}

/** What is left for waiting where what came before has taken all the time. */
const SHORTEST_WAIT_MS = 1_000;
/**
 * How far queueing, and the look before it, may go on after the wait's time is over. A report of
 * what is queued is worth it, and without this a call of too little time could be made for ever.
 */
const LAST_ANSWER_MS = 5_000;

/** What one call is waiting for, and how it stands. */
export class Wait {
  /** Aborted by the caller, or by the time-out. */
  readonly signal: AbortSignal;
  /** The same some seconds later, for what comes before the waiting. */
  readonly preparing: AbortSignal;
  readonly #inputs: readonly string[];
  readonly #options: WaitOptions;
  readonly #sources = new Map<string, TrackedSource & { readonly baseline: Baseline | null }>();
  readonly #startedAt: number;
  readonly #timers: readonly NodeJS.Timeout[];
  #held: readonly string[] = [];
  #trouble: FiniError | null = null;

  constructor(inputs: readonly string[], options: WaitOptions) {
    this.#inputs = inputs;
    this.#options = options;
    const now = performance.now();
    this.#startedAt = options.startedAt;
    const total = options.timeoutSeconds * 1000;
    const left = Math.max(this.#startedAt + total - now, Math.min(total, SHORTEST_WAIT_MS));
    const timeout = new AbortController();
    const lastAnswer = new AbortController();
    const abort = (controller: AbortController) =>
      controller.abort(new Error(`The ${options.timeoutSeconds} s of this wait ran out.`));
    this.#timers = [
      setTimeout(abort, left, timeout),
      setTimeout(abort, left + LAST_ANSWER_MS, lastAnswer),
    ];
    this.signal = AbortSignal.any([options.signal, timeout.signal]);
    this.preparing = AbortSignal.any([options.signal, lastAnswer.signal]);
  }

  get isCancelled(): boolean {
    return this.#options.signal.aborted;
  }

  get ids(): string[] {
    return [...this.#sources.keys()];
  }

  track(id: string, how: { baseline: Baseline | null; joined: boolean }): void {
    if (this.#sources.has(id)) return;
    this.#sources.set(id, { id, document: null, fresh: false, gone: false, ...how });
  }

  /** Leaves inputs out that are not to be queued yet. */
  hold(inputs: readonly string[]): void {
    this.#held = inputs;
  }

  /** Takes a record's news. The answer is whether the source needs no more watching. */
  take(document: FiniDocument): boolean {
    const source = this.#sources.get(document.id);
    if (source === undefined) return true;
    // Reports count paragraphs and never show them, so a long wait need not hold on to them.
    const before = source.fresh ? (source.document?.linkedJobStatus ?? null) : null;
    source.document = { ...document, paragraphs: [] };
    source.fresh ||=
      isInFlight(document) || source.baseline === null || isFresh(document, source.baseline);
    if (source.fresh && document.linkedJobStatus !== before) {
      this.#options.onChange?.(source.document, before);
    }
    return isSettled(source);
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
    const elapsedSeconds = Math.round((performance.now() - this.#startedAt) / 100) / 10;
    const details = { elapsedSeconds, queuedAfter, trouble: this.#trouble };
    return accountFor(this.#sources.values(), this.#inputs, this.#held, details);
  }

  end(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
