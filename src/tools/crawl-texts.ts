import type { UnusableLink } from '../engine/site.ts';
import { bounded, counted, ERROR_LENGTH, fitting, quoted } from '../text.ts';

/* What the tools that crawl say of what they found. */

/** How much a list of pages may take, in bytes: clients hide longer results from their model. */
const PAGES_BYTES = 60_000;

/** How many links that cannot be ingested are named. */
const NAMED_LINKS = 5;

/** What to say where a crawl found nothing. */
export const NO_PAGES =
  'No pages found. Check that the start URLs exist and open without a login, and that the site allows crawlers.';

/** What Fini said of a crawl, in quotes; nothing if it only says that it succeeded. */
export function finiSays(message: string | null): string {
  if (message === null || message === '' || /^success/i.test(message)) return '';
  return `Fini says: ${JSON.stringify(bounded(message, ERROR_LENGTH))}.`;
}

/** Which links were left out and why, as a sentence: the first few by name. */
export function leftOutLinks(links: readonly UnusableLink[]): string {
  if (links.length === 0) return '';
  const named = links.slice(0, NAMED_LINKS).map(({ link, fault }) => `${quoted(link)} (${fault})`);
  const more = links.length - named.length;
  const list = named.join(', ') + (more > 0 ? ` and ${more} more` : '');
  return `${counted(links.length, 'link')} left out because Fini cannot ingest ${links.length === 1 ? 'it' : 'them'}: ${list}.`;
}

/** As many pages as can be shown at once, and what to say of the others. */
export function shownPages(urls: readonly string[]): { shown: string[]; others: string } {
  const shown = fitting(urls, PAGES_BYTES);
  const left = urls.length - shown.length;
  const others =
    left === 0
      ? ''
      : `Only the first ${counted(shown.length, 'page')} are listed. To see the other ${left}, call deep_crawl_links with links set to the sections they are in.`;
  return { shown, others };
}

/** What to say where a crawl found as many pages as it was allowed. */
export function crawlEnd(pages: number): string {
  return `The crawl stopped at ${counted(pages, 'page')}, so the site may have more. To find them, set a higher limit.`;
}
