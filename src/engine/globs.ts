import { Pacer } from './concurrency.ts';

/*
 * Globs over the pages of a site: `*` and `?` within a folder's name, `**` for any number of
 * folders, `{a,b}` for either. Everything else stands for itself. A glob comes from a model and a
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

/**
 * Matches pages in any case. A glob that begins with a scheme applies to the whole URL, any other to
 * the path; one without a leading slash matches at any depth. A glob includes everything below the
 * pages that it matches, as people mean who write "/billing" or "/v1*"; only one that ends in "/*" is
 * for one level. Query and fragment are ignored.
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
  const patterns = globs.flatMap((glob) =>
    (alternativesOf(glob.toLowerCase()) ?? []).map((one) => ({ glob, ...patternOf(one) })),
  );
  const matched = new Set<string>();
  const idle = new Set(globs);
  for (const page of patterns.length === 0 ? [] : pages) {
    const spellings = spellingsOf(page);
    for (const { glob, isWhole, folders } of patterns) {
      if (matched.has(page) && !idle.has(glob)) continue;
      await pacer.pause();
      const isMatch = spellings.some(({ path, whole }) =>
        matches(FOLDER_RULES, folders, isWhole ? whole : path, work),
      );
      if (work.stepsLeft < 0) return null;
      if (!isMatch) continue;
      matched.add(page);
      idle.delete(glob);
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

function foldersOf(text: string): Name[] {
  const names = text.split('/').filter((name) => name !== '');
  return names.map((name) => (name === '**' ? ANY_FOLDERS : [...name]));
}

function patternOf(glob: string): { isWhole: boolean; folders: Name[] } {
  const isWhole = /^https?:\/\//.test(glob);
  // A single star means everything.
  const names = glob === '*' ? [ANY_FOLDERS] : foldersOf(glob);
  const before = isWhole || glob.startsWith('/') ? [] : [ANY_FOLDERS];
  const below = names.length === 0 || /(^|\/)\*\*?\/*$/.test(glob) ? [] : [ANY_FOLDERS];
  return { isWhole, folders: [...before, ...names, ...below] };
}

/** A page's path and whole URL, both encoded and as people write them, since a glob may use either. */
function spellingsOf(url: string): { path: Name[]; whole: Name[] }[] {
  const { origin, pathname } = new URL(url);
  return [...new Set([pathname, decoded(pathname)])].map((spelling) => {
    const path = foldersOf(spelling.toLowerCase());
    return { path, whole: [...foldersOf(origin), ...path] };
  });
}

/** A path as a person writes it. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Some paths cannot be decoded; they match as they are.
    return path;
  }
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
