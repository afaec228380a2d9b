import { afterEach, describe, expect, test } from 'vitest';
import type { SandboxOptions } from '../src/sandbox/sandbox-server.ts';
import { eventually, type Harness, ingestRequests, startHarness } from './harness.ts';
import { nextCall } from './next-calls.ts';
import type { Fault } from './scripted-sandbox.ts';

let harness: Harness;
afterEach(() => harness.close());

async function start(options: SandboxOptions = {}, environment: Record<string, string> = {}) {
  harness = await startHarness(options, environment);
  return harness;
}

/** A short timeout only for a request without an answer, so that a slow machine fails no other test. */
const patienceWith = ({ kind }: Fault['action']): Record<string, string> =>
  kind === 'hang' || kind === 'drip' ? { FINI_REQUEST_TIMEOUT_MS: '500' } : {};

const LIST = /^\/v2\/documents\/public\?/;
const urls = Array.from({ length: 6 }, (_, index) => `https://docs.example.com/${index}`);

describe('polls that fail: the wait completes, queued once', () => {
  const faults: [string, Omit<Fault, 'path'>][] = [
    [
      '429 with Retry-After in seconds',
      { action: { kind: 'status', status: 429, headers: { 'retry-after': '0' } } },
    ],
    [
      '429 with Retry-After as a date',
      {
        action: {
          kind: 'status',
          status: 429,
          headers: { 'retry-after': new Date().toUTCString() },
        },
      },
    ],
    ['500 three times', { times: 3, action: { kind: 'status', status: 500 } }],
    ['500 ten times', { times: 10, action: { kind: 'status', status: 500 } }],
    ['503', { action: { kind: 'status', status: 503 } }],
    ['a reset before the request was read', { action: { kind: 'reset', when: 'before' } }],
    ['a reset after the request was read', { action: { kind: 'reset', when: 'after' } }],
    ['an HTML page with 502', { action: { kind: 'html', status: 502 } }],
    ['a login page with 200', { action: { kind: 'html', status: 200 } }],
    ['a cut-off body', { action: { kind: 'cut' } }],
    ['a body that trickles in forever', { action: { kind: 'drip', everyMs: 20 } }],
    ['no answer', { action: { kind: 'hang' } }],
    ['a slow first byte', { action: { kind: 'slow', milliseconds: 60 } }],
    ['a redirect', { action: { kind: 'redirect', location: 'https://elsewhere.example/' } }],
    ['an answer of null', { action: { kind: 'rewrite', rewrite: () => null } }],
    [
      'a list of null',
      { action: { kind: 'rewrite', rewrite: () => ({ documents: null, hasMore: null }) } },
    ],
    [
      'records of null',
      { action: { kind: 'rewrite', rewrite: () => ({ documents: [null, {}, 7] }) } },
    ],
    ['paging in circles', { action: { kind: 'endlessPaging', pages: 'repeated' } }],
    ['endless paging', { times: 4, action: { kind: 'endlessPaging', pages: 'made-up' } }],
    ['an answer larger than 20 MB', { action: { kind: 'big', bytes: 21 * 1024 * 1024 } }],
  ];
  test.each(faults)('%s', async (_name, fault) => {
    const { call, sandbox } = await start({}, patienceWith(fault.action));
    sandbox.script({ method: 'GET', path: LIST, skip: 1, ...fault });
    const answer = await call('ingest_and_wait', { documentIdsToAdd: urls, timeoutSeconds: 60 });
    expect(answer.structured.counts).toMatchObject({ submitted: 6, completed: 6 });
    expect(ingestRequests(sandbox)).toHaveLength(1);
  });
});

