import { readdir, readFile } from 'node:fs/promises';
import { Client as ClientV2, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { afterEach, describe, expect, test } from 'vitest';
import { html } from '../src/page/html.ts';
import { connectClient, Stops, startHarness, startHttp, startProcess } from './harness.ts';

/* The report page as a resource: which clients learn of it, and what they read. */

const URI = 'ui://fini/report';
const MIME = 'text/html;profile=mcp-app';
const TOOLS = [
  'ingest_site',
  'import_provider_resources',
  'ingest_and_wait',
  'wait_for_sources',
  'generate_knowledge',
];
const LIMIT = 150_000;

const implementation = { name: 'test', version: '1' };
const withPages = (mimeTypes: string[]) => ({
  capabilities: { extensions: { 'io.modelcontextprotocol/ui': { mimeTypes } } },
});

const stops = new Stops();
afterEach(() => stops.run());

/** The part of a client that both SDKs share. */
interface AnyClient {
  readonly listTools: () => Promise<{ tools: { name: string; _meta?: unknown }[] }>;
  readonly listResources: () => Promise<{
    resources: { uri: string; mimeType?: string | undefined }[];
  }>;
}

/** The tools that link to the page, and whether the page is listed, as the client sees them. */
async function told(client: AnyClient) {
  const { tools } = await client.listTools();
  const { resources } = await client.listResources();
  return {
    linked: tools.filter(({ _meta }) => _meta !== undefined).map(({ name }) => name),
    metas: [...new Set(tools.map(({ _meta }) => JSON.stringify(_meta)))],
    listed: resources.filter(({ uri }) => uri.startsWith('ui://')).map(({ uri }) => uri),
  };
}

const ALL = {
  linked: TOOLS,
  metas: [JSON.stringify({ ui: { resourceUri: URI } }), undefined],
  listed: [URI],
};
const NOTHING = { linked: [], metas: [undefined], listed: [] };

async function startClient(options: object, environment: Record<string, string> = {}) {
  const client = new Client(implementation, options);
  return stops.use(await startHarness({}, environment, [], { client })).client;
}

async function startModern(url: string, options: object) {
  const client = new ClientV2(implementation, {
    ...options,
    versionNegotiation: { mode: { pin: '2026-07-28' } },
  });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  return stops.use(client);
}

describe('a client of 2025', () => {
  test('that shows pages is told about it', async () => {
    expect(await told(await startClient(withPages([MIME])))).toEqual(ALL);
  });

  test.each([
    ['says nothing of it', {}],
    ['shows pages of another kind', withPages(['text/uri-list'])],
    [
      'names the extension without kinds',
      { capabilities: { extensions: { 'io.modelcontextprotocol/ui': {} } } },
    ],
  ])('that %s finds no difference', async (_name, options) => {
    expect(await told(await startClient(options))).toEqual(NOTHING);
  });

  test('is told also where there is no key', async () => {
    const client = await startClient(withPages([MIME]), { FINI_API_KEY: '' });
    expect((await client.listResources()).resources.map(({ uri }) => uri)).toEqual([URI]);
  });

  test('is told of the page by its tools over HTTP, where no one knows what it shows', async () => {
    const { url } = await startHttp(stops, {}, ['--sandbox']);
    const { client } = await connectClient(stops, url);
    expect(await told(client)).toEqual({ ...ALL, listed: [] });
    expect((await client.readResource({ uri: URI })).contents).toHaveLength(1);
  });
});

describe('a client of 2026', () => {
  test.each([
    ['that shows pages is told about it', withPages([MIME]), ALL],
    ['that does not finds no difference', {}, NOTHING],
  ])('%s', async (_name, options, expected) => {
    const { url } = await startHttp(stops, {}, ['--sandbox']);
    const client = await startModern(url, options);
    expect(await told(client)).toEqual(expected);
  });
});

test('the page is listed once, on the first page of resources', async () => {
  const { client, sandbox } = await startHarness({}, {}, [], {
    client: new Client(implementation, withPages([MIME])),
  }).then((harness) => stops.use(harness));
  for (let index = 0; index < 60; index += 1) sandbox.addDocument({});
  const first = await client.listResources();
  const second = await client.listResources({ cursor: first.nextCursor });
  expect(first.resources[0]).toMatchObject({ uri: URI, mimeType: MIME });
  expect(second.resources.length).toBeGreaterThan(0);
  expect(second.resources.map(({ uri }) => uri)).not.toContain(URI);
});

test('any client can read it, and the host is told that it loads nothing', async () => {
  const client = await startClient({});
  const { contents } = await client.readResource({ uri: URI });
  const csp = { connectDomains: [], resourceDomains: [], frameDomains: [], baseUriDomains: [] };
  expect(contents).toEqual([
    { uri: URI, mimeType: MIME, text: html, _meta: { ui: { csp, prefersBorder: true } } },
  ]);
});

test('the page is one small file that names nothing to load', () => {
  expect(Buffer.byteLength(html)).toBeLessThan(LIMIT);
  expect(html).toMatch(/^<!doctype html>/);
  expect(html).not.toMatch(/\bsrc=|<link|url\(|@import|\bfetch\(|XMLHttpRequest|innerHTML/);
  expect(html).toContain("default-src 'none'; script-src 'sha256-");
});

test('the built server gives the same page, which no start loads', async () => {
  const { client } = stops.use(await startProcess());
  const { contents } = await client.readResource({ uri: URI });
  // `expect` gets a boolean, since the page is too long to print.
  expect(JSON.stringify(contents).includes(JSON.stringify(html))).toBe(true);
  const dist = new URL('../dist/', import.meta.url);
  const names = (await readdir(dist, { recursive: true })).filter((name) => name.endsWith('.js'));
  const texts = await Promise.all(names.map((name) => readFile(new URL(name, dist), 'utf8')));
  const holding = names.filter((_name, index) => texts[index]?.includes('<title>Fini report'));
  expect(holding).toHaveLength(1);
  const [chunk = ''] = holding.map((name) => name.replace('chunks/', ''));
  const loading = texts.flatMap(
    (text) => text.match(new RegExp(`.{7}"[./a-z]*${chunk}"`, 'g')) ?? [],
  );
  expect(loading).not.toEqual([]);
  for (const statement of loading) expect(statement).toMatch(/^import\("/);
});
