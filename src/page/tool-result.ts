import type { NextCall } from '../tools/next-calls.ts';
import { countOf, type Fields, fieldsOf, isFields, listOf, textOf, textsOf } from './narrowing.ts';

/* Reads the results of this server's tools, as far as the page shows them. */

/** Statuses of items, the most urgent first. Others come before those that need nothing. */
export const STATUSES_BY_URGENCY: readonly string[] = [
  ...['failed', 'not_found', 'unregistered', 'unusable', 'unqueued'],
  ...['unfinished', 'running', 'queued', 'never_ingested', 'nothing_made'],
  ...['selected', 'new', 'completed', 'drafted'],
];

/** Names of a failed call's data in `_meta`: it has no structured content. */
const ERROR_MESSAGE = 'fini-mcp/message';
const ERROR_NEXT_CALLS = 'fini-mcp/nextCalls';

/** A page, or another source, in the table. */
export interface TableRow {
  readonly status: string;
  /** Source ID. */
  readonly id?: string | undefined;
  readonly url?: string | undefined;
  readonly title?: string | undefined;
  /** Its name in the call, if that is neither the ID nor the URL. */
  readonly input?: string | undefined;
  /** Why it has that status, in the words of Fini, a page or this server. */
  readonly reason?: string | undefined;
  /** Advice on how to put it right. */
  readonly advice?: string | undefined;
  /** The draft that was made from it. */
  readonly articleId?: string | undefined;
  /** Set if its ingestion completed before its status became that of its draft. */
  readonly isIngested?: boolean;
}

/** Numbers of items by status, or by another property. */
export type StatusCounts = ReadonlyMap<string, number>;

/** A result, and later what the page's own calls added to it. */
export interface Overview {
  readonly rows: readonly TableRow[];
  /** Numbers of items without a row: a long answer leaves some out. */
  readonly unlisted: StatusCounts;
  /** Numbers of these by advice. */
  readonly unlistedAdvice: StatusCounts;
  /** Summary by the server, for a person. */
  readonly message: string;
  readonly elapsedSeconds: number;
  /** The handle of all that the call queued or waited for. */
  readonly batch: string | undefined;
  /** Set if nothing was queued, because a dry run was asked for. */
  readonly isPlan: boolean;
  /** Set if the result is about drafts. */
  readonly isDrafting: boolean;
}

/** A result as the page understands it; without an overview if it lists no items. */
export interface ToolResult {
  readonly isError: boolean;
  /** The server's message, or else all of the text. */
  readonly message: string;
  /** Whole text, for a model. */
  readonly text: string;
  readonly nextCalls: readonly NextCall[];
  readonly overview: Overview | undefined;
}

/** Reads a tool's result. Its input tells if it was a dry run. */
export function readResult(result: unknown, input: Fields): ToolResult {
  const { content, structuredContent, isError, _meta } = fieldsOf(result);
  const data = fieldsOf(structuredContent);
  const text = listOf(content)
    .map((part) => textOf(fieldsOf(part).text) ?? '')
    .join('\n');
  const error = fieldsOf(_meta);
  const message = textOf(data.message ?? error[ERROR_MESSAGE]) ?? text;
  const nextCalls = nextCallsOf(data.nextCalls ?? error[ERROR_NEXT_CALLS]);
  const hasItems = Array.isArray(data.sources);
  const overview = hasItems ? overviewOf(data, message, input.dryRun === true) : undefined;
  return { isError: isError === true, message, text, nextCalls, overview };
}

function overviewOf(data: Fields, message: string, isPlan: boolean): Overview {
  const counts = fieldsOf(data.counts);
  const hints = listOf(data.hints).map(fieldsOf);
  const advice = new Map(hints.map((hint) => [hint.hint, textOf(hint.advice)]));
  const isDrafting = 'drafted' in counts;
  const rows = listOf(data.sources)
    .filter(isFields)
    .map((source) => rowOf(source, advice, isDrafting));
  const listed = adviceCounts(rows);
  const unlistedAdvice = new Map<string, number>();
  for (const { advice, count } of hints) {
    const text = textOf(advice);
    const more = text === undefined ? 0 : countOf(countOf(count) - (listed.get(text) ?? 0));
    if (text !== undefined && more > 0) unlistedAdvice.set(text, more);
  }
  return {
    message,
    rows,
    unlistedAdvice,
    unlisted: unlistedOf(rows, counts, countOf(fieldsOf(data.omitted).sources)),
    elapsedSeconds: countOf(data.elapsedSeconds),
    batch: textOf(data.batch),
    isPlan,
    isDrafting,
  };
}

