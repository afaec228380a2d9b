/** How long a title may be where a model reads it, in characters. */
export const TITLE_LENGTH = 200;
/** How long an error text may be where a model reads it, in characters. */
export const ERROR_LENGTH = 400;
/** How long a URL may be where a model reads it, in characters: longer ones are not used. */
export const URL_LENGTH = 2_000;

/**
 * Text from a web page or from Fini, fit to be shown: one line, without control characters, cut
 * at `length` characters. It stays data: nothing in it is acted upon.
 */
export function bounded(text: string, length: number): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  return line.length > length ? `${line.slice(0, length - 1)}…` : line;
}

/** The same, and null for null. */
export function boundedOrNull(text: string | null, length: number): string | null {
  return text === null ? null : bounded(text, length);
}

/** "1 source", "2 sources". */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}
