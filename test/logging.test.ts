import { Client as ClientV2, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, describe, expect, test } from 'vitest';
import { type Sandbox, type SandboxOptions, startSandbox } from '../src/sandbox/server.ts';
import { CLI, environmentFor, Stops, startHarness, startHttp } from './harness.ts';
import { connectHttp, connectRaw, type Notification, type RpcAnswer, type Way } from './rpc.ts';

const stops = new Stops();
afterEach(() => stops.run());

/** The ways in which a level that was set is remembered. */
const WAYS: Way[] = ['stdio', 'HTTP with sessions'];
const STEPS = ['PENDING', 'IN_PROGRESS', 'COMPLETED'];

/** Steps longer than the longest pause between looks, so that some look sees each. */
const seen = { pendingMs: 300, workingMs: 300 };
const slow: SandboxOptions = { parallelJobs: 100, jobs: () => seen };

async function sandboxFor(options: SandboxOptions = {}): Promise<Sandbox> {
  const sandbox = await startSandbox({ pendingMs: 20, workingMs: 30, lingerMs: 30, ...options });
  stops.add(() => sandbox.close());
  return sandbox;
}

const pages = (count: number, name = 'page') =>
  Array.from({ length: count }, (_, index) => `https://docs.example.com/${name}/${index}`);

const logOf = ({ notifications }: { notifications: readonly Notification[] }) =>
  notifications
    .filter(({ method }) => method === 'notifications/message')
    .map(({ params }) => params);

/** What the log says each source went through. */
function stepsById(log: ReturnType<typeof logOf>): Record<string, [from: string, to: string][]> {
  const steps: Record<string, [from: string, to: string][]> = {};
  for (const { data } of log) {
    const own = steps[data.id] ?? [];
    steps[data.id] = [...own, [data.from, data.to]];
  }
  return steps;
}

const idsIn = ({ result }: RpcAnswer): string[] =>
  result.structuredContent.sources.map(({ id }: { id: string }) => id);

