import { rm } from 'node:fs/promises';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { nodeFault } from './src/node-version.ts';
import { html } from './src/page/html.ts';
import { catalog } from './src/tools/catalog.ts';
import * as listings from './src/tools/listing.ts';

// Every script of npm that needs the server builds it first, and so stops here.
const fault = nodeFault();
if (fault !== null) {
  process.stderr.write(`${fault}\n`);
  process.exit(1);
}

/** Modules that the bundle replaces. Paths have backslashes on Windows. */
const REPLACED: readonly { path: RegExp; contents: string }[] = [
  {
    // Leaves out the SDK's JSON Schema validator, which a start would load and this server never uses.
    path: /@modelcontextprotocol[\\/]server[\\/]dist[\\/]shimsNode\.mjs$/,
    contents:
      "export { default as process } from 'node:process'; export class DefaultJsonSchemaValidator {}",
  },
  // The tools become plain data, so that a start loads none and no schema is converted at run time.
  { path: /[\\/]src[\\/]tools[\\/]catalog\.ts$/, contents: moduleOf({ catalog }) },
  { path: /[\\/]src[\\/]tools[\\/]listing\.ts$/, contents: moduleOf(listings) },
  // The report page becomes one text.
  { path: /[\\/]src[\\/]page[\\/]html\.ts$/, contents: moduleOf({ html }) },
];

const replaceModules: Plugin = {
  name: 'replace-modules',
  setup({ onLoad }) {
    for (const { path, contents } of REPLACED) onLoad({ filter: path }, () => ({ contents }));
  },
};

/** The source of a module that exports these values. */
function moduleOf(values: Record<string, unknown>): string {
  return Object.entries(values)
    .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};`)
    .join('\n');
}

/** Leaves the import of the rest as it is, so that a Node.js that is too old never reads it. */
const restApart: Plugin = {
  name: 'rest-apart',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/start\.ts$/ }, () => ({ path: './start.js', external: true }));
  },
};

const shared: BuildOptions = {
  outdir: 'dist',
  bundle: true,
  format: 'esm',
  platform: 'node',
  // Identifiers are kept, so that a stack in the log names its functions; minifying them and keeping
  // names separately takes 5 % of a start. With `node --enable-source-maps` a stack names the lines of
  // src/ too, which costs each start some 15 ms.
  minifyWhitespace: true,
  minifySyntax: true,
  // Node prints the whole line in which a fault that nobody caught arose.
  lineLimit: 500,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
};

await rm('dist', { recursive: true, force: true });
await build({
  ...shared,
  entryPoints: ['src/start.ts'],
  // Chunks of their own for what a start does not need: undici, HTTP and the sandbox.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  target: 'node20.18',
  plugins: [replaceModules],
  // Bundled CommonJS packages call `require` for Node's own modules.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
});
await build({ ...shared, entryPoints: ['src/cli.ts'], target: 'node14', plugins: [restApart] });
