import * as z from 'zod';

/*
 * Answers whose envelope the contract leaves open: a list, or an object that holds one somewhere.
 */

/** A list as it was found in an answer. */
export interface FoundList {
  readonly items: readonly unknown[];
  /** The objects around it, outermost first; none where the answer is the list itself. */
  readonly around: readonly Fields[];
}

const fields = z.record(z.string(), z.unknown());
/** A JSON object whose fields are not known. */
export type Fields = z.infer<typeof fields>;

/** How many objects an answer may be wrapped in. */
const MAXIMUM_WRAPPERS = 3;
/** How many items of a list tell whether it is one of objects. */
const SAMPLE = 10;
/** What lists of anything are called. */
const USUAL_NAMES = ['data', 'items', 'documents', 'results', 'records', 'list'];

/** The value as an object with fields; null where it is none, such as a list. */
export function asFields(value: unknown): Fields | null {
  return fields.safeParse(value).data ?? null;
}

function isObject(value: unknown): boolean {
  return asFields(value) !== null;
}

/**
 * Finds an answer's list: the answer itself, the field with the first of these names or of the usual
 * ones, else the first field that is a list of objects, else the same one object further in. Null
 * where there is none, which must not pass for an empty list.
 */
export function findList(answer: unknown, names: readonly string[]): FoundList | null {
  const preferred = [...names, ...USUAL_NAMES];
  const around: Fields[] = [];
  let current = answer;
  for (;;) {
    if (Array.isArray(current)) return { items: current, around };
    const object = asFields(current);
    if (object === null || around.length >= MAXIMUM_WRAPPERS) return null;
    around.push(object);
    const values = [...preferred.map((name) => object[name]), ...Object.values(object)];
    current =
      preferred.map((name) => object[name]).find(Array.isArray) ??
      values.find((value) => Array.isArray(value) && value.slice(0, SAMPLE).some(isObject)) ??
      values.find(isObject);
  }
}

/**
 * The record in an answer that holds one: the first object with an ID, from the outside in, else the
 * answer as far as it is an object at all.
 */
export function findRecord(answer: unknown, names: readonly string[]): Fields {
  const outer = asFields(answer) ?? {};
  if ('id' in outer) return outer;
  const inner = [...names, ...USUAL_NAMES].map((name) => asFields(outer[name]));
  return inner.find((object) => object !== null) ?? outer;
}

/** What a list's answer says about what follows. The contract has no paging, so all may be unsaid. */
export interface PagingHints {
  /** Null where the answer does not say. */
  readonly hasMore: boolean | null;
  /** Where the next page begins, should there be a parameter for it. */
  readonly nextCursor: string | null;
}

/** Looks for hints of paging around a list, under the names that are common. */
export function pagingHints({ items, around }: FoundList): PagingHints {
  const places = around.flatMap((object) => {
    const inner = ['pagination', 'paging', 'meta'].map((name) => asFields(object[name]) ?? []);
    return [object, ...inner.flat()];
  });
  const first = <Value>(names: readonly string[], schema: z.ZodType<Value>): Value | null => {
    const values = places.flatMap((place) => names.map((name) => place[name]));
    for (const value of values) {
      const parsed = schema.safeParse(value);
      if (parsed.success) return parsed.data;
    }
    return null;
  };
  const nextCursor = first(['nextCursor', 'next_cursor', 'cursor'], z.string().min(1));
  const total = first(['total', 'totalCount', 'total_count', 'count'], z.number());
  const implied = nextCursor !== null || (total !== null && total > items.length);
  const said = first(['hasMore', 'has_more', 'hasNextPage'], z.boolean());
  return { hasMore: said ?? (implied ? true : total === null ? null : false), nextCursor };
}
