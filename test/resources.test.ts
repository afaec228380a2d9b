import { Client as ClientV2, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { SandboxDocument } from '../src/sandbox/sandbox-server.ts';
import { CLI, environmentFor, type Harness, Stops, startHarness, startHttp } from './harness.ts';
import { connectRaw, type RpcClient, WAYS } from './rpc.ts';
import { type ScriptedSandbox, startScriptedSandbox } from './scripted-sandbox.ts';

/** The code that the SDK sends to clients of both eras, with the URI in the error's data. */
const RESOURCE_NOT_FOUND = -32602;
const INVALID_PARAMS = -32602;
const NOBODY = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';
const uriOf = ({ id }: Pick<SandboxDocument, 'id'>) => `fini://sources/${id}`;

const stops = new Stops();
let harness: Harness;
let many: SandboxDocument[];
beforeAll(async () => {
  harness = await startHarness();
  many = Array.from({ length: 120 }, (_, index) =>
    harness.sandbox.addDocument({
      title: `Chapter ${index}`,
      updatedAt: new Date(Date.UTC(2026, 0, 1, 0, index)).toISOString(),
    }),
  );
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(async () => {
  await harness.close();
  await stops.run();
});

const read = async (uri: string): Promise<string> => {
  const { contents } = await harness.client.readResource({ uri });
  expect(contents).toMatchObject([{ uri, mimeType: 'text/plain' }]);
  return String((contents[0] as { text: string }).text);
};

const requestsDuring = async (act: () => Promise<unknown>): Promise<number> => {
  const before = harness.sandbox.requests.length;
  await act();
  return harness.sandbox.requests.length - before;
};

describe('resources/list', () => {
  test('pages through all sources, newest change first, each once', async () => {
    const uris: string[] = [];
    const sizes: number[] = [];
    let cursor: string | undefined;
    do {
      const page = await harness.client.listResources({ cursor });
      uris.push(...page.resources.map(({ uri }) => uri));
      sizes.push(page.resources.length);
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(uris).toEqual(many.map(uriOf).toReversed());
    expect(sizes).toEqual([50, 50, 20]);
  });

  test('says of each what it is', async () => {
    const { resources } = await harness.client.listResources();
    expect(resources[0]).toEqual({
      uri: uriOf(many.at(-1) as SandboxDocument),
      name: 'Chapter 119',
      description: 'web · COMPLETED · https://seed.example/page-120',
      mimeType: 'text/plain',
    });
  });

  test('a Fini that repeats its first page for ever does not keep a client listing', async () => {
    const repeated = { kind: 'endlessPaging', pages: 'repeated' } as const;
    harness.sandbox.script({ method: 'GET', times: Number.POSITIVE_INFINITY, action: repeated });
    let pages = 0;
    let cursor: string | undefined;
    do {
      cursor = (await harness.client.listResources({ cursor })).nextCursor;
      pages += 1;
    } while (cursor !== undefined && pages < 10);
    expect(pages).toBe(2);
  });

  test('a cursor that is none of this server’s is refused without a request', async () => {
    const requests = await requestsDuring(async () => {
      await expect(harness.client.listResources({ cursor: 'page-2' })).rejects.toMatchObject({
        code: INVALID_PARAMS,
        message: expect.stringContaining('"page-2"'),
      });
    });
    expect(requests).toBe(0);
  });

  test('a Fini that fails is an error in words', async () => {
    const action = { kind: 'status', status: 500 } as const;
    harness.sandbox.script({ method: 'GET', times: Number.POSITIVE_INFINITY, action });
    await expect(harness.client.listResources()).rejects.toMatchObject({
      code: -32603,
      message: expect.stringMatching(/Fini failed to list sources \(HTTP 500\)/),
    });
  });
});

test('a Fini that is not where it is looked for is no missing resource', async () => {
  const action = { kind: 'status', status: 404 } as const;
  harness.sandbox.script({ method: 'GET', times: Number.POSITIVE_INFINITY, action });
  await expect(harness.client.listResources()).rejects.toMatchObject({
    code: -32603,
    message: expect.stringContaining('FINI_BASE_URL'),
  });
});

describe('resources/read', () => {
  test('a text that is longer than a part is read whole by following the line at its end', async () => {
    const paragraphs = Array.from(
      { length: 300 },
      (_, index) => `Paragraph ${index}. ${'word '.repeat(20 + (index % 37))}`,
    );
    const document = harness.sandbox.addDocument({ paragraphs });
    const parts: string[] = [];
    let uri: string | undefined = uriOf(document);
    while (uri !== undefined) {
      const text = await read(uri);
      expect(text.length).toBeLessThan(21_500);
      const line: RegExpExecArray | null = /\n\n\[The text continues at (fini:\S+)\]$/.exec(text);
      parts.push(line === null ? text : text.slice(0, line.index));
      uri = line?.[1];
    }
    expect(parts.length).toBeGreaterThan(2);
    expect(parts.join('\n\n')).toBe(paragraphs.join('\n\n'));
  });

  test('a later part begins at its paragraph, and the end says that it is one', async () => {
    const document = harness.sandbox.addDocument({ paragraphs: ['one', 'two', 'three'] });
    expect(await read(uriOf(document))).toBe('one\n\ntwo\n\nthree');
    expect(await read(`${uriOf(document)}/paragraphs/1`)).toBe('two\n\nthree');
    expect(await read(`${uriOf(document)}/paragraphs/0`)).toBe('one\n\ntwo\n\nthree');
    expect(await read(`${uriOf(document)}/paragraphs/3`)).toMatch(
      /Nothing at this offset: .* only 3 para/,
    );
  });

  test('one paragraph of 100,000 characters is read in parts, to its end', async () => {
    const document = harness.sandbox.addDocument({ paragraphs: ['x'.repeat(100_000), 'end'] });
    let uri: string | undefined = uriOf(document);
    let whole = '';
    while (uri !== undefined) {
      const text: string = await read(uri);
      const [, part = text, next] = /^(.*)\n\n\[The text continues at (\S+)\]$/s.exec(text) ?? [];
      whole += part;
      uri = next;
    }
    expect(whole.replace(/\s/g, '')).toBe(`${'x'.repeat(100_000)}end`);
  });

  test('control characters, halves of characters and what nobody sees are taken out', async () => {
    const paragraphs = ['a\u001b[31mb\u0000c\u009bd\ud800e\u202e\ufe0f\u200b', 'tab\tand\nline'];
    const document = harness.sandbox.addDocument({ paragraphs });
    expect(await read(uriOf(document))).toBe('a[31mbcde\n\ntab\tand\nline');
  });

  test.each<[string, Partial<SandboxDocument>, string]>([
    [
      'a job under way',
      { linkedJobStatus: 'PENDING', error: null },
      '[No text. Job status: PENDING]',
    ],
    ['no job yet', { linkedJobStatus: null, error: null }, '[No text. Job status: never ingested]'],
    [
      'a job that failed',
      { linkedJobStatus: 'FAILED', error: 'needs\u001b a login' },
      '[No text. Job status: FAILED: "needs a login"]',
    ],
  ])('without a text because of %s it says so', async (_why, given, text) => {
    expect(await read(uriOf(harness.sandbox.addDocument({ paragraphs: [], ...given })))).toBe(text);
  });

  test('an ID in capitals is the same source', async () => {
    const { id } = harness.sandbox.addDocument({ paragraphs: ['text'] });
    expect(await read(`fini://sources/${id.toUpperCase()}`)).toBe('text');
  });

  test('an unknown ID is MCP’s "resource not found", with what to do', async () => {
    await expect(harness.client.readResource({ uri: `fini://sources/${NOBODY}` })).rejects.toThrow(
      expect.objectContaining({
        code: RESOURCE_NOT_FOUND,
        message: expect.stringMatching(/There is no such source.*list_sources/s),
      }),
    );
  });

  const foreign = [
    'https://docs.example.com/a',
    'file:///etc/passwd',
    'fini://sources/',
    'fini://sources/../../v2/documents/public',
    'fini://sources/{id}',
    `fini://sources/${'-'.repeat(36)}`,
    `fini://sources/${'a'.repeat(36)}`,
    `fini://sources/${NOBODY}/`,
    `fini://sources/${NOBODY}/paragraphs/-1`,
    `fini://sources/${NOBODY}/paragraphs/1e3`,
    `fini://sources/${NOBODY}/paragraphs/99999999999`,
    `fini://sources/${NOBODY}?a=b`,
    `fini://articles/${NOBODY}`,
    '',
    `x${'y'.repeat(100_000)}`,
  ];
  test.each(foreign.map((uri) => [uri.slice(0, 60), uri]))('%j is refused', async (_, uri) => {
    const requests = await requestsDuring(async () => {
      const error = await harness.client.readResource({ uri: uri ?? '' }).catch((thrown) => thrown);
      expect(error.code).toBe(RESOURCE_NOT_FOUND);
      expect(error.message).toMatch(/not a resource of this server.*fini:\/\/sources\/\{id\}/);
      expect(error.message.length).toBeLessThan(1_000);
    });
    expect(requests).toBe(0);
  });
});

describe('completion of a source ID', () => {
  const complete = async (value: string, client = harness.client) => {
    const ref = { type: 'ref/resource' as const, uri: 'fini://sources/{id}' };
    const { completion } = await client.complete({ ref, argument: { name: 'id', value } });
    return completion.values;
  };

  test('by the beginning of the ID and by a part of the title, in any case', async () => {
    const wanted = harness.sandbox.addDocument({
      title: 'How to return a Bike',
      updatedAt: new Date(Date.UTC(2027, 0, 1)).toISOString(),
    });
    expect(await complete(wanted.id.slice(0, 13).toUpperCase())).toEqual([wanted.id]);
    expect(await complete('RETURN a b')).toEqual([wanted.id]);
    expect(await complete('no such title')).toEqual([]);
  });

  test('is 100 long at the most', async () => {
    expect(await complete('')).toHaveLength(100);
  });

  test('also of the template of later parts, and of nothing else', async () => {
    const [first] = await complete('chapter 11');
    const of = async (uri: string, name: string) => {
      const ref = { type: 'ref/resource' as const, uri };
      const argument = { name, value: 'chapter 11' };
      return (await harness.client.complete({ ref, argument })).completion.values;
    };
    expect(await of('fini://sources/{id}/paragraphs/{offset}', 'id')).toContain(first);
    expect(await of('fini://sources/{id}/paragraphs/{offset}', 'offset')).toEqual([]);
    expect(await of('file:///{path}', 'id')).toEqual([]);
  });

  test.each([
    { kind: 'status', status: 500 },
    { kind: 'status', status: 401 },
    { kind: 'html' },
    { kind: 'reset', when: 'before' },
  ] as const)('proposes nothing where Fini fails ($kind $status)', async (action) => {
    harness.sandbox.script({ method: 'GET', times: Number.POSITIVE_INFINITY, action });
    expect(await complete('chapter')).toEqual([]);
  });
});

describe.each(WAYS)('over %s, a client without an SDK', (way) => {
  let client: RpcClient;
  let sandbox: ScriptedSandbox;
  let document: SandboxDocument;
  const own = new Stops();
  beforeAll(async () => {
    sandbox = own.use(await startScriptedSandbox());
    document = sandbox.addDocument({ title: 'A page', paragraphs: ['The text.'] });
    client = await connectRaw(way, own, environmentFor(sandbox));
  });
  afterAll(() => own.run());

  test('lists, reads and completes', async () => {
    const listed = await client.request('resources/list');
    expect(listed.result.resources).toMatchObject([{ uri: uriOf(document), name: 'A page' }]);
    expect(listed.result).not.toHaveProperty('nextCursor');
    const uri = uriOf(document);
    const answer = await client.request('resources/read', { uri });
    expect(answer.result.contents).toEqual([{ uri, mimeType: 'text/plain', text: 'The text.' }]);
    const ref = { type: 'ref/resource', uri: 'fini://sources/{id}' };
    const completed = await client.request('completion/complete', {
      ref,
      argument: { name: 'id', value: 'a pa' },
    });
    expect(completed.result.completion.values).toEqual([document.id]);
  });

  test('is told both templates', async () => {
    const { result } = await client.request('resources/templates/list');
    expect(result.resourceTemplates).toMatchObject([
      { uriTemplate: 'fini://sources/{id}', name: 'source', mimeType: 'text/plain' },
      { uriTemplate: 'fini://sources/{id}/paragraphs/{offset}', mimeType: 'text/plain' },
    ]);
  });

  test('hears of what is missing in the protocol’s own form', async () => {
    const uri = `fini://sources/${NOBODY}`;
    const { error } = await client.request('resources/read', { uri });
    expect(error).toMatchObject({ code: RESOURCE_NOT_FOUND, data: { uri } });
    expect(error?.message).toMatch(/no such source/);
    const { error: foreign } = await client.request('resources/read', { uri: 'file:///x' });
    expect(foreign).toMatchObject({ code: RESOURCE_NOT_FOUND, data: { uri: 'file:///x' } });
  });
});

describe.each(WAYS)('over %s, without a key', (way) => {
  const own = new Stops();
  afterAll(() => own.run());

  test('nothing is listed or proposed, and reading says what to set', async () => {
    const client = await connectRaw(way, own, {});
    expect((await client.request('resources/list')).result).toEqual({ resources: [] });
    const templates = await client.request('resources/templates/list');
    expect(templates.result.resourceTemplates).toHaveLength(2);
    const ref = { type: 'ref/resource', uri: 'fini://sources/{id}' };
    const argument = { name: 'id', value: '' };
    const completed = await client.request('completion/complete', { ref, argument });
    expect(completed.result).toEqual({ completion: { values: [] } });
    const uri = `fini://sources/${NOBODY}`;
    const { error } = await client.request('resources/read', { uri });
    expect(error?.message).toMatch(/No Fini API key is set.*FINI_API_KEY/);
  });
});

describe('the SDKs’ clients', () => {
  const connect = {
    'v2 over stdio': async () => {
      const client = new ClientV2({ name: 'test', version: '1' });
      const env = environmentFor(harness.sandbox);
      await client.connect(
        new StdioClientTransport({ command: process.execPath, args: [CLI], env }),
      );
      return client;
    },
    'v2 over HTTP': async () => {
      const { url } = await startHttp(stops, environmentFor(harness.sandbox));
      const client = new ClientV2({ name: 'test', version: '1' });
      await client.connect(new StreamableHTTPClientTransport(new URL(url)));
      return client;
    },
    'v1 over HTTP': async () => {
      const { url } = await startHttp(stops, environmentFor(harness.sandbox));
      const client = new ClientV1({ name: 'test', version: '1' });
      await client.connect(new HttpV1(new URL(url)));
      return client;
    },
  };

  test.each(Object.entries(connect))('%s lists and reads what it was listed', async (_, open) => {
    const client = await open();
    stops.use(client);
    const { resources } = await client.listResources();
    const uri = resources.at(-1)?.uri ?? '';
    const { contents } = await client.readResource({ uri });
    expect(contents).toMatchObject([{ uri, text: expect.stringMatching(/^The text of page/) }]);
    expect((await client.listResourceTemplates()).resourceTemplates).toHaveLength(2);
    expect((await client.listPrompts()).prompts).toHaveLength(4);
  });
});
