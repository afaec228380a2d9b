import { exec } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import serverJson from '../server.json' with { type: 'json' };
import { helpText } from '../src/command-line.ts';
import { toolsFor } from '../src/tools/listed-tools.ts';
import { configFor, readAnswer } from './harness.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Runs npm or an installed script in a shell, since on Windows only a shell finds and starts those. */
const runScript = (words: readonly string[], cwd: string) =>
  // Only words that need quotes get them: npm's script on Windows fails if its name is quoted.
  promisify(exec)(words.map((word) => (/[^\w.-]/.test(word) ? `"${word}"` : word)).join(' '), {
    cwd,
  });

/** The output of `npm pack --json`. */
const packedSchema = z.tuple([
  z.object({
    filename: z.string(),
    files: z.array(z.object({ path: z.string() })),
  }),
]);

let work = '';
let packed: z.output<typeof packedSchema>[0];
let bin = '';

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'fini-mcp-test-'));
  // prepack is skipped, since it would rebuild while other tests run.
  const pack = ['pack', '--json', '--ignore-scripts', '--pack-destination', work];
  [packed] = packedSchema.parse(JSON.parse((await runScript(['npm', ...pack], ROOT)).stdout));
  await writeFile(join(work, 'package.json'), '{ "private": true, "type": "module" }');
  const install = ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund'];
  await runScript(['npm', ...install, join(work, packed.filename)], work);
  bin = join(work, 'node_modules', '.bin', 'fini-mcp');
}, 60_000);
afterAll(() => rm(work, { recursive: true }));

describe('the package', () => {
  it('contains the build, with source maps, and nothing else', () => {
    const paths = packed.files.map(({ path }) => path);
    const beside = paths.filter((path) => !path.startsWith('dist/'));
    expect(beside.sort()).toEqual(['LICENSE', 'README.md', 'package.json']);
    const built = paths.filter((path) => path.startsWith('dist/'));
    for (const path of built) expect(path).toMatch(/\.(js|js\.map)$/);
    const scripts = built.filter((path) => path.endsWith('.js'));
    expect(scripts).toContain('dist/cli.js');
    for (const script of scripts) expect(built).toContain(`${script}.map`);
  });

  it('is built before it is packed, and has no dependencies', async () => {
    expect(packageJson.scripts.prepack).toBe('npm run --silent build');
    expect(Object.keys(packageJson).filter((key) => /dependencies$/i.test(key))).toEqual([
      'devDependencies',
    ]);
    const lock = z.object({ packages: z.record(z.string(), z.unknown()) });
    const text = await readFile(join(work, 'package-lock.json'), 'utf8');
    const installed = Object.keys(lock.parse(JSON.parse(text)).packages);
    expect(installed).toEqual(['', 'node_modules/fini-mcp']);
  });

  it('carries the lists of tools as data, so that no start converts schemas', async () => {
    const chunks = join(work, 'node_modules/fini-mcp/dist/chunks');
    const [name = ''] = (await readdir(chunks)).filter((file) => /^listing-.*\.js$/.test(file));
    expect(await readFile(join(chunks, name), 'utf8')).toContain('"inputSchema":{"type":"object",');
  });

  it('keeps the sandbox and its content in one chunk, which only --sandbox loads', async () => {
    const dist = join(work, 'node_modules/fini-mcp/dist');
    const paths = (await readdir(dist, { recursive: true })).filter((path) => path.endsWith('.js'));
    const texts = await Promise.all(paths.map((path) => readFile(join(dist, path), 'utf8')));
    const holding = paths.filter((_path, index) => texts[index]?.includes('rents out bicycles'));
    expect(holding).toEqual([expect.stringMatching(/^chunks.sandbox-server-\w+\.js$/)]);
    const [chunk = ''] = holding.map((path) => basename(path));
    const imports = texts.flatMap((text) => text.match(new RegExp(`.{7}"[./a-z]*${chunk}"`, 'g')));
    expect(imports.filter(Boolean)).toEqual([expect.stringMatching(/^import\("/)]);
  });

  it('has short lines, since Node prints the one in which a fault arose', async () => {
    const dist = join(work, 'node_modules/fini-mcp/dist');
    const paths = (await readdir(dist, { recursive: true })).filter((path) => path.endsWith('.js'));
    const texts = await Promise.all(paths.map((path) => readFile(join(dist, path), 'utf8')));
    const lengths = texts.flatMap((text) => text.split('\n').map(({ length }) => length));
    expect(Math.max(...lengths)).toBeLessThan(5_000);
  });

  it('carries the licence that it names', async () => {
    const text = await readFile(join(work, 'node_modules/fini-mcp/LICENSE'), 'utf8');
    expect(text.startsWith(`${packageJson.license} License\n`)).toBe(true);
  });
});

describe('the installed bin', () => {
  it.each(['--version', '-v'])('prints its version with %s', async (flag) => {
    expect((await runScript([bin, flag], work)).stdout).toBe(`${packageJson.version}\n`);
  });

  it('prints its help with --help', async () => {
    expect((await runScript([bin, '--help'], work)).stdout).toBe(helpText(packageJson.version));
  });

  it('serves its sandbox from a folder with nothing in it', async () => {
    const cwd = join(work, 'empty');
    await mkdir(cwd);
    const transport = new StdioClientTransport({ command: bin, args: ['--sandbox'], cwd });
    const client = new Client({ name: 'test', version: '1' });
    onTestFinished(() => client.close());
    await client.connect(transport);
    const listed = (await client.listTools()).tools.map(({ name }) => name);
    const usual = toolsFor(configFor([])).map(({ name }) => name);
    expect(listed).toEqual(usual);
    const answer = readAnswer(
      await client.callTool({
        name: 'deep_crawl_links',
        arguments: { links: ['https://help.larkspur.example'] },
      }),
    );
    expect(answer.isError).toBe(false);
    expect(answer.text).toContain('https://help.larkspur.example/billing/refunds');
  });
});

describe('server.json', () => {
  /*
   * The MCP registry's format of 2025-12-11, as far as this package uses it. It is stricter than the
   * registry's own schema: an unknown field is a mistake.
   */
  const format = z.strictObject({
    $schema: z.literal(
      'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json',
    ),
    name: z
      .string()
      .max(200)
      .regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
    title: z.string().min(1).max(100),
    description: z.string().min(1).max(100),
    // The registry takes one version, not a range.
    version: z.string().regex(/^\d+\.\d+\.\d+(-[\w.]+)?$/),
    packages: z.tuple([
      z.strictObject({
        registryType: z.literal('npm'),
        identifier: z.string(),
        version: z.string().regex(/^\d+\.\d+\.\d+(-[\w.]+)?$/),
        runtimeHint: z.literal('npx'),
        transport: z.strictObject({ type: z.literal('stdio') }),
        environmentVariables: z.array(
          z.strictObject({
            name: z.string().min(1),
            description: z.string(),
            format: z.enum(['string', 'number', 'boolean', 'filepath']).optional(),
            isRequired: z.boolean().optional(),
            isSecret: z.boolean().optional(),
            default: z.string().optional(),
          }),
        ),
      }),
    ]),
  });
  const server = format.parse(serverJson);
  const [npm] = server.packages;

  it('keeps the key secret', () => {
    const secret = npm.environmentVariables.filter(({ isSecret }) => isSecret);
    expect(secret.map(({ name }) => name)).toEqual(['FINI_API_KEY']);
  });
});
