import { setTimeout as sleep } from 'node:timers/promises';
import type { FiniClient, IngestRequest } from '../fini/client.ts';
import { type FiniDocument, type QueuedDocuments, queuedIds } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import { type Baseline, isFresh, type Snapshot, takeSnapshot } from './baseline.ts';
import { inputKey, inputsOf, withoutDuplicates, withoutRepetitions } from './inputs.ts';
import { NewestChanges } from './newest-changes.ts';
import { forEachAtOnce, orAborted, withResolvers } from './promises.ts';
import {
  findDoubtful,
  type Joinable,
  joinNameless,
  namesOf,
  QueuedLately,
  type Queueing,
} from './queued-lately.ts';
import { matchByKeys, type Report, STRICT_KEYS } from './report.ts';
import { SharedRun } from './shared-run.ts';
import { isInFlight, timeOf } from './states.ts';
import { Wait, type WaitOptions } from './wait.ts';
import { Watcher } from './watcher.ts';

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

/** The list as it is, and what of the inputs runs already. */
interface Running {
  readonly snapshot: Snapshot;
  readonly joined: Map<string, Joinable>;
}

/** Queueing, watching and accounting for the sources of one workspace. */
export class Ingestion {
  readonly #fini: FiniClient;
  readonly #pollIntervalMs: number;
  readonly #watcher: Watcher;
  /** The list as it is before queueing; calls that come at once share a look. */
  readonly #snapshots: SharedRun<Snapshot>;
  readonly #queuedLately: QueuedLately;
  /** By input: the requests under way, since two calls at once must not queue the same twice. */
  readonly #beingQueued = new Map<string, Promise<unknown>>();

  /**
   * @param pollIntervalMs The shortest pause between looks at Fini, in milliseconds.
   * @param queuedLately What was queued in this workspace before.
   */
  constructor(fini: FiniClient, pollIntervalMs: number, queuedLately = new QueuedLately()) {
    this.#queuedLately = queuedLately;
    this.#fini = fini;
    this.#pollIntervalMs = pollIntervalMs;
    const changes = new NewestChanges(fini);
    this.#watcher = new Watcher(fini, changes, pollIntervalMs);
    this.#snapshots = new SharedRun((signal) => takeSnapshot(changes, signal));
  }

