import type { Progress } from '@modelcontextprotocol/sdk/types.js';
import { afterEach, describe, expect, test } from 'vitest';
import type { SandboxOptions } from '../../src/sandbox/sandbox-server.ts';
import {
  eventually,
  type Harness,
  ingestRequests,
  jobOf,
  startHarness,
  type ToolAnswer,
} from '../harness.ts';
import { nextCall } from '../next-calls.ts';
import { pingMeanwhile } from '../tools/meanwhile.ts';

let harness: Harness;
afterEach(() => harness.close());

async function start(options: SandboxOptions = {}, environment: Record<string, string> = {}) {
  harness = await startHarness(options, environment);
  return harness;
}

/** Starts a warm server: its first request is the slowest, and would use up a wait of a second. */
async function startWarm(...settings: Parameters<typeof start>) {
  const { call, sandbox, client } = await start(...settings);
  await call('list_sources');
  sandbox.requests.length = 0;
  return { call, sandbox, client };
}

const pages = (count: number) =>
  Array.from({ length: count }, (_, index) => `https://docs.example.com/page/${index}`);

/** A source in a report. */
interface Row {
  readonly status: string;
  readonly input?: string;
  readonly originalUrl?: string;
}

/** The inputs that a report lists as not queued. */
const unqueuedIn = ({ structured }: ToolAnswer): string[] =>
  structured.sources.flatMap(({ status, input }: Row) => (status === 'unqueued' ? input : []));

/** Waits until a condition of the sandbox holds. */
function until(holds: () => boolean): Promise<void> {
  return eventually(() => expect(holds()).toBe(true));
}

test('a wait over 25 URLs accounts for each exactly once, whatever becomes of it', async () => {
  const urls = pages(25);
  const [failing, empty, odd, dropped] = urls;
  const { call, sandbox } = await startWarm({
    parallelJobs: 25,
    jobs: ({ url }) => {
      if (url === failing) return { status: 'FAILED', error: 'Blocked by robots.txt' };
      if (url === empty) return { status: 'COMPLETED', success: false };
      if (url === odd) return { status: 'PAUSED_FOR_REVIEW' };
      return url === dropped ? { drop: true } : undefined;
    },
  });
  const answer = await call('ingest_and_wait', { documentIdsToAdd: urls, timeoutSeconds: 8 });
  const { outcome, counts, sources } = answer.structured;
  expect(outcome).toBe('timed_out');
  expect(counts).toEqual({ submitted: 25, completed: 21, failed: 2, unfinished: 1, unqueued: 1 });
  const named = sources.map((source: Row) => source.originalUrl ?? source.input);
  expect(named.sort()).toEqual(urls.toSorted());
  expect(unqueuedIn(answer)).toEqual([dropped]);
  const of = (url: string | undefined) =>
    sources.find((source: { originalUrl: string }) => source.originalUrl === url);
  expect(of(failing)).toMatchObject({ status: 'failed', hint: 'robots_forbidden' });
  // A failure is not told as Fini's "COMPLETED" too.
  expect(of(empty)).toMatchObject({ status: 'failed', hint: 'no_content' });
  expect(of(empty).jobStatus).toBeUndefined();
  expect(of(odd)).toMatchObject({ status: 'unfinished', jobStatus: 'PAUSED_FOR_REVIEW' });
  expect(of(odd).hint).toBe('unknown_status');
  expect(nextCall(answer, 'wait_for_sources')).toEqual({ batch: answer.structured.batch });
  expect(answer.text).toContain('21 of 25 completed');
  expect(ingestRequests(sandbox)).toHaveLength(1);
});

test('a long report shows what failed, also where completed pages are left out', async () => {
  const urls = pages(250);
  const { call } = await start({
    parallelJobs: 250,
    jobs: ({ url }) => (url === urls[249] ? { status: 'FAILED', error: 'HTTP 500' } : undefined),
  });
  const { structured } = await call('ingest_and_wait', { documentIdsToAdd: urls });
  expect(structured.sources.length + (structured.omitted?.sources ?? 0)).toBe(250);
  expect(structured.sources.at(-1)).toMatchObject({ status: 'failed', originalUrl: urls[249] });
});

