import { setMaxListeners } from 'node:events';
import type { TimedCall } from '../fini/call-options.ts';
import type { FiniClient, IngestRequest } from '../fini/client.ts';
import { type FiniDocument, type QueuedDocuments, queuedIds } from '../fini/documents.ts';
import { FiniError, type Operation } from '../fini/errors.ts';
import { Changes } from './changes.ts';
import { recordsById } from './freshness.ts';
import { inputKey } from './identity.ts';
import { inputsOf, only, thereOf, withoutDuplicates, withoutRepetitions } from './inputs.ts';
import { hasNoJob, isInFlight } from './job-states.ts';
import { type Look, Looks } from './look.ts';
import { Recent } from './recent.ts';
import { Reservations } from './reservations.ts';
import type { Processing, Report } from './source-report.ts';
import { type Fate, Wait, type WaitOptions } from './wait.ts';
import { LAST_ANSWER_MS, WaitEnded } from './wait-deadline.ts';

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

/** What a call queues without waiting. */
interface QueuedAtOnce {
  readonly inputs: readonly string[];
  /** Those of them that Fini should have already. */
  readonly there: readonly string[];
  /** Undefined where the request does not say. */
  readonly processing?: Processing;
}

/** Queueing, watching and accounting for the sources of one workspace. */
export class Ingestion {
  readonly #fini: FiniClient;
  readonly #looks: Looks;
  readonly #changes: Changes;
  readonly #recent: Recent;
  /** Two calls at once must not queue the same twice. */
  readonly #reservations = new Reservations(inputKey);

