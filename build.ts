import { rm } from 'node:fs/promises';
import { build, type Plugin } from 'esbuild';
import { html } from './src/page/html.ts';
import { catalog } from './src/tools/catalog.ts';
import * as listings from './src/tools/listing.ts';

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

await rm('dist', { recursive: true, force: true });
await build({
  entryPoints: ['src/cli.ts'],
  outdir: 'dist',
  bundle: true,
  // undici, HTTP and the sandbox get chunks of their own, since a start doesn't need them.
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  format: 'esm',
  platform: 'node',
  target: 'node20.18',
  // Identifiers are kept, so that a stack in the log names its functions; minifying them and keeping
  // names separately takes 5 % of a start. With `node --enable-source-maps` a stack names the lines of
  // src/ too, which costs each start some 15 ms.
  minifyWhitespace: true,
  minifySyntax: true,
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  plugins: [replaceModules],
  // Bundled CommonJS packages call `require` for Node's own modules.
  banner: {
    js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
  },
});
