import { execFileSync } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { build, type Plugin } from 'esbuild';
import { html } from './src/page/html.ts';
import * as listings from './src/tools/listing.ts';

/*
 * What a start would pay for and never uses: the SDK's JSON Schema validator, for its own way of asking
 * the person, which is not used here.
 */
const LEFT_OUT: readonly { filter: RegExp; contents: string }[] = [
  {
    filter: /^@modelcontextprotocol\/server\/_shims$/,
    contents:
      "export { default as process } from 'node:process'; export class DefaultJsonSchemaValidator {}",
  },
];

const leaveOut: Plugin = {
  name: 'leave-out',
  setup(plugin) {
    for (const [index, { filter, contents }] of LEFT_OUT.entries()) {
      const namespace = `left-out-${index}`;
      plugin.onResolve({ filter }, ({ path }) => ({ path, namespace }));
      plugin.onLoad({ filter: /.*/, namespace }, () => ({ contents, loader: 'js' }));
    }
  },
};

/** The lists of tools as plain data, so that no schema is converted at run time. */
const convertSchemas: Plugin = {
  name: 'convert-schemas',
  setup(plugin) {
    // Paths have backslashes on Windows.
    plugin.onLoad({ filter: /[\\/]src[\\/]tools[\\/]listing\.ts$/ }, () => ({
      contents: Object.entries(listings)
        .map(([name, listing]) => `export const ${name} = ${JSON.stringify(listing)};`)
        .join('\n'),
      loader: 'js',
    }));
  },
};

/** The page that hosts show as one text, made before. */
const bundlePage: Plugin = {
  name: 'bundle-page',
  setup(plugin) {
    plugin.onLoad({ filter: /\/src\/page\/html\.ts$/ }, () => ({
      contents: `export const html = ${JSON.stringify(html)};`,
      loader: 'js',
    }));
  },
};

await rm('dist', { recursive: true, force: true });
await build({
  // The bin, and the sandbox for whoever tests a program of their own against it.
  entryPoints: { cli: 'src/cli.ts', sandbox: 'src/sandbox/server.ts' },
  outdir: 'dist',
  bundle: true,
  // Chunks of their own for what a start does not need: undici, HTTP and the sandbox.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20.18',
  minify: true,
  // A stack in the log names its functions. With `node --enable-source-maps` it names the lines of
  // src/ too, which costs each start some 15 ms.
  keepNames: true,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  logOverride: { 'import-is-undefined': 'silent' },
  plugins: [leaveOut, convertSchemas, bundlePage],
  // Bundled CommonJS packages call require for Node's own modules.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
});

/*
 * The types of fini-mcp/sandbox. The compiler leaves `.ts` in the paths, which a package has not.
 * Installed packages bring nothing along, so an import from another package may find nothing; what
 * it is for (the shapes of requests) is in no exported type, and must not fail the check of others.
 */
const TYPES = 'dist/types';
const tsc = ['node_modules/typescript/bin/tsc', '--project', 'tsconfig.types.json'];
execFileSync(process.execPath, [...tsc, '--outDir', TYPES], { stdio: 'inherit' });
for (const name of await readdir(TYPES)) {
  const text = await readFile(`${TYPES}/${name}`, 'utf8');
  const published = text
    .replace(/(from '\.[^']*)\.ts'/g, "$1.js'")
    .replace(/^(?=import .* from '[^.])/gm, '// @ts-ignore: not installed with this package\n');
  await writeFile(`${TYPES}/${name}`, published);
}
