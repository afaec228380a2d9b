import * as z from 'zod';
import { isSourceId } from '../engine/inputs.ts';

/*
 * Models and clients write the same input in many ways: null for an omitted value, numbers as text, a
 * list as JSON text, a URL in Markdown. This is the one place that reads them, by the tool's own
 * schema and before it is parsed. A value with two possible readings stays as it is, and the schema
 * refuses it.
 */

/** The meaning of a text, in addition to its schema. */
export interface TextMeaning {
  /** The kind of text, which decides how several are separated. Each loses surrounding quotes. */
  readonly kind: 'name' | 'externalId' | 'glob';
  /** One such text in a refusal: "a source ID (a UUID)". */
  readonly one: string;
  /** Several such texts in a refusal: "source IDs (UUIDs)". */
  readonly many: string;
}

/** The meanings of the texts in the tools' inputs. */
export const textMeanings = z.registry<TextMeaning>();

/** Other words for the values of a choice, each {@link folded}, with the value that it means. */
export const choiceWords = z.registry<Readonly<Record<string, string>>>();

const MAXIMUM_LIST_ITEMS = 5_000;
const MAXIMUM_FIELDS = 100;
/** Maximum length of a text, in characters. */
const LONGEST_INPUT_TEXT = 10_000;
/** Maximum length of a text that may be a list, in characters. */
const LONGEST_LIST_TEXT = 1_000_000;
/** Maximum length of all texts of a list together, in characters. */
const LONGEST_LIST = 2_000_000;
/** Maximum length of a name, or of a text that means an omitted value, in characters. */
const LONGEST_WORD = 100;
/** Maximum number of wrappers, such as quotes in backticks in angle brackets. */
const MAXIMUM_WRAPPERS = 3;

