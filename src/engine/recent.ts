import { FiniError } from '../fini/errors.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import type { Shelf, Store } from '../store/store.ts';
import { type Baseline, isFresh } from './freshness.ts';
import { inputKey, looseKey, matchRecords, namesOfSource } from './identity.ts';
import { DOUBT_MS, isInFlight, JOB_LOST_MS, type Processing, UNNAMED_MS } from './job-states.ts';
import type { Look } from './look.ts';

/** A request that queued recently, or may have. */
export interface RecentRequest {
  /** The handle of its batch. */
  readonly batch: string;
  readonly inputs: readonly string[];
  /** The IDs that Fini returned; null if the request got no answer. */
  readonly ids: readonly string[] | null;
  /** Source IDs by the key of an input, or of another name for it, as far as they are known. */
  readonly idOf: Readonly<Record<string, string>>;
  /** True if the request may still reach Fini. */
  readonly mayArriveLate: boolean;
  /** The newest change in the list before the request; null if the list could not be read. */
  readonly newestChange: number | null;
  /** The records of its sources before the request, without their text. */
  readonly before: readonly FiniDocument[];
  /** Settings of the jobs; null if the request did not state them. */
  readonly processing: Processing | null;
  /** Time at which it is forgotten, in milliseconds since 1970. */
  readonly forgottenAt: number;
}

/** A request that is about to queue. */
export interface NewRequest {
  readonly batch: string;
  readonly inputs: readonly string[];
  readonly baseline: Baseline;
  readonly processing?: Processing | null;
}

/** The IDs in the answer to a request that queued. */
export interface QueuedIds {
  readonly ids: readonly string[];
  /** IDs by input, as far as the answer tells. */
  readonly idOf?: ReadonlyMap<string, string>;
}

/** A running job, with the baseline that tells its end from the end of the job before. */
export interface RunningJob {
  readonly id: string;
  /** The record; null if the look did not show it. */
  readonly document: FiniDocument | null;
  readonly baseline: Baseline | null;
  /** The job's settings, if this process knows them. */
  readonly processing: Processing | null;
}

/** Inputs that must not be queued again. No job is running for any other input. */
export interface Running {
  /** Running jobs by input. */
  readonly joined: ReadonlyMap<string, RunningJob>;
  /** Inputs that may be queued, or have no known source yet, with the time until the next attempt. */
  readonly heldMs: ReadonlyMap<string, number>;
}

/**
 * The requests of one kind that recently queued in one workspace. A record may not show a new job until
 * it starts, so both queueing and waiting depend on what is remembered here.
 */
export class Recent {
  /** The batch of the latest request, by the key of an input, a source ID or another name. */
  readonly #batches: Shelf<string>;
  readonly #requests: Shelf<RecentRequest>;

  constructor(store: Store, kind: string) {
    this.#batches = store.shelf(`${kind}-names`);
    this.#requests = store.shelf(`${kind}-requests`);
  }

  /** Finds the latest request for each of these inputs or sources, by the given name. */
  async requestsFor(names: readonly string[]): Promise<Map<string, RecentRequest>> {
    const batches = await this.#batches.get(names.map(inputKey));
    const requests = await this.#requests.get([...new Set(batches.values())]);
    const found = new Map<string, RecentRequest>();
    for (const name of names) {
      const request = requests.get(batches.get(inputKey(name)) ?? '');
      if (request !== undefined) found.set(name, request);
    }
    return found;
  }

  /** True if a source was queued recently, or may have been, by its ID or its URL. */
  async hasQueued({ id, originalUrl }: FiniDocument): Promise<boolean> {
    return (await this.requestsFor([id, originalUrl ?? id])).size > 0;
  }

  /**
   * Sends a request that queues, and remembers its result, also if it is unknown whether it queued. A
   * known record cannot tell until its new job starts, and a new record may come late.
   *
   * @param read Reads the answer.
   * @throws what `send` throws.
   */
  async send<Answer>(
    request: NewRequest,
    send: () => Promise<Answer>,
    read: (answer: Answer) => QueuedIds,
  ): Promise<Answer> {
    const { batch, inputs, baseline } = request;
    let answer: Answer;
    try {
      answer = await send();
    } catch (error) {
      if (!mayBeCarriedOut(error)) throw error;
      const { newestChange, records } = baseline;
      const before = [...matchRecords(inputs, records.values()).values()];
      const mayArriveLate = !(error instanceof FiniError && error.isOver);
      const doubt = { batch, inputs, newestChange, before, mayArriveLate, processing: null };
      await this.#keep({ ...doubt, ids: null }, new Map(), DOUBT_MS);
      throw error;
    }
    await this.remember(request, read(answer));
    return answer;
  }

