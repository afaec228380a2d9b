import { now } from '../clock.ts';
import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type {
  Provider,
  ProviderContainer,
  ProviderResource,
  ProviderResources,
} from '../fini/provider-tree.ts';
import { type FiniDocument, type QueuedDocuments, queuedIds } from '../fini/schemas.ts';
import { bounded, PATH_SEPARATOR, searchKey, TITLE_LENGTH } from '../text.ts';
import { forEachAtOnce } from './concurrency.ts';
import { type Ingestion, IngestionError } from './ingest.ts';
import { isInFlight, stateOf } from './job-states.ts';
import { sourcePages } from './list.ts';
import { optionalRead } from './optional-read.ts';
import { nameKey, readProviderLink, siteOf } from './provider-links.ts';
import type { Report } from './source-report.ts';
import type { WaitOptions } from './wait.ts';

/** The items to import: everything that Fini lacks, the matches of a search, or named items. */
export type ImportChoice =
  | { readonly all: true }
  | { readonly search: string }
  /** The provider's own IDs, or the items' URLs. These may also name items that Fini has. */
  | { readonly externalIds: readonly string[] };

/** A name by which no item was found, and why, where that is known. */
export type NotFound = { readonly name: string } & (
  | { readonly why: 'unknown' | 'short_link' }
  /** A link of `site` with this ID, where the provider's items are of these `sites`. */
  | {
      readonly why: 'other_site';
      readonly site: string;
      readonly id: string;
      readonly sites: readonly string[];
    }
  | { readonly why: 'container'; readonly container: ProviderContainer }
);

/** The items that an import adds, and the sources that it continues with. */
export interface ImportPlan {
  /** Number of items at the provider that Fini lacks. */
  readonly listed: number;
  readonly toAdd: readonly ProviderResource[];
  /** Sources already in Fini: chosen by ID, or registered earlier and not ingested yet. */
  readonly known: readonly FiniDocument[];
  /** Chosen by ID, and neither listed by the provider nor found in Fini. */
  readonly notFound: readonly NotFound[];
  /** Why not all of Fini's sources were searched: an error, or the call's time was over; else null. */
  readonly searchEnded: FiniError | 'over' | null;
  /** Number of matching sources, of those read, that were already ingested; then the failed of them. */
  readonly ingestedBefore: number;
  readonly failedBefore: number;
  /** The first of these, for the message; failed ones come first. */
  readonly namedBefore: readonly FiniDocument[];
  /** Titles of other items, if no item matches. */
  readonly others: readonly string[];
  /** Number of items without an ID or a URL. */
  readonly unreadable: number;
  /** Items that share the ID of another one; those that the search would find come first. */
  readonly translations: readonly ProviderResource[];
}

/** The result of an import. Each item is in the report or `unregistered`, or `trouble` covers it. */
export interface ImportResult {
  /** The report; null if Fini registered nothing, or an error came first. */
  readonly report: Report | null;
  /** Items for which Fini returned no source ID. */
  readonly unregistered: readonly ProviderResource[];
  /** True if these items are a guess, since not every source shows its item. Their number is right. */
  readonly unregisteredIsGuess: boolean;
  /** Number of sources that Fini made of the items, or already had. */
  readonly registered: number;
  /** The error that ended the import early, or null. */
  readonly trouble: FiniError | IngestionError | null;
}

/** Time for looking at sources only to name the items that Fini did not register. */
const NAMING_MS = 5_000;
/** A request with less time than this is not worth sending. */
const SHORTEST_REQUEST_MS = 50;
/** Number of pages in a row without an unfinished source that ends the search for such. */
const PAGES_WITHOUT = 5;
/** Number of titles that help a person to search better. */
const OTHER_TITLES = 10;
/** Number of already ingested sources to name. */
const NAMED_BEFORE = 10;
/** An item, as far as a search looks at it. */
type SearchableItem = Pick<ProviderResource, 'title' | 'path' | 'originalUrl'>;

/** The title to show for an item: its URL if the title has nothing visible. */
export function shownTitle({ title, originalUrl }: Omit<SearchableItem, 'path'>): string {
  return bounded(title, TITLE_LENGTH) || bounded(originalUrl, TITLE_LENGTH) || 'untitled';
}

/** An item's path and title, outermost first. */
export function shownPath(item: SearchableItem): string {
  const parents = item.path.map((title) => bounded(title, TITLE_LENGTH));
  return [...parents, shownTitle(item)].join(PATH_SEPARATOR);
}

/**
 * Makes a function that checks if an item's title, or its path as shown, contains a text. A text with
 * nothing visible is contained in none.
 */
