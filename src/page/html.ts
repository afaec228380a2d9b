import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build, transformSync } from 'esbuild';

/*
 * The page as one file, from its parts in this folder. The build uses it and replaces this module by
 * its result; tests run it from the sources.
 */

const { outputFiles } = await build({
  entryPoints: [fileURLToPath(new URL('page.ts', import.meta.url))],
  bundle: true,
  write: false,
  format: 'iife',
  platform: 'browser',
  target: ['chrome111', 'firefox121', 'safari17.5'],
  minify: true,
  legalComments: 'none',
  tsconfigRaw: { compilerOptions: { target: 'es2023' } },
});
const script = (outputFiles[0]?.text ?? '').trim();
const style = transformSync(part('page.css'), { loader: 'css', minify: true }).code.trim();

/**
 * The page's policy: it loads nothing, and only its own script runs. Styles are allowed, because hosts
 * add theirs.
 */
const policy = [
  "default-src 'none'",
  `script-src 'sha256-${createHash('sha256').update(script).digest('base64')}'`,
  "style-src 'unsafe-inline'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** The whole page: HTML with its style and script inside, and nothing to load. */
export const html: string = [
  ['content=""', `content="${policy}"`],
  ['<style></style>', `<style>${style}</style>`],
  ['<script></script>', `<script>${script}</script>`],
].reduce((page, [empty = '', full = '']) => {
  if (!page.includes(empty)) throw new Error(`page.html has no ${empty}`);
  // A function is needed, since a script may contain patterns with a meaning in a replacement.
  return page.replace(empty, () => full);
}, part('page.html'));

function part(name: string): string {
  return readFileSync(new URL(name, import.meta.url), 'utf8');
}
