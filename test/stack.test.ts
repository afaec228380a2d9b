import { readdirSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { originalStack } from '../src/stack.ts';

const CHUNKS = new URL('../dist/chunks/', import.meta.url);

test('a place in the bundle is shown as its source file', () => {
  const chunk = readdirSync(CHUNKS).find((name) => /^main-.*\.js$/.test(name)) ?? '';
  const error = new TypeError('x is not a function');
  // The code of this project stands behind that of its packages.
  const places = Array.from({ length: 200 }, (_, index) => {
    const place = `${2 + (index % 4)}:${index * 50}`;
    error.stack = `TypeError: x is not a function\n    at ${new URL(chunk, CHUNKS)}:${place}`;
    return originalStack(error);
  });
  expect(places.join('\n')).toMatch(/at src\/main\.ts:\d+:\d+/);
});

test('a place without a source map stays as it is, and so does a value that is not an error', () => {
  const error = new Error('x');
  const place = `${pathToFileURL('/nowhere/a.js')}:1:2`;
  error.stack = `Error: x\n    at ${place}`;
  expect(originalStack(error)).toContain(place);
  expect(originalStack({ code: 7 })).toBe('{ code: 7 }');
});

test('a place that cannot be read, as in a message that somebody else wrote, stays as it is', () => {
  for (const place of ['file://evil.example/a.js:1:2', 'file:///%2f/a.js:1:2']) {
    expect(originalStack(new Error(`no such file: ${place}`))).toContain(place);
  }
});
