import type { FiniDocument } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import { type Baseline, isFresh } from './freshness.ts';
import { inputKey, looseKey, matchRecords, namesOf } from './identity.ts';
import { isInFlight } from './job-states.ts';
import type { Look } from './look.ts';
import type { Processing } from './source-report.ts';

/** What one call queued, remembered so that the same call made again queues nothing. */
interface Queueing {
  readonly inputs: readonly string[];
  /** Null where nobody knows whether anything was queued. */
  readonly ids: readonly string[] | null;
  /** By the key of an input: the source that it has turned out to mean. */
  readonly idOf: Map<string, string>;
  /** Sources of it that no longer exist. */
  readonly gone: Set<string>;
  /** The request may reach Fini yet. */
  readonly mayComeLate: boolean;
  readonly baseline: Baseline;
  /** How the jobs process their sources; undefined where the request did not say. */
  readonly processing: Processing | undefined;
  /** When it is forgotten, by `performance.now()`. */
  readonly until: number;
}

/** How much is remembered, in characters of inputs and IDs. Past it the oldest is forgotten. */
const REMEMBERED_CHARACTERS = 4_000_000;
/** A job that pends for longer is lost, by Fini's own word. */
const QUEUEING_REMEMBERED_MS = 15 * 60_000;
/** A new job that has not shown within this time was most likely never queued. */
const DOUBT_REMEMBERED_MS = 60_000;
/** By then a young record shows its URL. */
const UNNAMED_SECONDS = 10;

/** A source whose job runs already, and what tells its end from the end of the job before. */
export interface Joinable {
  readonly id: string;
  /** Null where the look did not show it. */
  readonly document: FiniDocument | null;
  readonly baseline: Baseline | null;
  /** How its job processes it, where this process queued it. */
  readonly processing?: Processing | undefined;
}

/** Inputs that were queued together, and the sources that are theirs, whichever is whose. */
export interface JoinableGroup {
  readonly inputs: readonly string[];
  readonly ids: readonly string[];
  readonly baseline: Baseline;
  /** How their jobs process them, where this process knows it. */
  readonly processing: Processing | undefined;
}

/** What of a call's inputs must not be queued. Everything else is certain to be at rest. */
export interface Running {
  readonly joined: ReadonlyMap<string, Joinable>;
  readonly groups: readonly JoinableGroup[];
  /** Inputs that may have been queued, or run while nobody knows which source is whose. */
  readonly held: readonly string[];
  /** When to call again for what is held, in seconds. */
  readonly heldSeconds: number;
}

/** What is found to run, or may run, of a call's inputs. */
class Findings implements Running {
  readonly joined = new Map<string, Joinable>();
  readonly groups: JoinableGroup[] = [];
  readonly held: string[] = [];
  heldSeconds = 0;
  readonly #queuedAs: (id: string) => Pick<Joinable, 'baseline' | 'processing'>;

  /** @param queuedAs What this process knows of how a source was queued. */
  constructor(queuedAs: (id: string) => Pick<Joinable, 'baseline' | 'processing'>) {
    this.#queuedAs = queuedAs;
  }

