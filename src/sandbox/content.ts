import companySite from './content/company-site.json' with { type: 'json' };
import helpCenter from './content/help-center.json' with { type: 'json' };
import { isHttpUrl } from './requests.ts';

/** The help center that the sandbox knows by heart: its links can be crawled, its pages ingested. */
export const siteOrigin = helpCenter.origin;

/** The result of ingesting a page or a provider's resource. */
export type Content = {
  /** The title its record gets. */
  title: string;
  /** Its text, one string a paragraph; empty if a run yields none. */
  paragraphs: string[];
  /** The final status and Fini's reason if the job yields nothing; else null. */
  failure: { status: string; error: string } | null;
};

/** A page of a web site. */
export type WebPage = Content & {
  /** Absolute URL; without a trailing slash, except for the site's root. */
  url: string;
  /** Fini's reason if no article can be generated from it; else null. */
  generationFailure: string | null;
};

/** Every page of the help center. */
export const webPages = sitePages(helpCenter);

const knownPages = [...webPages, ...sitePages(companySite)];
const pagesByUrl = new Map(knownPages.map((page) => [comparableUrl(page.url), page]));
const knownOrigins: readonly string[] = [helpCenter.origin, companySite.origin];

function sitePages({ origin, pages }: typeof helpCenter | typeof companySite): WebPage[] {
  return pages.map(({ path, ...page }) => ({
    url: `${origin}${path}`,
    paragraphs: [],
    failure: null,
    generationFailure: null,
    ...page,
  }));
}

/** The URL without trailing slashes, query and fragment, for comparing. */
function comparableUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return `${origin}${pathname.replace(/\/+$/, '')}`;
}

/** The content at a URL: a page of a known site, or one made up for any other host. */
export function webContent(url: string): Content {
  const address = comparableUrl(url);
  const page = pagesByUrl.get(address);
  if (page) return page;
  if (!knownOrigins.includes(new URL(url).origin)) return madeUpContent(address);
  const error = 'Failed to fetch page: HTTP 404 Not Found';
  return { ...madeUpContent(address), failure: { status: 'FAILED', error } };
}

/** The URLs that a crawl finds: the pages at and below this one, made up for an unknown host. */
export function crawlFrom(url: string): string[] {
  const seed = comparableUrl(url);
  if (knownOrigins.includes(new URL(url).origin)) {
    return knownPages
      .map((page) => page.url)
      .filter((found) => comparableUrl(found) === seed || found.startsWith(`${seed}/`));
  }
  const names =
    'overview installation configuration billing account security teams api errors contact';
  return [url, ...names.split(' ').map((name) => `${seed}/${name}`)];
}

/** Fini's reason why no article can be generated from the page at this URL; null if one can. */
export function generationFailure(url: string | null): string | null {
  if (url === null || !isHttpUrl(url)) return null;
  return pagesByUrl.get(comparableUrl(url))?.generationFailure ?? null;
}

/** Returns true if the page only leads on to others, so that nothing in it makes an article. */
export function isOverview(url: string | null): boolean {
  if (url === null || !isHttpUrl(url)) return false;
  const address = comparableUrl(url);
  if (knownOrigins.includes(new URL(url).origin)) {
    return knownPages.some((page) => page.url.startsWith(`${address}/`));
  }
  return /\/overview$/.test(address);
}

/** Makes up content for an address or a title. */
export function madeUpContent(address: string): Content {
  const name = address.slice(address.lastIndexOf('/') + 1).replaceAll('-', ' ');
  return {
    title: name.charAt(0).toUpperCase() + name.slice(1),
    paragraphs: [`All about ${name}: what it is, who may use it, and where to find it.`],
    failure: null,
  };
}
