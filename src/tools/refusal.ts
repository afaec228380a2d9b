import * as z from 'zod';
import { cut, quoted } from '../text.ts';
import {
  folded,
  pathText,
  type ReadInput,
  readInput,
  textMeanings,
  unwrapped,
} from './read-input.ts';

/* What is wrong with a tool's input, in words: the one place in which a schema's issues become text. */

/** How many lines, names and items a refusal has at the most; it says that there are more. */
const MAXIMUM_LINES = 50;
const MAXIMUM_NAMED = 10;
const MAXIMUM_NAMED_ITEMS = 50;
/** How much of a list or an object is shown. */
const SHOWN_PARTS = 4;
const SHOWN_DEPTH = 3;
const SHOWN_LENGTH = 200;
/** How far a name may be from the one that is meant, in letters. */
const MAXIMUM_DISTANCE = 2;
const LONGEST_NAME = 40;

/**
 * Names that models use for an input's, each with that which it may stand for, folded but for the
 * latter. What stands for something else in another tool is looked for in the tool's own schema.
 */
const NAMES_ALIKE: readonly (readonly string[])[] = [
  [
    'ids',
    'documentIds',
    'id',
    'externalIds',
    'documentIdsToAdd',
    'documentIdsToRefresh',
    'sourceIds',
    'sourceId',
    'documentId',
    'uuids',
    'uuid',
  ],
  ['articleIds', 'articleId', 'ids', 'id', 'draftIds', 'draftId', 'uuids', 'uuid'],
  ['botId', 'agentId', 'bot', 'agent', 'id'],
  ['externalIds', 'pageIds', 'articleIds', 'resourceIds', 'items', 'pages'],
  ['externalIds', 'url', 'urls', 'link', 'pageUrl', 'pageUrls'],
  ['resources', 'items', 'pages', 'articles'],
  [
    'links',
    'documentIdsToAdd',
    'originalUrl',
    'urls',
    'url',
    'link',
    'startUrls',
    'startUrl',
    'website',
    'site',
    'address',
    'pages',
    'documents',
  ],
  ['documentIdsToRefresh', 'refresh', 'refreshIds', 'urlsToRefresh'],
  ['documentIdsToAdd', 'add', 'urlsToAdd'],
  ['timeoutSeconds', 'timeout', 'timeoutMs', 'wait', 'maxWait', 'seconds', 'waitSeconds'],
  ['limit', 'max', 'maxPages', 'maxResults', 'maxItems', 'pageSize', 'perPage', 'count', 'top'],
  ['search', 'title', 'query', 'q', 'searchTerm', 'text', 'name', 'filter'],
  ['provider', 'source', 'type', 'kind', 'sourceType'],
  ['include', 'includes', 'includePatterns', 'includeGlobs', 'includePaths', 'pattern'],
  ['exclude', 'excludes', 'excludePatterns', 'excludeGlobs', 'excludePaths', 'ignore'],
  ['dryRun', 'preview', 'dry', 'simulate'],
  ['cursor', 'nextCursor', 'after', 'page', 'pageToken'],
  ['offset', 'nextOffset', 'skip', 'start'],
  ['queuedAfter', 'since', 'after'],
  ['english', 'isEnglish', 'language', 'lang'],
  ['status', 'linkedJobStatus', 'state'],
  ['all', 'everything'],
];

/** An input, or why a tool refuses it. */
export type Parsed<Input> = { readonly input: Input } | { readonly refusal: string };

/** Reads a tool's input as it was meant and checks it; a refusal names everything that is wrong. */
export function parseInput<Schema extends z.ZodObject>(
  tool: string,
  schema: Schema,
  given: unknown,
): Parsed<z.output<Schema>> {
  const read = readInput(schema, given);
  if (read.excesses.length > 0) return { refusal: refusalText(tool, read.excesses) };
  // The words for what is wrong are made here.
  const parsed = schema.safeParse(read.value, { error: () => '' });
  if (parsed.success) return { input: parsed.data };
  return { refusal: refusalText(tool, faultsOf(tool, schema, read, parsed.error.issues)) };
}

