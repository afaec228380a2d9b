import { quoted } from '../bounded.ts';

/*
 * Globs over the pages of a site: `*` and `?` within a folder's name, `**` for folders of any
 * number, `{a,b}` for either. All else stands for itself. A glob comes from a model and a path from
 * a web page, so matching takes time that grows with their lengths alone: the globs of libraries
 * become regular expressions, which can be made to run for ever.
 */

/** How many globs a call may have, and how many a glob may stand for by its braces. */
const MAXIMUM_GLOBS = 50;
const MAXIMUM_ALTERNATIVES = 20;
const LONGEST_GLOB = 200;

const BRACES = /\{([^{}]*)\}/;
const FOREIGN: readonly { pattern: RegExp; fault: string }[] = [
  { pattern: /^\s*$/, fault: 'is empty: leave it out' },
  {
    pattern: /^!/,
    fault: 'begins with "!": write what is meant without it, in include or exclude',
  },
  { pattern: /[!@+?*]\(/, fault: 'has a pattern in parentheses: write {a,b} for either' },
  { pattern: /[[\]]/, fault: 'has brackets: write ? for any one character, or {a,b} for either' },
  { pattern: /\{[^{}]*\.\.[^{}]*\}/, fault: 'has a range in braces: write {a,b} for either' },
  { pattern: /#/, fault: 'has a fragment: pages are matched by their path alone' },
  { pattern: /\?[^/]*=/, fault: 'has a query: pages are matched by their path alone' },
  { pattern: /^(?!https?:)[^/]*:\/\//i, fault: 'has no scheme before "://": write https://' },
];

/** Why a text is no glob here, in words that follow it; null where it is one. */
export function globFault(glob: string): string | null {
  const foreign = FOREIGN.find(({ pattern }) => pattern.test(glob));
  if (foreign !== undefined) return foreign.fault;
  if (glob.length > LONGEST_GLOB) return `is longer than ${LONGEST_GLOB} characters`;
  const alternatives = alternativesOf(glob);
  if (alternatives === null) return `stands for more than ${MAXIMUM_ALTERNATIVES} by its braces`;
  if (alternatives.some((one) => one.trim() === '')) return 'stands for nothing in its braces';
  return alternatives.some((one) => /[{}]/.test(one)) ? 'has braces that do not match' : null;
}

/** What is wrong with a list of globs, a sentence each. */
export function globFaults(globs: readonly string[]): string[] {
  const faults = globs.flatMap((glob) => {
    const fault = globFault(glob);
    return fault === null ? [] : [`${quoted(glob)} ${fault}.`];
  });
  if (globs.length > MAXIMUM_GLOBS) {
    faults.unshift(`These are ${globs.length} globs, at most ${MAXIMUM_GLOBS} are allowed.`);
  }
  return faults;
}

/**
 * Makes the test whether a page matches a glob, in any case. A glob that begins with a scheme is
 * for the whole URL, any other for the path; one without a slash at its beginning matches at any
 * depth. One that just names a page is for all below it too, as a person means who writes
 * "/billing". Query and fragment are left aside.
 *
 * @param glob Without a {@link globFault}.
 */
export function globMatcher(glob: string): (url: string) => boolean {
  const isWhole = /^https?:\/\//i.test(glob);
  const patterns = (alternativesOf(glob.toLowerCase()) ?? []).map((alternative) =>
    patternOf(alternative, isWhole),
  );
  return (url) => {
    const { origin, pathname } = new URL(url);
    // A glob may be typed, or copied from where it stands encoded.
    return [...new Set([pathname, decoded(pathname)])].some((path) => {
      const text = isWhole ? origin + path : path;
      const folders = foldersOf(text.toLowerCase());
      return patterns.some((pattern) => matchesFolders(pattern, folders));
    });
  };
}

function patternOf(glob: string, isWhole: boolean): string[] {
  const folders = foldersOf(glob);
  const isRoot = folders.length === (isWhole ? 2 : 0);
  const namesPage = !isRoot && !/[*?]/.test(glob);
  return [
    ...(isWhole || glob.startsWith('/') ? [] : ['**']),
    ...folders,
    ...(namesPage ? ['**'] : []),
  ];
}

/** The names between the slashes. */
function foldersOf(text: string): string[] {
  return text.split('/').filter((name) => name !== '');
}

/** What a glob with braces stands for; null where that is too much. */
function alternativesOf(glob: string): string[] | null {
  let globs = [glob];
  while (globs.some((one) => BRACES.test(one))) {
    globs = globs.flatMap((one) => {
      const inner = BRACES.exec(one)?.[1];
      if (inner === undefined) return [one];
      return inner.split(',').map((choice) => one.replace(BRACES, () => choice));
    });
    if (globs.length > MAXIMUM_ALTERNATIVES) return null;
  }
  return globs;
}

function matchesFolders(pattern: readonly string[], folders: readonly string[]): boolean {
  return matches(pattern, folders, (part) => part === '**', matchesName);
}

function matchesName(pattern: string, name: string): boolean {
  const isOne = (part: string, character: string) => part === '?' || part === character;
  return matches([...pattern], [...name], (part) => part === '*', isOne);
}

/**
 * Whether items follow a pattern in which some parts stand for any number of items. The last such
 * part takes as few as will do, so no earlier one need be tried again.
 */
function matches(
  pattern: readonly string[],
  items: readonly string[],
  isAnyNumber: (part: string) => boolean,
  isOne: (part: string, item: string) => boolean,
): boolean {
  let part = 0;
  let item = 0;
  let lastAnyNumber = -1;
  let itemsTaken = 0;
  for (;;) {
    const wanted = pattern[part];
    const given = items[item];
    if (wanted !== undefined && isAnyNumber(wanted)) {
      lastAnyNumber = part;
      itemsTaken = item;
      part += 1;
    } else if (wanted !== undefined && given !== undefined && isOne(wanted, given)) {
      part += 1;
      item += 1;
    } else if (wanted === undefined && given === undefined) {
      return true;
    } else if (lastAnyNumber >= 0 && itemsTaken < items.length) {
      itemsTaken += 1;
      item = itemsTaken;
      part = lastAnyNumber + 1;
    } else {
      return false;
    }
  }
}

/** A path as a person writes it. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    // Not every path is well-formed; as it stands it can still be matched.
    return path;
  }
}
