import { afterEach, expect, test } from 'vitest';
import { environmentFor, Stops, startHttp, startQuickSandbox } from '../harness.ts';
import { connectHttp, connectRaw, type RpcClient } from '../rpc.ts';
import type { ScriptedSandbox } from '../scripted-sandbox.ts';
import { addExamples, EXAMPLES, TOOL_NAMES } from './examples.ts';

const PAGE = 'https://help.example/a';

/** The examples of the tools that work with a key of one scope, in the order in which they are listed. */
const workingWith = (scope: 'read' | 'write') =>
  TOOL_NAMES.flatMap((name) =>
    EXAMPLES.filter(({ tool, needs, flag }) => tool === name && needs === scope && !flag),
  );
/** How an error says that a key lacks one of the scopes, and what it is still good for. */
function lacking(missing: 'read' | 'write'): RegExp {
  const held = missing === 'read' ? 'write' : 'read';
  const names = new Intl.ListFormat('en-GB').format(workingWith(held).map(({ tool }) => tool));
  return new RegExp(
    `HTTP 403.*lacks the ${missing} scope, which is needed to .*\\. It is ${held}-only, so only ${names} work with it.*key with both scopes.*will not help`,
  );
}
const READ_ONLY = lacking('write');
const WRITE_ONLY = lacking('read');
const EITHER = /HTTP 403.*needs the write scope, and every ID must belong to the key's workspace/;
const forbidden = { kind: 'status', status: 403 } as const;

const stops = new Stops();
afterEach(() => stops.run());

/** Calls a tool and returns the part of the answer that these tests read. */
async function tell(
  client: RpcClient,
  name: string,
  input: object = {},
): Promise<{ text: string; isError: boolean }> {
  const { result } = await client.call(name, input);
  return { text: result.content[0].text, isError: result.isError === true };
}

async function start(
  key?: string,
): Promise<{ client: RpcClient; sandbox: ScriptedSandbox; id: string }> {
  const sandbox = stops.use(await startQuickSandbox());
  addExamples(sandbox);
  const client = await connectRaw('stdio', stops, {
    ...environmentFor(sandbox),
    FINI_API_KEY: key ?? sandbox.apiKey,
  });
  return { client, sandbox, id: sandbox.addDocument({}).id };
}

test('the first 403 that can only mean the scope says what the key is still good for', async () => {
  const { client } = await start('fini_sandbox_read');
  const { text, isError } = await tell(client, 'deep_crawl_links', { links: [PAGE] });
  expect(isError).toBe(true);
  expect(text).toMatch(READ_ONLY);
  for (const { tool, input } of workingWith('read')) {
    expect(await tell(client, tool, input)).toMatchObject({ isError: false });
  }
});

test('a 403 that is not Fini’s own says nothing of the key', async () => {
  const { client, sandbox, id } = await start();
  sandbox.script({ method: 'POST', action: { kind: 'html', status: 403 } });
  await tell(client, 'deep_crawl_links', { links: [PAGE] });
  sandbox.script({ method: 'POST', action: forbidden });
  const { text } = await tell(client, 'refresh_sources', { documentIds: [id] });
  expect(text).toMatch(EITHER);
});

test('a 403 for IDs names both reasons, until it is known which it is', async () => {
  const { client, id } = await start('fini_sandbox_read');
  const refresh = () => tell(client, 'refresh_sources', { documentIds: [id] });
  expect((await refresh()).text).toMatch(EITHER);
  expect((await refresh()).text).toMatch(EITHER);
  expect((await tell(client, 'deep_crawl_links', { links: [PAGE] })).text).toMatch(READ_ONLY);
  expect((await refresh()).text).toMatch(READ_ONLY);
  const provider = { source: 'notion', documentIdsToAdd: [id] };
  expect((await tell(client, 'ingest_sources', provider)).text).toMatch(READ_ONLY);
});

test('URLs belong to nobody, so to ingest them is enough to know', async () => {
  const { client } = await start('fini_sandbox_read');
  const input = { documentIdsToAdd: [PAGE] };
  expect((await tell(client, 'ingest_sources', input)).text).toMatch(READ_ONLY);
  expect((await tell(client, 'ingest_and_wait', input)).text).toMatch(READ_ONLY);
});

test('a key that can only write is told so, and what it names does work', async () => {
  const { client, id } = await start('fini_sandbox_write');
  expect((await tell(client, 'list_sources')).text).toMatch(WRITE_ONLY);
  expect((await tell(client, 'get_source', { id })).text).toMatch(WRITE_ONLY);
  for (const { tool, input } of workingWith('write')) {
    expect(await tell(client, tool, input)).toMatchObject({ isError: false });
  }
});

test('what was learned is forgotten once a write succeeds', async () => {
  const { client, sandbox, id } = await start();
  const refresh = () => tell(client, 'refresh_sources', { documentIds: [id] });
  const crawl = () => tell(client, 'deep_crawl_links', { links: [PAGE] });
  sandbox.script({ method: 'POST', times: 2, action: forbidden });
  expect((await crawl()).text).toMatch(READ_ONLY);
  expect((await refresh()).text).toMatch(READ_ONLY);
  expect((await crawl()).isError).toBe(false);
  sandbox.script({ method: 'POST', action: forbidden });
  expect((await refresh()).text).toMatch(EITHER);
});

test('a success of the other scope changes nothing, nor does another fault', async () => {
  const { client, sandbox, id } = await start('fini_sandbox_read');
  expect((await tell(client, 'deep_crawl_links', { links: [PAGE] })).text).toMatch(READ_ONLY);
  expect((await tell(client, 'list_sources')).isError).toBe(false);
  sandbox.script({ method: 'POST', action: { kind: 'status', status: 400 } });
  const refresh = () => tell(client, 'refresh_sources', { documentIds: [id] });
  expect((await refresh()).text).toMatch(/HTTP 400/);
  expect((await refresh()).text).toMatch(READ_ONLY);
});

test('reading as a resource says the same', async () => {
  const { client, id } = await start('fini_sandbox_write');
  const listed = await client.request('resources/list');
  expect(listed.error?.message).toMatch(WRITE_ONLY);
  const read = await client.request('resources/read', { uri: `fini://sources/${id}` });
  expect(read.error?.message).toMatch(WRITE_ONLY);
});

test('what one key lacks is not said of another', async () => {
  const sandbox = stops.use(await startQuickSandbox());
  const { url } = await startHttp(stops, environmentFor(sandbox));
  const as = (key: string) => connectHttp(url, { headers: { 'x-fini-api-key': key } });
  const [reader, both] = await Promise.all([as('fini_sandbox_read'), as('fini_sandbox')]);
  const { id } = sandbox.addDocument({});
  expect((await tell(reader, 'deep_crawl_links', { links: [PAGE] })).text).toMatch(READ_ONLY);
  sandbox.script({ method: 'POST', action: forbidden });
  expect((await tell(both, 'refresh_sources', { documentIds: [id] })).text).toMatch(EITHER);
});
