import type { GenerationLimits } from '../fini/client.ts';
import type { FiniError } from '../fini/errors.ts';
import type { FiniDocument, KnowledgeJob } from '../fini/schemas.ts';
import type { CheckedDraft, DraftCheck } from './draft-check.ts';
import { inputKey } from './identity.ts';
import { type Outcome, outcomeOf } from './source-report.ts';
import type { EndedEarly, Wait } from './wait.ts';

/** The outcome of generating from a source. */
export type DraftState = 'drafted' | 'nothing_made' | 'failed' | 'unfinished' | 'unqueued';

/** Says whether there are folders to write articles into. */
export type FolderState = 'some' | 'none' | 'unknown';

/** A source in the report of a generation. */
export interface ReportedDraft {
  readonly id: string;
  /** The source's record before; null if the look did not show it. */
  readonly document: FiniDocument | null;
  /** The job's ID; null if Fini returned none. */
  readonly jobId: string | null;
  /** Fini's latest status of the job, or null. */
  readonly job: KnowledgeJob | null;
  /** True if an earlier call queued the job, and this one waits for it. */
  readonly joined: boolean;
  /**
   * `not_queued`, for sure; `held`: may have been queued by a request without an answer; `queued`;
   * `unknown`: Fini no longer knows the job.
   */
  readonly state: 'not_queued' | 'held' | 'queued' | 'unknown';
  readonly outcome: DraftState;
  /** The draft that was made; null if Fini does not find it, undefined if it was not checked. */
  readonly draft: CheckedDraft | null | undefined;
  /** False if the draft is the work of an operation that the call did not allow. */
  readonly isAllowed: boolean;
}

/** The report of a generation: `sources` has every source exactly once, in input order. */
export interface GenerationReport {
  readonly outcome: Outcome;
  readonly counts: Readonly<Record<DraftState, number>> & {
    /** Sum of the other counts. */
    readonly submitted: number;
  };
  readonly sources: readonly ReportedDraft[];
  readonly elapsedSeconds: number;
  /** Seconds after which to call again for sources that may have been queued. */
  readonly heldSeconds: number;
  /** The error that kept Fini from answering the last status check, or null. */
  readonly trouble: FiniError | null;
  /** Set if the wait was cut short because the client asked for no progress. */
  readonly endedEarly: EndedEarly | null;
  /** The handle under which a later call finds these sources; null if nothing was queued or joined. */
  readonly batch: string | null;
  readonly folders: FolderState;
  /** True if all drafts that wait were seen, so that those beside the new ones are known. */
  readonly areOthersKnown: boolean;
}

/** A generation at its end. */
export interface EndedGeneration {
  readonly wait: Wait<KnowledgeJob>;
  /** The sources' records before the call, by ID. */
  readonly records: ReadonlyMap<string, FiniDocument>;
  /** Sources for which Fini queued a job without returning its ID. */
  readonly jobless: ReadonlySet<string>;
  readonly batch: string | null;
  readonly limits: GenerationLimits;
  /** Null if the call has not looked. */
  readonly folders: FolderState | null;
  readonly check: DraftCheck;
}

/** Accounts for every source of a generation. */
export function accountForDrafts({
  wait,
  records,
  jobless,
  batch,
  limits: { restrictedOps = [] },
  folders,
  check,
}: EndedGeneration): GenerationReport {
  const sources = wait.inputs.map((id): ReportedDraft => {
    const known = wait.known.get(id);
    const tracked = wait.tracked.get(known?.id ?? '');
    const isQueued = known !== undefined || jobless.has(id);
    const queued = tracked?.gone ? 'unknown' : 'queued';
    const unqueued = wait.doubtful.has(id) ? 'held' : 'not_queued';
    const job = tracked?.record ?? null;
    const draft = check.drafts.get(job?.hcArticleId?.toLowerCase() ?? '');
    return {
      id,
      document: records.get(inputKey(id)) ?? null,
      jobId: known?.id ?? null,
      job,
      joined: known?.joined ?? false,
      state: isQueued ? queued : unqueued,
      outcome: isQueued ? draftStateOf(job) : 'unqueued',
      draft,
      isAllowed: restrictedOps.length === 0 || !draft || restrictedOps.includes(draft.operation),
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
    folders: counts.drafted > 0 ? 'some' : (folders ?? 'unknown'),
    areOthersKnown: check.isWhole,
  };
}

/** The outcome of a job. `COMPLETED` without an article means that nothing was made. */
function draftStateOf(job: KnowledgeJob | null): DraftState {
  if (job?.jobStatus === 'FAILED') return 'failed';
  if (job?.jobStatus !== 'COMPLETED') return 'unfinished';
  return job.hcArticleId === null ? 'nothing_made' : 'drafted';
}
