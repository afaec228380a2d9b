import { now } from '../clock.ts';
import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { Provider, ProviderResource } from '../fini/provider-tree.ts';
import { type FiniDocument, type QueuedDocuments, queuedIds } from '../fini/schemas.ts';
import { bounded, PATH_SEPARATOR, parsedUrl, searchKey, TITLE_LENGTH } from '../text.ts';
import { forEachAtOnce } from './concurrency.ts';
import { inputKey } from './identity.ts';
import { type Ingestion, IngestionError } from './ingest.ts';
import { isInFlight, stateOf } from './job-states.ts';
import { pagesOf } from './list.ts';
import type { Report } from './source-report.ts';
import type { WaitOptions } from './wait.ts';

/** The provider's items that are wanted: all that Fini has not, those that match, or just these. */
export type Choice =
  | { readonly all: true }
  | { readonly search: string }
  /** The provider's own IDs, or the items' URLs; also of items that Fini has. */
  | { readonly externalIds: readonly string[] };

/** The items that an import adds, and the sources that it continues with. */
export interface ImportPlan {
  /** How many items the provider has that Fini has not. */
  readonly listed: number;
  readonly toAdd: readonly ProviderResource[];
  /** In Fini already: chosen by ID, or registered before and not ingested to an end. */
  readonly known: readonly FiniDocument[];
  /** Chosen by ID, and neither listed by the provider nor found in Fini. */
  readonly notFound: readonly string[];
  /** Why not all of Fini's sources were searched: an error, or because the time was over; else null. */
  readonly searchEnded: FiniError | 'over' | null;
  /** Matching sources, of those looked at, that have been ingested, and those of them that failed. */
  readonly ingestedBefore: number;
  readonly failedBefore: number;
  /** The first of these, for naming them: those that failed come first. */
  readonly namedBefore: readonly FiniDocument[];
  /** Titles of items that were not chosen, where none was. */
  readonly others: readonly string[];
  /** How many items had no ID or no URL. */
  readonly unreadable: number;
}

/** The result of an import. Every item is in the report or in `unregistered`, or `trouble` has it. */
export interface ImportResult {
  /** Null where Fini registered nothing, or where trouble came before its end. */
  readonly report: Report | null;
  /** Items for which Fini gave no source ID. */
  readonly unregistered: readonly ProviderResource[];
  /** Which items these are is a guess, since not every source shows its item. Their number is right. */
  readonly unregisteredIsGuess: boolean;
  /** How many sources Fini made, or knew, of the items. */
  readonly registered: number;
  /** The error that kept the import from its end, or null. */
  readonly trouble: FiniError | IngestionError | null;
}

/** How long sources are looked at just for naming what Fini did not register. */
const NAMING_MS = 5_000;
/** A request that has less time than this is not worth sending. */
const SHORTEST_REQUEST_MS = 50;
/** How many pages of sources in a row without one that goes on end the search for such. */
const PAGES_WITHOUT = 5;
/** How many titles help a person to search better. */
const OTHER_TITLES = 10;
/** How many sources that have been ingested are named. */
const NAMED_BEFORE = 10;
const UUID_OR_ITS_DIGITS = /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i;

/** The ID at the end of a Notion page's path. */
const NOTION_PAGE = /[0-9a-f]{32}$|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** The number of a Zendesk article or a Confluence page, with or without its title after it. */
const ARTICLE_NUMBER = /\/(?:articles|pages)\/(\d+)(?:[-/]|$)/;

/** An item, as far as a search looks at it. */
type Searched = Pick<ProviderResource, 'title' | 'path' | 'originalUrl'>;

/** The title under which an item is shown: its URL where it has none that anybody could see. */
export function shownTitle({ title, originalUrl }: Omit<Searched, 'path'>): string {
  return bounded(title, TITLE_LENGTH) || bounded(originalUrl, TITLE_LENGTH) || 'untitled';
}

/** An item's title with those of what it is nested in before it, outermost first. */
export function shownPath(item: Searched): string {
  const parents = item.path.map((title) => bounded(title, TITLE_LENGTH));
  return [...parents, shownTitle(item)].join(PATH_SEPARATOR);
}

/**
 * Makes a check whether an item's title, or the path to it as it is shown, contains a text. A text
 * in which there is nothing to see is contained in none.
 */
export function searchMatcher(search: string): (item: Searched) => boolean {
  const wanted = searchKey(search);
  // A long title is shown cut, and can be searched for either way.
  return (item) =>
    wanted !== '' && [shownPath(item), item.title].some((text) => searchKey(text).includes(wanted));
}

/** The same for a source, which does not say where it stands at the provider. */
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
 * Finds out what an import has to do. Registers and queues nothing.
 *
 * @param call Once the call's time is over, no further sources are searched.
 * @throws {FiniError}
 */
export async function planImport(
  fini: FiniClient,
  provider: Provider,
  choice: Choice,
  call: Deadline,
): Promise<ImportPlan> {
  const { resources, unreadable } = await fini.listProviderResources(provider, call);
  let searchEnded: ImportPlan['searchEnded'] = null;
  const sources = sourcesOf(fini, provider, call, (reason) => {
    searchEnded = reason;
  });
  const plan =
    'externalIds' in choice
      ? await planNamed(resources, sources, choice.externalIds)
      : await planMatching(resources, sources, choice);
  return { ...plan, listed: resources.length, unreadable, searchEnded };
}

type Plan = Omit<ImportPlan, 'listed' | 'unreadable' | 'searchEnded'>;

