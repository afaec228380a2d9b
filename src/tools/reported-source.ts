import { isStuck } from '../engine/job-states.ts';
import type { ReportedSource } from '../engine/source-report.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import { type HintName, hintFor, isRetriable } from './hints.ts';

/** A source's record, if it shows the awaited job: an older job's result does not count. */
export function currentRecord({ fresh, document }: ReportedSource): FiniDocument | null {
  return fresh ? document : null;
}

/** The hint for a source at the end of a wait; undefined if no action is needed. */
export function hintOn(source: ReportedSource): HintName | undefined {
  if (source.gone) return 'gone';
  const current = currentRecord(source);
  return current === null ? undefined : hintFor(current);
}

/** True if a source's job is lost, so that waiting for it does not help. */
export function isLost(source: ReportedSource): boolean {
  const current = currentRecord(source);
  return source.state === 'unfinished' && current !== null && isStuck(current);
}

/** Failed sources that may succeed on another try, without repetitions. */
export function retriable(sources: readonly ReportedSource[]): ReportedSource[] {
  const failed = new Map(sources.filter(isFailed).map((source) => [source.id, source]));
  return [...failed.values()].filter((source) => isRetriable(hintOn(source)));
}

function isFailed({ state }: ReportedSource): boolean {
  return state === 'failed';
}
