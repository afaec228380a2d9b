import * as z from 'zod';
import { fitting, jsonBytes, plural } from '../text.ts';

/** A call that may come next, ready to be made. */
export interface NextCall {
  /** The name of a tool that this server lists. */
  readonly tool: string;
  /** Everything the call needs; nothing is left to be filled in. */
  readonly arguments: Readonly<Record<string, unknown>>;
  /** The purpose of the call, as an order: "Wait for the 12 unfinished sources". No full stop. */
  readonly why: string;
}

/** An error, for a model or a person: what happened and why, and the calls that may help. */
export interface Explanation {
  readonly message: string;
  readonly nextCalls: readonly NextCall[];
}

/** The calls that may come next, as every answer has them. */
export const nextCallsSchema = z
  .array(
    z.object({
      tool: z.string(),
      arguments: z.record(z.string(), z.unknown()),
      why: z.string().describe('Purpose of the call.'),
    }),
  )
  .describe('Calls that may come next, ready to be made.');

/** Maximum size of the items in one call, in bytes: an answer has other things to say too. */
const ITEMS_BYTES = 16_000;

/**
 * Makes a call whose argument is a list, with as many of the items as fit. If some do not, `why` says
 * how many there are, so that no one takes the call for the whole.
 *
 * @param most Maximum number of items that the tool accepts.
 * @returns No call if there is no item.
 */
export function callForItems(
  tool: string,
  list: string,
  items: readonly string[],
  why: string,
  more: Readonly<Record<string, unknown>> = {},
  most = Number.POSITIVE_INFINITY,
): NextCall[] {
  if (items.length === 0) return [];
  const named = fitting(items.slice(0, most), ITEMS_BYTES - jsonBytes(more));
  const first =
    named.length < items.length
      ? ` (the first ${plural(named.length, 'item')} of ${items.length}; then the others)`
      : '';
  return [{ tool, arguments: { ...more, [list]: named }, why: `${why}${first}` }];
}

/** An input for another call, without undefined values, empty lists and defaults. */
export function inputFor(
  input: Readonly<Record<string, unknown>>,
  defaults: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const isSaid = ([name, value]: [string, unknown]) =>
    value !== undefined &&
    value !== defaults[name] &&
    !(Array.isArray(value) && value.length === 0);
  return Object.fromEntries(Object.entries(input).filter(isSaid));
}
