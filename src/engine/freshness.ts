import type { FiniDocument } from '../fini/schemas.ts';
import { isInFlight, timeOf } from './job-states.ts';

/**
 * The list just before something was queued. It tells a new job's end from an old one's. It uses only
 * Fini's own times and job IDs, so no clocks have to agree.
 */
export interface Baseline {
  /**
   * The newest change in the workspace, in milliseconds since 1970, or 0 if there was none; null if
   * the list could not be read.
   */
  readonly newestChange: number | null;
  /** The records that were looked at, by source ID, without their text. */
  readonly records: ReadonlyMap<string, FiniDocument>;
}

/**
 * True if a record was written after the baseline and so belongs to the job queued since: Fini leaves
 * the old `COMPLETED` on a record until the new job starts. The job ID decides, since a record may be
 * touched without a new job; if there is none, the time does.
 */
export function isFresh(document: FiniDocument, baseline: Baseline): boolean {
  // Registering touches a record too.
  if (document.linkedJobStatus === null) return false;
  const earlier = baseline.records.get(document.id);
  if (earlier !== undefined) {
    if (earlier.linkedJobId !== null && document.linkedJobId !== null) {
      return document.linkedJobId !== earlier.linkedJobId;
    }
    const { updatedAt, linkedJobStatus } = document;
    return updatedAt !== earlier.updatedAt || linkedJobStatus !== earlier.linkedJobStatus;
  }
  const updatedAt = timeOf(document.updatedAt);
  if (updatedAt === null) return true;
  return baseline.newestChange !== null && updatedAt >= baseline.newestChange;
}

/**
 * True if a record is news of the job queued since the baseline, running or ended. A running job counts
 * unless the baseline knows it: it was already running then.
 */
export function isNews(document: FiniDocument, baseline: Baseline | null): boolean {
  if (baseline === null || isFresh(document, baseline)) return true;
  return isInFlight(document) && !baseline.records.has(document.id);
}

/** True if a record was read before the known one. */
export function isOlder(document: FiniDocument, known: FiniDocument | null): boolean {
  const [readAt, knownAt] = [document, known].map((one) => timeOf(one?.updatedAt ?? null));
  return readAt != null && knownAt != null && readAt < knownAt;
}

/** A record without its text: reports only count paragraphs. */
export function withoutText(document: FiniDocument): FiniDocument {
  return { ...document, paragraphs: [] };
}

/** The records by source ID, without their text. */
export function recordsById(documents: Iterable<FiniDocument>): Map<string, FiniDocument> {
  const records = new Map<string, FiniDocument>();
  for (const document of documents) {
    // A record that moves while pages are read may appear twice: the first one is the earlier.
    if (!records.has(document.id)) records.set(document.id, withoutText(document));
  }
  return records;
}
