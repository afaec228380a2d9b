import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/* Data flows one way: tool → engine → Fini client → HTTP. So do the imports. */

const SOURCE = new URL('../src/', import.meta.url);

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .map((name) => name.replaceAll('\\', '/'))
  .filter((name) => name.endsWith('.ts'))
  .map((name) => {
    const text = readFileSync(new URL(name, SOURCE), 'utf8');
    const paths = [...text.matchAll(/(?:from|import\(|^import) ?'([^']+)'/gm)].map(
      ([, path]) => path ?? '',
    );
    const imports = paths.map((path) =>
      path.startsWith('.')
        ? new URL(path, new URL(name, SOURCE)).href.replace(SOURCE.href, '')
        : path,
    );
    return { name, imports };
  });

/** The project's own imports of each file, types included. */
const graph = new Map(
  files.map(({ name, imports }) => [name, imports.filter((path) => path.endsWith('.ts'))]),
);

const importing = (pattern: RegExp) =>
  files.filter(({ imports }) => imports.some((path) => pattern.test(path))).map(({ name }) => name);

/**
 * The rooms, from the outside in. A file imports from its own room and from those further in. A line
 * is one room: everything that a client finds (tools, resources, prompts) shares texts.
 */
const rooms = [
  /^cli\.ts$/,
  /^start\.ts$/,
  /^main\.ts$/,
  /^check\.ts$/,
  /^mcp\//,
  /^tools\//,
  /^workspace\.ts$/,
  /^engine\//,
  /^store\//,
  /^fini\//,
  /^command-line\.ts$/,
  /^config\.ts$/,
  /^log\.ts$/,
  /^(text|secrets|hosts|proxies|compile-cache|clock|node-version)\.ts$/,
];
/** The sandbox stands apart: only the start of the process imports it. */
const SANDBOX = /^sandbox\//;
/** The report page stands apart too: it runs in a browser, and the server reads it as one text. */
const PAGE = /^page\//;
const apart = (name: string) => [SANDBOX, PAGE].find((house) => house.test(name));
/** The only imports into these two. */
const DOORS = ['main.ts → sandbox/sandbox-server.ts', 'mcp/report-page.ts → page/html.ts'];
/** The page shares how texts are bounded and counted, and reads answers by their types. */
const PAGE_MAY_IMPORT = ['text.ts', 'tools/next-calls.ts'];

const roomOf = (name: string) => rooms.findIndex((room) => room.test(name));

test('every file has a room', () => {
  const homeless = [...graph.keys()].filter((name) => !apart(name) && roomOf(name) < 0);
  expect(homeless).toEqual([]);
  for (const room of rooms) expect([...graph.keys()].some((name) => room.test(name))).toBe(true);
});

test('imports go inwards only', () => {
  const outwards = [...graph].flatMap(([name, paths]) =>
    paths
      .filter((path) =>
        apart(name) || apart(path) ? apart(name) !== apart(path) : roomOf(path) < roomOf(name),
      )
      .map((path) => `${name} → ${path}`)
      .filter((step) => !DOORS.includes(step))
      .filter(
        (step) =>
          !PAGE_MAY_IMPORT.some((path) => /^page\/.* → /.test(step) && step.endsWith(` → ${path}`)),
      ),
  );
  expect(outwards).toEqual([]);
});

test('no files import one another, through whatever others', () => {
  expect(circlesOf(graph)).toEqual([]);
  const known = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', ['d', 'e']],
    ['e', []],
  ]);
  expect(circlesOf(known)).toEqual([['a', 'b', 'c'], ['d']]);
});

test('only files that speak MCP import its SDK, and no tool does', () => {
  const outside = importing(/^@modelcontextprotocol\//).filter((name) => !name.startsWith('mcp/'));
  expect(outside.sort()).toEqual([
    'main.ts',
    // The page imports types only: the SDK's code would be too large for a browser.
    'page/host.ts',
    'tools/call.ts',
    'tools/client-log.ts',
    'tools/confirm.ts',
    'tools/listing.ts',
  ]);
});

/* Each of these may import less than everything further in. */
test.each<[folder: string, allowed: RegExp]>([
  ['fini/', /^(fini\/|(clock|proxies|text|secrets)\.ts)/],
  ['store/', /^(store\/|clock\.ts)/],
  ['engine/', /^(engine\/|store\/|fini\/|(clock|text)\.ts)/],
  ['workspace.ts', /^(engine\/|store\/|fini\/|(clock|config|secrets)\.ts)/],
  ['tools/', /^(tools\/|engine\/|fini\/|(clock|config|text|workspace)\.ts)/],
])('%s imports to the right only', (folder, allowed) => {
  const inside = [...graph].filter(([name]) => name.startsWith(folder));
  expect(inside.length).toBeGreaterThan(0);
  for (const [name, paths] of inside) {
    for (const path of paths) expect(path, name).toMatch(allowed);
  }
});

test('only files that speak HTTP import undici or Node’s HTTP', () => {
  expect(importing(/^undici$/).sort()).toEqual(['fini/connections.ts', 'fini/pool.ts']);
  const http = importing(/^node:http$/);
  expect(http.every((name) => /^(sandbox|mcp)\//.test(name))).toBe(true);
});

/** Groups of files that import one another, directly or not: strongly connected components (Tarjan). */
function circlesOf(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const open: string[] = [];
  const visit = (name: string): number => {
    const place = order.size;
    order.set(name, place);
    open.push(name);
    let low = place;
    for (const next of imports.get(name) ?? []) {
      if (!order.has(next)) low = Math.min(low, visit(next));
      else if (open.includes(next)) low = Math.min(low, order.get(next) ?? low);
    }
    if (low < place) return low;
    const part = open.splice(open.indexOf(name));
    if (part.length > 1 || imports.get(name)?.includes(name)) found.push(part.sort());
    return low;
  };
  for (const name of imports.keys()) if (!order.has(name)) visit(name);
  return found.sort((one, other) => (one[0] ?? '').localeCompare(other[0] ?? ''));
}
