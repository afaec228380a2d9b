import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

/* Data flows one way: tool → use case → Fini client → HTTP. So do the imports. */

const SOURCE = new URL('../src/', import.meta.url);

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => {
    const text = readFileSync(new URL(name, SOURCE), 'utf8');
    const paths = [...text.matchAll(/(?:from|import\() ?'([^']+)'/g)].map(([, path]) => path ?? '');
    const imports = paths.map((path) =>
      path.startsWith('.')
        ? new URL(path, new URL(name, SOURCE)).href.replace(SOURCE.href, '')
        : path,
    );
    return { name, imports };
  });

const importing = (pattern: RegExp) =>
  files.filter(({ imports }) => imports.some((path) => pattern.test(path))).map(({ name }) => name);

test('only files that speak MCP import its SDK, and no tool, prompt or resource does', () => {
  const known = importing(/^@modelcontextprotocol\//);
  expect(known.sort()).toEqual([
    'main.ts',
    'prompts/offer-prompts.ts',
    'protocol-error.ts',
    'resources/offer-sources.ts',
    'server.ts',
    'tools/call.ts',
    'tools/client-log.ts',
    'tools/confirm.ts',
    'tools/listing.ts',
    'tools/offer-tools.ts',
    'transports/http.ts',
    'transports/messages.ts',
    'transports/modern-http.ts',
    'transports/stdio.ts',
  ]);
});

test.each<[folder: string, allowed: RegExp]>([
  ['fini/', /^(fini\/|(text|secrets)\.ts)/],
  ['ingestion/', /^(ingestion\/|fini\/|text\.ts)/],
  ['workspace.ts', /^(ingestion\/|fini\/|(config|secrets)\.ts)/],
  [
    'tools/',
    /^(tools\/|ingestion\/|fini\/|(text|workspace|protocol-error)\.ts|resources\/source-(text|uri)\.ts)/,
  ],
  [
    'resources/',
    /^(resources\/|ingestion\/|fini\/|(text|workspace|protocol-error)\.ts|tools\/tool\.ts)/,
  ],
  [
    'prompts/',
    /^(prompts\/|resources\/|ingestion\/|fini\/|(text|workspace|protocol-error)\.ts|tools\/tool\.ts)/,
  ],
  ['sandbox/', /^sandbox\//],
])('%s imports to the right only', (folder, allowed) => {
  const inside = files.filter(({ name }) => name.startsWith(folder));
  expect(inside.length).toBeGreaterThan(0);
  for (const { name, imports } of inside) {
    const ours = imports.filter((path) => path.endsWith('.ts'));
    for (const path of ours) expect(path, name).toMatch(allowed);
  }
});

test('only files that speak HTTP import undici or Node’s HTTP', () => {
  expect(importing(/^undici$/).sort()).toEqual(['fini/connections.ts', 'fini/pool.ts']);
  const http = importing(/^node:http$/);
  expect(http.every((name) => /^(sandbox\/|transports\/)/.test(name))).toBe(true);
});