describe.each(WAYS)('over %s', (way) => {
  test('nothing below a warning is heard before a level is set', async () => {
    const sandbox = await sandboxFor();
    const client = await connectRaw(way, stops, environmentFor(sandbox));
    const answer = await client.call('ingest_and_wait', { documentIdsToAdd: pages(3) });
    expect(answer.result.structuredContent.outcome).toBe('completed');
    expect(logOf(answer)).toEqual([]);
  });

  test('at info each source tells each step once, with its ID, before the answer', async () => {
    const sandbox = await sandboxFor({
      ...slow,
      jobs: ({ url }) =>
        url?.endsWith('/4') ? { ...seen, status: 'FAILED', error: 'HTTP 500' } : seen,
    });
    const client = await connectRaw(way, stops, environmentFor(sandbox));
    expect((await client.request('logging/setLevel', { level: 'info' })).result).toEqual({});
    const answer = await client.call('ingest_and_wait', { documentIdsToAdd: pages(5) });
    const log = logOf(answer);
    const steps = stepsById(log);
    expect(Object.keys(steps).toSorted()).toEqual(idsIn(answer).toSorted());
    for (const { id, status } of answer.result.structuredContent.sources) {
      const ends = [...STEPS.slice(0, 2), status === 'failed' ? 'FAILED' : 'COMPLETED'];
      expect(steps[id]).toEqual(ends.map((to, index) => [[null, ...ends][index], to]));
    }
    for (const { level, logger, data } of log) {
      expect({ level, logger }).toEqual({ level: 'info', logger: 'ingestion' });
      expect(data.message).toBe(`source ${data.from ?? 'queued'} → ${data.to}`);
      expect(data.originalUrl).toMatch(/^https:\/\/docs\.example\.com\/page\/\d$/);
    }
    const failed = log.filter(({ data }) => data.to === 'FAILED');
    expect(failed).toMatchObject([{ data: { error: 'HTTP 500' } }]);
  });

  test('a Fini that does not answer looks is one warning, also unasked', async () => {
    const sandbox = await sandboxFor(slow);
    const client = await connectRaw(way, stops, {
      ...environmentFor(sandbox),
      FINI_MAX_RETRIES: '0',
    });
    const documentIdsToAdd = pages(4);
    const queued = await client.call('ingest_sources', { documentIdsToAdd });
    const { addedDocumentIds: ids } = queued.result.structuredContent;
    const action = { kind: 'status', status: 500 } as const;
    sandbox.script({ method: 'GET', skip: 1, times: 12, action });
    const answer = await client.call('wait_for_sources', { ids });
    expect(answer.result.structuredContent.outcome).toBe('completed');
    expect(logOf(answer)).toMatchObject([
      { level: 'warning', data: { message: expect.stringMatching(/did not answer a look/) } },
    ]);
    expect(logOf(answer)[0].data.error).toMatch(/500/);
  });

  test('at emergency nothing is heard, and back at warning something is', async () => {
    const sandbox = await sandboxFor();
    const client = await connectRaw(way, stops, environmentFor(sandbox));
    await client.request('logging/setLevel', { level: 'info' });
    await client.request('logging/setLevel', { level: 'emergency' });
    const { id } = sandbox.addDocument({ linkedJobStatus: 'PENDING', success: null });
    const wait = async () => {
      const action = { kind: 'status', status: 500 } as const;
      sandbox.script({ method: 'GET', times: 20, action });
      const answer = await client.call('wait_for_sources', { ids: [id], timeoutSeconds: 1 });
      sandbox.clearFaults();
      return logOf(answer);
    };
    expect(await wait()).toEqual([]);
    await client.request('logging/setLevel', { level: 'warning' });
    expect(await wait()).toMatchObject([{ level: 'warning' }]);
  });

  test('a level that MCP does not have is refused, and the level stays', async () => {
    const sandbox = await sandboxFor();
    const client = await connectRaw(way, stops, environmentFor(sandbox));
    const { error } = await client.request('logging/setLevel', { level: 'loud' });
    expect(error?.message).toMatch(/level/);
    const answer = await client.call('ingest_and_wait', { documentIdsToAdd: pages(1) });
    expect(logOf(answer)).toEqual([]);
  });

  test('text from pages is one line, bounded and without control characters', async () => {
    const sandbox = await sandboxFor();
    const { id } = sandbox.addDocument({
      title: `A\u001b[2J\n${'long '.repeat(1_000)}`,
      linkedJobStatus: 'FAILED',
      error: `first\nsecond\u0007 ${'x'.repeat(10_000)}`,
    });
    const client = await connectRaw(way, stops, environmentFor(sandbox));
    await client.request('logging/setLevel', { level: 'debug' });
    const [{ data }] = logOf(await client.call('wait_for_sources', { ids: [id] }));
    expect(data.error).toMatch(/^first second x{300,}…$/);
    expect(data.title.length).toBeLessThanOrEqual(200);
    expect(JSON.stringify(data)).not.toMatch(/\\u00|\\n/);
    expect(JSON.stringify(data).length).toBeLessThan(1_500);
  });

  test('no key is ever in it', async () => {
    const sandbox = await sandboxFor();
    const key = sandbox.apiKey;
    const document = sandbox.addDocument({
      title: `Our key is ${key}`,
      linkedJobStatus: 'FAILED',
      error: `Bearer ${key} was refused`,
    });
    const client = await connectRaw(way, stops, environmentFor(sandbox));
    await client.request('logging/setLevel', { level: 'debug' });
    const body = { statusCode: 500, message: `broken for ${key}` };
    sandbox.script({ method: 'GET', times: 10, action: { kind: 'status', status: 500, body } });
    const answer = await client.call('wait_for_sources', { ids: [document.id] });
    expect(logOf(answer).map(({ level }) => level)).toEqual(['warning', 'info']);
    expect(JSON.stringify(answer)).not.toContain(key);
  });
});

