import { now } from '../clock.ts';
import type { FiniClient, SourceFilters } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import { bounded, searchKey, URL_LENGTH } from '../text.ts';
import { withoutText } from './freshness.ts';
import { isInFlight, stateOf, timeOf } from './job-states.ts';

/** Number of sources to request per page; the API may return fewer. */
export const LARGE_PAGE = 100;

/** A page of the list, with the times of its newest and oldest change in milliseconds since 1970. */
export interface ChangePage {
  readonly documents: readonly FiniDocument[];
  /** Null if no record has a time of change. */
  readonly newestChange: number | null;
  /** Null if no record has a time of change. */
  readonly oldestChange: number | null;
  readonly hasMore: boolean;
  /** Number of sources that the page could hold. */
  readonly limit: number;
}

/**
 * Reads a workspace's sources page by page, newest change first. Ends with the list, and also if paging
 * goes in circles, with a page that has no new source.
 *
 * @throws {FiniError}
 */
export async function* sourcePages(
  fini: FiniClient,
  deadline: Partial<Deadline>,
  filters: SourceFilters = {},
  limit = LARGE_PAGE,
): AsyncGenerator<ChangePage> {
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (;;) {
    const direction = cursor === undefined ? undefined : ('next' as const);
    const page = await fini.listSources({ ...filters, limit, cursor, direction }, deadline);
    if (page.documents.length === 0 && page.unreadable > 0) {
      throw new FiniError('The list contains no source that can be read.', {
        operation: 'list sources',
        failure: 'unreadable',
      });
    }
    if (page.documents.every(({ id }) => seen.has(id))) return;
    for (const { id } of page.documents) seen.add(id);
    const changes = page.documents.flatMap(({ updatedAt }) => timeOf(updatedAt) ?? []);
    yield {
      documents: page.documents,
      newestChange: changes.length === 0 ? null : Math.max(...changes),
      oldestChange: changes.length === 0 ? null : Math.min(...changes),
      hasMore: page.hasMore,
      limit: page.limit,
    };
    if (!page.hasMore) return;
    cursor = page.documents.at(-1)?.id;
  }
}

/** Maximum number of pages that one call reads. */
const MAXIMUM_REQUESTS = 10;

/** Statuses to narrow a list to; Fini has no filter for them. */
export const SOURCE_STATUSES = ['completed', 'failed', 'running', 'never_ingested'] as const;

/** The status of a source's latest job in a list. */
export type SourceStatus = (typeof SOURCE_STATUSES)[number];

/** A query of the list: the wanted sources, and the place to begin. */
export interface SourceQuery {
  readonly filters: SourceFilters;
  readonly status?: SourceStatus | undefined;
  /** Only these sources; Fini has no filter for IDs either. */
  readonly ids?: readonly string[] | undefined;
  /** The place where the previous call stopped. */
  readonly cursor?: string | undefined;
  /** With a cursor: `next` (the default) reads older changes, `previous` newer ones. */
  readonly direction?: 'next' | 'previous' | undefined;
}

/** The part of the list that was read. */
export interface SourceList {
  /** Matching sources, newest change first, without their text. */
  readonly documents: readonly FiniDocument[];
  /** Number of sources that were read, matching or not. */
  readonly read: number;
  /** True if every source that was read matches. */
  readonly allMatched: boolean;
  /** Number of records left out because they had no ID. */
  readonly unreadable: number;
  /** True if some sources were not read, or match but did not fit. */
  readonly hasMore: boolean;
  /** The cursor of the next sources; undefined if there are none, or none can be reached. */
  readonly nextCursor: string | undefined;
  /** True if reading ended before `limit` sources were found, although there are more. */
  readonly stoppedEarly: boolean;
  /** The error that kept a later page from being read, or null. */
  readonly trouble: FiniError | null;
  /**
   * Among how many sources titles were compared here alone, where Fini found none and not all of them
   * could be read; null if nothing is left open.
   */
  readonly titlesCompared: number | null;
}

/** Reads a record's status: {@link stateOf} decides between completed and failed. */
export function statusOf(document: FiniDocument): SourceStatus | 'unknown' {
  if (!document.linkedJobStatus) return 'never_ingested';
  const state = stateOf(document);
  if (state !== 'unfinished') return state;
  // A job that has just completed, but whose content does not show yet, counts as running.
  const isRunning = isInFlight(document) || document.linkedJobStatus === 'COMPLETED';
  return isRunning ? 'running' : 'unknown';
}

