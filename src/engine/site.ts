import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { parsedUrl, URL_LENGTH } from '../text.ts';
import { Pacer } from './concurrency.ts';
import { matchGlobs } from './globs.ts';
import { normalisedUrl } from './identity.ts';
import { isWebUrl } from './inputs.ts';

/** Fini's own default; with globs it is the least that is crawled, since they leave pages out. */
const DEFAULT_CRAWL = 250;

/** The pages of a site that are wanted. */
export interface SiteFilter {
  /** Globs of which a page must match one; none means every page. */
  readonly include: readonly string[];
  /** Globs of which a page may match none. */
  readonly exclude: readonly string[];
  /** The most pages. */
  readonly limit: number;
}

/** A link that Fini cannot ingest. */
export interface UnusableLink {
  readonly link: string;
  /** Why, in words that fit into parentheses after it. */
  readonly fault: string;
}

/** The result of a crawl. */
export interface CrawledPages {
  /** In the order of the crawl, normalised, each once. */
  readonly pages: readonly string[];
  /** Each once. */
  readonly unusable: readonly UnusableLink[];
  /** The number at which the crawl ended, where it did, so that the site may have more; or null. */
  readonly endedAt: number | null;
  /** Fini's message about the crawl. */
  readonly message: string | null;
}

/** The pages of a site that are to be ingested, and what became of the others. */
export interface SitePlan extends CrawledPages {
  /** Those of the pages that are wanted. */
  readonly urls: readonly string[];
  readonly leftOut: {
    readonly notIncluded: number;
    readonly excluded: number;
    /** More than `limit`. */
    readonly overLimit: number;
    /** Links that Fini cannot ingest. */
    readonly unusable: number;
  };
  /** Globs that no page matches, so that they may have been meant otherwise. */
  readonly idle: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  /** Matching the globs would have taken too long, so that no page was chosen. */
  readonly isTooMuchWork: boolean;
}

/**
 * Crawls from the start URLs. Whatever way the crawl spells a page, it comes out the same, so that
 * the next crawl finds the same source.
 *
 * @throws {FiniError}
 */
export async function crawlSite(
  fini: FiniClient,
  links: readonly string[],
  limit: number,
  call: Deadline,
): Promise<CrawledPages> {
  const { data, message } = await fini.crawlLinks(links, limit, call);
  const pacer = new Pacer(call.signal);
  const pages = new Set<string>();
  const unusable = new Map<string, string>();
  for (const found of data) {
    await pacer.pause();
    const link = found.trim();
    const read = readLink(link);
    if ('page' in read) pages.add(read.page);
    else unusable.set(link, read.fault);
  }
  return {
    pages: [...pages],
    unusable: [...unusable].map(([link, fault]) => ({ link, fault })),
    // Counted before links are left out: Fini stops at so many of whatever kind.
    endedAt: data.length >= limit ? limit : null,
    message,
  };
}

/** A link's page, or why it has none. Its length comes first: all else takes time that grows with it. */
function readLink(link: string): { page: string } | { fault: string } {
  const tooLong = { fault: `longer than ${URL_LENGTH} characters` };
  if (link.length > URL_LENGTH) return tooLong;
  if (!isWebUrl(link)) return { fault: linkFault(link) };
  const page = normalisedUrl(link);
  return page.length > URL_LENGTH ? tooLong : { page };
}

/** Why a link that is none to a web page cannot be ingested. */
function linkFault(link: string): string {
  if (link === '') return 'empty';
  if (!/^https?:\/\//i.test(link)) return 'not an http(s) URL';
  if (/\s/.test(link)) return 'contains a space';
  const url = parsedUrl(link);
  return url === null || (url.username === '' && url.password === '')
    ? 'not a valid URL'
    : 'contains a user name or password';
}

/**
 * Crawls from the start URLs and keeps the pages that are wanted. Queues nothing.
 *
 * @throws {FiniError}
 */
export async function planSite(
  fini: FiniClient,
  links: readonly string[],
  { include, exclude, limit }: SiteFilter,
  call: Deadline,
): Promise<SitePlan> {
  const hasGlobs = include.length + exclude.length > 0;
  const crawled = hasGlobs ? Math.max(limit, DEFAULT_CRAWL) : limit;
  const crawl = await crawlSite(fini, links, crawled, call);
  const { pages, unusable } = crawl;
  const included = await matchGlobs(include, pages, call.signal);
  const excluded = await matchGlobs(exclude, pages, call.signal);
  if (included === null || excluded === null) {
    const leftOut = { notIncluded: 0, excluded: 0, overLimit: 0, unusable: unusable.length };
    const idle = { include: [], exclude: [] };
    return { ...crawl, urls: [], leftOut, idle, isTooMuchWork: true };
  }
  const kept = include.length === 0 ? pages : pages.filter((page) => included.pages.has(page));
  const wanted = kept.filter((page) => !excluded.pages.has(page));
  const urls = wanted.slice(0, limit);
  return {
    ...crawl,
    urls,
    leftOut: {
      notIncluded: pages.length - kept.length,
      excluded: kept.length - wanted.length,
      overLimit: wanted.length - urls.length,
      unusable: unusable.length,
    },
    idle: { include: included.idle, exclude: excluded.idle },
    isTooMuchWork: false,
  };
}