test('a long report of failures names the error of each, and the hint once', async () => {
  const error = 'Page requires authentication: redirected to https://docs.example.com/login';
  const { call } = await start({
    parallelJobs: 250,
    jobs: () => ({ status: 'FAILED', error }),
  });
  const { structured } = await call('ingest_and_wait', { documentIdsToAdd: pages(250) });
  const sources: { error: string; hint?: string }[] = structured.sources;
  expect(sources.every((source) => source.error === error)).toBe(true);
  expect(sources).toHaveLength(250);
  expect(structured.hints).toEqual([
    { hint: 'needs_login', advice: expect.stringMatching(/login/), count: 250 },
  ]);
});

test('outcomes: completed, partial, and failed as an error', async () => {
  const urls = pages(3);
  const { call } = await start({
    jobs: ({ url }) => (url === urls[0] ? { status: 'FAILED', error: 'HTTP 500' } : undefined),
  });
  const completed = await call('ingest_and_wait', { documentIdsToAdd: [urls[1]] });
  expect([completed.structured.outcome, completed.isError]).toEqual(['completed', false]);
  expect(completed.structured.message).toMatch(/not yet live/i);
  const partial = await call('ingest_and_wait', { documentIdsToAdd: [urls[0], urls[2]] });
  expect([partial.structured.outcome, partial.isError]).toEqual(['partial', false]);
  const failed = await call('ingest_and_wait', { documentIdsToAdd: [urls[0]] });
  expect([failed.structured.outcome, failed.isError]).toEqual(['failed', true]);
  expect(failed.structured.sources[0].error).toBe('HTTP 500');
});

test('a refresh whose old COMPLETED lingers is reported with the new job', async () => {
  const urls = pages(6);
  const { call, sandbox } = await start({ lingerMs: 150 });
  const first = await call('ingest_and_wait', { documentIdsToAdd: urls });
  const before = new Map(sandbox.documents().map(({ id, linkedJobId }) => [id, linkedJobId]));
  const second = await call('ingest_and_wait', {
    documentIdsToAdd: urls.slice(0, 3),
    documentIdsToRefresh: urls.slice(3),
  });
  expect(second.structured.counts).toMatchObject({ submitted: 6, completed: 6 });
  for (const { id } of second.structured.sources) {
    expect(jobOf(sandbox, id)).not.toBe(before.get(id));
  }
  expect(first.structured.sources).toHaveLength(6);
  expect(ingestRequests(sandbox)).toHaveLength(2);
});

test('a refresh is not taken for done by a touch that changes no job', async () => {
  const { call, sandbox } = await start({ lingerMs: 400, workingMs: 30 });
  const [url] = pages(1);
  await call('ingest_and_wait', { documentIdsToAdd: [url] });
  const [old] = sandbox.documents();
  sandbox.script({
    method: 'GET',
    skip: 1,
    times: 3,
    action: {
      kind: 'rewrite',
      rewrite: (answer) =>
        rewriteRecords(answer, { updatedAt: new Date(Date.now() + 1000).toISOString() }),
    },
  });
  const answer = await call('ingest_and_wait', { documentIdsToRefresh: [url] });
  expect(jobOf(sandbox, answer.structured.sources[0].id)).not.toBe(old?.linkedJobId);
});

function rewriteRecords(answer: unknown, fields: object): unknown {
  const record = answer as { documents?: object[] };
  if (record.documents === undefined) return { ...record, ...fields };
  return { ...record, documents: record.documents.map((item) => ({ ...item, ...fields })) };
}

test('the same call made again while its jobs run queues nothing, and marks them joined', async () => {
  const urls = pages(8);
  const { call, sandbox } = await start({ workingMs: 1_500 });
  const input = { documentIdsToAdd: urls };
  const first = call('ingest_and_wait', input);
  await until(() => ingestRequests(sandbox).length === 1);
  const second = await call('ingest_and_wait', input);
  expect(second.structured.counts).toMatchObject({ submitted: 8, completed: 8 });
  expect(second.structured.sources.every((item: { joined: boolean }) => item.joined)).toBe(true);
  expect((await first).structured.counts.completed).toBe(8);
  expect(ingestRequests(sandbox)).toHaveLength(1);
});

