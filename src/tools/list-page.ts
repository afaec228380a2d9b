import { counted, fitting } from '../text.ts';

/** One page of a list that is read whole and shown in parts. */
export interface ListPage<Shown> {
  readonly items: Shown[];
  /** Leads to the next page; undefined on the last one. */
  readonly nextOffset: number | undefined;
  /** That the offset lies behind the last item; empty where it does not. */
  readonly pastEnd: string;
  /** How many more there are and how to see them, in a sentence; empty on the last page. */
  readonly more: (noun: string) => string;
}

/** Takes the page at an offset, as far as it fits into so many bytes. */
export function pageOf<Item, Shown>(
  all: readonly Item[],
  { offset, limit, bytes }: { offset: number; limit: number; bytes: number },
  show: (item: Item) => Shown,
): ListPage<Shown> {
  const items = fitting(all.slice(offset, offset + limit).map(show), bytes);
  const end = offset + items.length;
  const nextOffset = items.length > 0 && end < all.length ? end : undefined;
  return {
    items,
    nextOffset,
    pastEnd:
      all.length > 0 && items.length === 0
        ? `Offset ${offset} is past the end: use an offset below ${all.length}.`
        : '',
    more: (noun) =>
      nextOffset === undefined
        ? ''
        : `${counted(all.length - end, `more ${noun}`)}: call again with offset ${end}, the rest unchanged.`,
  };
}
