import * as z from 'zod';
import { isInFlight, isStuck, stateOf } from '../engine/job-states.ts';
import type { FiniDocument } from '../fini/schemas.ts';

/** Advice about an item, by the name of its hint. An answer contains each advice once. */
const ADVICE = {
  needs_login: 'The page needs a login, which Fini does not have: make it public, or leave it out.',
  page_missing: 'The page does not exist: check its URL, or leave it out.',
  robots_forbidden:
    "The site's robots.txt forbids this page: allow Fini's crawler there, or leave the page out.",
  unsupported_type:
    'Fini does not extract this content type: ingest an HTML version of the page instead.',
  no_content:
    'The page gave no usable content: check that its text appears without scripts or a login, then ingest it again.',
  check_page:
    'Check that the page opens without a login, is not forbidden by robots.txt and is HTML, then ingest it again.',
  reconnect_provider:
    'The connection to the provider may have expired or lost its permission: reconnect it in the Fini dashboard, then refresh the source.',
  raw_file:
    'A raw file cannot be refreshed: check that it opens and has text, then upload it again in the Fini dashboard.',
  gone: 'The source may have been deleted. If you still need it, add it again.',
  unknown_status:
    'Fini reports a status that this server does not know: check the source in the Fini dashboard.',
  pending_too_long:
    'Pending for more than 15 minutes, so waiting longer will not help: contact Fini support with the job ID.',
  no_id: 'Fini returned no ID, so nothing was queued: check that the URL or ID is right.',
  maybe_queued:
    'An earlier call sent this, and Fini does not show the result yet. It was not queued again.',
  never_ingested: 'The source was never ingested, so there is no job to wait for.',
  nothing_new: 'No draft was made: usually the source has nothing new for the articles.',
  no_draft:
    'No draft was made: usually there are no folders yet (they are made in the Fini dashboard), or the source has nothing new.',
  no_job: 'Fini returned no job for this source.',
  maybe_generating:
    'An earlier call sent this and got no answer, so drafts may already be generated. It was not queued again.',
  lost_job: 'Fini does not tell how this job ended.',
} as const;

/** The name of a hint, which says what is wrong. */
export type HintName = keyof typeof ADVICE;

/** Hints after which ingesting again may succeed, at least if their advice is followed. */
const MAY_PASS: ReadonlySet<HintName> = new Set<HintName>([
  'no_content',
  'check_page',
  'reconnect_provider',
  'unknown_status',
  'pending_too_long',
]);

/** The hints of an answer, without repetitions, however many items they apply to. */
export const hintsSchema = z
  .array(z.object({ hint: z.string(), advice: z.string(), count: z.int() }))
  .optional()
  .describe('Advice for the items that name a hint.');

/** The hints that these items name, each with its advice; undefined if there are none. */
export function hintsOf(
  items: readonly { readonly hint?: HintName | undefined }[],
): z.output<typeof hintsSchema> {
  const counts = new Map<HintName, number>();
  for (const { hint } of items) if (hint) counts.set(hint, (counts.get(hint) ?? 0) + 1);
  if (counts.size === 0) return undefined;
  return [...counts].map(([hint, count]) => ({ hint, advice: ADVICE[hint], count }));
}

/** True if ingesting again may succeed. */
export function mayPass(hint: HintName | undefined): boolean {
  return hint !== undefined && MAY_PASS.has(hint);
}

/** The advice of a hint. */
export function adviceOf(hint: HintName): string {
  return ADVICE[hint];
}

/** The hint for a source that failed or does not finish. */
export function hintFor(document: FiniDocument): HintName | undefined {
  const state = stateOf(document);
  if (state === 'completed') return undefined;
  if (state === 'failed') return failureHint(document);
  if (!document.linkedJobStatus) return undefined;
  if (!isInFlight(document) && document.linkedJobStatus !== 'COMPLETED') return 'unknown_status';
  return isStuck(document) ? 'pending_too_long' : undefined;
}

function failureHint({ source, error, linkedJobStatus }: FiniDocument): HintName {
  const said = error ?? '';
  if (source === 'files') return 'raw_file';
  if (source !== null && source !== 'web') return 'reconnect_provider';
  if (/(HTTP|status|code)\W*(404|410)\b|^\W*(404|410)\b|\bnot found\b/i.test(said)) {
    return 'page_missing';
  }
  if (/robots/i.test(said)) return 'robots_forbidden';
  if (/log.?in|sign.?in|auth(?!ors?\b)|\b40[13]\b|password|forbidden/i.test(said)) {
    return 'needs_login';
  }
  if (linkedJobStatus === 'COMPLETED') return 'no_content';
  return /content.?type|mime|unsupported|extract|format/i.test(said)
    ? 'unsupported_type'
    : 'check_page';
}
