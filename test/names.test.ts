import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path/posix';
import { expect, test } from 'vitest';

/* A name means one thing in the whole tree, so that a search finds what it stands for. */

const SOURCE = new URL('../src/', import.meta.url);
/** A declaration at the top level of a file. */
const DECLARATION =
  /^(export )?(?:abstract )?(?:async )?(?:function\*?|class|interface|type|const|let) (\w+)/gm;

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.ts'));

const declarations = files.flatMap((file) =>
  [...readFileSync(new URL(file, SOURCE), 'utf8').matchAll(DECLARATION)].map(
    ([, exported, name = '']) => ({ file, name, isExported: exported !== undefined }),
  ),
);

test('no two files have the same name', () => {
  expect(repeated(files.map((file) => [basename(file), file]))).toEqual([]);
});

test('no other file declares a name that one exports', () => {
  expect(declarations.length).toBeGreaterThan(500);
  const exported = new Set(declarations.flatMap((one) => (one.isExported ? [one.name] : [])));
  const known = declarations.filter(({ name }) => exported.has(name));
  expect(repeated(known.map(({ name, file }) => [name, file]))).toEqual([]);
});

test('a repeated name is found', () => {
  const places = [
    ['a', 'one.ts'],
    ['a', 'one.ts'],
    ['b', 'one.ts'],
    ['b', 'two.ts'],
  ] as const;
  expect(repeated(places)).toEqual(['b: one.ts, two.ts']);
});

/** The names that stand in several files. Overloads of one function are one name. */
function repeated(places: readonly (readonly [name: string, file: string])[]): string[] {
  const filesOf = new Map<string, Set<string>>();
  for (const [name, file] of places) filesOf.set(name, (filesOf.get(name) ?? new Set()).add(file));
  return [...filesOf].flatMap(([name, found]) =>
    found.size > 1 ? [`${name}: ${[...found].join(', ')}`] : [],
  );
}
