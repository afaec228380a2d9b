import * as z from 'zod';
import {
  readSources,
  SOURCE_STATUSES,
  type SourceList,
  type StatusTotals,
  totalsOf,
} from '../engine/list.ts';
import { optionalRead } from '../engine/optional-read.ts';
import { GENERATION_OPERATIONS, INGEST_SOURCES } from '../fini/client.ts';
import { FiniError } from '../fini/errors.ts';
import { bounded, paragraph, plural, quotedMessage, statusWords, WORD_LENGTH } from '../text.ts';
import { batchInput, idsOfBatch } from './batch.ts';
import { fittingPage } from './bound.ts';
import { listCursor, sourceId } from './fields.ts';
import { hintsOf, hintsSchema } from './hints.ts';
import { choiceWords } from './read-input.ts';
import { changedText, sourceOutput, sourceShape } from './source.ts';
import { defineTool, type ToolContext } from './tool.ts';

/** Time for which a call reads on for more matches: clients end a call after a minute. */
const READING_MS = 20_000;

/** Other words for a status, including Fini's own. */
const STATUS_WORDS = {
  pending: 'running',
  inprogress: 'running',
  queued: 'running',
  processing: 'running',
  error: 'failed',
  success: 'completed',
  done: 'completed',
};

/** Maximum number of pages with a similar URL to show. */
const SIMILAR_PAGES = 5;

const optionalText = z.string().trim().min(1).optional();

const totalsShape = {
  total: z.int(),
  completed: z.int(),
  failed: z.int(),
  running: z.int().describe('Queued or in progress.'),
  never_ingested: z.int(),
  unknown: z.int().optional().describe('Sources with a status that this server does not know.'),
};

