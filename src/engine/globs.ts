import { domainToUnicode } from 'node:url';
import { Pacer } from './concurrency.ts';
import { decoded, withReadableEscapes } from './identity.ts';

/*
 * Globs over the pages of a site: `*` and `?` within a folder's name, `**` for any number of
 * folders, `{a,b}` for either. A `?` with a `=` after it in the same folder begins the query, in
 * which `*` stands for any characters. Everything else stands for itself. A glob comes from a model and a
 * path from a web page, so nothing here becomes a regular expression, and the work is bounded.
 *
 * minimatch is no alternative: version 11 is quick within a name, but fifty globs of two stars and
 * eighty folders over 125 pages of 900 folders kept it busy for 32 s. It would need the same bound, and
 * 31 kB more.
 */

/** Maximum number of globs that one glob's braces may expand to. */
export const MAXIMUM_ALTERNATIVES = 20;
/** Maximum number of comparisons: about a second; 50 globs over 10,000 pages need half of it. */
const MAXIMUM_STEPS = 50_000_000;

const BRACES = /\{([^{}]*)\}/;

/** The pages that match any of the globs, and the globs that match no page. */
export interface GlobMatches {
  readonly pages: ReadonlySet<string>;
  readonly idle: readonly string[];
}

/** The beginning of a glob's query. */
const QUERY = /\?(?=[^/]*=)/;

/** Tells whether a glob is for whole URLs, host and all. */
export function namesHost(glob: string): boolean {
  return /^https?:\/\//i.test(glob);
}

/** Tells whether a glob is for pages with a certain query. */
export function namesQuery(glob: string): boolean {
  return QUERY.test(glob);
}

/**
 * Matches pages. A glob that begins with a scheme is for the whole URL, any other for the path; one
 * without a slash at its beginning matches at any depth. A glob covers what is below the pages that
 * it names, as a person means who writes "/billing" or "/v1*"; only one that ends in "/*" is for one
 * level, and one with a query for just these pages. Without one, a page's query is left aside, as
 * its fragment always is. Case and a slash at the end count, unless the glob matches nothing so.
 *
 * @param globs Globs in which `globFaults` finds no fault.
 * @returns null if matching would take too long.
 * @throws The signal's reason, once it is aborted.
 */
export async function matchGlobs(
  globs: readonly string[],
  pages: readonly string[],
  signal: AbortSignal,
): Promise<GlobMatches | null> {
  const pacer = new Pacer(signal);
  const work: Work = { stepsLeft: MAXIMUM_STEPS };
  const matched = new Set<string>();
  const idle = new Set(globs);
  for (const isLoose of [false, true]) {
    const patterns = [...idle].flatMap((glob) =>
      (alternativesOf(glob) ?? []).map((one) => ({ glob, ...patternOf(one, isLoose) })),
    );
    for (const page of patterns.length === 0 ? [] : pages) {
      const spellings = spellingsOf(page, isLoose);
      for (const { glob, ...pattern } of patterns) {
        if (matched.has(page) && !idle.has(glob)) continue;
        await pacer.pause();
        const isMatch = spellings.some((spelling) => isMatching(pattern, spelling, work));
        if (work.stepsLeft < 0) return null;
        if (!isMatch) continue;
        matched.add(page);
        idle.delete(glob);
      }
    }
  }
  return { pages: matched, idle: [...idle] };
}

/** The globs that a glob with braces expands to; null if they are too many. */
export function alternativesOf(glob: string): string[] | null {
  let globs = [glob];
  while (globs.some((one) => BRACES.test(one))) {
    globs = globs.flatMap((one) => {
      const choices = BRACES.exec(one)?.[1]?.split(',');
      return choices?.map((choice) => one.replace(BRACES, () => choice)) ?? one;
    });
    if (globs.length > MAXIMUM_ALTERNATIVES) return null;
  }
  return globs;
}

/** The characters of a name between two slashes. */
type Name = readonly string[];

/** Any number of folders. */
const ANY_FOLDERS: Name = ['*', '*'];

/** The empty name after a slash at the end. */
const NO_NAME: Name = [];

function foldersOf(text: string): Name[] {
  const names = text.split('/').filter((name) => name !== '');
  return names.map((name) => (name === '**' ? ANY_FOLDERS : [...name]));
}

/** A glob, ready to be compared. */
interface Pattern {
  /** The host and the path, or the path alone. */
  readonly folders: readonly Name[];
  readonly isWhole: boolean;
  /** A slash at the end of a page's path makes no difference. */
  readonly isAnyEnd: boolean;
  readonly query: Name | null;
}

