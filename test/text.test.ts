import { expect, test } from 'vitest';
import { bounded, hasUnseen, parsedUrl, plural, quoted, seenUrl, tidied } from '../src/text.ts';

/** Every character that is invisible, or that breaks a line or a client. */
const UNSEEN = Array.from({ length: 0x11_0000 }, (_, code) => String.fromCodePoint(code)).filter(
  (character) =>
    /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800]/u.test(character),
);

test('a text that is shown holds no character that nobody sees, whichever it is', () => {
  expect(UNSEEN.length).toBeGreaterThan(4_000);
  for (const character of UNSEEN) {
    const name = character.codePointAt(0)?.toString(16);
    expect(bounded(`a${character}b`, 100), name).toMatch(/^a ?b$/);
    if (!/[\t\n\r\u0085\u2028\u2029]/.test(character)) {
      expect(tidied(`a${character}b`), name).toMatch(/^a ?b$/);
    }
    // The result is all ASCII: the character is named, not shown.
    expect(quoted(`a${character}b`), name).toMatch(/^"a[\x20-\x7e]+b"$/);
    expect(seenUrl(`https://a.example/${character}b`), name).toMatch(/^https:[\x21-\x7e]*b$/);
  }
});

test.each<[what: string, text: string, shown: string]>([
  ['blanks that are none to \\s', 'a\u2800\u3164 \u115f\u1160\uffa0b', 'a b'],
  ['all kinds of white space', '\u3000a\u00a0\u2003\tb\r\nc\u2028 ', 'a b c'],
  ['what takes no room leaves none', 'in\u00advis\u200bible\u2060', 'invisible'],
  ['emoji', '👍🏽 ❤\ufe0f 👨\u200d👩\u200d👧', '👍🏽 ❤ 👨👩👧'],
  ['Persian, whose joiners are gone', 'می\u200cخواهم', 'میخواهم'],
  ['Hindi, whose joiners are gone', 'क्\u200dष', 'क्ष'],
  ['tags, which spell what nobody sees', 'a\u{e0069}\u{e0067}\u{e006e}b', 'ab'],
])('a line keeps what can be read: %s', (_what, text, shown) => {
  expect(bounded(text, 100)).toBe(shown);
});

test('of a text that is far too long only the beginning is looked at', () => {
  const hidden = (count: number) => '\u200b'.repeat(count);
  expect(bounded(`${hidden(5_000)}a`, 100)).toBe('a');
  expect(bounded(`a${hidden(1_000_000)}b`, 100)).toBe('a…');
  expect(bounded(`${hidden(1_000_000)}b`, 100)).toBe('');
  expect(bounded('a'.repeat(1_000_000), 100)).toBe(`${'a'.repeat(99)}…`);
  expect(bounded(`a${hidden(1_000_000)}b`, Number.POSITIVE_INFINITY)).toBe('ab');
});

test('a text of several lines keeps its lines and tabs', () => {
  expect(tidied('a\tb\r\nc\rd\u2028e\u2029f\u0085g\n\nh\u200b')).toBe('a\tb\nc\nd\ne\nf\ng\n\nh');
});

test('a URL is one word, and the same page', () => {
  const url = 'https://a.example/a b\u2800(\u202ec)?q=ü';
  expect(seenUrl(url)).toBe('https://a.example/a%20b%E2%A0%80(%E2%80%AEc)?q=ü');
  expect(new URL(seenUrl(url)).href).toBe(new URL(url).href);
  expect(seenUrl(' https://a.example/\n')).toBe('https://a.example/');
  expect(seenUrl('https://a.example/\ud800')).toBe('https://a.example/%EF%BF%BD');
});

test('a value that is refused shows which characters it has', () => {
  expect(quoted('a\nb\u2800\u{e0100}c')).toBe('"a\\nb\\u{2800}\\u{e0100}c"');
  expect(hasUnseen('https://a.example/ü b')).toBe(false);
  for (const character of UNSEEN) expect(hasUnseen(`a${character}`)).toBe(true);
});

test('a URL with letters beyond ASCII is one, however many were read before', () => {
  const isUrl = (text: string) => parsedUrl(text) !== null;
  // The loop runs until V8 has optimised the function.
  for (let count = 0; count < 200_000; count += 1) isUrl(`https://help.example/${count % 100}`);
  expect(isUrl('https://bücher.example/café')).toBe(true);
  expect(['café', 'https://', 'a b:c'].some(isUrl)).toBe(false);
});

test('a count has its noun in the right number', () => {
  expect(plural(0, 'page')).toBe('0 pages');
  expect(plural(1, 'page')).toBe('1 page');
  expect(plural(1_200, 'entry', 'entries')).toBe('1,200 entries');
  expect(plural(1, 'entry', 'entries')).toBe('1 entry');
});
