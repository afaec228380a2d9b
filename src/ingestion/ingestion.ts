import { setTimeout as sleep } from 'node:timers/promises';
import type { FiniClient, IngestRequest } from '../fini/client.ts';
import { type FiniDocument, type QueuedDocuments, queuedIds } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import { type Baseline, isFresh, type Snapshot, takeSnapshot } from './baseline.ts';
import { inputKey, inputsOf, withoutDuplicates, withoutRepetitions } from './inputs.ts';
import { NewestChanges } from './newest-changes.ts';
import { forEachAtOnce, orAborted, withResolvers } from './promises.ts';
import {
  accountFor,
  isSettled,
  matchByKeys,
  type Report,
  reportedState,
  STRICT_KEYS,
  type TrackedSource,
} from './report.ts';
import { SharedRun } from './shared-run.ts';
import { isInFlight, timeOf } from './states.ts';
import { Watcher } from './watcher.ts';

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

/**
 * A wait that ended without a report. `stage` says what is true of the items: nothing was queued;
 * nobody knows whether `items` were; or they are queued and only the waiting ended.
 */
export class IngestionError extends Error {
  override readonly name = 'IngestionError';
  readonly stage: 'not_queued' | 'maybe_queued' | 'queued';
  /** The inputs that may have been queued, or the IDs of the sources that are. */
  readonly items: readonly string[];
  /** IDs of sources whose jobs were running before, and go on. */
  readonly joined: readonly string[];

  constructor(
    stage: IngestionError['stage'],
    items: readonly string[],
    joined: readonly string[],
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.stage = stage;
    this.items = items;
    this.joined = joined;
  }
}

/** What one call queued, remembered so that the same call made again queues nothing. */
interface Queueing {
  readonly inputs: readonly string[];
  /** Null where nobody knows whether anything was queued. */
  readonly ids: readonly string[] | null;
  /** The request may reach Fini yet. */
  readonly mayComeLate: boolean;
  readonly baseline: Baseline;
  /** When it is forgotten, by `performance.now()`. */
  readonly until: number;
}

/** The list as it is, and what of the inputs runs already. */
interface Running {
  readonly snapshot: Snapshot;
  readonly joined: Map<string, Joinable>;
}

/** An input whose job runs already, and what tells its end from the end of the job before. */
interface Joinable {
  readonly id: string;
  readonly document: FiniDocument;
  readonly baseline: Baseline | null;
}

/** A job that pends for longer is lost, by Fini's own word. */
const QUEUEING_REMEMBERED_MS = 15 * 60_000;
/** A new job that has not shown within this time was most likely never queued. */
const DOUBT_REMEMBERED_MS = 60_000;
/** What is left for waiting where what came before has taken all the time. */
const SHORTEST_WAIT_MS = 1_000;
/**
 * How far queueing, and the look before it, may go on after the wait's time is over. A report of
 * what is queued is worth it, and without this a call of too little time could be made for ever.
 */
const LAST_ANSWER_MS = 5_000;

/** Queueing, watching and accounting for the sources of one workspace. */
export class Ingestion {
  readonly #fini: FiniClient;
  readonly #pollIntervalMs: number;
  readonly #watcher: Watcher;
  /** The list as it is before queueing; calls that come at once share a look. */
  readonly #snapshots: SharedRun<Snapshot>;
  /** By input: what was queued lately. A record may not show a new job until it starts. */
  readonly #queuedLately = new Map<string, Queueing>();
  /** By input: the requests under way, since two calls at once must not queue the same twice. */
  readonly #beingQueued = new Map<string, Promise<unknown>>();

  /** @param pollIntervalMs The shortest pause between looks at Fini, in milliseconds. */
  constructor(fini: FiniClient, pollIntervalMs: number) {
    this.#fini = fini;
    this.#pollIntervalMs = pollIntervalMs;
    const changes = new NewestChanges(fini);
    this.#watcher = new Watcher(fini, changes, pollIntervalMs);
    this.#snapshots = new SharedRun((signal) => takeSnapshot(changes, signal));
  }

  /**
   * Queues what is not in flight already and waits for all of it.
   *
   * @throws {IngestionError} where there can be no report; the signal's reason when it is aborted.
   */
  async ingestAndWait(request: IngestRequest, options: WaitOptions): Promise<Report> {
    const wanted = withoutRepetitions(request);
    const inputs = inputsOf(wanted);
    const wait = new Wait(inputs, options);
    try {
      const snapshot = await this.#queue(wanted, inputs, wait);
      await this.#watch(wait, snapshot);
      // One later, since the newest change itself was there before.
      return wait.report(snapshot.newestChange + 1);
    } finally {
      wait.end();
    }
  }