describe('queueing that fails: one request, and how to check the result', () => {
  const faults: [string, Fault['action']][] = [
    ['500', { kind: 'status', status: 500 }],
    ['503 with Retry-After', { kind: 'status', status: 503, headers: { 'retry-after': '0' } }],
    ['a reset before the answer', { kind: 'reset', when: 'before' }],
    ['a reset after it was carried out', { kind: 'reset', when: 'after' }],
    ['no answer', { kind: 'hang' }],
    ['no answer though it was carried out', { kind: 'hang', carryOut: true }],
    ['a cut-off answer', { kind: 'cut' }],
    ['a login page', { kind: 'html' }],
    ['an answer of another shape', { kind: 'rewrite', rewrite: () => 'queued' }],
    ['an answer without IDs', { kind: 'rewrite', rewrite: () => ({ documents: null }) }],
  ];
  test.each(faults)('%s', async (_name, action) => {
    const { call, sandbox } = await start({}, patienceWith(action));
    for (const tool of ['ingest_and_wait', 'ingest_sources']) {
      sandbox.requests.length = 0;
      sandbox.script({ method: 'POST', action });
      const answer = await call(tool, { documentIdsToAdd: urls });
      expect(answer.isError).toBe(true);
      expect(answer.text).toMatch(/may have been queued/);
      expect(answer.text).toMatch(/list_sources/);
      if (tool === 'ingest_and_wait') for (const url of urls) expect(answer.text).toContain(url);
      expect(ingestRequests(sandbox)).toHaveLength(1);
      sandbox.clearFaults();
    }
  });

  test('after that, calling again queues only what did not arrive', async () => {
    const { call, sandbox } = await start({ workingMs: 500 });
    sandbox.script({ method: 'POST', action: { kind: 'reset', when: 'after' } });
    await call('ingest_and_wait', { documentIdsToAdd: urls.slice(0, 4) });
    const again = await call('ingest_and_wait', { documentIdsToAdd: urls });
    expect(again.structured.counts).toMatchObject({ submitted: 6, completed: 6 });
    const [, second] = ingestRequests(sandbox);
    expect(second).toMatchObject({ documentIdsToAdd: urls.slice(4) });
  });

  test('429 is sent again, since Fini did not carry it out', async () => {
    const { call, sandbox } = await start();
    const headers = { 'retry-after': '0' };
    sandbox.script({ method: 'POST', times: 2, action: { kind: 'status', status: 429, headers } });
    const answer = await call('ingest_and_wait', { documentIdsToAdd: urls });
    expect(answer.structured.counts.completed).toBe(6);
    expect(ingestRequests(sandbox)).toHaveLength(3);
  });

  test('429 with a long Retry-After: the error says nothing was queued, and when to call again', async () => {
    const { call, sandbox } = await start();
    const headers = { 'retry-after': '90' };
    sandbox.script({ method: 'POST', action: { kind: 'status', status: 429, headers } });
    const answer = await call('ingest_and_wait', { documentIdsToAdd: urls });
    expect(answer.text).toMatch(/^Nothing was queued/);
    expect(answer.text).toMatch(/90 s/);
    expect(ingestRequests(sandbox)).toHaveLength(1);
  });

  test('400 whose body never ends: nothing was queued, and Fini did answer', async () => {
    const { call, sandbox } = await start({}, { FINI_REQUEST_TIMEOUT_MS: '500' });
    sandbox.script({ method: 'POST', action: { kind: 'drip', everyMs: 20 } });
    const unknown = '00000000-0000-4000-8000-000000000001';
    const answer = await call('ingest_and_wait', { source: 'notion', documentIdsToAdd: [unknown] });
    expect(answer.text).toMatch(/^Nothing was queued.*HTTP 400/);
    expect(answer.text).not.toContain('did not answer');
  });

  test('400: nothing was queued, and what Fini said', async () => {
    const { call, sandbox } = await start();
    sandbox.script({
      method: 'POST',
      action: { kind: 'status', status: 400, body: { message: ['a', 'b'] } },
    });
    const answer = await call('ingest_and_wait', { documentIdsToAdd: urls });
    expect(answer.text).toMatch(/^Nothing was queued.*"a; b"/);
  });

  test('a check of the list that fails before queueing: nothing is queued', async () => {
    const { call, sandbox } = await start();
    sandbox.script({
      method: 'GET',
      times: Number.POSITIVE_INFINITY,
      action: { kind: 'status', status: 500 },
    });
    const answer = await call('ingest_and_wait', { documentIdsToAdd: urls, timeoutSeconds: 1 });
    expect(answer.text).toMatch(/^Nothing was queued/);
    expect(ingestRequests(sandbox)).toHaveLength(0);
  });

  test('connection refused: nothing was carried out, and what to check', async () => {
    const { call, sandbox } = await start();
    await sandbox.close();
    const answer = await call('ingest_sources', { documentIdsToAdd: urls });
    expect(answer.text).toMatch(/could not be reached.*Nothing was carried out.*FINI_BASE_URL/);
  });
});

