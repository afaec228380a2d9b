import * as z from 'zod';
import {
  readSources,
  SOURCE_STATUSES,
  type SourceList,
  type SourceTotals,
  type StatusTotals,
  totalsOf,
} from '../engine/list.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { bounded, counted, paragraph, URL_LENGTH, WORD_LENGTH } from '../text.ts';
import { listCursor, sourceId } from './fields.ts';
import { choiceWords } from './read-input.ts';
import { sourceLine, sourceOutput, sourceShape } from './source.ts';
import { defineTool } from './tool.ts';

/** How long a call reads on for more matches: clients end a call after a minute. */
const READING_MS = 20_000;

/** Fini's words, and others, for a status. */
const STATUS_WORDS = {
  pending: 'running',
  inprogress: 'running',
  queued: 'running',
  processing: 'running',
  error: 'failed',
  success: 'completed',
  done: 'completed',
};

/** How many pages are named whose URLs are nearly the one that was asked for. */
const NAMED_PAGES = 5;

const optionalText = z.string().trim().min(1).optional();

const statusTotals = z.object({
  completed: z.int(),
  failed: z.int(),
  running: z.int().describe('Queued or in progress.'),
  never_ingested: z.int(),
  unknown: z.int().optional().describe('With a status this server does not know.'),
});

const totalsShape = z.object({
  total: z.int(),
  byStatus: statusTotals,
  byKind: z
    .array(z.object({ source: z.string(), total: z.int(), byStatus: statusTotals }))
    .describe('Most frequent kind first.'),
});

/** What Fini has (fini-api.md, "list sources"). */
export const listSources = defineTool({
  name: 'list_sources',
  title: 'List sources',
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
    status: z
      .enum(SOURCE_STATUSES)
      .register(choiceWords, STATUS_WORDS)
      .optional()
      .describe('Status of the latest job; failed includes jobs that gave no content.'),
    /** Totals in place of the list. */
    summary: z
      .boolean()
      .default(false)
      .describe('Return totals by kind and status instead of the list. Default false.'),
    source: z
      .enum(['web', 'googledrive', 'notion', 'zendesk', 'confluence', 'files'])
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
      .enum(['ADD_ARTICLE_TO_FOLDER', 'UPDATE_ARTICLE', 'DO_NOTHING'])
      .optional()
      .describe('Only sources last used for Knowledge in this way.'),
    /** Pages that changed since they were ingested. */
    changed: z
      .boolean()
      .optional()
      .describe('Only sources whose page has (true) or has not (false) changed since ingestion.'),
  }),
  outputSchema: z.object({
    message: z.string().describe('What this page contains, and what to do next.'),
    hasMore: z.boolean(),
    nextCursor: z.string().optional().describe('Pass it as cursor; absent on the last page.'),
    totals: totalsShape.optional().describe('With summary: how many of the sources read match.'),
    documents: z.array(z.object(sourceShape)).describe('The sources, most recently changed first.'),
  }),
  async handler({ cursor, direction, limit, status, summary, ...filters }, context) {
    const { fini, call, canCall, progress } = context;
    // These may take several pages.
    if (summary || status !== undefined) progress.begin('Reading the list of sources');
    const list = await readSources(
      fini,
      { filters, status, cursor, direction },
      {
        limit: summary ? Number.POSITIVE_INFINITY : limit,
        call,
        readUntil: call.startedAt + READING_MS,
      },
    );
    const asked: Asked = {
      isFiltered: [status, ...Object.values(filters)].some((wanted) => wanted !== undefined),
      byTitle: filters.title !== undefined,
      isLater: cursor !== undefined,
      isBack: cursor !== undefined && direction === 'previous',
      summary,
    };
    const totals = summary ? totalsOutput(totalsOf(list.documents)) : undefined;
    const isEmpty = list.documents.length === 0 && !list.hasMore && !asked.isLater && !summary;
    const near = isEmpty && list.trouble === null ? comparablePart(filters.originalUrl) : undefined;
    const nearly =
      near === undefined
        ? []
        : (
            await readSources(
              fini,
              { filters: { ...filters, originalUrl: near }, status },
              { limit: NAMED_PAGES, call, readUntil: call.startedAt + READING_MS },
            )
          ).documents;
    const parts = [
      totals === undefined
        ? foundText(list, asked, canCall('ingest_site'))
        : countedText(list, asked),
      nearlyText(nearly),
      list.unreadable === 0 ? '' : `${counted(list.unreadable, 'record')} without an ID left out.`,
      list.trouble === null ? '' : (context.explain(list.trouble) ?? ''),
      wayOn(list, asked),
      totals !== undefined && totals.byStatus.failed > 0
        ? 'To see what failed and why, call with status "failed".'
        : '',
    ];
    return {
      message: paragraph(...parts),
      hasMore: list.hasMore,
      nextCursor: list.nextCursor,
      totals,
      documents: summary ? [] : list.documents.map(sourceOutput),
    };
  },
  text({ documents, totals, message }) {
    if (totals !== undefined) return `${message}\n${totalsLines(totals).join('\n')}`;
    return `${counted(documents.length, 'source')} on this page. ${message}\n${documents.map(sourceLine).join('\n')}`;
  },
});

