import * as z from 'zod';
import { globFaults } from '../engine/glob-faults.ts';
import { namesHost, namesQuery } from '../engine/globs.ts';
import { planSite, type SitePlan } from '../engine/site.ts';
import { paragraph, plural, quoted } from '../text.ts';
import {
  crawlText,
  setAsideOutput,
  setAsideRows,
  setAsideText,
  unusableLinks,
} from './crawl-texts.ts';
import { dryRun, startUrls, timeoutSeconds } from './fields.ts';
import { inputFor, type NextCall } from './next-calls.ts';
import { textMeanings } from './read-input.ts';
import { listOmitted, outcomeShape, ROW_STATUSES, reportAnswer, rowShape } from './report.ts';
import { defineTool } from './tool.ts';
import { waitOptions } from './wait-options.ts';

/** Maximum number of unmatched globs that the message names. */
const NAMED_GLOBS = 5;
/** Number of pages to show with them, and number of pages that they are chosen from. */
const SAMPLES = 10;
const SAMPLED = 1_000;

/** Globs for a page's path or URL; a refusal names every bad one. */
const globs = z
  .array(
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

/** Maximum number of pages of a site by default. */
const DEFAULT_LIMIT = 250;
/** Defaults of the input, which a proposed call leaves out. */
const SITE_DEFAULTS = { limit: DEFAULT_LIMIT, english: true, dryRun: false };

/** Crawls, filters, queues and waits. */
export const ingestSite = defineTool({
  name: 'ingest_site',
  title: 'Ingest a website or a part of it, and wait',
  description:
    'Ingests a website or a part of it in one call: finds the pages from the start URLs, keeps those that include, exclude and limit allow, queues them, waits and reports like ingest_and_wait. Call it with dryRun first and show the person the pages. To pick pages by hand use deep_crawl_links. Safe to repeat. After timed_out, call wait_for_sources with its batch.',
  kind: 'writes',
  scope: 'read and write',
  idempotent: true,
  openWorld: true,
  inputSchema: z.strictObject({
    links: startUrls,
    /** Globs of which a page must match at least one. */
    include: globs.describe(
      'Globs of paths to keep: "/docs/**" (/docs and all below), "/docs/*" (one level), "*.html", "/**?*=*" (any query). No regex.',
    ),
    /** Globs of which a page must match none. */
    exclude: globs.describe(
      'Globs of paths to leave out. Each must match a page, or nothing is queued.',
    ),
    /** Maximum number of pages to ingest. */
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
    found: z.int().describe('Number of pages that the crawl found.'),
    selected: z.int().describe('Number of selected pages.'),
    leftOut: z
      .object({
        notIncluded: z.int().describe('Pages that match no include glob.'),
        excluded: z.int().describe('Pages that match an exclude glob.'),
        twins: z.int().describe('Other spellings of a selected page: see setAside.'),
        queryVariants: z.int().describe('Selected pages with a query.'),
        otherHosts: z.int().describe('Pages of other hosts than the start URLs.'),
        overLimit: z.int().describe('Pages beyond limit.'),
        unusable: z.int().describe('Links that Fini cannot ingest.'),
      })
      .describe('Number of pages left out, by reason.'),
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
    setAside: setAsideOutput,
  }),
  lists: { sources: 'by status', setAside: 'by status' },
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
      setAside: setAsideRows(plan.setAside),
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
        message: paragraph(sitePlanText(plan), outcomeText(plan, dryRun), detailsText(plan)),
        nextCalls: callsAfterSitePlan(plan, input),
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
      message: paragraph(answer.message, sitePlanText(plan), detailsText(plan)),
      nextCalls: [...answer.nextCalls, ...deeperCrawl(plan, input)],
      sources: [...answer.sources, ...unusable],
    };
  },
  showOmitted: listOmitted,
  isError: ({ selected, outcome }, { dryRun }) =>
    selected === 0 || (!dryRun && (outcome === undefined || outcome === 'failed')),
});

type SiteInput = Readonly<Record<string, unknown>> & {
  readonly links: readonly string[];
  readonly dryRun: boolean;
};

/** Says how many pages were found and selected, and why the others were not. */
function sitePlanText({ urls, pages, leftOut, unusable }: SitePlan): string {
  const { notIncluded, excluded, twins, queryVariants, otherHosts, overLimit } = leftOut;
  const setAside = twins + queryVariants + otherHosts;
  const reasons = [
    notIncluded > 0 ? `${notIncluded} match no include glob` : '',
    excluded > 0 ? `${excluded} match an exclude glob` : '',
    setAside > 0 ? `${setAside} set aside` : '',
    overLimit > 0 ? `${overLimit} are over the limit` : '',
    unusable.length > 0 ? `${plural(unusable.length, 'link')} cannot be ingested` : '',
  ].filter((reason) => reason !== '');
  const why = reasons.length > 0 ? ` (${reasons.join(', ')})` : '';
  return `${plural(pages.length + unusable.length, 'page')} found, ${urls.length} selected${why}.`;
}