describe('a wait that cannot continue', () => {
  test.each([401, 403])(
    '%d ends it after that answer, with the batch of what was queued',
    async (status) => {
      const { call, sandbox } = await start({ workingMs: 60_000 });
      const isPoll = { method: 'GET', path: LIST, skip: 1, times: Number.POSITIVE_INFINITY };
      sandbox.script({ ...isPoll, action: { kind: 'status', status } });
      const answer = await call('ingest_and_wait', { documentIdsToAdd: urls });
      expect(answer.isError).toBe(true);
      const batch = expect.stringMatching(/^b\w{5}$/);
      expect(nextCall(answer, 'wait_for_sources')).toEqual({ batch });
      const requests = sandbox.requests.length;
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(sandbox.requests).toHaveLength(requests);
      expect(sandbox.requests.filter(({ method }) => method === 'GET')).toHaveLength(2);
    },
  );

  test('a key revoked before one call does not spoil the next', async () => {
    const { call, sandbox } = await start();
    const once = { method: 'GET', path: LIST, skip: 1 };
    sandbox.script({ ...once, action: { kind: 'status', status: 401 } });
    const calls = [urls.slice(0, 3), urls.slice(3)].map((part) =>
      call('ingest_and_wait', { documentIdsToAdd: part }),
    );
    await Promise.all(calls);
    const answer = await call('ingest_and_wait', {
      documentIdsToAdd: ['https://docs.example.com/new'],
    });
    expect(answer.structured.outcome).toBe('completed');
  });

  test('500 every time: the report comes at the timeout and says so', async () => {
    const { call, sandbox } = await start();
    // The first request is the slowest, so it comes before the call whose time must be spent waiting.
    await call('list_sources');
    const isPoll = { method: 'GET', skip: 1, times: Number.POSITIVE_INFINITY };
    sandbox.script({ ...isPoll, action: { kind: 'status', status: 500 } });
    const answer = await call('ingest_and_wait', { documentIdsToAdd: urls, timeoutSeconds: 1 });
    expect(answer.structured.outcome).toBe('timed_out');
    expect(answer.structured.counts).toMatchObject({ submitted: 6, unfinished: 6 });
    expect(answer.structured.message).toMatch(/did not answer the last status check/);
    expect(answer.structured.elapsedSeconds).toBeGreaterThanOrEqual(1);
  });
});

describe('endless or oversized answers', () => {
  test.each<[string, Fault['action']]>([
    ['larger than 20 MB', { kind: 'big', bytes: 21 * 1024 * 1024 }],
    ['endless', { kind: 'endless' }],
  ])('an answer that is %s is refused', async (_name, action) => {
    const { call, sandbox } = await start();
    const document = sandbox.addDocument({ title: 'A' });
    sandbox.script({ method: 'GET', action });
    const answer = await call('get_source', { id: document.id });
    expect(answer.text).toMatch(/too large/);
  });

  test('a page of sources that is too large is read in smaller ones', async () => {
    const { call, sandbox } = await start();
    const paragraphs = ['x'.repeat(1024 * 1024)];
    for (let index = 0; index < 30; index += 1) sandbox.addDocument({ paragraphs });
    const answer = await call('list_sources', { limit: 40 });
    expect(answer.structured.sources).toHaveLength(10);
    expect(answer.structured.hasMore).toBe(true);
  });

  test('a list with endless paging is read up to a limit', async () => {
    const { call, sandbox } = await start();
    const always = { method: 'GET', path: LIST, times: Number.POSITIVE_INFINITY };
    sandbox.script({ ...always, action: { kind: 'endlessPaging', pages: 'made-up' } });
    const answer = await call('ingest_and_wait', { documentIdsToAdd: urls, timeoutSeconds: 60 });
    expect(answer.structured.counts).toMatchObject({ submitted: 6, completed: 6 });
    expect(sandbox.requests.length).toBeLessThan(200);
  });
});

