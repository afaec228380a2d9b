import type { FiniDocument } from '../fini/documents.ts';
import { quoted } from '../text.ts';

/** How a source's job stands, as the contract tells it apart (fini-api.md, "Document"). */
export type SourceState = 'completed' | 'failed' | 'unfinished';

const PENDING_TOO_LONG_MS = 15 * 60_000;

/** Whether a job is waiting or running. */
export function isInFlight(document: FiniDocument): boolean {
  return document.linkedJobStatus === 'PENDING' || document.linkedJobStatus === 'IN_PROGRESS';
}

/** Whether Fini shows no job at all: the source was never ingested, or its first job does not show yet. */
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

/** Whether a job has been waiting for so long that it counts as lost, as Fini says. */
export function isStuck(document: FiniDocument): boolean {
  const changedAt = timeOf(document.updatedAt) ?? Date.now();
  return document.linkedJobStatus === 'PENDING' && Date.now() - changedAt > PENDING_TOO_LONG_MS;
}

/** What to do about a source that failed or does not finish. */
export interface Advice {
  readonly hint: string;
  /** Ingesting it again may succeed, at least after following the hint. */
  readonly mayPass: boolean;
}

/** What to do about a raw file, which can only be ingested by uploading it. */
export const RAW_FILE_HINT =
  'A raw file cannot be refreshed: check that it opens and has text, then upload it again in the Fini dashboard.';

/** The contract's advice for a source that failed or does not finish. */
export function adviceFor(document: FiniDocument): Advice | undefined {
  const state = stateOf(document);
  if (state === 'completed') return undefined;
  if (state === 'failed') return failureAdvice(document);
  if (!document.linkedJobStatus) return undefined;
  if (!isInFlight(document) && document.linkedJobStatus !== 'COMPLETED') {
    return {
      hint: 'Fini reports a status that this server does not know. Check the source with get_source or in the Fini dashboard.',
      mayPass: true,
    };
  }
  if (isStuck(document)) {
    return {
      hint: `Pending for more than 15 minutes: contact Fini support with the job ID ${document.linkedJobId === null ? 'of this source' : quoted(document.linkedJobId)}.`,
      mayPass: true,
    };
  }
  return undefined;
}

function failureAdvice(document: FiniDocument): Advice {
  const error = document.error ?? '';
  if (document.source === 'files') {
    return {
      hint: RAW_FILE_HINT,
      mayPass: false,
    };
  }
  if (document.source !== null && document.source !== 'web') {
    return {
      hint: `The ${/^[a-z]{1,20}$/.test(document.source) ? document.source : 'provider'} connection may have expired or lost its permission: reconnect it in the Fini dashboard, then refresh the source.`,
      mayPass: true,
    };
  }
  if (/(HTTP|status|code)\W*(404|410)\b|^\W*(404|410)\b|\bnot found\b/i.test(error)) {
    return {
      hint: 'The page does not exist: check its URL, or leave it out.',
      mayPass: false,
    };
  }
  if (/robots/i.test(error)) {
    return {
      hint: "The site's robots.txt forbids this page: allow Fini's crawler there, or leave the page out.",
      mayPass: false,
    };
  }
  if (/log.?in|sign.?in|auth(?!ors?\b)|\b40[13]\b|password|forbidden/i.test(error)) {
    return {
      hint: 'The page needs a login, which Fini does not have: make it public, or leave it out.',
      mayPass: false,
    };
  }
  if (document.linkedJobStatus === 'COMPLETED') {
    return {
      hint: 'The page gave no usable content: check that it has text without scripts or a login, then ingest it again.',
      mayPass: true,
    };
  }
  if (/content.?type|mime|unsupported|extract|format/i.test(error)) {
    return {
      hint: 'Fini does not extract this content type: ingest an HTML version of the page instead.',
      mayPass: false,
    };
  }
  return {
    hint: 'Check that the page opens without a login, is not forbidden by robots.txt and is HTML, then ingest it again.',
    mayPass: true,
  };
}
