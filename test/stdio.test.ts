import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';
import { CLI } from './harness.ts';

/** A client that writes bytes, for what no proper client would send. */
class RawClient {
  readonly process: ChildProcess;
  readonly lines: string[] = [];
  stderr = '';

  constructor(...flags: string[]) {
    const { PATH } = process.env;
    this.process = spawn(process.execPath, [CLI, ...flags], { env: { PATH }, stdio: 'pipe' });
    this.process.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    // A server that ends leaves what is on its way to it unread.
    this.process.stdin?.on('error', () => undefined);
    if (this.process.stdout === null) throw new Error('no stdout');
    createInterface({ input: this.process.stdout }).on('line', (line) => this.lines.push(line));
  }

  send(...messages: (object | string)[]): void {
    const lines = messages.map((one) =>
      typeof one === 'string' ? one : JSON.stringify({ jsonrpc: '2.0', ...one }),
    );
    this.process.stdin?.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** The answer with this ID, once it has come. */
  async answer(
    id: number | string,
  ): Promise<{ result?: Record<string, unknown>; error?: { code: number; message: string } }> {
    for (;;) {
      const found = this.lines.map((line) => JSON.parse(line)).find((message) => message.id === id);
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async initialize(): Promise<void> {
    const params = {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'raw', version: '1' },
    };
    this.send({ id: 0, method: 'initialize', params }, { method: 'notifications/initialized' });
    await this.answer(0);
  }
}

let raw: RawClient;
afterEach(() => {
  raw.process.kill('SIGKILL');
});

const call = (id: number, name: string, input: object = {}) => ({
  id,
  method: 'tools/call',
  params: { name, arguments: input },
});

test.each<[string, string]>([
  ['broken JSON', '{"jsonrpc": "2.0", "id": 1, "method": '],
  ['an empty line', ''],
  ['a line of zero bytes', '\0\0\0'],
  ['a batch', JSON.stringify([{ jsonrpc: '2.0', id: 1, method: 'ping' }])],
  ['JSON that is no message', '42'],
  ['another version of JSON-RPC', JSON.stringify({ jsonrpc: '1.0', id: 1, method: 'ping' })],
  ['a message of nothing but __proto__', '{"__proto__": {"polluted": true}}'],
  ['a line of 5 MB that is not JSON', 'x'.repeat(5 * 1024 * 1024)],
  ['deeply nested JSON', '['.repeat(50_000)],
  [
    'a cancel of an unknown request',
    JSON.stringify({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId: 99 },
    }),
  ],
  ['an answer that nobody asked for', JSON.stringify({ jsonrpc: '2.0', id: 77, result: {} })],
  ['an unknown notification', JSON.stringify({ jsonrpc: '2.0', method: 'notifications/nothing' })],
])('the server passes over %s and goes on serving', async (_name, line) => {
  raw = new RawClient('--sandbox');
  await raw.initialize();
  raw.send(line, { id: 2, method: 'ping' });
  expect(await raw.answer(2)).toMatchObject({ result: {} });
  for (const text of raw.lines) expect(JSON.parse(text).jsonrpc).toBe('2.0');
});

test('an unknown method is answered with the error that JSON-RPC has for it', async () => {
  raw = new RawClient('--sandbox');
  await raw.initialize();
  raw.send({ id: 1, method: 'tools/destroy' });
  expect((await raw.answer(1)).error?.code).toBe(-32601);
});

test.each(['__proto__', 'constructor', 'toString', '', 'no_such_tool'])(
  'a tool called "%s" is an error, and nothing is run',
  async (name) => {
    raw = new RawClient('--sandbox');
    await raw.initialize();
    raw.send(call(1, name), { id: 2, method: 'ping' });
    const { result, error } = await raw.answer(1);
    expect(error !== undefined || result?.isError === true).toBe(true);
    expect(await raw.answer(2)).toMatchObject({ result: {} });
  },
);

test('an argument of 5 MB is refused by name, bounded', async () => {
  raw = new RawClient('--sandbox');
  await raw.initialize();
  raw.send(call(1, 'ingest_and_wait', { documentIdsToAdd: ['x'.repeat(5 * 1024 * 1024)] }));
  const { result } = await raw.answer(1);
  expect(result?.isError).toBe(true);
  expect(JSON.stringify(result).length).toBeLessThan(2_000);
});

test('a message of over 10 MB is answered with why, and the server keeps serving', async () => {
  raw = new RawClient('--sandbox');
  await raw.initialize();
  raw.send(`"${'x'.repeat(11 * 1024 * 1024)}"`);
  raw.send({ id: 2, method: 'ping' });
  expect((await raw.answer(2)).result).toEqual({});
  expect(raw.lines.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ error: expect.objectContaining({ code: -32600 }) }),
  );
});

test('300 calls at once are all answered, those beyond the limit with when to call again', async () => {
  raw = new RawClient('--sandbox');
  await raw.initialize();
  const ids = Array.from({ length: 300 }, (_, index) => index + 1);
  raw.send(...ids.map((id) => call(id, 'list_sources', { limit: 5 })));
  const answers = await Promise.all(ids.map((id) => raw.answer(id)));
  const late = answers.filter(({ result }) => result?.isError !== false);
  expect(late).toHaveLength(210);
  for (const one of late) expect(JSON.stringify(one)).toMatch(/rate limit.*can be sent in \d+ s/);
});