export function searchMatcher(search: string): (item: SearchableItem) => boolean {
  const wanted = searchKey(search);
  // A long title is shown cut off, and can be searched for in either form.
  return (item) =>
    wanted !== '' && [shownPath(item), item.title].some((text) => searchKey(text).includes(wanted));
}

/** The same for a source, which has no path. */
function sourceMatcher(search: string): (source: FiniDocument) => boolean {
  const matches = searchMatcher(search);
  const wanted = searchKey(search);
  return ({ title, originalUrl }) => {
    const item = { title: title ?? '', path: [], originalUrl: originalUrl ?? '' };
    const last = searchKey(`${PATH_SEPARATOR}${shownTitle(item)}`);
    return matches(item) || wanted.endsWith(last);
  };
}

/**
 * Plans an import. Registers and queues nothing.
 *
 * @param call Once the call's time is over, no further sources are searched.
 * @throws {FiniError}
 */
export async function planImport(
  fini: FiniClient,
  provider: Provider,
  choice: ImportChoice,
  call: Deadline,
): Promise<ImportPlan> {
  const tree = await fini.listProviderResources(provider, call);
  const { resources, unreadable, translations } = tree;
  let searchEnded: ImportPlan['searchEnded'] = null;
  const sources = sourcesOf(fini, provider, call, (reason) => {
    searchEnded = reason;
  });
  const plan =
    'externalIds' in choice
      ? await planNamed(provider, tree, sources, choice.externalIds)
      : await planMatching(resources, sources, choice);
  const all = { ...plan, listed: resources.length, unreadable, translations, searchEnded };
  if (!('search' in choice)) return all;
  const matches = searchMatcher(choice.search);
  const others = translations.filter((translation) => !matches(translation));
  return { ...all, translations: [...translations.filter(matches), ...others] };
}

type PlannedItems = Omit<ImportPlan, 'listed' | 'unreadable' | 'translations' | 'searchEnded'>;

/** Plans an import by ID: new items are added, and Fini's list is searched to its end for the others. */
async function planNamed(
  provider: Provider,
  { resources, containers }: ProviderResources,
  sources: AsyncIterable<readonly FiniDocument[]>,
  externalIds: readonly string[],
): Promise<PlannedItems> {
  // Several names may mean the same item.
  const wanted = new Map<string, string[]>();
  for (const id of externalIds) {
    for (const key of keysOfName(provider, id)) {
      const ids = wanted.get(key) ?? [];
      ids.push(id);
      wanted.set(key, ids);
    }
  }
  const missing = new Set(externalIds);
  const isWanted = (item: NamedItem & { id?: string }) => {
    const ids = keysOfItem(provider, item).flatMap((key) => wanted.get(key) ?? []);
    return ids.map((id) => missing.delete(id)).includes(true);
  };
  const toAdd = resources.filter(isWanted);
  const sites = new Set<string>();
  const noteSite = ({ originalUrl }: { readonly originalUrl: string | null }) =>
    sites.add(siteOf(provider, originalUrl));
  for (const node of [...resources, ...containers]) noteSite(node);
  sites.delete('');
  const explained = explainMissing(provider, containers, [...missing], sites);
  for (const { name } of explained) missing.delete(name);
  const known: FiniDocument[] = [];
  // Fini's list of a provider's items leaves out items that were imported successfully.
  if (missing.size > 0) {
    for await (const documents of sources) {
      known.push(...documents.filter(isWanted));
      for (const document of documents) noteSite(document);
      if (missing.size === 0) break;
    }
  }
  sites.delete('');
  const notFound = [
    ...explained,
    ...[...missing].map((name): NotFound => {
      const { site, id } = readProviderLink(provider, name) ?? { site: '', id: '' };
      const isOther = site !== '' && sites.size > 0 && !sites.has(site);
      return isOther
        ? { name, why: 'other_site', site, id, sites: [...sites] }
        : { name, why: 'unknown' };
    }),
  ];
  const before = { ingestedBefore: 0, failedBefore: 0, namedBefore: [] };
  return { toAdd, known, notFound, ...before, others: [] };
}

/** The names that no source can have: those of containers, and links without an ID. */
function explainMissing(
  provider: Provider,
  containers: readonly ProviderContainer[],
  names: readonly string[],
  sites: ReadonlySet<string>,
): NotFound[] {
  const byKey = new Map<string, ProviderContainer>();
  for (const container of containers) {
    for (const id of container.ids) byKey.set(nameKey(id), container);
    if (container.originalUrl !== null) byKey.set(nameKey(container.originalUrl), container);
  }
  return names.flatMap((name): NotFound[] => {
    const link = readProviderLink(provider, name);
    if (link?.kind === 'short') return [{ name, why: 'short_link' }];
    const isHere = link?.kind === 'container' && (sites.size === 0 || sites.has(link.site));
    const container = byKey.get(nameKey(name)) ?? (isHere ? byKey.get(link.id) : undefined);
    return container === undefined ? [] : [{ name, why: 'container', container }];
  });
}

