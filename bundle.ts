import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { McpbManifestAny } from '@anthropic-ai/mcpb';
import packageJson from './package.json' with { type: 'json' };
import { configSchema, settings } from './src/config.ts';
import { tools } from './src/tools/all-tools.ts';
import { listedNames } from './src/tools/listed-tools.ts';

const ROOT = fileURLToPath(new URL('.', import.meta.url));
const PACKER = join(ROOT, 'node_modules/@anthropic-ai/mcpb/dist/cli/cli.js');

const defaults = configSchema.parse({});

/** A placeholder that the client replaces with the user's setting. */
const setting = (name: string) => `\${user_config.${name}}`;

/**
 * The bundle's manifest, for clients that install a server with a click and ask for its settings.
 * It imports every fact from the file that defines it, so that none can go stale here.
 */
export const manifest = {
  manifest_version: '0.3',
  name: packageJson.name,
  display_name: 'Fini',
  version: packageJson.version,
  description: packageJson.description,
  author: { name: 'the fini-mcp authors' },
  icon: 'icon.png',
  server: {
    type: 'node',
    entry_point: packageJson.bin['fini-mcp'],
    mcp_config: {
      command: 'node',
      args: [`\${__dirname}/${packageJson.bin['fini-mcp']}`],
      env: {
        FINI_API_KEY: setting('api_key'),
        FINI_BASE_URL: setting('base_url'),
        FINI_WAIT_TIMEOUT_SECONDS: setting('wait_timeout_seconds'),
      },
    },
  },
  // A bundle can set no flags, so it offers the tools of a server without flags.
  tools: tools
    .filter(({ name }) => listedNames(defaults).has(name))
    .map(({ name, title }) => ({ name, description: title })),
  prompts_generated: true,
  keywords: packageJson.keywords,
  license: packageJson.license,
  compatibility: {
    platforms: ['darwin', 'win32', 'linux'],
    runtimes: { node: packageJson.engines.node },
  },
  user_config: {
    api_key: {
      type: 'string',
      title: 'Fini API key',
      description: settings.apiKey.description,
      sensitive: true,
      required: true,
    },
    base_url: {
      type: 'string',
      title: 'Fini API URL',
      description: 'The URL of the Fini API. Leave it unchanged unless Fini gave you another one.',
      default: defaults.baseUrl,
    },
    wait_timeout_seconds: {
      type: 'number',
      title: 'Wait timeout, in seconds',
      description: settings.waitTimeoutSeconds.description,
      default: defaults.waitTimeoutSeconds,
      min: 1,
      max: 3600,
    },
  },
} satisfies McpbManifestAny;

/** Packs the build into a bundle. The packer checks the manifest and leaves out source maps. */
export async function packBundle(output: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'fini-mcp-bundle-'));
  try {
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest, null, 2));
    // Node needs package.json to treat the files as modules.
    for (const name of ['package.json', 'LICENSE', 'icon.png', 'dist']) {
      await cp(join(ROOT, name), join(folder, name), { recursive: true });
    }
    // The packer runs in a separate process, because it prints a needless warning about the icon.
    await promisify(execFile)(process.execPath, [PACKER, 'pack', folder, output]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const name = 'fini-mcp.mcpb';
  await packBundle(join(ROOT, name));
  const { size } = await stat(join(ROOT, name));
  process.stdout.write(
    `${name}: ${Math.round(size / 1000)} kB, for clients that install bundles.\n`,
  );
}
