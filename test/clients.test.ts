import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { siteOrigin } from '../src/sandbox/content.ts';
import { CLI, readAnswer, type ToolAnswer } from './harness.ts';

const environment = { FINI_POLL_INTERVAL_MS: '50' };
const server = { command: process.execPath, args: [CLI, '--sandbox'], env: environment };
const implementation = { name: 'test', version: '1' };

/** What all clients have in common. */
interface AnyClient {
  readonly toolNames: () => Promise<string[]>;
  readonly call: (name: string, input: Record<string, unknown>) => Promise<ToolAnswer>;
  readonly close: () => Promise<void>;
}

/** A line of text that is a JSON-RPC message. */
const jsonRpc = z
  .string()
  .transform((line, context): unknown => {
    try {
      return JSON.parse(line);
    } catch {
      context.addIssue('not JSON');
      return z.NEVER;
    }
  })
  .pipe(
    z.looseObject({
      jsonrpc: z.literal('2.0'),
      id: z.int().optional(),
      result: z.record(z.string(), z.unknown()).optional(),
    }),
  );

/** A client without an SDK: JSON lines over pipes. Every line must be JSON-RPC. */
async function connectRaw(): Promise<AnyClient> {
  const child: ChildProcess = spawn(server.command, server.args, { env: environment });
  const waiting = new Map<number, (result: Record<string, unknown>) => void>();
  const faults: string[] = [];
  if (child.stdout === null) throw new Error('no stdout');
  createInterface({ input: child.stdout }).on('line', (line) => {
    const parsed = jsonRpc.safeParse(line);
    if (!parsed.success) {
      faults.push(line);
      return;
    }
    const { id, result } = parsed.data;
    if (id !== undefined) waiting.get(id)?.(result ?? parsed.data);
  });
  const send = (body: object) =>
    child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...body })}\n`);
  let lastId = 0;
  const request = (method: string, params: object): Promise<Record<string, unknown>> => {
    lastId += 1;
    const id = lastId;
    send({ id, method, params });
    return new Promise((resolve) => waiting.set(id, resolve));
  };
  const initialized = await request('initialize', {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: implementation,
  });
  expect(initialized).toMatchObject({
    protocolVersion: '2025-06-18',
    serverInfo: { name: 'fini-mcp', title: 'Fini (sandbox)' },
    instructions: expect.stringMatching(/embedded Fini.*Say so/),
    capabilities: { tools: {} },
  });
  send({ method: 'notifications/initialized' });
  return {
    async toolNames() {
      const listed = z.object({ tools: z.array(z.object({ name: z.string() })) });
      return listed.parse(await request('tools/list', {})).tools.map(({ name }) => name);
    },
    call: async (name, input) =>
      readAnswer(
        await request('tools/call', { name, arguments: input, _meta: { progressToken: lastId } }),
      ),
    async close() {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.stdin?.end();
      expect(await exited).toBe(0);
      expect(faults).toEqual([]);
    },
  };
}

async function connectV1(): Promise<AnyClient> {
  const client = new ClientV1(implementation);
  await client.connect(new StdioV1(server));
  return {
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, input) => readAnswer(await client.callTool({ name, arguments: input })),
    close: () => client.close(),
  };
}

async function connectV2(mode?: 'auto'): Promise<AnyClient> {
  const options = mode === undefined ? {} : { versionNegotiation: { mode } };
  const client = new ClientV2(implementation, options);
  await client.connect(new StdioV2(server));
  return {
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, input) => readAnswer(await client.callTool({ name, arguments: input })),
    close: () => client.close(),
  };
}

describe.concurrent.each([
  ['a client without an SDK', connectRaw],
  ['the v1 SDK’s client', connectV1],
  ['the v2 SDK’s client', () => connectV2()],
  ['the v2 SDK’s client in its auto mode', () => connectV2('auto')],
])('%s', (_name, connect) => {
  test('lists the tools and completes its work with each of them', async () => {
    const client = await connect();
    const call = async (name: string, input: Record<string, unknown>) => {
      const { isError, structured, text } = await client.call(name, input);
      expect(isError, text).toBe(false);
      expect(text).not.toBe('');
      return structured;
    };
    const provider = 'notion';

    const toolNames = await client.toolNames();
    const { urls } = await call('deep_crawl_links', { links: [`${siteOrigin}/billing`], limit: 2 });
    const { resources } = await call('list_provider_resources', { provider, limit: 2 });
    const registered = await call('register_provider_resources', { provider, resources });
    const ids = registered.addedDocumentIds;
    const queued = await call('ingest_sources', { source: provider, documentIdsToAdd: ids });
    const [report, waited] = await Promise.all([
      call('ingest_and_wait', { documentIdsToAdd: urls }),
      call('wait_for_sources', { ids: queued.addedDocumentIds }),
    ]);
    const listed = await call('list_sources', { source: provider, limit: 2 });
    const source = await call('get_source', { id: ids[0] });

    expect(toolNames).toHaveLength(11);
    expect(urls).toEqual([`${siteOrigin}/billing`, `${siteOrigin}/billing/payment-methods`]);
    expect(ids).toHaveLength(2);
    expect(report).toMatchObject({ outcome: 'completed', counts: { completed: 2 } });
    expect(waited).toMatchObject({ outcome: 'completed', counts: { completed: 2 } });
    const listedIds = listed.documents.map(({ id }: { id: string }) => id);
    expect(listedIds.toSorted()).toEqual(ids.toSorted());
    expect(source.paragraphs).toHaveLength(1);
    await client.close();
  });
});
