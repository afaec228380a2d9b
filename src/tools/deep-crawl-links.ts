import * as z from 'zod';
import { crawlSite } from '../engine/site.ts';
import { paragraph, plural } from '../text.ts';
import { crawlText, unusableLinks } from './crawl-texts.ts';
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
    found: z.int().describe('Number of pages found.'),
    urls: z.array(z.string()).describe('URLs of the pages, without duplicates.'),
    unusable: z
      .array(z.object({ input: z.string(), reason: z.string() }))
      .optional()
      .describe('Links that Fini cannot ingest.'),
  }),
  lists: { urls: 'in order', unusable: 'in order' },
  async handler({ links, limit }, { fini, call }) {
    const { pages, unusable, endedAt, message } = await crawlSite(fini, links, limit, call);
    const urls = pages.slice(0, limit);
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
        `${plural(urls.length, 'page')} found.`,
        urls.length > 0 ? 'Nothing is ingested yet.' : '',
        unusable.length > 0
          ? `${plural(unusable.length, 'link')} left out, which Fini cannot ingest.`
          : '',
        crawlText(urls.length, endedAt, message),
      ),
      nextCalls: calls,
      found: urls.length,
      urls,
      unusable: unusable.length > 0 ? unusableLinks(unusable) : undefined,
    };
  },
});