test('a call that is cancelled gets no answer, and others do', async () => {
  raw = new RawClient('--sandbox');
  await raw.initialize();
  raw.send(call(1, 'ingest_and_wait', { documentIdsToAdd: ['https://docs.example.com/a'] }));
  raw.send({ method: 'notifications/cancelled', params: { requestId: 1, reason: 'enough' } });
  raw.send(call(2, 'list_sources'));
  await raw.answer(2);
  expect(raw.lines.some((line) => JSON.parse(line).id === 1)).toBe(false);
});

const initialize = {
  id: 'first',
  method: 'initialize',
  params: {
    protocolVersion: '2025-03-26',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  },
};

test('a byte order mark before the first message is passed over', async () => {
  raw = new RawClient('--sandbox');
  raw.send(`\uFEFF${JSON.stringify({ jsonrpc: '2.0', ...initialize, id: 1 })}`);
  expect((await raw.answer(1)).result).toMatchObject({ protocolVersion: '2025-03-26' });
});

test.each<[string, object]>([
  ['null params', { method: 'tools/list', params: null }],
  ['a null _meta', { method: 'tools/list', params: { _meta: null } }],
  [
    'null arguments',
    { method: 'tools/call', params: { name: 'list_sources', arguments: null, _meta: null } },
  ],
  [
    'arguments as JSON text',
    { method: 'tools/call', params: { name: 'list_sources', arguments: '{"limit": 2}' } },
  ],
  [
    'a task where tasks are not declared',
    { method: 'tools/call', params: { name: 'list_sources', task: { ttl: 60_000 } } },
  ],
])('%s is read as meant', async (_what, message) => {
  raw = new RawClient('--sandbox');
  await raw.initialize();
  raw.send({ id: 1, ...message });
  const { result, error } = await raw.answer(1);
  expect(error).toBeUndefined();
  expect(result?.isError ?? false).toBe(false);
});

test('each request of a batch is answered', async () => {
  raw = new RawClient('--sandbox');
  await raw.initialize();
  const batch = [1, 2].map((id) => ({ jsonrpc: '2.0', id, method: 'ping' }));
  raw.send(JSON.stringify([...batch, { jsonrpc: '2.0', method: 'notifications/nothing' }]));
  expect((await raw.answer(1)).result).toEqual({});
  expect((await raw.answer(2)).result).toEqual({});
});

test.each<[string, string]>([
  ['no version', '{"id": 1, "method": "ping"}'],
  ['a list for params', '{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": [1]}'],
  ['a number for a method', '{"jsonrpc": "2.0", "id": 1, "method": 5}'],
  ['no name', '{"jsonrpc": "2.0", "id": 1, "method": "tools/call"}'],
  [
    'a number for a name',
    '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 5}}',
  ],
  [
    'a list for arguments',
    '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "get_source", "arguments": [1]}}',
  ],
  ['no URI', '{"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {}}'],
  ['no name of a prompt', '{"jsonrpc": "2.0", "id": 1, "method": "prompts/get", "params": {}}'],
  ['no level', '{"jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": {}}'],
  [
    'a level that is none',
    '{"jsonrpc": "2.0", "id": 1, "method": "logging/setLevel", "params": {"level": "loud"}}',
  ],
])('a request with %s is answered by its ID, in a sentence', async (_what, line) => {
  raw = new RawClient('--sandbox');
  await raw.initialize();
  raw.send(line);
  const { error } = await raw.answer(1);
  expect(error?.message).toMatch(/^[A-Z].*\.$/);
  // Not the issues of a validator.
  expect(error?.message).not.toMatch(/[{\n]/);
});

test('request 0 can be cancelled', async () => {
  raw = new RawClient('--sandbox');
  raw.send(initialize);
  await raw.answer('first');
  raw.send({ id: 'listed', method: 'tools/list' });
  const links = ['https://help.larkspur.example'];
  raw.send({ ...call(0, 'ingest_site', { links }) });
  raw.send({ method: 'notifications/cancelled', params: { requestId: 0 } });
  raw.send({ id: 2, method: 'ping' });
  await raw.answer(2);
  raw.process.stdin?.end();
  const startedAt = performance.now();
  await once(raw.process, 'exit');
  // Nothing is under way, so nothing is waited for.
  expect(raw.lines.map((line) => JSON.parse(line).id)).not.toContain(0);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

test('at the end of stdin answers under way are still written', async () => {
  raw = new RawClient('--sandbox');
  await raw.initialize();
  raw.send(call(1, 'list_sources'), call(2, 'list_provider_resources', { provider: 'notion' }));
  raw.process.stdin?.end();
  await once(raw.process, 'exit');
  expect((await raw.answer(1)).result).toBeDefined();
  expect((await raw.answer(2)).result).toBeDefined();
  expect(raw.process.exitCode).toBe(0);
});