/** Says if anything is queued, and if not, why. */
function outcomeText(plan: SitePlan, dryRun: boolean): string {
  const { urls, pages, idle } = plan;
  if (plan.isTooMuchWork) {
    return paragraph(
      `Nothing was queued: it takes too long to match these globs against ${plural(pages.length, 'page')}.`,
      'Use fewer globs or fewer wildcards.',
    );
  }
  if (pages.length === 0) return 'Nothing was queued.';
  if (urls.length === 0) {
    return plan.setAside.length > 0
      ? 'Nothing was queued, because only pages of other hosts are left.'
      : 'Nothing was queued, because the globs leave no page.';
  }
  if (idle.exclude.length > 0) {
    return 'Nothing was queued, because an exclude glob matches no page: correct or remove it.';
  }
  return dryRun ? 'Nothing is queued yet.' : '';
}

/** Further sentences about the globs and the crawl. */
function detailsText(plan: SitePlan): string {
  const { pages, idle } = plan;
  return paragraph(
    setAsideText(plan, true),
    pages.length === 0 ? '' : idleGlobs(idle, pages),
    crawlText(plan),
  );
}

/** The calls that may follow if nothing was queued. */
function callsAfterSitePlan(plan: SitePlan, input: SiteInput): NextCall[] {
  const { urls, pages, idle, isTooMuchWork } = plan;
  if (isTooMuchWork || pages.length === 0) return [];
  const [otherHost] = plan.setAside;
  if (urls.length === 0 && otherHost !== undefined) {
    // A site that has moved sends every page to its new host.
    const { origin, host } = new URL(otherHost.page);
    const links = [...input.links, `${origin}/`];
    const moved = inputFor({ ...input, links, dryRun: true }, SITE_DEFAULTS);
    return [{ tool: 'ingest_site', arguments: moved, why: `Show the pages of ${host} too` }];
  }
  if (urls.length === 0 || idle.exclude.length > 0) {
    const { links, limit } = input;
    const why = 'List every page, to correct the globs';
    const listed = inputFor({ links, limit }, SITE_DEFAULTS);
    return [{ tool: 'deep_crawl_links', arguments: listed, why }];
  }
  const why = `Ingest ${plural(urls.length, 'selected page')}`;
  const now = inputFor({ ...input, dryRun: false }, SITE_DEFAULTS);
  return [{ tool: 'ingest_site', arguments: now, why }, ...deeperCrawl(plan, input)];
}

/** The call that looks for more pages, if a crawl has reached its limit. */
function deeperCrawl({ endedAt }: SitePlan, input: SiteInput): NextCall[] {
  if (endedAt === null) return [];
  const deeper = inputFor({ ...input, limit: 2 * endedAt, dryRun: true }, SITE_DEFAULTS);
  return [{ tool: 'ingest_site', arguments: deeper, why: 'Look for more pages' }];
}

/** Names the globs that no page matches, with pages that show how to write them. */
function idleGlobs({ include, exclude }: SitePlan['idle'], pages: readonly string[]): string {
  const globs = [
    ...exclude.map((glob) => ({ glob, field: 'exclude' })),
    ...include.map((glob) => ({ glob, field: 'include' })),
  ];
  if (globs.length === 0) return '';
  const named = globs.slice(0, NAMED_GLOBS).map(({ glob, field }) => `${field} ${quoted(glob)}`);
  const more = globs.length - named.length;
  const list = named.join(', ') + (more > 0 ? ` and ${more} more` : '');
  const isWhole = globs.some(({ glob }) => namesHost(glob));
  const isWithQuery = globs.some(({ glob }) => namesQuery(glob));
  const samples = samplesOf(pages).map((page) => {
    const { pathname, search } = new URL(page);
    return quoted(isWhole ? page : pathname + (isWithQuery ? search : ''));
  });
  return `No page matches ${list}. Globs are matched against the path, or against the whole URL if they start with https://, and against the query only if they have one. ${isWhole ? 'Pages' : 'Paths'} found, for example: ${samples.join(', ')}.`;
}

/** A few pages, from as many sections of the site as possible. */
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
