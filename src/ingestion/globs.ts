import { quoted } from '../text.ts';
import { Pacer } from './pacer.ts';

/*
 * Globs over the pages of a site: `*` and `?` within a folder's name, `**` for any number of
 * folders, `{a,b}` for either. Everything else stands for itself. A glob comes from a model and a
 * path from a web page, so nothing here becomes a regular expression, and the work is bounded.
 */

const MAXIMUM_GLOBS = 50;
const LONGEST_GLOB = 200;
/** How many globs one may stand for by its braces. */
const MAXIMUM_ALTERNATIVES = 20;
/** How many comparisons a list of globs may take: about a second; 50 globs over 10,000 pages need half. */
const MAXIMUM_STEPS = 50_000_000;

const BRACES = /\{([^{}]*)\}/;
const REGULAR_EXPRESSION =
  'looks like a regular expression, but a glob has only *, **, ? and {a,b}: write "/blog/**" for /blog and everything below it';

/** What is not a glob here, or may mean two things, and what to write instead. */
const FOREIGN: readonly { pattern: RegExp; fault: string | ((glob: string) => string) }[] = [
  { pattern: /^\s*$/, fault: 'is empty: remove it' },
  { pattern: /^!/, fault: 'starts with "!": remove it and move the glob to include or exclude' },
  { pattern: /[!@+?*]\(/, fault: 'has a pattern in parentheses: write {a,b} for either' },
  // Anchors, escapes, "or" and groups; ".*" and ".+" where no other star shows that it is a glob.
  { pattern: /^\^|\$$|\\|\||\(\?|\)[*+?{]|\{\d*,\}/, fault: REGULAR_EXPRESSION },
  { pattern: /\.\+|(^|[/(])\.\*|^[^*?]*(\.\*[^*?]*)+$/, fault: REGULAR_EXPRESSION },
  { pattern: /[[\]]/, fault: 'has brackets: write ? for any one character, or {a,b} for either' },
  { pattern: /\{[^{}]*\.\.[^{}]*\}/, fault: 'has a range in braces: write {a,b} for either' },
  {
    pattern: /\{[^{},]*\}/,
    fault: 'has braces without a choice: write * for any name, or {a,b} for either',
  },
  { pattern: /#/, fault: 'has a fragment: only the path of a page is matched' },
  { pattern: /\?[^/]*=/, fault: 'has a query: only the path of a page is matched' },
  { pattern: /^(?!https?:)[^/]*:\/\//i, fault: 'has no scheme before "://": write https://' },
  {
    pattern: /^https?:\/\/[^/]*(\/\*?)?$/i,
    fault: (glob) => `has no path: write ${quoted(withBelow(glob))} for every page of that host`,
  },
  {
    pattern: /^(\/\/|www\.|[^\s/?#:]+\.[a-z]{2,}(:\d+)?\/|[^\s/?#:]+:\d+(\/|$))/i,
    fault: (glob) => {
      const [host = '', ...path] = glob.replace(/^\/+/, '').split('/');
      const below = withBelow(`/${path.join('/')}`);
      return `starts with a host: write only the path (${quoted(below)}), or a whole URL (${quoted(`https://${host}${below}`)})`;
    },
  },
  {
    pattern: /^\*\//,
    fault: (glob) => {
      const anywhere = glob.replace(/^(\*\/)+/, '**/').replace(/\/\*$/, '/**');
      return `starts with "*/", which is exactly one folder: write ${quoted(anywhere)} for any depth, or ${quoted(`/${glob}`)} for just one`;
    },
  },
];

/** The glob for a path, or a URL, and everything below it. */
function withBelow(glob: string): string {
  return `${glob.replace(/(\/\*{0,2})?$/, '')}/**`;
}

/** Why a text is no glob here, in words that follow it; null where it is one. */
export function globFault(glob: string): string | null {
  // First, since the patterns take longer the longer the text is.
  if (glob.length > LONGEST_GLOB) return `is longer than ${LONGEST_GLOB} characters`;
  const foreign = FOREIGN.find(({ pattern }) => pattern.test(glob));
  if (foreign !== undefined) {
    return typeof foreign.fault === 'string' ? foreign.fault : foreign.fault(glob);
  }
  const alternatives = alternativesOf(glob);
  if (alternatives === null) {
    return `expands to more than ${MAXIMUM_ALTERNATIVES} globs: write several instead`;
  }
  if (alternatives.some((one) => one.trim() === '')) return 'has braces that expand to nothing';
  if (alternatives.some((one) => /[{}]/.test(one))) return 'has braces that do not match';
  return alternatives.some((one) => /,|[;\s]\s*[/*]/.test(one))
    ? 'is a list: pass each glob as a separate item, and write ? for a comma or a space in a path'
    : null;
}

/** What is wrong with a list of globs, a sentence each. */
export function globFaults(globs: readonly string[]): string[] {
  if (globs.length > MAXIMUM_GLOBS) {
    return [`There are ${globs.length} globs, but at most ${MAXIMUM_GLOBS} are allowed.`];
  }
  return globs.flatMap((glob) => {
    const fault = globFault(glob);
    return fault === null ? [] : [`${quoted(glob)} ${fault}.`];
  });
}

/** What globs match: the pages that match any of them, and the globs that no page matches. */
export interface GlobMatches {
  readonly pages: ReadonlySet<string>;
  readonly idle: readonly string[];
}

/**
 * Matches pages in any case. A glob that begins with a scheme is for the whole URL, any other for
 * the path; one without a slash at its beginning matches at any depth. A glob covers what is below
 * the pages that it names, as a person means who writes "/billing" or "/v1*"; only one that ends
 * in "/*" is for one level. Query and fragment are left aside.
 *
 * @param globs Without {@link globFaults}.
 * @returns null where that would take too long.
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
    (alternativesOf(glob.toLowerCase()) ?? []).map((alternative) => ({
      glob,
      ...patternOf(alternative),
    })),
  );
  const matched = new Set<string>();
  const idle = new Set(globs);
  for (const page of pages) {
    if (patterns.length === 0) break;
    const spellings = spellingsOf(page);
    for (const { glob, isWhole, folders } of patterns) {
      if (matched.has(page) && !idle.has(glob)) continue;
      await pacer.pause();
      const isMatch = spellings.some(({ path, whole }) =>
        matches(FOLDERS, folders, isWhole ? whole : path, work),
      );
      if (work.stepsLeft < 0) return null;
      if (!isMatch) continue;
      matched.add(page);
      idle.delete(glob);
    }
  }
  return { pages: matched, idle: [...idle] };
}

/** How many comparisons are left. */
interface Work {
  stepsLeft: number;
}

/** The characters between two slashes. */
type Name = readonly string[];

/** Any number of folders. */
const ANY_FOLDERS: Name = ['*', '*'];

function patternOf(glob: string): { isWhole: boolean; folders: Name[] } {
  if (glob === '*') return { isWhole: false, folders: [ANY_FOLDERS] };
  const isWhole = /^https?:\/\//.test(glob);
  const folders = foldersOf(glob).map((name) => (name.join('') === '**' ? ANY_FOLDERS : name));
  const last = folders.at(-1);
  const coversBelow = last !== undefined && last !== ANY_FOLDERS && last.join('') !== '*';
  return {
    isWhole,
    folders: [
      ...(isWhole || glob.startsWith('/') ? [] : [ANY_FOLDERS]),
      ...folders,
      ...(coversBelow ? [ANY_FOLDERS] : []),
    ],
  };
}

/** A page's path and whole URL: as they stand and as a person writes them, as a glob may be either. */
function spellingsOf(url: string): { path: Name[]; whole: Name[] }[] {
  const { origin, pathname } = new URL(url);
  return [...new Set([pathname, decoded(pathname)])].map((spelling) => {
    const path = foldersOf(spelling.toLowerCase());
    return { path, whole: [...foldersOf(origin), ...path] };
  });
}

function foldersOf(text: string): Name[] {
  const names = text.split('/').filter((name) => name !== '');
  return names.map((name) => [...name]);
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

/** What stands for any number of items, and what for one. */
interface Level<Part, Item> {
  readonly isAnyNumber: (part: Part) => boolean;
  readonly isOne: (part: Part, item: Item, work: Work) => boolean;
}

const CHARACTERS: Level<string, string> = {
  isAnyNumber: (part) => part === '*',
  isOne: (part, character) => part === character || part === '?',
};

const FOLDERS: Level<Name, Name> = {
  isAnyNumber: (part) => part === ANY_FOLDERS,
  isOne: (part, name, work) => matches(CHARACTERS, part, name, work),
};

/**
 * Whether items follow a pattern in which some parts stand for any number of items. The last such
 * part takes as few as will do, so no earlier one need be tried again: the steps are at most as
 * many as the product of both lengths.
 */
function matches<Part, Item>(
  { isAnyNumber, isOne }: Level<Part, Item>,
  pattern: readonly Part[],
  items: readonly Item[],
  work: Work,
): boolean {
  let part = 0;
  let item = 0;
  let lastAnyNumber = -1;
  let itemsTaken = 0;
  for (;;) {
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