function refusalText(tool: string, faults: readonly string[]): string {
  const lines = faults.slice(0, MAXIMUM_LINES).map((fault) => `- ${fault}`);
  if (faults.length > MAXIMUM_LINES) lines.push('- and more');
  return [`The input of ${tool} is wrong, so nothing was sent to Fini:`, ...lines].join('\n');
}

function faultsOf(
  tool: string,
  schema: z.ZodObject,
  read: ReadInput,
  issues: readonly z.core.$ZodIssue[],
): string[] {
  const faults = new Faults(read);
  // A name that was meant otherwise is not missing, too.
  const misnamed = new Set<string>();
  for (const issue of issues) {
    if (issue.code !== 'unrecognized_keys' || issue.path.length > 0) continue;
    for (const name of issue.keys.slice(0, MAXIMUM_NAMED)) {
      const [only, ...others] = fieldsMeant(name, schema);
      if (only !== undefined && others.length === 0) misnamed.add(only);
    }
  }
  for (const issue of issues) {
    if (faults.isFull) break;
    const { path } = issue;
    const value = valueAt(read.value, path);
    if (value === undefined && path.length === 1 && misnamed.has(pathText(path))) continue;
    const at = schemaAt(schema, path);
    switch (issue.code) {
      case 'unrecognized_keys':
        for (const fault of unknownNames(tool, at, path, issue.keys)) faults.add([], fault);
        break;
      case 'custom':
        faults.add(path, issue.message);
        break;
      case 'too_small':
        if (issue.origin === 'array' || issue.origin === 'string') {
          faults.add([], `${pathText(path)} is empty: pass ${expected(at)}.`);
          break;
        }
        faults.add(path, `must be ${expected(at)}`);
        break;
      case 'too_big':
        faults.add(
          issue.origin === 'array' ? [] : path,
          Array.isArray(value)
            ? `${pathText(path)} has ${value.length} items; at most ${issue.maximum} are allowed: pass fewer at once.`
            : `must be ${expected(at)}`,
        );
        break;
      default:
        if (isMissing(value) && typeof path.at(-1) !== 'number') {
          const given = value === undefined ? '' : ` (given: ${shownValue(value)})`;
          faults.add([], `${pathText(path)} is required${given}: ${expected(at)}.`);
        } else {
          // A schema may add what its kind of value does not tell.
          const more = issue.message === '' ? '' : `. ${issue.message}`;
          faults.add(path, `must be ${expected(at)}${explanation(at, value)}${more}`);
        }
    }
  }
  return faults.sentences();
}

