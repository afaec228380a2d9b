/** Maximum length of a status, a time or an ID, in characters. */
export const WORD_LENGTH = 64;
/** Maximum length of a title, in characters. */
export const TITLE_LENGTH = 200;
/** Maximum length of an error text, in characters. */
export const ERROR_LENGTH = 400;
/** Maximum length of a refused value, in characters. */
const VALUE_LENGTH = 120;
/** Maximum length of a URL, in characters; longer ones are not used. */
export const URL_LENGTH = 2_000;
/** Separates the titles of a path. */
export const PATH_SEPARATOR = ' › ';

/** Number of characters to read for each one shown. */
const LOOKED_AT = 100;

/** Characters that look blank without matching `\s`: Hangul fillers, braille and the like. */
const FILLER = /[\u115f\u1160\u2800\u3164\uffa0\u{1d159}\u{16fe4}]/gu;
/** Line ends of all kinds of systems. */
const LINE_END = /\r\n?|[\u0085\u2028\u2029]/g;
/**
 * Characters that are invisible (format characters, joiners, variation selectors, tags) or control a
 * terminal, and lone surrogates.
 */
const UNSEEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;
/** All characters that a reader does not see or takes for a blank. */
const UNCLEAR =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800\u{1d159}\u{16fe4}]/gu;

/**
 * Text from a web page or from Fini, fit to be shown: only visible characters, line ends and tabs.
 * Joiners are removed too, since they can hide a message: emoji fall apart into their components, and
 * words of scripts that use joiners (Persian, Hindi) stay readable, though misspelt.
 */
export function tidied(text: string): string {
  return text.replace(LINE_END, '\n').replace(FILLER, ' ').replace(UNSEEN, '');
}

/**
 * Tidies a text into one line of at most `length` characters. A text may have millions, so it reads
 * only as many as are likely to fill the line.
 */
export function bounded(text: string, length: number): string {
  const beginning = text.slice(0, LOOKED_AT * length);
  const line = tidied(beginning.replace(/[\p{Cc}\p{Cs}]/gu, ' '))
    .replace(/\s+/g, ' ')
    .trim();
  const isWhole = beginning.length === text.length && line.length <= length;
  return isWhole || line === '' ? line : `${cut(line, length - 1)}…`;
}

/** The form of a text for comparing in searches: tidied, in one case, with accents composed one way. */
export function searchKey(text: string): string {
  const shown = bounded(text, Number.POSITIVE_INFINITY);
  const folded = shown.normalize('NFKC').toUpperCase().normalize('NFKC');
  // Composing can produce new white space, which is tidied too.
  return bounded(folded, Number.POSITIVE_INFINITY);
}

/**
 * Parses a URL; null if the text is not one. `URL.canParse` is not used: once V8 has optimised its
 * callers, Node 20 refuses every text with a letter such as "ü".
 */
export function parsedUrl(text: string): URL | null {
  // Most parsed texts are IDs, and an exception takes longer.
  if (!text.includes(':')) return null;
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** Escapes invisible characters in a JSON text, whose meaning stays the same. */
export function seenJson(json: string): string {
  return json.replace(UNCLEAR, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** True if a text has characters that are invisible, or only look like a blank. */
export function hasUnseen(text: string): boolean {
  return text.search(UNCLEAR) >= 0;
}

/**
 * A URL as one word that leads to the same page: blanks and invisible characters are percent-encoded,
 * so it cannot pass for a URL with something after it.
 */
export function seenUrl(url: string): string {
  return url
    .trim()
    .replace(/\s/g, (blank) => encodeURIComponent(blank))
    .replace(UNCLEAR, (character) => encodeURIComponent(character.replace(/\p{Cs}/u, '\ufffd')));
}

/** The first characters of a text, at most `length`, never ending in half a character. */
export function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/\p{Cs}$/u, '');
}

/** A text without the part before an "@", which may be a password. */
export function masked(text: string): string {
  return text.replace(/^([a-z]+:\/\/)?.*@/is, '$1…@');
}

/** A passed value in quotes for an error: bounded and {@link masked}. */
export function quoted(value: unknown): string {
  const open = masked(typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value)));
  const json = JSON.stringify(open.length > VALUE_LENGTH ? `${cut(open, VALUE_LENGTH)}…` : open);
  return json.replace(UNCLEAR, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** An error's message in quotes, bounded, without its full stop. */
export function quotedMessage({ message }: Error): string {
  return JSON.stringify(bounded(message, ERROR_LENGTH).replace(/\.$/, ''));
}

/** A value as valid JSON on one line, without invisible characters. */
export function jsonText(value: unknown): string {
  return seenJson(JSON.stringify(value));
}

/** {@link bounded}, or null for null. */
export function boundedOrNull(text: string | null, length: number): string | null {
  return text === null ? null : bounded(text, length);
}

/** {@link bounded}; undefined if there is nothing to show. */
export function shown(text: string | null | undefined, length: number): string | undefined {
  return bounded(text ?? '', length) || undefined;
}

/** "not_published" as "not published". */
export function statusWords(status: string): string {
  return status.replaceAll('_', ' ');
}

/** A count with its noun: "1 page", "3 pages", "1,200 entries". */
export function plural(count: number, noun: string, pluralNoun = `${noun}s`): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? noun : pluralNoun}`;
}

/** Joins the sentences that are not empty. */
export function paragraph(...sentences: readonly string[]): string {
  return sentences.filter((sentence) => sentence !== '').join(' ');
}

/** The size of a value as JSON, in bytes. */
export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '');
}

/** The first items of a list that fit into this many bytes as JSON, commas included. */
export function fitting<Item>(items: readonly Item[], bytes: number): Item[] {
  let left = bytes;
  const end = items.findIndex((item) => {
    left -= jsonBytes(item) + 1;
    return left < 0;
  });
  return items.slice(0, end < 0 ? items.length : end);
}
