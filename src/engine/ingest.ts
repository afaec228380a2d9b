import type { FiniClient, IngestRequest } from '../fini/client.ts';
import { type Deadline, GRACE_MS, WaitEnded } from '../fini/deadline.ts';
import { FiniError, type Operation } from '../fini/errors.ts';
import { type FiniDocument, type QueuedDocuments, queuedIds } from '../fini/schemas.ts';
import { MemoryStore } from '../store/memory-store.ts';
import type { Batch } from './batches.ts';
import { Changes } from './changes.ts';
import { type Baseline, isNews, isOlder, recordsById, withoutText } from './freshness.ts';
import {
  inputsOf,
  knownInputsOf,
  requestFor,
  withoutDuplicates,
  withoutRepetitions,
} from './inputs.ts';
import { hasNoJob, isInFlight, type Processing, stateOf } from './job-states.ts';
import { type Look, lookBeforeQueueing } from './look.ts';
import { Memory } from './memory.ts';
import { mayBeCarriedOut } from './recent.ts';
import { accountForSources, type Report } from './source-report.ts';
import { type JobKind, type Standing, Wait, type WaitOptions } from './wait.ts';

/**
 * A wait that ended without a report, with what is known of its items: the sources that this call
 * queued or joined, the inputs that may have been queued, and those that surely were not.
 */
export class IngestionError extends Error implements Standing {
  override readonly name = 'IngestionError';
  readonly queued: readonly string[];
  readonly joined: readonly string[];
  readonly doubtful: readonly string[];
  readonly notQueued: readonly string[];
  /** True if the call queues nothing and Fini has shown none of its sources. */
  readonly unread: boolean;
  /** The request that the call had yet to send; null if nothing is left of it. */
  readonly request: IngestRequest | null;
  /** The time for {@link Ingestion.waitFor}, for what was queued; null if it is unknown. */
  readonly queuedAfter: number | null;
  /** The handle of what was queued and joined; null if nothing was. */
  readonly batch: string | null;

  constructor(
    standing: Standing,
    details: Pick<IngestionError, 'queuedAfter' | 'request' | 'batch'> & { unread?: boolean },
    cause: unknown,
  ) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.queued = standing.queued;
    this.joined = standing.joined;
    this.doubtful = standing.doubtful;
    this.notQueued = standing.notQueued;
    this.unread = details.unread ?? false;
    this.request = details.request;
    this.queuedAfter = details.queuedAfter;
    this.batch = details.batch;
  }

  /** True if a fault of this server ended the wait. */
  get isFault(): boolean {
    return !(this.cause instanceof FiniError || this.cause instanceof WaitEnded);
  }

  /** The stage that the call reached; `queued` if only the waiting ended. */
  get stage(): 'not_queued' | 'maybe_queued' | 'partly_queued' | 'queued' {
    if (this.doubtful.length > 0) return 'maybe_queued';
    if (this.notQueued.length === 0) return 'queued';
    return this.queued.length === 0 ? 'not_queued' : 'partly_queued';
  }
}

/** The result of a request that queues without waiting. */
export interface QueuedBatch<Answer> {
  readonly queued: Answer;
  /** The time for {@link Ingestion.waitFor}; null if it is unknown. */
  readonly queuedAfter: number | null;
  /** The handle of what was queued. */
  readonly batch: string;
}

/** The current states of a batch's sources, by ID. */
export interface BatchStates {
  /** Sources whose job of this batch has completed. */
  readonly completed: readonly string[];
  readonly failed: readonly string[];
  readonly unfinished: readonly string[];
  /** Sources that Fini does not have any more. */
  readonly gone: readonly string[];
  /** Sources that the look did not show. */
  readonly unseen: readonly string[];
}

/** One call's wait for sources, with the rest of its report. */
interface SourceWait {
  readonly wait: Wait<FiniDocument>;
  readonly handle: string;
  /** The request to send, or null. */
  readonly request: IngestRequest | null;
  queuedAfter: number | null;
  /** True if something was queued, may have been, or is waited for: then there is a batch. */
  hasBatch: boolean;
  /** Sources that the memory already knows about. */
  readonly learned: Set<string>;
}

const SOURCE_JOBS: JobKind<FiniDocument> = {
  idOf: ({ id }) => id,
  stateOf,
  statusOf: ({ linkedJobStatus }) => linkedJobStatus,
  isNews,
  isOlder,
  compact: withoutText,
};

/** Queueing, watching and accounting for the sources of one workspace. */
export class Ingestion {
  readonly #fini: FiniClient;
  readonly #changes: Changes;
  readonly #memory: Memory;

  /**
   * @param pollIntervalMs The shortest pause between polls, in milliseconds.
   * @param memory Requests that earlier calls of this workspace have queued.
   */
  constructor(fini: FiniClient, pollIntervalMs: number, memory = new Memory(new MemoryStore())) {
    this.#fini = fini;
    this.#changes = new Changes(fini, pollIntervalMs);
    this.#memory = memory;
  }

