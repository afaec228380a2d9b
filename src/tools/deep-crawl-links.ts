import * as z from 'zod';
import { describeFaults, webUrlFault } from '../ingestion/inputs.ts';
import { bounded, counted, ERROR_LENGTH } from './bounded.ts';
import { defineTool } from './define.ts';
import { listOf, trimmed } from './schemas.ts';

const SHOWN_AS_TEXT = 50;

/** Finds the pages of a site (fini-api.md, "crawl links"). */
export const deepCrawlLinks = defineTool({
  name: 'deep_crawl_links',
  title: 'Find the pages of a site',
  description:
    'Lists the page URLs that Fini finds from one or more start URLs. Use it first when asked to ingest a site or a section. It creates and ingests nothing: choose from the URLs, then pass them to ingest_and_wait. For Notion, Zendesk or Confluence content use list_provider_resources. Needs a key with write scope.',
  inputSchema: z
    .strictObject({
      /** Where to start. */
      links: listOf(trimmed, 1).describe('Absolute http(s) URLs to start from.'),
      /** The most URLs to return. */
      limit: z.int().min(1).default(250).describe('The most URLs to return.'),
    })
    .superRefine(({ links }, context) => {
      for (const fault of describeFaults('links', links, webUrlFault)) context.addIssue(fault);
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
    const urls = [...new Set(data)];
    const said = message === null ? '' : `Fini says: ${bounded(message, ERROR_LENGTH)} `;
    const next =
      urls.length === 0
        ? 'No pages were found: check that the start URLs open without a login.'
        : 'Nothing is ingested yet: choose from these and pass them to ingest_and_wait as documentIdsToAdd.';
    return { urls, count: urls.length, message: `${said}${next}` };
  },
  text({ urls, count, message }) {
    const more =
      count > SHOWN_AS_TEXT
        ? `\n… and ${count - SHOWN_AS_TEXT} more in the structured content`
        : '';
    const list = urls.slice(0, SHOWN_AS_TEXT).join('\n');
    return `${counted(count, 'page')} found. ${message}\n${list}${more}`;
  },
});
