import { expect } from 'vitest';
import type { ToolAnswer } from '../harness.ts';

/** Characters that can deceive a terminal or a model: control, bidi, zero-width, line ends. */
export const HOSTILE =
  'A\u0000\u001b[31m\u0007\r\nB\u202e\u2066\u200b\ufe0f\u{e0069}\u3164\u2800\u2028C';
/** The same, and lone surrogates (`Cs`), which break clients that are strict about UTF-8. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029\u2800]/u;

/** Expects an answer within bounds, without control characters or lone surrogates. */
export function expectFitToShow(answer: ToolAnswer, maximumLength = 60_000): void {
  const { text, structured } = answer;
  expect(text.replaceAll('\n', ' ')).not.toMatch(UNSEEN);
  for (const string of stringsIn(structured)) expect(string).not.toMatch(UNSEEN);
  expect(JSON.stringify(answer).length).toBeLessThan(maximumLength);
}

function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(stringsIn);
}
