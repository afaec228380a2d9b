import * as z from 'zod';
import { isSourceId } from '../engine/inputs.ts';

/*
 * Models and clients write an input in many ways that mean one thing: null for what is left out,
 * numbers as text, a list as JSON text, a URL in Markdown. This is the one place that reads them,
 * by the tool's own schema and before it is parsed. Where two readings remain the value stays as it
 * is, and the schema refuses it. Count and length come first: nothing else looks at a value that is
 * too large.
 */

/** What a text names, in addition to what its schema says. */
export interface TextMeaning {
  /** How several in one text are told apart, and that quotes and the like around one are not meant. */
  readonly kind: 'name' | 'externalId' | 'glob';
  /** For a refusal: "a source ID (a UUID)". */
  readonly one: string;
  /** For a refusal: "source IDs (UUIDs)". */
  readonly many: string;
}

/** What the texts of the tools' inputs name. */
export const textMeanings = z.registry<TextMeaning>();

/** Words for the values of a choice beside its own, each folded, with the value that it stands for. */
export const choiceWords = z.registry<Readonly<Record<string, string>>>();

/** An input as it was meant. */
export interface ReadInput {
  readonly value: unknown;
  /** What is too large, in sentences. Where there is any, nothing else was looked at. */
  readonly excesses: readonly string[];
  /** Values as they were given, by {@link pathText}, where they were read as something else. */
  readonly given: ReadonlyMap<string, unknown>;
  /** Where the items of a list stood, by {@link pathText}, where that has changed. */
  readonly positions: ReadonlyMap<string, number>;
}

const MAXIMUM_ITEMS = 5_000;
const MAXIMUM_NAMES = 100;
/** How long a text may be, in characters. */
const LONGEST_TEXT = 10_000;
/** How long a text may be that holds a list. */
const LONGEST_LIST_TEXT = 1_000_000;
/** How long all the texts of one list may be together, in characters. */
const LONGEST_LIST = 2_000_000;
/** How many globs one text is split into: far more than are allowed, so none is lost unsaid. */
const SPLIT_GLOBS = 1_000;
/** No number, word or name of an input is longer. */
const LONGEST_WORD = 100;
/** Quotes in backticks in angle brackets. */
const MAXIMUM_WRAPPERS = 3;