/**
 * Plans an import of everything, or by a search: new items are added. The provider no longer lists the
 * items that an earlier call registered, so those not ingested yet are included too: repeating the
 * call continues where it stopped.
 */
async function planMatching(
  resources: readonly ProviderResource[],
  sources: AsyncIterable<readonly FiniDocument[]>,
  choice: Exclude<ImportChoice, { externalIds: unknown }>,
): Promise<PlannedItems> {
  const everything = () => true;
  const toAdd = resources.filter('all' in choice ? everything : searchMatcher(choice.search));
  const isWanted = 'all' in choice ? everything : sourceMatcher(choice.search);
  const listed = new Set(resources.map(({ externalId }) => externalId));
  const known: FiniDocument[] = [];
  let ingestedBefore = 0;
  let failedBefore = 0;
  const failed: FiniDocument[] = [];
  const ended: FiniDocument[] = [];
  let pagesWithout = 0;
  for await (const documents of sources) {
    const registered = documents.filter(({ externalId }) => !listed.has(externalId ?? ''));
    const matching = registered.filter(isWanted);
    const unended = matching.filter(hasNotEnded);
    known.push(...unended);
    ingestedBefore += matching.length - unended.length;
    for (const document of matching) {
      const hasFailed = stateOf(document) === 'failed';
      if (hasFailed) failedBefore += 1;
      const named = hasFailed ? failed : ended;
      if (!hasNotEnded(document) && named.length < NAMED_BEFORE) named.push(document);
    }
    // The newest changes come first, so running and recently registered sources are on the first pages.
    pagesWithout = documents.some(hasNotEnded) ? 0 : pagesWithout + 1;
    if (pagesWithout >= PAGES_WITHOUT) break;
  }
  const isNothing = toAdd.length + known.length === 0;
  const others = isNothing ? resources.slice(0, OTHER_TITLES).map(shownTitle) : [];
  return {
    toAdd,
    known,
    notFound: [],
    ingestedBefore,
    failedBefore,
    namedBefore: [...failed, ...ended].slice(0, NAMED_BEFORE),
    others,
  };
}

/** An item, or the source that was made of it. */
type NamedItem = Pick<FiniDocument, 'externalId' | 'originalUrl'>;

/** The keys of a name that was passed: as it is given, and the ID that a link to an item has. */
function keysOfName(provider: Provider, name: string): string[] {
  const link = readProviderLink(provider, name);
  return link?.kind === 'item' ? [nameKey(name), linkKey(link)] : [nameKey(name)];
}

/** The keys of an item, or of its source, whose own ID is what people copy from a report. */
function keysOfItem(
  provider: Provider,
  { id, externalId, originalUrl }: NamedItem & { id?: string },
): string[] {
  const keys = [id, externalId, originalUrl].flatMap((name) => (name ? [nameKey(name)] : []));
  const link = readProviderLink(provider, originalUrl ?? '');
  if (link?.kind === 'item') keys.push(linkKey(link));
  // Numbers are unique only within a site.
  const site = siteOf(provider, originalUrl);
  if (externalId) keys.push(linkKey({ site, id: nameKey(externalId) }));
  return keys;
}

function linkKey({ site, id }: { readonly site: string; readonly id: string }): string {
  return `${site} ${id}`;
}

function hasNotEnded(document: FiniDocument): boolean {
  return isInFlight(document) || document.linkedJobStatus === null;
}

/**
 * A provider's sources, page by page, newest change first, until the call's time is over.
 *
 * @param onEnd Told why it ended before the list did.
 */
async function* sourcesOf(
  fini: FiniClient,
  provider: Provider,
  call: Deadline,
  onEnd: (reason: FiniError | 'over') => void,
): AsyncGenerator<readonly FiniDocument[]> {
  const filters = { source: provider };
  try {
    for await (const { documents, hasMore } of sourcePages(fini, call, filters)) {
      // An API may ignore a filter that it does not know.
      yield documents.filter(({ source }) => source === provider);
      if (hasMore && isOver(call)) return onEnd('over');
    }
  } catch (error) {
    if (call.signal.aborted || !(error instanceof FiniError)) throw error;
    onEnd(isOver(call) ? 'over' : error);
  }
}

