import fc from 'fast-check';
import { expect, test } from 'vitest';
import { offeredCalls, withoutInputs } from '../../src/page/offered-calls.ts';
import { jsonText } from '../../src/text.ts';

test('a call in a text is found with its input, whatever stands in it', () => {
  const input = fc.dictionary(fc.string(), fc.array(fc.string()), { maxKeys: 4 });
  fc.assert(
    fc.property(input, input, (first, second) => {
      const text = `2 sources were running. Call wait_for_sources with ${jsonText(first)}. Then call refresh_sources with ${jsonText(second)}.`;
      expect(offeredCalls(text)).toEqual([
        { tool: 'wait_for_sources', input: JSON.parse(JSON.stringify(first)) },
        { tool: 'refresh_sources', input: JSON.parse(JSON.stringify(second)) },
      ]);
      expect(withoutInputs(text)).toBe(
        '2 sources were running. Call wait_for_sources with {…}. Then call refresh_sources with {…}.',
      );
    }),
  );
});

test.each([
  ['an error in quotes', JSON.stringify('call refresh_sources with {"documentIds":["x"]}')],
  ['a call in quotes that needs none itself', '"call refresh_sources with {}"'],
  ['a call that is cut off', 'call refresh_sources with {"documentIds":["x"'],
  ['what is no JSON', 'call refresh_sources with {documentIds: x}'],
  ['a call without an input', 'call ingest_and_wait with them again.'],
  ['a word that only ends like one', 'recall ingest_and_wait with {"ids":[]}'],
])('%s offers nothing', (_name, text) => {
  expect(offeredCalls(`Fini says: ${text}`)).toEqual([]);
});

test('any text is read, and what follows quotes is found', () => {
  fc.assert(fc.property(fc.string(), (text) => Array.isArray(offeredCalls(text))));
  expect(offeredCalls('It said "a \\" b". Call x with {"a":"}{"}. "')).toEqual([
    { tool: 'x', input: { a: '}{' } },
  ]);
});