const WHOLE_NUMBER = /^[+-]?\d{1,16}(\.0*)?$/;
const BARE_ID = /^(\d+|[0-9a-f]{32})$/i;
const WORD = /^[\w-]+$/;
const MARKDOWN_LINK = /^!?\[[^\]]*\]\(\s*<?([^\s<>]+?)>?(?:\s+"[^"]*")?\s*\)$/;
/** Slack adds a label: `<https://help.example|Help>`. */
const ANGLE_BRACKETS = /^<([^<>|\s]+)(?:\|[^<>]*)?>$/;
const QUOTES = [`""`, `''`, '``', '“”', '‘’'];
/** For a text in which all white space is single spaces. */
const SEPARATOR = / ?[,;|] ?| /;
const URL_BEGINS = `["'\`“‘<]{0,3}(?:!?\\[[^\\][]{0,200}\\]\\(<?)?[a-z][a-z0-9+.-]{0,20}://`;
const SEPARATOR_BEFORE_SCHEME = new RegExp(`(?: ?[,;|] ?| )(?=${URL_BEGINS})`, 'i');
/** What stands before an item of a list in prose: a bullet or a number. */
const MARKER = '(?:[-*+•‣◦–—]|\\d{1,4}[.)])';
/** One at the beginning of a line, before a single word or a URL. */
const LINE_MARKER = new RegExp(`^[ \\t]*${MARKER}[ \\t]+(?=\\S+[ \\t]*$|${URL_BEGINS})`, 'gim');
/** One anywhere, before a URL or an ID. */
const INNER_MARKER = new RegExp(
  `(?:^| )${MARKER} (?=${URL_BEGINS}|(?:[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}|\\d{4,})(?: |$))`,
  'gi',
);

/** A path into an input, as people write it: `resources[0].title`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

/** Takes off what makes a value optional, and says whether anything does. */
export function unwrapped(schema: z.core.$ZodType): {
  inner: z.core.$ZodType;
  isOptional: boolean;
} {
  let inner = schema;
  let isOptional = false;
  while (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault) {
    inner = inner.unwrap();
    isOptional = true;
  }
  return { inner, isOptional };
}

/** Reads a tool's input as it was meant. */
export function readInput(schema: z.ZodObject, input: unknown): ReadInput {
  const reader = new Reader();
  const value = reader.read(schema, input ?? {}, '');
  return { value, ...reader };
}

/** The name that another spelling of it stands for: without case, `_` and `-`. */
export function folded(name: string): string {
  return name.toLowerCase().replace(/[\s_-]/g, '');
}

class Reader {
  readonly excesses: string[] = [];
  readonly given = new Map<string, unknown>();
  readonly positions = new Map<string, number>();

  read(schema: z.core.$ZodType, value: unknown, path: string): unknown {
    const { inner, isOptional } = unwrapped(schema);
    if (isOptional && isLeftOut(value)) return undefined;
    if (inner instanceof z.ZodObject) return this.#readObject(inner, value, path);
    if (inner instanceof z.ZodArray) return this.#readList(inner, value, path);
    if (typeof value === 'string' && this.#isTooLong(value, path, false)) return value;
    const read = readScalar(inner, value);
    if (read !== value && !this.given.has(path)) this.given.set(path, value);
    return read;
  }

  #readObject(schema: z.ZodObject, value: unknown, path: string): unknown {
    if (typeof value === 'string' && this.#isTooLong(value, path, true)) return value;
    const read = parsedJson(value, '{');
    if (typeof read !== 'object' || read === null || Array.isArray(read)) return value;
    const names = Object.keys(read);
    if (names.length > MAXIMUM_NAMES) {
      const where = path === '' ? 'The input' : path;
      this.excesses.push(
        `${where} has ${names.length} fields; at most ${MAXIMUM_NAMES} are allowed.`,
      );
      return value;
    }
    const meant = namesMeant(names, schema);
    const fields = Object.entries(read).map(([given, field]) => {
      const name = meant.get(given) ?? given;
      const fieldSchema = Object.hasOwn(schema.shape, name) ? schema.shape[name] : undefined;
      const fieldPath = path === '' ? name : `${path}.${name}`;
      return [name, fieldSchema === undefined ? field : this.read(fieldSchema, field, fieldPath)];
    });
    return Object.fromEntries(fields);
  }

  #readList(schema: z.ZodArray, value: unknown, path: string): unknown {
    const { element } = schema;
    const items = this.#itemsOf(element, value, path);
    if (items === null || this.#isTooMany(items, path)) return value;
    const meaning = textMeanings.get(element);
    if (meaning !== undefined && this.#isTooLongInAll(items, path)) return value;
    const parts: unknown[] = [];
    for (const [position, item] of items.entries()) {
      // One string can hold a whole list, so the count is checked while splitting.
      if (parts.length > MAXIMUM_ITEMS) break;
      if (typeof item !== 'string' || meaning === undefined) {
        parts.push(item);
        continue;
      }
      if (this.#isTooLong(item, `${path}[${position}]`, true)) return value;
      for (const part of partsOf(item, meaning.kind)) {
        if (parts.length !== position) {
          this.positions.set(`${path}[${parts.length}]`, position);
        }
        parts.push(part);
      }
    }
    if (this.#isTooMany(parts, path)) return value;
    return parts.map((part, index) => this.read(element, part, `${path}[${index}]`));
  }

  /** The items of what stands for a list; null if it cannot. */
  #itemsOf(element: z.core.$ZodType, value: unknown, path: string): unknown[] | null {
    if (Array.isArray(value)) return value;
    const isText = element instanceof z.ZodString;
    if (typeof value === 'number') return isText ? [value] : null;
    if (typeof value === 'string') {
      if (this.#isTooLong(value, path, true)) return null;
      const list = parsedJson(value, '[');
      if (Array.isArray(list)) return list;
      if (isText) return isBrokenList(value, element) || isLeftOut(value) ? null : [value];
    }
    const item = parsedJson(value, '{');
    const isObject = typeof item === 'object' && item !== null;
    return isObject && element instanceof z.ZodObject ? [item] : null;
  }

  #isTooMany({ length }: readonly unknown[], path: string): boolean {
    if (length <= MAXIMUM_ITEMS) return false;
    const [has, most] = [length, MAXIMUM_ITEMS].map((count) => count.toLocaleString('en-US'));
    this.excesses.push(
      `${path} has ${has} items; at most ${most} are allowed: pass fewer at once.`,
    );
    return true;
  }

  #isTooLongInAll(items: readonly unknown[], path: string): boolean {
    const sum = items.reduce<number>(
      (total, item) => total + (typeof item === 'string' ? item.length : 0),
      0,
    );
    if (sum <= LONGEST_LIST) return false;
    const [has, most] = [sum, LONGEST_LIST].map((count) => count.toLocaleString('en-US'));
    this.excesses.push(
      `${path} has ${has} characters; at most ${most} are allowed: pass fewer items at once.`,
    );
    return true;
  }

  #isTooLong({ length }: string, path: string, isList: boolean): boolean {
    const longest = isList ? LONGEST_LIST_TEXT : LONGEST_TEXT;
    if (length <= longest) return false;
    const [has, most] = [length, longest].map((count) => count.toLocaleString('en-US'));
    this.excesses.push(`${path} is ${has} characters long; at most ${most} are allowed.`);
    return true;
  }
}

/** Whether a value of an optional field only means that it is left out. */
function isLeftOut(value: unknown): boolean {
  if (Array.isArray(value)) {
    return value.length === 0 || (value.length === 1 && isLeftOut(value[0]));
  }
  return value === null || (isWord(value) && /^\s*(\[\s*\]\s*)?$/.test(value));
}

function isWord(value: unknown): value is string {
  return typeof value === 'string' && value.length <= LONGEST_WORD;
}

function readScalar(schema: z.core.$ZodType, value: unknown): unknown {
  if (schema instanceof z.ZodString) {
    // A larger number has lost digits.
    if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : value;
    return typeof value === 'string' && textMeanings.has(schema) ? bare(value) : value;
  }
  if (!isWord(value)) return value;
  const word = value.trim();
  if (schema instanceof z.ZodNumber) return WHOLE_NUMBER.test(word) ? Number(word) : value;
  if (schema instanceof z.ZodBoolean) {
    const lower = word.toLowerCase();
    return lower === 'true' || (lower === 'false' ? false : value);
  }
  if (schema instanceof z.ZodEnum) {
    const own = schema.options.find((option) => folded(String(option)) === folded(word));
    const words = Object.entries(choiceWords.get(schema) ?? {});
    return own ?? words.find(([one]) => one === folded(word))?.[1] ?? value;
  }
  return value;
}

/** The input's own names that others stand for, where that is sure. */
function namesMeant(names: readonly string[], { shape }: z.ZodObject): Map<string, string> {
  const strangers = names.filter((name) => !Object.hasOwn(shape, name) && isWord(name));
  const meant = new Map<string, string>();
  for (const own of Object.keys(shape)) {
    const alike = strangers.filter((name) => folded(name) === folded(own));
    const [only] = alike;
    if (only !== undefined && alike.length === 1 && !names.includes(own)) meant.set(only, own);
  }
  return meant;
}

/** What a JSON text that begins so stands for; anything else as it is. */
function parsedJson(value: unknown, begin: '[' | '{'): unknown {
  if (typeof value !== 'string' || !value.trimStart().startsWith(begin)) return value;
  try {
    return JSON.parse(value);
  } catch {
    // Not JSON after all.
    return value;
  }
}

/** Whether a text begins like a JSON list and is none, nor a link in Markdown, nor a glob. */
function isBrokenList(text: string, element: z.core.$ZodType): boolean {
  if (textMeanings.get(element)?.kind === 'glob') return false;
  return text.trimStart().startsWith('[') && !text.includes('](');
}

/** What a text is without quotes, backticks, angle brackets and Markdown around it. */
function bare(text: string): string {
  let inner = text.trim();
  for (let wrapper = 0; wrapper < MAXIMUM_WRAPPERS; wrapper += 1) {
    const linked = MARKDOWN_LINK.exec(inner)?.[1] ?? ANGLE_BRACKETS.exec(inner)?.[1];
    const isQuoted = QUOTES.some(
      (pair) =>
        inner.length > 2 && inner.startsWith(pair.charAt(0)) && inner.endsWith(pair.charAt(1)),
    );
    if (linked !== undefined) inner = linked;
    else if (isQuoted) inner = inner.slice(1, -1).trim();
    else break;
  }
  return inner;
}

/** The items that one text of a list stands for. */
function partsOf(text: string, kind: TextMeaning['kind']): unknown[] {
  // Most texts are one item, which costs as little as can be.
  if (!/[\s,;|[]/.test(text)) return [text];
  const list = parsedJson(text, '[');
  if (Array.isArray(list)) return list;
  if (kind === 'glob') {
    const globs = globsOf(text);
    return globs.length > 1 ? globs : [text];
  }
  const unmarked = withoutMarkers(text);
  const names = namesOf(unmarked, kind);
  return names.length > 1 || unmarked !== text ? names : [text];
}

/** A text whose bullets and numbers before items are separators instead; without any, as it is. */
function withoutMarkers(text: string): string {
  const lines = text.replace(LINE_MARKER, ', ');
  const line = lines.replace(/\s+/g, ' ');
  const unmarked = line.replace(INNER_MARKER, ', ');
  return unmarked === line ? lines : unmarked;
}

/** Several IDs, or several URLs before each of which a scheme shows that it begins there. */
function namesOf(text: string, kind: TextMeaning['kind']): string[] {
  const line = text.replace(/\s+/g, ' ');
  const split = (separator: RegExp) =>
    line
      .split(separator, MAXIMUM_ITEMS + 1)
      .map(withoutSeparators)
      .filter((part) => part !== '');
  const words = split(SEPARATOR);
  const isId = (part: string) => isSourceId(part) || (kind === 'externalId' && BARE_ID.test(part));
  if (words.every((word) => isId(bare(word)))) return words;
  // Where white space does not separate, a word can be an ID too: Confluence's spaces have such.
  const isWordList = kind === 'externalId' && words.every((word) => WORD.test(bare(word)));
  if (isWordList && !/[\w-] [\w-]/.test(line)) return words;
  return split(SEPARATOR_BEFORE_SCHEME);
}

function withoutSeparators(text: string): string {
  const isSeparator = (index: number) => ' ,;|'.includes(text.charAt(index));
  let start = 0;
  let end = text.length;
  while (start < end && isSeparator(start)) start += 1;
  while (start < end && isSeparator(end - 1)) end -= 1;
  return text.slice(start, end);
}

/** Globs with a comma or a line end between them, but none in braces. */
function globsOf(text: string): string[] {
  const globs: string[] = [];
  let depth = 0;
  let start = 0;
  for (let index = 0; index < text.length; index += 1) {
    const character = text.charAt(index);
    if (character === '{') depth += 1;
    if (character === '}') depth -= 1;
    const isComma =
      character === ',' && /^(\s|\/|\*|\?|\{|https?:)/i.test(text.slice(index + 1, index + 7));
    if (depth > 0 || !(isComma || character === '\n')) continue;
    if (globs.length > SPLIT_GLOBS) break;
    globs.push(text.slice(start, index));
    start = index + 1;
  }
  globs.push(text.slice(start));
  return globs.map((glob) => glob.trim()).filter((glob) => glob !== '');
}
