import { plural, statusWords } from '../text.ts';
import type { NextCall } from '../tools/next-calls.ts';
import { type Fields, listOf } from './narrowing.ts';
import {
  adviceCounts,
  type Overview,
  STATUSES_BY_URGENCY,
  type StatusCounts,
  type TableRow,
  type ToolResult,
} from './tool-result.ts';

/* Computation of the table from results. Nothing here touches the document. */

/** The column by which rows are sorted; null for the order of the report. */
export type Sorting = {
  readonly column: 'status' | 'page' | 'reason';
  readonly up: boolean;
} | null;

/** The rows that are shown, and their order. */
export interface RowChoice {
  readonly status: string | null;
  readonly search: string;
  readonly sorting: Sorting;
}

/** Number of items with each status, listed or not, the most urgent status first. */
export function countByStatus({
  rows,
  unlisted,
}: Pick<Overview, 'rows' | 'unlisted'>): StatusCounts {
  const counts = new Map(unlisted);
  for (const { status } of rows) counts.set(status, (counts.get(status) ?? 0) + 1);
  return new Map([...counts].sort(([one], [other]) => rankOf(one) - rankOf(other)));
}

/** The place of a status among all, the most urgent first. */
function rankOf(status: string): number {
  const rank = STATUSES_BY_URGENCY.indexOf(status);
  return rank < 0 ? STATUSES_BY_URGENCY.indexOf('completed') - 0.5 : rank;
}

/** The rows that a choice shows. */
export function chosenRows(
  rows: readonly TableRow[],
  { status, search, sorting }: RowChoice,
): TableRow[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = rows.filter((row) => {
    if (status !== null && row.status !== status) return false;
    if (words.length === 0) return true;
    const { title, url, id, input, reason, advice } = row;
    const text = [title, url, id, input, reason, advice].join('\n').toLowerCase();
    return words.every((word) => text.includes(word));
  });
  if (sorting === null) return chosen;
  const { compare } = new Intl.Collator('en');
  const keyed = chosen.map((row) => ({ row, key: keyOf(row, sorting.column) }));
  const sign = sorting.up ? 1 : -1;
  keyed.sort(({ key: one }, { key: other }) => {
    // Rows with nothing in the column come last either way.
    if (one === '' || other === '') return Number(one === '') - Number(other === '');
    return sign * compare(one, other);
  });
  return keyed.map(({ row }) => row);
}

const KEYS: Readonly<Record<NonNullable<Sorting>['column'], (row: TableRow) => string>> = {
  status: ({ status }) => String(10 * rankOf(status)),
  page: (row) => withoutScheme(nameOfRow(row)),
  reason: ({ reason = '' }) => reason,
};

function keyOf(row: TableRow, column: NonNullable<Sorting>['column']): string {
  // Padding puts 2 before 10. A collator can do that too, but takes ten times as long.
  return KEYS[column](row).replace(/\d+/g, (digits) => digits.padStart(8, '0'));
}

/** The name of a row where there is room for one. */
export function nameOfRow({ title, url, input, id }: TableRow): string {
  return title ?? url ?? input ?? id ?? '';
}