  /** Remembers what a request queued. */
  async remember(
    { batch, inputs, baseline: { newestChange, records }, processing = null }: NewRequest,
    { ids, idOf = new Map() }: QueuedIds,
  ): Promise<void> {
    // Only the records of these sources are kept, since this is kept for long.
    const before = ids.flatMap((id) => records.get(id) ?? []);
    const queued = { batch, inputs, ids, newestChange, before, mayArriveLate: false, processing };
    // Without an earlier list, nothing tells the new job's end from the old one's.
    await this.#keep(queued, idOf, newestChange === null ? DOUBT_MS : JOB_LOST_MS);
  }

  /** Forgets the requests for these names, whose jobs have ended and may be queued again. */
  async forget(names: readonly string[]): Promise<void> {
    await this.#batches.delete(names.map(inputKey));
  }

  /** Remembers the inputs that these records belong to. */
  async learnNames(documents: Iterable<FiniDocument>): Promise<void> {
    const records = [...documents];
    const requests = new Set((await this.requestsFor(records.map(({ id }) => id))).values());
    for (const request of requests) await this.#named(request, records);
  }

  /** Remembers that a source is gone, and its job with it. */
  async forgetSource(id: string): Promise<void> {
    const request = (await this.requestsFor([id])).get(id);
    if (request?.ids == null) return;
    await this.#replace({ ...request, ids: request.ids.filter((one) => one !== id) });
  }

  /**
   * Baselines that tell the newest job of a source from the one before: from its earlier record if one
   * was seen, otherwise from the time when the job was queued, by the caller or from here.
   */
  async baselines(
    ids: readonly string[],
    given: Baseline | null,
  ): Promise<ReadonlyMap<string, Baseline | null>> {
    const requests = await this.requestsFor(ids);
    const baselines = baselinesIn(requests.values());
    return new Map(ids.map((id) => [id, baselineOf(id, baselines.get(requests.get(id)), given)]));
  }

  /**
   * Finds the inputs that are running or may be: by their records, by recent requests that do not show
   * yet, and by requests that got no answer.
   */
  async findRunning(inputs: readonly string[], look: Look): Promise<Running> {
    const records = [...look.records.values()];
    const requests = await this.requestsFor(inputs);
    const found = new Map<string, { id: string; document: FiniDocument | null }>();
    const heldMs = new Map<string, number>();
    for (const [input, document] of matchRecords(inputs, records.filter(isInFlight))) {
      found.set(input, { id: document.id, document });
    }
    for (const [request, theirs] of byRequest(inputs, requests)) {
      const others = theirs.filter((input) => !found.has(input));
      if (request.ids === null) {
        const shown = shownSince(others, request, records);
        const known = matchRecords(others, records);
        for (const input of others) {
          const document = shown.get(input);
          if (document !== undefined) found.set(input, { id: document.id, document });
          else if (request.mayArriveLate || known.has(input)) heldMs.set(input, msLeft(request));
        }
      } else {
        const { open, hold } = openInputs(others, await this.#named(request, records), look);
        for (const [input, id] of open) {
          found.set(input, { id, document: look.records.get(id) ?? null });
        }
        for (const [input, milliseconds] of hold) heldMs.set(input, milliseconds);
      }
    }
    const queuedAs = await this.requestsFor([...found.values()].map(({ id }) => id));
    const baselines = baselinesIn(queuedAs.values());
    const joined = new Map<string, RunningJob>();
    for (const [input, { id, document }] of found) {
      const request = queuedAs.get(id);
      const processing = request?.processing ?? null;
      const baseline = baselineOf(id, baselines.get(request), null);
      joined.set(input, { id, document, baseline, processing });
    }
    await this.forget(noLongerInDoubt(joined, requests));
    return { joined, heldMs };
  }

  /** Adds the names in these records to a request, and remembers them. */
  async #named(request: RecentRequest, records: readonly FiniDocument[]): Promise<RecentRequest> {
    const ids = new Set(request.ids);
    const inputs = new Set(request.inputs.map(inputKey));
    const idOf = { ...request.idOf };
    let isNews = false;
    for (const document of records) {
      if (!ids.has(document.id)) continue;
      for (const name of namesOfSource(document)) {
        const key = name === null ? '' : inputKey(name);
        if (!inputs.has(key) || idOf[key] === document.id) continue;
        idOf[key] = document.id;
        isNews = true;
      }
    }
    const named = isNews ? { ...request, idOf } : request;
    if (isNews) await this.#replace(named);
    return named;
  }

