import { Client as ClientV2 } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { LoggingMessageNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, describe, expect, test } from 'vitest';
import type { SandboxOptions } from '../src/sandbox/sandbox-server.ts';
import {
  CLI,
  environmentFor,
  eventually,
  Stops,
  startHarness,
  startHttp,
  startQuickSandbox,
} from './harness.ts';
import { connectHttp, connectRaw, JSON_HEADERS, type Notification, type RpcAnswer } from './rpc.ts';
import type { ScriptedSandbox } from './scripted-sandbox.ts';

const stops = new Stops();
afterEach(() => stops.run());

const STEPS = ['PENDING', 'IN_PROGRESS', 'COMPLETED'];

/** Steps longer than the longest pause between polls, ten times the 20 ms of the harness, so that some poll sees each. */
const seen = { pendingMs: 300, workingMs: 300 };
const slow: SandboxOptions = { parallelJobs: 100, jobs: () => seen };

async function sandboxFor(options: SandboxOptions = {}): Promise<ScriptedSandbox> {
  return stops.use(await startQuickSandbox(options));
}

const pages = (count: number, name = 'page') =>
  Array.from({ length: count }, (_, index) => `https://docs.example.com/${name}/${index}`);

const KEY = 'fini_key_of_one_client';

/** The lines that a server has logged. */
const linesOf = (stderr: string) =>
  stderr
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line));

const logOf = ({ notifications }: { notifications: readonly Notification[] }) =>
  notifications
    .filter(({ method }) => method === 'notifications/message')
    .map(({ params }) => params);

/** The transitions that the log shows for each source. */
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

describe('over stdio', () => {
  test('nothing below a warning is heard before a level is set', async () => {
    const sandbox = await sandboxFor();
    const client = await connectRaw('stdio', stops, environmentFor(sandbox));
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
    const client = await connectRaw('stdio', stops, environmentFor(sandbox));
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
    const client = await connectRaw('stdio', stops, {
      ...environmentFor(sandbox),
      FINI_MAX_RETRIES: '0',
    });
    const documentIdsToAdd = pages(4);
    const queued = await client.call('ingest_sources', { documentIdsToAdd });
    const { sources } = queued.result.structuredContent;
    const ids = sources.map(({ id }: { id: string }) => id);
    const action = { kind: 'status', status: 500 } as const;
    sandbox.script({ method: 'GET', skip: 1, times: 12, action });
    const answer = await client.call('wait_for_sources', { ids });
    expect(answer.result.structuredContent.outcome).toBe('completed');
    expect(logOf(answer)).toMatchObject([
      {
        level: 'warning',
        data: { message: expect.stringMatching(/did not answer a status check/) },
      },
    ]);
    expect(logOf(answer)[0].data.error).toMatch(/500/);
  });

  test('at emergency nothing is heard, and back at warning something is', async () => {
    const sandbox = await sandboxFor();
    const client = await connectRaw('stdio', stops, environmentFor(sandbox));
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
    const client = await connectRaw('stdio', stops, environmentFor(sandbox));
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
    const client = await connectRaw('stdio', stops, environmentFor(sandbox));
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
    const client = await connectRaw('stdio', stops, environmentFor(sandbox));
    await client.request('logging/setLevel', { level: 'debug' });
    const body = { statusCode: 500, message: `broken for ${key}` };
    sandbox.script({ method: 'GET', times: 10, action: { kind: 'status', status: 500, body } });
    const answer = await client.call('wait_for_sources', { ids: [document.id] });
    expect(logOf(answer).map(({ level }) => level)).toEqual(['warning', 'info']);
    expect(JSON.stringify(answer)).not.toContain(key);
  });
});

