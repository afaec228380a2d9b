import type { FiniError } from '../fini/errors.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import { inputKey, looseKey, matchByKeys } from './identity.ts';
import type { Processing, SourceState } from './job-states.ts';
import type { EndedEarly, KnownInput, Tracked, Wait } from './wait.ts';

/** A source as the report has it, once for each input that means it. */
export interface ReportedSource {
  readonly id: string;
  /** The latest record; null while Fini has shown none. */
  readonly document: FiniDocument | null;
  /** The record tells of the job that is waited for, and not of the one before it. */
  readonly fresh: boolean;
  /** The source no longer exists in Fini. */
  readonly gone: boolean;
  readonly state: SourceState;
  /** The input as it was given; null if it is not known yet which of the inputs this is. */
  readonly input: string | null;
  /** Its job was running already and was waited for instead of being queued again. */
  readonly joined: boolean;
  /** The requested settings that the joined job doesn't use, as far as we know. */
  readonly ignored: readonly (keyof Processing)[];
}

/** How a wait ended. */
export type Outcome = 'completed' | 'partial' | 'failed' | 'timed_out';

/** The account of a wait: every input is in `sources` or `unqueued`, exactly once. */
export interface Report {
  readonly outcome: Outcome;
  /** Inputs by outcome: a source that two inputs mean counts twice. */
  readonly counts: {
    /** The sum of the other four. */
    readonly submitted: number;
    readonly completed: number;
    readonly failed: number;
    readonly unfinished: number;
    readonly unqueued: number;
  };
  /** In input order. Sources not matched to an input yet come last. */
  readonly sources: readonly ReportedSource[];
  /** Inputs that were not queued: Fini gave no ID for them, they are held, or were never ingested. */
  readonly unqueued: readonly string[];
  /** Those of them that were not sent, since a request before may have queued them. */
  readonly held: readonly string[];
  /** When to call again for those, in seconds. */
  readonly heldSeconds: number;
  /** The sources among them that were waited for but were never ingested. */
  readonly neverIngested: readonly FiniDocument[];
  /** The unqueued inputs are a guess, since some records do not show their URL. Their number is right. */
  readonly unqueuedIsGuess: boolean;
  readonly elapsedSeconds: number;
  /**
   * The earliest change that can be of the jobs that were waited for, in milliseconds since 1970: a
   * terminal status older than that is of an earlier job. Null if nothing tells.
   */
  readonly queuedAfter: number | null;
  /** The error that kept Fini from answering the last status check, or null. */
  readonly trouble: FiniError | null;
  /** The wait was cut short because the client asked for no progress, or null. */
  readonly endedEarly: EndedEarly | null;
  /** The handle under which a later call finds these inputs; null if nothing was queued or joined. */
  readonly batch: string | null;
}

/**
 * Accounts for every input and every source ID of a wait.
 *
 * @param asked How the call wants its sources processed; null if it queues nothing.
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

/** How a wait ended, of which so many ended well. */
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
  /** By input; two inputs may have one source. */
  readonly found: ReadonlyMap<string, Tracked<FiniDocument>>;
  /** Sources that do not show which input they are. */
  readonly unmatchedSources: readonly Tracked<FiniDocument>[];
  /** Inputs whose sources are among the unmatched ones. */
  readonly unnamedInputs: readonly string[];
  /** The inputs without a source are a guess. */
  readonly isGuess: boolean;
}

/**
 * Fini answers with fewer IDs than inputs, in any order, so the record's URL tells which input
 * became which source; where some records do not show theirs, only the number is certain. An input
 * without a source whose page Fini already has under another spelling shares that source.
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
  // Another spelling of a page got no ID of its own, more likely than any other input.
  const likeliestFirst = [...withoutTwin, ...rest.filter(hasTwin)];
  const unnamedInputs = likeliestFirst.slice(0, unmatchedSources.length);
  for (const input of likeliestFirst.slice(unmatchedSources.length)) {
    const twin = byKey.get(looseKey(input));
    if (twin !== undefined) found.set(input, twin);
  }
  const isGuess = unmatchedSources.length > 0 && withoutTwin.length > unmatchedSources.length;
  return { found, unmatchedSources, unnamedInputs, isGuess };
}
