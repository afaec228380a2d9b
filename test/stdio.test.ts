import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { CLI, Stops, startStdio } from './harness.ts';
import { initializeParams, RawClient } from './rpc.ts';

const stops = new Stops();
afterEach(() => stops.run());

/** Connects to a server in this process, without initializing. */
async function connect(): Promise<RawClient> {
  return new RawClient(await startStdio(stops, {}, ['--sandbox']));
}

/** Connects and initializes. */
async function open(): Promise<RawClient> {
  const raw = await connect();
  await raw.initialize();
  return raw;
}

/** Starts the built server, for tests of the process itself. */
function startBuilt() {
  const { PATH } = process.env;
  const child = spawn(process.execPath, [CLI, '--sandbox'], { env: { PATH }, stdio: 'pipe' });
  stops.add(() => child.kill('SIGKILL'));
  return { child, raw: new RawClient(child) };
}

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
  const raw = await open();
  raw.send(line, { id: 2, method: 'ping' });
  expect(await raw.answer(2)).toMatchObject({ result: {} });
  for (const { jsonrpc } of raw.messages()) expect(jsonrpc).toBe('2.0');
});

test('an unknown method is answered with the error that JSON-RPC has for it', async () => {
  const raw = await open();
  raw.send({ id: 1, method: 'tools/destroy' });
  expect((await raw.answer(1)).error?.code).toBe(-32601);
});

test.each(['__proto__', 'constructor', 'toString', '', 'no_such_tool'])(
  'a tool called "%s" is an error, and nothing is run',
  async (name) => {
    const raw = await open();
    raw.send(call(1, name), { id: 2, method: 'ping' });
    const { result, error } = await raw.answer(1);
    expect(error !== undefined || result?.isError === true).toBe(true);
    expect(await raw.answer(2)).toMatchObject({ result: {} });
  },
);

test('an argument of 5 MB is refused by name, bounded', async () => {
  const raw = await open();
  raw.send(call(1, 'ingest_and_wait', { documentIdsToAdd: ['x'.repeat(5 * 1024 * 1024)] }));
  const { result } = await raw.answer(1);
  expect(result?.isError).toBe(true);
  expect(JSON.stringify(result).length).toBeLessThan(2_000);
});

test('a message of over 10 MB is answered with why, and the server keeps serving', async () => {
  const { raw } = startBuilt();
  await raw.initialize();
  raw.send(`"${'x'.repeat(11 * 1024 * 1024)}"`);
  raw.send({ id: 2, method: 'ping' });
  expect((await raw.answer(2)).result).toEqual({});
  expect(raw.lines.map((line) => JSON.parse(line))).toContainEqual(
    expect.objectContaining({ error: expect.objectContaining({ code: -32600 }) }),
  );
});

test('300 calls at once are all answered, those beyond the limit with when to call again', async () => {
  const { raw } = startBuilt();
  await raw.initialize();
  const ids = Array.from({ length: 300 }, (_, index) => index + 1);
  raw.send(...ids.map((id) => call(id, 'list_sources', { limit: 5 })));
  const answers = await Promise.all(ids.map((id) => raw.answer(id)));
  const late = answers.filter(({ result }) => result?.isError !== false);
  expect(late).toHaveLength(210);
  for (const one of late) expect(JSON.stringify(one)).toMatch(/rate limit.*can be sent in \d+ s/);
});

test('a call that is cancelled gets no answer, and others do', async () => {
  const raw = await open();
  raw.send(call(1, 'ingest_and_wait', { documentIdsToAdd: ['https://docs.example.com/a'] }));
  raw.send({ method: 'notifications/cancelled', params: { requestId: 1, reason: 'enough' } });
  raw.send(call(2, 'list_sources'));
  await raw.answer(2);
  expect(raw.lines.some((line) => JSON.parse(line).id === 1)).toBe(false);
});

const initialize = {
  id: 'first',
  method: 'initialize',
  params: initializeParams('2025-03-26'),
};

test('a byte order mark before the first message is passed over', async () => {
  const raw = await connect();
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
  const raw = await open();
  raw.send({ id: 1, ...message });
  const { result, error } = await raw.answer(1);
  expect(error).toBeUndefined();
  expect(result?.isError ?? false).toBe(false);
});

test('each request of a batch is answered', async () => {
  const raw = await open();
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
  const raw = await open();
  raw.send(line);
  const { error } = await raw.answer(1);
  expect(error?.message).toMatch(/^[A-Z].*\.$/);
  // The message must not contain a validator's raw issues.
  expect(error?.message).not.toMatch(/[{\n]/);
});

test('request 0 can be cancelled', async () => {
  const { child, raw } = startBuilt();
  raw.send(initialize);
  await raw.answer('first');
  raw.send({ id: 'listed', method: 'tools/list' });
  const links = ['https://help.larkspur.example'];
  raw.send({ ...call(0, 'ingest_site', { links }) });
  raw.send({ method: 'notifications/cancelled', params: { requestId: 0 } });
  raw.send({ id: 2, method: 'ping' });
  await raw.answer(2);
  child.stdin.end();
  const startedAt = performance.now();
  await once(child, 'exit');
  // No call is running, so the server does not wait.
  expect(raw.lines.map((line) => JSON.parse(line).id)).not.toContain(0);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

test('at the end of stdin answers under way are still written', async () => {
  const { child, raw } = startBuilt();
  await raw.initialize();
  // The first call loads the tools, for which a busy machine may take longer than the last answers have.
  raw.send(call(3, 'list_sources'));
  await raw.answer(3);
  raw.send(call(1, 'list_sources'), call(2, 'list_provider_resources', { provider: 'notion' }));
  child.stdin.end();
  await once(child, 'exit');
  expect((await raw.answer(1)).result).toBeDefined();
  expect((await raw.answer(2)).result).toBeDefined();
  expect(child.exitCode).toBe(0);
});