describe('over HTTP', () => {
  test('sessions have levels of their own, and each call hears of its own sources', async () => {
    const sandbox = await sandboxFor(slow);
    const { url, stderr } = await startHttp(stops, environmentFor(sandbox));
    const [loud, other, quiet] = await Promise.all([
      connectHttp(url),
      connectHttp(url),
      connectHttp(url),
    ]);
    await loud.request('logging/setLevel', { level: 'info' });
    await other.request('logging/setLevel', { level: 'debug' });
    const [a, b, c, d] = await Promise.all([
      loud.call('ingest_and_wait', { documentIdsToAdd: pages(3, 'a') }),
      loud.call('ingest_and_wait', { documentIdsToAdd: pages(3, 'b') }),
      other.call('ingest_and_wait', { documentIdsToAdd: pages(3, 'c') }),
      quiet.call('ingest_and_wait', { documentIdsToAdd: pages(3, 'd') }),
    ]);
    for (const answer of [a, b, c]) {
      expect(Object.keys(stepsById(logOf(answer))).toSorted()).toEqual(idsIn(answer).toSorted());
    }
    expect(logOf(d)).toEqual([]);
    expect(stderr()).not.toContain(sandbox.apiKey);
  });

  test('a key in X-Fini-Api-Key is in no log either', async () => {
    const key = 'fini_of_this_client';
    const sandbox = await sandboxFor({ keys: { [key]: ['read', 'write'] } });
    const { url } = await startHttp(stops, { ...environmentFor(sandbox), FINI_API_KEY: '' });
    const client = await connectHttp(url, { headers: { 'x-fini-api-key': key } });
    await client.request('logging/setLevel', { level: 'debug' });
    const { id } = sandbox.addDocument({ title: key, linkedJobStatus: 'FAILED', error: key });
    const answer = await client.call('wait_for_sources', { ids: [id] });
    expect(logOf(answer)).toHaveLength(1);
    expect(JSON.stringify(answer)).not.toContain(key);
  });

  test('without sessions there is no level to remember: warnings are heard, the rest is not', async () => {
    const sandbox = await sandboxFor();
    const client = await connectRaw('stateless HTTP', stops, environmentFor(sandbox));
    expect((await client.request('logging/setLevel', { level: 'debug' })).result).toEqual({});
    const { id } = sandbox.addDocument({});
    sandbox.script({ method: 'GET', times: 10, action: { kind: 'status', status: 500 } });
    const answer = await client.call('wait_for_sources', { ids: [id] });
    expect(logOf(answer)).toMatchObject([{ level: 'warning' }]);
  });
});

describe('the SDKs’ clients hear every step', () => {
  test('v1 over stdio', async () => {
    const harness = await startHarness(slow);
    stops.add(() => harness.close());
    const heard: Notification['params'][] = [];
    harness.client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => {
      heard.push(params);
    });
    await harness.client.setLoggingLevel('info');
    const { structured } = await harness.call('ingest_and_wait', { documentIdsToAdd: pages(2) });
    const steps = stepsById(heard);
    for (const { id } of structured.sources) {
      expect(steps[id]?.map(([, to]) => to)).toEqual(STEPS);
    }
  });

  test.each(['stdio', 'HTTP'])('v2 over %s', async (way) => {
    const sandbox = await sandboxFor(slow);
    const env = environmentFor(sandbox);
    const client = new ClientV2({ name: 'test', version: '1' });
    await client.connect(
      way === 'stdio'
        ? new StdioClientTransport({ command: process.execPath, args: [CLI], env })
        : new StreamableHTTPClientTransport(new URL((await startHttp(stops, env)).url)),
    );
    stops.add(() => client.close());
    const heard: Notification['params'][] = [];
    client.setNotificationHandler('notifications/message', ({ params }) => {
      heard.push(params);
    });
    await client.setLoggingLevel('info');
    await client.callTool({ name: 'ingest_and_wait', arguments: { documentIdsToAdd: pages(2) } });
    const steps = Object.values(stepsById(heard));
    expect(steps.map((own) => own.map(([, to]) => to))).toEqual([STEPS, STEPS]);
  });
});
