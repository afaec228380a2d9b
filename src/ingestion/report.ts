import type { FiniDocument } from '../fini/documents.ts';
import type { FiniError } from '../fini/errors.ts';
import { inputKey } from './inputs.ts';
import { type SourceState, stateOf } from './states.ts';

/** One source of a wait, followed to its end. */
export interface TrackedSource {
  readonly id: string;
  /** Its job was running already and was waited for instead of being queued again. */
  readonly joined: boolean;
  /** The latest record; null while Fini has shown none. */
  document: FiniDocument | null;
  /** The record tells of the job that is waited for, and not of the one before it. */
  fresh: boolean;
  /** Fini has no such source any more. */
  gone: boolean;
}

/** A source as the report has it. */
export interface ReportedSource extends TrackedSource {
  readonly state: SourceState;
}

/** How a wait ended. */
export type Outcome = 'completed' | 'partial' | 'failed' | 'timed_out';

/** The account of a wait: every item handed in is in `sources` or `unqueued`, exactly once. */
export interface Report {
  readonly outcome: Outcome;
  readonly counts: {
    readonly submitted: number;
    readonly completed: number;
    readonly failed: number;
    readonly unfinished: number;
    readonly unqueued: number;
  };
  readonly sources: readonly ReportedSource[];
  /** Inputs that Fini accepted the request for but gave no ID for. */
  readonly unqueued: readonly string[];
  /** Which inputs went unqueued could not be told for sure: some records do not show their URL. */
  readonly unqueuedIsGuess: boolean;
  readonly elapsedSeconds: number;
  /**
   * The newest change before the jobs were queued, in milliseconds since 1970: a terminal status
   * older than that is not these jobs'. Null where nothing was queued.
   */
  readonly queuedAfter: number | null;
  /** What kept Fini from answering the last look, or null. */
  readonly trouble: FiniError | null;
}

/** Whether a source needs no more watching: what its record says is final, and is news. */
export function isSettled(source: TrackedSource): boolean {
  if (source.gone) return true;
  return source.document !== null && source.fresh && stateOf(source.document) !== 'unfinished';
}

/** Where a source stands, as far as it was followed. */
export function reportedState(source: TrackedSource): SourceState {
  if (source.gone) return 'failed';
  return isSettled(source) && source.document !== null ? stateOf(source.document) : 'unfinished';
}

/**
 * Accounts for every input and every source ID of a wait.
 *
 * @param held Inputs that were not queued, so that no source can be theirs.
 */
export function accountFor(
  tracked: Iterable<TrackedSource>,
  inputs: readonly string[],
  held: readonly string[],
  details: Pick<Report, 'elapsedSeconds' | 'queuedAfter' | 'trouble'>,
): Report {
  const sources = [...tracked].map((source) => ({ ...source, state: reportedState(source) }));
  const isHeld = new Set(held);
  const sent = inputs.filter((input) => !isHeld.has(input));
  const { unqueued: ungiven, isGuess, matches } = findUnqueued(sent, sources);
  const unqueued = [...held, ...ungiven];
  const count = (state: SourceState) => sources.filter((source) => source.state === state).length;
  const counts = {
    submitted: sources.length + unqueued.length,
    completed: count('completed'),
    failed: count('failed'),
    unfinished: count('unfinished'),
    unqueued: unqueued.length,
  };
  return {
    outcome: outcomeOf(counts),
    counts,
    sources: inOrder(sources, sent, matches),
    unqueued,
    unqueuedIsGuess: isGuess,
    ...details,
  };
}

function outcomeOf(counts: Report['counts']): Outcome {
  if (counts.unfinished > 0) return 'timed_out';
  if (counts.completed === counts.submitted) return 'completed';
  return counts.completed === 0 ? 'failed' : 'partial';
}

/**
 * The inputs that no source stands for. Fini answers with fewer IDs than inputs, in any order, so
 * the record's URL tells which input became which source; where some records do not show theirs,
 * only the number is certain.
 */
function findUnqueued(
  inputs: readonly string[],
  sources: readonly TrackedSource[],
): { unqueued: string[]; isGuess: boolean; matches: ReadonlyMap<string, TrackedSource> } {
  const names = (source: TrackedSource) => [source.id, source.document?.originalUrl];
  const matches = matchByKeys(inputs, sources, [...STRICT_KEYS, ...LOOSE_KEYS], names);
  const unmatched = inputs.filter((input) => !matches.has(input));
  const spareSources = sources.length - matches.size;
  const unqueued = unmatched.slice(spareSources);
  return { unqueued, isGuess: spareSources > 0 && unqueued.length > 0, matches };
}

/** The sources in the order of the inputs that they stand for; then those of no known input. */
function inOrder(
  sources: readonly ReportedSource[],
  inputs: readonly string[],
  matches: ReadonlyMap<string, TrackedSource>,
): ReportedSource[] {
  const places = new Map<string, number>();
  for (const [place, input] of inputs.entries()) {
    const id = matches.get(input)?.id;
    if (id !== undefined) places.set(id, place);
  }
  const placeOf = ({ id }: ReportedSource) => places.get(id) ?? inputs.length;
  return sources.toSorted((one, other) => placeOf(one) - placeOf(other));
}

type Key = (text: string) => string;

/** Keys under which an input and a record surely mean the same source: an ID, or the same page. */
export const STRICT_KEYS: readonly Key[] = [inputKey, withoutTrailingSlash];

/** Keys for a record whose URL Fini has rewritten, as after a redirect. */
const LOOSE_KEYS: readonly Key[] = [
  (text) =>
    withoutTrailingSlash(text)
      .replace(/#.*$/, '')
      .replace(/^https?:\/\/(www\.)?/, ''),
];

function withoutTrailingSlash(text: string): string {
  return inputKey(text).replace(/\/(?=$|[?#])/, '');
}

/**
 * Pairs inputs with candidates that mean the same, the surest keys first; each candidate is paired
 * once at the most.
 */
export function matchByKeys<Candidate>(
  inputs: readonly string[],
  candidates: readonly Candidate[],
  keys: readonly Key[],
  namesOf: (candidate: Candidate) => readonly (string | null | undefined)[],
): Map<string, Candidate> {
  const matches = new Map<string, Candidate>();
  const taken = new Set<Candidate>();
  for (const key of keys) {
    const byKey = new Map<string, Candidate>();
    for (const candidate of candidates) {
      if (taken.has(candidate)) continue;
      for (const name of namesOf(candidate)) if (name) byKey.set(key(name), candidate);
    }
    for (const input of inputs) {
      const candidate = matches.has(input) ? undefined : byKey.get(key(input));
      if (candidate === undefined || taken.has(candidate)) continue;
      matches.set(input, candidate);
      taken.add(candidate);
    }
  }
  return matches;
}