test('a page boundary that moves while the list is read loses no source', async () => {
  const { call, sandbox } = await start({ parallelJobs: 60 });
  for (let index = 0; index < 120; index += 1) sandbox.addDocument({ title: `old ${index}` });
  let touched = 0;
  const move = () => {
    touched += 1;
    sandbox.addDocument({ title: `moved ${touched}` });
  };
  sandbox.script({ method: 'GET', path: LIST, times: 40, action: { kind: 'run', run: move } });
  const many = Array.from({ length: 120 }, (_, index) => `https://docs.example.com/many/${index}`);
  const answer = await call('ingest_and_wait', { documentIdsToAdd: many });
  expect(answer.structured.counts).toMatchObject({ submitted: 120, completed: 120 });
  expect(touched).toBeGreaterThan(2);
});

test('a crawl that fails says that it is safe to call again', async () => {
  const action = { kind: 'hang' } as const;
  const { call, sandbox } = await start({}, patienceWith(action));
  sandbox.script({ method: 'POST', action });
  const answer = await call('deep_crawl_links', { links: urls });
  expect(answer.text).toMatch(/creates nothing, so it is safe to call again/);
});

describe('more calls than Fini allows', () => {
  test('Fini never has to refuse one, and a call without time for its turn says when to come back', async () => {
    const limit = { FINI_REQUESTS_PER_MINUTE: '10' };
    const { call, sandbox } = await start({ requestsPerMinute: 10 }, limit);
    const answers = await Promise.all(Array.from({ length: 15 }, () => call('list_sources')));
    const late = answers.filter(({ isError }) => isError);
    expect(late).toHaveLength(5);
    for (const { text } of late) {
      expect(text).toMatch(/Fini's rate limit is reached.*can be sent in \d+ s/);
      expect(text).toMatch(/Nothing was carried out/);
    }
    expect(sandbox.requests.map(({ status }) => status)).toEqual(Array(10).fill(200));
  });

  /** Starts a server whose key another program has used up until the sandbox's clock passes a minute. */
  async function startUsedUp(retryAfter: SandboxOptions['retryAfter']) {
    let offset = 0;
    const now = () => Date.now() + offset;
    const started = await start({ requestsPerMinute: 20, retryAfter, now });
    const { url, apiKey, requests } = started.sandbox;
    const headers = { authorization: `Bearer ${apiKey}` };
    const others = Array.from({ length: 20 }, () =>
      fetch(`${url}/v2/documents/public`, { headers }),
    );
    await Promise.all(others);
    requests.length = 0;
    const passAMinute = () => {
      offset += 60_000;
    };
    return { ...started, passAMinute };
  }

  test('another program has used up the limit: the call says when to come back', async () => {
    const { call, sandbox } = await startUsedUp('seconds');
    const answer = await call('ingest_and_wait', { documentIdsToAdd: urls, timeoutSeconds: 60 });
    expect(answer.text).toMatch(/^Nothing was queued.*HTTP 429.*Call again in \d+ s/);
    // The key is paused until then, so the next request is not even sent.
    const next = await call('list_sources');
    expect(next.text).toMatch(/rate limit is reached/);
    expect(sandbox.requests.map(({ status }) => status)).toEqual([429]);
  });

  test('the same without Retry-After: the call goes on after a pause', async () => {
    const { call, sandbox, passAMinute } = await startUsedUp('none');
    const calling = call('ingest_and_wait', { documentIdsToAdd: urls, timeoutSeconds: 60 });
    await eventually(() => expect(sandbox.requests[0]?.status).toBe(429));
    passAMinute();
    const answer = await calling;
    expect(answer.structured.counts).toMatchObject({ submitted: 6, completed: 6 });
    expect(ingestRequests(sandbox)).toHaveLength(1);
  });
});