  /**
   * Queues the inputs that are not already running, and waits for all of them.
   *
   * @param running Sources that were seen running. They are waited for and not queued, even if they end
   *   in the meantime.
   * @throws {IngestionError} if there can be no report; the signal's reason when it is aborted.
   */
  async ingestAndWait(
    request: IngestRequest,
    options: WaitOptions,
    running: readonly FiniDocument[] = [],
  ): Promise<Report> {
    const wanted = withoutRepetitions(request);
    const inputs = inputsOf(wanted);
    const ids = running.map(({ id }) => id);
    const call = this.#begin([...inputs, ...ids], options, wanted);
    return this.#account(call, async () => {
      for (const document of running) {
        const { id } = document;
        call.wait.add(id, { id, joined: true, processing: null }, null);
        call.wait.takeRecord(document);
        call.hasBatch = true;
      }
      if (inputs.length > 0) await this.#queue(wanted, inputs, call);
      await this.#watch(call);
    });
  }

  /**
   * Waits for sources whose jobs were queued before.
   *
   * @param queuedAfter The time from an earlier report: an older final status does not count.
   * @throws {IngestionError} once the key is refused; the signal's reason when it is aborted.
   */
  async waitFor(
    ids: readonly string[],
    queuedAfter: number | null,
    options: WaitOptions,
  ): Promise<Report> {
    const call = this.#begin(withoutDuplicates(ids), options, null, queuedAfter);
    return this.#account(call, async () => {
      await this.#addQueuedBefore(call, new Map(call.wait.inputs.map((id) => [id, id])));
      await this.#watch(call, (document) => queuedAfter === null && this.#wasNeverQueued(document));
    });
  }

  /**
   * Waits for the sources that a batch has queued or joined.
   *
   * @throws as {@link waitFor} does.
   */
  async waitForBatch(batch: Batch, options: WaitOptions): Promise<Report> {
    const call = this.#begin(batch.inputs, options, null, batch.queuedAfter, batch.handle);
    return this.#account(call, async () => {
      const idOf = new Map(Object.entries(batch.idOf));
      await this.#addQueuedBefore(call, idOf);
      const named = new Set(idOf.values());
      const unnamed = batch.ids.filter((id) => !named.has(id));
      const unknown = batch.inputs.filter((input) => !idOf.has(input));
      const baselines = await this.#memory.sources.baselines(
        unnamed,
        baselineAt(batch.queuedAfter),
      );
      call.wait.addSent(unknown, unnamed, (id) => baselines.get(id) ?? null);
      await this.#watch(call);
    });
  }

  /**
   * Returns the current states of a batch's sources, as far as eight requests show them.
   *
   * @throws {FiniError}
   */
  async statesOf({ ids, queuedAfter }: Batch, deadline: Deadline): Promise<BatchStates> {
    const wanted = { mayRun: [], known: ids };
    const { records, absent, isWhole } = await lookBeforeQueueing(this.#fini, wanted, deadline);
    const baselines = await this.#memory.sources.baselines(ids, baselineAt(queuedAfter));
    const stateNow = (id: string) => {
      const document = records.get(id);
      if (document === undefined) return isWhole || absent.has(id) ? 'gone' : 'unseen';
      return isNews(document, baselines.get(id) ?? null) ? stateOf(document) : 'unfinished';
    };
    const inState = (state: string) => ids.filter((id) => stateNow(id) === state);
    return {
      completed: inState('completed'),
      failed: inState('failed'),
      unfinished: inState('unfinished'),
      gone: inState('gone'),
      unseen: inState('unseen'),
    };
  }

  /**
   * Queues without waiting, and without checking for running jobs.
   *
   * @throws {FiniError}
   */
  async ingest(request: IngestRequest, call: Deadline): Promise<QueuedBatch<QueuedDocuments>> {
    const wanted = withoutRepetitions(request);
    const items = { inputs: inputsOf(wanted), known: knownInputsOf(wanted), processing: wanted };
    const send = (deadline: Deadline) => this.#fini.ingestSources(wanted, deadline);
    return this.#queueAtOnce('ingest sources', items, send, queuedIds, call);
  }

  /**
   * Queues sources of any kind to be ingested again, without waiting or checking for running jobs.
   *
   * @throws {FiniError}
   */
  async refresh(ids: readonly string[], call: Deadline): Promise<QueuedBatch<readonly string[]>> {
    const send = (deadline: Deadline) => this.#fini.refreshSources(ids, deadline);
    const items = { inputs: ids, known: ids, processing: null };
    return this.#queueAtOnce('refresh sources', items, send, (queued) => queued, call);
  }

  async #queueAtOnce<Answer>(
    operation: Operation,
    items: {
      readonly inputs: readonly string[];
      readonly known: readonly string[];
      readonly processing: Processing | null;
    },
    send: (deadline: Deadline) => Promise<Answer>,
    idsOf: (answer: Answer) => readonly string[],
    call: Deadline,
  ): Promise<QueuedBatch<Answer>> {
    const { inputs, known, processing } = items;
    const { batches, sources } = this.#memory;
    const work = async () => {
      const baseline = await this.#baselineIfAllowed(known, call);
      const handle = batches.newHandle();
      const queued = await sources.send(
        { batch: handle, inputs, baseline, processing },
        () => send(call.extend(GRACE_MS)),
        (answer) => ({ ids: idsOf(answer) }),
      );
      const ids = [...new Set(idsOf(queued))];
      const queuedAfter = afterNewestChange(baseline);
      const isInput = new Set(inputs);
      const idOf = Object.fromEntries(ids.filter((id) => isInput.has(id)).map((id) => [id, id]));
      await batches.keep({ handle, kind: 'sources', inputs, ids, idOf, queuedAfter });
      return { queued, queuedAfter, batch: handle };
    };
    try {
      return await this.#memory.withReserved('sources', inputs, call, work);
    } catch (error) {
      throw error instanceof WaitEnded ? stillBusy(operation) : error;
    }
  }

  /** The list before queueing; empty if it cannot be read. */
  async #baselineIfAllowed(known: readonly string[], call: Deadline): Promise<Baseline> {
    try {
      return await lookBeforeQueueing(this.#fini, { mayRun: [], known }, call);
    } catch (error) {
      // A key without read scope can queue all the same; an invalid key cannot.
      if (!(error instanceof FiniError) || error.status === 401) throw error;
      return { newestChange: null, records: new Map() };
    }
  }

  #begin(
    inputs: readonly string[],
    options: WaitOptions,
    request: IngestRequest | null,
    queuedAfter: number | null = null,
    handle = this.#memory.batches.newHandle(),
  ): SourceWait {
    const wait = new Wait(SOURCE_JOBS, inputs, options, options.onChange);
    const hasBatch = request === null;
    return { wait, handle, request, queuedAfter, hasBatch, learned: new Set() };
  }

  /** Does a call's work and reports on it. If that fails, the error has what is known of the items. */
  async #account(call: SourceWait, work: () => Promise<void>): Promise<Report> {
    const { wait, request } = call;
    try {
      await work();
      const report = this.#reportOn(call);
      await this.#keepBatch(call);
      return report;
    } catch (error) {
      // The time may have run out in the same moment, but no one waits for an answer any more.
      wait.deadline.signal.throwIfAborted();
      const standing = wait.standing();
      await this.#keepBatch(call);
      const isUnread = [...wait.tracked.values()].every(({ record }) => record === null);
      const unread = request === null && isUnread;
      const batch = call.hasBatch ? call.handle : null;
      const { queuedAfter } = call;
      throw new IngestionError(standing, { queuedAfter, request, batch, unread }, error);
    }
  }

  #reportOn({ wait, request, queuedAfter, hasBatch, handle }: SourceWait): Report {
    return accountForSources(wait, request, { queuedAfter, batch: hasBatch ? handle : null });
  }

  /** Keeps what is known of the batch by now, for later calls. */
  async #keepBatch(call: SourceWait): Promise<void> {
    const { sources, unqueued } = this.#reportOn(call);
    if (!call.hasBatch) return;
    const { handle, queuedAfter, wait } = call;
    const held = new Set(unqueued.filter((input) => !wait.sent.inputs.includes(input)));
    const named = sources.flatMap(({ input, id }) =>
      input === null ? [] : [[input, id] as const],
    );
    await this.#memory.batches.keep({
      handle,
      kind: 'sources',
      inputs: wait.inputs.filter((input) => !held.has(input)),
      ids: [...new Set(sources.map(({ id }) => id))],
      idOf: Object.fromEntries(named),
      queuedAfter,
    });
  }

  /** Joins running jobs, holds back inputs that may be running, and queues the rest. */
  async #queue(request: IngestRequest, inputs: readonly string[], call: SourceWait): Promise<void> {
    const { wait } = call;
    wait.progress('checking');
    const work = async () => {
      const known = [...knownInputsOf(request), ...(await this.#toLookAt(inputs))];
      const wanted = { mayRun: inputs, known };
      const look = await lookBeforeQueueing(this.#fini, wanted, wait.deadline.extend(GRACE_MS));
      call.queuedAfter = afterNewestChange(look);
      const { joined, heldMs } = await this.#memory.sources.findRunning(inputs, look);
      wait.markCertain(inputs);
      for (const [input, { id, document, baseline, processing }] of joined) {
        wait.add(input, { id, joined: true, processing }, baseline);
        if (document !== null) wait.takeRecord(document);
      }
      wait.markHeld(heldMs);
      call.hasBatch ||= joined.size > 0;
      const rest = inputs.filter((input) => !joined.has(input) && !heldMs.has(input));
      if (rest.length > 0) await this.#send(requestFor(request, rest), look, call);
      await this.#keepBatch(call);
    };
    // Until the other call is done with an input, no one can say whether it is queued.
    const onBusy = (busy: readonly string[]) => wait.markDoubtful(busy);
    await this.#memory.withReserved('sources', inputs, wait.deadline, work, onBusy);
  }

  /** Sources and inputs whose records show the outcome of recent requests for these inputs. */
  async #toLookAt(inputs: readonly string[]): Promise<string[]> {
    const recent = await this.#memory.sources.requestsFor(inputs);
    const requests = [...new Set(recent.values())];
    const inDoubt = [...recent].flatMap(([input, { ids }]) => (ids === null ? [input] : []));
    return [...requests.flatMap(({ ids }) => ids ?? []), ...inDoubt];
  }

  async #send(request: IngestRequest, look: Look, call: SourceWait): Promise<void> {
    const { wait, handle } = call;
    const inputs = inputsOf(request);
    wait.progress('queueing');
    // Until the request has an answer, no one can say whether the inputs are queued.
    wait.markDoubtful(inputs);
    // Jobs that are still running stay out of the baseline: Fini may count them as the new ones.
    const atRest = [...look.records.values()].filter((document) => !isInFlight(document));
    const baseline = { newestChange: look.newestChange, records: recordsById(atRest) };
    const processing = { english: request.english, baser: request.baser };
    try {
      const queued = await this.#memory.sources.send(
        { batch: handle, inputs, baseline, processing },
        () => this.#fini.ingestSources(request, wait.deadline.extend(GRACE_MS)),
        (answer) => ({ ids: queuedIds(answer) }),
      );
      wait.addSent(inputs, queuedIds(queued), () => baseline);
      call.hasBatch = true;
    } catch (error) {
      if (!mayBeCarriedOut(error)) wait.markCertain(inputs);
      throw error;
    }
  }

  /** Waits for inputs that were queued before this call. */
  async #addQueuedBefore(
    { wait, queuedAfter }: SourceWait,
    idOf: ReadonlyMap<string, string>,
  ): Promise<void> {
    const ids = [...idOf.values()];
    const baselines = await this.#memory.sources.baselines(ids, baselineAt(queuedAfter));
    for (const [input, id] of idOf) {
      const known = { id, joined: false, processing: null };
      wait.add(input, known, baselines.get(id) ?? null);
    }
  }

  async #watch(
    call: SourceWait,
    wasNeverQueued: (document: FiniDocument) => boolean | Promise<boolean> = () => false,
  ): Promise<void> {
    const { wait, request, queuedAfter } = call;
    await wait.watch(this.#changes, queuedAfter, {
      isNew: request !== null && wait.known.size === 0,
      wasNeverQueued,
      onRound: () => this.#learn(call),
    });
    await this.#learn(call);
  }

  /** Remembers what the wait has learned: the source of each input, and sources that are gone. */
  async #learn({ wait, learned }: SourceWait): Promise<void> {
    const news = [...wait.tracked.values()].filter(({ id }) => !learned.has(id));
    const named = news.flatMap(({ record }) => (record?.originalUrl ? [record] : []));
    const gone = news.flatMap(({ id, gone }) => (gone ? [id] : []));
    for (const id of [...named.map(({ id }) => id), ...gone]) learned.add(id);
    if (named.length > 0) await this.#memory.sources.learnNames(named);
    for (const id of gone) await this.#memory.sources.forgetSource(id);
  }

  /** True if a record shows no job, and this process knows of none on its way. */
  async #wasNeverQueued(document: FiniDocument): Promise<boolean> {
    if (!hasNoJob(document) || (await this.#memory.sources.hasQueued(document))) return false;
    const { id, originalUrl } = document;
    return !(await this.#memory.isQueueing([id, originalUrl ?? id]));
  }
}

/** The error of a call that spent all its time waiting for another one. */
function stillBusy(operation: Operation): FiniError {
  const message = 'Another call was still queueing some of the same items.';
  return new FiniError(message, { operation, failure: 'not_sent' });
}

/** The earliest time after the newest change seen; null if no change was seen. */
function afterNewestChange({ newestChange }: Baseline): number | null {
  return newestChange ? newestChange + 1 : null;
}

/** The baseline from a caller's time of queueing. */
function baselineAt(queuedAfter: number | null): Baseline | null {
  return queuedAfter === null ? null : { newestChange: queuedAfter, records: new Map() };
}
