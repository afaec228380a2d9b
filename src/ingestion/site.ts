import { setImmediate } from 'node:timers/promises';
import { URL_LENGTH } from '../bounded.ts';
import type { FiniClient } from '../fini/client.ts';
import { globMatcher } from './globs.ts';
import { isWebUrl, withoutDuplicates } from './inputs.ts';

/** Fini's own default; with globs it is the least that is crawled, since they leave pages out. */
const DEFAULT_CRAWL = 250;

/** Which pages of a site are wanted. */
export interface SiteFilter {
  /** Globs of which a page must match one; none means every page. */
  readonly include: readonly string[];
  /** Globs of which a page may match none. */
  readonly exclude: readonly string[];
  /** The most pages. */
  readonly limit: number;
}

/** The pages of a site that are to be ingested, and what became of the others. */
export interface SitePlan {
  readonly urls: readonly string[];
  /** How many pages the crawl found: those to be ingested and those left out. */
  readonly found: number;
  readonly leftOut: {
    readonly notIncluded: number;
    readonly excluded: number;
    /** More than `limit`. */
    readonly overLimit: number;
    /** Links that Fini cannot ingest. */
    readonly unusable: number;
  };
  /** The number at which the crawl ended, where it did, so that the site may have more; or null. */
  readonly endedAt: number | null;
  /** Globs that no page matched, so that they may have been meant otherwise. */
  readonly idleGlobs: readonly string[];
  /** What Fini said of the crawl. */
  readonly message: string | null;
}

/** The links of a crawl that can be ingested, each once, and how many cannot. */
export function usablePages(links: readonly string[]): { pages: string[]; unusable: number } {
  const found = withoutDuplicates(links);
  const pages = found.filter((url) => url.length <= URL_LENGTH && isWebUrl(url));
  return { pages, unusable: found.length - pages.length };
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
  signal: AbortSignal,
): Promise<SitePlan> {
  const hasGlobs = include.length + exclude.length > 0;
  const crawled = hasGlobs ? Math.max(limit, DEFAULT_CRAWL) : limit;
  const { data, message } = await fini.crawlLinks(links, crawled, { signal });
  const { pages, unusable } = usablePages(data);
  const included = await matching(include, pages);
  const excluded = await matching(exclude, pages);
  const kept = include.length === 0 ? pages : pages.filter((page) => included.pages.has(page));
  const wanted = kept.filter((page) => !excluded.pages.has(page));
  const urls = wanted.slice(0, limit);
  return {
    urls,
    found: pages.length + unusable,
    leftOut: {
      notIncluded: pages.length - kept.length,
      excluded: kept.length - wanted.length,
      overLimit: wanted.length - urls.length,
      unusable,
    },
    endedAt: data.length >= crawled ? crawled : null,
    idleGlobs: [...included.idle, ...excluded.idle],
    message,
  };
}

/** The pages that match one of the globs, and the globs that no page matches. */
async function matching(
  globs: readonly string[],
  pages: readonly string[],
): Promise<{ pages: Set<string>; idle: string[] }> {
  const found = new Set<string>();
  const idle: string[] = [];
  for (const glob of globs) {
    // Many globs over many pages take a while, in which other calls go on.
    await setImmediate();
    const matched = pages.filter(globMatcher(glob));
    for (const page of matched) found.add(page);
    if (matched.length === 0) idle.push(glob);
  }
  return { pages: found, idle };
}
