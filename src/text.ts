/** The most characters shown of a status, a time or an ID. */
export const WORD_LENGTH = 64;
/** The most characters shown of a title. */
export const TITLE_LENGTH = 200;
/** The most characters shown of an error text. */
export const ERROR_LENGTH = 400;
/** The most characters shown of a value that is refused. */
const VALUE_LENGTH = 120;
/** The most characters of a URL; longer ones are not used. */
export const URL_LENGTH = 2_000;
/** Separates the titles of a path. */
export const PATH_SEPARATOR = ' › ';

/** Characters that are looked at for each one that is shown. */
const LOOKED_AT = 100;

/** Characters that look like a blank, and are none to `\s`: Hangul fillers, braille and the like. */
const FILLER = /[\u115f\u1160\u2800\u3164\uffa0\u{1d159}\u{16fe4}]/gu;
/** The ends of lines, as all kinds of systems have them. */
const LINE_END = /\r\n?|[\u0085\u2028\u2029]/g;
/**
 * Characters that take no room and show nothing (format characters, joiners, variation selectors,
 * tags) or that a terminal acts upon, and halves of characters.
 */
const UNSEEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}]/gu;
/** All characters that a reader does not see, or takes for a blank. */
const UNCLEAR =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800\u{1d159}\u{16fe4}]/gu;

/**
 * Text from a web page or from Fini, fit to be shown: only what a reader sees, and line ends and
 * tabs. Joiners go too, since they can hide a message: emoji come apart into those they are made of,
 * and words of scripts that use joiners (Persian, Hindi) stay readable, though not as they are spelt.
 */
export function tidied(text: string): string {
  return text.replace(LINE_END, '\n').replace(FILLER, ' ').replace(UNSEEN, '');
}

/**
 * Tidies a text into one line of at most `length` characters. A text may have millions, so only as
 * many are looked at as are likely to fill the line.
 */
export function bounded(text: string, length: number): string {
  const beginning = text.slice(0, LOOKED_AT * length);
  const line = tidied(beginning.replace(/[\p{Cc}\p{Cs}]/gu, ' '))
    .replace(/\s+/g, ' ')
    .trim();
  const isWhole = beginning.length === text.length && line.length <= length;
  return isWhole || line === '' ? line : `${cut(line, length - 1)}…`;
}

/** The form of a text that searches compare: tidied, in one case, with accents composed one way. */
export function searchKey(text: string): string {
  const shown = bounded(text, Number.POSITIVE_INFINITY);
  const folded = shown.normalize('NFKC').toUpperCase().normalize('NFKC');
  // Composing can make new white space, which is tidied too.
  return bounded(folded, Number.POSITIVE_INFINITY);
}

/**
 * Parses a URL; null if the text is none. `URL.canParse` is not used: once V8 has optimised its
 * callers, Node 20 refuses every text with a letter such as "ü".
 */
export function parsedUrl(text: string): URL | null {
  // IDs are the texts that are looked at most, and an exception takes longer.
  if (!text.includes(':')) return null;
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

/** Escapes what nobody sees in a JSON text. Its meaning stays the same. */
export function seenJson(json: string): string {
  return json.replace(UNCLEAR, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  );
}

/** True if a text has characters that nobody sees, or that only look like a blank. */
export function hasUnseen(text: string): boolean {
  return text.search(UNCLEAR) >= 0;
}

/**
 * A URL as one word that leads to the same page: blanks and unseen characters are percent-encoded.
 * So it cannot pass for a URL and something after it.
 */
export function seenUrl(url: string): string {
  return url
    .trim()
    .replace(/\s/g, (blank) => encodeURIComponent(blank))
    .replace(UNCLEAR, (character) => encodeURIComponent(character.replace(/\p{Cs}/u, '\ufffd')));
}

/** The beginning of a text, at most `length` long, never ending in half a character. */
export function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/\p{Cs}$/u, '');
}

/** A text without what stands before an "@", which may be a password. */
export function masked(text: string): string {
  return text.replace(/^([a-z]+:\/\/)?.*@/is, '$1…@');
}

/** A value that a caller passed, in quotes, as an error names it: bounded and {@link masked}. */
export function quoted(value: unknown): string {
  const open = masked(typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value)));
  const json = JSON.stringify(open.length > VALUE_LENGTH ? `${cut(open, VALUE_LENGTH)}…` : open);
  return json.replace(UNCLEAR, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** An error's message in quotes, bounded, without the full stop that the sentence around it has. */
export function quotedMessage({ message }: Error): string {
  return JSON.stringify(bounded(message, ERROR_LENGTH).replace(/\.$/, ''));
}

/** A value as JSON on one line, which parses, and in which nothing is unseen. */
export function jsonText(value: unknown): string {
  return seenJson(JSON.stringify(value));
}

/** {@link bounded}, and null for null. */
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
