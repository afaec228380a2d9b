import type { FiniError } from '../fini/errors.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import { inputKey, looseKey, matchByKeys } from './identity.ts';
import type { Processing, SourceState } from './job-states.ts';
import type { EndedEarly, KnownInput, Tracked, Wait } from './wait.ts';

/** A source in the report, once for each input that means it. */
export interface ReportedSource {
  readonly id: string;
  /** The latest record; null while Fini has shown none. */
  readonly document: FiniDocument | null;
  /** True if the record shows the job that was waited for, not the one before. */
  readonly fresh: boolean;
  /** True if the source no longer exists in Fini. */
  readonly gone: boolean;
  readonly state: SourceState;
  /** The input as given; null while it is not known which input this is. */
  readonly input: string | null;
  /** True if its job was already running and was waited for instead of being queued again. */
  readonly joined: boolean;
  /** The requested settings that the joined job doesn't use, as far as we know. */
  readonly ignored: readonly (keyof Processing)[];
}

/** The outcome of a wait. */
export type Outcome = 'completed' | 'partial' | 'failed' | 'timed_out';

/** The report of a wait: every input is in `sources` or `unqueued`, exactly once. */
export interface Report {
  readonly outcome: Outcome;
  /** Number of inputs by outcome: a source that two inputs mean counts twice. */
  readonly counts: {
    /** Sum of the other four. */
    readonly submitted: number;
    readonly completed: number;
    readonly failed: number;
    readonly unfinished: number;
    readonly unqueued: number;
  };
  /** In input order. Sources not matched to an input yet come last. */
  readonly sources: readonly ReportedSource[];
  /** Inputs that were not queued: Fini returned no ID for them, they are held, or were never ingested. */
  readonly unqueued: readonly string[];
  /** The unqueued inputs that were held back, since an earlier request may have queued them. */
  readonly held: readonly string[];
  /** Seconds after which to call again for the held inputs. */
  readonly heldSeconds: number;
  /** The unqueued sources that were waited for but never ingested. */
  readonly neverIngested: readonly FiniDocument[];
  /** True if the unqueued inputs are a guess, since some records show no URL. Their number is right. */
  readonly unqueuedIsGuess: boolean;
  readonly elapsedSeconds: number;
  /**
   * The earliest change that can belong to the jobs of this wait, in milliseconds since 1970: an older
   * final status belongs to an earlier job. Null if unknown.
   */
  readonly queuedAfter: number | null;
  /** The error that kept Fini from answering the last status check, or null. */
  readonly trouble: FiniError | null;
  /** Set if the wait was cut short because the client asked for no progress. */
  readonly endedEarly: EndedEarly | null;
  /** The handle of these inputs for later calls; null if nothing was queued or joined. */
  readonly batch: string | null;
}

/**
 * Accounts for every input and every source ID of a wait.
 *
 * @param asked The requested settings; null if the call queues nothing.
 */
export function accountForSources(
  wait: Wait<FiniDocument>,
  asked: Processing | null,
  { queuedAfter, batch }: Pick<Report, 'queuedAfter' | 'batch'>,
): Report {
  const { inputs, tracked } = wait;
  const reported = (
    source: Tracked<FiniDocument>,
    input: string | null,
    { joined, processing }: Pick<KnownInput, 'joined' | 'processing'>,
  ): ReportedSource => {
    const { id, record: document, fresh, gone } = source;
    const ignored = joined ? ignoredSettings(asked, source, processing) : [];
    return { id, document, fresh, gone, state: wait.stateOf(source), input, joined, ignored };
  };
  const found = new Map<string, ReportedSource>();
  const neverIngested: FiniDocument[] = [];
  for (const [input, known] of wait.known) {
    const source = tracked.get(known.id);
    if (source === undefined) continue;
    if (source.neverQueued && source.record !== null) neverIngested.push(source.record);
    else found.set(input, reported(source, input, known));
  }
  const sent = wait.sent.ids.flatMap((id) => tracked.get(id) ?? []);
  const match = matchSent(wait.sent.inputs, sent);
  const own = { joined: false, processing: null };
  for (const [input, source] of match.found) found.set(input, reported(source, input, own));
  const unmatched = match.unmatchedSources.map((source) => reported(source, null, own));
  const sources = [...inputs.flatMap((input) => found.get(input) ?? []), ...unmatched];
  const unnamed = new Set(match.unnamedInputs);
  const unqueued = inputs.filter((input) => !found.has(input) && !unnamed.has(input));
  const count = (state: SourceState) => sources.filter((source) => source.state === state).length;
  const counts = {
    submitted: sources.length + unqueued.length,
    completed: count('completed'),
    failed: count('failed'),
    unfinished: count('unfinished'),
    unqueued: unqueued.length,
  };
  return {
    outcome: outcomeOf(counts.completed, counts),
    counts,
    sources,
    unqueued,
    held: unqueued.filter((input) => wait.doubtful.has(input)),
    heldSeconds: wait.heldSeconds,
    neverIngested,
    unqueuedIsGuess: match.isGuess,
    elapsedSeconds: wait.deadline.elapsedSeconds,
    queuedAfter,
    trouble: wait.trouble,
    endedEarly: wait.endedEarly(counts.unfinished > 0),
    batch,
  };
}

