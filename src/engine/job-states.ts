import type { FiniDocument } from '../fini/schemas.ts';

/** The state of a job, as far as a wait distinguishes it. */
export type SourceState = 'completed' | 'failed' | 'unfinished';

/** Settings for processing a source that a caller can choose. */
export interface Processing {
  readonly english: boolean;
  readonly baser: boolean;
}

/**
 * Fini considers a job lost if it is pending for longer. So there is no need to look for running jobs
 * further back, or to remember queued requests for longer.
 */
export const JOB_LOST_MS = 15 * 60_000;
/** Time in which a request without an answer may still arrive. After that, no new job will show. */
export const DOUBT_MS = 60_000;
/** Time to wait for an input without a known source: by then a young record shows its URL. */
export const UNNAMED_MS = 10_000;

/** True if a job is waiting or running. */
export function isInFlight(document: FiniDocument): boolean {
  return document.linkedJobStatus === 'PENDING' || document.linkedJobStatus === 'IN_PROGRESS';
}

/** True if Fini shows no job: the source was never ingested, or its first job does not show yet. */
export function hasNoJob(document: FiniDocument): boolean {
  return !document.linkedJobStatus && !document.linkedJobId;
}

/**
 * Reads a record's state. `COMPLETED` alone is not success: without usable content, or with an error,
 * the job failed. A record that says neither counts as unfinished, and so does an unknown status.
 */
export function stateOf(document: FiniDocument): SourceState {
  if (document.linkedJobStatus === 'FAILED') return 'failed';
  if (document.linkedJobStatus !== 'COMPLETED') return 'unfinished';
  if (document.success === false || (document.error ?? '') !== '') return 'failed';
  if (document.success === true || document.paragraphCount > 0) return 'completed';
  return 'unfinished';
}

/** One of Fini's times in milliseconds since 1970; null if it is missing. */
export function timeOf(text: string | null): number | null {
  const time = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? null : time;
}

/** True if a job has been waiting for so long that it counts as lost. */
export function isStuck(document: FiniDocument): boolean {
  const changedAt = timeOf(document.updatedAt) ?? Date.now();
  return document.linkedJobStatus === 'PENDING' && Date.now() - changedAt > JOB_LOST_MS;
}
