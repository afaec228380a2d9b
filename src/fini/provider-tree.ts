import * as z from 'zod';
import { bounded, seenUrl, URL_LENGTH } from '../text.ts';

/** The providers whose content can be listed and registered. */
export const PROVIDERS = ['notion', 'zendesk', 'confluence'] as const;

/** A provider whose content can be listed and registered. */
export type Provider = (typeof PROVIDERS)[number];

/** A page, article or database of a provider, ready to be registered. */
export interface ProviderResource {
  /** The provider's own ID, not a source ID. */
  readonly externalId: string;
  readonly title: string;
  readonly originalUrl: string;
  readonly mimeType: string;
  /** The kind in the provider's words: `page`, `database`, `article`. */
  readonly object?: string | undefined;
  /** The titles of the nodes around it, outermost first. */
  readonly path: readonly string[];
}

/** A provider's tree, flattened. */
export interface ProviderResources {
  readonly resources: readonly ProviderResource[];
  /** Number of nodes left out because they lacked an ID or a URL. */
  readonly unreadable: number;
}

/** The MIME type of articles and Confluence pages, which lack the one that registering requires. */
const DEFAULT_MIME_TYPE = 'text/html';
/** Maximum depth, far deeper than any help centre; a deeper tree is broken. */
const MAXIMUM_PROVIDER_DEPTH = 64;
/** Maximum length of an ID in characters; longer than any provider's. */
const ID_LENGTH = 200;
const PROVIDER_LISTS = [
  'children',
  'pages',
  'sections',
  'articles',
  'categories',
  'spaces',
  'resources',
  'data',
];
const CONTAINERS = new Set(['category', 'section', 'space', 'folder']);

const node = z.record(z.string(), z.unknown());
type Node = z.infer<typeof node>;

/**
 * Flattens a provider's tree: containers become `path`, leaves become resources, and a page with
 * pages below it is both. The field names of Zendesk and Confluence are not documented, so each is
 * looked for under every name that it may have.
 */
export function flattenProviderTree(provider: Provider, answer: unknown): ProviderResources {
  const resources = new Map<string, ProviderResource>();
  let unreadable = 0;

  const visit = (value: unknown, path: readonly string[]): void => {
    const parsed = node.safeParse(value);
    if (!parsed.success || path.length > MAXIMUM_PROVIDER_DEPTH) {
      unreadable += 1;
      return;
    }
    const children = childrenOf(parsed.data);
    const title = firstText(parsed.data, ['title', 'name', 'key']);
    if (!isContainer(provider, parsed.data, path.length, children !== null)) {
      const resource = readLeaf(parsed.data, title, path);
      if (resource === null) unreadable += 1;
      else if (!resources.has(resource.externalId)) resources.set(resource.externalId, resource);
    }
    const childPath = [...path, title ?? 'untitled'];
    for (const child of children ?? []) visit(child, childPath);
  };

  const roots = Array.isArray(answer) ? answer : childrenOf(node.catch({}).parse(answer));
  // An unknown shape must not pass for a provider without content.
  if (roots === null) unreadable += 1;
  for (const root of roots ?? []) visit(root, []);
  return { resources: [...resources.values()], unreadable };
}

function readLeaf(
  fields: Node,
  title: string | null,
  path: readonly string[],
): ProviderResource | null {
  const externalId = firstText(fields, ['externalId', 'id', 'key']);
  const url = firstText(fields, ['originalUrl', 'url', 'html_url', 'webUrl', 'link']);
  if (externalId === null || url === null) return null;
  // Registering needs the exact ID, so an ID that cannot be shown exactly is unusable.
  if (externalId !== bounded(externalId, ID_LENGTH)) return null;
  const originalUrl = seenUrl(url);
  if (originalUrl.length > URL_LENGTH) return null;
  return {
    externalId,
    title: title ?? originalUrl,
    originalUrl,
    mimeType: firstText(fields, ['mimeType']) ?? DEFAULT_MIME_TYPE,
    object: firstText(fields, ['object', 'type']) ?? undefined,
    path,
  };
}

function isContainer(provider: Provider, fields: Node, depth: number, hasList: boolean): boolean {
  const object = fields.object;
  if (typeof object === 'string') return CONTAINERS.has(object.toLowerCase());
  if (provider === 'zendesk') return hasList;
  return provider === 'confluence' && depth === 0 && (hasList || 'key' in fields);
}

/** All lists of a node as one; null if it has none, not even an empty one. */
function childrenOf(fields: Node): unknown[] | null {
  const lists = PROVIDER_LISTS.map((name) => fields[name]).filter((list) => Array.isArray(list));
  return lists.length === 0 ? null : lists.flat();
}

/** The text of the first of these fields that has one. Numbers count, since IDs may be numbers. */
function firstText(fields: Node, names: readonly string[]): string | null {
  for (const name of names) {
    const value = fields[name];
    if (typeof value === 'string' && value !== '') return value;
    // A larger number has lost digits on its way through JSON.
    if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  }
  return null;
}