/** Lists sources in Fini, or counts them by status. */
export const listSources = defineTool({
  name: 'list_sources',
  title: 'List sources by URL, title, status and more',
  description:
    "Lists the workspace's sources, most recently changed first, without their text. Use it to find a source by URL or title, to see what failed (status), to get totals (summary), or to check whether something was queued. To wait for jobs use wait_for_sources; to read a text, get_source.",
  kind: 'reads',
  scope: 'read',
  idempotent: true,
  openWorld: false,
  inputSchema: z.strictObject({
    limit: z
      .int()
      .min(1)
      .max(100)
      .default(50)
      .describe('Maximum number of sources per page, 1 to 100. Default 50.'),
    cursor: listCursor.optional().describe('nextCursor of the previous page.'),
    direction: z
      .enum(['next', 'previous'])
      .optional()
      .describe('next: older changes (usual); previous: newer changes.'),
    /** Only the sources that a call has queued. */
    batch: batchInput.describe('Only sources of this batch.'),
    status: z
      .enum(SOURCE_STATUSES)
      .register(choiceWords, STATUS_WORDS)
      .optional()
      .describe('Status of the latest job; failed includes jobs that gave no content.'),
    /** True for totals in place of the list. */
    summary: z
      .boolean()
      .default(false)
      .describe('Return totals by kind and status instead of the list. Default false.'),
    source: z
      .enum([...INGEST_SOURCES, 'files'])
      .optional()
      .describe('Only sources of this kind.'),
    english: z
      .boolean()
      .optional()
      .describe('Only sources with (true) or without (false) English-specific processing.'),
    /** One source. */
    id: sourceId.optional().describe('Only the source with this ID (UUID).'),
    /** A part of the title, in any case. */
    title: optionalText.describe('Part of the title, ignoring case.'),
    /** A part of the URL, in any case. */
    originalUrl: optionalText.describe('Part of the URL, ignoring case.'),
    linkedKnowledgeId: optionalText.describe('Only sources of the Knowledge article with this ID.'),
    linkedOperation: z
      .enum(GENERATION_OPERATIONS)
      .optional()
      .describe('Only sources whose latest Knowledge operation was this.'),
    /** Only sources with Fini's mark that their Knowledge may be out of date, or without it. */
    changed: z
      .boolean()
      .optional()
      .describe('Only sources that differ (true) or not (false) from their Knowledge.'),
  }),
  outputSchema: z.object({
    hasMore: z.boolean(),
    nextCursor: z.string().optional().describe('Pass it as cursor; absent on the last page.'),
    totals: z
      .object(totalsShape)
      .optional()
      .describe('With summary: number of matching sources among those read.'),
    hints: hintsSchema,
    sources: z.array(z.object(sourceShape)).describe('The sources, most recently changed first.'),
    similar: z
      .array(z.object(sourceShape))
      .optional()
      .describe('Sources whose URL ends differently, if none has this originalUrl.'),
    kinds: z
      .array(z.object({ source: z.string(), ...totalsShape }))
      .optional()
      .describe('With summary: the totals by kind, most frequent first.'),
  }),
  lists: { sources: 'by status', similar: 'by status', kinds: 'in order' },
  async handler(input, context) {
    const { cursor, direction, limit, status, summary, batch, ...filters } = input;
    const { fini, call, canCall, progress } = context;
    // Such a list may take several requests.
    if (summary || status !== undefined || batch !== undefined)
      progress.begin('Reading the list of sources');
    const ids = await idsOfBatch(batch, context);
    const readUntil = call.startedAt + READING_MS;
    const read = await readSources(
      fini,
      { filters, status, ids, cursor, direction },
      { limit: summary ? Number.POSITIVE_INFINITY : limit, call, readUntil },
    );
    const { id, ...notById } = filters;
    const isNarrowed = [status, ...Object.values(notById)].some((wanted) => wanted !== undefined);
    const asked: MessageInput = {
      isFiltered: isNarrowed || batch !== undefined || id !== undefined,
      byId: id !== undefined && batch === undefined && !isNarrowed,
      ofBatch: isNarrowed || id !== undefined ? undefined : ids?.length,
      byTitle: filters.title !== undefined,
      hasCursor: cursor !== undefined,
      isBack: cursor !== undefined && direction === 'previous',
      summary,
    };
    const { sources, list } = summary ? { sources: [], list: read } : pageOfSources(read, asked);
    const isEmpty = read.documents.length === 0 && !read.hasMore && !asked.hasCursor && !summary;
    const part = isEmpty && read.trouble === null ? comparablePart(filters.originalUrl) : undefined;
    const near =
      part === undefined
        ? { documents: [], unknown: '' }
        : await findSimilar(
            fini,
            { filters: { ...filters, originalUrl: part }, status, ids },
            { limit: SIMILAR_PAGES, call, readUntil },
          );
    const similar = near.documents.map(sourceOutput);
    const { byKind, ...all } = totalsOf(read.documents);
    const totals = summary ? flatTotals(all) : undefined;
    const kinds = byKind.map(({ source, ...ofKind }) => ({
      source: source === null ? 'unknown' : bounded(source, WORD_LENGTH),
      ...flatTotals(ofKind),
    }));
    const showMore = asked.isBack ? 'Show newer sources' : 'Show more sources';
    const goOn = {
      tool: 'list_sources',
      arguments: { ...input, cursor: list.nextCursor },
      why: summary ? 'Count the others' : showMore,
    };
    const failed = {
      tool: 'list_sources',
      arguments: { ...filters, batch, status: 'failed' },
      why: 'See what failed and why',
    };
    return {
      message: paragraph(
        totals === undefined
          ? foundText(list, sources.length, asked, canCall('ingest_site'))
          : countedText(list, totals, asked),
        similar.length === 0
          ? ''
          : `Without the slash, query or fragment at its end, the URL matches ${plural(similar.length, 'source')}.`,
        near.unknown,
        list.unreadable === 0 ? '' : `${plural(list.unreadable, 'record')} without an ID left out.`,
        titlesText(list),
        unfinishedListText(list, context),
        changedText([...sources, ...similar]),
      ),
      nextCalls: [
        ...(list.nextCursor === undefined ? [] : [goOn]),
        ...(totals !== undefined && totals.failed > 0 && status === undefined ? [failed] : []),
      ],
      hasMore: list.hasMore,
      nextCursor: list.nextCursor,
      totals,
      hints: hintsOf([...sources, ...similar]),
      sources,
      similar: similar.length === 0 ? undefined : similar,
      kinds: summary ? kinds : undefined,
    };
  },
});

/** Sources whose URL ends differently, or why nobody knows: an answer stands without them. */
async function findSimilar(...[fini, query, limits]: Parameters<typeof readSources>) {
  const read = await optionalRead(readSources(fini, query, limits), limits.call);
  if (read instanceof FiniError) return { documents: [], unknown: similarUnknown(read) };
  const { documents, trouble } = read;
  return { documents, unknown: documents.length > 0 ? '' : similarUnknown(trouble) };
}

function similarUnknown(error: FiniError | null): string {
  return error === null
    ? ''
    : `Whether the URL is in Fini with another ending is unknown, because the search for it failed: ${quotedMessage(error)}.`;
}

/** The parts of an input on which the message depends. */
interface MessageInput {
  readonly isFiltered: boolean;
  /** An ID is all that was asked for. */
  readonly byId: boolean;
  /** Number of sources in the batch, if nothing else was asked for. */
  readonly ofBatch: number | undefined;
  readonly byTitle: boolean;
  readonly hasCursor: boolean;
  /** True if it reads newer sources. */
  readonly isBack: boolean;
  readonly summary: boolean;
}

/** The sources that fit, from the cursor on, and the next cursor. */
function pageOfSources(list: SourceList, { isBack }: MessageInput) {
  const inOrder = <Item>(items: readonly Item[]) => (isBack ? items.toReversed() : [...items]);
  const fitting = fittingPage(inOrder(list.documents).map(sourceOutput));
  const sources = inOrder(fitting);
  if (fitting.length === list.documents.length) return { sources, list };
  return { sources, list: { ...list, hasMore: true, nextCursor: fitting.at(-1)?.id } };
}

