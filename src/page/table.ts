import { textsOf } from './narrowing.ts';
import type { ToolCall } from './offered-calls.ts';
import { type Counts, type Outcome, type Row, type RowState, STATES } from './tool-result.ts';

/* What the page knows, and what it makes of it. Nothing here touches the document. */

/** By what the rows are sorted; null for the order of the report. */
export type Sorting = { readonly column: 'state' | 'page' | 'reason'; readonly up: boolean } | null;

/** Which rows are shown, and in which order. */
export interface Choice {
  readonly state: RowState | null;
  readonly search: string;
  readonly sorting: Sorting;
}

/** How many sources one call of generate_knowledge takes. */
const DRAFTS_IN_A_CALL = 100;

/** How many there are in each state, listed or not. */
export function countsOf({ rows, unlisted }: Pick<Outcome, 'rows' | 'unlisted'>): Counts {
  const counts: Partial<Record<RowState, number>> = { ...unlisted };
  for (const { state } of rows) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

/** The rows that a choice shows. */
export function chosenRows(rows: readonly Row[], { state, search, sorting }: Choice): Row[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = rows.filter((row) => {
    if (state !== null && row.state !== state) return false;
    if (words.length === 0) return true;
    const { title, url, id, input, reason, hint } = row;
    const text = [title, url, id, input, reason, hint].join('\n').toLowerCase();
    return words.every((word) => text.includes(word));
  });
  if (sorting === null) return chosen;
  const { compare } = new Intl.Collator('en');
  const keyed = chosen.map((row) => ({ row, key: keyOf(row, sorting.column) }));
  const sign = sorting.up ? 1 : -1;
  keyed.sort(({ key: one }, { key: other }) => {
    // Rows without anything in the column come last either way.
    if (one === '' || other === '') return Number(one === '') - Number(other === '');
    return sign * compare(one, other);
  });
  return keyed.map(({ row }) => row);
}

/** What a row is called where one name must do. */
export function nameOfRow({ title, url, input, id }: Row): string {
  return title ?? url ?? input ?? id ?? '';
}

/** A URL as the table shows it. */
export function withoutScheme(url: string): string {
  return url.replace(/^https?:\/\//i, '');
}

function keyOf(row: Row, column: NonNullable<Sorting>['column']): string {
  if (column === 'state') return String(STATES.indexOf(row.state));
  const text = column === 'page' ? withoutScheme(nameOfRow(row)) : (row.reason ?? '');
  // So that 2 comes before 10. A collator can do that too, but takes ten times as long.
  return text.replace(/\d+/g, (digits) => digits.padStart(8, '0'));
}

/** The call that generates drafts from what is completed; null where there is none to make. */
export function generateCall({ rows, offers }: Outcome): ToolCall | null {
  if (!offers.generate) return null;
  const ids = rows.flatMap(({ state, id }) => (state === 'completed' && id ? [id] : []));
  const documentIds = [...new Set(ids)].slice(0, DRAFTS_IN_A_CALL);
  return documentIds.length === 0 ? null : { tool: 'generate_knowledge', input: { documentIds } };
}

/** The sources that a call names. */
export function itemsOf({ input }: ToolCall): string[] {
  const { ids, documentIds, documentIdsToAdd, documentIdsToRefresh } = input;
  return [ids, documentIds, documentIdsToAdd, documentIdsToRefresh].flatMap(textsOf);
}

/**
 * What is known after a call of the page's own: its result stands for the rows that the call named,
 * each in its old place where it is the same source by ID or URL. All else stays.
 */
export function afterCall(before: Outcome, call: ToolCall, result: Outcome): Outcome {
  const asked = new Set(itemsOf(call));
  const isAsked = ({ id, url, input }: Row) =>
    [id, url, input].some((name) => name !== undefined && asked.has(name));
  const left = new Set(result.rows);
  const byName = new Map(
    result.rows.flatMap((row) =>
      [row.id, row.url].flatMap((name): [string, Row][] =>
        name === undefined ? [] : [[name, row]],
      ),
    ),
  );
  const rows = before.rows.flatMap((row): Row[] => {
    // A call has a long URL in full, which a row has not.
    if (!isAsked(row) && !byName.has(row.id ?? '')) return [row];
    const found = byName.get(row.id ?? '') ?? byName.get(row.url ?? '');
    if (found === undefined) return [];
    left.delete(found);
    return [
      {
        ...found,
        isIngested: row.isIngested === true || call.tool === 'generate_knowledge',
        id: found.id ?? row.id,
        url: found.url ?? row.url,
        title: found.title ?? row.title,
        input: found.input ?? row.input,
      },
    ];
  });
  return {
    ...before,
    rows: [...rows, ...left],
    unlisted: sumOf(before.unlisted, result.unlisted),
    nextSteps: result.nextSteps,
    elapsedSeconds: Math.round((before.elapsedSeconds + result.elapsedSeconds) * 10) / 10,
    offers: {
      wait: [...withoutOne(before.offers.wait, call), ...result.offers.wait],
      retry: [...withoutOne(before.offers.retry, call), ...result.offers.retry],
      generate: before.offers.generate || result.offers.generate,
    },
  };
}

/** The same without a call that must not be made again. */
export function withoutCall(outcome: Outcome, call: ToolCall): Outcome {
  const { wait, retry, generate } = outcome.offers;
  const isGeneration = call.tool === 'generate_knowledge';
  return {
    ...outcome,
    offers: {
      wait: withoutOne(wait, call),
      retry: withoutOne(retry, call),
      generate: generate && !isGeneration,
    },
  };
}

function withoutOne(calls: readonly ToolCall[], call: ToolCall): ToolCall[] {
  return calls.filter((other) => other !== call);
}

function sumOf(one: Counts, other: Counts): Counts {
  const sums = STATES.map((state) => [state, (one[state] ?? 0) + (other[state] ?? 0)]);
  return Object.fromEntries(sums.filter(([, sum]) => sum !== 0));
}

/** "1 page", "2,000 pages". */
export function pages(count: number): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? 'page' : 'pages'}`;
}

/** What a result comes to, in one line. */
export function headlineOf(outcome: Outcome): string {
  const counts = countsOf(outcome);
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const { completed = 0, drafted = 0, selected = 0 } = counts;
  const of = (count: number) =>
    count === all
      ? all > 1
        ? `All ${pages(all)}`
        : pages(all)
      : `${count.toLocaleString('en-US')} of ${pages(all)}`;
  if (outcome.kind === 'planned') {
    return selected === 0 ? 'Nothing to ingest' : `${pages(selected)} selected, nothing queued yet`;
  }
  if (outcome.kind === 'generated') return `${of(drafted)} drafted`;
  const drafts = drafted === 0 ? '' : `, ${drafted} drafted`;
  const ingested = outcome.rows.filter(({ isIngested }) => isIngested === true).length;
  return `${of(completed + ingested)} completed${drafts}`;
}
