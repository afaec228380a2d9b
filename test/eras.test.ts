import {
  Client as ClientV2,
  StreamableHTTPClientTransport as HttpV2,
} from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Sandbox } from '../src/sandbox/sandbox-server.ts';
import {
  CLI,
  environmentFor,
  eventually,
  readAnswer,
  Stops,
  startHttpProcess,
  startQuickSandbox,
  type ToolAnswer,
} from './harness.ts';
import { nextCall } from './next-calls.ts';

/* Does the same work with the built server and every client, over each transport. */

const SITE = 'https://help.larkspur.example';
const MODERN = '2026-07-28';
/** The flags that list all tools. */
const OPTIONAL = ['--allow-delete', '--allow-publish'];
const WAYS = ['stdio', 'HTTP'] as const;
const CLIENTS = [
  'the v1 SDK',
  'the v2 SDK for 2025',
  'the v2 SDK in its auto mode',
  'the v2 SDK pinned to 2026-07-28',
] as const;

type Way = (typeof WAYS)[number];
type Kind = (typeof CLIENTS)[number];

interface CallOptions {
  readonly onprogress?: (progress: { progress: number; message?: string | undefined }) => void;
  readonly signal?: AbortSignal;
}

/** The part of a client that all clients share. */
interface AnyClient {
  readonly version: () => string | undefined;
  readonly toolNames: () => Promise<string[]>;
  readonly call: (name: string, input: object, options?: CallOptions) => Promise<ToolAnswer>;
  readonly close: () => Promise<unknown>;
}

const implementation = { name: 'test', version: '1' };

/** Called with each question, which is answered with yes; null for a client that cannot ask. */
type OnQuestion = (message: string) => void;

const capabilitiesFor = (onQuestion: OnQuestion | null) =>
  onQuestion === null ? {} : { elicitation: { form: {} } };

async function connectV1(
  target: { url: string } | StdioServer,
  onQuestion: OnQuestion | null,
): Promise<AnyClient> {
  const client = new ClientV1(implementation, { capabilities: capabilitiesFor(onQuestion) });
  if (onQuestion !== null) {
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      onQuestion(params.message);
      return { action: 'accept', content: {} };
    });
  }
  const transport = 'url' in target ? new HttpV1(new URL(target.url)) : new StdioV1(target);
  await client.connect(transport);
  return {
    version: () => undefined,
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, input, options) =>
      readAnswer(await client.callTool({ name, arguments: { ...input } }, undefined, options)),
    close: () => client.close(),
  };
}

async function connectV2(
  target: { url: string } | StdioServer,
  onQuestion: OnQuestion | null,
  mode: 'legacy' | 'auto' | { pin: string },
): Promise<AnyClient> {
  const client = new ClientV2(implementation, {
    capabilities: capabilitiesFor(onQuestion),
    versionNegotiation: { mode },
  });
  if (onQuestion !== null) {
    client.setRequestHandler('elicitation/create', ({ params }) => {
      onQuestion(params.message);
      return { action: 'accept', content: {} };
    });
  }
  const transport = 'url' in target ? new HttpV2(new URL(target.url)) : new StdioV2(target);
  await client.connect(transport);
  return {
    version: () => client.getNegotiatedProtocolVersion(),
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, input, options) =>
      readAnswer(await client.callTool({ name, arguments: { ...input } }, options)),
    close: () => client.close(),
  };
}

interface StdioServer {
  readonly command: string;
  readonly args: string[];
  readonly env: Record<string, string>;
}

const MODES = {
  'the v2 SDK for 2025': 'legacy',
  'the v2 SDK in its auto mode': 'auto',
  'the v2 SDK pinned to 2026-07-28': { pin: MODERN },
} as const;

const stops = new Stops();
let sandbox: Sandbox;
let httpUrl: string;

beforeAll(async () => {
  sandbox = stops.use(await startQuickSandbox({ folders: true }));
  httpUrl = (await startHttpProcess(stops, environmentFor(sandbox), OPTIONAL)).url;
});
afterAll(() => stops.run());

function connect(way: Way, kind: Kind, onQuestion: OnQuestion | null): Promise<AnyClient> {
  const args = [CLI, ...OPTIONAL];
  const target =
    way === 'HTTP'
      ? { url: httpUrl }
      : { command: process.execPath, args, env: environmentFor(sandbox) };
  return kind === 'the v1 SDK'
    ? connectV1(target, onQuestion)
    : connectV2(target, onQuestion, MODES[kind]);
}