/** By ID: new items are added, and what Fini has is searched for to the end of its list. */
async function planNamed(
  resources: readonly ProviderResource[],
  sources: AsyncIterable<readonly FiniDocument[]>,
  externalIds: readonly string[],
): Promise<Plan> {
  // One item may be wanted by several names.
  const wanted = new Map<string, string[]>();
  for (const id of externalIds) {
    for (const key of nameKeys(id)) {
      const ids = wanted.get(key) ?? [];
      ids.push(id);
      wanted.set(key, ids);
    }
  }
  const missing = new Set(externalIds);
  // A source's own ID is what people copy from a report.
  const isWanted = ({ id, externalId, originalUrl }: Named & { id?: string }) => {
    const names = [id, externalId, originalUrl].flatMap((name) => (name ? nameKeys(name) : []));
    const ids = names.flatMap((name) => wanted.get(name) ?? []);
    return ids.map((id) => missing.delete(id)).includes(true);
  };
  const toAdd = resources.filter(isWanted);
  const known: FiniDocument[] = [];
  // Fini's list of a provider's items leaves out items that were imported successfully.
  if (missing.size > 0) {
    for await (const documents of sources) {
      known.push(...documents.filter(isWanted));
      if (missing.size === 0) break;
    }
  }
  const notFound = [...missing];
  const before = { ingestedBefore: 0, failedBefore: 0, namedBefore: [] };
  return { toAdd, known, notFound, ...before, others: [] };
}

/**
 * All, or by a search: new items are added. What a call before has registered is not listed any
 * more, so that of it which has not been ingested to an end is taken too: the same call made again
 * goes on from there.
 */
async function planMatching(
  resources: readonly ProviderResource[],
  sources: AsyncIterable<readonly FiniDocument[]>,
  choice: Exclude<Choice, { externalIds: unknown }>,
): Promise<Plan> {
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
    // Newest change first: what is under way, or was registered lately, stands on the first pages.
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
type Named = Pick<FiniDocument, 'externalId' | 'originalUrl'>;

/** The names by which an item is known: as it is given, and the ID in a link to it. */
function nameKeys(name: string): string[] {
  const id = linkedId(name);
  return id === null ? [nameKey(name)] : [nameKey(name), id];
}

/** The same for every form in which people copy an ID: Notion's addresses have it without dashes. */
function nameKey(name: string): string {
  return UUID_OR_ITS_DIGITS.test(name) ? name.replaceAll('-', '').toLowerCase() : inputKey(name);
}

/** The ID in a link that was copied from Notion, Zendesk or Confluence, whatever its query; or null. */
function linkedId(link: string): string | null {
  const url = /^https?:/i.test(link) ? parsedUrl(link) : null;
  if (url === null) return null;
  const { hostname, pathname, searchParams } = url;
  if (/(^|\.)notion\.(so|site|com)$/.test(hostname)) {
    // A page that is open beside another one is in the query.
    const page = /^[0-9a-f]{32}$/i.exec(searchParams.get('p') ?? '') ?? NOTION_PAGE.exec(pathname);
    return page === null ? null : nameKey(page[0]);
  }
  const number = ARTICLE_NUMBER.exec(pathname)?.[1];
  return number ?? /^\d+$/.exec(searchParams.get('pageId') ?? '')?.[0] ?? null;
}

function hasNotEnded(document: FiniDocument): boolean {
  return isInFlight(document) || document.linkedJobStatus === null;
}

/**
 * A provider's sources, page by page, newest change first, as far as Fini gives them in the call's time.
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
    for await (const { documents, hasMore } of pagesOf(fini, call, filters)) {
      // An API may ignore a filter that it does not know.
      yield documents.filter(({ source }) => source === provider);
      if (hasMore && isOver(call)) return onEnd('over');
    }
  } catch (error) {
    if (call.signal.aborted || !(error instanceof FiniError)) throw error;
    onEnd(isOver(call) ? 'over' : error);
  }
}

/** Tells whether there is no time for a further request. */
function isOver({ endsAt, signal }: Deadline): boolean {
  return !signal.aborted && now() > endsAt - SHORTEST_REQUEST_MS;
}

/**
 * Registers what is new, queues it with what Fini has, and waits.
 *
 * @param options Their time is for registering and waiting together.
 * @throws the signal's reason when it is aborted; what goes wrong at Fini is in the result.
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
    const standing = trouble ?? { queued, joined: [], doubtful: [], left: [] };
    const batch = report?.batch ?? null;
    const queuedAfter = report?.queuedAfter ?? null;
    throw new IngestionError(standing, { queuedAfter, request, batch }, error);
  }
}

/** Fini may register fewer than it was given, and does not say which: only the records do. */
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
  const seen = new Set(records.filter(isNamed).map(({ id }) => id));
  // Registered, but not queued or not looked at yet.
  const unseen = [...registeredIds].filter((id) => !seen.has(id));
  await forEachAtOnce(unseen, async (id) => {
    try {
      records.push(await fini.getSource(id, deadline));
    } catch (error) {
      // It is only for naming; the result stands without.
      if (deadline.signal.aborted || !(error instanceof FiniError)) throw error;
    }
  });
  const names = new Set(
    records.flatMap(({ externalId, originalUrl }) => [externalId, originalUrl]),
  );
  const unnamed = toAdd.filter(
    ({ externalId, originalUrl }) => !names.has(externalId) && !names.has(originalUrl),
  );
  // A record that shows neither its ID nor its URL stands for one of them.
  return { unregistered: unnamed.slice(-missing), unregisteredIsGuess: unnamed.length > missing };
}

function isNamed({ externalId, originalUrl }: Named): boolean {
  return Boolean(externalId) || Boolean(originalUrl);
}
