import * as z from 'zod';
import { globFaults } from '../engine/glob-faults.ts';
import { planSite, type SitePlan } from '../engine/site.ts';
import { counted, paragraph, quoted } from '../text.ts';
import { crawlEnd, finiSays, leftOutLinks, NO_PAGES, shownPages } from './crawl-texts.ts';
import { dryRun, listOf, startUrls, timeoutSeconds } from './fields.ts';
import { textMeanings } from './read-input.ts';
import { reportOutput, reportSchema, reportText } from './report.ts';
import { defineTool } from './tool.ts';
import { callBefore, waitOptions } from './wait-options.ts';

/** How many globs that match nothing the message names. */
const NAMED_GLOBS = 5;
/** How many pages it shows with them, and among how many these are chosen. */
const SAMPLES = 10;
const SAMPLED = 1_000;

/** Globs over a page's path or URL; every bad one is named. */
const globs = listOf(
  z.string().trim().register(textMeanings, {
    kind: 'glob',
    one: 'a glob',
    many: 'globs of paths, such as "/docs/**"',
  }),
)
  .superRefine((items, context) => {
    for (const fault of globFaults(items)) context.addIssue(fault);
  })
  .default([]);

/** Crawls, filters, queues and waits (fini-api.md, "crawl links" and "ingest sources"). */
export const ingestSite = defineTool({
  name: 'ingest_site',
  title: 'Ingest a website and wait',
  description:
    'Ingests a website or a part of it in one call: finds the pages from the start URLs, keeps those that include, exclude and limit allow, queues them, waits and reports like ingest_and_wait. Call it with dryRun first and show the person the pages. To pick pages by hand use deep_crawl_links. Safe to repeat. After timed_out, continue with wait_for_sources.',
  kind: 'writes',
  scope: 'read and write',
  idempotent: true,
  openWorld: true,
  inputSchema: z.strictObject({
    links: startUrls,
    /** Globs of which a page must match one. */
    include: globs.describe(
      'Globs of paths to keep: "/docs/**" (/docs and everything below), "/docs/*" (one level), "*.html". No regular expressions.',
    ),
    /** Globs of which a page may match none. */
    exclude: globs.describe(
      'Globs of paths to leave out. Each must match a page, or nothing is queued.',
    ),
    /** The most pages to ingest. */
    limit: z.int().min(1).default(250).describe('Maximum number of pages to ingest. Default 250.'),
    /** English-specific processing. */
    english: z.boolean().default(true).describe('English-specific processing. Default true.'),
    timeoutSeconds,
    dryRun,
  }),
  outputSchema: z.object({
    message: z.string().describe('What was found and selected, and what to do next.'),
    found: z.int().describe('How many pages the crawl found.'),
    selected: z.int().describe('How many of them are selected.'),
    leftOut: z
      .object({
        notIncluded: z.int().describe('Pages that match no include glob.'),
        excluded: z.int().describe('Pages that match an exclude glob.'),
        overLimit: z.int().describe('Pages beyond limit.'),
        unusable: z.int().describe('Links that Fini cannot ingest.'),
      })
      .describe('How many are left out, and why.'),
    urls: z.array(z.string()).optional().describe('With dryRun: the selected pages.'),
    report: reportSchema.optional().describe('The result; absent if nothing was queued.'),
  }),
  async handler({ links, include, exclude, limit, english, timeoutSeconds, dryRun }, context) {
    const { fini, ingestion, progress } = context;
    const options = waitOptions(timeoutSeconds, context);
    progress.begin(`Finding pages from ${counted(links.length, 'start URL')}`);
    const plan = await planSite(fini, links, { include, exclude, limit }, callBefore(options));
    const { urls, pages, leftOut } = plan;
    const found = pages.length + leftOut.unusable;
    const summary = { found, selected: urls.length, leftOut };
    if (dryRun || urls.length === 0) {
      const { shown, others } = shownPages(urls);
      return { ...summary, urls: shown, message: messageOf(plan, dryRun, english, others) };
    }
    // To leave out nothing where something was to be left out is worse than to ask again.
    if (plan.idle.exclude.length > 0)
      return { ...summary, message: messageOf(plan, false, english) };
    const request = {
      source: 'web' as const,
      documentIdsToAdd: urls,
      documentIdsToRefresh: [],
      english,
      baser: false,
    };
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
  isError({ selected, urls, report }) {
    const isRefused = urls === undefined && report === undefined;
    return isRefused || selected === 0 || report?.outcome === 'failed';
  },
});

function messageOf(plan: SitePlan, dryRun: boolean, english: boolean, others = ''): string {
  const { urls, pages, leftOut, idle, unusable } = plan;
  const { notIncluded, excluded, overLimit } = leftOut;
  const reasons = [
    notIncluded > 0 ? `${notIncluded} match no include glob` : '',
    excluded > 0 ? `${excluded} match an exclude glob` : '',
    overLimit > 0 ? `${overLimit} are over the limit` : '',
    unusable.length > 0 ? `${counted(unusable.length, 'link')} cannot be ingested` : '',
  ].filter((reason) => reason !== '');
  const found = `${counted(pages.length + unusable.length, 'page')} found, ${urls.length} selected${reasons.length > 0 ? ` (${reasons.join(', ')})` : ''}.`;
  return paragraph(
    pages.length === 0 ? NO_PAGES : found,
    outcomeOf(plan, dryRun, english),
    others,
    pages.length === 0 ? '' : idleGlobs(idle, pages),
    leftOutLinks(unusable),
    plan.endedAt === null ? '' : crawlEnd(plan.endedAt),
    finiSays(plan.message),
  );
}

/** Whether anything is queued, and what to call next. */
function outcomeOf(plan: SitePlan, dryRun: boolean, english: boolean): string {
  const { urls, pages, idle } = plan;
  if (plan.isTooMuchWork) {
    return `Nothing was queued: it takes too long to match these globs against ${counted(pages.length, 'page')}. Call ingest_site again with fewer globs or fewer wildcards.`;
  }
  if (pages.length === 0) return 'Nothing was queued.';
  if (urls.length === 0) {
    return 'Nothing was queued, because the globs leave no page. Change include or exclude and call ingest_site again. deep_crawl_links lists every page.';
  }
  const isIdle = idle.exclude.length > 0;
  if (!dryRun) {
    return isIdle
      ? 'Nothing was queued, because an exclude glob matches no page. Correct or remove it and call ingest_site again. deep_crawl_links lists every page.'
      : '';
  }
  const all = isIdle
    ? 'correct or remove the exclude globs that match no page, then call ingest_site without dryRun'
    : 'call ingest_site again without dryRun';
  return `Nothing is queued yet. To ingest all of these, ${all}. To ingest some, pass them to ingest_and_wait as documentIdsToAdd${english ? '' : ', with english false'}.`;
}

/** The globs that no page matches, with pages that show how to write them. */
function idleGlobs({ include, exclude }: SitePlan['idle'], pages: readonly string[]): string {
  const globs = [
    ...exclude.map((glob) => ({ glob, field: 'exclude' })),
    ...include.map((glob) => ({ glob, field: 'include' })),
  ];
  if (globs.length === 0) return '';
  const named = globs.slice(0, NAMED_GLOBS).map(({ glob, field }) => `${field} ${quoted(glob)}`);
  const more = globs.length - named.length;
  const list = named.join(', ') + (more > 0 ? ` and ${more} more` : '');
  const isWhole = globs.some(({ glob }) => /^https?:/i.test(glob));
  const samples = samplesOf(pages).map((page) => quoted(isWhole ? page : new URL(page).pathname));
  return `No page matches ${list}. Globs are matched against the path without its query, or against the whole URL if they start with https://. ${isWhole ? 'Pages' : 'Paths'} found, for example: ${samples.join(', ')}.`;
}

/** A few pages, of as many sections of the site as can be shown. */
function samplesOf(pages: readonly string[]): string[] {
  const sections = new Map<string, string>();
  for (const page of pages.slice(0, SAMPLED)) {
    const { host, pathname } = new URL(page);
    const section = `${host}/${pathname.split('/')[1]}`;
    if (!sections.has(section)) sections.set(section, page);
    if (sections.size === SAMPLES) break;
  }
  return [...new Set([...sections.values(), ...pages.slice(0, SAMPLES)])].slice(0, SAMPLES);
}
