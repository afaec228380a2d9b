import * as z from 'zod';
import { bounded, counted, ERROR_LENGTH } from '../bounded.ts';
import { usablePages } from '../ingestion/site.ts';
import { defineTool } from './define.ts';
import { startUrls } from './schemas.ts';

const SHOWN_AS_TEXT = 50;

/** What Fini said of a crawl, as a sentence. */
export function finiSays(message: string): string {
  return `Fini says: ${bounded(message, ERROR_LENGTH).replace(/\.$/, '')}.`;
}

/** The first pages, a line each, and how many more there are. */
export function pagesAsText(urls: readonly string[]): string[] {
  const left = urls.length - SHOWN_AS_TEXT;
  const more = left > 0 ? [`… and ${left} more in the structured content`] : [];
  return [...urls.slice(0, SHOWN_AS_TEXT), ...more];
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
    limit: z.int().min(1).default(250).describe('The most URLs to return.'),
  }),
  outputSchema: z.object({
    /** The URLs found, each once. */
    urls: z.array(z.string()),
    count: z.int(),
    message: z.string(),
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
    return { urls, count: urls.length, message: `${said}${next}${left}${end}` };
  },
  text({ urls, count, message }) {
    return `${counted(count, 'page')} found. ${message}\n${pagesAsText(urls).join('\n')}`;
  },
});
