import { once } from 'node:events';
import { createServer as createTcpServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import { afterEach, describe, expect, test } from 'vitest';
import { Generation } from '../../src/engine/drafts.ts';
import { Ingestion } from '../../src/engine/ingest.ts';
import { Memory } from '../../src/engine/memory.ts';
import { Publishing } from '../../src/engine/publish.ts';
import { createFiniClient, type FiniClient } from '../../src/fini/client.ts';
import { Deadline } from '../../src/fini/deadline.ts';
import { createHttp } from '../../src/fini/http.ts';
import { createServer } from '../../src/mcp/server.ts';
import { MemoryStore } from '../../src/store/memory-store.ts';
import {
  configFor,
  eventually,
  type Harness,
  ingestRequests,
  jobOf,
  readAnswer,
  Stops,
  startHarness,
  startProcess,
  type ToolAnswer,
} from '../harness.ts';
import { nextCall } from '../next-calls.ts';
import { startScriptedSandbox } from '../scripted-sandbox.ts';

/* A call tells the truth about its items, at whatever stage it ends and whatever Fini does to them. */

const stops = new Stops();
afterEach(() => stops.run());

const start = async (...settings: Parameters<typeof startHarness>): Promise<Harness> =>
  stops.use(await startHarness(...settings));

const page = (name: string) => `https://d.example/${name}`;
const LIST = /^\/v2\/documents\/public\?/;
const posts = ({ sandbox }: Pick<Harness, 'sandbox'>) =>
  sandbox.requests.filter(({ method }) => method === 'POST');
const idOf = ({ sandbox }: Pick<Harness, 'sandbox'>, url: string) =>
  sandbox.documents().find(({ originalUrl }) => originalUrl === url)?.id ?? 'none';

describe('a call that fails after it has queued a part', () => {
  const path = /^\/v2\/documents\/public\/[^/]+$/;
  const FAILING = { method: 'GET', path, times: Number.POSITIVE_INFINITY } as const;

  test('names what it queued, what may have been queued before, and how to go on', async () => {
    const harness = await start({}, { FINI_REQUEST_TIMEOUT_MS: '400' });
    const { call, sandbox } = harness;
    sandbox.addDocument({});
    await call('list_sources');
    sandbox.script({ method: 'POST', action: { kind: 'hang' } });
    await call('ingest_and_wait', { documentIdsToAdd: [page('a')] });
    sandbox.script({ ...FAILING, action: { kind: 'status', status: 401 } });
    const answer = await call('ingest_and_wait', { documentIdsToAdd: [page('a'), page('b')] });
    expect(answer.isError).toBe(true);
    expect(answer.text).not.toMatch(/Nothing was queued/);
    expect(answer.text).toMatch(/did not confirm the queueing of 1 item/);
    expect(nextCall(answer, 'ingest_and_wait')).toEqual({ documentIdsToAdd: [page('a')] });
    expect(answer.text).toMatch(/1 source queued by this call/);
    expect(answer.text).not.toMatch(/running before/);
    sandbox.clearFaults();
    const b = idOf(harness, page('b'));
    const next = nextCall(answer, 'wait_for_sources');
    expect(next).toEqual({ batch: expect.any(String) });
    const { structured } = await call('wait_for_sources', next);
    expect(structured.counts).toMatchObject({ submitted: 1, completed: 1 });
    expect(structured.sources).toMatchObject([{ id: b }]);
  });

  test('while it waits: names the batch', async () => {
    const harness = await start({ workingMs: 200 });
    const { call, sandbox } = harness;
    sandbox.addDocument({});
    sandbox.script({ ...FAILING, times: 1, action: { kind: 'status', status: 401 } });
    const answer = await call('ingest_and_wait', { documentIdsToAdd: [page('a')] });
    expect(answer.text).toMatch(/^The wait ended early/);
    const next = nextCall(answer, 'wait_for_sources');
    expect(next).toEqual({ batch: expect.any(String) });
    expect((await call('wait_for_sources', next)).structured).toMatchObject({
      outcome: 'completed',
      sources: [{ id: idOf(harness, page('a')) }],
    });
  });

  test('an item held back because of a request before is not said to lack an ID', async () => {
    const { call, sandbox } = await start({}, { FINI_REQUEST_TIMEOUT_MS: '400' });
    await call('list_sources');
    sandbox.script({ method: 'POST', action: { kind: 'hang' } });
    await call('ingest_and_wait', { documentIdsToAdd: [page('a')] });
    const input = { documentIdsToAdd: [page('a'), page('b')], timeoutSeconds: 1 };
    const { structured } = await call('ingest_and_wait', input);
    const held = structured.sources.filter((one: { status: string }) => one.status === 'unqueued');
    expect(held).toEqual([{ status: 'unqueued', input: page('a'), hint: 'maybe_queued' }]);
    expect(structured.message).toMatch(/may already be queued.* in [1-6]?\d s/);
  });
});

describe('a call cancelled before its request is sent', () => {
  test('sends nothing, also while the HTTP library loads', async () => {
    const harness = stops.use(await startProcess());
    const cancel = new AbortController();
    const resource = {
      externalId: '1',
      title: 'A',
      originalUrl: page('a'),
      mimeType: 'text/html',
    };
    const input = { provider: 'notion', resources: [resource] };
    const given = harness.call('register_provider_resources', input, { signal: cancel.signal });
    await new Promise(setImmediate);
    cancel.abort();
    await expect(given).rejects.toThrow();
    // A later call that is answered shows that the first one's request had time to be sent.
    await harness.call('list_sources');
    await sleep(50);
    expect(posts(harness)).toEqual([]);
  });

  test.each(['cancelled', 'out of time'])('%s: it surely was not carried out', async (how) => {
    const sandbox = stops.use(await startScriptedSandbox());
    const { url: baseUrl, apiKey } = sandbox;
    const isLate = how === 'out of time';
    // The TLS handshake never ends, so nothing can be sent.
    const silent = createTcpServer().listen(0, '127.0.0.1');
    stops.add(() => silent.close());
    await once(silent, 'listening');
    const { port } = Object(silent.address());
    const http = createHttp({
      baseUrl: isLate ? `https://127.0.0.1:${port}` : baseUrl,
      apiKey,
      requestTimeoutMs: isLate ? 50 : 1_000,
      retryDelayMs: 1,
    });
    const cancel = new AbortController();
    const { signal } = cancel;
    const path = '/v2/documents/public';
    const given = http({ operation: 'ingest sources', method: 'POST', path, body: {}, signal });
    if (!isLate) cancel.abort();
    await expect(given).rejects.toMatchObject({ surelyNotCarriedOut: true });
    await sleep(50);
    expect(sandbox.requests).toEqual([]);
  });

  test('is no doubt: the same call made again queues at once', async () => {
    const { call, sandbox } = await start();
    const cancel = new AbortController();
    const isLook = { method: 'GET', path: LIST };
    sandbox.script({ ...isLook, action: { kind: 'run', run: () => cancel.abort() } });
    const input = { documentIdsToAdd: [page('a')] };
    const given = call('ingest_and_wait', input, { signal: cancel.signal });
    await expect(given).rejects.toThrow();
    expect((await call('ingest_and_wait', input)).structured.sources).toMatchObject([
      { status: 'completed' },
    ]);
    expect(ingestRequests(sandbox)).toHaveLength(1);
  });
});

describe('what runs is joined only where it is the same source', () => {
  test('not a source of another kind with the same URL', async () => {
    const { call, sandbox } = await start();
    const other = sandbox.addDocument({
      source: 'zendesk',
      originalUrl: page('u'),
      linkedJobStatus: 'IN_PROGRESS',
      success: null,
    });
    const answer = await call('ingest_and_wait', { documentIdsToAdd: [page('u')] });
    expect(ingestRequests(sandbox)).toHaveLength(1);
    const [source] = answer.structured.sources;
    expect(source).toMatchObject({ status: 'completed' });
    expect(source).not.toHaveProperty('source');
    expect(source.id).not.toBe(other.id);
    expect(source).not.toHaveProperty('joined');
  });

  test('by its ID whatever it is, and its kind is shown', async () => {
    const { call, sandbox } = await start({ jobs: () => ({ never: true }) });
    const { id } = sandbox.addDocument({ source: 'zendesk', linkedJobStatus: 'IN_PROGRESS' });
    const input = { source: 'zendesk', documentIdsToRefresh: [id], timeoutSeconds: 1 };
    const answer = await call('ingest_and_wait', input);
    expect(ingestRequests(sandbox)).toEqual([]);
    expect(answer.structured.sources).toMatchObject([{ id, source: 'zendesk', joined: true }]);
    expect(answer.text).toMatch(/Unfinished \(1\):\n.*source zendesk/);
  });

  test('a trailing slash makes another page', async () => {
    const harness = await start({ workingMs: 1_500 });
    const { call, sandbox } = harness;
    await call('ingest_sources', { documentIdsToAdd: [page('guide')] });
    const given = { documentIdsToAdd: [page('guide/')] };
    const { structured } = await call('ingest_and_wait', given);
    expect(ingestRequests(sandbox)).toMatchObject([{}, given]);
    expect(structured.sources).toMatchObject([{ originalUrl: page('guide/') }]);
    expect(structured.sources[0]).not.toHaveProperty('joined');
  });

  test('another spelling of the same page is joined, and named as it was given', async () => {
    const { call, sandbox } = await start({ workingMs: 1_500 });
    await call('ingest_sources', { documentIdsToAdd: ['https://d.example/caf%C3%A9'] });
    const spelled = 'HTTPS://D.EXAMPLE:443/caf%c3%a9#menu';
    const answer = await call('ingest_and_wait', { documentIdsToAdd: [spelled] });
    expect(ingestRequests(sandbox)).toHaveLength(1);
    expect(answer.structured.sources).toMatchObject([{ input: spelled, joined: true }]);
    expect(answer.text).toContain(spelled);
  });

  test.each([
    ['a slash', ['guide', 'guide/'].map(page)],
    ['http and www', ['https://d.example/g', 'http://www.d.example/g']],
  ])('inputs that Fini gives one record (%s) are both accounted for by it', async (_, inputs) => {
    // Fini makes one record where the sandbox makes two, so one of the sandbox's is dropped.
    const { call, sandbox } = await start({
      jobs: ({ url }) => (url === inputs[1] ? { drop: true } : undefined),
    });
    const documentIdsToAdd = [...inputs, page('other')];
    const { structured } = await call('ingest_and_wait', { documentIdsToAdd });
    expect(structured.outcome).toBe('completed');
    expect(structured.counts).toMatchObject({ submitted: 3, completed: 3, unqueued: 0 });
    const [first, second] = structured.sources;
    expect(second).toMatchObject({ id: first.id, input: inputs[1] });
    expect(structured).not.toHaveProperty('hints');
    expect(sandbox.documents()).toHaveLength(2);
  });
});

describe('a wait goes by what this process remembers of the record before', () => {
  /** Adds a source that was ingested long ago, below a page full of newer ones. */
  function addOld({ sandbox }: Harness, fields: object = {}) {
    const updatedAt = new Date(Date.now() - 86_400_000).toISOString();
    const old = sandbox.addDocument({ source: 'notion', externalId: 'n1', updatedAt, ...fields });
    for (let index = 0; index < 120; index += 1) {
      const newer = new Date(Date.now() - 3_600_000 + index).toISOString();
      sandbox.addDocument({ updatedAt: newer });
    }
    return old;
  }

  /** Registers the source again, which touches the record and starts no job. */
  const touch = ({ call }: Harness) => {
    const resource = { title: 'A', originalUrl: page('n'), mimeType: 'text/html' };
    const resources = [{ externalId: 'n1', ...resource }];
    return call('register_provider_resources', { provider: 'notion', resources });
  };

  test('after a refresh that timed out and a touch', async () => {
    const harness = await start({ lingerMs: 1_300 });
    const old = addOld(harness);
    const input = { source: 'notion', documentIdsToRefresh: [old.id], timeoutSeconds: 1 };
    const first = await harness.call('ingest_and_wait', input);
    expect(first.structured.outcome).toBe('timed_out');
    await touch(harness);
    const next = nextCall(first, 'wait_for_sources');
    const { structured } = await harness.call('wait_for_sources', next);
    expect(structured.sources).toMatchObject([{ id: old.id, status: 'completed' }]);
    expect(jobOf(harness.sandbox, structured.sources[0].id)).not.toBe(old.linkedJobId);
  });

  test.each(['refresh_sources', 'ingest_sources'])(
    'after %s, also without queuedAfter, and after a touch',
    async (tool) => {
      const harness = await start({ lingerMs: 300 });
      const old = addOld(harness);
      const isRefresh = tool === 'refresh_sources';
      const input = isRefresh
        ? { documentIds: [old.id] }
        : { source: 'notion', documentIdsToRefresh: [old.id] };
      await harness.call(tool, input);
      await touch(harness);
      const { structured } = await harness.call('wait_for_sources', { ids: [old.id] });
      expect(structured.sources).toMatchObject([{ status: 'completed' }]);
      expect(jobOf(harness.sandbox, structured.sources[0].id)).not.toBe(old.linkedJobId);
    },
  );

  test('for many sources too, and a web page by its URL', async () => {
    const harness = await start({ lingerMs: 300, parallelJobs: 50 });
    const many = Array.from({ length: 30 }, () => harness.sandbox.addDocument({}));
    const ids = many.map(({ id }) => id);
    await harness.call('refresh_sources', { documentIds: ids });
    for (const document of many) {
      harness.sandbox.addDocument({ ...document, updatedAt: new Date().toISOString() });
    }
    const { structured } = await harness.call('wait_for_sources', { ids });
    const old = new Set(many.map(({ linkedJobId }) => linkedJobId));
    expect(structured.counts).toMatchObject({ submitted: 30, completed: 30 });
    for (const id of ids) expect(old.has(jobOf(harness.sandbox, id) ?? null)).toBe(false);

    const web = addOld(harness, { source: 'web', originalUrl: page('old') });
    await harness.call('ingest_sources', { documentIdsToRefresh: [page('old')] });
    harness.sandbox.addDocument({ ...web, updatedAt: new Date().toISOString() });
    const waited = await harness.call('wait_for_sources', { ids: [web.id] });
    expect(jobOf(harness.sandbox, waited.structured.sources[0].id)).not.toBe(web.linkedJobId);
  });

  test.each(['refresh_sources', 'ingest_and_wait'])(
    'after %s whose answer was lost, though nothing was touched',
    async (tool) => {
      const harness = await start({ lingerMs: 600 });
      const { call, sandbox } = harness;
      const { id, originalUrl, linkedJobId } = sandbox.addDocument({});
      sandbox.script({ method: 'POST', action: { kind: 'reset', when: 'after' } });
      const refreshed = { documentIdsToRefresh: [originalUrl] };
      await call(tool, tool === 'refresh_sources' ? { documentIds: [id] } : refreshed);
      const { structured } = await call('wait_for_sources', { ids: [id], timeoutSeconds: 30 });
      const [source] = structured.sources;
      expect(source).toMatchObject({ status: 'completed' });
      expect(jobOf(sandbox, source.id)).not.toBe(linkedJobId);
    },
  );

  test('a refresh of a source whose job runs is not reported with that job', async () => {
    const harness = await start({ lingerMs: 200 });
    const { id, linkedJobId } = harness.sandbox.addDocument({ linkedJobStatus: 'IN_PROGRESS' });
    await harness.call('refresh_sources', { documentIds: [id] });
    const [running] = harness.sandbox.documents();
    harness.sandbox.addDocument({ ...running, linkedJobStatus: 'COMPLETED' });
    const { structured } = await harness.call('wait_for_sources', { ids: [id] });
    expect(structured.sources).toMatchObject([{ status: 'completed' }]);
    expect(jobOf(harness.sandbox, structured.sources[0].id)).not.toBe(linkedJobId);
  });

  test('of what it does not know, queuedAfter alone tells', async () => {
    const { call, sandbox } = await start();
    const { id } = sandbox.addDocument({});
    const ended = await call('wait_for_sources', { ids: [id] });
    expect(ended.structured.outcome).toBe('completed');
    const queuedAfter = new Date(Date.now() + 60_000).toISOString();
    const input = { ids: [id], queuedAfter, timeoutSeconds: 1 };
    expect((await call('wait_for_sources', input)).structured.outcome).toBe('timed_out');
  });
});

describe('a fault of our own', () => {
  /** Starts a server whose Fini client has a bug in it. */
  async function startWithBug(wrap: (fini: FiniClient) => Partial<FiniClient>) {
    const sandbox = await startScriptedSandbox({
      ...{ pendingMs: 5, workingMs: 30, lingerMs: 5 },
      requestsPerMinute: Number.POSITIVE_INFINITY,
    });
    const { url: baseUrl, apiKey } = sandbox;
    const http = createHttp({ baseUrl, apiKey, requestTimeoutMs: 500, retryDelayMs: 1 });
    const sound = createFiniClient(http);
    const fini = { ...sound, ...wrap(sound) };
    const logged: string[] = [];
    const kind = configFor([]);
    const memory = new Memory(new MemoryStore());
    const workspace = {
      fini,
      ingestion: new Ingestion(fini, 5, memory),
      generation: new Generation(fini, 5, memory),
      publishing: new Publishing(fini, memory),
      batches: memory.batches,
      waitTimeoutSeconds: 10,
    };
    const server = createServer('0.0.0', kind, {
      workspace: () => workspace,
      onUnexpectedError: (reference, error) => logged.push(`${reference} ${inspect(error)}`),
    });
    const client = new Client({ name: 'test', version: '1' });
    const [clientSide, serverSide] = InMemoryTransport.createLinkedPair();
    await server.connect(serverSide);
    await client.connect(clientSide);
    stops.add(async () => {
      await client.close();
      await sandbox.close();
    });
    const call = async (name: string, input: Record<string, unknown>) =>
      readAnswer(await client.callTool({ name, arguments: input }));
    return { call, sandbox, logged };
  }

  function bug(): never {
    const nothing: { page: { title: string } } = JSON.parse('{}');
    throw new Error(nothing.page.title);
  }

  function expectLogged({ text }: ToolAnswer, logged: readonly string[]): void {
    expect(text).toMatch(/The input did not cause it/);
    expect(text).not.toMatch(/Cannot read/);
    const [, reference = 'none'] = /reference (\S+)\./.exec(text) ?? [];
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain(reference);
    expect(logged[0]).toMatch(/TypeError: Cannot read[\s\S]*at bug \(/);
  }

  test('before anything is queued: that is said, and it is logged with its stack', async () => {
    const { call, sandbox, logged } = await startWithBug(() => ({
      listSources: async () => bug(),
    }));
    const answer = await call('ingest_and_wait', { documentIdsToAdd: [page('a')] });
    expect(answer.text).toMatch(/^Nothing was queued\. Something went wrong inside/);
    expectLogged(answer, logged);
    expect(ingestRequests(sandbox)).toEqual([]);
  });

  test('while queueing: nobody knows, and nothing else is said', async () => {
    const { call, logged } = await startWithBug((fini) => ({
      ingestSources: async (...given) => {
        await fini.ingestSources(...given);
        return bug();
      },
    }));
    const answer = await call('ingest_and_wait', { documentIdsToAdd: [page('a')] });
    expect(answer.text).toMatch(/may have been queued all the same/);
    expectLogged(answer, logged);
  });

  test('while waiting: what was queued is named', async () => {
    const { call, logged } = await startWithBug(() => ({ getSource: async () => bug() }));
    const answer = await call('ingest_and_wait', { documentIdsToAdd: [page('a')] });
    expect(answer.text).toMatch(/^The wait ended early/);
    const { batch } = nextCall(answer, 'wait_for_sources');
    const listed = await call('list_sources', { batch });
    expect(listed.structured.sources).toMatchObject([{ originalUrl: page('a') }]);
    expectLogged(answer, logged);
  });

  test('in an import: it is logged, and no error of Fini', async () => {
    const { call, logged } = await startWithBug(() => ({ listSources: async () => bug() }));
    const input = { provider: 'notion', all: true };
    expectLogged(await call('import_provider_resources', input), logged);
  });
});

describe('a joined job that does otherwise than asked', () => {
  test.each([
    ['english', { english: false }],
    ['baser', { baser: true }],
  ])('%s is said not to be applied, and how to get it', async (name, asked) => {
    const { call, sandbox } = await start({ workingMs: 1_500 });
    const documentIdsToAdd = [page('a')];
    await call('ingest_sources', { documentIdsToAdd });
    const answer = await call('ingest_and_wait', { documentIdsToAdd, ...asked });
    expect(answer.structured.sources).toMatchObject([{ joined: true, ignored: [name] }]);
    expect(answer.structured.message).toContain('those of this call were not applied');
    expect(answer.text).toContain(`ignored ${name}`);
    const again = await call('ingest_and_wait', nextCall(answer, 'ingest_and_wait'));
    expect(again.structured.sources[0]).not.toHaveProperty('ignored');
    expect(sandbox.documents()).toMatchObject([asked]);
  });

  test('also while its record still shows the job before', async () => {
    const { call, sandbox } = await start({ lingerMs: 3_000 });
    sandbox.addDocument({ originalUrl: page('a'), english: true });
    const input = { documentIdsToRefresh: [page('a')] };
    await call('ingest_sources', { ...input, english: false });
    const answer = await call('ingest_and_wait', { ...input, timeoutSeconds: 1 });
    expect(answer.structured.sources).toMatchObject([
      { status: 'unfinished', joined: true, ignored: ['english'] },
    ]);
  });

  test('where all is as asked, nothing is said', async () => {
    const { call } = await start({ workingMs: 1_500 });
    const input = { documentIdsToAdd: [page('a')], english: false };
    await call('ingest_sources', input);
    const { structured } = await call('ingest_and_wait', input);
    expect(structured.sources[0]).toMatchObject({ joined: true });
    expect(structured.sources[0]).not.toHaveProperty('ignored');
  });
});

test('a call cancelled in the pause before a retry ends as cancelled, not as refused', async () => {
  const sandbox = stops.use(await startScriptedSandbox());
  const { url: baseUrl, apiKey } = sandbox;
  const http = createHttp({ baseUrl, apiKey, requestTimeoutMs: 10_000, retryDelayMs: 5_000 });
  const ingestion = new Ingestion(createFiniClient(http), 5);
  sandbox.script({ method: 'POST', action: { kind: 'status', status: 429 } });
  const cancel = new AbortController();
  const request = {
    source: 'web' as const,
    documentIdsToAdd: [page('a')],
    documentIdsToRefresh: [],
    english: true,
    baser: false,
  };
  const given = ingestion.ingestAndWait(request, {
    deadline: Deadline.after(20, cancel.signal),
    onProgress: () => undefined,
  });
  const caught = expect(given).rejects.toHaveProperty('name', 'AbortError');
  await eventually(() => expect(ingestRequests(sandbox)).toHaveLength(1));
  await sleep(30);
  cancel.abort();
  await caught;
});

test('of two pages whose records show no URL yet, neither is reported as the other', async () => {
  const jobs = ({ url }: { url: string | null }) =>
    url === page('a')
      ? { status: 'FAILED', error: 'HTTP 500 for A', workingMs: 1_500 }
      : { workingMs: 1_500 };
  const { call, sandbox } = await start({ jobs });
  const hideUrls = (body: unknown) =>
    JSON.parse(JSON.stringify(body).replace(/"originalUrl":"[^"]*"/g, '"originalUrl":null'));
  await call('ingest_sources', { documentIdsToAdd: [page('a'), page('b')] });
  // The fault hits only the look before queueing.
  sandbox.script({ method: 'GET', action: { kind: 'rewrite', rewrite: hideUrls } });
  const input = { documentIdsToAdd: [page('b')] };
  const held = (await call('ingest_and_wait', input)).structured;
  expect(held.sources).toMatchObject([{ status: 'unqueued', input: page('b') }]);
  const { structured } = await call('ingest_and_wait', input);
  expect(structured).toMatchObject({ outcome: 'completed', sources: [{ originalUrl: page('b') }] });
  expect(ingestRequests(sandbox)).toHaveLength(1);
});

test('a joined job is not reported with what another wait had read before it', async () => {
  const { call, sandbox } = await start({}, { FINI_POLL_INTERVAL_MS: '60000' });
  const updatedAt = new Date(Date.now() - 1_000).toISOString();
  const running = { linkedJobStatus: 'IN_PROGRESS', success: null };
  const ids = ['a', 'b', 'c'].map(
    (name) => sandbox.addDocument({ originalUrl: page(name), ...running }).id,
  );
  const old = sandbox.addDocument({ originalUrl: page('x'), linkedJobId: 'old', updatedAt });
  const cancel = new AbortController();
  const other = call('wait_for_sources', { ids }, { signal: cancel.signal });
  await eventually(() => expect(sandbox.requests).toHaveLength(1));
  // The answer to a later call shows that the other wait has read the list.
  await call('list_sources');
  // Another process refreshes the page.
  const job = { linkedJobId: 'new', linkedJobStatus: 'PENDING' };
  sandbox.addDocument({ ...old, ...job, updatedAt: new Date().toISOString() });
  const input = { documentIdsToAdd: [page('x')], timeoutSeconds: 1 };
  const { structured } = await call('ingest_and_wait', input);
  expect(structured.sources).toMatchObject([{ status: 'unfinished', jobId: 'new' }]);
  cancel.abort();
  await other.catch(() => undefined);
});

test('what was queued while the list could not be read is held, not taken for done', async () => {
  const harness = await start({ lingerMs: 700 });
  const { call, sandbox } = harness;
  const updatedAt = new Date(Date.now() - 1_000).toISOString();
  const { id } = sandbox.addDocument({ source: 'notion', updatedAt });
  sandbox.script({ method: 'GET', times: 8, action: { kind: 'html', status: 200 } });
  expect((await call('refresh_sources', { documentIds: [id] })).isError).toBe(false);
  sandbox.clearFaults();
  const input = { source: 'notion', documentIdsToRefresh: [id] };
  const { structured } = await call('ingest_and_wait', input);
  expect(structured.sources).toEqual([{ status: 'unqueued', input: id, hint: 'maybe_queued' }]);
  expect(structured.message).toMatch(/may already be queued.* in [1-6]?\d s/);
  expect(posts(harness)).toHaveLength(1);
});