/** What was asked, as far as the message depends on it. */
interface Asked {
  readonly isFiltered: boolean;
  readonly byTitle: boolean;
  /** With a cursor. */
  readonly isLater: boolean;
  /** Towards newer ones. */
  readonly isBack: boolean;
  readonly summary: boolean;
}

/** Why a list is empty; of one that is not, its lines tell. */
function foundText(list: SourceList, asked: Asked, canIngest: boolean): string {
  if (list.documents.length > 0 || list.unreadable > 0) return '';
  const untitled = asked.byTitle
    ? ' A failed source may have no title: search for its URL with originalUrl.'
    : '';
  if (list.stoppedEarly) return `No match among ${readText(list, asked)}.${untitled}`;
  // A page after the first only shows that there are no more.
  if (list.hasMore || asked.isLater) return '';
  if (asked.isFiltered) return `No source matches these filters.${untitled}`;
  return canIngest
    ? 'Fini has no sources yet: start with ingest_site or import_provider_resources.'
    : 'Fini has no sources yet.';
}

/** A URL without a fragment, a query and a slash at its end; undefined where it has none of them. */
function comparablePart(url: string | undefined): string | undefined {
  const part = url?.replace(/[?#].*$/s, '').replace(/\/+$/, '');
  return part === url || part === '' ? undefined : part;
}

/** Which pages there are whose URLs differ from the one asked for only in their end. */
function nearlyText(documents: readonly FiniDocument[]): string {
  if (documents.length === 0) return '';
  const names = documents.map(
    ({ id, originalUrl }) => `${bounded(originalUrl ?? '', URL_LENGTH)} (${id})`,
  );
  return `Without the slash, query or fragment at its end, the URL matches ${names.join(', ')}.`;
}

/** What the totals are of, which may not be everything. */
function countedText(list: SourceList, asked: Asked): string {
  const kind = asked.isFiltered ? 'matching sources' : 'sources';
  const number = list.documents.length.toLocaleString('en-US');
  if (!list.hasMore && !asked.isLater) return `Counted all ${kind}: ${number}.`;
  const rest = list.hasMore ? ' The others are not in these totals.' : '';
  const span = readText(list, asked);
  return asked.isFiltered
    ? `Counted the ${kind} among ${span}: ${number}.${rest}`
    : `Counted ${span}.${rest}`;
}

/** "the newest 1,000 sources" */
function readText({ read }: SourceList, { isLater, isBack }: Asked): string {
  const number = counted(read, 'source');
  if (isBack) return `the ${number} before the cursor`;
  return isLater ? `the ${number} after the cursor` : `the newest ${number}`;
}

/** Whether there are more, and the call that shows them. */
function wayOn(list: SourceList, asked: Asked): string {
  const { documents, hasMore, nextCursor, stoppedEarly, allMatched, unreadable } = list;
  if (!hasMore) {
    const isSaid = asked.summary || (documents.length === 0 && unreadable === 0 && !asked.isLater);
    return isSaid ? '' : 'That is all.';
  }
  if (nextCursor === undefined) return 'There are more, but Fini returned no cursor for them.';
  const direction = asked.isBack ? ' and direction "previous"' : '';
  const rest = asked.isFiltered || asked.summary ? ', the rest unchanged' : '';
  const again = `call again with cursor "${nextCursor}"${direction}${rest}`;
  if (stoppedEarly && !asked.summary && documents.length > 0) {
    return `Stopped after ${readText(list, asked)}. To continue, ${again}.`;
  }
  if (stoppedEarly) return `To continue, ${again}.`;
  return `${allMatched ? 'There are more' : 'There may be more'}: ${again}.`;
}

function totalsOutput({ total, byStatus, byKind }: SourceTotals) {
  return {
    total,
    byStatus: statusOutput(byStatus),
    byKind: byKind.map(({ source, total, byStatus }) => ({
      source: source === null ? 'unknown' : bounded(source, WORD_LENGTH),
      total,
      byStatus: statusOutput(byStatus),
    })),
  };
}

function statusOutput({ unknown, ...totals }: StatusTotals): z.output<typeof statusTotals> {
  return unknown === 0 ? totals : { ...totals, unknown };
}

/** "web 14: 9 completed, 5 failed" for each kind, below the same for all. */
function totalsLines({ total, byStatus, byKind }: z.output<typeof totalsShape>): string[] {
  const line = (of: string, number: number, totals: z.output<typeof statusTotals>) => {
    const parts = Object.entries(totals).filter(([, count]) => count > 0);
    const texts = parts.map(([status, count]) => `${count} ${status.replace('_', ' ')}`);
    return `- ${of}: ${[number, ...texts].join(', ')}`;
  };
  return [
    line('all', total, byStatus),
    ...byKind.map(({ source, total, byStatus }) => line(source, total, byStatus)),
  ];
}
