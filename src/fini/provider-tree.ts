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

/** A node that only holds items: a category, a section, a space, or a page that cannot be registered. */
export interface ProviderContainer {
  /** The provider's own IDs of it: a space has a key too. */
  readonly ids: readonly string[];
  readonly originalUrl: string | null;
  readonly title: string;
  /** Its kind, for a person: `category`, `section`, `space`, `folder`, `container`. */
  readonly kind: string;
  /** The items in it and below, by `externalId`. */
  readonly items: readonly string[];
}

/** A provider's tree, flattened. */
export interface ProviderResources {
  readonly resources: readonly ProviderResource[];
  readonly containers: readonly ProviderContainer[];
  /** Other pages under the ID of a resource, as translations are: only one can be registered. */
  readonly translations: readonly ProviderResource[];
  /** The number of nodes that lacked an ID or a URL and had to be left out. */
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
const ID_NAMES = ['externalId', 'id', 'key'];
const URL_NAMES = ['originalUrl', 'url', 'html_url', 'webUrl', 'link'];
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
  const translations = new Map<string, ProviderResource>();
  const containers: (Omit<ProviderContainer, 'items'> & { from: number; to: number })[] = [];
  let unreadable = 0;

  const visit = (value: unknown, path: readonly string[]): void => {
    const parsed = node.safeParse(value);
    if (!parsed.success || path.length > MAXIMUM_PROVIDER_DEPTH) {
      unreadable += 1;
      return;
    }
    const children = childrenOf(parsed.data);
    const title = firstText(parsed.data, ['title', 'name', 'key']);
    const onlyHolds = isContainer(provider, parsed.data, path.length, children !== null);
    const resource = onlyHolds ? null : readLeaf(parsed.data, title, path);
    const from = resources.size;
    if (resource !== null) {
      const first = resources.get(resource.externalId);
      if (first === undefined) resources.set(resource.externalId, resource);
      else if (first.originalUrl !== resource.originalUrl) {
        translations.set(resource.originalUrl, resource);
      }
    } else if (!onlyHolds) unreadable += 1;
    const childPath = [...path, title ?? 'untitled'];
    for (const child of children ?? []) visit(child, childPath);
    if (resource === null && (onlyHolds || children !== null)) {
      const kind = kindOf(provider, parsed.data, path.length);
      containers.push({ ...readContainer(parsed.data, title, kind), from, to: resources.size });
    }
  };

  const roots = Array.isArray(answer) ? answer : childrenOf(node.catch({}).parse(answer));
  // An unknown shape must not pass for a provider without content.
  if (roots === null) unreadable += 1;
  for (const root of roots ?? []) visit(root, []);
  const ids = [...resources.keys()];
  return {
    resources: [...resources.values()],
    containers: containers.map(({ from, to, ...container }) => ({
      ...container,
      items: ids.slice(from, to),
    })),
    translations: [...translations.values()],
    unreadable,
  };
}

function readLeaf(
  fields: Node,
  title: string | null,
  path: readonly string[],
): ProviderResource | null {
  const externalId = firstText(fields, ID_NAMES);
  const url = firstText(fields, URL_NAMES);
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

/** A container's kind, for a person. */
function kindOf(provider: Provider, { object }: Node, depth: number): string {
  if (typeof object === 'string' && CONTAINERS.has(object.toLowerCase())) {
    return object.toLowerCase();
  }
  return provider === 'confluence' && depth === 0 ? 'space' : 'container';
}

function readContainer(
  fields: Node,
  title: string | null,
  kind: string,
): Omit<ProviderContainer, 'items'> {
  const ids = ID_NAMES.flatMap((name) => firstText(fields, [name]) ?? []);
  return { ids, originalUrl: firstText(fields, URL_NAMES), title: title ?? 'untitled', kind };
}

/** All the lists of a node in one; null if it holds none, not even an empty one. */
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