const WHOLE_NUMBER = /^[+-]?\d{1,16}(\.0*)?$/;
const BARE_ID = /^(\d+|[0-9a-f]{32})$/i;
const WORD = /^[\w-]+$/;
const MARKDOWN_LINK = /^!?\[[^\]]*\]\(\s*<?([^\s<>]+?)>?(?:\s+"[^"]*")?\s*\)$/;
/** A link with angle brackets; Slack adds a label: `<https://help.example|Help>`. */
const ANGLE_BRACKETS = /^<([^<>|\s]+)(?:\|[^<>]*)?>$/;
const QUOTED = /^(["'`])(.+)\1$/s;
/** A separator in a text whose white space is single spaces. */
const SEPARATOR = / ?[,;|] ?| /;
const SEPARATOR_BEFORE_URL =
  /(?: ?[,;|] ?| )(?=["'`<]{0,3}(?:!?\[[^\][]{0,200}\]\(<?)?[a-z][a-z0-9+.-]{0,20}:\/\/)/i;
/** A glob up to a line end, or up to a comma outside of braces and before another glob. */
const GLOB = /(?:\{(?:[^{}]|\{[^{}]*\})*\}|[^,\n]|,(?!\s|[/*?{]|https?:))+/gi;

/** The error for an input that is too large to read, with the reason as a sentence. */
export class TooLarge extends Error {
  override readonly name = 'TooLarge';
}

/**
 * Reads a tool's input by its schema. Sizes are checked before anything else looks at a value.
 *
 * @throws {TooLarge}
 */
export function readInput(schema: z.core.$ZodType, value: unknown, path = ''): unknown {
  const { inner, isOptional } = unwrapped(schema);
  if (isOptional && isLeftOut(value)) return undefined;
  if (inner instanceof z.ZodObject) return readObject(inner, value, path);
  if (inner instanceof z.ZodArray) return readList(inner, value, path);
  return readScalar(inner, value, path);
}

/** The schema without its optional wrappers. */
export function unwrapped(schema: z.core.$ZodType): {
  inner: z.core.$ZodType;
  isOptional: boolean;
} {
  let inner = schema;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault) inner = inner.unwrap();
  return { inner, isOptional: inner !== schema };
}

/** A name without case, white space, `_` and `-`: two names with the same folded form are the same. */
export function folded(name: string): string {
  return name.length > LONGEST_WORD ? name : name.toLowerCase().replace(/[\s_-]/g, '');
}

function readObject(schema: z.ZodObject, value: unknown, path: string): unknown {
  if (typeof value === 'string') checkLength(path, value.length, LONGEST_LIST_TEXT);
  const object = parsedJson(value, '{');
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return value;
  const given = Object.keys(object);
  if (given.length > MAXIMUM_FIELDS) {
    const where = path === '' ? 'The input' : path;
    throw new TooLarge(
      `${where} has ${given.length} fields; at most ${MAXIMUM_FIELDS} are allowed.`,
    );
  }
  const spellings = given.map(folded);
  const fields = Object.entries(object).map(([spelling, field], index) => {
    const isOnly = spellings.filter((other) => other === spellings[index]).length === 1;
    const own = Object.keys(schema.shape).find((name) => folded(name) === spellings[index]);
    const name = isOnly && own !== undefined ? own : spelling;
    const fieldSchema = Object.hasOwn(schema.shape, name) ? schema.shape[name] : undefined;
    const fieldPath = path === '' ? name : `${path}.${name}`;
    return [name, fieldSchema === undefined ? field : readInput(fieldSchema, field, fieldPath)];
  });
  return Object.fromEntries(fields);
}

function readList({ element }: z.ZodArray, value: unknown, path: string): unknown {
  const items = listItems(element, value, path);
  if (items === null) return value;
  checkCount(path, items.length);
  const kind = textMeanings.get(element)?.kind;
  if (kind === undefined)
    return items.map((item, at) => readInput(element, item, `${path}[${at}]`));
  const lengths = items.map((item) => (typeof item === 'string' ? item.length : 0));
  for (const [at, length] of lengths.entries())
    checkLength(`${path}[${at}]`, length, LONGEST_LIST_TEXT);
  const sum = lengths.reduce((total, length) => total + length, 0);
  checkLength(path, sum, LONGEST_LIST);
  const parts: unknown[] = [];
  for (const item of items) {
    // One text can hold a whole list, so the count is checked while splitting.
    if (parts.length > MAXIMUM_LIST_ITEMS) break;
    parts.push(...(typeof item === 'string' ? splitText(item, kind) : [item]));
  }
  checkCount(path, parts.length);
  return parts.map((part, at) => readInput(element, part, `${path}[${at}]`));
}

/** The items of a list, or of a value that can only mean one; null for any other value. */
function listItems(element: z.core.$ZodType, value: unknown, path: string): unknown[] | null {
  if (Array.isArray(value)) return value;
  const isTexts = element instanceof z.ZodString;
  if (typeof value === 'number') return isTexts ? [value] : null;
  if (typeof value === 'string') {
    checkLength(path, value.length, LONGEST_LIST_TEXT);
    const list = parsedJson(value, '[');
    if (Array.isArray(list)) return list;
    if (isTexts) return isBrokenList(value, element) || isLeftOut(value) ? null : [value];
  }
  const item = parsedJson(value, '{');
  const isObject = typeof item === 'object' && item !== null;
  return isObject && element instanceof z.ZodObject ? [item] : null;
}

function readScalar(schema: z.core.$ZodType, value: unknown, path: string): unknown {
  if (typeof value === 'number' && schema instanceof z.ZodString) {
    // A larger number has lost digits.
    return Number.isSafeInteger(value) ? String(value) : value;
  }
  if (typeof value !== 'string') return value;
  checkLength(path, value.length, LONGEST_INPUT_TEXT);
  if (schema instanceof z.ZodString) return textMeanings.has(schema) ? bare(value) : value;
  const word = value.trim();
  if (schema instanceof z.ZodNumber) return WHOLE_NUMBER.test(word) ? Number(word) : value;
  if (schema instanceof z.ZodBoolean) {
    const lower = word.toLowerCase();
    return lower === 'true' || (lower === 'false' ? false : value);
  }
  if (schema instanceof z.ZodEnum) {
    const own = schema.options.find((option) => folded(String(option)) === folded(word));
    const words = new Map(Object.entries(choiceWords.get(schema) ?? {}));
    return own ?? words.get(folded(word)) ?? value;
  }
  return value;
}

/** Throws if a list has too many items. */
function checkCount(path: string, count: number): void {
  if (count <= MAXIMUM_LIST_ITEMS) return;
  const [has, most] = [count, MAXIMUM_LIST_ITEMS].map((one) => one.toLocaleString('en-US'));
  throw new TooLarge(`${path} has ${has} items; at most ${most} are allowed: pass fewer at once.`);
}

/** Throws if a text, or the texts of a list together, are too long. */
function checkLength(path: string, length: number, longest: number): void {
  if (length <= longest) return;
  const [has, most] = [length, longest].map((one) => one.toLocaleString('en-US'));
  throw new TooLarge(`${path} is ${has} characters long; at most ${most} are allowed.`);
}

/** True if the value of an optional field only means that it is left out. */
function isLeftOut(value: unknown): boolean {
  if (Array.isArray(value))
    return value.length === 0 || (value.length === 1 && isLeftOut(value[0]));
  if (typeof value !== 'string') return value === null;
  return value.length <= LONGEST_WORD && /^\s*(\[\s*\]\s*)?$/.test(value);
}

/** The value of a JSON text that begins with this character; anything else as it is. */
function parsedJson(value: unknown, begin: '[' | '{'): unknown {
  if (typeof value !== 'string' || !value.trimStart().startsWith(begin)) return value;
  try {
    return JSON.parse(value);
  } catch {
    // The text is not JSON after all.
    return value;
  }
}

/** True if a text begins like a JSON list, but is neither one, nor a link in Markdown, nor a glob. */
function isBrokenList(text: string, element: z.core.$ZodType): boolean {
  if (textMeanings.get(element)?.kind === 'glob') return false;
  return text.trimStart().startsWith('[') && !text.includes('](');
}

/** A text without surrounding quotes, backticks, angle brackets and Markdown. */
function bare(text: string): string {
  let inner = text.trim();
  for (let wrapper = 0; wrapper < MAXIMUM_WRAPPERS; wrapper += 1) {
    const linked = MARKDOWN_LINK.exec(inner)?.[1] ?? ANGLE_BRACKETS.exec(inner)?.[1];
    inner = linked ?? QUOTED.exec(inner)?.[2]?.trim() ?? inner;
  }
  return inner;
}

/** The items in one text of a list. */
function splitText(text: string, kind: TextMeaning['kind']): unknown[] {
  // Most texts are a single item, which must cost no time.
  if (!/[\s,;|[]/.test(text)) return [text];
  const list = parsedJson(text, '[');
  if (Array.isArray(list)) return list;
  const parts =
    kind === 'glob'
      ? (text.match(GLOB) ?? []).filter((glob) => glob.trim() !== '')
      : splitNames(text, kind);
  return parts.length > 1 ? parts.slice(0, MAXIMUM_LIST_ITEMS + 1) : [text];
}

/** Splits a text into several IDs, or into several URLs, each of which begins with its scheme. */
function splitNames(text: string, kind: TextMeaning['kind']): string[] {
  const line = text.replace(/\s+/g, ' ');
  const split = (separator: RegExp) =>
    line
      .split(separator, MAXIMUM_LIST_ITEMS + 1)
      .map((part) => part.replace(/^[ ,;|]+/, '').replace(/(?<![ ,;|])[ ,;|]+$/, ''))
      .filter((part) => part !== '');
  const words = split(SEPARATOR);
  const isId = (word: string) => isSourceId(word) || (kind === 'externalId' && BARE_ID.test(word));
  if (words.every((word) => isId(bare(word)))) return words;
  // Confluence uses words as IDs of spaces, which white space does not separate.
  const isWordList = kind === 'externalId' && words.every((word) => WORD.test(bare(word)));
  if (isWordList && !/[\w-] [\w-]/.test(line)) return words;
  return split(SEPARATOR_BEFORE_URL);
}