/** Goes from a site to answers in one conversation. Each call comes from the answer before it. */
async function fromSiteToAnswers(client: AnyClient): Promise<ToolAnswer> {
  const follow = (answer: ToolAnswer, tool: string) =>
    client.call(tool, nextCall(answer, tool), { onprogress: () => undefined });
  const ingested = await client.call(
    'ingest_site',
    { links: [SITE], include: ['/billing/refunds'] },
    { onprogress: () => undefined },
  );
  expect(ingested.structured, ingested.text).toMatchObject({ outcome: 'completed' });
  const drafted = await follow(ingested, 'generate_knowledge');
  expect(drafted.structured, drafted.text).toMatchObject({ outcome: 'completed' });
  const read = await follow(drafted, 'get_articles');
  const [draft] = read.structured.articles;
  expect(draft, read.text).toMatchObject({ status: 'draft' });
  const shown = await client.call('publish_articles', { articleIds: [draft.id], dryRun: true });
  return follow(shown, 'publish_articles');
}

describe.each(WAYS)('over %s', (way) => {
  describe.each(CLIENTS)('%s', (kind: Kind) => {
    let client: AnyClient;
    let questions: string[];
    let whenAsked: () => void = () => undefined;
    const isModern = /auto|pinned/.test(kind);
    // Over HTTP the server neither knows what a client of 2025 can do nor can ask it.
    const canAsk = way === 'stdio' || isModern;
    beforeAll(async () => {
      questions = [];
      client = await connect(way, kind, (message) => {
        questions.push(message);
        whenAsked();
      });
    });
    afterAll(() => client.close());

    test('lists, waits with progress, is refused, and is asked before a delete', async () => {
      expect(client.version() === MODERN).toBe(isModern);

      expect(await client.toolNames()).toContain('ingest_and_wait');

      const messages: string[] = [];
      const report = await client.call(
        'ingest_and_wait',
        { documentIdsToAdd: [`${SITE}/billing/refunds`, `${SITE}/account/rewards`] },
        { onprogress: ({ message = '' }) => messages.push(message) },
      );
      expect(report.structured).toMatchObject({ outcome: 'partial' });
      expect(messages.length).toBeGreaterThan(0);

      const refused = await client.call('get_source', { id: 'no ID' });
      expect(refused).toMatchObject({ isError: true });
      expect(refused.text).toContain('not a source ID');

      const { id } = sandbox.addDocument({ title: 'To be deleted' });
      const deleted = await client.call('delete_sources', { documentIds: [id] });
      expect(deleted.structured.sources).toMatchObject([{ status: 'deleted', id }]);
      expect(questions).toEqual(canAsk ? [expect.stringContaining(id)] : []);
    });

    test('goes from a site to answers, and the person is asked', async () => {
      const before = questions.length;
      const published = await fromSiteToAnswers(client);
      expect(published.structured, published.text).toMatchObject({
        ...{ outcome: 'published', articles: [{ status: 'published' }] },
      });
      const { id } = published.structured.articles[0];
      expect(questions.slice(before)).toEqual(canAsk ? [expect.stringContaining(id)] : []);
      expect(published.text.includes('cannot be asked to confirm')).toBe(!canAsk);
    });

    if (canAsk) {
      test('asks again about a draft that changed while the person was thinking', async () => {
        const draft = sandbox.addArticle({ title: 'Before', isDraftPublished: false });
        whenAsked = () => {
          sandbox.addArticle({ ...draft, title: 'After' });
          whenAsked = () => undefined;
        };
        const before = questions.length;
        const published = await client.call('publish_articles', { articleIds: [draft.id] });
        expect(questions.slice(before)).toEqual([
          expect.stringContaining('"Before"'),
          expect.stringContaining('"After"'),
        ]);
        expect(published.structured.articles).toMatchObject([
          { status: 'published', title: 'After' },
        ]);
      });
    }

    test('ends the requests to Fini by cancelling', async () => {
      const { id } = sandbox.addDocument({ linkedJobStatus: 'IN_PROGRESS' });
      const cancel = new AbortController();
      const before = sandbox.requests.length;
      const waiting = client.call(
        'wait_for_sources',
        { ids: [id] },
        { signal: cancel.signal, onprogress: () => undefined },
      );
      await eventually(() => expect(sandbox.requests.length).toBeGreaterThan(before + 1));
      const ended = expect(waiting).rejects.toThrow();
      // Over HTTP a notification of 2025 reaches no call; disconnecting ends the call instead.
      if (way === 'HTTP' && !isModern) await client.close();
      else cancel.abort();
      await ended;
      let asked = -1;
      // After a few intervals without a request, polling has stopped.
      await eventually(async () => {
        const last = asked;
        asked = sandbox.requests.length;
        await new Promise((resolve) => setTimeout(resolve, 300));
        expect(sandbox.requests.length).toBe(last);
      });
    });
  });

  test.each(['the v1 SDK', 'the v2 SDK pinned to 2026-07-28'] as const)(
    '%s, which cannot ask, goes from a site to answers, too',
    async (kind) => {
      const client = await connect(way, kind, null);
      stops.add(() => client.close());
      const published = await fromSiteToAnswers(client);
      expect(published.structured).toMatchObject({ outcome: 'published' });
    },
  );
});
