import type { FiniClient } from '../fini/client.ts';
import { type FiniDocument, type QueuedDocuments, queuedIds } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import type { Provider, ProviderResource } from '../fini/provider-tree.ts';
import { type Ingestion, IngestionError, type WaitOptions } from './ingestion.ts';
import { forEachAtOnce } from './promises.ts';
import type { Report } from './report.ts';

/** Which of a provider's items are wanted: all that Fini has not, those that match, or just these. */
export type Choice =
  | { readonly all: true }
  | { readonly search: string }
  /** The provider's own IDs; also of items that Fini has. */
  | { readonly externalIds: readonly string[] };

/** What an import adds and refreshes. */
export interface ImportPlan {
  /** How many items the provider has that Fini has not. */
  readonly listed: number;
  readonly toAdd: readonly ProviderResource[];
  /** Chosen by ID, and in Fini already. */
  readonly toRefresh: readonly FiniDocument[];
  /** Chosen by ID, and neither listed by the provider nor in Fini. */
  readonly notFound: readonly string[];
  /** How many items had no ID or no URL. */
  readonly unreadable: number;
}

/** What became of an import. */
export interface ImportResult {
  /** Null where Fini registered nothing. */
  readonly report: Report | null;
  /** Items for which Fini gave no source ID. */
  readonly unregistered: readonly ProviderResource[];
  /** Why nobody knows whether Fini registered anything, or null. */
  readonly doubt: FiniError | null;
}

/** What is left of a wait whose time went into registering. */
const SHORTEST_WAIT_SECONDS = 1;
/** Fini's own default: the largest page that it gives is not documented. */
const PAGE = 50;
/** Bounds the search for sources that Fini has; newer ones come first. */
const MAXIMUM_PAGES = 100;

/** Whether an item's title, or that of something it is nested in, contains a text, in any case. */
export function matchesSearch({ title, path }: ProviderResource, search: string): boolean {
  const wanted = search.toLowerCase();
  return [...path, title].some((text) => text.toLowerCase().includes(wanted));
}

/**
 * Finds out what an import has to do. Registers and queues nothing.
 *
 * @throws {FiniError}
 */
export async function planImport(
  fini: FiniClient,
  provider: Provider,
  choice: Choice,
  signal: AbortSignal,
): Promise<ImportPlan> {
  const { resources, unreadable } = await fini.listProviderResources(provider, { signal });
  const listed = resources.length;
  if (!('externalIds' in choice)) {
    const toAdd =
      'search' in choice
        ? resources.filter((resource) => matchesSearch(resource, choice.search))
        : resources;
    return { listed, toAdd, toRefresh: [], notFound: [], unreadable };
  }
  const wanted = new Set(choice.externalIds);
  const toAdd = resources.filter(({ externalId }) => wanted.delete(externalId));
  // Discovery leaves out what has been imported (fini-api.md, the table of routes).
  const toRefresh = await findKnown(fini, provider, wanted, signal);
  return { listed, toAdd, toRefresh, notFound: [...wanted], unreadable };
}

/** The sources of these items; each that is found is taken out of `wanted`. */
async function findKnown(
  fini: FiniClient,
  provider: Provider,
  wanted: Set<string>,
  signal: AbortSignal,
): Promise<FiniDocument[]> {
  const found: FiniDocument[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MAXIMUM_PAGES && wanted.size > 0; page += 1) {
    const direction = cursor === undefined ? undefined : ('next' as const);
    const request = { limit: PAGE, source: provider, cursor, direction };
    const { documents, hasMore } = await fini.listSources(request, { signal });
    for (const document of documents) {
      // An API may ignore a filter that it does not know.
      if (document.source !== provider || document.externalId === null) continue;
      if (wanted.delete(document.externalId)) found.push(document);
    }
    const next = documents.at(-1)?.id;
    if (!hasMore || next === undefined || next === cursor) break;
    cursor = next;
  }
  return found;
}

/**
 * Registers what is new, queues it with what is to be refreshed, and waits.
 *
 * @param options Their time is for registering and waiting together.
 * @throws {FiniError} where nothing was registered; {@link IngestionError} after that.
 */
export async function runImport(
  fini: FiniClient,
  ingestion: Ingestion,
  provider: Provider,
  plan: ImportPlan,
  english: boolean,
  options: WaitOptions,
): Promise<ImportResult> {
  const { toAdd, toRefresh } = plan;
  const startedAt = performance.now();
  let registered: QueuedDocuments = { addedDocumentIds: [], updatedDocumentIds: [] };
  try {
    if (toAdd.length > 0) {
      registered = await fini.registerProviderResources(provider, toAdd, options);
    }
  } catch (error) {
    const isDoubtful = error instanceof FiniError && !error.surelyNotCarriedOut;
    if (options.signal.aborted || !isDoubtful) throw error;
    return { report: null, unregistered: toAdd, doubt: error };
  }
  const documentIdsToAdd = [...new Set(registered.addedDocumentIds)];
  const known = [...registered.updatedDocumentIds, ...toRefresh.map(({ id }) => id)];
  const documentIdsToRefresh = [...new Set(known)].filter((id) => !documentIdsToAdd.includes(id));
  if (documentIdsToAdd.length + documentIdsToRefresh.length === 0) {
    return { report: null, unregistered: toAdd, doubt: null };
  }
  const request = {
    source: provider,
    documentIdsToAdd,
    documentIdsToRefresh,
    english,
    baser: false,
  };
  const left = options.timeoutSeconds - (performance.now() - startedAt) / 1000;
  const wait = { ...options, timeoutSeconds: Math.max(SHORTEST_WAIT_SECONDS, left) };
  try {
    const report = await ingestion.ingestAndWait(request, wait);
    const ids = new Set(queuedIds(registered));
    const unregistered = await findUnregistered(fini, toAdd, ids, report, options.signal);
    return { report, unregistered, doubt: null };
  } catch (error) {
    if (!(error instanceof IngestionError) || error.stage !== 'not_queued') throw error;
    const resume = { source: provider, english };
    throw new IngestionError('registered', error.items, error.joined, error.cause, resume);
  }
}

/** Fini may register fewer than it was given, and does not say which: only the records do. */
async function findUnregistered(
  fini: FiniClient,
  toAdd: readonly ProviderResource[],
  registeredIds: ReadonlySet<string>,
  { sources }: Report,
  signal: AbortSignal,
): Promise<ProviderResource[]> {
  const missing = toAdd.length - registeredIds.size;
  if (missing <= 0) return [];
  const documents = sources.flatMap(({ document }) => document ?? []).filter(isNamed);
  const seen = new Set(documents.map(({ id }) => id));
  // Registered, but not queued or not looked at yet.
  const unseen = [...registeredIds].filter((id) => !seen.has(id));
  await forEachAtOnce(unseen, async (id) => {
    try {
      documents.push(await fini.getSource(id, { signal }));
    } catch (error) {
      // It is only for naming; the report stands without.
      if (signal.aborted || !(error instanceof FiniError)) throw error;
    }
  });
  const unnamed = toAdd.filter(
    ({ externalId, originalUrl }) =>
      !documents.some(
        (document) => document.externalId === externalId || document.originalUrl === originalUrl,
      ),
  );
  // A record that shows neither its ID nor its URL stands for one of them.
  return unnamed.slice(-missing);
}

function isNamed({ externalId, originalUrl }: FiniDocument): boolean {
  return Boolean(externalId) || Boolean(originalUrl);
}
