import type { FiniError } from '../fini/errors.ts';
import type { FiniDocument, KnowledgeJob } from '../fini/schemas.ts';
import { inputKey } from './identity.ts';
import { type Outcome, outcomeOf } from './source-report.ts';
import type { EndedEarly, Wait } from './wait.ts';

/** How generating from a source ended. */
export type DraftState = 'drafted' | 'nothing_made' | 'failed' | 'unfinished' | 'unqueued';

/** A source as the report of a generation has it. */
export interface ReportedDraft {
  readonly id: string;
  /** Its record as it was before; null if the look did not show it. */
  readonly document: FiniDocument | null;
  /** Null if Fini gave none. */
  readonly jobId: string | null;
  /** The latest that Fini said of its job, or null. */
  readonly job: KnowledgeJob | null;
  /** A call before queued the job, and this one waits for it. */
  readonly joined: boolean;
  /**
   * `not_queued`, for sure; `held`: may have been queued by a request without an answer; `queued`;
   * `unknown`: Fini does not know its job any more.
   */
  readonly state: 'not_queued' | 'held' | 'queued' | 'unknown';
  readonly outcome: DraftState;
}

/** The account of a generation: every source is in `sources`, exactly once, in the order given. */
export interface GenerationReport {
  readonly outcome: Outcome;
  readonly counts: Readonly<Record<DraftState, number>> & {
    /** The sum of the others. */
    readonly submitted: number;
  };
  readonly sources: readonly ReportedDraft[];
  readonly elapsedSeconds: number;
  /** When to call again for sources that may have been queued, in seconds. */
  readonly heldSeconds: number;
  /** The error that kept Fini from answering the last status check, or null. */
  readonly trouble: FiniError | null;
  /** The wait was cut short because the client asked for no progress, or null. */
  readonly endedEarly: EndedEarly | null;
  /** The handle under which a later call finds these sources; null if nothing was queued or joined. */
  readonly batch: string | null;
}

/**
 * Accounts for every source of a generation.
 *
 * @param jobless Sources for which Fini queued a job without telling its ID.
 */
export function accountForDrafts(
  wait: Wait<KnowledgeJob>,
  records: ReadonlyMap<string, FiniDocument>,
  jobless: ReadonlySet<string>,
  batch: string | null,
): GenerationReport {
  const sources = wait.inputs.map((id): ReportedDraft => {
    const known = wait.known.get(id);
    const tracked = wait.tracked.get(known?.id ?? '');
    const isQueued = known !== undefined || jobless.has(id);
    const unqueued = wait.doubtful.has(id) ? 'held' : 'not_queued';
    const state = isQueued ? (tracked?.gone ? 'unknown' : 'queued') : unqueued;
    const job = tracked?.record ?? null;
    return {
      id,
      document: records.get(inputKey(id)) ?? null,
      jobId: known?.id ?? null,
      job,
      joined: known?.joined ?? false,
      state,
      outcome: isQueued ? draftStateOf(job) : 'unqueued',
    };
  });
  const count = (state: DraftState) => sources.filter(({ outcome }) => outcome === state).length;
  const counts = {
    submitted: sources.length,
    drafted: count('drafted'),
    nothing_made: count('nothing_made'),
    failed: count('failed'),
    unfinished: count('unfinished'),
    unqueued: count('unqueued'),
  };
  return {
    outcome: outcomeOf(counts.drafted, counts),
    counts,
    sources,
    elapsedSeconds: wait.deadline.elapsedSeconds,
    heldSeconds: wait.heldSeconds,
    trouble: wait.trouble,
    endedEarly: wait.endedEarly(counts.unfinished > 0),
    batch,
  };
}

/** How a job ended. `COMPLETED` without an article made nothing. */
function draftStateOf(job: KnowledgeJob | null): DraftState {
  if (job?.jobStatus === 'FAILED') return 'failed';
  if (job?.jobStatus !== 'COMPLETED') return 'unfinished';
  return job.hcArticleId === null ? 'nothing_made' : 'drafted';
}