test('a cancelled refresh that is called again before its job shows is not queued twice', async () => {
  const urls = pages(5);
  const { call, sandbox } = await start({ lingerMs: 600 });
  await call('ingest_and_wait', { documentIdsToAdd: urls });
  const old = new Map(sandbox.documents().map(({ id, linkedJobId }) => [id, linkedJobId]));
  const cancel = new AbortController();
  const input = { documentIdsToRefresh: urls };
  const given = call('ingest_and_wait', input, { signal: cancel.signal });
  await until(
    () => ingestRequests(sandbox).length === 2 && sandbox.requests.at(-1)?.method === 'GET',
  );
  cancel.abort();
  await expect(given).rejects.toThrow();
  const again = await call('ingest_and_wait', input);
  expect(again.structured.counts).toMatchObject({ submitted: 5, completed: 5 });
  for (const { id, joined } of again.structured.sources) {
    expect(joined).toBe(true);
    expect(jobOf(sandbox, id)).not.toBe(old.get(id));
  }
  expect(ingestRequests(sandbox)).toHaveLength(2);
});

test('two calls at once for overlapping items queue each item once', async () => {
  const urls = pages(6);
  const { call, sandbox } = await start({ workingMs: 1_500 });
  const answers = await Promise.all([
    call('ingest_and_wait', { documentIdsToAdd: urls.slice(0, 4) }),
    call('ingest_and_wait', { documentIdsToAdd: urls.slice(2) }),
    call('ingest_and_wait', { documentIdsToAdd: urls }),
  ]);
  expect(answers.map(({ structured }) => structured.counts.completed)).toEqual([4, 4, 6]);
  const queued = ingestRequests(sandbox).flatMap(
    (body) => (body as { documentIdsToAdd: string[] }).documentIdsToAdd,
  );
  expect(queued.sort()).toEqual(urls);
});

test('a wait that runs out is an answer, and wait_for_sources continues from it', async () => {
  const urls = pages(4);
  const { call, sandbox } = await startWarm({ workingMs: 1500, parallelJobs: 9 });
  const first = await call('ingest_and_wait', { documentIdsToAdd: urls, timeoutSeconds: 1 });
  expect([first.structured.outcome, first.isError]).toEqual(['timed_out', false]);
  const second = await call('wait_for_sources', nextCall(first, 'wait_for_sources'));
  expect(second.structured.counts).toMatchObject({ submitted: 4, completed: 4 });
  expect(ingestRequests(sandbox)).toHaveLength(1);
});

test('wait_for_sources does not take the result of the job before for the new one', async () => {
  const urls = pages(4);
  const { call, sandbox } = await start({ lingerMs: 1300 });
  await call('ingest_and_wait', { documentIdsToAdd: urls });
  const old = new Set(sandbox.documents().map(({ linkedJobId }) => linkedJobId));
  const first = await call('ingest_and_wait', { documentIdsToRefresh: urls, timeoutSeconds: 1 });
  expect(first.structured.counts.unfinished).toBe(4);
  expect(first.structured.sources[0]).toMatchObject({ status: 'unfinished' });
  expect(first.structured.sources[0]).not.toHaveProperty('jobStatus');
  expect(first.structured.sources[0]).not.toHaveProperty('jobId');
  const second = await call('wait_for_sources', nextCall(first, 'wait_for_sources'));
  expect(second.structured.counts.completed).toBe(4);
  for (const { linkedJobId } of sandbox.documents()) expect(old.has(linkedJobId)).toBe(false);
});

test('progress strictly increases, keeps its total, speaks, and reaches the total at the end', async () => {
  const { call } = await start({ workingMs: 200, parallelJobs: 2 });
  const seen: Progress[] = [];
  await call(
    'ingest_and_wait',
    { documentIdsToAdd: pages(12) },
    { onprogress: (one) => seen.push(one) },
  );
  expect(seen.length).toBeGreaterThan(4);
  expect(seen.at(-1)?.message).toMatch(/^12 of 12 done/);
  for (const [index, { progress, total, message }] of seen.entries()) {
    expect(progress).toBeGreaterThan(seen[index - 1]?.progress ?? 0);
    expect(total).toBe(12);
    expect(progress === 12).toBe(index === seen.length - 1);
    expect(message).toMatch(/^(Checking|Queueing|\d+ of 12 done).* \d+ s$/);
  }
});