/** A URL as the table shows it. */
export function withoutScheme(url: string): string {
  return url.replace(/^https?:\/\//i, '');
}

/** The rows as lines to be pasted elsewhere, with tabs between name, status and reason. */
export function copyOf(rows: readonly TableRow[]): string {
  return rows
    .map((row) => {
      const { status, reason = '', url = nameOfRow(row) } = row;
      return [url, statusLabel(status), reason].join('\t').trimEnd();
    })
    .join('\n');
}

/** The outcome after a call of the page's own: its result, and everything that it leaves out. */
export function afterCall(before: Overview, call: NextCall, result: Overview): Overview {
  if (before.isPlan) return result;
  const rows = mergedRows(before, call, result);
  return {
    ...result,
    rows,
    unlisted: unlistedAfter(before, result, rows),
    unlistedAdvice: added(before.unlistedAdvice, result.unlistedAdvice),
    elapsedSeconds: Math.round((before.elapsedSeconds + result.elapsedSeconds) * 10) / 10,
    batch: before.batch ?? result.batch,
    isDrafting: before.isDrafting,
  };
}

/**
 * The calls that draft from the rest of a large batch, which takes several. All other sources to draft
 * from have a row in the answer.
 */
export function callsForOthers(
  { tool }: NextCall,
  { overview, nextCalls }: ToolResult,
): NextCall[] {
  if (tool !== 'generate_knowledge' || overview === undefined) return [];
  const listed = new Set<unknown>(overview.rows.map(({ id }) => id));
  return nextCalls.filter((next) => {
    const names = namesInInput(next.arguments);
    return next.tool === tool && names.length > 0 && !names.some((name) => listed.has(name));
  });
}

/** The calls that can be made after one of them: those of its answer, and the others. */
export function callsAfter(
  before: readonly NextCall[],
  call: NextCall,
  next: readonly NextCall[],
): NextCall[] {
  const keyOfCall = (one: NextCall) => JSON.stringify([one.tool, one.arguments]);
  const keys = new Set([call, ...next].map(keyOfCall));
  return [...next, ...before.filter((one) => !keys.has(keyOfCall(one)))];
}

/** Rows in their old places, those that a call is about with its result. */
function mergedRows(before: Overview, { tool, arguments: input }: NextCall, result: Overview) {
  const asked = new Set(namesInInput(input));
  const left = new Set(result.rows);
  const byName = new Map(result.rows.flatMap((row) => namesOfRow(row).map((name) => [name, row])));
  const isLeftOut = ({ status }: TableRow) =>
    status === 'unfinished' && result.unlisted.size > 0 && result.batch === before.batch;
  const rows = before.rows.flatMap((row): TableRow[] => {
    const names = namesOfRow(row);
    const found = names.map((name) => byName.get(name)).find((one) => one && left.has(one));
    if (found === undefined) {
      // Its page may have another URL by now, or the answer had no room for it.
      const isOver = names.some((name) => asked.has(name)) || isLeftOut(row);
      return isOver ? [] : [row];
    }
    left.delete(found);
    return [
      {
        ...found,
        isIngested: row.isIngested === true || tool === 'generate_knowledge',
        id: found.id ?? row.id,
        url: found.url ?? row.url,
        title: found.title ?? row.title,
        input: found.input ?? row.input,
      },
    ];
  });
  return [...rows, ...left];
}

function namesOfRow({ id, url, input }: TableRow): string[] {
  return [id, url, input].filter((name) => name !== undefined);
}

/** The items that an input lists, by whatever name. */
function namesInInput(input: Fields): unknown[] {
  return Object.values(input).flatMap(listOf);
}

/**
 * Number of items without a row after a call. Items that were only counted before, and that the result
 * lists or counts, are counted once: a call brings no new ones.
 */
function unlistedAfter(
  before: Overview,
  result: Overview,
  rows: readonly TableRow[],
): StatusCounts {
  const unlisted = new Map(before.unlisted);
  let known = rows.length + sumOf(result.unlisted) - before.rows.length;
  const shown = result.rows.map(({ status }) => status);
  // A wait ends what was unfinished; any other answer lists items as they were counted.
  for (const status of ['unfinished', ...new Set(shown), ...before.unlisted.keys()]) {
    const count = unlisted.get(status) ?? 0;
    const taken = Math.min(count, Math.max(0, known));
    if (taken === count) unlisted.delete(status);
    else unlisted.set(status, count - taken);
    known -= taken;
  }
  return added(unlisted, result.unlisted);
}

function added(counts: StatusCounts, more: StatusCounts): StatusCounts {
  const sums = new Map(counts);
  for (const [name, count] of more) sums.set(name, count + (sums.get(name) ?? 0));
  return sums;
}

/** The sum of counts. */
export function sumOf(counts: StatusCounts): number {
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

/** A status in words: "not_found" as "Not found". */
export function statusLabel(status: string): string {
  if (status === 'unfinished') return 'Running';
  if (status === 'unqueued') return 'Not queued';
  if (status === 'nothing_made') return 'No draft';
  const words = statusWords(status);
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

/** Counts in words, the least urgent status first: "33 completed, 1 failed". */
export function countsInWords(counts: StatusCounts, more = ''): string {
  return [...counts]
    .reverse()
    .map(([status, count]) => {
      const number = count.toLocaleString('en-US');
      return `${number}${more} ${statusLabel(status).toLowerCase()}`;
    })
    .join(', ');
}

/** One line about the end of a call that the page made. */
export function endingOf(before: Overview | null, result: Overview): string {
  const counts = countByStatus(result);
  const hadFailed = new Set(
    (before?.rows ?? []).filter(({ status }) => status === 'failed').flatMap(namesOfRow),
  );
  const failed = result.rows.filter(({ status }) => status === 'failed');
  const isAgain =
    failed.length > 0 && failed.every((row) => namesOfRow(row).some((name) => hadFailed.has(name)));
  const isOver = !counts.has('unfinished') && !counts.has('queued');
  // Failures come last.
  const words = `${countsInWords(counts) || 'nothing'}${isAgain ? ' again' : ''}`;
  return `${isOver ? 'Done: ' : ''}${words}.`;
}

/** Sentences about the items that are in no row. */
export function unlistedText(unlisted: StatusCounts): string {
  if (unlisted.size === 0) return '';
  return `${countsInWords(unlisted, ' more')}; not listed here: ask the assistant for them.`;
}

/** The number of items from which on their advice stands above the table, once for all of them. */
const SHARING = 10;

/** The advice that stands above the table, with the number of items that have it. */
export function sharedAdvice({ rows, unlistedAdvice }: Overview): StatusCounts {
  const counts = added(adviceCounts(rows), unlistedAdvice);
  return new Map([...counts].filter(([, count]) => count >= SHARING));
}

/** A time in words: "3.5 s", "1 min 50 s". */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60).toLocaleString('en-US')} min ${whole % 60} s`;
}

/** "1 page", "2,000 pages". */
export function pages(count: number): string {
  return plural(count, 'page');
}

/** A result in one line. */
export function headlineOf(overview: Overview): string {
  const counts = countByStatus(overview);
  const all = sumOf(counts);
  if (overview.isPlan) {
    return all === 0 ? 'Dry run: nothing to ingest' : `Dry run: ${pages(all)}, nothing queued yet`;
  }
  const of = (count: number) =>
    count < all
      ? `${count.toLocaleString('en-US')} of ${pages(all)}`
      : `${all > 1 ? 'All ' : ''}${pages(all)}`;
  const drafted = counts.get('drafted') ?? 0;
  if (overview.isDrafting) return `${of(drafted)} drafted`;
  const ingested = overview.rows.filter(({ isIngested }) => isIngested === true).length;
  const drafts = drafted === 0 ? '' : `, ${drafted} drafted`;
  return `${of((counts.get('completed') ?? 0) + ingested)} completed${drafts}`;
}
