import * as z from 'zod';
import { counted, quoted } from '../bounded.ts';
import { globFaults } from '../ingestion/globs.ts';
import { planSite, type SitePlan } from '../ingestion/site.ts';
import { crawlEnd, finiSays, shownPages } from './deep-crawl-links.ts';
import { defineTool } from './define.ts';
import { reportOutput, reportSchema, reportText, waitOptions } from './report.ts';
import { dryRun, listOf, startUrls, timeoutSeconds, trimmed } from './schemas.ts';

/** How many globs that match nothing the message names. */
const NAMED_GLOBS = 5;

/** Globs over a page's path or URL; every bad one is named. */
const globs = listOf(trimmed)
  .superRefine((items, context) => {
    for (const fault of globFaults(items)) context.addIssue(fault);
  })
  .default([]);

/** Crawls, filters, queues and waits (fini-api.md, "crawl links" and "ingest sources"). */
export const ingestSite = defineTool({
  name: 'ingest_site',
  title: 'Ingest a website and wait',
  description:
    'Ingests a website or a part of it in one call: finds the pages from the start URLs, keeps those that include, exclude and limit allow, queues them, waits and reports like ingest_and_wait. Call it with dryRun first and show the person the pages. To pick pages by hand use deep_crawl_links. Safe to repeat. Go on after timed_out with wait_for_sources. Needs read and write scope.',
  inputSchema: z.strictObject({
    links: startUrls,
    /** Globs of which a page must match one. */
    include: globs.describe(
      'Globs of paths to keep; without any, all are kept. For example "/docs" and all below it, "*.html".',
    ),
    /** Globs of which a page may match none. */
    exclude: globs.describe('Globs of paths to leave out; without any, none are left out.'),
    /** The most pages to ingest. */
    limit: z.int().min(1).default(250).describe('The most pages to ingest. Default 250.'),
    /** English-specific processing. */
    english: z.boolean().default(true).describe('English-specific processing. Default true.'),
    timeoutSeconds,
    dryRun,
  }),
  outputSchema: z.object({
    message: z.string().describe('What was found and chosen, and what to do next.'),
    found: z.int().describe('How many pages the crawl found.'),
    selected: z.int().describe('How many of them are chosen.'),
    leftOut: z
      .object({
        notIncluded: z.int().describe('They match no include glob.'),
        excluded: z.int().describe('They match an exclude glob.'),
        overLimit: z.int().describe('They are more than limit.'),
        unusable: z.int().describe('They are links that Fini cannot ingest.'),
      })
      .describe('How many are not, and why.'),
    urls: z.array(z.string()).optional().describe('With dryRun: the pages chosen.'),
    report: reportSchema.optional().describe('How it ended; absent where nothing was queued.'),
  }),
  annotations: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: true,
  },
  async handler({ links, include, exclude, limit, english, timeoutSeconds, dryRun }, context) {
    const { fini, ingestion, signal, progress } = context;
    progress.begin(`Looking for pages from ${counted(links.length, 'start URL')}`);
    const plan = await planSite(fini, links, { include, exclude, limit }, signal);
    const { urls, found, leftOut } = plan;
    const summary = { found, selected: urls.length, leftOut };
    if (dryRun || urls.length === 0) {
      const { shown, others } = shownPages(urls);
      return { ...summary, urls: shown, message: messageOf(plan, dryRun, english, others) };
    }
    const request = {
      source: 'web' as const,
      documentIdsToAdd: urls,
      documentIdsToRefresh: [],
      english,
      baser: false,
    };
    const options = waitOptions(timeoutSeconds, context);
    const report = await ingestion.ingestAndWait(request, options);
    progress.end(report.counts.unfinished === 0);
    return {
      ...summary,
      report: reportOutput(report, context),
      message: messageOf(plan, false, english),
    };
  },
  text({ urls = [], report, message }) {
    if (report !== undefined) return `${message}\n${reportText(report)}`;
    return [message, ...urls].join('\n');
  },
  isError: ({ selected, report }) => selected === 0 || report?.outcome === 'failed',
});

function messageOf(
  { urls, found, leftOut, endedAt, idleGlobs, message }: SitePlan,
  dryRun: boolean,
  english: boolean,
  others = '',
): string {
  const { notIncluded, excluded, overLimit, unusable } = leftOut;
  const reasons = [
    notIncluded > 0 ? `${notIncluded} match no include glob` : '',
    excluded > 0 ? `${excluded} match an exclude glob` : '',
    overLimit > 0 ? `${overLimit} are over the limit` : '',
    unusable > 0 ? `${counted(unusable, 'link')} cannot be ingested` : '',
  ].filter((reason) => reason !== '');
  const sentences = [
    `${counted(found, 'page')} found, ${urls.length} selected${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}.`,
    message === null ? '' : finiSays(message),
    endedAt === null ? '' : crawlEnd(endedAt),
    idleGlobs.length === 0
      ? ''
      : `No page matches ${idleGlobs.slice(0, NAMED_GLOBS).map(quoted).join(', ')}: "/docs/**" is /docs and all below it, "**/old" is a page of that name anywhere.`,
    urls.length > 0 ? '' : nothingSelected(found - unusable),
    others,
    dryRun && urls.length > 0
      ? `Nothing is queued. To ingest these, call ingest_site again without dryRun; to ingest some, pass them to ingest_and_wait as documentIdsToAdd${english ? '' : ', with english false'}.`
      : '',
  ];
  return sentences.filter((sentence) => sentence !== '').join(' ');
}

function nothingSelected(found: number): string {
  return found === 0
    ? 'Nothing is queued: check that the start URLs exist and open without a login.'
    : 'Nothing is queued: see with deep_crawl_links which pages there are, then change include and exclude.';
}
