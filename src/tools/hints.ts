import { isInFlight, isStuck, stateOf } from '../engine/job-states.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { quoted } from '../text.ts';

/** What to do about a source that failed or does not finish. */
export interface Advice {
  readonly hint: string;
  /** Ingesting it again may succeed, at least after following the hint. */
  readonly mayPass: boolean;
}

/** What to do about a raw file, which can only be ingested by uploading it. */
export const RAW_FILE_HINT =
  'A raw file cannot be refreshed: check that it opens and has text, then upload it again in the Fini dashboard.';

/** What to do about a source that Fini no longer has. */
export const GONE_ADVICE: Advice = {
  hint: 'It may have been deleted. If you still need it, add it again.',
  mayPass: false,
};

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
      hint: 'The page gave no usable content: check that its text appears without scripts or a login, then ingest it again.',
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