function rowOf(
  source: Fields,
  advice: ReadonlyMap<unknown, string | undefined>,
  isDrafting: boolean,
): TableRow {
  const { reason, error, articleId, jobStatus, path, hint } = source;
  const status = textOf(source.status) ?? 'unknown';
  const words = textOf(
    [textOf(reason), textOf(error)].filter((text) => text !== undefined).join(' '),
  );
  // Beside other words, the status of the job says nothing.
  const otherwise = [
    textOf(textsOf(source.warnings).join(' ')),
    status === 'unfinished' ? jobWords(jobStatus) : undefined,
    textOf(listOf(path).map(String).join(' › ')),
  ].find((text) => text !== undefined);
  // A draft that failed may stand beside pages whose ingestion failed.
  const isWithoutDraft = isDrafting && status === 'failed' && words !== undefined;
  return {
    status,
    id: textOf(source.id),
    url: textOf(source.originalUrl),
    title: textOf(source.title),
    input: textOf(source.input ?? source.externalId),
    reason: isWithoutDraft ? `No draft was made: ${words}` : (words ?? otherwise),
    advice: advice.get(hint),
    articleId: textOf(articleId),
  };
}

/** Numbers of rows by advice. */
export function adviceCounts(rows: readonly TableRow[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { advice } of rows) {
    if (advice !== undefined) counts.set(advice, (counts.get(advice) ?? 0) + 1);
  }
  return counts;
}

/** The status of a job in Fini, in words. */
function jobWords(status: unknown): string {
  if (status === 'PENDING') return 'Pending';
  if (status === 'IN_PROGRESS') return 'In progress';
  return textOf(status) ?? 'Not started';
}

function unlistedOf(rows: readonly TableRow[], counts: Fields, omitted: number): StatusCounts {
  const unlisted = new Map<string, number>();
  const listed = new Map<string, number>();
  for (const { status } of rows) listed.set(status, (listed.get(status) ?? 0) + 1);
  let left = omitted;
  for (const status of STATUSES_BY_URGENCY) {
    const count = Math.min(left, countOf(countOf(counts[status]) - (listed.get(status) ?? 0)));
    if (count > 0) unlisted.set(status, count);
    left -= count;
  }
  // Without counts, what is left out is taken for more of what there is most.
  const [most = 'unknown'] = [...listed].sort(([, one], [, other]) => other - one)[0] ?? [];
  if (left > 0) unlisted.set(most, left + (unlisted.get(most) ?? 0));
  return unlisted;
}

function nextCallsOf(value: unknown): NextCall[] {
  return listOf(value)
    .map(fieldsOf)
    .flatMap((call) => {
      const tool = textOf(call.tool);
      const why = textOf(call.why);
      const isCall = tool !== undefined && why !== undefined && isFields(call.arguments);
      return isCall && isFields(call.arguments) ? [{ tool, why, arguments: call.arguments }] : [];
    });
}

/** A draft as far as the page shows it. */
export interface Draft {
  readonly title: string;
  readonly text: string;
}

/** Reads a result of get_articles that shows one article; without that, it has only the message. */
export function readDraft(result: unknown): Draft {
  const { structuredContent } = fieldsOf(result);
  const [article] = listOf(fieldsOf(structuredContent).articles).map(fieldsOf);
  const { title, mainKnowledge, nextOffset } = article ?? {};
  const text = textOf(mainKnowledge);
  if (text === undefined) return { title: '', text: readResult(result, {}).message };
  return { title: textOf(title) ?? '', text: nextOffset === undefined ? text : `${text}…` };
}
