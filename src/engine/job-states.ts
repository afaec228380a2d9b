import type { FiniDocument } from '../fini/schemas.ts';

/** How a job stands, as far as a wait tells it apart. */
export type SourceState = 'completed' | 'failed' | 'unfinished';

/** How a job processes its source, as far as a caller may choose. */
export interface Processing {
  readonly english: boolean;
  readonly baser: boolean;
}

/**
 * A job that pends for longer is lost, by Fini's own word. So older changes need no look for what
 * runs, and what was queued need not be remembered for longer.
 */
export const JOB_LOST_MS = 15 * 60_000;
/** A request without an answer may still arrive this long. A new job that does not show then never will. */
export const DOUBT_MS = 60_000;
/** When to call again for an input whose source is not known yet: by then a young record shows its URL. */
export const UNNAMED_MS = 10_000;

/** Tells whether a job is waiting or running. */
export function isInFlight(document: FiniDocument): boolean {
  return document.linkedJobStatus === 'PENDING' || document.linkedJobStatus === 'IN_PROGRESS';
}

/** Tells whether Fini shows no job at all: the source was never ingested, or its first job does not show yet. */
export function hasNoJob(document: FiniDocument): boolean {
  return !document.linkedJobStatus && !document.linkedJobId;
}

/**
 * Reads a record's state. `COMPLETED` alone is not success: without usable content, or with an
 * error, it failed. A record that says neither counts as unfinished, and so does an unknown status.
 */
export function stateOf(document: FiniDocument): SourceState {
  if (document.linkedJobStatus === 'FAILED') return 'failed';
  if (document.linkedJobStatus !== 'COMPLETED') return 'unfinished';
  if (document.success === false || (document.error ?? '') !== '') return 'failed';
  if (document.success === true || document.paragraphCount > 0) return 'completed';
  return 'unfinished';
}

/** Milliseconds since 1970 of one of Fini's times; null where it has none. */
export function timeOf(text: string | null): number | null {
  const time = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? null : time;
}

/** Tells whether a job has been waiting for so long that it counts as lost. */
export function isStuck(document: FiniDocument): boolean {
  const changedAt = timeOf(document.updatedAt) ?? Date.now();
  return document.linkedJobStatus === 'PENDING' && Date.now() - changedAt > JOB_LOST_MS;
}