  /**
   * Waits for sources whose jobs were queued before.
   *
   * @param queuedAfter As a report gave it: a terminal status from before it does not count.
   * @throws {IngestionError} once the key is refused; the signal's reason when it is aborted.
   */
  async waitFor(
    ids: readonly string[],
    queuedAfter: number | null,
    options: WaitOptions,
  ): Promise<Report> {
    const inputs = withoutDuplicates(ids);
    const wait = new Wait(inputs, options);
    const baseline =
      queuedAfter === null ? null : { newestChange: queuedAfter, records: new Map() };
    try {
      for (const id of inputs) wait.track(id, { baseline, joined: false });
      await this.#watch(wait, baseline);
      return wait.report(queuedAfter);
    } finally {
      wait.end();
    }
  }

  /**
   * Queues without waiting, and without a look at what runs already. `queuedAfter` is for
   * {@link waitFor}.
   *
   * @throws {FiniError}
   */
  async ingest(
    request: IngestRequest,
    signal: AbortSignal,
  ): Promise<{ queued: QueuedDocuments; queuedAfter: number | null }> {
    const wanted = withoutRepetitions(request);
    const queuedAfter = await this.newestChange(signal);
    const inputs = inputsOf(wanted);
    const baseline = { newestChange: queuedAfter ?? Number.NEGATIVE_INFINITY, records: new Map() };
    try {
      const queued = await this.#fini.ingestSources(wanted, { signal });
      this.#remember(inputs, baseline, { ids: queuedIds(queued), mayComeLate: false });
      return { queued, queuedAfter };
    } catch (error) {
      this.#rememberDoubt(inputs, baseline, error);
      throw error;
    }
  }

