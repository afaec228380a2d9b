import { jsonText, plural, statusWords } from '../text.ts';
import { isRecord, type Layout, urgencyOf } from './bound.ts';
import type { NextCall } from './next-calls.ts';

/** Fields with sentences of this server. Everything else may come from a web page, so it is quoted. */
const OWN_SENTENCES = ['advice', 'reason', 'warning'];
/** Lists of this server's phrases, in which words from elsewhere are already in quotes. */
const OWN_PHRASES = ['changes'];
/** Values that need no quotes: IDs, numbers, times and URLs have no blank and nothing invisible. */
const PLAIN = /^[\w.~:/?#[\]@!$&'()*+,;=%›-]+$/;
/** Length above which a text is placed below its item's line. */
const LINE_LENGTH = 400;

/** A hint that several items share, as answers list them. */
interface Hint {
  readonly hint: string;
  readonly advice: string;
}

/**
 * Makes the text of an answer: its message, the calls that may come next, and one line per item. Many
 * clients pass a model only the text or only the structured content, so each is complete.
 */
export function renderText(
  answer: Readonly<Record<string, unknown>>,
  layouts: Readonly<Record<string, Layout>>,
): string {
  const names = Object.keys(layouts).filter((name) => itemsOf(answer[name]).length > 0);
  const grouped = names.filter((name) => layouts[name] === 'by status');
  const hints = readHints(answer.hints);
  const lists = names.flatMap((name) => {
    const items = itemsOf(answer[name]);
    const layout = layouts[name] ?? 'in order';
    if (layout === 'by status') return groups(items, hints, grouped.length > 1 ? name : '');
    if (layout === 'as text') return [items.map((item) => quotedBlock(String(item))).join('\n>\n')];
    const lines = items.map((item) => lineOf(item, layout));
    const isAfterOthers = names.length > 1 || itemsOf(answer.nextCalls).length > 0;
    return isAfterOthers ? [`${heading(name)} (${items.length}):`, ...lines] : lines;
  });
  return [
    String(answer.message),
    ...omittedText(answer.omitted),
    ...nextCallLines(answer.nextCalls),
    ...lists,
  ]
    .filter((line) => line !== '')
    .join('\n');
}

/** The calls that may come next, as lines that a model can read and copy. */
export function nextCallLines(nextCalls: unknown): string[] {
  const calls = itemsOf(nextCalls).filter(isNextCall);
  if (calls.length === 0) return [];
  const lines = calls.map(
    ({ tool, arguments: input, why }) => `- ${why}: ${tool} ${jsonText(input)}`,
  );
  return ['Next calls:', ...lines];
}

function omittedText(omitted: unknown): string[] {
  if (!isRecord(omitted)) return [];
  const parts = Object.entries(omitted).map(([list, count]) =>
    plural(Number(count), `item of ${list}`, `items of ${list}`),
  );
  return parts.length === 0 ? [] : [`Left out to keep this answer short: ${parts.join(', ')}.`];
}

/**
 * Items under a heading for each status and hint, the most urgent first.
 *
 * @param list The name of the list, if there are others of its kind.
 */
function groups(items: readonly unknown[], hints: readonly Hint[], list: string): string[] {
  const groups = new Map<string, unknown[]>();
  const sorted = [...items.entries()].sort(
    ([index, item], [otherIndex, other]) =>
      urgencyOf(item) - urgencyOf(other) || index - otherIndex,
  );
  for (const [, item] of sorted) {
    const { status, hint } = isRecord(item) ? item : { status: '', hint: undefined };
    const key = JSON.stringify([status, hint]);
    const group = groups.get(key) ?? [];
    group.push(item);
    groups.set(key, group);
  }
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    const { status, hint } = isRecord(first) ? first : { status: '', hint: undefined };
    const advice = hints.find((one) => one.hint === hint)?.advice;
    const title = `${heading(`${list} ${String(status)}`.trim())} (${group.length}):`;
    const lines = group.map((item) => {
      if (!isRecord(item)) return lineOf(item, 'in order');
      const { status: _status, hint: itsHint, ...rest } = item;
      return lineOf(advice === undefined ? { ...rest, hint: itsHint } : rest, 'in order');
    });
    return [advice === undefined ? title : `${title} ${advice}`, ...lines];
  });
}

function lineOf(item: unknown, layout: Layout): string {
  if (layout === 'as JSON') return `- ${jsonText(item)}`;
  if (!isRecord(item)) return `- ${valueText(item)}`;
  const { status, title, name, originalUrl, id, ...others } = item;
  const titleText = [title, name].filter((part) => part !== undefined).map(jsonText);
  const [subject = '', ...more] = [
    ...(originalUrl === undefined ? [] : [valueText(originalUrl)]),
    ...titleText,
    ...(id === undefined ? [] : [valueText(id)]),
  ];
  // Without a name, an item is shown by its input.
  const { input, ...unnamed } = others;
  const isUnnamed = subject === '' && input !== undefined;
  const rest = isUnnamed ? unnamed : others;
  // The ID goes into parentheses, unless the item has no other name.
  const known = id === undefined || more.length === 0 ? subject : `${subject} (${more.pop()})`;
  const named = isUnnamed ? valueText(input) : known;
  const state = status === undefined ? '' : statusWords(String(status));
  const head = [state, named].filter((part) => part !== '').join(': ');
  const fields = Object.entries(rest).filter(([, value]) => !isNothing(value));
  const isOwn = ([key]: readonly [string, unknown]) => OWN_SENTENCES.includes(key);
  const below = fields.filter(([, value]) => isLong(value));
  const inline = fields.filter((field) => !below.includes(field) && !isOwn(field));
  const parts = [...more, ...inline.map(([key, value]) => fieldText(key, value))].join(', ');
  return [
    `- ${[head, parts].filter((part) => part !== '').join(': ')}`,
    ...fields.filter(isOwn).map(([, value]) => ` → ${String(value)}`),
    ...below.map(([key, value]) => `\n  ${key}:\n${quotedBlock(String(value))}`),
  ].join('');
}

/** A field with its name, so that another call can take it. Errors and the like are in quotes. */
function fieldText(key: string, value: unknown): string {
  if (value === true) return key;
  if (key === 'error') return jsonText(value);
  if (OWN_PHRASES.includes(key)) return `${key} ${itemsOf(value).join('; ')}`;
  if (Array.isArray(value)) return `${key} ${value.map((one) => valueText(one)).join(', ')}`;
  return `${key} ${valueText(value)}`;
}

function valueText(value: unknown): string {
  if (typeof value === 'string' && PLAIN.test(value)) return value;
  return jsonText(value);
}

/** Text from elsewhere, with each line marked, so that none can pass for a line of this server. */
function quotedBlock(text: string): string {
  return text
    .split('\n')
    .map((line) => `> ${line}`)
    .join('\n');
}

function isLong(value: unknown): boolean {
  return typeof value === 'string' && (value.length > LINE_LENGTH || value.includes('\n'));
}

function isNothing(value: unknown): boolean {
  return value === undefined || (Array.isArray(value) && value.length === 0);
}

/** "notFound" and "not_found" as "Not found". */
function heading(name: string): string {
  const words = statusWords(name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

function readHints(hints: unknown): Hint[] {
  return itemsOf(hints).flatMap((hint) =>
    isRecord(hint) && typeof hint.hint === 'string' && typeof hint.advice === 'string'
      ? [{ hint: hint.hint, advice: hint.advice }]
      : [],
  );
}

function itemsOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isNextCall(value: unknown): value is NextCall {
  return isRecord(value) && typeof value.tool === 'string' && isRecord(value.arguments);
}
