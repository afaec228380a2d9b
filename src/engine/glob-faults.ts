import { quoted } from '../text.ts';
import { alternativesOf, MAXIMUM_ALTERNATIVES } from './globs.ts';

/*
 * Globs are checked before anything is crawled: people and models pass regular expressions, lists and
 * hosts in place of globs, and would get other pages than they expect.
 */

const MAXIMUM_GLOBS = 50;
const LONGEST_GLOB = 200;

const REGULAR_EXPRESSION =
  'looks like a regular expression, but a glob has only *, **, ? and {a,b}: write "/blog/**" for /blog and everything below it';

/** Patterns of texts that are not globs here, or are ambiguous, and what to write instead. */
const FOREIGN: readonly { pattern: RegExp; fault: string | ((glob: string) => string) }[] = [
  { pattern: /^\s*$/, fault: 'is empty: remove it' },
  { pattern: /^!/, fault: 'starts with "!": remove it and move the glob to include or exclude' },
  { pattern: /[!@+?*]\(/, fault: 'has a pattern in parentheses: write {a,b} for either' },
  // Anchors, escapes, "or" and groups; ".*" and ".+" unless another star shows that it is a glob.
  { pattern: /^\^|\$$|\\|\||\(\?|\)[*+?{]|\{\d*,\}/, fault: REGULAR_EXPRESSION },
  { pattern: /\.\+|(^|[/(])\.\*|^[^*?]*(\.\*[^*?]*)+$/, fault: REGULAR_EXPRESSION },
  { pattern: /[[\]]/, fault: 'has brackets: write ? for any one character, or {a,b} for either' },
  { pattern: /\{[^{}]*\.\.[^{}]*\}/, fault: 'has a range in braces: write {a,b} for either' },
  {
    pattern: /\{[^{},]*\}/,
    fault: 'has braces without a choice: write * for any name, or {a,b} for either',
  },
  { pattern: /#/, fault: 'has a fragment: only path and query of a page are matched' },
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

/** The reason that a text is not a glob here, in words that follow it; null if it is one. */
export function globFault(glob: string): string | null {
  // The length comes first, since the patterns take longer for longer texts.
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

/** Finds the faults in a list of globs, one sentence each. */
export function globFaults(globs: readonly string[]): string[] {
  if (globs.length > MAXIMUM_GLOBS) {
    return [`There are ${globs.length} globs, but at most ${MAXIMUM_GLOBS} are allowed.`];
  }
  return globs.flatMap((glob) => {
    const fault = globFault(glob);
    return fault === null ? [] : [`${quoted(glob)} ${fault}.`];
  });
}
