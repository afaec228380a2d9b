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
  readonly #queuedLately = new QueuedLately();
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
      this.#queuedLately.remember(inputs, queuedIds(queued), baseline);
      return { queued, queuedAfter };
    } catch (error) {
      this.#queuedLately.rememberDoubt(inputs, baseline, error);
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
      this.#queuedLately.resolveDoubts(running.joined);
      const others = inputs.filter((input) => !running.joined.has(input));
      if (!others.some((input) => this.#queuedLately.mayComeLate(input))) return running;
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
      joinNameless(inputs, queueings, running, joined);
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
      if (wait.isCancelled) throw error;
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
