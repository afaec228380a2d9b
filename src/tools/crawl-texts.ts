import type { UnusableLink } from '../engine/site.ts';
import { bounded, ERROR_LENGTH, masked, paragraph, plural, shown, TITLE_LENGTH } from '../text.ts';

/* Texts of the tools that crawl about the result of a crawl. */

/** The links of a crawl that Fini cannot ingest, with the reason for each. */
export function unusableLinks(links: readonly UnusableLink[]): { input: string; reason: string }[] {
  return links.map(({ link, fault }) => ({
    input: bounded(masked(link), TITLE_LENGTH),
    reason: fault,
  }));
}

/**
 * Sentences about a crawl, to follow the number of pages that it found.
 *
 * @param endedAt The limit of the crawl, if it found as many pages.
 * @param said Fini's message, which is left out if it only reports success.
 */
export function crawlText(pages: number, endedAt: number | null, said: string | null): string {
  const words = /^success/i.test(said ?? '') ? undefined : shown(said, ERROR_LENGTH);
  return paragraph(
    pages === 0
      ? 'Check that the start URLs exist and open without a login, and that the site allows crawlers.'
      : '',
    endedAt === null
      ? ''
      : `The crawl stopped at ${plural(endedAt, 'page')}, so the site may have more.`,
    words === undefined ? '' : `Fini says: ${JSON.stringify(words)}.`,
  );
}
