import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { afterEach, expect, test } from 'vitest';
import { Secrets } from '../src/secrets.ts';
import { connectServer, createServer } from '../src/server.ts';
import { type Harness, readAnswer, startHarness } from './harness.ts';

let harness: Harness | undefined;
afterEach(() => harness?.close());

test('an exception in a tool is an error with a reference; its stack goes only to the log', async () => {
  const logged: [string, unknown][] = [];
  const server = createServer(
    '0.0.0',
    { readOnly: false, allowDelete: false, sandbox: false, http: false },
    {
      workspace: () => {
        throw new TypeError('cannot read properties of undefined');
      },
      onUnexpectedError: (...entry) => logged.push(entry),
    },
  );
  const [near, far] = InMemoryTransport.createLinkedPair();
  const client = new Client({ name: 'test', version: '1' });
  await Promise.all([connectServer(server, near, new Secrets()), client.connect(far)]);
  const answer = readAnswer(await client.callTool({ name: 'list_sources', arguments: {} }));
  expect(answer.isError).toBe(true);
  expect(answer.text).not.toMatch(/undefined|server\.test/);
  const [entry] = logged;
  expect(answer.text).toContain(entry?.[0]);
  expect(entry?.[1]).toBeInstanceOf(TypeError);
  await client.close();
});

const KEY = 'fini_secret/with-odd+characters==';

test('a key that the API echoes never leaves the server', async () => {
  harness = await startHarness({ keys: { [KEY]: ['read', 'write'] } }, { FINI_API_KEY: KEY });
  const { call, sandbox, stderr } = harness;
  const document = sandbox.addDocument({
    // The bound on titles, 200 characters, would cut the key in two.
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
