import * as z from 'zod';
import { isInFlight, isStuck, stateOf } from '../engine/job-states.ts';
import type { FiniDocument } from '../fini/schemas.ts';

/** Advice about an item, by the name of its hint. An answer contains each advice once. */
const ADVICE = {
  needs_login: 'The page needs a login, which Fini does not have: make it public, or leave it out.',
  refused:
    'The site refuses to show this page to Fini: it needs a login, or blocks crawlers. Make it public, allow its crawler there, or leave the page out.',
  page_missing: 'The page does not exist: check its URL, or leave it out.',
  robots_forbidden:
    "The site's robots.txt forbids this page: allow Fini's crawler there, or leave the page out.",
  unsupported_type:
    'Fini does not extract this content type: ingest an HTML version of the page instead.',
  no_content:
    'The page gave no usable content: check that its text appears without scripts or a login, then ingest it again.',
  timed_out:
    'The page took too long to load: try again later. If that fails too, check that the page loads quickly.',
  site_failed:
    'The site answered with an error: try again later. If that fails too, check that the page opens.',
  unreachable: 'The site could not be reached: check the host in the URL, then try again.',
  check_page:
    'Check that the page opens without a login, is not forbidden by robots.txt and is HTML, then ingest it again.',
  reconnect_provider:
    'The connection to the provider may have expired or lost its permission: reconnect it in the Fini dashboard, then refresh the source.',
  gone_at_provider:
    'The provider has no such item any more, or does not show it to the connection of Fini: check that it exists, or delete the source.',
  provider_failed: 'The provider did not answer as it should: try again later.',
  check_at_provider:
    'Check that the item opens at the provider and that the connection of Fini may read it, then refresh the source.',
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
  nothing_new:
    'No draft was made, and Fini does not say why. There are folders, so the source may have nothing new for the articles.',
  no_folders:
    'No draft was made, because the folder tree shows no folders to write into: create or assign folders under Knowledge in the Fini dashboard, then generate again.',
  no_draft:
    'No draft was made, and Fini does not say why. It is unknown whether there are folders, which generating needs: the folder tree could not be read.',
  no_job: 'Fini returned no job for this source.',
  maybe_generating:
    'An earlier call sent this and got no answer, so drafts may already be generated. It was not queued again.',
  lost_job: 'Fini does not tell how this job ended.',
} as const;

/** The name of a hint, which says what is wrong. */
export type HintName = keyof typeof ADVICE;

/** Hints after which ingesting again may succeed, at least if their advice is followed. */
const RETRIABLE_HINTS: ReadonlySet<HintName> = new Set<HintName>([
  'refused',
  'no_content',
  'timed_out',
  'site_failed',
  'unreachable',
  'check_page',
  'reconnect_provider',
  'provider_failed',
  'check_at_provider',
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
export function isRetriable(hint: HintName | undefined): boolean {
  return hint !== undefined && RETRIABLE_HINTS.has(hint);
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

/** Causes that an error can name with certainty. */
type Cause =
  | 'missing'
  | 'refused'
  | 'login'
  | 'permission'
  | 'robots'
  | 'type'
  | 'empty'
  | 'late'
  | 'failed'
  | 'unreachable';

/** Words that name a cause, the surest first. Each is a whole word. */
const CAUSES: readonly (readonly [RegExp, Cause])[] = [
  [/\brobots(\.txt)?\b/i, 'robots'],
  [/\b(time[d-]?[ -]?out|timeout)\b/i, 'late'],
  [
    /\b(host|domain|address) not found\b|\b(ENOTFOUND|ECONNREFUSED|EAI_AGAIN|DNS)\b/i,
    'unreachable',
  ],
  [
    /\b(page|item|article|resource|document|file|object)[ _](was )?not[ _]found\b|^not found\b/i,
    'missing',
  ],
  [/\b(log[ -]?in|sign[ -]?in|authentication|unauthori[sz]ed|password)\b/i, 'login'],
  [/\b(content[ -]type|mime[ -]type|unsupported (file )?(type|format))\b/i, 'type'],
  [/\b(expired|permissions?|revoked|disconnected)\b/i, 'permission'],
  [/\bno (usable )?(content|text)\b|\bis empty\b/i, 'empty'],
];

/** A status code in an error: after a word that says so, or at the beginning before words. */
const STATUS = /\b(?:HTTP|status(?: code)?)\W{0,3}([1-5]\d\d)\b|^\W*([45]\d\d)(?= [A-Z]|\W*$)/i;

/** The cause that an error names. URLs and paths are left out: their words say nothing about it. */
function causeIn(error: string): Cause | undefined {
  const said = error.replaceAll(/\S*[/]\S*/g, ' ');
  const [, named, leading] = STATUS.exec(said) ?? [];
  const status = Number(named ?? leading ?? 0);
  if (status === 404 || status === 410) return 'missing';
  if (status === 401) return 'login';
  if (status === 403) return 'refused';
  if (status === 408 || status === 504) return 'late';
  if (status === 415) return 'type';
  if (status >= 500 || status === 429) return 'failed';
  return CAUSES.find(([words]) => words.test(said))?.[1];
}

/** Causes for which a source makes no article until it is ingested again, or another one. */
const WITHOUT_ARTICLE: readonly (Cause | undefined)[] = ['missing', 'type', 'empty'];

/** True if generating from a source again may succeed after this error. */
export function mayMakeArticle(error: string | null): boolean {
  return !WITHOUT_ARTICLE.includes(causeIn(error ?? ''));
}

const PAGE_HINTS: Readonly<Record<Cause, HintName>> = {
  missing: 'page_missing',
  refused: 'refused',
  login: 'needs_login',
  permission: 'check_page',
  robots: 'robots_forbidden',
  type: 'unsupported_type',
  empty: 'no_content',
  late: 'timed_out',
  failed: 'site_failed',
  unreachable: 'unreachable',
};

const PROVIDER_HINTS: Readonly<Record<Cause, HintName>> = {
  missing: 'gone_at_provider',
  refused: 'reconnect_provider',
  login: 'reconnect_provider',
  permission: 'reconnect_provider',
  robots: 'check_at_provider',
  type: 'unsupported_type',
  empty: 'no_content',
  late: 'provider_failed',
  failed: 'provider_failed',
  unreachable: 'provider_failed',
};

function failureHint({ source, error, linkedJobStatus }: FiniDocument): HintName {
  if (source === 'files') return 'raw_file';
  const isPage = source === null || source === 'web';
  const cause = causeIn(error ?? '');
  if (cause !== undefined) return (isPage ? PAGE_HINTS : PROVIDER_HINTS)[cause];
  if (linkedJobStatus === 'COMPLETED') return 'no_content';
  if (isPage) return 'check_page';
  // Without words, Fini's reference names only this cause.
  return error ? 'check_at_provider' : 'reconnect_provider';
}
