import { URL_LENGTH } from '../bounded.ts';
import type { FiniClient } from '../fini/client.ts';
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
  /** What Fini said of the crawl. */
  readonly message: string | null;
}

/** Whether a glob is too costly: matching takes time to the power of the stars in a folder's name. */
export function hasTooManyStars(glob: string): boolean {
  return /(\*+[^/*]+){3}\*/.test(glob);
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
  const isIncluded = include.length === 0 ? () => true : await matcherOf(include);
  const isExcluded = await matcherOf(exclude);
  const included = pages.filter(isIncluded);
  const wanted = included.filter((url) => !isExcluded(url));
  const urls = wanted.slice(0, limit);
  return {
    urls,
    found: pages.length + unusable,
    leftOut: {
      notIncluded: pages.length - included.length,
      excluded: included.length - wanted.length,
      overLimit: wanted.length - urls.length,
      unusable,
    },
    endedAt: data.length >= crawled ? crawled : null,
    message,
  };
}

/**
 * Whether a page matches one of the globs. A glob that begins with a scheme is for the whole URL,
 * any other for the path; one without a slash at its beginning matches at any depth.
 */
async function matcherOf(globs: readonly string[]): Promise<(url: string) => boolean> {
  // Loaded here, since no start needs it.
  const { default: picomatch } = await import('picomatch/posix.js');
  const options = { dot: true, nocase: true, nonegate: true, noextglob: true };
  const isWhole = (glob: string) => /^https?:/i.test(glob);
  const whole = globs.filter(isWhole).flatMap(withOwnPage);
  const paths = globs
    .filter((glob) => !isWhole(glob))
    .flatMap(withOwnPage)
    .flatMap(atItsDepths);
  const matchesWhole = whole.length === 0 ? () => false : picomatch(whole, options);
  const matchesPath = paths.length === 0 ? () => false : picomatch(paths, options);
  return (url) => {
    const { origin, pathname } = new URL(url);
    const path = withoutEnd(pathname);
    // A glob may be typed, or copied from where it stands encoded.
    return [path, decoded(path)].some(
      (form) => matchesPath(form) || matchesWhole(form === '/' ? origin : origin + form),
    );
  };
}

/**
 * A glob without a slash at its end. One for all below a page is for that page too, and one that
 * just names a page is for all below it, as a person means who writes "/billing".
 */
function withOwnPage(glob: string): string[] {
  const trimmed = withoutEnd(glob);
  const own = trimmed.replace(/\/\*\*$/, '');
  if (own !== trimmed) return own === '' ? [trimmed] : [trimmed, own];
  const isPattern = /[*?[\]{}()]/.test(trimmed);
  const isRoot = /^(https?:\/\/[^/]*|\/)$/i.test(trimmed);
  return isPattern || isRoot ? [trimmed] : [trimmed, `${trimmed}/**`];
}

/** A glob of a path from the root on: as it stands, or at the root and at any depth below it. */
function atItsDepths(glob: string): string[] {
  if (glob.startsWith('/') && !glob.startsWith('/**/')) return [glob];
  // At its beginning, picomatch takes the two stars for one folder or more.
  const end = glob.replace(/^\/?(\*\*\/)*/, '');
  return [`/${end}`, `/**/${end}`];
}

/** A path without slashes at its end, but for the site's root. */
function withoutEnd(path: string): string {
  return path.replace(/(?<=.)\/+$/, '');
}

/** A path as a person writes it. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Not every path is well-formed; as it stands it can still be matched.
    return path;
  }
}
