import type { FiniDocument } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import { matchByKeys, type Processing } from './account.ts';
import { type Baseline, isFresh } from './freshness.ts';
import { inputKey } from './inputs.ts';
import { isInFlight } from './states.ts';

/** What one call queued, remembered so that the same call made again queues nothing. */
export interface Queueing {
  readonly inputs: readonly string[];
  /** Null where nobody knows whether anything was queued. */
  readonly ids: readonly string[] | null;
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

/** An input whose job runs already, and what tells its end from the end of the job before. */
export interface Joinable {
  readonly id: string;
  readonly document: FiniDocument;
  readonly baseline: Baseline | null;
  /** How its job processes it, where this process queued it. */
  readonly processing?: Processing | undefined;
}

/** Under these keys an input and a record mean the same source: the same ID, or the same page. */
export const SAME_SOURCE = [inputKey];

/** A job that pends for longer is lost, by Fini's own word. */
const QUEUEING_REMEMBERED_MS = 15 * 60_000;
/** A new job that has not shown within this time was most likely never queued. */
const DOUBT_REMEMBERED_MS = 60_000;

/** What was queued lately, by input. A record may not show a new job until it starts. */
export class QueuedLately {
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

  /** What was queued lately for these inputs. */
  of(inputs: readonly string[]): Set<Queueing> {
    this.#prune();
    const queueings = inputs.map((input) => this.#byInput.get(inputKey(input)));
    return new Set(queueings.filter((queueing) => queueing !== undefined));
  }

  /**
   * Those that must not be queued yet: a request for them may reach Fini late, or the record that
   * they have does not tell of a new job before that starts.
   */
  inDoubt(inputs: readonly string[], records: ReadonlyMap<string, FiniDocument>): string[] {
    const now = performance.now();
    const doubtful = inputs.flatMap((input) => {
      const queueing = this.#byInput.get(inputKey(input));
      const isDoubtful = queueing !== undefined && queueing.ids === null && now < queueing.until;
      return isDoubtful ? [{ input, queueing }] : [];
    });
    if (doubtful.length === 0) return [];
    const names = doubtful.map(({ input }) => input);
    const known = matchByKeys(names, candidatesIn(records), SAME_SOURCE, namesOf);
    return doubtful
      .filter(({ input, queueing }) => queueing.mayComeLate || known.has(input))
      .map(({ input }) => input);
  }

  /** Forgets the doubt about what has shown its new job: once that has ended, it may be queued. */
  resolveDoubts(joined: ReadonlyMap<string, Joinable>): void {
    for (const [input, { document }] of joined) {
      const queueing = this.#byInput.get(inputKey(input));
      if (queueing === undefined || queueing.ids !== null) continue;
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
    const queueing = { inputs, ids, baseline, processing, mayComeLate: false };
    this.#add(queueing, QUEUEING_REMEMBERED_MS);
  }

  /**
   * Whether a request that failed may have queued all the same. If so it is remembered: a known
   * record cannot tell until its new job starts, and a new one may not be there yet.
   */
  rememberDoubt(inputs: readonly string[], baseline: Baseline, error: unknown): boolean {
    const isFinis = error instanceof FiniError;
    if (isFinis && error.surelyNotCarriedOut) return false;
    const mayComeLate = !isFinis || !error.isOver;
    const known = matchByKeys(inputs, candidatesIn(baseline.records), SAME_SOURCE, namesOf);
    const records = new Map([...known.values()].map(({ id, document }) => [id, document]));
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

  #prune(): void {
    const now = performance.now();
    for (const memory of [this.#byInput, this.#bySource]) {
      for (const [key, { until }] of memory) if (until < now) this.#forget(memory, key);
    }
  }

  #add(queueing: Omit<Queueing, 'until'>, milliseconds: number): void {
    this.#prune();
    const until = performance.now() + milliseconds;
    this.#until = Math.max(this.#until, until);
    const remembered = { ...queueing, until };
    this.#keep(this.#byInput, queueing.inputs, remembered);
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

/**
 * A young record may not show its URL yet. Where what was queued lately together has as many such
 * records as inputs without a match, those are theirs; which is whose does not matter where all of
 * them are asked for.
 *
 * @returns The inputs of which only some are asked for: their job runs, and nobody knows which it is.
 */
export function joinNameless(
  inputs: readonly string[],
  queueings: ReadonlySet<Queueing>,
  running: readonly Joinable[],
  records: ReadonlyMap<string, FiniDocument>,
  joined: Map<string, Joinable>,
): string[] {
  const unnamed: string[] = [];
  for (const queueing of queueings) {
    if (queueing.ids === null) continue;
    const ids = new Set(queueing.ids);
    const theirs = running.filter(({ id }) => ids.has(id));
    const nameless = theirs.filter(({ document }) => !document.originalUrl);
    // Also what has ended meanwhile, whose input is not among those left.
    const seen = queueing.ids.flatMap((id) => {
      const document = records.get(id);
      return document === undefined ? [] : [{ id, document }];
    });
    const matched = matchByKeys(queueing.inputs, [...seen, ...theirs], SAME_SOURCE, namesOf);
    const left = queueing.inputs.filter((input) => !matched.has(input));
    if (nameless.length < left.length) continue;
    const keys = new Set(left.map(inputKey));
    const asked = inputs.filter((input) => !joined.has(input) && keys.has(inputKey(input)));
    if (asked.length < left.length) {
      // Some of them are asked for, and nobody knows which record is whose.
      unnamed.push(...asked);
      continue;
    }
    for (const input of asked) {
      const source = nameless.pop();
      if (source !== undefined) joined.set(input, source);
    }
  }
  return unnamed;
}

/** Of inputs that may have been queued: the records that tell that they were, and how it ended. */
export function findDoubtful(
  { inputs, baseline }: Queueing,
  records: ReadonlyMap<string, FiniDocument>,
): Joinable[] {
  const matched = matchByKeys(inputs, candidatesIn(records), SAME_SOURCE, namesOf);
  return [...matched.values()]
    .filter(({ document }) => !isInFlight(document) && isFresh(document, baseline))
    .map((candidate) => ({ ...candidate, baseline }));
}

/** The records as what an input may mean. */
export function candidatesIn(
  records: ReadonlyMap<string, FiniDocument>,
): Pick<Joinable, 'id' | 'document'>[] {
  return [...records.values()].map((document) => ({ id: document.id, document }));
}

/**
 * What a source may be called by: its ID, or the URL of a web page. A provider's item has a URL too,
 * but is another source than the page; a young record may not say yet of what kind it is.
 */
export function namesOf({ id, document }: Pick<Joinable, 'id' | 'document'>): (string | null)[] {
  const isPage = document.source === 'web' || document.source === null;
  return [id, isPage ? document.originalUrl : null];
}