  /**
   * Queues what is not in flight already and waits for all of it.
   *
   * @param running Sources whose jobs run, as they were seen: they are waited for too, and not
   *   queued, also where they end meanwhile.
   * @throws {IngestionError} where there can be no report; the signal's reason when it is aborted.
   */
  async ingestAndWait(
    request: IngestRequest,
    options: WaitOptions,
    running: readonly FiniDocument[] = [],
  ): Promise<Report> {
    const wanted = withoutRepetitions(request);
    const inputs = inputsOf(wanted);
    const wait = new Wait([...inputs, ...running.map(({ id }) => id)], options);
    try {
      for (const document of running) {
        wait.track(document.id, { baseline: null, joined: true });
        wait.take(document);
      }
      const snapshot = inputs.length > 0 ? await this.#queue(wanted, inputs, wait) : null;
      await this.#watch(wait, snapshot);
      // One later, since the newest change itself was there before.
      return wait.report(snapshot === null ? null : snapshot.newestChange + 1);
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
    const send = () => this.#fini.ingestSources(wanted, { signal });
    return this.#queueAtOnce(inputsOf(wanted), send, queuedIds, signal);
  }

  /**
   * Queues the ingestion anew of sources of any kind, in the same way.
   *
   * @throws {FiniError}
   */
  async refresh(
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<{ queued: readonly string[]; queuedAfter: number | null }> {
    const send = () => this.#fini.refreshSources(ids, { signal });
    return this.#queueAtOnce(ids, send, (queued) => queued, signal);
  }

  async #queueAtOnce<Answer>(
    inputs: readonly string[],
    send: () => Promise<Answer>,
    idsOf: (answer: Answer) => readonly string[],
    signal: AbortSignal,
  ): Promise<{ queued: Answer; queuedAfter: number | null }> {
    const release = await this.#reserve(inputs, signal);
    try {
      const newest = await this.#newestChange(signal);
      // Where the list cannot be read, nothing on it can be told from what was there before.
      const newestChange = newest ?? Number.POSITIVE_INFINITY;
      // One later, since the newest change itself was there before.
      const baseline = { newestChange: newestChange + 1, records: new Map() };
      try {
        const queued = await send();
        this.#queuedLately.remember(inputs, idsOf(queued), baseline);
        const queuedAfter = Number.isFinite(newestChange) ? baseline.newestChange : null;
        return { queued, queuedAfter };
      } catch (error) {
        this.#queuedLately.rememberDoubt(inputs, baseline, error);
        throw error;
      }
    } finally {
      release();
    }
  }

  /** The newest change so far; -Infinity where there is none, null where the list is unreadable. */
  async #newestChange(signal: AbortSignal): Promise<number | null> {
    try {
      const [newest] = (await this.#fini.listSources({ limit: 1 }, { signal })).documents;
      return timeOf(newest?.updatedAt ?? null) ?? Number.NEGATIVE_INFINITY;
    } catch (error) {
      // A key without read scope can queue all the same; one that is wrong cannot.
      if (error instanceof FiniError && error.status !== 401) return null;
      throw error;
    }
  }

  /** Joins what runs already and queues the rest. The answer is the list before queueing. */
  async #queue(request: IngestRequest, inputs: readonly string[], wait: Wait): Promise<Snapshot> {
    wait.progress('checking');
    const release = await this.#reserve(inputs, wait.signal).catch((error: unknown) => {
      if (wait.isCancelled) throw error;
      throw new IngestionError('not_queued', inputs, [], error);
    });
    try {
      let first: Snapshot | undefined;
      let left = inputs;
      for (;;) {
        const { snapshot, joined } = await this.#findRunning(left, wait);
        first ??= snapshot;
        for (const { id, document, baseline } of joined.values()) {
          wait.track(id, { baseline, joined: true });
          wait.take(document);
        }
        this.#queuedLately.resolveDoubts(joined);
        const others = left.filter((input) => !joined.has(input));
        // What may have been queued a moment ago is looked for until it shows, or would have shown.
        left = this.#queuedLately.inDoubt(others, snapshot.records);
        const inDoubt = new Set(left);
        const certain = others.filter((input) => !inDoubt.has(input));
        if (certain.length > 0) await this.#post(only(request, certain), snapshot, wait);
        if (left.length === 0) return first;
        if (!(await this.#pause(wait))) {
          // The report has these as not queued, which they are for all that anybody knows.
          wait.hold(left);
          if (wait.ids.length > 0) return first;
          const cause = new Error('A request before had no answer, and nothing shows yet.');
          throw new IngestionError('maybe_queued', left, [], cause);
        }
      }
    } finally {
      release();
    }
  }

  /** Waits for one polling interval. The answer is whether the wait's time is not over yet. */
  async #pause(wait: Wait): Promise<boolean> {
    await sleep(this.#pollIntervalMs, undefined, { signal: wait.signal }).catch(() => undefined);
    if (wait.isCancelled) throw wait.signal.reason;
    return !wait.signal.aborted;
  }

  /**
   * Waits until no other call queues one of these inputs, and makes others wait until the answer is
   * called.
   */
  async #reserve(inputs: readonly string[], signal: AbortSignal): Promise<() => void> {
    const keys = inputs.map(inputKey);
    const underWay = () => keys.map((key) => this.#beingQueued.get(key));
    while (underWay().some((request) => request !== undefined)) {
      await orAborted(Promise.all(underWay()), signal);
    }
    const { promise: reservation, resolve: release } = withResolvers();
    for (const key of keys) this.#beingQueued.set(key, reservation);
    return () => {
      for (const key of keys) {
        if (this.#beingQueued.get(key) === reservation) this.#beingQueued.delete(key);
      }
      release();
    };
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
      const queueings = this.#queuedLately.of(inputs);
      running.push(...(await this.#findQueuedLately(queueings, snapshot, signal)));
      const joined = matchByKeys(inputs, running, STRICT_KEYS, namesOf);
      joinNameless(inputs, queueings, running, snapshot.records, joined);
      return { snapshot, joined };
    } catch (error) {
      if (wait.isCancelled) throw error;
      throw new IngestionError('not_queued', inputs, [], error);
    }
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
      const isDoubtful = this.#queuedLately.rememberDoubt(inputs, snapshot, error);
      if (wait.isCancelled) throw wait.preparing.reason;
      const stage = isDoubtful ? 'maybe_queued' : 'not_queued';
      throw new IngestionError(stage, inputs, wait.ids, error);
    }
    const ids = queuedIds(queued);
    const before = ids.flatMap((id) => snapshot.records.get(id) ?? []);
    const records = new Map(before.map((document) => [document.id, document]));
    const baseline = { newestChange: snapshot.newestChange, records };
    this.#queuedLately.remember(inputs, ids, baseline);
    for (const id of ids) wait.track(id, { baseline, joined: false });
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

/** What of a request is for these inputs. */
function only(request: IngestRequest, inputs: readonly string[]): IngestRequest {
  const wanted = new Set(inputs);
  const isWanted = (input: string) => wanted.has(input);
  return {
    ...request,
    documentIdsToAdd: request.documentIdsToAdd.filter(isWanted),
    documentIdsToRefresh: request.documentIdsToRefresh.filter(isWanted),
  };
}
