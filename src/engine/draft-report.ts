import type { FiniDocument } from '../fini/documents.ts';
import type { FiniError } from '../fini/errors.ts';
import type { KnowledgeJob } from '../fini/knowledge.ts';

/** One source of a generation, followed to its end. */
export interface SourceOfDraft {
  readonly id: string;
  /** Its record as it was before; null where the look did not show it. */
  document: FiniDocument | null;
  /** Null where Fini gave none. */
  jobId: string | null;
  /** The latest that Fini told of its job. */
  job: KnowledgeJob | null;
  /** A call before queued the job, and this one waits for it. */
  joined: boolean;
  /**
   * `left`: surely not queued; `held`: may have been queued by a request without an answer; `queued`;
   * `unknown`: Fini does not know its job any more.
   */
  state: 'left' | 'held' | 'queued' | 'unknown';
}

/** How generating from a source ended. */
export type DraftState = 'drafted' | 'nothing_made' | 'failed' | 'unfinished' | 'unqueued';

/** A source as the report has it. */
export interface ReportedDraft extends SourceOfDraft {
  readonly outcome: DraftState;
}

/** The account of a generation: every source is in `sources`, exactly once, in the order given. */
export interface GenerationReport {
  readonly outcome: 'completed' | 'partial' | 'failed' | 'timed_out';
  readonly counts: Readonly<Record<DraftState, number>> & {
    /** The sum of the others. */
    readonly submitted: number;
  };
  readonly sources: readonly ReportedDraft[];
  readonly elapsedSeconds: number;
  /** When to call again for sources that may have been queued, in seconds. */
  readonly heldSeconds: number;
  /** What kept Fini from answering the last look, or null. */
  readonly trouble: FiniError | null;
}

/** Accounts for every source of a generation. */
export function accountForGeneration(
  given: readonly SourceOfDraft[],
  details: Pick<GenerationReport, 'elapsedSeconds' | 'heldSeconds' | 'trouble'>,
): GenerationReport {
  const sources = given.map((source) => ({ ...source, outcome: stateOfDraft(source) }));
  const count = (state: DraftState) => sources.filter(({ outcome }) => outcome === state).length;
  const counts = {
    submitted: sources.length,
    drafted: count('drafted'),
    nothing_made: count('nothing_made'),
    failed: count('failed'),
    unfinished: count('unfinished'),
    unqueued: count('unqueued'),
  };
  return { outcome: outcomeOf(counts), counts, sources, ...details };
}

/** `COMPLETED` without an article made nothing (fini-api.md, "Knowledge"). */
function stateOfDraft({ state, job }: SourceOfDraft): DraftState {
  if (state === 'left' || state === 'held') return 'unqueued';
  if (job?.jobStatus === 'FAILED') return 'failed';
  if (job?.jobStatus !== 'COMPLETED') return 'unfinished';
  return job.hcArticleId === null ? 'nothing_made' : 'drafted';
}

function outcomeOf(counts: GenerationReport['counts']): GenerationReport['outcome'] {
  if (counts.unfinished > 0) return 'timed_out';
  if (counts.drafted === counts.submitted) return 'completed';
  return counts.drafted === 0 ? 'failed' : 'partial';
}
