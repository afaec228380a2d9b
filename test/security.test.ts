import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const SECURITY = readFileSync(new URL('../SECURITY.md', import.meta.url), 'utf8');

test('every attack that SECURITY.md names has the test that it names', () => {
  const [, tried = ''] = SECURITY.split('## What was tried');
  const rows = tried.split('\n').filter((line) => /^\| (?!What was tried)[^-]/.test(line));
  expect(rows.length).toBeGreaterThan(10);
  for (const row of rows) {
    const [, file = '', name = ''] = /\| `([\w/.-]+)`: "(.+)" \|$/.exec(row) ?? [];
    expect(file, row).not.toBe('');
    expect(readFileSync(new URL(file, import.meta.url), 'utf8'), row).toContain(name);
  }
});