  join(input: string, id: string, document: FiniDocument | null): void {
    this.joined.set(input, { id, document, ...this.#queuedAs(id) });
  }

  hold(input: string, seconds: number): void {
    this.held.push(input);
    this.heldSeconds = Math.max(this.heldSeconds, seconds);
  }
}

/** Finds what became of inputs whose request had no answer. */
function findDoubtful(
  found: Findings,
  inputs: readonly string[],
  queueing: Queueing,
  records: readonly FiniDocument[],
): void {
  const shown = shownSince(inputs, queueing, records);
  for (const [input, document] of shown) found.join(input, document.id, document);
  const known = matchRecords(inputs, records);
  for (const input of inputs) {
    const mayRun = queueing.mayComeLate || known.has(input);
    if (mayRun && !shown.has(input)) found.hold(input, secondsLeft(queueing));
  }
}

/** How long a queueing is remembered, in seconds. */
function secondsLeft({ until }: Queueing): number {
  return (until - performance.now()) / 1000;
}

/**
 * What this process queued lately in one workspace. A record may not show a new job until that
 * starts, so queueing and waiting alike go by what is remembered here.
 */
export class Recent {
  readonly #byInput = new Map<string, Queueing>();
  readonly #bySource = new Map<string, Queueing>();
  #characters = 0;
  /** When the last of it is forgotten, by `performance.now()`. */
  #until = Number.NEGATIVE_INFINITY;

  /**
   * What tells the newest job of a source from the one before it: the record as it was, where it was
   * seen, and else when the caller says that the job was queued, or when it was queued from here.
   */
  baselineOf(id: string, given: Baseline | null): Baseline | null {
    const queueing = this.#bySource.get(inputKey(id));
    if (queueing === undefined || queueing.until < performance.now()) return given;
    const { baseline } = queueing;
    if (baseline.records.has(id)) return baseline;
    // Infinity stands for a list that could not be read.
    return given ?? (baseline.newestChange < Number.POSITIVE_INFINITY ? baseline : null);
  }

  /** Whether a source was queued lately, or may have been, by its ID or as an input. */
  mayHaveQueued({ id, originalUrl }: FiniDocument): boolean {
    const isRemembered = (key: string) =>
      [this.#bySource, this.#byInput].some(
        (memory) => (memory.get(key)?.until ?? Number.NEGATIVE_INFINITY) >= performance.now(),
      );
    return [id, originalUrl].some((name) => name !== null && isRemembered(inputKey(name)));
  }

  /** What was queued lately for these inputs, or may have been: the records tell what became of it. */
  toLookAt(inputs: readonly string[]): string[] {
    const isInDoubt = (input: string) => this.#byInput.get(inputKey(input))?.ids === null;
    return [...[...this.#of(inputs)].flatMap(({ ids }) => ids ?? []), ...inputs.filter(isInDoubt)];
  }

  /** Remembers which input a source is, once its record shows it. */
  learn(document: FiniDocument): void {
    const queueing = this.#bySource.get(inputKey(document.id));
    if (queueing === undefined || queueing.ids === null) return;
    for (const name of namesOf(document)) {
      if (name === null) continue;
      const key = inputKey(name);
      if (this.#byInput.get(key) === queueing) queueing.idOf.set(key, document.id);
    }
  }

  /** Notes that a source no longer exists, so that its job is over too. */
  lose(id: string): void {
    this.#bySource.get(inputKey(id))?.gone.add(id);
  }

  /**
   * Which of a call's inputs run already, or may run: by their records, by what was queued lately and
   * has not shown yet, and by requests that had no answer.
   */
  findRunning(inputs: readonly string[], look: Look): Running {
    const records = [...look.records.values()];
    for (const record of records) this.learn(record);
    const found = new Findings((id) => {
      const processing = this.#bySource.get(inputKey(id))?.processing;
      return { baseline: this.baselineOf(id, null), processing };
    });
    for (const [input, document] of matchRecords(inputs, records.filter(isInFlight))) {
      found.join(input, document.id, document);
    }
    for (const queueing of this.#of(inputs)) {
      const left = inputs.filter(
        (input) => !found.joined.has(input) && this.#byInput.get(inputKey(input)) === queueing,
      );
      if (queueing.ids === null) findDoubtful(found, left, queueing, records);
      else this.#findQueued(found, left, queueing, queueing.ids, look);
    }
    this.#resolveDoubts(found.joined);
    return found;
  }

  /** Finds what runs, or may, of inputs that were queued together. */
  #findQueued(
    found: Findings,
    inputs: readonly string[],
    queueing: Queueing,
    ids: readonly string[],
    look: Look,
  ): void {
    const { open, nameless } = this.#stillOpen(queueing, ids, look);
    const { baseline, processing, idOf } = queueing;
    // Where the list could not be read before, nothing tells the new job's end from the old one's.
    const mayTell = baseline.newestChange < Number.POSITIVE_INFINITY;
    const hold = (input: string) =>
      found.hold(input, mayTell ? UNNAMED_SECONDS : secondsLeft(queueing));
    const unnamed: string[] = [];
    for (const input of inputs) {
      const id = idOf.get(inputKey(input));
      if (id === undefined) unnamed.push(input);
      else if (open.has(id) && mayTell) found.join(input, id, look.records.get(id) ?? null);
      else if (open.has(id)) hold(input);
    }
    if (nameless.length === 0) {
      // Fini gave them no ID, or that of a page which they are another spelling of.
      const alike = new Map([...idOf].map(([key, id]) => [looseKey(key), id]));
      for (const input of unnamed) {
        const id = alike.get(looseKey(input));
        if (id !== undefined && open.has(id)) found.join(input, id, look.records.get(id) ?? null);
      }
      return;
    }
    const all = queueing.inputs.filter((input) => !idOf.has(inputKey(input)));
    if (unnamed.length > 0 && unnamed.length === all.length && mayTell) {
      found.groups.push({ inputs: unnamed, ids: nameless, baseline, processing });
    } else unnamed.forEach(hold);
  }

  /** Of what was queued together: the sources whose job has not ended, and those of them without a name. */
  #stillOpen(
    { idOf, gone, baseline }: Queueing,
    ids: readonly string[],
    { records, absent, shownSince }: Look,
  ): { open: ReadonlySet<string>; nameless: readonly string[] } {
    const named = new Set(idOf.values());
    const isWhole = shownSince === Number.NEGATIVE_INFINITY;
    const open = ids.filter((id) => {
      const document = records.get(id);
      if (document !== undefined) return isInFlight(document) || !isFresh(document, baseline);
      // What the list does not show may be new, or of old, with a job that has not started.
      return !isWhole && !absent.has(id) && !gone.has(id);
    });
    return { open: new Set(open), nameless: open.filter((id) => !named.has(id)) };
  }

  /** Forgets the doubt about what has shown its new job: once that has ended, it may be queued. */
  #resolveDoubts(joined: ReadonlyMap<string, Joinable>): void {
    for (const [input, { document }] of joined) {
      const queueing = this.#byInput.get(inputKey(input));
      if (document === null || queueing === undefined || queueing.ids !== null) continue;
      const hasShown = isInFlight(document) || isFresh(document, queueing.baseline);
      if (hasShown) this.#forget(this.#byInput, inputKey(input));
    }
  }

  /**
   * Remembers what a request queued.
   *
   * @param ids As Fini gave them: source IDs.
   */
  remember(
    inputs: readonly string[],
    ids: readonly string[],
    { newestChange, records }: Baseline,
    asked?: Processing,
  ): void {
    // Only theirs: this is kept for long.
    const before = ids.flatMap((id) => records.get(id) ?? []);
    const baseline = {
      newestChange,
      records: new Map(before.map((record) => [record.id, record])),
    };
    const processing = asked && { english: asked.english, baser: asked.baser };
    const isUnread = newestChange === Number.POSITIVE_INFINITY;
    const milliseconds = isUnread ? DOUBT_REMEMBERED_MS : QUEUEING_REMEMBERED_MS;
    this.#add({ inputs, ids, baseline, processing, mayComeLate: false }, milliseconds);
  }

  /**
   * Whether a request that failed may have queued all the same. If so it is remembered: a known
   * record cannot tell until its new job starts, and a new one may not be there yet.
   */
  rememberDoubt(inputs: readonly string[], baseline: Baseline, error: unknown): boolean {
    const isFinis = error instanceof FiniError;
    if (isFinis && error.surelyNotCarriedOut) return false;
    const mayComeLate = !isFinis || !error.isOver;
    const known = matchRecords(inputs, baseline.records.values());
    const records = new Map([...known.values()].map((record) => [record.id, record]));
    const narrowed = { newestChange: baseline.newestChange, records };
    const queueing = { inputs, ids: null, baseline: narrowed, processing: undefined, mayComeLate };
    this.#add(queueing, DOUBT_REMEMBERED_MS);
    return true;
  }

  /** How much is remembered, in characters of inputs and IDs. */
  get characters(): number {
    return this.#characters;
  }

  /** Forgets what was queued first. The answer is whether there was anything. */
  forgetOldest(): boolean {
    const isMoreByInput = this.#byInput.size >= this.#bySource.size;
    const memory = isMoreByInput ? this.#byInput : this.#bySource;
    for (const key of memory.keys()) {
      this.#forget(memory, key);
      return true;
    }
    return false;
  }

  /** Whether there is nothing left to remember. */
  get isEmpty(): boolean {
    return performance.now() > this.#until;
  }

  /** What was queued lately for these inputs. */
  #of(inputs: readonly string[]): Set<Queueing> {
    this.#prune();
    const queueings = inputs.map((input) => this.#byInput.get(inputKey(input)));
    return new Set(queueings.filter((queueing) => queueing !== undefined));
  }

  #prune(): void {
    const now = performance.now();
    for (const memory of [this.#byInput, this.#bySource]) {
      for (const [key, { until }] of memory) if (until < now) this.#forget(memory, key);
    }
  }

  #add(queueing: Omit<Queueing, 'until' | 'idOf' | 'gone'>, milliseconds: number): void {
    this.#prune();
    const until = performance.now() + milliseconds;
    this.#until = Math.max(this.#until, until);
    const memory = { idOf: new Map<string, string>(), gone: new Set<string>() };
    const remembered = { ...queueing, ...memory, until };
    const sources = new Set(queueing.ids?.map(inputKey));
    for (const key of queueing.inputs.map(inputKey)) {
      if (sources.has(key)) remembered.idOf.set(key, key);
    }
    // By whatever name the next call has for it.
    const names = [...queueing.inputs];
    for (const record of queueing.baseline.records.values()) {
      for (const name of namesOf(record)) {
        if (name === null) continue;
        names.push(name);
        remembered.idOf.set(inputKey(name), record.id);
      }
    }
    this.#keep(this.#byInput, names, remembered);
    // In doubt, the records that were there before: a wait for them must not take the old job's end.
    const ids = queueing.ids ?? [...queueing.baseline.records.keys()];
    this.#keep(this.#bySource, ids, remembered);
    while (this.#characters > REMEMBERED_CHARACTERS) this.forgetOldest();
  }

  /** Adds entries behind those there are. */
  #keep(memory: Map<string, Queueing>, names: readonly string[], remembered: Queueing): void {
    for (const key of names.map(inputKey)) {
      this.#forget(memory, key);
      memory.set(key, remembered);
      this.#characters += key.length;
    }
  }

  #forget(memory: Map<string, Queueing>, key: string): void {
    if (memory.delete(key)) this.#characters -= key.length;
  }
}

/** Of inputs that may have been queued: the records that tell that they were, and how it ended. */
function shownSince(
  inputs: readonly string[],
  { baseline }: Queueing,
  records: readonly FiniDocument[],
): Map<string, FiniDocument> {
  const ended = records.filter((record) => !isInFlight(record) && isFresh(record, baseline));
  return matchRecords(inputs, ended);
}