/** Limits on the sources and on the time to read them. */
interface ReadingLimits {
  /** The most sources that match. */
  readonly limit: number;
  readonly call: Deadline;
  /** Until when more than the first page is read. */
  readonly readUntil: number;
}

/**
 * Reads the list page by page until `limit` sources match. Every filter is also applied here, since an
 * API may ignore an unknown parameter, so a page may have few matches or none. Ends after a few
 * requests, or once the time is over, and says where.
 *
 * A title is found as it is shown. Fini compares stored titles, which may have invisible characters. If
 * it finds none, the titles are compared here.
 *
 * @throws {FiniError} if the first page cannot be read, and the signal's reason.
 */
export async function readSources(
  fini: FiniClient,
  query: SourceQuery,
  limits: ReadingLimits,
): Promise<SourceList> {
  const sent = filtersFor(query.filters);
  const list = await readList(fini, query, sent, limits);
  if (list.documents.length > 0 || list.hasMore || sent.title === undefined) return list;
  try {
    const unsent = { ...sent, title: undefined };
    const here = await readList(fini, query, unsent, limits);
    if (here.documents.length > 0) return here;
    return here.hasMore ? { ...list, titlesCompared: here.read, trouble: here.trouble } : list;
  } catch (error) {
    if (limits.call.signal.aborted || !(error instanceof FiniError)) throw error;
    return { ...list, titlesCompared: 0, trouble: error };
  }
}

/**
 * The filters as Fini gets them: of a title and a URL only the longest part that is likely to be the
 * same in Fini as it is shown.
 */
function filtersFor({ title, originalUrl, ...others }: SourceFilters): SourceFilters {
  return {
    ...others,
    title: longestOf(bounded(title ?? '', URL_LENGTH).match(/[\p{L}\p{N}]+/gu)),
    // A URL shown in percent-encoding may be stored without it.
    originalUrl: longestOf(originalUrl?.split(/(?:%[0-9a-f]{2})+/i)),
  };
}

function longestOf(parts: readonly string[] | null | undefined): string | undefined {
  const [longest] = (parts ?? []).toSorted((one, other) => other.length - one.length);
  return longest || undefined;
}

async function readList(
  fini: FiniClient,
  { filters, status, ids, cursor: start, direction }: SourceQuery,
  sent: SourceFilters,
  { limit, call, readUntil }: ReadingLimits,
): Promise<SourceList> {
  const isOfThese = ids && new Set(ids);
  const matches = matcherOf(filters, status);
  const isWanted = (document: FiniDocument) =>
    matches(document) && (isOfThese?.has(document.id) ?? true);
  const isPart = sent.title !== filters.title || sent.originalUrl !== filters.originalUrl;
  const isFiltered = status !== undefined || ids !== undefined || isPart;
  const isBack = start !== undefined && direction === 'previous';
  const way = isBack ? ('previous' as const) : ('next' as const);
  const found: FiniDocument[] = [];
  const seen = new Set(start === undefined ? [] : [start]);
  let cursor = start;
  let unreadable = 0;
  let read = 0;
  let allMatched = true;
  const listed = (end: Partial<SourceList>): SourceList => ({
    documents: isBack ? found.toReversed() : found,
    read,
    allMatched,
    unreadable,
    hasMore: true,
    nextCursor: undefined,
    stoppedEarly: false,
    trouble: null,
    titlesCompared: null,
    ...end,
  });

  for (let requests = 1; ; requests += 1) {
    // Fini may apply its filters itself, so the first page may be enough.
    const size = requests === 1 && !isFiltered ? Math.min(limit, LARGE_PAGE) : LARGE_PAGE;
    const request = {
      ...sent,
      limit: size,
      cursor,
      direction: cursor === undefined ? undefined : way,
    };
    let page: Awaited<ReturnType<typeof fini.listSources>>;
    try {
      // The call needs the first page; later ones are optional.
      const time = requests === 1 ? call : { ...call, endsAt: readUntil };
      page = await fini.listSources(request, time);
    } catch (error) {
      if (requests === 1 || call.signal.aborted || !(error instanceof FiniError)) throw error;
      return listed({ nextCursor: cursor, stoppedEarly: true, trouble: error });
    }
    unreadable += page.unreadable;
    const ordered = isBack ? page.documents.toReversed() : page.documents;
    // A source that changes while pages are read moves, so a later page may show it again.
    const fresh = ordered.filter(({ id }) => !seen.has(id));
    for (const { id } of fresh) seen.add(id);
    const matching = fresh.filter(isWanted);
    const taken = matching.slice(0, limit - found.length);
    // Texts are long, and no caller needs them.
    found.push(...taken.map(withoutText));
    read += fresh.length;
    allMatched &&= matching.length === fresh.length;

    // The next call begins behind the last source that fits here.
    if (taken.length < matching.length) return listed({ nextCursor: taken.at(-1)?.id });
    const isComplete = start === undefined && ids?.every((id) => seen.has(id));
    if (!page.hasMore || isComplete) return listed({ hasMore: false });
    const edge = ordered.at(-1)?.id;
    // Without an ID there is no next page, and a page without new sources would repeat forever.
    if (edge === undefined || edge === cursor || fresh.length === 0) return listed({});
    cursor = edge;
    // Fini applied the filters itself and returned fewer than requested because its texts are long.
    const isShort = allMatched && !isFiltered && limit <= LARGE_PAGE && read > 0;
    if (found.length >= limit || isShort) return listed({ nextCursor: cursor });
    if (requests >= MAXIMUM_REQUESTS || now() > readUntil) {
      return listed({ nextCursor: cursor, stoppedEarly: true });
    }
  }
}

