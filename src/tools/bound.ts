import { fitting, jsonBytes } from '../text.ts';

/**
 * How the items of a list are shown: `in order`, a line each; `by status`, under a heading for each
 * status and hint; `as JSON`, if another call takes them unchanged; `as text`, paragraphs to be read.
 */
export type Layout = 'in order' | 'by status' | 'as JSON' | 'as text';

/** The largest answer, in bytes of its structured content: clients hide longer ones from their model. */
const ANSWER_BYTES = 60_000;
/** How much a page of a list may take, in bytes; what the tool says of it comes on top. */
const PAGE_BYTES = 50_000;
/** Room for saying what is left out. */
const OMITTED_BYTES = 200;

/** Statuses by how much a reader needs to see them, most first; all others come last. */
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

/** How urgent an item is by its status: the lower, the more. */
export function urgencyOf(item: unknown): number {
  const status = typeof item === 'object' && item !== null && 'status' in item ? item.status : null;
  const rank = URGENCY.indexOf(status);
  return rank < 0 ? URGENCY.length : rank;
}

/** The items of a page that fit, from the first on. */
export function fittingPage<Item>(items: readonly Item[]): Item[] {
  return fitting(items, PAGE_BYTES);
}

/**
 * Bounds an answer. Items of its lists are left out until it fits, the least urgent first, and within
 * the same urgency the last first. `omitted` counts them by list; the others keep their order.
 */
export function boundedAnswer(
  answer: Readonly<Record<string, unknown>>,
  layouts: Readonly<Record<string, Layout>>,
): { answer: Record<string, unknown>; omitted: Record<string, number> } {
  if (jsonBytes(answer) <= ANSWER_BYTES) return { answer: { ...answer }, omitted: {} };
  const lists = Object.keys(layouts).flatMap((name) => {
    const items = answer[name];
    return Array.isArray(items) ? [{ name, items, layout: layouts[name] }] : [];
  });
  const emptied = Object.fromEntries(lists.map(({ name }) => [name, []]));
  const entries = lists.flatMap(({ name, items, layout }, place) =>
    items.map((item: unknown, index) => {
      const urgency = layout === 'by status' ? urgencyOf(item) : 0;
      return { name, item, index, rank: [urgency, place, index] };
    }),
  );
  entries.sort((one, other) => compareRanks(one.rank, other.rank));
  const room = ANSWER_BYTES - OMITTED_BYTES - jsonBytes({ ...answer, ...emptied });
  const kept = new Set(fittingEntries(entries, room));
  const omitted: Record<string, number> = {};
  const bounded: Record<string, unknown> = { ...answer };
  for (const { name, items } of lists) {
    const left = entries.filter((entry) => entry.name === name && kept.has(entry));
    left.sort((one, other) => one.index - other.index);
    bounded[name] = left.map(({ item }) => item);
    if (left.length < items.length) omitted[name] = items.length - left.length;
  }
  return { answer: bounded, omitted };
}

function fittingEntries<Entry extends { readonly item: unknown }>(
  entries: readonly Entry[],
  bytes: number,
): Entry[] {
  const items = fitting(
    entries.map(({ item }) => item),
    bytes,
  );
  return entries.slice(0, items.length);
}

function compareRanks(one: readonly number[], other: readonly number[]): number {
  const index = one.findIndex((rank, place) => rank !== other[place]);
  return index < 0 ? 0 : (one[index] ?? 0) - (other[index] ?? 0);
}
