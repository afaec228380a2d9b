import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Sandbox, startSandbox } from '../../src/sandbox/server.ts';
import { environmentFor, Stops, startHttp } from '../harness.ts';
import { connectHttp, connectRaw, type RpcAnswer, WAYS } from '../rpc.ts';

const SOURCES = 12;
const MAXIMUM_LINKS = 10;

const stops = new Stops();
let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await startSandbox({
    pendingMs: 20,
    workingMs: 30,
    lingerMs: 30,
    jobs: ({ url }) => (url?.includes('bad') ? { status: 'FAILED', error: 'HTTP 500' } : undefined),
  });
  for (let index = 0; index < SOURCES; index += 1) {
    sandbox.addDocument({ title: index === 0 ? null : `Page ${index}` });
  }
});
afterAll(async () => {
  await stops.run();
  await sandbox.close();
});

/** The links of a result, which come after its text. */
function linksIn({ result, error }: RpcAnswer): { uri: string; name: string }[] {
  expect(error).toBeUndefined();
  const [text, ...links] = result.content;
  expect(text.type).toBe('text');
  for (const link of links) expect(link.type).toBe('resource_link');
  return links;
}

describe.each(WAYS)('over %s', (way) => {
  test.each(['2025-06-18', '2025-11-25'])(
    'a client of %s gets ten links it can read',
    async (v) => {
      const client = await connectRaw(way, stops, environmentFor(sandbox), { protocolVersion: v });
      const answer = await client.call('list_sources');
      const links = linksIn(answer);
      const { documents } = answer.result.structuredContent;
      expect(documents.length).toBeGreaterThan(MAXIMUM_LINKS);
      expect(links).toEqual(
        documents
          .slice(0, MAXIMUM_LINKS)
          .map(({ id, title, originalUrl }: Record<string, string>) => ({
            type: 'resource_link',
            uri: `fini://sources/${id}`,
            name: title ?? originalUrl,
            mimeType: 'text/plain',
          })),
      );
      for (const { uri } of links) {
        const { result } = await client.request('resources/read', { uri });
        expect(result.contents).toMatchObject([{ uri, text: expect.stringMatching(/\S/) }]);
      }
    },
  );

  test.each(['2025-03-26', '2024-11-05'])('a client of %s gets none', async (v) => {
    const client = await connectRaw(way, stops, environmentFor(sandbox), { protocolVersion: v });
    const answer = await client.call('list_sources');
    expect(linksIn(answer)).toEqual([]);
    expect(answer.result.structuredContent.documents.length).toBeGreaterThan(MAXIMUM_LINKS);
  });

  test('a wait links to what was completed, not to what failed', async () => {
    const client = await connectRaw(way, stops, environmentFor(sandbox));
    const good = `https://docs.example.com/${way}/good`;
    const documentIdsToAdd = [`https://docs.example.com/${way}/bad`, good].map(encodeURI);
    const answer = await client.call('ingest_and_wait', { documentIdsToAdd });
    const { sources, outcome } = answer.result.structuredContent;
    expect(outcome).toBe('partial');
    const completed = sources.find(({ status }: { status: string }) => status === 'completed');
    const links = linksIn(answer);
    expect(links).toMatchObject([{ uri: `fini://sources/${completed.id}`, name: 'Good' }]);
    const { id } = sources.find(({ status }: { status: string }) => status === 'failed');
    const again = await client.call('wait_for_sources', { ids: [id, completed.id] });
    expect(linksIn(again)).toEqual(links);
  });

  test('the tools that import and ingest as one link too, but not their dry runs', async () => {
    const client = await connectRaw(way, stops, environmentFor(sandbox));
    const links = [`https://site-${WAYS.indexOf(way)}.example`];
    const dry = await client.call('ingest_site', { links, dryRun: true });
    expect(linksIn(dry)).toEqual([]);
    const site = await client.call('ingest_site', { links, limit: 3 });
    expect(linksIn(site)).toHaveLength(3);
    const listed = await client.call('list_provider_resources', { provider: 'notion', limit: 1 });
    const [{ externalId }] = listed.result.structuredContent.resources;
    const given = { provider: 'notion', externalIds: [externalId] };
    const [link] = linksIn(await client.call('import_provider_resources', given));
    const { result } = await client.request('resources/read', { uri: link?.uri });
    expect(result.contents[0].text).toMatch(/\S/);
  });
});

test('without sessions it is each request’s own header that says whether links are known', async () => {
  const { url } = await startHttp(stops, environmentFor(sandbox), ['--stateless']);
  const countFor = async (protocolVersion: string) => {
    const client = await connectHttp(url, { protocolVersion, isStateless: true });
    return linksIn(await client.call('list_sources')).length;
  };
  expect(await countFor('2025-06-18')).toBe(MAXIMUM_LINKS);
  expect(await countFor('2025-03-26')).toBe(0);
  expect(await countFor('2025-06-18')).toBe(MAXIMUM_LINKS);
  // The protocol has it that no header means 2025-03-26.
  const plain = await connectHttp(url, { protocolVersion: '', isStateless: true });
  expect(linksIn(await plain.call('list_sources'))).toEqual([]);
});

test('a client that asks for a protocol that nobody has goes by the one agreed upon', async () => {
  for (const protocolVersion of ['1.0', 'zzz']) {
    const client = await connectRaw('stdio', stops, environmentFor(sandbox), { protocolVersion });
    expect(linksIn(await client.call('list_sources'))).toHaveLength(MAXIMUM_LINKS);
  }
});

test('two sessions of one server differ', async () => {
  const { url } = await startHttp(stops, environmentFor(sandbox));
  const [older, newer] = await Promise.all([
    connectHttp(url, { protocolVersion: '2025-03-26' }),
    connectHttp(url, { protocolVersion: '2025-06-18' }),
  ]);
  expect(linksIn(await newer.call('list_sources'))).toHaveLength(MAXIMUM_LINKS);
  expect(linksIn(await older.call('list_sources'))).toEqual([]);
});
