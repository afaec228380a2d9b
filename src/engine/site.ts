import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { parsedUrl, URL_LENGTH } from '../text.ts';
import { Pacer } from './concurrency.ts';
import { matchGlobs } from './globs.ts';
import { normalisedUrl } from './identity.ts';
import { isWebUrl } from './inputs.ts';

/** Fini's default limit. With globs the crawl's limit is no less, since they leave pages out. */
const DEFAULT_CRAWL = 250;

/** A selection of a site's pages. */
export interface SiteFilter {
  /** Globs of which a page must match at least one; without any, every page is selected. */
  readonly include: readonly string[];
  /** Globs of which a page must match none. */
  readonly exclude: readonly string[];
  /** Maximum number of pages. */
  readonly limit: number;
}

/** A link that Fini cannot ingest. */
export interface UnusableLink {
  readonly link: string;
  /** The reason, in words that fit into parentheses after the link. */
  readonly fault: string;
}

/** The result of a crawl. */
export interface CrawledPages {
  /** Pages in the order of the crawl, normalised, without repetitions. */
  readonly pages: readonly string[];
  /** Links without repetitions. */
  readonly unusable: readonly UnusableLink[];
  /** The limit at which the crawl stopped, so that the site may have more; null if it ended by itself. */
  readonly endedAt: number | null;
  /** Fini's message about the crawl. */
  readonly message: string | null;
}

/** The pages of a site to ingest, and counts of the others. */
export interface SitePlan extends CrawledPages {
  /** The selected pages. */
  readonly urls: readonly string[];
  readonly leftOut: {
    readonly notIncluded: number;
    readonly excluded: number;
    /** Number of pages beyond `limit`. */
    readonly overLimit: number;
    /** Number of links that Fini cannot ingest. */
    readonly unusable: number;
  };
  /** Globs that match no page, so that they may be mistakes. */
  readonly idle: { readonly include: readonly string[]; readonly exclude: readonly string[] };
  /** True if matching the globs would have taken too long, so that no page was selected. */
  readonly isTooMuchWork: boolean;
}

/**
 * Crawls from the start URLs. Every spelling of a page is normalised, so that the next crawl finds the
 * same source.
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
    // The count includes unusable links: Fini's limit applies to links of any kind.
    endedAt: data.length >= limit ? limit : null,
    message,
  };
}

/** A link's page, or the reason it has none. Other checks take longer for longer links. */
function readLink(link: string): { page: string } | { fault: string } {
  const tooLong = { fault: `longer than ${URL_LENGTH} characters` };
  if (link.length > URL_LENGTH) return tooLong;
  if (!isWebUrl(link)) return { fault: linkFault(link) };
  const page = normalisedUrl(link);
  return page.length > URL_LENGTH ? tooLong : { page };
}

/** The reason that a link to something other than a web page cannot be ingested. */
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
 * Crawls from the start URLs and selects pages. Queues nothing.
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
