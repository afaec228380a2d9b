/** How long a status, a time or an ID may be where a model reads it, in characters. */
export const WORD_LENGTH = 64;
/** How long a title may be where a model reads it, in characters. */
export const TITLE_LENGTH = 200;
/** How long an error text may be where a model reads it, in characters. */
export const ERROR_LENGTH = 400;
/** How long a value that is refused may be where an error names it, in characters. */
const VALUE_LENGTH = 120;
/** What JSON leaves as it is, and nobody sees. */
const UNSEEN = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;
/** How long a URL may be where a model reads it, in characters: longer ones are not used. */
export const URL_LENGTH = 2_000;

/**
 * Text from a web page or from Fini, fit to be shown: one line, without control characters, cut
 * at `length` characters. It stays data: nothing in it is acted upon.
 */
export function bounded(text: string, length: number): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\s]+/gu, ' ').trim();
  return line.length > length ? `${cut(line, length - 1)}…` : line;
}

/**
 * A text as searches compare it: tidied like the text that is shown, and the same however its
 * accents are composed and in any case.
 */
export function searchKey(text: string): string {
  const shown = bounded(text, Number.POSITIVE_INFINITY);
  const folded = shown.normalize('NFKC').toUpperCase().normalize('NFKC');
  // Composing can make new white space, of which one space is left too.
  return bounded(folded, Number.POSITIVE_INFINITY);
}

/** The beginning of a text, at most `length` long, never ending in half a character. */
export function cut(text: string, length: number): string {
  return text.slice(0, length).replace(/\p{Cs}$/u, '');
}

/**
 * A value that somebody handed in, in quotes, as an error names it: bounded, and without what
 * stands before an "@", which may be a password.
 */
export function quoted(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  const open = text.replace(/^([a-z]+:\/\/)?.*@/is, '$1…@');
  const json = JSON.stringify(open.length > VALUE_LENGTH ? `${cut(open, VALUE_LENGTH)}…` : open);
  return json.replace(UNSEEN, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** A value as JSON on one line, which parses, and in which nothing is unseen. */
export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(UNSEEN, (characters) =>
    Array.from(
      { length: characters.length },
      (_, index) => `\\u${characters.charCodeAt(index).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}

/** {@link bounded}, and null for null. */
export function boundedOrNull(text: string | null, length: number): string | null {
  return text === null ? null : bounded(text, length);
}

/** {@link bounded}; undefined where there is nothing to show. */
export function shown(text: string | null | undefined, length: number): string | undefined {
  return bounded(text ?? '', length) || undefined;
}

/** "1 source", "2 sources". */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}

/** The size of a value as JSON, in bytes. */
export function jsonBytes(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? '');
}

/** The first items of a list that fit into this many bytes as JSON, with what stands between. */
export function fitting<Item>(items: readonly Item[], bytes: number): Item[] {
  let left = bytes;
  const end = items.findIndex((item) => {
    left -= jsonBytes(item) + 1;
    return left < 0;
  });
  return items.slice(0, end < 0 ? items.length : end);
}