test('cancelling stops the requests at once, and what is queued stays queued', async () => {
  const { call, sandbox } = await start({ workingMs: 60_000 });
  const cancel = new AbortController();
  const given = call('ingest_and_wait', { documentIdsToAdd: pages(5) }, { signal: cancel.signal });
  await until(() => sandbox.requests.length > 4);
  cancel.abort();
  await expect(given).rejects.toThrow();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const requests = sandbox.requests.length;
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(sandbox.requests).toHaveLength(requests);
  expect(sandbox.documents()).toHaveLength(5);
});

/**
 * Makes a call whose items may be queued already. It must not wait for them to show, and must queue
 * nothing. Once they show, the same call joins them.
 */
async function callUntilShown(
  { call, sandbox }: Pick<Harness, 'call' | 'sandbox'>,
  input: Record<string, unknown>,
  hasShown: () => boolean,
) {
  const requests = sandbox.requests.length;
  const held = await call('ingest_and_wait', input);
  const { length } = unqueuedIn(held);
  expect(held.structured.counts).toMatchObject({ submitted: length, unqueued: length });
  expect(held.structured.message).toMatch(/may already be queued.* in [1-6]?\d s/);
  expect(sandbox.requests.length - requests).toBeLessThanOrEqual(8);
  await until(hasShown);
  return call('ingest_and_wait', input);
}

