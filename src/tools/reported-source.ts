import { isStuck } from '../engine/job-states.ts';
import type { ReportedSource } from '../engine/source-report.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { bounded, URL_LENGTH } from '../text.ts';
import { type Advice, adviceFor, GONE_ADVICE } from './hints.ts';

/* What there is to say of one source at the end of a wait. */

/** A source's record, if it shows the job that was waited for: an older job's result does not count. */
export function currentRecord({ fresh, document }: ReportedSource): FiniDocument | null {
  return fresh ? document : null;
}

/** Why a source failed, cut at `length` characters; undefined where it did not. */
export function errorOf(source: ReportedSource, length: number): string | undefined {
  if (source.state !== 'failed') return undefined;
  if (source.gone) return 'Fini has no source with this ID.';
  return bounded(currentRecord(source)?.error ?? '', length) || 'Fini gave no reason.';
}

/** What to do about a source; undefined where there is nothing to do. */
export function adviceOn(source: ReportedSource): Advice | undefined {
  if (source.gone) return GONE_ADVICE;
  const current = currentRecord(source);
  return current === null ? undefined : adviceFor(current);
}

/** The input, where the source's ID and URL do not show it. */
export function ownName({ input, id, document }: ReportedSource): string | undefined {
  if (input === null || input === id || input === document?.originalUrl) return undefined;
  return bounded(input, URL_LENGTH);
}

/** Whether there is nothing to tell of a source but its ID, which the call that waits for it has. */
export function isBlank(source: ReportedSource): boolean {
  const { state, document, joined, ignored } = source;
  const isNamed = document?.originalUrl || document?.title || ownName(source) !== undefined;
  const isTold = isNamed || currentRecord(source)?.linkedJobStatus || joined || ignored.length > 0;
  return state === 'unfinished' && !isTold;
}

/** Whether a source's job is lost, so that waiting for it does not help. */
export function isLost(source: ReportedSource): boolean {
  const current = currentRecord(source);
  return source.state === 'unfinished' && current !== null && isStuck(current);
}
