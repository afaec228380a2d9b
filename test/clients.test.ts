import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import { siteOrigin } from '../src/sandbox/content.ts';
import { CLI, LISTED_TOOLS, readAnswer, type ToolAnswer } from './harness.ts';
import { RawClient } from './rpc.ts';

const environment = { FINI_POLL_INTERVAL_MS: '50' };
const server = { command: process.execPath, args: [CLI, '--sandbox'], env: environment };
const implementation = { name: 'test', version: '1' };

/** The part of a client that all clients share. */
interface AnyClient {
  readonly toolNames: () => Promise<string[]>;
  readonly call: (name: string, input: Record<string, unknown>) => Promise<ToolAnswer>;
  readonly close: () => Promise<void>;
}

/** Connects a client without an SDK. Reading a line checks that it is JSON-RPC. */
async function connectRaw(): Promise<AnyClient> {
  const child = spawn(server.command, server.args, { env: environment });
  const raw = new RawClient(child);
  expect((await raw.initialize()).result).toMatchObject({
    protocolVersion: '2025-06-18',
    serverInfo: { name: 'fini-mcp', title: 'Fini (sandbox)' },
    instructions: expect.stringMatching(/embedded Fini.*Say so/),
    capabilities: { tools: {} },
  });
  let lastId = 0;
  const request = async (method: string, params: object) => {
    lastId += 1;
    const id = lastId;
    raw.send({ id, method, params });
    return (await raw.answer(id)).result ?? {};
  };
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
      child.stdin.end();
      expect(await once(child, 'close')).toEqual([0, null]);
      raw.messages();
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
    const idsOf = ({ sources }: { sources: { id: string }[] }) => sources.map(({ id }) => id);
    const ids = idsOf(registered);
    const queued = await call('ingest_sources', { source: provider, documentIdsToAdd: ids });
    const [report, waited] = await Promise.all([
      call('ingest_and_wait', { documentIdsToAdd: urls }),
      call('wait_for_sources', { ids: idsOf(queued) }),
    ]);
    const listed = await call('list_sources', { source: provider, limit: 2 });
    const source = await call('get_source', { id: ids[0] });

    expect(toolNames).toHaveLength(LISTED_TOOLS);
    expect(urls).toEqual([`${siteOrigin}/billing`, `${siteOrigin}/billing/payment-methods`]);
    expect(ids).toHaveLength(2);
    expect(report).toMatchObject({ outcome: 'completed', counts: { completed: 2 } });
    expect(waited).toMatchObject({ outcome: 'completed', counts: { completed: 2 } });
    const listedIds = listed.sources.map(({ id }: { id: string }) => id);
    expect(listedIds.toSorted()).toEqual(ids.toSorted());
    expect(source.paragraphs).toHaveLength(1);
    await client.close();
  });
});
