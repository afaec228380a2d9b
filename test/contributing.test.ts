import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const ROOT = new URL('../', import.meta.url);

test('every file and folder that CONTRIBUTING.md names is there', () => {
  const text = readFileSync(new URL('CONTRIBUTING.md', ROOT), 'utf8');
  const named = [...text.matchAll(/`((?:src|test|docs|\.ci)\/[\w./-]*)`/g)].map(([, path]) => path);
  expect(named.length).toBeGreaterThan(15);
  // This path is the example of a file to write.
  const missing = named.filter((path) => path !== 'src/tools/my-tool.ts');
  expect(missing.filter((path = '') => !existsSync(new URL(path, ROOT)))).toEqual([]);
});
