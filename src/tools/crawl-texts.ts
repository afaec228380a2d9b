import * as z from 'zod';
import type { CrawledPages, SetAsidePage, SortedPages, UnusableLink } from '../engine/site.ts';
import { bounded, ERROR_LENGTH, masked, paragraph, plural, shown, TITLE_LENGTH } from '../text.ts';

/* Texts of the tools that crawl about the result of a crawl. */

/** Maximum number of other hosts to name in a message. */
const NAMED_HOSTS = 5;

/** The pages that are set aside, as answers have them. */
export const setAsideOutput = z
  .array(
    z.object({
      status: z
        .enum(['twin', 'query_variant', 'other_host'])
        .describe(
          'twin: another spelling (http, www, index.html, a slash at the end, case); query_variant: the same page with a query; other_host: no start URL has its host.',
        ),
      originalUrl: z.string(),
      twinOf: z.string().optional().describe('The page that is kept.'),
    }),
  )
  .optional()
  .describe('Pages that were found and are left out.');

/** The pages that are set aside; undefined if there are none. */
export function setAsideRows(setAside: readonly SetAsidePage[]) {
  if (setAside.length === 0) return undefined;
  return setAside.map(({ page, kind, twinOf }) => ({
    status: kind,
    originalUrl: page,
    twinOf: twinOf ?? undefined,
  }));
}

/**
 * Sentences about the pages that are set aside.
 *
 * @param takesGlobs The call takes globs, which can keep them.
 */
export function setAsideText(
  { setAside, queryAlike }: Pick<SortedPages, 'setAside' | 'queryAlike'>,
  takesGlobs: boolean,
): string {
  const of = (kind: SetAsidePage['kind']) => setAside.filter((one) => one.kind === kind);
  const twins = of('twin').length;
  const variants = of('query_variant').length;
  const others = of('other_host').length;
  const advice = (text: string) => (takesGlobs ? ` ${text}` : '');
  return paragraph(
    twins === 0
      ? ''
      : `${plural(twins, 'twin')} left out: the same page but for http, www, index.html, a slash at the end or case. The first found is kept.`,
    variants === 0
      ? ''
      : `${plural(variants, 'query variant')} left out: the page without its query is kept.${advice('An include glob with a query ("/**?lang=*") keeps them.')}`,
    others === 0
      ? ''
      : `${plural(others, 'page')} of ${hostsText(of('other_host'))}. A start URL of that host keeps them.${advice('So does an include glob with it ("https://host/**").')}`,
    queryAlike === 0
      ? ''
      : `${plural(queryAlike, 'page')} kept that may be one, since only the query differs.${advice('An exclude glob leaves them out by it ("/**?utm_*=*").')}`,
  );
}

/** The hosts that most pages have, with how many. */
function hostsText(pages: readonly SetAsidePage[]): string {
  const hosts = new Map<string, number>();
  for (const { page } of pages) {
    const { host } = new URL(page);
    hosts.set(host, (hosts.get(host) ?? 0) + 1);
  }
  const byCount = [...hosts].sort(([, one], [, other]) => other - one);
  const named = byCount.slice(0, NAMED_HOSTS).map(([host, count]) => `${host} (${count})`);
  const more = hosts.size - named.length;
  const rest = more > 0 ? ` and ${more} more` : '';
  return `${hosts.size === 1 ? 'another host' : 'other hosts'} left out: ${named.join(', ')}${rest}`;
}

/** The links of a crawl that Fini cannot ingest, with the reason for each. */
export function unusableLinks(links: readonly UnusableLink[]): { input: string; reason: string }[] {
  return links.map(({ link, fault }) => ({
    input: bounded(masked(link), TITLE_LENGTH),
    reason: fault,
  }));
}

/**
 * Sentences about a crawl, after the number of pages that it found. What Fini said of it is left out
 * if it only says that it succeeded.
 */
export function crawlText({ pages, endedAt, isEcho, message }: CrawledPages): string {
  const words = /^success/i.test(message ?? '') ? undefined : shown(message, ERROR_LENGTH);
  return paragraph(
    pages.length === 0
      ? 'Check that the start URLs exist and open without a login, and that the site allows crawlers.'
      : '',
    isEcho
      ? `The crawl found only the start ${pages.length === 1 ? 'URL' : 'URLs'} as given, which does not show that there is such a page.`
      : '',
    endedAt === null
      ? ''
      : `The crawl stopped at ${plural(endedAt, 'page')}, so the site may have more.`,
    words === undefined ? '' : `Fini says: ${JSON.stringify(words)}.`,
  );
}