/** Makes a function that returns true if a source passes every filter. */
function matcherOf(
  filters: SourceFilters,
  status: SourceStatus | undefined,
): (document: FiniDocument) => boolean {
  const [title, originalUrl] = [filters.title, filters.originalUrl].map(
    (part) => part && searchKey(part),
  );
  // A part in which there is nothing to see is contained in none.
  const contains = (text: string | null, part: string | undefined) =>
    part === undefined || (part !== '' && searchKey(text ?? '').includes(part));
  const equals = (value: unknown, wanted: unknown) => wanted === undefined || value === wanted;
  return (document) =>
    contains(document.title, title) &&
    contains(document.originalUrl, originalUrl) &&
    equals(document.id.toLowerCase(), filters.id?.toLowerCase()) &&
    equals(document.source, filters.source) &&
    equals(document.english, filters.english) &&
    equals(document.linkedKnowledgeId, filters.linkedKnowledgeId) &&
    equals(document.linkedOperation, filters.linkedOperation) &&
    // Older APIs lack this field; a missing value counts as not changed.
    equals(document.changed ?? false, filters.changed) &&
    (status === undefined || statusOf(document) === status);
}

/** Number of sources with each status. */
export interface StatusTotals {
  completed: number;
  failed: number;
  running: number;
  never_ingested: number;
  /** Number of sources whose job has a status that this server does not know. */
  unknown: number;
}

/** Totals of sources, by status, and by kind and status. */
export interface SourceTotals {
  readonly total: number;
  readonly byStatus: StatusTotals;
  /** The totals by kind, most frequent first. `source` is null if Fini does not say. */
  readonly byKind: readonly { source: string | null; total: number; byStatus: StatusTotals }[];
}

/** Counts sources by status, and by kind and status. */
export function totalsOf(documents: readonly FiniDocument[]): SourceTotals {
  const kinds = new Map<string | null, FiniDocument[]>();
  for (const document of documents) {
    const kind = document.source || null;
    const ofKind = kinds.get(kind);
    if (ofKind === undefined) kinds.set(kind, [document]);
    else ofKind.push(document);
  }
  const byKind = [...kinds].map(([source, ofKind]) => ({
    source,
    total: ofKind.length,
    byStatus: statusTotals(ofKind),
  }));
  byKind.sort((one, other) => other.total - one.total);
  return { total: documents.length, byStatus: statusTotals(documents), byKind };
}

function statusTotals(documents: readonly FiniDocument[]): StatusTotals {
  const totals = { completed: 0, failed: 0, running: 0, never_ingested: 0, unknown: 0 };
  for (const document of documents) totals[statusOf(document)] += 1;
  return totals;
}
