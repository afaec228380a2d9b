import { rm } from 'node:fs/promises';
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
  entryPoints: ['src/cli.ts'],
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
