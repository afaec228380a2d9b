import type { FiniDocument } from '../fini/documents.ts';
import type { FiniError } from '../fini/errors.ts';
import { inputKey, looseKey, matchByKeys } from './identity.ts';
import { type SourceState, stateOf } from './job-states.ts';

/** How a job processes a source, as far as the caller may choose. */
export interface Processing {
  readonly english: boolean;
  readonly baser: boolean;
}

/** One source of a wait, followed to its end. */
export interface TrackedSource {
  readonly id: string;
  /** The latest record; null while Fini has shown none. */
  document: FiniDocument | null;
  /** The record tells of the job that is waited for, and not of the one before it. */
  fresh: boolean;
  /** The source no longer exists in Fini. */
  gone: boolean;
  /** It has no job and none is on its way, so there is nothing to wait for. */
  neverQueued: boolean;
}

/** The source that an input is known to mean. */
export interface Known {
  readonly id: string;
  /** Its job was queued before this call, which waits for it instead of queueing it again. */
  readonly joined: boolean;
  /** How that job processes the source, where this process knows it. */
  readonly processing?: Processing | undefined;
}

/** The inputs of one queueing request, and the IDs that Fini gave for them. */
export interface Queued {
  readonly inputs: readonly string[];
  readonly ids: readonly string[];
  /** Another call made the request, and this one waits for it instead of queueing again. */
  readonly joined: boolean;
  /** How those jobs process their sources, where this process knows it. */
  readonly processing?: Processing | undefined;
}

/** A source as the report has it, once for each input that means it. */
export interface ReportedSource extends TrackedSource {
  readonly state: SourceState;
  /** The input as it was given; null where nobody knows yet which of the inputs this is. */
  readonly input: string | null;
  /** Its job was running already and was waited for instead of being queued again. */
  readonly joined: boolean;
  /** What the call asked for and the joined job does otherwise. */
  readonly ignored: readonly (keyof Processing)[];
}

/** How a wait ended. */
export type Outcome = 'completed' | 'partial' | 'failed' | 'timed_out';

/** The account of a wait: every input is in `sources` or `unqueued`, exactly once. */
export interface Report {
  readonly outcome: Outcome;
  /** What became of the inputs: a source that two inputs mean counts twice. */
  readonly counts: {
    /** The sum of the other four. */
    readonly submitted: number;
    readonly completed: number;
    readonly failed: number;
    readonly unfinished: number;
    readonly unqueued: number;
  };
  /** In the order of the inputs; last those of which nobody knows yet whose they are. */
  readonly sources: readonly ReportedSource[];
  /** Inputs that were not queued: Fini gave no ID for them, they are held, or were never ingested. */
  readonly unqueued: readonly string[];
  /** Those of them that were not sent, since a request before may have queued them. */
  readonly held: readonly string[];
  /** When to call again for those, in seconds. */
  readonly heldSeconds: number;
  /** The sources among them that were waited for but were never ingested. */
  readonly neverIngested: readonly FiniDocument[];
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

/** What a wait knows of its items. */
export interface Items {
  readonly inputs: readonly string[];
  /** How the call wants them processed; null where it queues nothing. */
  readonly asked: Processing | null;
  /** By source ID. */
  readonly sources: ReadonlyMap<string, TrackedSource>;
  /** By input. */
  readonly known: ReadonlyMap<string, Known>;
  readonly queued: readonly Queued[];
  /** Inputs that were not sent, since a request before may have queued them. */
  readonly held: ReadonlySet<string>;
  /** When to call again for those, in seconds. */
  readonly heldSeconds: number;
}

/** Accounts for every input and every source ID of a wait. */
export function accountFor(
  { inputs, asked, sources: tracked, known, queued, held, heldSeconds }: Items,
  details: Pick<Report, 'elapsedSeconds' | 'queuedAfter' | 'trouble'>,
): Report {
  const found = new Map<string, ReportedSource>();
  const spare: ReportedSource[] = [];
  const unnamed = new Set<string>();
  const neverIngested: FiniDocument[] = [];
  let isGuess = false;
  for (const [input, { id, joined, processing }] of known) {
    const source = tracked.get(id);
    if (source === undefined) continue;
    if (source.neverQueued && source.document !== null) {
      neverIngested.push(source.document);
      continue;
    }
    const ignored = joined ? differences(asked, source, processing) : [];
    found.set(input, { ...source, state: reportedState(source), input, joined, ignored });
  }
  for (const request of queued) {
    const theirs = request.ids.flatMap((id) => tracked.get(id) ?? []);
    const match = matchQueued(request.inputs, theirs);
    isGuess ||= match.isGuess;
    const reported = (source: TrackedSource, input: string | null): ReportedSource => {
      const { joined } = request;
      const ignored = joined ? differences(asked, source, request.processing) : [];
      return { ...source, state: reportedState(source), input, joined, ignored };
    };
    for (const [input, source] of match.found) found.set(input, reported(source, input));
    spare.push(...match.spare.map((source) => reported(source, null)));
    // Theirs are the spare sources, whichever is whose.
    for (const input of match.unnamed) unnamed.add(input);
  }
  const sources = [...inputs.flatMap((input) => found.get(input) ?? []), ...spare];
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
    outcome: outcomeOf(counts),
    counts,
    sources,
    unqueued,
    held: unqueued.filter((input) => held.has(input)),
    heldSeconds,
    neverIngested,
    unqueuedIsGuess: isGuess,
    ...details,
  };
}