  /**
   * @param pollIntervalMs The shortest pause between looks at Fini, in milliseconds.
   * @param recent What was queued in this workspace before.
   */
  constructor(fini: FiniClient, pollIntervalMs: number, recent = new Recent()) {
    this.#fini = fini;
    this.#looks = new Looks(fini);
    this.#changes = new Changes(fini, pollIntervalMs);
    this.#recent = recent;
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
        wait.follow(id, { id, joined: false }, this.#recent.baselineOf(id, given));
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
    if (!hasNoJob(document) || this.#recent.mayHaveQueued(document)) return false;
    const { id, originalUrl } = document;
    return [id, originalUrl].every((name) => name === null || !this.#reservations.has(name));
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
    call: TimedCall,
  ): Promise<{ queued: QueuedDocuments; queuedAfter: number | null }> {
    const wanted = withoutRepetitions(request);
    const send = () => this.#fini.ingestSources(wanted, withGrace(call));
    const items = { inputs: inputsOf(wanted), there: thereOf(wanted), processing: wanted };
    return this.#queueAtOnce('ingest sources', items, send, queuedIds, call);
  }

  /**
   * Queues sources of any kind to be ingested again, in the same way.
   *
   * @throws {FiniError}
   */
  async refresh(
    ids: readonly string[],
    call: TimedCall,
  ): Promise<{ queued: readonly string[]; queuedAfter: number | null }> {
    const send = () => this.#fini.refreshSources(ids, withGrace(call));
    const items = { inputs: ids, there: ids };
    return this.#queueAtOnce('refresh sources', items, send, (queued) => queued, call);
  }

  async #queueAtOnce<Answer>(
    operation: Operation,
    { inputs, there, processing }: QueuedAtOnce,
    send: () => Promise<Answer>,
    idsOf: (answer: Answer) => readonly string[],
    call: TimedCall,
  ): Promise<{ queued: Answer; queuedAfter: number | null }> {
    // Another call may last longer, and both its queueing and a look with it are waited for.
    const timeout = new AbortController();
    const left = Math.max(0, call.endsAt - performance.now());
    const timer = setTimeout(() => timeout.abort(stillBusy(operation)), left);
    const signal = AbortSignal.any([call.signal, timeout.signal]);
    setMaxListeners(0, signal);
    let release: () => void = () => undefined;
    try {
      release = await this.#reservations.take(inputs, signal);
      const look = await this.#lookIfAllowed(there, { ...call, signal });
      // Where the list cannot be read, nothing on it can be told from what was there before.
      const newestChange = look === null ? Number.POSITIVE_INFINITY : afterChange(look);
      const baseline = { newestChange, records: look?.records ?? new Map() };
      let queued: Answer;
      try {
        queued = await send();
      } catch (error) {
        this.#recent.rememberDoubt(inputs, baseline, error);
        throw error;
      }
      this.#recent.remember(inputs, idsOf(queued), baseline, processing);
      return { queued, queuedAfter: Number.isFinite(newestChange) ? newestChange : null };
    } finally {
      clearTimeout(timer);
      release();
    }
  }

  /** The list before queueing; null where the key may not read it, or nobody can. */
  async #lookIfAllowed(there: readonly string[], call: TimedCall): Promise<Look | null> {
    try {
      return await this.#looks.look({ mayRun: [], there }, call);
    } catch (error) {
      // A key without read scope can queue all the same; one that is wrong cannot.
      if (error instanceof FiniError && error.status !== 401) return null;
      throw error;
    }
  }

  /** Joins what runs already, holds back what may run, and queues the rest. */
  async #queue(
    request: IngestRequest,
    inputs: readonly string[],
    wait: Wait,
    queuedAt: QueuedAt,
  ): Promise<void> {
    wait.progress('checking');
    // Until another call is done with an input, nobody can say whether it is queued.
    const release = await this.#reservations.take(inputs, wait.signal, (busy) => wait.doubt(busy));
    try {
      const there = [...thereOf(request), ...this.#recent.toLookAt(inputs)];
      const look = await this.#looks.look({ mayRun: inputs, there }, wait.preparing);
      queuedAt.queuedAfter = afterChange(look);
      const { joined, groups, held, heldSeconds } = this.#recent.findRunning(inputs, look);
      const rest = new Set(inputs);
      wait.release(inputs);
      for (const [input, { id, document, baseline, processing }] of joined) {
        wait.follow(input, { id, joined: true, processing }, baseline);
        if (document !== null) wait.take(document);
        rest.delete(input);
      }
      for (const group of groups) {
        wait.joinGroup(group);
        for (const input of group.inputs) rest.delete(input);
      }
      wait.hold(held, heldSeconds);
      for (const input of held) rest.delete(input);
      if (rest.size > 0) await this.#post(only(request, rest), look, wait);
    } finally {
      release();
    }
  }

  async #post(request: IngestRequest, look: Look, wait: Wait): Promise<void> {
    wait.progress('queueing');
    const inputs = inputsOf(request);
    // Until it is known what became of the request, nobody can say.
    wait.doubt(inputs);
    let queued: QueuedDocuments;
    try {
      queued = await this.#fini.ingestSources(request, wait.preparing);
    } catch (error) {
      if (!this.#recent.rememberDoubt(inputs, look, error)) wait.release(inputs);
      throw error;
    }
    const ids = queuedIds(queued);
    // A job that ran before is as good as the new one: Fini may have left it at that.
    const ended = ids.flatMap((id) => look.records.get(id) ?? []).filter((one) => !isInFlight(one));
    const baseline = { newestChange: look.newestChange, records: recordsById(ended) };
    wait.queued(inputs, ids, baseline);
    this.#recent.remember(inputs, ids, baseline, request);
  }

  async #watch(
    wait: Wait,
    since: number | null,
    wasNeverQueued: (document: FiniDocument) => boolean = () => false,
  ): Promise<void> {
    wait.progress('waiting');
    try {
      await this.#changes.watch({
        ids: wait.ids,
        // What was queued before this call may have ended before it, too.
        ...(since === null || wait.hasUnshown ? {} : { since }),
        isNew: wait.hasQueuedAll,
        isSettled: (document) => {
          this.#recent.learn(document);
          return wait.take(document, wasNeverQueued(document));
        },
        onGone: (id) => {
          this.#recent.lose(id);
          wait.lose(id);
        },
        onRound: (trouble) => wait.endRound(trouble),
        onPause: wait.onPause,
        signal: wait.signal,
      });
    } catch (error) {
      if (wait.cancellation.aborted || error !== wait.signal.reason) throw error;
    }
  }
}

/** The fate of a queueing request is worth some seconds more than the call has. */
function withGrace(call: TimedCall): TimedCall {
  return { ...call, endsAt: call.endsAt + LAST_ANSWER_MS };
}

/** What ends a call that waited for another one all its time. */
function stillBusy(operation: Operation): FiniError {
  const message = 'Another call was still queueing some of the same items.';
  return new FiniError(message, { operation, failure: 'not_sent' });
}

/** The earliest change that is later than the newest one seen. */
function afterChange({ newestChange }: Look): number {
  return newestChange + 1;
}