describe('a queueing request without an answer', () => {
  const patience = { FINI_REQUEST_TIMEOUT_MS: '400' };
  const documentIdsToAdd = pages(3);

  test.each(['timed out', 'cancelled'])(
    'that was %s and arrives late is found by the next call, and not made again',
    async (how) => {
      const { call, sandbox } = await startWarm({}, patience);
      sandbox.script({ method: 'POST', action: { kind: 'hang', carryOut: true, afterMs: 900 } });
      const cancel = new AbortController();
      const first = call('ingest_and_wait', { documentIdsToAdd }, { signal: cancel.signal });
      const ended = first.then(
        ({ text }) => text,
        () => 'cancelled',
      );
      await until(() => ingestRequests(sandbox).length === 1);
      if (how === 'cancelled') cancel.abort();
      expect(await ended).toMatch(/may have been queued|^cancelled$/);
      expect(sandbox.documents()).toHaveLength(0);
      const hasShown = () => sandbox.documents().length === 3;
      const second = await callUntilShown({ call, sandbox }, { documentIdsToAdd }, hasShown);
      expect(second.structured.counts).toMatchObject({ submitted: 3, completed: 3 });
      expect(second.structured.sources[0]).toMatchObject({ joined: true });
      expect(ingestRequests(sandbox)).toHaveLength(1);
      // A source whose job has ended can be ingested again.
      await call('ingest_and_wait', { documentIdsToRefresh: documentIdsToAdd });
      expect(ingestRequests(sandbox)).toHaveLength(2);
    },
  );

  test('that does not show is not made again for a while, which the next call says', async () => {
    const { call, sandbox } = await startWarm({}, patience);
    sandbox.script({ method: 'POST', action: { kind: 'hang' } });
    await call('ingest_and_wait', { documentIdsToAdd });
    const again = await call('ingest_and_wait', { documentIdsToAdd, timeoutSeconds: 1 });
    expect(again.text).toMatch(/may already be queued.* in \d+ s/);
    expect(nextCall(again, 'ingest_and_wait')).toEqual({ documentIdsToAdd });
    for (const item of documentIdsToAdd) expect(again.text).toContain(item);
    expect(ingestRequests(sandbox)).toHaveLength(1);

    // The same call with a new page queues that page.
    const added = 'https://docs.example.com/new';
    const input = { documentIdsToAdd: [...documentIdsToAdd, added], timeoutSeconds: 1 };
    const answer = await call('ingest_and_wait', input);
    expect(answer.structured.counts).toMatchObject({ submitted: 4, unqueued: 3 });
    expect(unqueuedIn(answer).toSorted()).toEqual(documentIdsToAdd);
    expect(ingestRequests(sandbox)[1]).toMatchObject({ documentIdsToAdd: [added] });
  });

  test('that Fini turned away in the end is no doubt: the next call makes it', async () => {
    const { call, sandbox } = await startWarm();
    // The next call waits for this pause too.
    const headers = { 'retry-after': '2' };
    sandbox.script({ method: 'POST', action: { kind: 'status', status: 429, headers } });
    const cancel = new AbortController();
    const first = call('ingest_and_wait', { documentIdsToAdd }, { signal: cancel.signal });
    await until(() => ingestRequests(sandbox).length === 1);
    cancel.abort();
    await expect(first).rejects.toThrow();
    const { structured } = await call('ingest_and_wait', { documentIdsToAdd });
    expect(structured.counts.completed).toBe(3);
    expect(structured.sources[0].joined).toBeUndefined();
  });

  test.each(['ingest_sources', 'refresh_sources'])(
    'of %s on what Fini has is not made again while the old result lingers',
    async (tool) => {
      const { call, sandbox } = await startWarm({ lingerMs: 700 }, patience);
      const { id } = sandbox.addDocument({ originalUrl: documentIdsToAdd[0] });
      sandbox.script({ method: 'POST', action: { kind: 'hang', carryOut: true, afterMs: 600 } });
      const input =
        tool === 'refresh_sources'
          ? { documentIds: [id] }
          : { documentIdsToRefresh: documentIdsToAdd.slice(0, 1) };
      expect((await call(tool, input)).isError).toBe(true);
      const again =
        tool === 'refresh_sources'
          ? { source: 'notion', documentIdsToRefresh: [id] }
          : { documentIdsToRefresh: documentIdsToAdd.slice(0, 1) };
      const old = sandbox.documents()[0]?.linkedJobId;
      const hasShown = () => sandbox.documents()[0]?.linkedJobId !== old;
      const { structured } = await callUntilShown({ call, sandbox }, again, hasShown);
      expect(structured.sources).toMatchObject([{ joined: true }]);
      expect(structured.outcome).toBe('completed');
      expect(sandbox.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
    },
  );

  test('of ingest_sources is looked for by ingest_and_wait too', async () => {
    const { call, sandbox } = await startWarm({}, patience);
    sandbox.script({ method: 'POST', action: { kind: 'hang', carryOut: true, afterMs: 900 } });
    expect((await call('ingest_sources', { documentIdsToAdd })).isError).toBe(true);
    const hasShown = () => sandbox.documents().length === 3;
    const { structured } = await callUntilShown({ call, sandbox }, { documentIdsToAdd }, hasShown);
    expect(structured.counts.completed).toBe(3);
    expect(ingestRequests(sandbox)).toHaveLength(1);
  });
});

test('time that is over in the look before queueing still ends with a report of what is queued', async () => {
  const { call, sandbox } = await startWarm({ workingMs: 60_000 });
  // The answer takes twice as long as the wait: without grace, the same call would fail for ever.
  sandbox.script({ method: 'GET', action: { kind: 'slow', milliseconds: 2_000 } });
  const input = { documentIdsToAdd: pages(3), timeoutSeconds: 1 };
  const { structured } = await call('ingest_and_wait', input);
  expect(structured.outcome).toBe('timed_out');
  expect(structured.counts).toMatchObject({ submitted: 3, unfinished: 3 });
  expect(ingestRequests(sandbox)).toHaveLength(1);
});

test('thousands of pages are joined by a second call without holding up the server', async () => {
  const harness = await startWarm({ workingMs: 600_000 });
  const { call, sandbox } = harness;
  const input = { documentIdsToAdd: pages(3_000), timeoutSeconds: 1 };
  await call('ingest_and_wait', input);
  // Comparing each input with each source would block everyone else for seconds.
  const { result, slowest } = await pingMeanwhile(harness, call('ingest_and_wait', input));
  const { counts } = result.structured;
  // A source is joined once its record shows its URL; until then its input is held.
  expect(counts.submitted).toBe(3_000);
  expect(counts.unfinished + counts.unqueued).toBe(3_000);
  expect(counts.unfinished).toBeGreaterThan(500);
  expect(ingestRequests(sandbox)).toHaveLength(1);
  // The sandbox answers in this process too, with 3,000 records.
  expect(slowest).toBeLessThan(1_000);
});

test('an input repeated in a list is queued and reported once', async () => {
  const { call, sandbox } = await start();
  const urls = [
    'https://docs.example.com/a',
    'https://DOCS.example.com:443/a',
    'https://docs.example.com/a#top',
  ];
  const answer = await call('ingest_and_wait', { documentIdsToAdd: urls });
  expect(answer.structured.counts.submitted).toBe(1);
  expect(sandbox.documents()).toHaveLength(1);
});

test('pages of a site that keeps its paths after "#" are different inputs', async () => {
  const { call } = await start();
  const urls = ['https://docs.example.com/#/a', 'https://docs.example.com/#/b'];
  const answer = await call('ingest_and_wait', { documentIdsToAdd: urls });
  expect(answer.structured.counts).toMatchObject({ submitted: 2, completed: 2 });
});

test('a source that vanishes in the middle is reported as failed, and why', async () => {
  const urls = pages(6);
  const { call } = await start({
    jobs: ({ url }) => (url === urls[2] ? { vanish: true } : undefined),
  });
  const answer = await call('ingest_and_wait', { documentIdsToAdd: urls });
  expect(answer.structured.counts).toMatchObject({ submitted: 6, completed: 5, failed: 1 });
  const [gone] = answer.structured.sources.filter(
    (item: { status: string }) => item.status === 'failed',
  );
  expect(gone.error).toMatch(/no source with this ID/);
});

test('an unknown source ID is reported as failed by wait_for_sources', async () => {
  const { call } = await start();
  const id = '00000000-0000-4000-8000-000000000000';
  const answer = await call('wait_for_sources', { ids: [id] });
  expect(answer.structured.sources).toMatchObject([{ id, status: 'failed' }]);
});

test('hundreds of sources: each is a row in the text and in the structured content, or counted', async () => {
  const urls = pages(300);
  const { call, sandbox } = await start({
    parallelJobs: 100,
    jobs: ({ url }) =>
      url?.endsWith('7') === true ? { status: 'FAILED', error: 'HTTP 404' } : undefined,
  });
  const answer = await call('ingest_and_wait', { documentIdsToAdd: urls });
  expect(answer.structured.counts).toMatchObject({ submitted: 300, completed: 270, failed: 30 });
  const { sources, omitted } = answer.structured;
  const failed = sources.filter(({ status }: Row) => status === 'failed');
  expect(failed).toHaveLength(30);
  // Some completed sources are left out.
  expect(sources.length + (omitted?.sources ?? 0)).toBe(300);
  for (const { originalUrl } of sources) expect(answer.text).toContain(`- ${originalUrl} (`);
  expect(answer.text.length).toBeLessThan(64_000);
  expect(sandbox.requests.length).toBeLessThan(300);
});

test('the same call again while the young records show no URL queues nothing, and joins once they do', async () => {
  const urls = pages(3);
  const { call, sandbox } = await start({ workingMs: 1_500 });
  sandbox.script({
    method: 'GET',
    times: 12,
    action: { kind: 'rewrite', rewrite: (answer) => rewriteRecords(answer, { originalUrl: null }) },
  });
  const first = call('ingest_and_wait', { documentIdsToAdd: urls });
  await until(() => ingestRequests(sandbox).length === 1 && sandbox.requests.length > 3);
  const held = await call('ingest_and_wait', { documentIdsToAdd: urls });
  const { sources, counts } = held.structured;
  expect(counts).toMatchObject({ submitted: 3, unqueued: 3 });
  expect(sources).toMatchObject(
    urls.map((input) => ({ status: 'unqueued', input, hint: 'maybe_queued' })),
  );
  sandbox.clearFaults();
  const second = await call('ingest_and_wait', { documentIdsToAdd: urls });
  expect(second.structured.counts).toMatchObject({ submitted: 3, completed: 3 });
  await first;
  expect(ingestRequests(sandbox)).toHaveLength(1);
});

test('the time-out bounds a call that waits for another one’s queueing, and the queueing itself', async () => {
  const urls = pages(1);
  const { call, sandbox } = await startWarm({}, { FINI_REQUEST_TIMEOUT_MS: '2500' });
  sandbox.script({ method: 'POST', action: { kind: 'hang' } });
  const input = { documentIdsToAdd: urls, timeoutSeconds: 1 };
  const first = call('ingest_and_wait', input);
  await until(() => ingestRequests(sandbox).length === 1);
  let firstHasEnded = false;
  void first.then(() => {
    firstHasEnded = true;
  });
  const second = await call('ingest_and_wait', input);
  expect(firstHasEnded).toBe(false);
  // The other call may have queued the item; no one knows yet.
  expect(second.text).toMatch(/did not confirm the queueing of 1 item.*timed out.*may have been/);
  expect((await first).text).toMatch(/may have been queued/);
});

test('ingest_and_wait joins what ingest_sources has queued, though the old result lingers', async () => {
  const urls = pages(2);
  const { call, sandbox } = await start({ lingerMs: 300 });
  await call('ingest_and_wait', { documentIdsToAdd: urls });
  await call('ingest_sources', { documentIdsToRefresh: urls });
  const { structured } = await call('ingest_and_wait', { documentIdsToRefresh: urls });
  expect(structured.counts).toMatchObject({ submitted: 2, completed: 2 });
  expect(structured.sources.every((item: { joined: boolean }) => item.joined)).toBe(true);
  expect(ingestRequests(sandbox)).toHaveLength(2);
});

test.each(['lost', 'cancelled'])(
  'a refresh whose answer was %s is not queued again while nobody can see it',
  async (how) => {
    const urls = pages(3);
    const { call, sandbox } = await start({ lingerMs: 500 });
    await call('ingest_and_wait', { documentIdsToAdd: urls });
    const before = sandbox.documents().map(({ linkedJobId }) => linkedJobId);
    const isLost = how === 'lost';
    sandbox.script({
      method: 'POST',
      action: isLost ? { kind: 'reset', when: 'after' } : { kind: 'slow', milliseconds: 5_000 },
    });
    const cancel = new AbortController();
    const input = { documentIdsToRefresh: urls };
    const given = call('ingest_and_wait', input, { signal: cancel.signal });
    await until(() => ingestRequests(sandbox).length === 2);
    if (!isLost) cancel.abort();
    await given.catch(() => undefined);
    const old = new Set(before);
    const hasShown = () => sandbox.documents().every(({ linkedJobId }) => !old.has(linkedJobId));
    const again = await callUntilShown({ call, sandbox }, input, hasShown);
    expect(again.structured.counts).toMatchObject({ submitted: 3, completed: 3 });
    expect(again.structured.sources.every((item: { joined: boolean }) => item.joined)).toBe(true);
    expect(ingestRequests(sandbox)).toHaveLength(2);
  },
);

test.each([
  ['look', { documentIdsToRefresh: pages(20) }],
  ['queueing', { documentIdsToAdd: pages(1) }],
])('ingest_sources ends on time, though the %s of a longer call does not', async (_, input) => {
  harness = await startHarness({}, { FINI_REQUEST_TIMEOUT_MS: '60000' }, [], {
    dependencies: { silentCallSeconds: 1 },
  });
  const { call, sandbox } = harness;
  sandbox.script({ method: 'GET', times: 9, action: { kind: 'hang' } });
  const cancel = new AbortController();
  // A call with progress may last longer.
  const options = { signal: cancel.signal, onprogress: () => undefined };
  const longer = { documentIdsToAdd: pages(1), timeoutSeconds: 600 };
  const other = call('ingest_and_wait', longer, options);
  await until(() => sandbox.requests.length > 0);
  const { isError, text } = await call('ingest_sources', input);
  if (isError) expect(text).toMatch(/Another call was still queueing.*Nothing was carried out/);
  expect(ingestRequests(sandbox)).toHaveLength(isError ? 0 : 1);
  cancel.abort();
  await other.catch(() => undefined);
});

describe('the same call again before a new job shows, in a workspace of many sources', () => {
  const MANY = 1_500;

  async function startLarge(changesApartMs: number) {
    const { call, sandbox } = await start({ lingerMs: 15_000 });
    const now = Date.now();
    pages(MANY).forEach((originalUrl, index) => {
      const updatedAt = new Date(now - (MANY - index) * changesApartMs).toISOString();
      sandbox.addDocument({ originalUrl, updatedAt });
    });
    return { call, sandbox };
  }

  test('after a 500: a page that is not on the first of the list is held', async () => {
    const { call, sandbox } = await startLarge(60_000);
    sandbox.script({ method: 'POST', action: { kind: 'status', status: 500 } });
    const input = { documentIdsToAdd: pages(1) };
    expect((await call('ingest_and_wait', input)).isError).toBe(true);
    const answer = await call('ingest_and_wait', input);
    expect(unqueuedIn(answer)).toEqual(pages(1));
    expect(answer.structured.message).toMatch(/may already be queued/);
    expect(ingestRequests(sandbox)).toHaveLength(1);
  });

  test.each([100, 60_000])(
    'pages that no look reaches, with a change every %i ms, are joined or held',
    async (changesApartMs) => {
      const { call, sandbox } = await startLarge(changesApartMs);
      const input = { documentIdsToAdd: pages(30), timeoutSeconds: 1 };
      await call('ingest_and_wait', input);
      const { structured } = await call('ingest_and_wait', input);
      // Until a record shows its URL, no one knows which source belongs to which page.
      const { submitted, unfinished, unqueued } = structured.counts;
      expect([submitted, unfinished + unqueued]).toEqual([30, 30]);
      expect(ingestRequests(sandbox)).toHaveLength(1);
    },
  );
});

describe('where Fini gave fewer IDs than it got pages', () => {
  test.each([[[0, 1, 2]], [[1, 2]]])(
    'and records show no URL yet, pages %j are not queued again',
    async (again) => {
      const urls = pages(3);
      const jobs = ({ url }: { url: string | null }) =>
        url === urls[2] ? ({ drop: true } as const) : { workingMs: 1_500 };
      const { call, sandbox } = await start({ jobs });
      await call('ingest_sources', { documentIdsToAdd: urls });
      const rewrite = (answer: unknown) => rewriteRecords(answer, { originalUrl: null });
      sandbox.script({ method: 'GET', times: 2, action: { kind: 'rewrite', rewrite } });
      const chosen = urls.filter((_, index) => again.includes(index));
      const { structured } = await call('ingest_and_wait', { documentIdsToAdd: chosen });
      expect(structured.counts.submitted).toBe(chosen.length);
      expect(ingestRequests(sandbox)).toHaveLength(1);
    },
  );

  test('and one is another spelling of another, both are joined', async () => {
    const urls = ['https://docs.example.com/a', 'https://docs.example.com/a/'];
    const jobs = ({ url }: { url: string | null }) =>
      url === urls[1] ? ({ drop: true } as const) : { workingMs: 1_500 };
    const { call, sandbox } = await start({ jobs });
    const first = call('ingest_and_wait', { documentIdsToAdd: urls });
    await until(() => sandbox.documents().length === 1);
    const second = await call('ingest_and_wait', { documentIdsToAdd: urls });
    expect((await first).structured.counts).toMatchObject({ submitted: 2, completed: 2 });
    expect(second.structured.counts).toMatchObject({ submitted: 2, completed: 2 });
    expect(ingestRequests(sandbox)).toHaveLength(1);
  });
});

test.each(['answered', 'lost'])(
  'a page is not queued again by its URL after a refresh by its ID, %s',
  async (how) => {
    const [url] = pages(1);
    const { call, sandbox } = await start({ lingerMs: 700 });
    const updatedAt = new Date(Date.now() - 1_000).toISOString();
    const { id, linkedJobId } = sandbox.addDocument({ originalUrl: url, updatedAt });
    const isLost = how === 'lost';
    if (isLost) sandbox.script({ method: 'POST', action: { kind: 'reset', when: 'after' } });
    await call('refresh_sources', { documentIds: [id] });
    const { structured } = await call('ingest_and_wait', { documentIdsToRefresh: [url] });
    expect(ingestRequests(sandbox)).toHaveLength(0);
    if (isLost) expect(structured.sources).toMatchObject([{ status: 'unqueued', input: url }]);
    else expect(structured.sources).toMatchObject([{ id, joined: true, status: 'completed' }]);
    for (const { jobId } of structured.sources) expect(jobId).not.toBe(linkedJobId);
  },
);