describe('over HTTP', () => {
  test('a key in X-Fini-Api-Key is in no log either', async () => {
    const key = 'fini_of_this_client';
    const sandbox = await sandboxFor({ keys: { [key]: ['read', 'write'] } });
    const { url } = await startHttp(stops, { ...environmentFor(sandbox), FINI_API_KEY: '' });
    const client = await connectHttp(url, { headers: { 'x-fini-api-key': key } });
    const { id } = sandbox.addDocument({ title: key, linkedJobStatus: 'FAILED', error: key });
    const body = { statusCode: 500, message: `broken for ${key}` };
    sandbox.script({ method: 'GET', times: 10, action: { kind: 'status', status: 500, body } });
    const answer = await client.call('wait_for_sources', { ids: [id] });
    expect(logOf(answer)).toMatchObject([{ level: 'warning' }]);
    expect(JSON.stringify(answer)).not.toContain(key);
  });

  test('a key of one client blacks out nothing of what others do', async () => {
    const sandbox = await sandboxFor({
      keys: { 'tools/call': ['read', 'write'], [KEY]: ['read', 'write'] },
    });
    const environment = { ...environmentFor(sandbox), FINI_API_KEY: KEY };
    const { url, stderr } = await startHttp(stops, environment);
    const odd = await connectHttp(url, { headers: { 'x-fini-api-key': 'tools/call' } });
    const client = await connectHttp(url);
    await odd.call('list_sources');
    await client.call('get_source', { id: KEY });
    const lines = await eventually(() => {
      const told = linesOf(stderr()).filter(({ method }) => method === 'tools/call');
      expect(told).toHaveLength(2);
      return told;
    });
    expect(lines.map(({ tool }) => tool)).toEqual(['list_sources', 'get_source']);
    expect(stderr()).not.toContain('[secret]');
  });

  test('whatever a client sends, its key and the server’s are in no line of the log', async () => {
    const own = 'fini_own_key_of_the_server';
    const token = 'token-of-the-operator';
    const sandbox = await sandboxFor({ keys: { [KEY]: ['read'], [own]: ['read'] } });
    const { url, stderr } = await startHttp(
      stops,
      { ...environmentFor(sandbox), FINI_API_KEY: own, FINI_MCP_AUTH_TOKEN: token },
      ['--log-level', 'debug'],
    );
    const headers = {
      ...JSON_HEADERS,
      authorization: `Bearer ${token}`,
      'x-fini-api-key': KEY,
    };
    for (const secret of [KEY, own, token]) {
      const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: secret } };
      for (const body of [call, [call], { ...call, method: secret }, secret]) {
        await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
      }
      await fetch(`${url}/${secret}?key=${secret}`, { headers });
      await fetch(url, { headers: { ...headers, authorization: `Bearer x${secret}` } });
    }
    await eventually(() => expect(linesOf(stderr()).length).toBeGreaterThanOrEqual(18));
    expect(stderr()).toContain('[secret]');
    for (const secret of [KEY, own, token]) expect(stderr()).not.toContain(secret);
  });

  test('every message of a batch is in its line, and nothing in it that a terminal acts on', async () => {
    const sandbox = await sandboxFor();
    const { url, stderr } = await startHttp(stops, environmentFor(sandbox), [
      '--log-level',
      'debug',
    ]);
    const call = (name: string) => ({ jsonrpc: '2.0', method: 'tools/call', params: { name } });
    const odd = 'x\u001b[2J\u009b\u202e\u2028';
    const messages = [
      { jsonrpc: '2.0', method: 'ping' },
      call('list_sources'),
      call('delete_sources'),
      call('list_sources'),
      call(odd),
      7,
    ];
    await fetch(url, { method: 'POST', headers: JSON_HEADERS, body: JSON.stringify(messages) });
    const line = await eventually(() => {
      const found = linesOf(stderr()).find(({ message }) => message === 'request');
      expect(found).toBeDefined();
      return found;
    });
    expect(line).toMatchObject({
      method: 'ping, tools/call',
      tool: 'list_sources, delete_sources, x [2J',
    });
    expect(stderr().replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
  });

  test('no level is remembered: warnings are heard, the rest is not', async () => {
    const sandbox = await sandboxFor();
    const client = await connectRaw('HTTP', stops, environmentFor(sandbox));
    expect((await client.request('logging/setLevel', { level: 'debug' })).result).toEqual({});
    const { id } = sandbox.addDocument({});
    sandbox.script({ method: 'GET', times: 10, action: { kind: 'status', status: 500 } });
    const answer = await client.call('wait_for_sources', { ids: [id] });
    expect(logOf(answer)).toMatchObject([{ level: 'warning' }]);
  });
});

describe('the SDKs’ clients hear every step', () => {
  test('v1 over stdio', async () => {
    const harness = stops.use(await startHarness(slow));
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

  test('v2 over stdio', async () => {
    const sandbox = await sandboxFor(slow);
    const env = environmentFor(sandbox);
    const client = new ClientV2({ name: 'test', version: '1' });
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [CLI], env }));
    stops.use(client);
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
