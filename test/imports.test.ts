import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/* Data flows one way: tool → use case → Fini client → HTTP. So do the imports. */

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

/** What each file imports of ours, types included. */
const graph = new Map(
  files.map(({ name, imports }) => [name, imports.filter((path) => path.endsWith('.ts'))]),
);

const importing = (pattern: RegExp) =>
  files.filter(({ imports }) => imports.some((path) => pattern.test(path))).map(({ name }) => name);

/**
 * The rooms, from the door inwards. A file imports from its own room and from those behind it. Rooms
 * in one line are one: what a client finds (tools, resources, prompts) shares texts.
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
/** The sandbox is a house of its own, which only the start of the process knows. */
const SANDBOX = /^sandbox\//;
/** So is the page that hosts show: it runs in a browser, and the server reads it as one text. */
const PAGE = /^page\//;
const apart = (name: string) => [SANDBOX, PAGE].find((house) => house.test(name));
/** The doors to these houses. */
const DOORS = ['main.ts → sandbox/sandbox-server.ts', 'mcp/report-page.ts → page/html.ts'];
/** The page shares how texts are bounded and counted, and reads answers by their type. */
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
    // Its types only: in a browser its code would take too much.
    'page/host.ts',
    'tools/call.ts',
    'tools/client-log.ts',
    'tools/confirm.ts',
    'tools/listing.ts',
  ]);
});

/* What a room may use is less than what lies behind it. */
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

/** The sets of files of which each leads to every other: the strongly connected parts (Tarjan). */
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
