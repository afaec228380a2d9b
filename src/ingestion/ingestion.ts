import { setTimeout as sleep } from 'node:timers/promises';
import type { FiniClient, IngestRequest } from '../fini/client.ts';
import { type FiniDocument, type QueuedDocuments, queuedIds } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import { matchByKeys, type Processing, type Report } from './account.ts';
import { type Baseline, isFresh, type Snapshot, takeSnapshot } from './freshness.ts';
import { inputKey, inputsOf, isSourceId, withoutDuplicates, withoutRepetitions } from './inputs.ts';
import { LARGE_PAGE, NewestChanges } from './newest-changes.ts';
import { forEachAtOnce, orAborted, withResolvers } from './promises.ts';
import {
  candidatesIn,
  findDoubtful,
  type Joinable,
  joinNameless,
  namesOf,
  QueuedLately,
  type Queueing,
  SAME_SOURCE,
} from './recent.ts';
import { SharedRun } from './shared-run.ts';
import { hasNoJob, isInFlight, timeOf } from './states.ts';
import { type Fate, Wait, WaitEnded, type WaitOptions } from './wait.ts';
import { Watcher } from './watcher.ts';

/** So many inputs are looked up one by one; of more, the newest page of the list tells. */
const FEW_INPUTS = 5;
/** How many records that contain a URL are looked through for the one that has it. */
const PAGES_ALIKE = 10;

/**
 * A wait that ended without a report, with what is true of its items: which sources this call
 * queued, which it joined, which inputs may have been queued, and which surely were not.
 */
export class IngestionError extends Error implements Fate {
  override readonly name = 'IngestionError';
  readonly queued: readonly string[];
  readonly joined: readonly string[];
  readonly doubtful: readonly string[];
  readonly left: readonly string[];
  readonly unread: boolean;
  /** What the call was to queue; null where that was nothing, or nothing is left of it. */
  readonly request: IngestRequest | null;
  /** As {@link Ingestion.waitFor} takes it, for what was queued; null where nobody knows. */
  readonly queuedAfter: number | null;

  constructor(
    fate: Fate,
    queuedAfter: number | null,
    cause: unknown,
    request: IngestRequest | null = null,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.queued = fate.queued;
    this.joined = fate.joined;
    this.doubtful = fate.doubtful;
    this.left = fate.left;
    this.unread = fate.unread;
    this.request = request;
    this.queuedAfter = queuedAfter;
  }

  /** What ended it is a fault of this server. */
  get isFault(): boolean {
    return !(this.cause instanceof FiniError || this.cause instanceof WaitEnded);
  }

  /** How far the call came; `queued` where only the waiting ended. */
  get stage(): 'not_queued' | 'maybe_queued' | 'partly_queued' | 'queued' {
    if (this.doubtful.length > 0) return 'maybe_queued';
    if (this.left.length === 0) return 'queued';
    return this.queued.length === 0 ? 'not_queued' : 'partly_queued';
  }
}

/** When a call queued, as a report gives it: known once the list has been looked at. */
interface QueuedAt {
  queuedAfter: number | null;
}

/** The list as it is, and what of the inputs runs already. */
interface Running {
  readonly snapshot: Snapshot;
  readonly joined: Map<string, Joinable>;
  /** Inputs whose job runs, while no record shows yet which of several it is. */
  readonly unnamed: readonly string[];
}

