import type { FiniDocument } from '../fini/documents.ts';
import type { NewestChanges } from './newest-changes.ts';
import { isInFlight, timeOf } from './states.ts';

/** Jobs that pend for longer are lost by Fini's own word, so older changes need no look. */
const LOOK_BACK_MS = 15 * 60_000;
/** Bounds the look back in a very busy workspace. */
const LOOK_BACK_SOURCES = 10_000;

/**
 * The list as it was just before something was queued: what tells a new job's end from an old
 * one's. It rests on Fini's own times and job IDs alone, so no clock has to agree with another.
 */
export interface Baseline {
  /** The newest change in the workspace, in milliseconds since 1970; -Infinity where there is none. */
  readonly newestChange: number;
  /** The records that were looked at, by source ID, without their text. */
  readonly records: ReadonlyMap<string, FiniDocument>;
}

/**
 * Whether what a record says now was written after the baseline, and so belongs to the job queued
 * since (fini-api.md, "Easy to get wrong": the old `COMPLETED` lingers until the new job starts).
 * A job ID decides, since a record may be touched without a new job; without one, time does.
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
  return updatedAt === null || updatedAt >= baseline.newestChange;
}

/**
 * Whether what a record says now is news of the job queued since the baseline, running or ended. A
 * job that runs counts unless the baseline knows it: it then ran before.
 */
export function isNews(document: FiniDocument, baseline: Baseline | null): boolean {
  if (baseline === null || isFresh(document, baseline)) return true;
  return isInFlight(document) && !baseline.records.has(document.id);
}

/** A baseline, and the sources whose jobs are waiting or running. */
export interface Snapshot extends Baseline {
  readonly inFlight: readonly FiniDocument[];
  /** Every source of the workspace is in it. */
  readonly isWhole: boolean;
}

/**
 * Reads the newest pages of the list: as far back as anything is in flight or has changed within
 * a quarter of an hour of the newest change.
 *
 * @throws {FiniError}
 */
export async function takeSnapshot(changes: NewestChanges, signal: AbortSignal): Promise<Snapshot> {
  const records = new Map<string, FiniDocument>();
  const inFlight = new Map<string, FiniDocument>();
  let newestChange = Number.NEGATIVE_INFINITY;
  let pages = 0;
  let isWhole = true;
  for await (const page of changes.pages(signal)) {
    newestChange = Math.max(newestChange, page.newestChange);
    let anyInFlight = false;
    for (const document of page.documents) {
      // A record that moves while pages are read may come twice: what it said first is the earlier.
      if (records.has(document.id)) continue;
      const record = { ...document, paragraphs: [] };
      records.set(document.id, record);
      if (isInFlight(document)) {
        anyInFlight = true;
        inFlight.set(document.id, record);
      }
    }
    pages += 1;
    isWhole = !page.hasMore;
    if (pages >= changes.pagesFor(LOOK_BACK_SOURCES)) break;
    if (!anyInFlight && page.oldestChange < newestChange - LOOK_BACK_MS) break;
  }
  return { newestChange, records, inFlight: [...inFlight.values()], isWhole };
}