/** What of the processing asked for a job does otherwise, as far as its record or memory tells. */
function differences(
  asked: Processing | null,
  { document, fresh }: TrackedSource,
  remembered: Processing | undefined,
): (keyof Processing)[] {
  if (asked === null) return [];
  return (['english', 'baser'] as const).filter((name) => {
    const does = (fresh ? document?.[name] : null) ?? remembered?.[name];
    return does !== undefined && does !== asked[name];
  });
}

function outcomeOf(counts: Report['counts']): Outcome {
  if (counts.unfinished > 0) return 'timed_out';
  if (counts.completed === counts.submitted) return 'completed';
  return counts.completed === 0 ? 'failed' : 'partial';
}

/** Which of a request's inputs became which source. */
interface Match {
  /** By input; two inputs may have one source. */
  readonly found: ReadonlyMap<string, TrackedSource>;
  /** Sources that do not show which input they are. */
  readonly spare: readonly TrackedSource[];
  /** Inputs whose sources are among the spare ones. */
  readonly unnamed: readonly string[];
  /** Which inputs got no source could not be told for sure. */
  readonly isGuess: boolean;
}

/**
 * Fini answers with fewer IDs than inputs, in any order, so the record's URL tells which input
 * became which source; where some records do not show theirs, only the number is certain. An input
 * left over whose page Fini already has under another spelling shares that source.
 */
function matchQueued(inputs: readonly string[], sources: readonly TrackedSource[]): Match {
  const names = (source: TrackedSource) => [source.id, source.document?.originalUrl];
  const found = matchByKeys(inputs, sources, [inputKey, looseKey], names);
  const taken = new Set(found.values());
  const spare = sources.filter((source) => !taken.has(source));
  const left = inputs.filter((input) => !found.has(input));
  const [only, another] = left;
  const [single, further] = spare;
  if (only !== undefined && another === undefined && single !== undefined && !further) {
    found.set(only, single);
    return { found, spare: [], unnamed: [], isGuess: false };
  }
  const byKey = new Map<string, TrackedSource>();
  for (const [input, source] of found) {
    for (const name of [input, ...names(source)]) if (name) byKey.set(looseKey(name), source);
  }
  const alike = (input: string) => byKey.get(looseKey(input));
  const unlike = left.filter((input) => alike(input) === undefined);
  const unsure = [...unlike, ...left.filter((input) => alike(input) !== undefined)];
  const unnamed = unsure.slice(0, spare.length);
  for (const input of unsure.slice(spare.length)) {
    const source = alike(input);
    if (source !== undefined) found.set(input, source);
  }
  const isGuess = spare.length > 0 && unlike.length > spare.length;
  return { found, spare, unnamed, isGuess };
}
