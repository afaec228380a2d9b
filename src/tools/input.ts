import * as z from 'zod';
import { cut, jsonText, quoted } from '../text.ts';
import { folded, readInput, TooLarge, textMeanings, unwrapped } from './read-input.ts';

/* Checks a tool's input, and says in one refusal everything that is wrong with it. */

/** Limits of a refusal, which says if there is more. */
const SHOWN_LINES = 50;
const SHOWN_NAMES = 10;
const SHOWN_WRONG_ITEMS = 50;
/** Limits on lists and objects in a refusal. */
const SHOWN_PARTS = 4;
const SHOWN_DEPTH = 3;
const SHOWN_LENGTH = 200;
/** Maximum length of a call in a refusal, in characters. */
const LONGEST_CALL = 500;
/** Maximum length of a name that can be understood, in characters. */
const LONGEST_NAME = 64;

/** Parameters that models mean by names which share no word with them. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  url: ['links', 'documentIdsToAdd', 'externalIds'],
  page: ['links', 'documentIdsToAdd', 'externalIds', 'resources'],
  site: ['links', 'documentIdsToAdd'],
  item: ['externalIds', 'resources'],
  resource: ['externalIds'],
  uuid: ['ids', 'documentIds', 'articleIds', 'id'],
  draft: ['articleIds'],
  agent: ['botId'],
  max: ['limit'],
  count: ['limit'],
  query: ['search', 'title'],
  wait: ['timeoutSeconds'],
  type: ['provider', 'source'],
  kind: ['provider', 'source'],
  preview: ['dryRun'],
  since: ['queuedAfter'],
  after: ['cursor', 'queuedAfter'],
  state: ['status'],
  language: ['english'],
  pattern: ['include'],
  ignore: ['exclude'],
};

/** An input, or the reason that a tool refuses it. */
export type Parsed<Input> = { readonly input: Input } | { readonly refusal: string };

/** Reads a tool's input as it was meant, and checks it. A refusal names everything that is wrong. */
export function parseInput<Schema extends z.ZodObject>(
  tool: string,
  schema: Schema,
  given: unknown,
): Parsed<z.output<Schema>> {
  let value: unknown;
  try {
    value = readInput(schema, given ?? {});
  } catch (error) {
    if (!(error instanceof TooLarge)) throw error;
    return { refusal: refusalText(tool, [error.message]) };
  }
  // The messages are made below.
  const parsed = schema.safeParse(value, { error: () => '' });
  if (parsed.success) return { input: parsed.data };
  const { issues } = parsed.error;
  const renamed = withOwnNames(schema, value, issues);
  const faults = faultsOf(tool, schema, value, issues, renamed);
  const right = renamed !== null && schema.safeParse(renamed).success ? jsonText(renamed) : '';
  // The part before an "@" may be a password.
  const isShown = right !== '' && right.length <= LONGEST_CALL && !right.includes('@');
  const call = isShown ? `\nThe right call: ${tool} ${right}` : '';
  return { refusal: refusalText(tool, faults) + call };
}

function refusalText(tool: string, faults: readonly string[]): string {
  const lines = faults.slice(0, SHOWN_LINES).map((fault) => `- ${fault}`);
  if (faults.length > SHOWN_LINES) lines.push('- and more');
  return [`The input of ${tool} is wrong, so nothing was sent to Fini:`, ...lines].join('\n');
}

/** The input with unknown names replaced by the only ones that they can mean; null if none can be. */
function withOwnNames(
  schema: z.ZodObject,
  value: unknown,
  issues: readonly z.core.$ZodIssue[],
): Record<string, unknown> | null {
  const unknown = issues.flatMap((issue) =>
    issue.code === 'unrecognized_keys' && issue.path.length === 0 ? issue.keys : [],
  );
  if (unknown.length === 0 || typeof value !== 'object' || value === null) return null;
  const names = unknown.slice(0, SHOWN_NAMES).flatMap((name) => {
    const [own, ...others] = fieldsMeant(name, schema);
    const isSure = own !== undefined && others.length === 0 && Object.hasOwn(schema.shape, own);
    return isSure && !Object.hasOwn(value, own) ? [[name, own] as const] : [];
  });
  const meant = new Map(names);
  const fields = Object.entries(value).map(([name, field]) => [meant.get(name) ?? name, field]);
  return meant.size === 0 ? null : Object.fromEntries(fields);
}

/** A fault: a sentence, or an item of a list. Items with the same fault share a sentence. */
type InputFault = string | { readonly list: string; readonly item: string; readonly why: string };