/** True if there is no time for another request. */
function isOver({ endsAt, signal }: Deadline): boolean {
  return !signal.aborted && now() > endsAt - SHORTEST_REQUEST_MS;
}

/**
 * Registers the new items, queues them with the known sources, and waits.
 *
 * @param options Their time covers registering and waiting together.
 * @throws the signal's reason when it is aborted; errors of Fini are in the result.
 */
export async function runImport(
  fini: FiniClient,
  ingestion: Ingestion,
  provider: Provider,
  { toAdd, known }: ImportPlan,
  english: boolean,
  options: WaitOptions,
): Promise<ImportResult> {
  const { deadline } = options;
  const { signal } = deadline;
  let answer: QueuedDocuments = { addedDocumentIds: [], updatedDocumentIds: [] };
  try {
    if (toAdd.length > 0) {
      answer = await fini.registerProviderResources(provider, toAdd, deadline);
    }
  } catch (error) {
    if (signal.aborted || !(error instanceof FiniError)) throw error;
    const unregistered = { unregistered: toAdd, unregisteredIsGuess: false };
    return { report: null, ...unregistered, registered: 0, trouble: error };
  }
  const ids = new Set(queuedIds(answer));
  const running = known.filter((document) => isInFlight(document) && !ids.has(document.id));
  const atRest = known.filter((document) => !isInFlight(document));
  const isNew = ({ linkedJobStatus }: FiniDocument) => linkedJobStatus === null;
  const added = new Set([
    ...answer.addedDocumentIds,
    ...atRest.filter(isNew).map((document) => document.id),
  ]);
  const refreshed = [...answer.updatedDocumentIds, ...atRest.map((document) => document.id)];
  const request = {
    source: provider,
    documentIdsToAdd: [...added],
    documentIdsToRefresh: [...new Set(refreshed)].filter((id) => !added.has(id)),
    english,
    baser: false,
  };
  let report: Report | null = null;
  let trouble: IngestionError | null = null;
  if (added.size + refreshed.length + running.length > 0) {
    try {
      report = await ingestion.ingestAndWait(request, options, running);
    } catch (error) {
      if (signal.aborted || !(error instanceof IngestionError) || error.isFault) throw error;
      trouble = error;
    }
  }
  try {
    const unregistered = await findUnregistered(
      fini,
      toAdd,
      ids,
      report,
      deadline.renewed(NAMING_MS),
    );
    return { report, ...unregistered, registered: ids.size, trouble };
  } catch (error) {
    // Sources that were queued must be named, whatever else fails.
    if (signal.aborted) throw error;
    const queued = (report?.sources ?? []).map((source) => source.id);
    const standing = trouble ?? { queued, joined: [], doubtful: [], notQueued: [] };
    const batch = report?.batch ?? null;
    const queuedAfter = report?.queuedAfter ?? null;
    throw new IngestionError(standing, { queuedAfter, request, batch }, error);
  }
}

/** Finds the items that Fini did not register: its answer does not name them, but the records do. */
async function findUnregistered(
  fini: FiniClient,
  toAdd: readonly ProviderResource[],
  registeredIds: ReadonlySet<string>,
  report: Report | null,
  deadline: Deadline,
): Promise<Pick<ImportResult, 'unregistered' | 'unregisteredIsGuess'>> {
  const missing = toAdd.length - registeredIds.size;
  if (missing <= 0) return { unregistered: [], unregisteredIsGuess: false };
  if (registeredIds.size === 0) return { unregistered: toAdd, unregisteredIsGuess: false };
  const records = (report?.sources ?? []).flatMap(({ document }) => document ?? []);
  const seen = new Set(records.filter(namesItsItem).map(({ id }) => id));
  // These are registered, but not queued, or not shown yet.
  const unseen = [...registeredIds].filter((id) => !seen.has(id));
  await forEachAtOnce(unseen, async (id) => {
    // The names are optional; the result is complete without them.
    const record = await optionalRead(fini.getSource(id, deadline), deadline);
    if (!(record instanceof FiniError)) records.push(record);
  });
  const names = new Set(
    records.flatMap(({ externalId, originalUrl }) => [externalId, originalUrl]),
  );
  const unnamed = toAdd.filter(
    ({ externalId, originalUrl }) => !names.has(externalId) && !names.has(originalUrl),
  );
  // A record with neither the ID nor the URL belongs to one of them.
  return { unregistered: unnamed.slice(-missing), unregisteredIsGuess: unnamed.length > missing };
}

function namesItsItem({ externalId, originalUrl }: NamedItem): boolean {
  return Boolean(externalId) || Boolean(originalUrl);
}
