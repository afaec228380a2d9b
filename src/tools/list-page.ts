import { jsonText, plural, quoted } from '../text.ts';
import { fittingPage } from './bound.ts';
import type { NextCall } from './next-calls.ts';

/** Number of titles to name if a search finds nothing. */
const NAMED_TITLES = 10;

/** One page of a list that is read completely and shown in parts. */
export interface ListPage<Shown> {
  readonly items: Shown[];
  /** The offset of the next page; undefined on the last one. */
  readonly nextOffset: number | undefined;
  /** A sentence if the offset is beyond the last item, otherwise empty. */
  readonly pastEnd: string;
  /** Returns the call for the next page, or for the first one if the offset is beyond the last item. */
  readonly nextCalls: (tool: string, input: object, noun: string) => NextCall[];
}

/** Takes the page at an offset, as far as it fits. */
export function pageOf<Item, Shown>(
  all: readonly Item[],
  { offset, limit }: { offset: number; limit: number },
  show: (item: Item) => Shown,
): ListPage<Shown> {
  const items = fittingPage(all.slice(offset, offset + limit).map(show));
  const end = offset + items.length;
  const remaining = all.length - end;
  const isPastEnd = all.length > 0 && items.length === 0;
  const nextOffset = items.length > 0 && remaining > 0 ? end : undefined;
  return {
    items,
    nextOffset,
    pastEnd: isPastEnd
      ? `Offset ${offset} is past the end: use an offset below ${all.length}.`
      : '',
    nextCalls(tool, input, noun) {
      if (isPastEnd) {
        const why = `Show the first of ${plural(all.length, noun)}`;
        return [{ tool, arguments: { ...input, offset: 0 }, why }];
      }
      if (nextOffset === undefined) return [];
      const why = `Show more: ${plural(remaining, noun)} left`;
      return [{ tool, arguments: { ...input, offset: nextOffset }, why }];
    },
  };
}

/**
 * Says that a search finds nothing, and names existing titles to search for next.
 *
 * @param searched What the search looks at.
 */
export function nothingFound<Item>(
  searched: string,
  search: string,
  items: readonly Item[],
  titleOf: (item: Item) => string,
): string {
  const named = items.slice(0, NAMED_TITLES).map((item) => jsonText(titleOf(item)));
  const more = items.length - named.length;
  const others = more > 0 ? ` and ${more} more` : '';
  return `No ${searched} contains ${quoted(search)}: try a shorter word. Available: ${named.join(', ')}${others}.`;
}
