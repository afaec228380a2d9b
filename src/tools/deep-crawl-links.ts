import * as z from 'zod';
import { crawlSite, sortPages } from '../engine/site.ts';
import { paragraph, plural } from '../text.ts';
import {
  crawlText,
  setAsideOutput,
  setAsideRows,
  setAsideText,
  unusableLinks,
} from './crawl-texts.ts';
import { startUrls } from './fields.ts';
import { inputFor, type NextCall } from './next-calls.ts';
import { defineTool } from './tool.ts';

/** Defaults of the input, which a proposed call leaves out, here and for ingest_site. */
const CRAWL_DEFAULTS = { limit: 250 };

/** Finds the pages of a site. */
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
    limit: z
      .int()
      .min(1)
      .default(CRAWL_DEFAULTS.limit)
      .describe('Maximum number of URLs. Default 250.'),
  }),
  outputSchema: z.object({
    found: z.int().describe('How many pages were found.'),
    urls: z.array(z.string()).describe('Their URLs, each once, but for those in setAside.'),
    setAside: setAsideOutput,
    unusable: z
      .array(z.object({ input: z.string(), reason: z.string() }))
      .optional()
      .describe('Links that Fini cannot ingest.'),
  }),
  lists: { urls: 'in order', setAside: 'by status', unusable: 'in order' },
  async handler({ links, limit }, { fini, call }) {
    const crawl = await crawlSite(fini, links, limit, call);
    const { unusable, endedAt } = crawl;
    const pages = crawl.pages.slice(0, limit);
    const sorted = await sortPages(pages, links, call.signal);
    const urls = [...sorted.kept];
    const calls: NextCall[] = [];
    if (urls.length > 0) {
      const why = `Ingest ${plural(urls.length, 'page')} and wait`;
      calls.push({
        tool: 'ingest_site',
        arguments: inputFor({ links, limit }, CRAWL_DEFAULTS),
        why,
      });
    }
    if (endedAt !== null) {
      const why = 'Look for more pages';
      calls.push({ tool: 'deep_crawl_links', arguments: { links, limit: 2 * endedAt }, why });
    }
    return {
      message: paragraph(
        `${plural(pages.length, 'page')} found.`,
        urls.length > 0 ? 'Nothing is ingested yet.' : '',
        unusable.length > 0
          ? `${plural(unusable.length, 'link')} left out, which Fini cannot ingest.`
          : '',
        setAsideText(sorted, false),
        crawlText(crawl),
      ),
      nextCalls: calls,
      found: pages.length,
      urls,
      setAside: setAsideRows(sorted.setAside),
      unusable: unusable.length > 0 ? unusableLinks(unusable) : undefined,
    };
  },
});