/** Whether nothing was given, or what some write for nothing. */
function isMissing(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

/** What is wrong with a value beyond that it is another than expected. */
function explanation(schema: z.core.$ZodType | undefined, value: unknown): string {
  if (typeof value === 'number' && schema instanceof z.ZodString) {
    return '. A number this long loses digits: write it in quotes';
  }
  const isText = typeof value === 'string' && schema instanceof z.ZodArray;
  return isText && value.trimStart().startsWith('[') ? '. It is not valid JSON' : '';
}

/** The faults of an input: those of a list's items that are alike are one sentence. */
class Faults {
  readonly #read: ReadInput;
  readonly #sentences: string[] = [];
  /** By list and message: the items' names, and where in the sentences theirs stands. */
  readonly #items = new Map<
    string,
    { names: string[]; count: number; list: string; message: string }
  >();

  constructor(read: ReadInput) {
    this.#read = read;
  }

  /** @param message What follows the value, or a sentence of its own where the path is of none. */
  add(path: readonly PropertyKey[], message: string): void {
    const index = path.at(-1);
    const value = valueAt(this.#read.value, path);
    const isWhole = path.length === 0 || (typeof value === 'object' && value !== null);
    if (typeof index === 'number') {
      this.#addItem(pathText(path.slice(0, -1)), pathText(path), index, value, message);
    } else if (isWhole && !message.startsWith('must ')) {
      this.#sentences.push(path.length === 0 ? message : `${pathText(path)}: ${message}`);
    } else {
      const shown = this.#shownAt(pathText(path), value);
      const sentence = message.startsWith('must ')
        ? withGiven(`${pathText(path)} ${message}`, shown)
        : `${pathText(path)}: ${shown} ${message}`;
      this.#sentences.push(`${sentence}.`);
    }
  }

  /** Whether there is more than a refusal shows. Items that are alike are one sentence, however many. */
  get isFull(): boolean {
    return this.#sentences.length + this.#items.size > MAXIMUM_LINES;
  }

  sentences(): string[] {
    const lists = [...this.#items.values()].map(({ list, names, count, message }) => {
      const more = count > names.length ? ` and ${count - names.length} more` : '';
      const subject = message.startsWith('must ') ? 'Each ' : '';
      return `${list}: ${names.join(', ')}${more}. ${subject}${message}.`;
    });
    return [...this.#sentences, ...lists];
  }

  #addItem(list: string, path: string, index: number, value: unknown, message: string): void {
    const key = `${list}\n${message}`;
    const items = this.#items.get(key) ?? { names: [], count: 0, list, message };
    this.#items.set(key, items);
    items.count += 1;
    if (items.names.length >= MAXIMUM_NAMED_ITEMS) return;
    const position = this.#read.positions.get(path) ?? index;
    items.names.push(`[${position}] ${this.#shownAt(path, value)}`);
  }

  #shownAt(path: string, value: unknown): string {
    return shownValue(this.#read.given.has(path) ? this.#read.given.get(path) : value);
  }
}

/** Puts what was given before an explanation. */
function withGiven(sentence: string, given: string): string {
  const [first, ...others] = sentence.split('. ');
  return [`${first} (given: ${given})`, ...others].join('. ');
}

/** A value as it was given: text in quotes, anything else bare; bounded, and without passwords. */
function shownValue(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object' || value === null) return String(value);
  // What quoted leaves out of a text is left out here too.
  return quoted(preview(value, 0)).slice(1, -1).replaceAll('\\"', '"');
}

/** The beginning of a value as JSON. */
function preview(value: unknown, depth: number): string {
  if (typeof value === 'string') return JSON.stringify(cut(value, SHOWN_LENGTH));
  if (typeof value !== 'object' || value === null) return String(value);
  if (depth >= SHOWN_DEPTH) return '…';
  if (Array.isArray(value)) {
    const parts = value.slice(0, SHOWN_PARTS).map((part) => preview(part, depth + 1));
    return `[${parts.join(',')}${value.length > SHOWN_PARTS ? ',…' : ''}]`;
  }
  const parts: string[] = [];
  // One by one, since there may be a million.
  for (const name in value) {
    if (parts.length === SHOWN_PARTS) return `{${parts.join(',')},…}`;
    const part = Object.getOwnPropertyDescriptor(value, name)?.value;
    parts.push(`${JSON.stringify(cut(name, SHOWN_LENGTH))}:${preview(part, depth + 1)}`);
  }
  return `{${parts.join(',')}}`;
}

/** What a value must be, in words that follow "must be". */
function expected(schema: z.core.$ZodType | undefined): string {
  if (schema instanceof z.ZodString) return textMeanings.get(schema)?.one ?? 'text';
  if (schema instanceof z.ZodBoolean) return 'true or false';
  if (schema instanceof z.ZodNumber) return wholeNumber(schema);
  if (schema instanceof z.ZodEnum) {
    return `one of ${schema.options.map((option) => JSON.stringify(option)).join(', ')}`;
  }
  if (schema instanceof z.ZodObject) {
    return `an object with ${Object.keys(schema.shape).join(', ')}`;
  }
  if (!(schema instanceof z.ZodArray)) return 'something else';
  const { element } = schema;
  if (element instanceof z.ZodObject)
    return `a list of objects with ${required(element).join(', ')}`;
  return `a list of ${textMeanings.get(element)?.many ?? 'texts'}`;
}

function wholeNumber({ minValue, maxValue }: z.ZodNumber): string {
  const least = minValue === null || minValue <= Number.MIN_SAFE_INTEGER ? null : minValue;
  const most = maxValue === null || maxValue >= Number.MAX_SAFE_INTEGER ? null : maxValue;
  if (least === null) return 'a whole number';
  return most === null
    ? `a whole number, at least ${least}`
    : `a whole number from ${least} to ${most}`;
}

function required({ shape }: z.ZodObject): string[] {
  return Object.keys(shape).filter((name) => {
    const field = shape[name];
    return field !== undefined && !unwrapped(field).isOptional;
  });
}

/** Names that an object has no field of, and what is meant by each. */
function unknownNames(
  tool: string,
  schema: z.core.$ZodType | undefined,
  path: readonly PropertyKey[],
  names: readonly string[],
): string[] {
  if (!(schema instanceof z.ZodObject)) return [];
  const owner = path.length === 0 ? tool : pathText(path);
  const faults = names.slice(0, MAXIMUM_NAMED).map((name) => {
    const meant = fieldsMeant(name, schema);
    return meant.length === 0
      ? `${owner} has no ${quoted(name)}: it takes ${Object.keys(schema.shape).join(', ') || 'no input'}.`
      : `${owner} has no ${quoted(name)}: use ${meant.join(' or ')}.`;
  });
  const more = names.length - MAXIMUM_NAMED;
  return more > 0 ? [...faults, `${owner} has none of the ${more} other names either.`] : faults;
}

/** The fields that a name which is none may stand for. */
function fieldsMeant(name: string, { shape }: z.ZodObject): string[] {
  if (name.length > LONGEST_NAME) return [];
  const wanted = folded(name);
  const own = Object.keys(shape);
  const exact = own.filter((one) => folded(one) === wanted);
  if (exact.length > 0) return exact;
  const inside = own.filter((one) => {
    const field = shape[one];
    const inner = field === undefined ? undefined : unwrapped(field).inner;
    return inner instanceof z.ZodObject && Object.hasOwn(inner.shape, name);
  });
  if (inside.length > 0) return inside.map((one) => `${one}.${name}`);
  const alike = NAMES_ALIKE.filter((names) => names.some((one) => folded(one) === wanted));
  const meant = [...new Set(alike.flat())].filter((one) => own.includes(one));
  return meant.length > 0 ? meant : own.filter((one) => isNear(folded(one), wanted));
}

/** Whether two names are a slip of the keyboard apart. */
export function isNear(one: string, other: string): boolean {
  return (
    Math.max(one.length, other.length) > 2 * MAXIMUM_DISTANCE &&
    distance(one, other) <= MAXIMUM_DISTANCE
  );
}

/** How many letters must change to make one word of another; for short words. */
function distance(one: string, other: string): number {
  let above = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [row, letter] of [...one].entries()) {
    const current = [row + 1];
    for (const [column, wanted] of [...other].entries()) {
      const changed = (above[column] ?? 0) + (letter === wanted ? 0 : 1);
      current.push(Math.min(changed, (above[column + 1] ?? 0) + 1, (current[column] ?? 0) + 1));
    }
    above = current;
  }
  return above.at(-1) ?? 0;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, part) => {
    if (typeof at !== 'object' || at === null) return undefined;
    return Object.getOwnPropertyDescriptor(at, part)?.value;
  }, value);
}

/** The schema of what stands at a path, without what makes it optional. */
function schemaAt(
  schema: z.core.$ZodType,
  path: readonly PropertyKey[],
): z.core.$ZodType | undefined {
  return path.reduce<z.core.$ZodType | undefined>((at, part) => {
    if (at instanceof z.ZodArray) return unwrapped(at.element).inner;
    if (!(at instanceof z.ZodObject)) return undefined;
    const field = at.shape[String(part)];
    return field === undefined ? undefined : unwrapped(field).inner;
  }, schema);
}