function faultsOf(
  tool: string,
  schema: z.ZodObject,
  value: unknown,
  issues: readonly z.core.$ZodIssue[],
  renamed: Record<string, unknown> | null,
): string[] {
  const sentences: string[] = [];
  const lists = new Map<string, { start: string; items: string[]; why: string }>();
  for (const issue of issues) {
    if (sentences.length + lists.size > SHOWN_LINES) break;
    // A parameter that was given under another name is not also missing.
    if (valueAt(value, issue.path) === undefined && valueAt(renamed, issue.path) !== undefined)
      continue;
    for (const fault of faultsOfIssue(tool, schema, value, issue)) {
      if (typeof fault === 'string') {
        sentences.push(fault);
        continue;
      }
      const { list, item, why } = fault;
      const alike = lists.get(`${list}\n${why}`) ?? { start: list, items: [], why };
      alike.items.push(item);
      lists.set(`${list}\n${why}`, alike);
    }
  }
  const grouped = [...lists.values()].map(({ start, items, why }) => {
    const more = items.length - SHOWN_WRONG_ITEMS;
    const named = items.slice(0, SHOWN_WRONG_ITEMS).join(', ');
    return `${start}: ${named}${more > 0 ? ` and ${more} more` : ''}. ${why}.`;
  });
  return [...sentences, ...grouped];
}

function faultsOfIssue(
  tool: string,
  schema: z.ZodObject,
  value: unknown,
  issue: z.core.$ZodIssue,
): readonly InputFault[] {
  const { path, code, message } = issue;
  const name = pathText(path);
  const at = schemaAt(schema, path);
  const found = valueAt(value, path);
  const index = path.at(-1);
  const itemFault = (position: number, why: string): InputFault => ({
    list: pathText(path.slice(0, -1)),
    item: `[${position}] ${shownValue(found)}`,
    why,
  });
  if (code === 'unrecognized_keys') return unknownNames(tool, at, name, issue.keys);
  if (code === 'custom') {
    if (typeof index === 'number') return [itemFault(index, message)];
    if (path.length === 0 || found === undefined) return [message];
    const isWhole = typeof found === 'object' && found !== null;
    return [isWhole ? `${name}: ${message}` : `${name}: ${shownValue(found)} ${message}.`];
  }
  const isSized = 'origin' in issue && (issue.origin === 'array' || issue.origin === 'string');
  if (code === 'too_small' && isSized) return [`${name} is empty: pass ${expected(at)}.`];
  if (code === 'too_big' && Array.isArray(found)) {
    const most = `at most ${issue.maximum} are allowed`;
    return [`${name} has ${found.length} items; ${most}: pass fewer at once.`];
  }
  // A schema may add something that the kind of value does not say.
  const more = furtherReason(at, found) + (message === '' ? '' : `. ${message}`);
  if (typeof index === 'number') return [itemFault(index, `Each must be ${expected(at)}${more}`)];
  if (found === undefined || found === null || found === '') {
    const given = found === undefined ? '' : ` (given: ${shownValue(found)})`;
    return [`${name} is required${given}: ${expected(at)}.`];
  }
  return [`${name} must be ${expected(at)} (given: ${shownValue(found)})${more}.`];
}

/** The reason that a value is wrong, if it is more than the wrong type. */
function furtherReason(schema: z.core.$ZodType | undefined, value: unknown): string {
  if (typeof value === 'number' && schema instanceof z.ZodString) {
    return '. A number this long loses digits: write it in quotes';
  }
  const isText = typeof value === 'string' && schema instanceof z.ZodArray;
  return isText && value.trimStart().startsWith('[') ? '. It is not valid JSON' : '';
}

/** A value as given: text in quotes, anything else bare; bounded, and without passwords. */
function shownValue(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  if (typeof value !== 'object' || value === null) return String(value);
  // quoted() also removes passwords from this text.
  return quoted(preview(value)).slice(1, -1).replaceAll('\\"', '"');
}

/** The beginning of a value as JSON. */
function preview(value: unknown, depth = 0): string {
  if (typeof value === 'string') return JSON.stringify(cut(value, SHOWN_LENGTH));
  if (typeof value !== 'object' || value === null) return String(value);
  if (depth === SHOWN_DEPTH) return '…';
  if (Array.isArray(value)) {
    const items = value.slice(0, SHOWN_PARTS).map((item) => preview(item, depth + 1));
    return `[${items}${value.length > SHOWN_PARTS ? ',…' : ''}]`;
  }
  const fields: string[] = [];
  // The fields are read one by one, since there may be a million.
  for (const name in value) {
    if (fields.length === SHOWN_PARTS) return `{${fields},…}`;
    const field = preview(valueAt(value, [name]), depth + 1);
    fields.push(`${JSON.stringify(cut(name, SHOWN_LENGTH))}:${field}`);
  }
  return `{${fields}}`;
}

