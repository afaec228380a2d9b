import * as z from 'zod';
import { bounded, counted, ERROR_LENGTH, fitting } from '../bounded.ts';
import { usablePages } from '../ingestion/site.ts';
import { defineTool } from './define.ts';
import { startUrls } from './schemas.ts';

/** How much a list of pages may take, in bytes: clients hide longer results from their model. */
const PAGES_BYTES = 60_000;

/** What Fini said of a crawl, as a sentence. */
export function finiSays(message: string): string {
  return `Fini says: ${bounded(message, ERROR_LENGTH).replace(/\.$/, '')}.`;
}

/** As many pages as can be shown at once, and what to say of the others. */
export function shownPages(urls: readonly string[]): { shown: string[]; others: string } {
  const shown = fitting(urls, PAGES_BYTES);
  const left = urls.length - shown.length;
  const others =
    left === 0
      ? ''
      : `The first ${counted(shown.length, 'page')} are listed; to see the ${left} others, call deep_crawl_links with links set to the sections that they are in.`;
  return { shown, others };
}

/** What to say where a crawl found as many pages as it was allowed. */
export function crawlEnd(pages: number): string {
  return `The crawl ended at ${counted(pages, 'page')}, so the site may have more: set limit above that.`;
}

/** Finds the pages of a site (fini-api.md, "crawl links"). */
export const deepCrawlLinks = defineTool({
  name: 'deep_crawl_links',
  title: 'Find the pages of a site',
  description:
    'Lists the page URLs that Fini finds from the start URLs. Use it to choose pages by hand; ingest_site does all in one call. It ingests nothing: pass the chosen URLs to ingest_and_wait. For Notion, Zendesk or Confluence content use list_provider_resources. Needs write scope.',
  inputSchema: z.strictObject({
    links: startUrls,
    limit: z.int().min(1).default(250).describe('The most URLs to return. Default 250.'),
  }),
  outputSchema: z.object({
    message: z.string().describe('What was found, and what to do next.'),
    count: z.int().describe('How many pages were found.'),
    urls: z.array(z.string()).describe('Their URLs, each once.'),
  }),
  annotations: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: true,
  },
  async handler({ links, limit }, { fini, signal }) {
    const { data, message } = await fini.crawlLinks(links, limit, { signal });
    const { pages, unusable } = usablePages(data);
    const urls = pages.slice(0, limit);
    const left =
      unusable === 0 ? '' : ` ${counted(unusable, 'link')} that Fini cannot ingest left out.`;
    const said = message === null ? '' : `${finiSays(message)} `;
    // Counted before links are left out: Fini stops at so many of whatever kind.
    const end = data.length >= limit ? ` ${crawlEnd(limit)}` : '';
    const next =
      urls.length === 0
        ? 'No pages were found: check that the start URLs exist and open without a login.'
        : 'Nothing is ingested yet: choose from these and pass them to ingest_and_wait as documentIdsToAdd.';
    const { shown, others } = shownPages(urls);
    const rest = others === '' ? '' : ` ${others}`;
    return { message: `${said}${next}${left}${end}${rest}`, count: urls.length, urls: shown };
  },
  text({ urls, count, message }) {
    return [`${counted(count, 'page')} found. ${message}`, ...urls].join('\n');
  },
});
