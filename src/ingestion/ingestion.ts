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
  /** How long to wait for the jobs' ends, in seconds, from the call on. */
  readonly timeoutSeconds: number;
  /** Ends the wait at once; what is queued stays queued. */
  readonly signal: AbortSignal;
  readonly onProgress: (progress: WaitProgress) => void;
  /** Told of each source whose job has come a step further, and of where it was before. */
  readonly onChange?: (document: FiniDocument, before: string | null) => void;
}

/**
 * A wait that ended without a report. `stage` says what is true of the items: nothing was queued;
 * nobody knows whether `items` were; they are queued and only the waiting ended; or a provider's
 * items have become sources and were not queued.
 */
export class IngestionError extends Error {
  override readonly name = 'IngestionError';
  readonly stage: 'not_queued' | 'maybe_queued' | 'queued' | 'registered';
  /** The inputs that may have been queued, or the IDs of the sources that are. */
  readonly items: readonly string[];
  /** IDs of sources whose jobs were running before, and go on. */
  readonly joined: readonly string[];
  /** What else belongs to a request that queues what was registered. */
  readonly resume: Pick<IngestRequest, 'source' | 'english'> | undefined;

  constructor(
    stage: IngestionError['stage'],
    items: readonly string[],
    joined: readonly string[],
    cause: unknown,
    resume?: IngestionError['resume'],
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.stage = stage;
    this.items = items;
    this.joined = joined;
    this.resume = resume;
  }
}

/** What one call queued, remembered so that the same call made again queues nothing. */
interface Queueing {
  readonly inputs: readonly string[];
  readonly ids: readonly string[];
  readonly baseline: Baseline;
  /** When it is forgotten, by `performance.now()`. */
  readonly until: number;
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
/** How far the queueing request may go on after the wait's time is over: its answer is worth it. */
const LAST_ANSWER_MS = 5_000;

/** Queueing, watching and accounting for the sources of one workspace. */
export class Ingestion {
  readonly #fini: FiniClient;
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
    const queued = await this.#fini.ingestSources(wanted, { signal });
    const inputs = inputsOf(wanted);
    const newestChange = queuedAfter ?? Number.NEGATIVE_INFINITY;
    this.#remember(inputs, queuedIds(queued), { newestChange, records: new Map() });
    return { queued, queuedAfter };
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
      const { snapshot, joined } = await this.#findRunning(inputs, wait);
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

  async #findRunning(
    inputs: readonly string[],
    wait: Wait,
  ): Promise<{ snapshot: Snapshot; joined: Map<string, Joinable> }> {
    try {
      const snapshot = await this.#snapshots.join(wait.signal);
      const running: Joinable[] = snapshot.inFlight.map((document) => ({
        id: document.id,
        document,
        baseline: null,
      }));
      const queueings = this.#queueingsFor(inputs);
      running.push(...(await this.#findQueuedLately(queueings, snapshot, wait.signal)));
      const names = ({ id, document }: Joinable) => [id, document.originalUrl];
      const joined = matchByKeys(inputs, running, STRICT_KEYS, names);
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
      for (const id of queueing.ids) {
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
      queued = await this.#fini.ingestSources(request, { signal: wait.queueingSignal() });
    } catch (error) {
      const surelyNot = error instanceof FiniError && error.surelyNotCarriedOut;
      if (!surelyNot) this.#rememberDoubt(inputs, snapshot);
      if (wait.isCancelled) throw error;
      const stage = surelyNot ? 'not_queued' : 'maybe_queued';
      throw new IngestionError(stage, inputs, wait.ids, error);
    }
    const ids = queuedIds(queued);
    const before = ids.flatMap((id) => snapshot.records.get(id) ?? []);
    const records = new Map(before.map((document) => [document.id, document]));
    const baseline = { newestChange: snapshot.newestChange, records };
    this.#remember(inputs, ids, baseline);
    for (const id of ids) wait.track(id, { baseline, joined: false });
  }

  /**
   * Remembers known sources that may have been queued, whose records cannot tell until the new job
   * starts: for a while they are joined rather than queued again.
   */
  #rememberDoubt(inputs: readonly string[], { newestChange, records }: Snapshot): void {
    const names = ({ id, originalUrl }: FiniDocument) => [id, originalUrl];
    for (const [input, document] of matchByKeys(
      inputs,
      [...records.values()],
      STRICT_KEYS,
      names,
    )) {
      const baseline = { newestChange, records: new Map([[document.id, document]]) };
      this.#remember([input], [document.id], baseline, DOUBT_REMEMBERED_MS);
    }
  }

  #remember(
    inputs: readonly string[],
    ids: readonly string[],
    baseline: Baseline,
    milliseconds = QUEUEING_REMEMBERED_MS,
  ): void {
    const queueing = { ids, inputs, baseline, until: performance.now() + milliseconds };
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
    const ids = new Set(queueing.ids);
    const nameless = running.filter(({ id, document }) => ids.has(id) && !document.originalUrl);
    const left = queueing.inputs.filter(
      (input) => !running.some(({ id, document }) => ids.has(id) && isSameInput(input, document)),
    );
    if (nameless.length < left.length) continue;
    const keys = new Set(left.map(inputKey));
    for (const input of inputs) {
      if (joined.has(input) || !keys.has(inputKey(input))) continue;
      const source = nameless.pop();
      if (source !== undefined) joined.set(input, source);
    }
  }
}

function isSameInput(input: string, document: FiniDocument): boolean {
  const names = [document.id, document.originalUrl ?? ''];
  return STRICT_KEYS.some((key) => names.some((name) => key(input) === key(name)));
}

/** What one call is waiting for, and how it stands. */
class Wait {
  /** Aborted by the caller, or by the time-out. */
  readonly signal: AbortSignal;
  readonly callerSignal: AbortSignal;
  readonly #inputs: readonly string[];
  readonly #options: WaitOptions;
  readonly #sources = new Map<string, TrackedSource & { readonly baseline: Baseline | null }>();
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #trouble: FiniError | null = null;

  constructor(inputs: readonly string[], options: WaitOptions) {
    this.#inputs = inputs;
    this.#options = options;
    const timeout = new AbortController();
    const reason = new Error(`The ${options.timeoutSeconds} s of this wait ran out.`);
    this.#timer = setTimeout(() => timeout.abort(reason), options.timeoutSeconds * 1000);
    this.callerSignal = options.signal;
    this.signal = AbortSignal.any([options.signal, timeout.signal]);
  }

  /** Ends the queueing request with the caller, or some seconds after the time-out. */
  queueingSignal(): AbortSignal {
    const elapsed = performance.now() - this.#startedAt;
    const left = Math.max(0, this.#options.timeoutSeconds * 1000 - elapsed) + LAST_ANSWER_MS;
    return AbortSignal.any([this.callerSignal, AbortSignal.timeout(Math.ceil(left))]);
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
    clearTimeout(this.#timer);
  }
}
