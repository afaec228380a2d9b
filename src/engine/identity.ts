import type { FiniDocument } from '../fini/schemas.ts';
import { parsedUrl } from '../text.ts';

/*
 * An input, a record and another input mean the same source if they have the same ID, or the same kind
 * and the same page.
 */

/**
 * A key that is equal for two inputs that mean the same source: an ID in any case, or the same page. A
 * trailing slash makes another page.
 */
export function inputKey(input: string): string {
  const url = parsedUrl(input);
  return url === null ? input.toLowerCase() : normalised(url);
}

/** An escape in lower case, or of a character that needs none: letters, digits, "-", ".", "_", "~". */
const LOOSE_ESCAPE = /%(?:[a-f]|[0-9A-F][a-f]|2[DE]|3[0-9]|[46][1-9A-F]|[57][0-9A]|5F|7E)/;

/**
 * A URL in a form that is the same for all spellings: scheme and host in lower case, no default port,
 * escapes in upper case and only where needed (RFC 3986, 6.2.2), and no fragment, which names a place
 * in a page. Fragments stay for sites that keep their paths there ("#/", "#!").
 */
export function normalisedUrl(text: string): string {
  return normalised(new URL(text));
}

/** The same for a parsed URL, which it changes. */
function normalised(url: URL): string {
  if (!/^#[/!]/.test(url.hash)) url.hash = '';
  // Most URLs leave the parser normalised, and each is compared many times.
  if (!LOOSE_ESCAPE.test(url.href)) return url.href;
  return url.href.replace(/%[0-9a-f]{2}/gi, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : triplet.toUpperCase();
  });
}

/**
 * A key that is also equal for an input and a record whose URL Fini has rewritten, as after a redirect.
 * Use it only for sources that Fini itself has said belong together: two such URLs may be two pages.
 */
export function looseKey(text: string): string {
  return inputKey(text)
    .replace(/#.*$/, '')
    .replace(/^https?:\/\/(www\.)?/, '')
    .replace(/\/(?=$|\?)/, '');
}

/**
 * Alike for spellings under which sites give one page: with http or https, with or without `www`,
 * `index.html` or a slash at the end, in any case, composed or decomposed. Two such URLs may be two
 * pages all the same, so a page is never left out for it unless the answer names it.
 */
export function twinKey(text: string): string {
  const { host, pathname, search, hash } = new URL(text);
  const path = withReadableEscapes(pathname).toLowerCase();
  return bareHost(host) + path.replace(/(\/index\.(html?|php))?\/*$/, '') + search + hash;
}

/** A host without `www`. */
export function bareHost(host: string): string {
  return host.replace(/^www\./, '');
}

/**
 * A part of a URL with letters other than those of ASCII as a person writes them, composed. Other
 * escapes stay, since "%2F" is no slash.
 */
export function withReadableEscapes(part: string): string {
  return part.replace(/(%[89a-f][0-9a-f])+/gi, decoded).normalize('NFC');
}

/** A part of a URL without escapes. */
export function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // Not every URL is well-formed; as it stands it can still be compared.
    return part;
  }
}

/**
 * The names of a source: its ID, or the URL of a web page. A provider's item has a URL too,
 * but is another source than the page; a young record may not say yet of what kind it is.
 */
export function namesOfSource({
  id,
  source,
  originalUrl,
}: Pick<FiniDocument, 'id' | 'source' | 'originalUrl'>): (string | null)[] {
  return [id, source === 'web' || source === null ? originalUrl : null];
}

/** The records that the inputs mean, by input. */
export function matchRecords(
  inputs: readonly string[],
  records: Iterable<FiniDocument>,
): Map<string, FiniDocument> {
  return matchByKeys(inputs, [...records], [inputKey], namesOfSource);
}

type Key = (text: string) => string;

/**
 * Pairs inputs with candidates that mean the same source, by the most exact keys first. Each candidate
 * is paired at most once.
 */
export function matchByKeys<Candidate>(
  inputs: readonly string[],
  candidates: readonly Candidate[],
  keys: readonly Key[],
  namesOfCandidate: (candidate: Candidate) => readonly (string | null | undefined)[],
): Map<string, Candidate> {
  const matches = new Map<string, Candidate>();
  const taken = new Set<Candidate>();
  for (const key of keys) {
    const byKey = new Map<string, Candidate>();
    for (const candidate of candidates) {
      if (taken.has(candidate)) continue;
      for (const name of namesOfCandidate(candidate)) if (name) byKey.set(key(name), candidate);
    }
    for (const input of inputs) {
      const candidate = matches.has(input) ? undefined : byKey.get(key(input));
      if (candidate === undefined || taken.has(candidate)) continue;
      matches.set(input, candidate);
      taken.add(candidate);
    }
  }
  return matches;
}