  async #keep(
    request: Omit<RecentRequest, 'idOf' | 'forgottenAt'>,
    known: ReadonlyMap<string, string>,
    milliseconds: number,
  ): Promise<void> {
    const idOf: Record<string, string> = {};
    for (const [input, id] of known) idOf[inputKey(input)] = id;
    const ids = new Set(request.ids);
    for (const input of request.inputs) {
      if (ids.has(inputKey(input))) idOf[inputKey(input)] = inputKey(input);
    }
    // The next call may use any name of the source.
    for (const record of request.before) {
      for (const name of namesOfSource(record)) if (name !== null) idOf[inputKey(name)] = record.id;
    }
    const names = [...request.inputs.map(inputKey), ...ids, ...Object.keys(idOf)];
    const forgottenAt = Date.now() + milliseconds;
    await this.#requests.put([[request.batch, { ...request, idOf, forgottenAt }]], milliseconds);
    const { batch } = request;
    await this.#batches.put(
      names.map((name) => [name, batch]),
      milliseconds,
    );
  }

  async #replace(request: RecentRequest): Promise<void> {
    await this.#requests.put([[request.batch, request]], msLeft(request));
  }
}

/** True if a failed request may have been carried out all the same. */
export function mayBeCarriedOut(error: unknown): boolean {
  return !(error instanceof FiniError && error.surelyNotCarriedOut);
}

function msLeft({ forgottenAt }: RecentRequest): number {
  return Math.max(0, forgottenAt - Date.now());
}

/** The baseline that tells the newest job of a source from the one before, or null. */
function baselineOf(
  id: string,
  remembered: Baseline | undefined,
  given: Baseline | null,
): Baseline | null {
  if (remembered?.records.has(id)) return remembered;
  if (given !== null || remembered === undefined) return given;
  return remembered.newestChange === null ? null : remembered;
}

/** The list before each of these requests. */
function baselinesIn(
  requests: Iterable<RecentRequest>,
): ReadonlyMap<RecentRequest | undefined, Baseline> {
  return new Map([...new Set(requests)].map((request) => [request, baselineIn(request)]));
}

/** The list before a request. */
function baselineIn({ newestChange, before }: RecentRequest): Baseline {
  return { newestChange, records: new Map(before.map((record) => [record.id, record])) };
}

/** The inputs grouped by their latest request. */
function byRequest(
  inputs: readonly string[],
  requests: ReadonlyMap<string, RecentRequest>,
): Map<RecentRequest, string[]> {
  const groups = new Map<RecentRequest, string[]>();
  for (const input of inputs) {
    const request = requests.get(input);
    if (request === undefined) continue;
    const group = groups.get(request);
    if (group === undefined) groups.set(request, [input]);
    else group.push(input);
  }
  return groups;
}

/** Finds the inputs of an answered request whose job has not ended, or may not have. */
function openInputs(
  inputs: readonly string[],
  request: RecentRequest,
  { records, absent, isWhole }: Look,
): { open: ReadonlyMap<string, string>; hold: ReadonlyMap<string, number> } {
  const { ids, idOf, newestChange } = request;
  const baseline = baselineIn(request);
  const openIds = new Set(
    (ids ?? []).filter((id) => {
      const document = records.get(id);
      if (document !== undefined) return isInFlight(document) || !isFresh(document, baseline);
      // A source that the list does not show may be new, or old with a job that has not started.
      return !isWhole && !absent.has(id);
    }),
  );
  const named = new Set(Object.values(idOf));
  const hasUnnamed = [...openIds].some((id) => !named.has(id));
  const alike = new Map(Object.entries(idOf).map(([key, id]) => [looseKey(key), id]));
  const open = new Map<string, string>();
  const hold = new Map<string, number>();
  for (const input of inputs) {
    // An input without an ID may be another spelling of a page in the same request.
    const id = idOf[inputKey(input)] ?? (hasUnnamed ? undefined : alike.get(looseKey(input)));
    if (id === undefined ? !hasUnnamed : !openIds.has(id)) continue;
    if (newestChange === null) hold.set(input, msLeft(request));
    else if (id === undefined) hold.set(input, UNNAMED_MS);
    else open.set(input, id);
  }
  return { open, hold };
}

/** The records showing that a request without an answer was carried out, and how its jobs ended. */
function shownSince(
  inputs: readonly string[],
  request: RecentRequest,
  records: readonly FiniDocument[],
): Map<string, FiniDocument> {
  const baseline = baselineIn(request);
  const ended = records.filter((record) => !isInFlight(record) && isFresh(record, baseline));
  return matchRecords(inputs, ended);
}

/** Inputs that have shown their new job, so they may be queued again once it ends. */
function noLongerInDoubt(
  joined: ReadonlyMap<string, RunningJob>,
  requests: ReadonlyMap<string, RecentRequest>,
): string[] {
  return [...joined].flatMap(([input, { document }]) =>
    document !== null && requests.get(input)?.ids === null ? [input] : [],
  );
}
