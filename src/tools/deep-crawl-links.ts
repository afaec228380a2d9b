import * as z from 'zod';
import { crawlSite } from '../engine/site.ts';
import { counted, paragraph } from '../text.ts';
import { crawlEnd, finiSays, leftOutLinks, NO_PAGES, shownPages } from './crawl-texts.ts';
import { startUrls } from './fields.ts';
import { defineTool } from './tool.ts';

/** Finds the pages of a site (fini-api.md, "crawl links"). */
export const deepCrawlLinks = defineTool({
  name: 'deep_crawl_links',
  title: 'Find the pages of a site',
  description:
    'Lists the page URLs that Fini finds from the start URLs. Use it to choose pages by hand; ingest_site does everything in one call. It ingests nothing: pass the chosen URLs to ingest_and_wait. For Notion, Zendesk or Confluence content use list_provider_resources.',
  kind: 'writes',
  scope: 'write',
  idempotent: true,
  openWorld: true,
  inputSchema: z.strictObject({
    links: startUrls,
    limit: z.int().min(1).default(250).describe('Maximum number of URLs. Default 250.'),
  }),
  outputSchema: z.object({
    message: z.string().describe('What was found, and what to do next.'),
    count: z.int().describe('How many pages were found.'),
    urls: z.array(z.string()).describe('Their URLs, each once.'),
  }),
  async handler({ links, limit }, { fini, call }) {
    const crawl = await crawlSite(fini, links, limit, call);
    const urls = crawl.pages.slice(0, limit);
    const found =
      urls.length === 0
        ? NO_PAGES
        : `${counted(urls.length, 'page')} found. Nothing is ingested yet. Pass the URLs you choose to ingest_and_wait as documentIdsToAdd.`;
    const { shown, others } = shownPages(urls);
    const message = paragraph(
      found,
      others,
      leftOutLinks(crawl.unusable),
      crawl.endedAt === null ? '' : crawlEnd(crawl.endedAt),
      finiSays(crawl.message),
    );
    return { message, count: urls.length, urls: shown };
  },
  text({ urls, message }) {
    return [message, ...urls].join('\n');
  },
});
