import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, startHarness } from '../harness.ts';

const ID = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';
/** A draft. */
const ARTICLE = '0d9c8b7a-6f5e-4d3c-8b2a-190807060504';
const PAGE = 'https://help.example/a';
const resource = { externalId: '1', title: 'A', originalUrl: PAGE, mimeType: 'text/html' };

const calls: [tool: string, scope: 'read' | 'write', input: object][] = [
  ['ingest_site', 'write', { links: [PAGE] }],
  ['import_provider_resources', 'write', { provider: 'notion', all: true }],
  ['deep_crawl_links', 'write', { links: [PAGE] }],
  ['list_provider_resources', 'read', { provider: 'notion' }],
  ['register_provider_resources', 'write', { provider: 'notion', resources: [resource] }],
  ['ingest_and_wait', 'write', { documentIdsToAdd: [PAGE] }],
  ['wait_for_sources', 'read', { ids: [ID], timeoutSeconds: 5 }],
  ['ingest_sources', 'write', { documentIdsToAdd: [PAGE] }],
  ['refresh_sources', 'write', { documentIds: [ID] }],
  ['list_sources', 'read', {}],
  ['get_source', 'read', { id: ID }],
  ['list_articles', 'read', {}],
  ['generate_knowledge', 'write', { documentIds: [ID] }],
  ['get_articles', 'read', { articleIds: [ID] }],
  ['list_agents', 'read', {}],
  ['get_knowledge_tree', 'read', {}],
  ['delete_sources', 'write', { documentIds: [ID] }],
  ['publish_articles', 'write', { articleIds: [ARTICLE] }],
];

const needingBoth = [
  'publish_articles',
  'generate_knowledge',
  'ingest_site',
  'import_provider_resources',
  'ingest_and_wait',
];

const keys = {
  'an empty key': '',
  'a blank key': '  ',
  'a variable that the client did not expand': `$\{FINI_API_KEY}`,
  'a prompt that the client did not expand': `$\{input:fini-key}`,
  'the scope read alone': 'fini_sandbox_read',
  'the scope write alone': 'fini_sandbox_write',
  'a wrong key': 'fini_wrong',
};

/** A server for each key, with one source in its workspace. */
const harnesses = new Map<string, Harness>();
beforeAll(async () => {
  const starts = Object.entries(keys).map(async ([name, key]) => {
    const harness = await startHarness({ folders: true }, { FINI_API_KEY: key }, [
      '--allow-delete',
      '--allow-publish',
    ]);
    harness.sandbox.addDocument({ id: ID });
    harness.sandbox.addArticle({ id: ARTICLE, isDraftPublished: false });
    harnesses.set(name, harness);
  });
  await Promise.all(starts);
});
afterAll(() => Promise.all([...harnesses.values()].map((harness) => harness.close())));

function harnessWith(name: keyof typeof keys): Harness {
  const harness = harnesses.get(name);
  if (harness === undefined) throw new Error(`no server with ${name}`);
  return harness;
}

describe.each([
  'an empty key',
  'a blank key',
  'a variable that the client did not expand',
  'a prompt that the client did not expand',
] as const)('%s counts as none', (name) => {
  test('the tools are listed, each with the scope that it needs', async () => {
    const { tools } = await harnessWith(name).client.listTools();
    const told = tools.map(({ name, description = '' }) => [
      name,
      / Needs ([a-z ]+) scope\.$/.exec(description)?.[1],
    ]);
    const needed = calls.map(([tool, scope]) => [
      tool,
      needingBoth.includes(tool) ? 'read and write' : scope,
    ]);
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(needed));
  });

  test.each(calls)('%s says how to set it and sends nothing', async (tool, _scope, input) => {
    const { isError, text } = await harnessWith(name).call(tool, { ...input });
    expect(isError).toBe(true);
    expect(text).toMatch(
      /No Fini API key is set.*nothing was sent.*FINI_API_KEY.*restart.*--sandbox/,
    );
    expect(harnessWith(name).sandbox.requests).toEqual([]);
  });
});

describe.each(['read', 'write'] as const)('a key with the scope %s alone', (held) => {
  test.each(calls)('%s needs the scope %s', async (tool, scope, input) => {
    const { call, sandbox } = harnessWith(`the scope ${held} alone`);
    const before = { requests: sandbox.requests.length, documents: sandbox.documents().length };
    const { isError, text } = await call(tool, { ...input });
    // Besides queueing, these look at what runs already and wait, so they need both.
    const missing = needingBoth.includes(tool) ? (held === 'read' ? 'write' : 'read') : scope;
    expect(isError, text).toBe(missing !== held);
    if (missing === held) return;
    expect(text).toMatch(new RegExp(`HTTP 403.*lacks the ${missing} scope.*will not help`));
    expect(sandbox.requests.length - before.requests).toBeLessThan(4);
    expect(sandbox.documents()).toHaveLength(before.documents);
  });
});

describe('a wrong key', () => {
  test.each(calls)('%s says to set the full key, and asks no more', async (tool, _, input) => {
    const { call, sandbox } = harnessWith('a wrong key');
    const before = sandbox.requests.length;
    const { isError, text } = await call(tool, { ...input });
    expect(isError).toBe(true);
    expect(text).toMatch(/HTTP 401.*Invalid API key.*set FINI_API_KEY.*restart/);
    expect(text).not.toContain('fini_wrong');
    // Deleting does not depend on the look before it.
    expect(sandbox.requests).toHaveLength(before + (tool === 'delete_sources' ? 2 : 1));
  });
});
