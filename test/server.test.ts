import { afterEach, expect, test } from 'vitest';
import { readable } from '../src/mcp/protocol-error.ts';
import { Stops, startHarness } from './harness.ts';

const stops = new Stops();
afterEach(() => stops.run());

test('an exception in a tool is an error with a reference; its stack goes only to the log', async () => {
  const workspace = () => {
    throw new TypeError('cannot read properties of undefined');
  };
  const { call, stderr } = stops.use(
    await startHarness({}, {}, [], { dependencies: { workspace } }),
  );
  const { isError, text } = await call('list_sources');
  expect(isError).toBe(true);
  expect(text).not.toMatch(/undefined|server\.test/);
  const reference = /reference ([0-9a-f-]{36})/.exec(text)?.[1];
  expect(JSON.parse(stderr())).toMatchObject({
    level: 'error',
    reference,
    error: expect.stringMatching(/^TypeError: cannot read properties of undefined\n.*server\.test/),
  });
});

const KEY = 'fini_secret/with-odd+characters==';

test('a key that the API echoes never leaves the server', async () => {
  const { call, sandbox, stderr } = stops.use(
    await startHarness({ keys: { [KEY]: ['read', 'write'] } }, { FINI_API_KEY: KEY }),
  );
  const document = sandbox.addDocument({
    // The limit on titles, 200 characters, would cut the key in two.
    title: `${'x'.repeat(185)} ${KEY}`,
    originalUrl: `https://docs.example.com/?key=${encodeURIComponent(KEY)}`,
    linkedJobStatus: 'FAILED',
    error: `Authorization: Bearer ${KEY}`,
    paragraphs: [KEY],
  });
  const encoded = sandbox.addDocument({
    title: `${'x'.repeat(185)} ${encodeURIComponent(KEY)}`,
    originalUrl: `https://docs.example.com/${'x'.repeat(1_970)}${encodeURIComponent(KEY)}`,
  });
  const body = { message: `no: Bearer ${KEY}`, error: KEY };
  const answers = [
    await call('get_source', { id: document.id }),
    await call('get_source', { id: encoded.id }),
    await call('list_sources'),
    await call('wait_for_sources', { ids: [document.id] }),
    await call('ingest_sources', { documentIdsToAdd: [KEY] }),
    await call('list_sources', { title: KEY }),
  ];
  for (const status of [400, 401, 403, 404, 500]) {
    sandbox.script({ method: 'POST', action: { kind: 'status', status, body } });
    answers.push(await call('ingest_sources', { documentIdsToAdd: ['https://docs.example.com'] }));
  }
  sandbox.script({
    method: 'POST',
    action: { kind: 'redirect', location: `https://evil.example/${KEY}` },
  });
  answers.push(await call('ingest_sources', { documentIdsToAdd: ['https://docs.example.com'] }));
  const everything = JSON.stringify(answers) + stderr();
  expect(everything).not.toContain(KEY);
  expect(everything).not.toContain(encodeURIComponent(KEY));
  expect(everything).not.toMatch(/fini_secret/);
  expect(everything).toContain('[secret]');
  for (const { authorization } of sandbox.requests) expect(authorization).toBe(`Bearer ${KEY}`);
});

test('an error whose text only looks like the issues of a validator goes out as it is', () => {
  for (const message of ['[{ "a": ] }]', '[{"path": 1}]', 'Invalid x request: [{]']) {
    const error = { jsonrpc: '2.0', id: 1, error: { code: -32603, message } } as const;
    expect(readable(error)).toEqual(error);
  }
});