  /**
   * What tells the end of a job that is queued next from the end of the one before: one millisecond
   * after the newest change so far. Null where the list cannot be read, or is empty.
   */
  async newestChange(signal: AbortSignal): Promise<number | null> {
    try {
      const [newest] = (await this.#fini.listSources({ limit: 1 }, { signal })).documents;
      const changedAt = timeOf(newest?.updatedAt ?? null);
      return changedAt === null ? null : changedAt + 1;
    } catch (error) {
      // A key without read scope can queue all the same; one that is wrong cannot.
      if (error instanceof FiniError && error.status !== 401) return null;
      throw error;
    }
  }

  /** Joins what runs already and queues the rest. The answer is the list before queueing. */
  async #queue(request: IngestRequest, inputs: readonly string[], wait: Wait): Promise<Snapshot> {
    wait.progress('checking');
    const underWay = () => inputs.map((input) => this.#beingQueued.get(inputKey(input)));
    try {
      while (underWay().some((request) => request !== undefined)) {
        await orAborted(Promise.all(underWay()), wait.signal);
      }
    } catch (error) {
      if (wait.isCancelled) throw error;
      throw new IngestionError('not_queued', inputs, [], error);
    }
    const release = this.#reserve(inputs);
    try {
      const { snapshot, joined } = await this.#findCertain(inputs, wait);
      for (const [, { id, document, baseline }] of joined) {
        wait.track(id, { baseline, joined: true });
        wait.take(document);
      }
      const isNew = (input: string) => !joined.has(input);
      const remaining = {
        ...request,
        documentIdsToAdd: request.documentIdsToAdd.filter(isNew),
        documentIdsToRefresh: request.documentIdsToRefresh.filter(isNew),
      };
      if (inputs.some(isNew)) await this.#post(remaining, snapshot, wait);
      return snapshot;
    } finally {
      release();
    }
  }

  /** Makes other calls for these inputs wait until the answer is called. */
  #reserve(inputs: readonly string[]): () => void {
    const { promise: reservation, resolve: release } = withResolvers();
    const keys = inputs.map(inputKey);
    for (const key of keys) this.#beingQueued.set(key, reservation);
    return () => {
      for (const key of keys) {
        if (this.#beingQueued.get(key) === reservation) this.#beingQueued.delete(key);
      }
      release();
    };
  }

  /**
   * What runs already, once that is certain: what may have been queued a moment ago is looked for
   * until it shows, or until it would have shown.
   */
  async #findCertain(inputs: readonly string[], wait: Wait): Promise<Running> {
    for (;;) {
      const running = await this.#findRunning(inputs, wait);
      this.#resolveDoubts(running);
      const others = inputs.filter((input) => !running.joined.has(input));
      if (!others.some((input) => this.#mayComeLate(input))) return running;
      try {
        await sleep(this.#pollIntervalMs, undefined, { signal: wait.signal });
      } catch {
        if (wait.isCancelled) throw wait.signal.reason;
        const cause = new Error('A request before had no answer, and nothing shows yet.');
        const joined = [...running.joined.values()].map(({ id }) => id);
        throw new IngestionError('maybe_queued', others, joined, cause);
      }
    }
  }

  #mayComeLate(input: string): boolean {
    const queueing = this.#queuedLately.get(inputKey(input));
    return queueing?.mayComeLate === true && performance.now() < queueing.until;
  }

  /** Forgets the doubt about what has shown its new job: once that has ended, it may be queued. */
  #resolveDoubts({ joined }: Running): void {
    for (const [input, { document }] of joined) {
      const queueing = this.#queuedLately.get(inputKey(input));
      if (queueing === undefined || queueing.ids !== null) continue;
      const hasShown = isInFlight(document) || isFresh(document, queueing.baseline);
      if (hasShown) this.#queuedLately.delete(inputKey(input));
    }
  }

  async #findRunning(inputs: readonly string[], wait: Wait): Promise<Running> {
    try {
      const signal = wait.preparing;
      const snapshot = await this.#snapshots.join(signal);
      const running: Joinable[] = snapshot.inFlight.map((document) => ({
        id: document.id,
        document,
        baseline: null,
      }));
      const queueings = this.#queueingsFor(inputs);
      running.push(...(await this.#findQueuedLately(queueings, snapshot, signal)));
      const joined = matchByKeys(inputs, running, STRICT_KEYS, namesOf);
      joinNameless(inputs, queueings, running, joined);
      return { snapshot, joined };
    } catch (error) {
      if (wait.isCancelled) throw error;
      throw new IngestionError('not_queued', inputs, [], error);
    }
  }

  /** What was queued lately for these inputs. */
  #queueingsFor(inputs: readonly string[]): Set<Queueing> {
    const now = performance.now();
    for (const [key, { until }] of this.#queuedLately) {
      if (until < now) this.#queuedLately.delete(key);
    }
    const queueings = inputs.map((input) => this.#queuedLately.get(inputKey(input)));
    return new Set(queueings.filter((queueing) => queueing !== undefined));
  }

  /** Sources queued lately for these inputs whose new job has not shown on the record yet. */
  async #findQueuedLately(
    queueings: ReadonlySet<Queueing>,
    { records }: Snapshot,
    signal: AbortSignal,
  ): Promise<Joinable[]> {
    const found: Joinable[] = [];
    const take = (document: FiniDocument, { baseline }: Queueing) => {
      if (isInFlight(document) || isFresh(document, baseline)) return;
      found.push({ id: document.id, document, baseline });
    };
    const unknown: { id: string; queueing: Queueing }[] = [];
    for (const queueing of queueings) {
      if (queueing.ids === null) found.push(...findDoubtful(queueing, records));
      for (const id of queueing.ids ?? []) {
        const document = records.get(id);
        if (document === undefined) unknown.push({ id, queueing });
        else take(document, queueing);
      }
    }
    await forEachAtOnce(unknown, async ({ id, queueing }) => {
      const document = await this.#getIfThere(id, signal);
      if (document !== null) take(document, queueing);
    });
    return found;
  }

  async #getIfThere(id: string, signal: AbortSignal): Promise<FiniDocument | null> {
    try {
      return await this.#fini.getSource(id, { signal });
    } catch (error) {
      if (error instanceof FiniError && error.status === 404) return null;
      throw error;
    }
  }

