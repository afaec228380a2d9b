import * as z from 'zod';
import { globFaults } from '../engine/glob-faults.ts';
import { planSite, type SitePlan } from '../engine/site.ts';
import { paragraph, plural, quoted } from '../text.ts';
import { crawlText, unusableLinks } from './crawl-texts.ts';
import { dryRun, listOf, startUrls, timeoutSeconds } from './fields.ts';
import { inputFor, type NextCall } from './next-calls.ts';
import { textMeanings } from './read-input.ts';
import { listOmitted, outcomeShape, ROW_STATUSES, reportAnswer, rowShape } from './report.ts';
import { defineTool } from './tool.ts';
import { waitOptions } from './wait-options.ts';

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

/** The most pages of a site, if the call does not say. */
const DEFAULT_LIMIT = 250;
/** Defaults of the input, which a proposed call leaves out. */
const DEFAULTS = { limit: DEFAULT_LIMIT, english: true, dryRun: false };

/** Crawls, filters, queues and waits. */
export const ingestSite = defineTool({
  name: 'ingest_site',
  title: 'Ingest a website and wait',
  description:
    'Ingests a website or a part of it in one call: finds the pages from the start URLs, keeps those that include, exclude and limit allow, queues them, waits and reports like ingest_and_wait. Call it with dryRun first and show the person the pages. To pick pages by hand use deep_crawl_links. Safe to repeat. After timed_out, call wait_for_sources with its batch.',
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
    limit: z
      .int()
      .min(1)
      .default(DEFAULT_LIMIT)
      .describe('Maximum number of pages to ingest. Default 250.'),
    /** English-specific processing. */
    english: z.boolean().default(true).describe('English-specific processing. Default true.'),
    timeoutSeconds,
    dryRun,
  }),
  outputSchema: z.object({
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
    unmatchedGlobs: z.array(z.string()).optional().describe('Globs that match no page.'),
    ...z.object(outcomeShape).partial().shape,
    sources: z
      .array(
        z.object({
          ...rowShape,
          status: z.enum(['selected', 'unusable', ...ROW_STATUSES]),
          reason: z.string().optional(),
        }),
      )
      .describe('With dryRun the selected pages, otherwise the result for each.'),
  }),
  lists: { sources: 'by status' },
  async handler(input, context) {
    const { links, include, exclude, limit, english, timeoutSeconds, dryRun } = input;
    const { fini, ingestion, progress } = context;
    const options = waitOptions(timeoutSeconds, context);
    progress.begin(`Finding pages from ${plural(links.length, 'start URL')}`);
    const plan = await planSite(fini, links, { include, exclude, limit }, options.deadline);
    const { urls, pages, leftOut, idle } = plan;
    const unmatchedGlobs = [...idle.exclude, ...idle.include];
    const summary = {
      found: pages.length + leftOut.unusable,
      selected: urls.length,
      leftOut,
      unmatchedGlobs: unmatchedGlobs.length > 0 ? unmatchedGlobs : undefined,
    };
    const unusable = unusableLinks(plan.unusable).map((link) => ({
      status: 'unusable' as const,
      ...link,
    }));
    // An exclude glob that matches nothing is probably a typo. It is better to ask again than to
    // ingest pages that were meant to be left out.
    if (dryRun || urls.length === 0 || idle.exclude.length > 0) {
      const selected = urls.map((originalUrl) => ({ status: 'selected' as const, originalUrl }));
      return {
        ...summary,
        message: paragraph(planText(plan), outcomeText(plan, dryRun), detailsText(plan)),
        nextCalls: nextCalls(plan, input),
        sources: [...(dryRun ? selected : []), ...unusable],
      };
    }
    const report = await ingestion.ingestAndWait(
      { source: 'web', documentIdsToAdd: urls, documentIdsToRefresh: [], english, baser: false },
      options,
    );
    progress.end(report.counts.unfinished === 0);
    const queueing = { source: 'web' as const, documentIdsToRefresh: [], english, baser: false };
    const answer = reportAnswer(report, context, queueing);
    return {
      ...answer,
      ...summary,
      message: paragraph(answer.message, planText(plan), detailsText(plan)),
      nextCalls: [...answer.nextCalls, ...deeperCrawl(plan, input)],
      sources: [...answer.sources, ...unusable],
    };
  },
  showOmitted: listOmitted,
  isError: ({ selected, outcome }, { dryRun }) =>
    selected === 0 || (!dryRun && (outcome === undefined || outcome === 'failed')),
});

type Input = Readonly<Record<string, unknown>> & { readonly dryRun: boolean };

/** How many pages were found and selected, and why the others were not. */
function planText({ urls, pages, leftOut, unusable }: SitePlan): string {
  const { notIncluded, excluded, overLimit } = leftOut;
  const reasons = [
    notIncluded > 0 ? `${notIncluded} by include` : '',
    excluded > 0 ? `${excluded} by exclude` : '',
    overLimit > 0 ? `${overLimit} by the limit` : '',
    unusable.length > 0 ? `${plural(unusable.length, 'link')} that cannot be ingested` : '',
  ].filter((reason) => reason !== '');
  const why = reasons.length > 0 ? ` (left out: ${reasons.join(', ')})` : '';
  return `${plural(pages.length + unusable.length, 'page')} found, ${urls.length} selected${why}.`;
}

/** The sentence that says if anything is queued, and why not. */
function outcomeText(plan: SitePlan, dryRun: boolean): string {
  const { urls, pages, idle } = plan;
  if (plan.isTooMuchWork) {
    return `Nothing was queued: it takes too long to match these globs against ${plural(pages.length, 'page')}. Use fewer globs or fewer wildcards.`;
  }
  if (pages.length === 0) return 'Nothing was queued.';
  if (urls.length === 0) return 'Nothing was queued, because the globs leave no page.';
  if (idle.exclude.length > 0) {
    return 'Nothing was queued, because an exclude glob matches no page: correct or remove it.';
  }
  return dryRun ? 'Nothing is queued yet.' : '';
}

/** Further sentences about the globs and the crawl. */
function detailsText(plan: SitePlan): string {
  const { pages, idle, endedAt, message } = plan;
  return paragraph(
    pages.length === 0 ? '' : idleGlobs(idle, pages),
    crawlText(pages.length, endedAt, message),
  );
}

/** The calls that may follow where nothing was queued. */
function nextCalls(plan: SitePlan, input: Input): NextCall[] {
  const { urls, pages, idle, isTooMuchWork } = plan;
  if (isTooMuchWork || pages.length === 0) return [];
  if (urls.length === 0 || idle.exclude.length > 0) {
    const { links, limit } = input;
    const why = 'List every page, to correct the globs';
    const listed = inputFor({ links, limit }, DEFAULTS);
    return [{ tool: 'deep_crawl_links', arguments: listed, why }];
  }
  const why = `Ingest ${plural(urls.length, 'selected page')}`;
  const now = inputFor({ ...input, dryRun: false }, DEFAULTS);
  return [{ tool: 'ingest_site', arguments: now, why }, ...deeperCrawl(plan, input)];
}

/** The call that looks for more pages, where a crawl found as many as it was allowed. */
function deeperCrawl({ endedAt }: SitePlan, input: Input): NextCall[] {
  if (endedAt === null) return [];
  const deeper = inputFor({ ...input, limit: 2 * endedAt, dryRun: true }, DEFAULTS);
  return [{ tool: 'ingest_site', arguments: deeper, why: 'Look for more pages' }];
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
