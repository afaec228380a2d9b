import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, sep } from 'node:path';
import { promisify } from 'node:util';
import { getMcpConfigForManifest, unpackExtension, v0_3 } from '@anthropic-ai/mcpb';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { packBundle } from '../bundle.ts';
import packageJson from '../package.json' with { type: 'json' };
import { helpText } from '../src/command-line.ts';
import { configSchema } from '../src/config.ts';
import { startSandbox } from '../src/sandbox/sandbox-server.ts';
import { readAnswer } from './harness.ts';

const MEGABYTE = 1_000_000;

let work = '';
/** The folder with the bundle's files, as a client unpacks them. */
let unpacked = '';

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'fini-mcp-test-'));
  unpacked = join(work, 'unpacked');
  const mcpbPath = join(work, 'fini-mcp.mcpb');
  await packBundle(mcpbPath);
  expect((await stat(mcpbPath)).size).toBeLessThan(MEGABYTE);
  expect(await unpackExtension({ mcpbPath, outputDir: unpacked, silent: true })).toBe(true);
});
afterAll(() => rm(work, { recursive: true }));

/** Reads the bundle's manifest with the packer's own schema, which allows no other fields. */
async function readManifest() {
  const text = await readFile(join(unpacked, 'manifest.json'), 'utf8');
  return v0_3.McpbManifestSchema.parse(JSON.parse(text));
}

/** The server's configuration, as a client makes it from the manifest and the user's settings. */
async function configurationFor(userConfig: Record<string, string>) {
  return getMcpConfigForManifest({
    manifest: await readManifest(),
    extensionPath: unpacked,
    systemDirs: {},
    userConfig,
    pathSeparator: sep,
  });
}

async function connect(userConfig: Record<string, string>): Promise<Client> {
  const config = await configurationFor(userConfig);
  expect(config?.command).toBe('node');
  const transport = new StdioClientTransport({
    // Claude Desktop runs the server with its own Node.
    command: process.execPath,
    args: config?.args ?? [],
    env: config?.env ?? {},
    cwd: work,
  });
  const client = new Client({ name: 'test', version: '1' });
  onTestFinished(() => client.close());
  await client.connect(transport);
  return client;
}

describe('the manifest', () => {
  it('passes mcpb validate, and its icon too', async () => {
    const validate = ['node_modules/@anthropic-ai/mcpb/dist/cli/cli.js', 'validate', unpacked];
    const { stdout } = await promisify(execFile)(process.execPath, validate);
    expect(stdout).toContain('Manifest schema validation passes!');
    expect(stdout).toContain('Icon validation passed');
  });

  it('has the version of the package', async () => {
    const { name, version, license } = await readManifest();
    expect({ name, version, license }).toEqual({
      name: packageJson.name,
      version: packageJson.version,
      license: packageJson.license,
    });
  });

  it('keeps the key secret, and requires nothing else', async () => {
    const { user_config: settings = {} } = await readManifest();
    const required = Object.keys(settings).filter((name) => settings[name]?.required === true);
    const sensitive = Object.keys(settings).filter((name) => settings[name]?.sensitive === true);
    expect(required).toEqual(['api_key']);
    expect(sensitive).toEqual(['api_key']);
    expect(await configurationFor({})).toBeUndefined();
  });

  it('sets variables that the server reads, to their defaults', async () => {
    const { env = {} } = (await configurationFor({ api_key: 'fini_abcdefgh' })) ?? {};
    for (const name of Object.keys(env)) expect(helpText('')).toContain(name);
    const { baseUrl, waitTimeoutSeconds } = configSchema.parse({});
    expect(env).toEqual({
      FINI_API_KEY: 'fini_abcdefgh',
      FINI_BASE_URL: baseUrl,
      FINI_WAIT_TIMEOUT_SECONDS: String(waitTimeoutSeconds),
    });
  });
});

describe('the server in the bundle', () => {
  it('lists the tools that the manifest names', async () => {
    const client = await connect({ api_key: 'fini_abcdefgh' });
    const listed = (await client.listTools()).tools.map(({ name }) => name);
    const { tools = [] } = await readManifest();
    expect(tools.map(({ name }) => name)).toEqual(listed);
    expect(listed).not.toContain('delete_sources');
    for (const { description } of tools) expect(description).toBeTruthy();
  });

  it('ingests with the key that the person set', async () => {
    const sandbox = await startSandbox({ pendingMs: 20, workingMs: 30 });
    onTestFinished(() => sandbox.close());
    const client = await connect({ api_key: sandbox.apiKey, base_url: sandbox.url });
    const answer = readAnswer(
      await client.callTool({
        name: 'ingest_and_wait',
        arguments: { documentIdsToAdd: ['https://help.larkspur.example/billing/refunds'] },
      }),
    );
    expect(answer.structured).toMatchObject({ outcome: 'completed' });
    const { version } = client.getServerVersion() ?? {};
    expect(version).toBe(packageJson.version);
  });
});