/** Queueing, watching and accounting for the sources of one workspace. */
export class Ingestion {
  readonly #fini: FiniClient;
  readonly #pollIntervalMs: number;
  readonly #watcher: Watcher;
  /** The list as it is before queueing; calls that come at once share one check. */
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
    const wait = new Wait([...inputs, ...running.map(({ id }) => id)], options, wanted);
    return this.#account(wait, null, wanted, async (queuedAt) => {
      for (const document of running) {
        wait.follow(document.id, { id: document.id, joined: true }, null);
        wait.take(document);
      }
      if (inputs.length > 0) await this.#queue(wanted, inputs, wait, queuedAt);
      await this.#watch(wait, queuedAt.queuedAfter);
    });
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
    const given = queuedAfter === null ? null : { newestChange: queuedAfter, records: new Map() };
    return this.#account(wait, queuedAfter, null, async () => {
      for (const id of inputs) {
        wait.follow(id, { id, joined: false }, this.#queuedLately.baselineOf(id, given));
      }
      await this.#watch(
        wait,
        queuedAfter,
        (document) => queuedAfter === null && this.#wasNeverQueued(document),
      );
    });
  }

  /** Whether a record shows no job, and none can be on its way that this process knows of. */
  #wasNeverQueued(document: FiniDocument): boolean {
    if (!hasNoJob(document) || this.#queuedLately.mayHaveQueued(document)) return false;
    const { id, originalUrl } = document;
    return [id, originalUrl].every(
      (name) => name === null || !this.#beingQueued.has(inputKey(name)),
    );
  }

  /** Does a call's work and reports on it; where that fails, with what is true of the items. */
  async #account(
    wait: Wait,
    queuedAfter: number | null,
    request: IngestRequest | null,
    work: (queuedAt: QueuedAt) => Promise<void>,
  ): Promise<Report> {
    const queuedAt = { queuedAfter };
    try {
      await work(queuedAt);
      return wait.report(queuedAt.queuedAfter);
    } catch (error) {
      // The time may have run out in the same moment, but nobody waits for an answer any more.
      wait.cancellation.throwIfAborted();
      throw new IngestionError(wait.fate(), queuedAt.queuedAfter, error, request);
    } finally {
      wait.end();
    }
  }

  /**
   * Queues without waiting, and without checking for running jobs. `queuedAfter` is for
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
    return this.#queueAtOnce(inputsOf(wanted), thereOf(wanted), send, queuedIds, signal, wanted);
  }

  /**
   * Queues sources of any kind to be ingested again, in the same way.
   *
   * @throws {FiniError}
   */
  async refresh(
    ids: readonly string[],
    signal: AbortSignal,
  ): Promise<{ queued: readonly string[]; queuedAfter: number | null }> {
    const send = () => this.#fini.refreshSources(ids, { signal });
    return this.#queueAtOnce(ids, ids, send, (queued) => queued, signal);
  }

  async #queueAtOnce<Answer>(
    inputs: readonly string[],
    there: readonly string[],
    send: () => Promise<Answer>,
    idsOf: (answer: Answer) => readonly string[],
    signal: AbortSignal,
    processing?: Processing,
  ): Promise<{ queued: Answer; queuedAfter: number | null }> {
    const release = await this.#reserve(inputs, signal);
    try {
      const before = await this.#lookBefore(there, signal);
      // Where the list cannot be read, nothing on it can be told from what was there before.
      const newestChange = before?.newestChange ?? Number.POSITIVE_INFINITY;
      const baseline = {
        newestChange: afterChange(newestChange),
        records: before?.records ?? new Map(),
      };
      let queued: Answer;
      try {
        queued = await send();
      } catch (error) {
        this.#queuedLately.rememberDoubt(inputs, baseline, error);
        throw error;
      }
      this.#queuedLately.remember(inputs, idsOf(queued), baseline, processing);
      const queuedAfter = Number.isFinite(newestChange) ? baseline.newestChange : null;
      return { queued, queuedAfter };
    } finally {
      release();
    }
  }

  /** The list before queueing, as far as a handful of requests tells; null where it is unreadable. */
  async #lookBefore(there: readonly string[], signal: AbortSignal): Promise<Baseline | null> {
    const isFew = there.length <= FEW_INPUTS;
    try {
      const limit = isFew ? 1 : LARGE_PAGE;
      const { documents } = await this.#fini.listSources({ limit }, { signal });
      const newestChange = timeOf(documents[0]?.updatedAt ?? null) ?? Number.NEGATIVE_INFINITY;
      const found = isFew ? await this.#lookUp(there, signal) : documents;
      return { newestChange, records: recordsById(found) };
    } catch (error) {
      // A key without read scope can queue all the same; one that is wrong cannot.
      if (error instanceof FiniError && error.status !== 401) return null;
      throw error;
    }
  }

  /** The records of a few inputs, as far as Fini shows them. */
  async #lookUp(inputs: readonly string[], signal: AbortSignal): Promise<FiniDocument[]> {
    const found: FiniDocument[] = [];
    await forEachAtOnce(inputs, async (input) => {
      try {
        const document = isSourceId(input)
          ? await this.#fini.getSource(input, { signal })
          : await this.#findPage(input, signal);
        if (document !== undefined) found.push(document);
      } catch (error) {
        // One that cannot be read is unknown, as one that is not there.
        if (!(error instanceof FiniError) || error.status === 401) throw error;
      }
    });
    return found;
  }

  async #findPage(url: string, signal: AbortSignal): Promise<FiniDocument | undefined> {
    const request = { source: 'web', originalUrl: url, limit: PAGES_ALIKE };
    const { documents } = await this.#fini.listSources(request, { signal });
    // An API may ignore a filter that it does not know.
    return documents.find(
      ({ source, originalUrl }) =>
        source === 'web' && originalUrl !== null && inputKey(originalUrl) === inputKey(url),
    );
  }

  /** Joins what runs already and queues the rest. */
  async #queue(
    request: IngestRequest,
    inputs: readonly string[],
    wait: Wait,
    queuedAt: QueuedAt,
  ): Promise<void> {
    wait.progress('checking');
    // Until another call is done with an input, nobody can say whether it is queued.
    const release = await this.#reserve(inputs, wait.signal, (busy) => wait.doubt(busy));
    try {
      let left = inputs;
      for (;;) {
        const { snapshot, joined, unnamed } = await this.#findRunning(left, wait.preparing);
        queuedAt.queuedAfter ??= afterChange(snapshot.newestChange);
        for (const [input, { id, document, baseline, processing }] of joined) {
          wait.follow(input, { id, joined: true, processing }, baseline);
          wait.take(document);
        }
        this.#queuedLately.resolveDoubts(joined);
        wait.release(left);
        const others = left.filter((input) => !joined.has(input));
        // What may have been queued a moment ago is looked for until it shows, or would have shown.
        const isUnnamed = new Set(unnamed);
        const doubtful = new Set(this.#queuedLately.inDoubt(others, snapshot.records));
        left = others.filter((input) => isUnnamed.has(input) || doubtful.has(input));
        wait.doubt(left);
        const inDoubt = new Set(left);
        const certain = others.filter((input) => !inDoubt.has(input));
        if (certain.length > 0) await this.#post(only(request, certain), snapshot, wait);
        if (left.length === 0) return;
        if (!(await this.#pause(wait))) {
          // The report has these as not queued, which they are for all that anybody knows.
          if (wait.isWaiting) return;
          throw new WaitEnded('A request before had no answer, and nothing shows yet.');
        }
      }
    } finally {
      release();
    }
  }

  /** Waits for one polling interval. The answer is whether the wait's time is not over yet. */
  async #pause(wait: Wait): Promise<boolean> {
    await sleep(this.#pollIntervalMs, undefined, { signal: wait.signal }).catch(() => undefined);
    wait.cancellation.throwIfAborted();
    return !wait.signal.aborted;
  }

  /**
   * Waits until no other call queues one of these inputs, and makes others wait until the answer is
   * called.
   */
  async #reserve(
    inputs: readonly string[],
    signal: AbortSignal,
    onBusy: (inputs: readonly string[]) => void = () => undefined,
  ): Promise<() => void> {
    const keys = inputs.map(inputKey);
    for (;;) {
      const underWay = keys.map((key) => this.#beingQueued.get(key));
      const busy = inputs.filter((_, index) => underWay[index] !== undefined);
      if (busy.length === 0) break;
      onBusy(busy);
      await orAborted(Promise.all(underWay), signal);
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

  async #findRunning(inputs: readonly string[], signal: AbortSignal): Promise<Running> {
    const snapshot = await this.#snapshots.join(signal);
    const running: Joinable[] = snapshot.inFlight.map((document) => ({
      id: document.id,
      document,
      baseline: this.#queuedLately.baselineOf(document.id, null),
    }));
    const queueings = this.#queuedLately.of(inputs);
    running.push(...(await this.#findQueuedLately(queueings, snapshot, signal)));
    const joined = matchByKeys(inputs, running, SAME_SOURCE, namesOf);
    const unnamed = joinNameless(inputs, queueings, running, snapshot.records, joined);
    return { snapshot, joined, unnamed };
  }

  /** Sources queued lately for these inputs whose new job has not shown on the record yet. */
  async #findQueuedLately(
    queueings: ReadonlySet<Queueing>,
    { records }: Snapshot,
    signal: AbortSignal,
  ): Promise<Joinable[]> {
    const found: Joinable[] = [];
    const take = (document: FiniDocument, { baseline, processing }: Queueing) => {
      if (isInFlight(document) || isFresh(document, baseline)) return;
      found.push({ id: document.id, document, baseline, processing });
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
    const signal = wait.preparing;
    const records = new Map(snapshot.records);
    if (!snapshot.isWhole) {
      for (const document of await this.#lookUpUnseen(request, records, signal)) {
        records.set(document.id, document);
      }
    }
    // Until it is known what became of the request, nobody can say.
    wait.doubt(inputs);
    let queued: QueuedDocuments;
    try {
      queued = await this.#fini.ingestSources(request, { signal });
    } catch (error) {
      const before = { newestChange: snapshot.newestChange, records };
      if (!this.#queuedLately.rememberDoubt(inputs, before, error)) wait.release(inputs);
      throw error;
    }
    const ids = queuedIds(queued);
    // A job that ran before is as good as the new one: Fini may have left it at that.
    const ended = ids.flatMap((id) => records.get(id) ?? []).filter((one) => !isInFlight(one));
    const baseline = { newestChange: snapshot.newestChange, records: recordsById(ended) };
    wait.queued(inputs, ids, baseline);
    this.#queuedLately.remember(inputs, ids, baseline, request);
  }

  /** What Fini is known to have, and the newest pages of the list did not show: a few at the most. */
  async #lookUpUnseen(
    request: IngestRequest,
    records: ReadonlyMap<string, FiniDocument>,
    signal: AbortSignal,
  ): Promise<FiniDocument[]> {
    const there = thereOf(request);
    const shown = matchByKeys(there, candidatesIn(records), SAME_SOURCE, namesOf);
    const unseen = there.filter((input) => !shown.has(input));
    return unseen.length > FEW_INPUTS ? [] : this.#lookUp(unseen, signal);
  }

  async #watch(
    wait: Wait,
    since: number | null,
    wasNeverQueued: (document: FiniDocument) => boolean = () => false,
  ): Promise<void> {
    wait.progress('waiting');
    try {
      await this.#watcher.watch({
        ids: wait.ids,
        ...(since === null ? {} : { since }),
        isSettled: (document) => wait.take(document, wasNeverQueued(document)),
        onGone: (id) => wait.lose(id),
        onRound: (trouble) => wait.endRound(trouble),
        signal: wait.signal,
      });
    } catch (error) {
      if (wait.cancellation.aborted || error !== wait.signal.reason) throw error;
    }
  }
}

/** What of a request Fini should have already: anything but new pages. */
function thereOf({ documentIdsToAdd, documentIdsToRefresh }: IngestRequest): string[] {
  return [...documentIdsToAdd.filter(isSourceId), ...documentIdsToRefresh];
}

/** The earliest change that is later than the newest one seen. */
function afterChange(newestChange: number): number {
  return newestChange + 1;
}

function recordsById(documents: readonly FiniDocument[]): Map<string, FiniDocument> {
  return new Map(documents.map((document) => [document.id, { ...document, paragraphs: [] }]));
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
