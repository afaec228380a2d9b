import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { parsedUrl, URL_LENGTH } from '../text.ts';
import { Pacer } from './concurrency.ts';
import { matchGlobs, namesHost, namesQuery } from './globs.ts';
import { bareHost, normalisedUrl, twinKey } from './identity.ts';
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

/** A page that a crawl found beside the pages of the site, and what it is. */
export interface SetAsidePage {
  readonly page: string;
  /**
   * Another spelling of a page (see {@link twinKey}), the same page with a query, or a page of a
   * host that no start URL has.
   */
  readonly kind: 'twin' | 'query_variant' | 'other_host';
  /** The page that is kept in its place. */
  readonly twinOf: string | null;
}

/** The pages of a site, each once, and those that are set aside. */
export interface SortedPages {
  readonly kept: readonly string[];
  readonly setAside: readonly SetAsidePage[];
  /** Number of kept pages that differ from another one only in the query, and so may be the same page. */
  readonly queryAlike: number;
}

/** The result of a crawl. */
export interface CrawledPages {
  /** Pages in the order of the crawl, normalised, without repetitions. */
  readonly pages: readonly string[];
  /** Links without repetitions. */
  readonly unusable: readonly UnusableLink[];
  /** The limit at which the crawl stopped, so that the site may have more; null if it ended by itself. */
  readonly endedAt: number | null;
  /** The crawl found nothing but start URLs: Fini gives them back also where there is no such page. */
  readonly isEcho: boolean;
  /** Fini's message about the crawl. */
  readonly message: string | null;
}

/** The pages of a site to ingest, and counts of the others. */
export interface SitePlan extends CrawledPages {
  /** The selected pages. */
  readonly urls: readonly string[];
  /** Pages that the globs leave, and that are not wanted all the same. */
  readonly setAside: readonly SetAsidePage[];
  readonly queryAlike: number;
  readonly leftOut: {
    readonly notIncluded: number;
    readonly excluded: number;
    readonly twins: number;
    readonly queryVariants: number;
    readonly otherHosts: number;
    /** More than `limit`. */
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
  const startKeys = new Set(links.map((link) => twinKey(normalisedUrl(link))));
  return {
    pages: [...pages],
    isEcho: pages.size > 0 && [...pages].every((page) => startKeys.has(twinKey(page))),
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
 * Sets aside what is not a page of its own of the start URLs' hosts. Of twins, the first is kept; a
 * page with a query is set aside where the same page without is kept.
 *
 * @param named Pages of other hosts, or with a query, that are wanted by name.
 * @throws The signal's reason, once it is aborted.
 */
export async function sortPages(
  pages: readonly string[],
  links: readonly string[],
  signal: AbortSignal,
  named: Record<'byHost' | 'byQuery', ReadonlySet<string>> = NONE_NAMED,
): Promise<SortedPages> {
  const pacer = new Pacer(signal);
  const hostOf = (url: string) => bareHost(new URL(url).host);
  const hosts = new Set(links.map(hostOf));
  const setAside: SetAsidePage[] = [];
  const byKey = new Map<string, string>();
  for (const page of pages) {
    await pacer.pause();
    const twinOf = byKey.get(twinKey(page)) ?? null;
    if (!hosts.has(hostOf(page)) && !named.byHost.has(page)) {
      setAside.push({ page, kind: 'other_host', twinOf: null });
    } else if (twinOf !== null) setAside.push({ page, kind: 'twin', twinOf });
    else byKey.set(twinKey(page), page);
  }
  const kept: string[] = [];
  const alike = new Map<string, number>();
  for (const [key, page] of byKey) {
    await pacer.pause();
    const pageKey = key.replace(/\?[^#]*/, '');
    const twinOf = byKey.get(pageKey) ?? null;
    if (pageKey !== key && twinOf !== null && !named.byQuery.has(page)) {
      setAside.push({ page, kind: 'query_variant', twinOf });
    } else {
      kept.push(page);
      alike.set(pageKey, (alike.get(pageKey) ?? 0) + 1);
    }
  }
  const counts = [...alike.values()].filter((count) => count > 1);
  return { kept, setAside, queryAlike: counts.reduce((sum, count) => sum + count, 0) };
}

const NONE_NAMED = { byHost: new Set<string>(), byQuery: new Set<string>() };

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
  const matchesOf = (globs: readonly string[]) => matchGlobs(globs, pages, call.signal);
  const included = await matchesOf(include);
  const excluded = await matchesOf(exclude);
  const byHost = await matchesOf(include.filter(namesHost));
  const byQuery = await matchesOf(include.filter(namesQuery));
  if (included === null || excluded === null || byHost === null || byQuery === null) {
    const none = { notIncluded: 0, excluded: 0, twins: 0, queryVariants: 0, otherHosts: 0 };
    const leftOut = { ...none, overLimit: 0, unusable: unusable.length };
    const nothing = { urls: [], setAside: [], queryAlike: 0, idle: { include: [], exclude: [] } };
    return { ...crawl, ...nothing, leftOut, isTooMuchWork: true };
  }
  const matching = include.length === 0 ? pages : pages.filter((page) => included.pages.has(page));
  const wanted = matching.filter((page) => !excluded.pages.has(page));
  const named = { byHost: byHost.pages, byQuery: byQuery.pages };
  const { kept, setAside, queryAlike } = await sortPages(wanted, links, call.signal, named);
  const urls = kept.slice(0, limit);
  const count = (kind: SetAsidePage['kind']) => setAside.filter((one) => one.kind === kind).length;
  return {
    ...crawl,
    urls,
    setAside,
    queryAlike,
    leftOut: {
      notIncluded: pages.length - matching.length,
      excluded: matching.length - wanted.length,
      twins: count('twin'),
      queryVariants: count('query_variant'),
      otherHosts: count('other_host'),
      overLimit: kept.length - urls.length,
      unusable: unusable.length,
    },
    idle: { include: included.idle, exclude: excluded.idle },
    isTooMuchWork: false,
  };
}