  async #post(request: IngestRequest, snapshot: Snapshot, wait: Wait): Promise<void> {
    wait.progress('queueing');
    const inputs = inputsOf(request);
    let queued: QueuedDocuments;
    try {
      queued = await this.#fini.ingestSources(request, { signal: wait.preparing });
    } catch (error) {
      const isDoubtful = this.#rememberDoubt(inputs, snapshot, error);
      if (wait.isCancelled) throw error;
      const stage = isDoubtful ? 'maybe_queued' : 'not_queued';
      throw new IngestionError(stage, inputs, wait.ids, error);
    }
    const ids = queuedIds(queued);
    const before = ids.flatMap((id) => snapshot.records.get(id) ?? []);
    const records = new Map(before.map((document) => [document.id, document]));
    const baseline = { newestChange: snapshot.newestChange, records };
    this.#remember(inputs, baseline, { ids, mayComeLate: false });
    for (const id of ids) wait.track(id, { baseline, joined: false });
  }

  /**
   * Whether a request that failed may have queued all the same. If so it is remembered: a known
   * record cannot tell until its new job starts, and a new one may not be there yet.
   */
  #rememberDoubt(inputs: readonly string[], baseline: Baseline, error: unknown): boolean {
    const isFinis = error instanceof FiniError;
    if (isFinis && error.surelyNotCarriedOut) return false;
    this.#remember(inputs, baseline, { ids: null, mayComeLate: !isFinis || !error.isOver });
    return true;
  }

  #remember(
    inputs: readonly string[],
    baseline: Baseline,
    how: Pick<Queueing, 'ids' | 'mayComeLate'>,
  ): void {
    const milliseconds = how.ids === null ? DOUBT_REMEMBERED_MS : QUEUEING_REMEMBERED_MS;
    const queueing = { inputs, baseline, ...how, until: performance.now() + milliseconds };
    for (const input of inputs) this.#queuedLately.set(inputKey(input), queueing);
  }

  async #watch(wait: Wait, baseline: Baseline | null): Promise<void> {
    wait.progress('waiting');
    try {
      await this.#watcher.watch({
        ids: wait.ids,
        ...(baseline === null ? {} : { since: baseline.newestChange }),
        isSettled: (document) => wait.take(document),
        onGone: (id) => wait.lose(id),
        onRound: (trouble) => wait.endRound(trouble),
        signal: wait.signal,
      });
    } catch (error) {
      if (wait.isCancelled) throw error;
      if (wait.signal.aborted) return;
      throw new IngestionError('queued', wait.ids, [], error);
    }
  }
}

/**
 * A young record may not show its URL yet. Where what was queued lately together has as many such
 * records as inputs without a match, those are theirs; which is whose does not matter.
 */
function joinNameless(
  inputs: readonly string[],
  queueings: ReadonlySet<Queueing>,
  running: readonly Joinable[],
  joined: Map<string, Joinable>,
): void {
  for (const queueing of queueings) {
    const ids = new Set(queueing.ids ?? []);
    const theirs = running.filter(({ id }) => ids.has(id));
    const nameless = theirs.filter(({ document }) => !document.originalUrl);
    const matched = matchByKeys(queueing.inputs, theirs, STRICT_KEYS, namesOf);
    const left = queueing.inputs.filter((input) => !matched.has(input));
    if (nameless.length < left.length) continue;
    const keys = new Set(left.map(inputKey));
    for (const input of inputs) {
      if (joined.has(input) || !keys.has(inputKey(input))) continue;
      const source = nameless.pop();
      if (source !== undefined) joined.set(input, source);
    }
  }
}

/**
 * The records of inputs that may have been queued: whatever such a record says, it is waited for
 * until it tells of a job that began since, rather than queued once more.
 */
function findDoubtful(
  { inputs, baseline }: Queueing,
  records: ReadonlyMap<string, FiniDocument>,
): Joinable[] {
  const candidates = [...records.values()].map((document) => ({ id: document.id, document }));
  const matched = matchByKeys(inputs, candidates, STRICT_KEYS, namesOf);
  return [...matched.values()]
    .filter(({ document }) => !isInFlight(document))
    .map((candidate) => ({ ...candidate, baseline }));
}

function namesOf({ id, document }: Pick<Joinable, 'id' | 'document'>): (string | null)[] {
  return [id, document.originalUrl];
}

/** What one call is waiting for, and how it stands. */
class Wait {
  /** Aborted by the caller, or by the time-out. */
  readonly signal: AbortSignal;
  /** The same some seconds later, for what comes before the waiting. */
  readonly preparing: AbortSignal;
  readonly callerSignal: AbortSignal;
  readonly #inputs: readonly string[];
  readonly #options: WaitOptions;
  readonly #sources = new Map<string, TrackedSource & { readonly baseline: Baseline | null }>();
  readonly #startedAt: number;
  readonly #timers: readonly NodeJS.Timeout[];
  #trouble: FiniError | null = null;

  constructor(inputs: readonly string[], options: WaitOptions) {
    this.#inputs = inputs;
    this.#options = options;
    this.callerSignal = options.signal;
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
    return this.callerSignal.aborted;
  }

  get ids(): string[] {
    return [...this.#sources.keys()];
  }

  track(id: string, how: { baseline: Baseline | null; joined: boolean }): void {
    if (this.#sources.has(id)) return;
    this.#sources.set(id, { id, document: null, fresh: false, gone: false, ...how });
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
    return accountFor(this.#sources.values(), this.#inputs, details);
  }

  end(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }
}