/** @param isLoose In lower case, and without a slash at the end. */
function patternOf(given: string, isLoose: boolean): Pattern {
  const text = isLoose ? withReadableEscapes(given).toLowerCase() : withReadableEscapes(given);
  const isWhole = namesHost(text);
  const glob = isWhole ? withHostInOneWay(text) : text;
  const queryAt = glob.search(QUERY);
  const path = queryAt < 0 ? glob : glob.slice(0, queryAt);
  // By itself, one star means everything.
  const names = path === '*' ? [ANY_FOLDERS] : foldersOf(path);
  const before = isWhole || path.startsWith('/') ? [] : [ANY_FOLDERS];
  const endsInStars = names.length === 0 || /(^|\/)\*\*?\/*$/.test(path);
  const isAnyEnd = endsInStars || isLoose;
  const lastFolder = queryAt < 0 ? ['*'] : NO_NAME;
  const end = !isAnyEnd && path.endsWith('/') ? [lastFolder] : [];
  const below = endsInStars || queryAt >= 0 ? [] : [ANY_FOLDERS];
  return {
    folders: [...before, ...names, ...end, ...below],
    isWhole,
    isAnyEnd,
    query: queryAt < 0 ? null : [...glob.slice(queryAt + 1)],
  };
}

/** A glob's scheme and host in lower case, without a default port or a slash that is the path. */
function withHostInOneWay(glob: string): string {
  return glob
    .replace(/^[^/]*\/\/[^/]*/, (origin) => origin.toLowerCase())
    .replace(/^(https:\/\/[^/]*):443(?=\/)|^(http:\/\/[^/]*):80(?=\/)/, '$1$2')
    .replace(/^([^/]*\/\/[^/]*)\/(?=\?)/, '$1');
}

/** A page as a glob may spell it. */
interface Spelling {
  readonly path: readonly Name[];
  readonly host: readonly Name[];
  readonly endsInSlash: boolean;
  readonly query: Name;
}

/** A page's spellings: as it stands and as a person writes it, as a glob may be either. */
function spellingsOf(url: string, isLoose: boolean): Spelling[] {
  const { protocol, host, hostname, pathname, search } = new URL(url);
  const inUnicode = host.replace(hostname, () => domainToUnicode(hostname) || hostname);
  const hosts = new Set([host, inUnicode.normalize('NFC')]);
  const spelled = [withReadableEscapes, (text: string) => decoded(text).normalize('NFC')].map(
    (spell) => {
      const [path, query] = [spell(pathname), spell(search.slice(1))];
      return isLoose ? { path: path.toLowerCase(), query: query.toLowerCase() } : { path, query };
    },
  );
  const [first, second] = spelled;
  const isSame = first?.path === second?.path && first?.query === second?.query;
  return spelled.slice(isSame ? 1 : 0).flatMap(({ path, query }) =>
    [...hosts].map((one) => ({
      path: foldersOf(path),
      host: foldersOf(`${protocol}//${one}`),
      endsInSlash: path.length > 1 && path.endsWith('/'),
      query: [...query],
    })),
  );
}

function isMatching(pattern: Pattern, page: Spelling, work: Work): boolean {
  const end = page.endsInSlash && !pattern.isAnyEnd ? [NO_NAME] : [];
  const folders = [...(pattern.isWhole ? page.host : []), ...page.path, ...end];
  return (
    matches(FOLDER_RULES, pattern.folders, folders, work) &&
    (pattern.query === null || matches(CHARACTER_RULES, pattern.query, page.query, work))
  );
}

/** Number of comparisons that are left. */
interface Work {
  stepsLeft: number;
}

/** A level of matching: the parts of a pattern that stand for any number of items, and those for one. */
interface PatternRules<Part, Item> {
  readonly isAnyNumber: (part: Part) => boolean;
  readonly isOne: (part: Part, item: Item, work: Work) => boolean;
}

const CHARACTER_RULES: PatternRules<string, string> = {
  isAnyNumber: (part) => part === '*',
  isOne: (part, character) => part === character || part === '?',
};

const FOLDER_RULES: PatternRules<Name, Name> = {
  isAnyNumber: (part) => part === ANY_FOLDERS,
  isOne: (part, name, work) => matches(CHARACTER_RULES, part, name, work),
};

/**
 * True if items match a pattern in which some parts stand for any number of items. The last such part
 * takes as few as possible, so earlier ones need not be tried again: the number of steps is at most
 * the product of both lengths.
 */
function matches<Part, Item>(
  { isAnyNumber, isOne }: PatternRules<Part, Item>,
  pattern: readonly Part[],
  items: readonly Item[],
  work: Work,
): boolean {
  let part = 0;
  let item = 0;
  let lastAnyNumber = -1;
  let itemsTaken = 0;
  while (part < pattern.length || item < items.length) {
    work.stepsLeft -= 1;
    const wanted = pattern[part];
    const given = items[item];
    if (wanted !== undefined && isAnyNumber(wanted)) {
      lastAnyNumber = part;
      itemsTaken = item;
      part += 1;
    } else if (wanted !== undefined && given !== undefined && isOne(wanted, given, work)) {
      part += 1;
      item += 1;
    } else if (lastAnyNumber >= 0 && itemsTaken < items.length) {
      itemsTaken += 1;
      item = itemsTaken;
      part = lastAnyNumber + 1;
    } else {
      return false;
    }
  }
  return true;
}
