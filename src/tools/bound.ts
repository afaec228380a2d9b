import { fitting, jsonBytes } from '../text.ts';

/**
 * The layout of a list: `in order`, one line per item; `by status`, under a heading for each status and
 * hint; `as JSON`, if another call takes the items unchanged; `as text`, paragraphs to read.
 */
export type Layout = 'in order' | 'by status' | 'as JSON' | 'as text';

/** Maximum size of structured content, in bytes: clients hide longer answers from their model. */
const ANSWER_BYTES = 60_000;
/** Maximum size of a page of a list, in bytes; the tool's own words come on top. */
const PAGE_BYTES = 50_000;
/** Room for saying what is left out. */
const OMITTED_BYTES = 200;

/** Statuses by urgency for a reader, the most urgent first; all others come last. */
const URGENCY: readonly unknown[] = [
  'failed',
  'unknown',
  'not_published',
  'not_deleted',
  'not_found',
  'unqueued',
  'nothing_made',
  'unfinished',
  'running',
  'never_ingested',
];

/** The urgency of an item by its status: the lower, the more urgent. */
export function urgencyOf(item: unknown): number {
  const rank = URGENCY.indexOf(isRecord(item) ? item.status : undefined);
  return rank < 0 ? URGENCY.length : rank;
}

/** The first items of a page that fit. */
export function fittingPage<Item>(items: readonly Item[]): Item[] {
  return fitting(items, PAGE_BYTES);
}

/**
 * Limits the size of an answer. Past the limit, completed items are shortened to their names, and then
 * items are left out until the answer fits: the least urgent first, and among equals the last first.
 * `omitted` counts them by list; the others keep their order.
 */
export function boundedAnswer(
  answer: Readonly<Record<string, unknown>>,
  layouts: Readonly<Record<string, Layout>>,
): { answer: Record<string, unknown>; omitted: Record<string, number> | null } {
  if (jsonBytes(answer) <= ANSWER_BYTES) return { answer, omitted: null };
  const lists = Object.entries(layouts).flatMap(([name, layout]) => {
    const items = answer[name];
    if (!Array.isArray(items)) return [];
    return [{ name, layout, items: layout === 'by status' ? items.map(namedOnly) : items }];
  });
  const emptied = { ...answer, ...Object.fromEntries(lists.map(({ name }) => [name, []])) };
  const entries = lists.flatMap(({ name, items, layout }) =>
    items.map((item: unknown, index) => {
      return { name, item, index, urgency: layout === 'by status' ? urgencyOf(item) : 0 };
    }),
  );
  // Sorting is stable: equally urgent items keep their order.
  entries.sort((one, other) => one.urgency - other.urgency);
  const room = ANSWER_BYTES - OMITTED_BYTES - jsonBytes(emptied);
  const count = fitting(
    entries.map(({ item }) => item),
    room,
  ).length;
  const entriesThatFit = entries.slice(0, count).sort((one, other) => one.index - other.index);
  const bounded: Record<string, unknown> = { ...emptied };
  const omitted: Record<string, number> = {};
  for (const { name, items } of lists) {
    const kept = entriesThatFit.filter((entry) => entry.name === name).map(({ item }) => item);
    bounded[name] = kept;
    if (kept.length < items.length) omitted[name] = items.length - kept.length;
  }
  return { answer: bounded, omitted: Object.keys(omitted).length === 0 ? null : omitted };
}

/** A completed source shortened to its name, from the input or from Fini; any other item unchanged. */
function namedOnly(item: unknown): unknown {
  if (!isRecord(item) || item.status !== 'completed') return item;
  const { status, input, originalUrl, id } = item;
  if (input !== undefined) return { status, input };
  return originalUrl === undefined ? { status, id } : { status, originalUrl };
}

/** True if a value is an object and not a list. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