/** A value's description, in words that follow "must be". */
function expected(schema: z.core.$ZodType | undefined): string {
  if (schema instanceof z.ZodString) return textMeanings.get(schema)?.one ?? 'text';
  if (schema instanceof z.ZodBoolean) return 'true or false';
  if (schema instanceof z.ZodNumber) return wholeNumberText(schema);
  if (schema instanceof z.ZodEnum) {
    return `one of ${schema.options.map((option) => JSON.stringify(option)).join(', ')}`;
  }
  if (schema instanceof z.ZodObject) return `an object with ${fieldNames(schema).join(', ')}`;
  if (!(schema instanceof z.ZodArray)) return 'something else';
  const { element } = schema;
  if (!(element instanceof z.ZodObject)) {
    return `a list of ${textMeanings.get(element)?.many ?? 'texts'}`;
  }
  const required = Object.entries(element.shape).filter(
    ([, field]) => !unwrapped(field).isOptional,
  );
  return `a list of objects with ${required.map(([name]) => name).join(', ')}`;
}

function wholeNumberText({ minValue, maxValue }: z.ZodNumber): string {
  const least = minValue === null || minValue <= Number.MIN_SAFE_INTEGER ? null : minValue;
  const most = maxValue === null || maxValue >= Number.MAX_SAFE_INTEGER ? null : maxValue;
  if (least === null) return 'a whole number';
  return most === null
    ? `a whole number, at least ${least}`
    : `a whole number from ${least} to ${most}`;
}

function fieldNames({ shape }: z.ZodObject): string[] {
  return Object.keys(shape);
}

/** One sentence for each unknown name in an object, with the fields that may be meant. */
function unknownNames(
  tool: string,
  schema: z.core.$ZodType | undefined,
  path: string,
  names: readonly string[],
): string[] {
  if (!(schema instanceof z.ZodObject)) return [];
  const owner = path === '' ? tool : path;
  const faults = names.slice(0, SHOWN_NAMES).map((name) => {
    const meant = fieldsMeant(name, schema);
    return meant.length === 0
      ? `${owner} has no ${quoted(name)}: it takes ${fieldNames(schema).join(', ') || 'no input'}.`
      : `${owner} has no ${quoted(name)}: use ${meant.join(' or ')}.`;
  });
  const more = names.length - SHOWN_NAMES;
  return more > 0 ? [...faults, `${owner} has none of the ${more} other names either.`] : faults;
}

/** The fields that an unknown name may mean. */
function fieldsMeant(name: string, schema: z.ZodObject): string[] {
  const own = fieldNames(schema);
  const same = own.filter((field) => folded(field) === folded(name));
  if (same.length > 0) return same;
  const inside = own.filter((field) => {
    const inner = schemaAt(schema, [field]);
    return inner instanceof z.ZodObject && Object.hasOwn(inner.shape, name);
  });
  if (inside.length > 0) return inside.map((field) => `${field}.${name}`);
  const alike = own.filter((field) => likeness(name, field) !== null);
  if (alike.length > 0) return alike;
  const aliases = nameWords(name).flatMap((word) =>
    Object.hasOwn(ALIASES, word) ? (ALIASES[word] ?? []) : [],
  );
  return own.filter((field) => aliases.includes(field));
}

/**
 * Compares the words of an unknown name with those of a known one: the `same`, all of them and `more`, or
 * only some (`fewer`); null if neither has all words of the other.
 */
export function likeness(name: string, other: string): 'same' | 'more' | 'fewer' | null {
  const [words, others] = [nameWords(name), nameWords(other)];
  if (words.length === 0) return null;
  const hasAll = others.every((word) => words.includes(word));
  const isWithin = words.every((word) => others.includes(word));
  if (hasAll) return isWithin ? 'same' : 'more';
  return isWithin ? 'fewer' : null;
}

/** The words of a name in any spelling: `documentIds`, `document_id` and `Document-IDs` are alike. */
function nameWords(name: string): string[] {
  if (name.length > LONGEST_NAME) return [];
  const spaced = name.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase();
  const words = spaced.split(/[^a-z0-9]+/).map((word) => word.replace(/s$/, ''));
  return words.filter((word) => word !== '');
}

/** A path into an input, as people write it: `resources[0].title`. */
function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, part) => {
    if (typeof at !== 'object' || at === null) return undefined;
    return Object.getOwnPropertyDescriptor(at, part)?.value;
  }, value);
}

/** The schema at a path, without its optional wrappers. */
function schemaAt(
  schema: z.core.$ZodType,
  path: readonly PropertyKey[],
): z.core.$ZodType | undefined {
  return path.reduce<z.core.$ZodType | undefined>((at, part) => {
    if (at instanceof z.ZodArray) return unwrapped(at.element).inner;
    const field = at instanceof z.ZodObject ? at.shape[String(part)] : undefined;
    return field === undefined ? undefined : unwrapped(field).inner;
  }, schema);
}