/** The outcome of a wait of which this many ended well. */
export function outcomeOf(
  succeeded: number,
  { submitted, unfinished }: { readonly submitted: number; readonly unfinished: number },
): Outcome {
  if (unfinished > 0) return 'timed_out';
  if (succeeded === submitted) return 'completed';
  return succeeded === 0 ? 'failed' : 'partial';
}

/** The requested settings that a joined job doesn't use, as far as we know. */
function ignoredSettings(
  asked: Processing | null,
  { record, fresh }: Tracked<FiniDocument>,
  remembered: Processing | null,
): (keyof Processing)[] {
  if (asked === null) return [];
  return (['english', 'baser'] as const).filter((name) => {
    const used = (fresh ? record?.[name] : null) ?? remembered?.[name];
    return used !== undefined && used !== asked[name];
  });
}

/** Pairs of a request's inputs and sources. */
interface Match {
  /** Sources by input; two inputs may have the same source. */
  readonly found: ReadonlyMap<string, Tracked<FiniDocument>>;
  /** Sources whose input is not known. */
  readonly unmatchedSources: readonly Tracked<FiniDocument>[];
  /** Inputs whose sources are among the unmatched ones. */
  readonly unnamedInputs: readonly string[];
  /** True if the inputs without a source are a guess. */
  readonly isGuess: boolean;
}

/**
 * Pairs inputs with sources. Fini may return fewer IDs than inputs, in any order, so the record's URL
 * tells which input became which source; if some records do not show theirs, only the number is
 * certain. An input without a source whose page Fini has under another spelling shares that source.
 */
function matchSent(inputs: readonly string[], sources: readonly Tracked<FiniDocument>[]): Match {
  const names = ({ id, record }: Tracked<FiniDocument>) => [id, record?.originalUrl];
  const found = matchByKeys(inputs, sources, [inputKey, looseKey], names);
  const taken = new Set(found.values());
  const unmatchedSources = sources.filter((source) => !taken.has(source));
  const rest = inputs.filter((input) => !found.has(input));
  const [lastInput] = rest;
  const [lastSource] = unmatchedSources;
  const isOneEach = rest.length === 1 && unmatchedSources.length === 1;
  if (isOneEach && lastInput !== undefined && lastSource !== undefined) {
    found.set(lastInput, lastSource);
    return { found, unmatchedSources: [], unnamedInputs: [], isGuess: false };
  }
  const byKey = new Map<string, Tracked<FiniDocument>>();
  for (const [input, source] of found) {
    for (const name of [input, ...names(source)]) if (name) byKey.set(looseKey(name), source);
  }
  const hasTwin = (input: string) => byKey.has(looseKey(input));
  const withoutTwin = rest.filter((input) => !hasTwin(input));
  // Another spelling of a page most likely got no ID of its own.
  const likeliestFirst = [...withoutTwin, ...rest.filter(hasTwin)];
  const unnamedInputs = likeliestFirst.slice(0, unmatchedSources.length);
  for (const input of likeliestFirst.slice(unmatchedSources.length)) {
    const twin = byKey.get(looseKey(input));
    if (twin !== undefined) found.set(input, twin);
  }
  const isGuess = unmatchedSources.length > 0 && withoutTwin.length > unmatchedSources.length;
  return { found, unmatchedSources, unnamedInputs, isGuess };
}