/** Says how many sources were found and if there are more, or why there are none. */
function foundText(
  list: SourceList,
  count: number,
  asked: MessageInput,
  canIngest: boolean,
): string {
  const { hasMore, stoppedEarly, unreadable } = list;
  const untitled = asked.byTitle
    ? 'A failed source may have no title: search for its URL with originalUrl.'
    : '';
  const noun = asked.isFiltered ? 'matching source' : 'source';
  if (count === 0 && unreadable === 0 && !asked.hasCursor && !hasMore) {
    if (asked.byId) return 'There is no source with this ID in this workspace.';
    if (asked.ofBatch !== undefined) {
      return "No source of this batch is in Fini's list: they may have been deleted.";
    }
    if (asked.isFiltered) return paragraph('No source matches these filters.', untitled);
    return canIngest
      ? 'Fini has no sources yet: start with ingest_site or import_provider_resources.'
      : 'Fini has no sources yet.';
  }
  if (count === 0 && stoppedEarly) {
    return paragraph(`No match among ${readText(list, asked)}.`, untitled);
  }
  return paragraph(
    count > 0 || unreadable === 0 ? `${plural(count, noun)} on this page.` : '',
    moreText(list, count < list.documents.length, asked),
    hasMore || asked.hasCursor ? '' : missingText((asked.ofBatch ?? count) - count, asked.ofBatch),
  );
}

/**
 * Says whether there are more sources than those on a page.
 *
 * @param isCut Some that were found have no room on it.
 */
function moreText(list: SourceList, isCut: boolean, asked: MessageInput): string {
  if (!list.hasMore) return 'That is all.';
  if (list.nextCursor === undefined) return 'There are more, but Fini returned no cursor for them.';
  if (isCut) return 'There are more.';
  if (list.stoppedEarly) return `Stopped after ${readText(list, asked)}.`;
  return list.allMatched ? 'There are more.' : 'There may be more.';
}

/** Says that sources of a batch are missing in a list that was read to its end. */
function missingText(missing: number, all = 0): string {
  if (missing <= 0) return '';
  const [verb, they] = missing === 1 ? ['is', 'it'] : ['are', 'they'];
  return `${missing} of the ${plural(all, 'source')} of this batch ${verb} not in Fini's list: ${they} may have been deleted.`;
}

/** Says why the list was not read on. The time for that is not the call's: it cannot have more. */
function unfinishedListText(
  { trouble }: SourceList,
  { explain }: Pick<ToolContext, 'explain'>,
): string {
  if (trouble === null) return '';
  return trouble.failure === 'timed_out'
    ? `Fini did not answer in time: ${quotedMessage(trouble)}.`
    : (explain(trouble)?.message ?? '');
}

/** Says how far titles were compared as they are shown, if that was not to the end. */
function titlesText({ titlesCompared }: SourceList): string {
  const titles = 'Titles with characters that are not shown';
  if (titlesCompared === null) return '';
  return titlesCompared === 0
    ? `${titles} could not be compared.`
    : `${titles} were compared among the newest ${plural(titlesCompared, 'source')} only.`;
}

/** A URL without fragment, query and trailing slash; undefined if it has none of them. */
function comparablePart(url: string | undefined): string | undefined {
  const part = url?.replace(/[?#].*$/s, '').replace(/\/+$/, '');
  return part === url || part === '' ? undefined : part;
}

type Totals = z.output<z.ZodObject<typeof totalsShape>>;

/** Says the totals by status, and which sources they cover, which may not be all. */
function countedText(
  list: SourceList,
  { total, ...byStatus }: Totals,
  asked: MessageInput,
): string {
  const number = plural(total, asked.isFiltered ? 'matching source' : 'source');
  const read = asked.isFiltered
    ? `${number} among ${readText(list, asked)}`
    : readText(list, asked);
  const counted = list.hasMore || asked.hasCursor ? read : `${number} in all`;
  const statuses = Object.entries(byStatus)
    .filter(([, count]) => count > 0)
    .map(([status, count]) => `${count} ${statusWords(status)}`);
  return paragraph(
    `Counted ${[counted, statuses.join(', ')].filter((part) => part !== '').join(': ')}.`,
    list.hasMore ? 'The others are not in these totals.' : '',
    list.hasMore && list.nextCursor === undefined ? 'Fini returned no cursor for them.' : '',
  );
}

/** "the newest 1,000 sources" */
function readText({ read }: SourceList, { hasCursor, isBack }: MessageInput): string {
  const number = plural(read, 'source');
  if (isBack) return `the ${number} before the cursor`;
  return hasCursor ? `the ${number} after the cursor` : `the newest ${number}`;
}

function flatTotals({ total, byStatus }: { total: number; byStatus: StatusTotals }): Totals {
  const { unknown, ...counts } = byStatus;
  return { total, ...counts, unknown: unknown === 0 ? undefined : unknown };
}
