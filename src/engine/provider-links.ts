import type { Provider } from '../fini/provider-tree.ts';
import { parsedUrl } from '../text.ts';
import { bareHost, inputKey } from './identity.ts';

/* Names that people copy from a provider: IDs in several forms, links to items and links to containers. */

/** A link to a provider, as far as it says what it leads to. */
export interface ProviderLink {
  /** An item's link, that of a container (a section, a category, a space), or one without an ID. */
  readonly kind: 'item' | 'container' | 'short';
  /** The ID in the link, in the form of {@link nameKey}; empty for a short link. */
  readonly id: string;
  /** The host whose IDs these are; empty for Notion, whose IDs are unique everywhere. */
  readonly site: string;
}

const UUID_OR_ITS_DIGITS = /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i;
/** The ID at the end of a Notion page's path. */
const NOTION_PAGE = /[0-9a-f]{32}$|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const ZENDESK_ARTICLE = /\/articles\/(\d+)(?:[-/]|$)/;
const ZENDESK_CONTAINER = /\/(?:sections|categories)\/(\d+)(?:[-/]|$)/;
/** The number of a page or a blog post, also in a link that was copied while it was edited. */
const CONFLUENCE_PAGE =
  /\/(?:pages(?:\/edit|\/edit-v2)?|blog\/\d+\/\d+\/\d+|blog\/edit-v2)\/(\d+)(?:[-/]|$)/;
const CONFLUENCE_SPACE = /\/(?:spaces|display)\/([^/]+)(?:\/(?:overview|pages))?\/?$/;
const CONFLUENCE_SHORT = /\/x\/[\w-]+\/?$/;

/** The same for every form in which people copy an ID: Notion's addresses have it without dashes. */
export function nameKey(name: string): string {
  return UUID_OR_ITS_DIGITS.test(name) ? name.replaceAll('-', '').toLowerCase() : inputKey(name);
}

/** The host whose IDs a provider's URL has; empty where hosts make no difference, or it is no URL. */
export function siteOf(provider: Provider, url: string | null): string {
  if (provider === 'notion') return '';
  return bareHost(parsedUrl(url ?? '')?.hostname ?? '');
}

/** Reads a link that was copied from a provider, whatever its query; null if it is none. */
export function readProviderLink(provider: Provider, text: string): ProviderLink | null {
  const url = /^https?:/i.test(text) ? parsedUrl(inputKey(text)) : null;
  if (url === null) return null;
  const { hostname, pathname, searchParams } = url;
  const site = siteOf(provider, url.href);
  const link = (kind: ProviderLink['kind'], id: string | undefined): ProviderLink | null =>
    id === undefined ? null : { kind, id: nameKey(id), site };
  switch (provider) {
    case 'notion': {
      if (!/(^|\.)notion\.(so|site|com)$/.test(hostname)) return null;
      // A page that is open beside another one is in the query.
      const beside = /^[0-9a-f]{32}$/i.exec(searchParams.get('p') ?? '');
      return link('item', (beside ?? NOTION_PAGE.exec(pathname))?.[0]);
    }
    case 'zendesk':
      return (
        link('item', ZENDESK_ARTICLE.exec(pathname)?.[1]) ??
        link('container', ZENDESK_CONTAINER.exec(pathname)?.[1])
      );
    case 'confluence': {
      const asked = searchParams.get('pageId') ?? searchParams.get('draftId') ?? '';
      return (
        link('item', CONFLUENCE_PAGE.exec(pathname)?.[1] ?? /^\d+$/.exec(asked)?.[0]) ??
        link('container', CONFLUENCE_SPACE.exec(pathname)?.[1]) ??
        link('short', CONFLUENCE_SHORT.test(pathname) ? '' : undefined)
      );
    }
  }
}
