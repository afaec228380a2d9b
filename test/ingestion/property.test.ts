import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFiniClient } from '../../src/fini/client.ts';
import { Connections } from '../../src/fini/connections.ts';
import { createHttp, type Http } from '../../src/fini/http.ts';
import { Ingestion } from '../../src/ingestion/ingestion.ts';
import type { Report } from '../../src/ingestion/report.ts';
import { type Fault, type Sandbox, startSandbox } from '../../src/sandbox/server.ts';
import { ProgressReporter, type ProgressUpdate } from '../../src/tools/progress.ts';
import { eventually } from '../harness.ts';

/*
 * Random schedules of faults, delays, batch sizes and endings, over real HTTP. The promises under
 * "Requests to Fini" and "The report of a wait" must hold in every one of them.
 */

const RUNS = 300;
const LIST_OR_GET = /^\/v2\/documents\/public[?/]/;

const ending = fc.oneof(
  { weight: 6, arbitrary: fc.constant('COMPLETED') },
  { weight: 2, arbitrary: fc.constant('FAILED') },
  { weight: 1, arbitrary: fc.constantFrom('EMPTY', 'ODD', 'DROPPED', 'VANISHES', 'NEVER') },
);
const item = fc.record({
  ending,
  pendingMs: fc.integer({ min: 0, max: 20 }),
  workingMs: fc.integer({ min: 0, max: 20 }),
  /** The page was ingested before, so its old result lingers. */
  known: fc.boolean(),
});
const action: fc.Arbitrary<Fault['action']> = fc.oneof(
  fc.constantFrom(429, 500, 502, 503).map((status) => ({
    kind: 'status' as const,
    status,
    headers: { 'retry-after': '0' },
  })),
  fc.constantFrom(200, 502).map((status) => ({ kind: 'html' as const, status })),
  fc.constant({ kind: 'cut' as const }),
  fc.constant({ kind: 'drip' as const, everyMs: 5 }),
  fc.constant({ kind: 'hang' as const }),
  fc
    .integer({ min: 0, max: 60 })
    .map((afterMs) => ({ kind: 'hang' as const, carryOut: true, afterMs })),
  fc
    .constantFrom('before' as const, 'after' as const)
    .map((when) => ({ kind: 'reset' as const, when })),
  fc.constant({ kind: 'slow' as const, milliseconds: 10 }),
  fc.constant({ kind: 'redirect' as const, location: 'http://127.0.0.1:1/' }),
  fc.constant({ kind: 'rewrite' as const, rewrite: () => null }),
  fc.constant({ kind: 'rewrite' as const, rewrite: () => ({ documents: null }) }),
  fc
    .constantFrom('made-up' as const, 'repeated' as const)
    .map((pages) => ({ kind: 'endlessPaging' as const, pages })),
);
const fault = fc.record({
  method: fc.constantFrom('GET', 'GET', 'GET', 'POST'),
  skip: fc.integer({ min: 0, max: 6 }),
  times: fc.integer({ min: 1, max: 3 }),
  action,
});
const schedule = fc.record({
  items: fc.array(item, { minLength: 1, maxLength: 12 }),
  backgroundSources: fc.constantFrom(0, 0, 60),
  faults: fc.array(fault, { maxLength: 4 }),
  timeoutMs: fc.integer({ min: 30, max: 250 }),
  cancelAfterMs: fc.option(fc.integer({ min: 0, max: 80 }), { freq: 5 }),
});
type Schedule = typeof schedule extends fc.Arbitrary<infer Value> ? Value : never;

async function prepare(given: Schedule): Promise<{ sandbox: Sandbox; urls: string[] }> {
  const urls = given.items.map((_, index) => `https://docs.example.com/${index}`);
  const scripts = new Map(urls.map((url, index) => [url, given.items[index]]));
  const sandbox = await startSandbox({
    lingerMs: 15,
    parallelJobs: 100,
    jobs: ({ url }) => {
      const script = scripts.get(url ?? '');
      if (script === undefined) return undefined;
      const { pendingMs, workingMs } = script;
      switch (script.ending) {
        case 'FAILED':
          return { pendingMs, workingMs, status: 'FAILED', error: 'Blocked by robots.txt' };
        case 'EMPTY':
          return { pendingMs, workingMs, success: false };
        case 'ODD':
          return { pendingMs, workingMs, status: 'PAUSED' };
        case 'DROPPED':
          return { drop: true };
        case 'VANISHES':
          return { pendingMs, workingMs, vanish: true };
        case 'NEVER':
          return { pendingMs, never: true };
        default:
          return { pendingMs, workingMs };
      }
    },
  });
  for (let index = 0; index < given.backgroundSources; index += 1) sandbox.addDocument({});
  given.items.forEach(({ known, ending: end }, index) => {
    const originalUrl = urls[index] ?? '';
    if (!known || end === 'DROPPED') return;
    const age = index % 2 === 0 ? 3_600_000 : 10 + index;
    const updatedAt = new Date(Date.now() - age).toISOString();
    const done = {
      updatedAt,
      createdAt: updatedAt,
      linkedJobStatus: 'COMPLETED',
      success: true,
      linkedJobId: `old-${index}`,
    };
    sandbox.addDocument({ source: 'web', originalUrl, externalId: originalUrl, ...done });
  });
  for (const one of given.faults) {
    // Queueing is the POST; every other request of a wait reads.
    sandbox.script({ ...one, ...(one.method === 'POST' ? { skip: 0 } : { path: LIST_OR_GET }) });
  }
  return { sandbox, urls };
}

function expectTrueAccount(report: Report, urls: readonly string[], sandbox: Sandbox): void {
  const { sources, unqueued, counts } = report;
  const records = new Map(sandbox.documents().map((document) => [document.id, document]));
  expect(sources.length + unqueued.length).toBe(urls.length);
  expect(new Set(sources.map(({ id }) => id)).size).toBe(sources.length);
  expect(counts.submitted).toBe(
    counts.completed + counts.failed + counts.unfinished + counts.unqueued,
  );
  expect(counts.submitted).toBe(urls.length);
  // Which input went unqueued is a guess, and called one, while a source has not shown its URL.
  const named = sources.flatMap(({ id, document }) => {
    if (report.unqueuedIsGuess) return document?.originalUrl ?? [];
    return records.get(id)?.originalUrl ?? document?.originalUrl ?? [];
  });
  expect(new Set([...named, ...unqueued]).size).toBe(named.length + unqueued.length);
  for (const { id, state, document, gone } of sources) {
    const record = records.get(id);
    if (state === 'unfinished') continue;
    if (gone) expect(record).toBeUndefined();
    else {
      // What the report says of a job is what Fini says of that very job, and never of an old one.
      expect(document?.linkedJobId).toBe(record?.linkedJobId);
      expect(document?.linkedJobId).not.toMatch(/^old/);
      expect(state).toBe(record?.success === true ? 'completed' : 'failed');
    }
  }
}

test(`in ${RUNS} random schedules nothing is lost and nothing is queued twice`, {
  timeout: 100_000,
}, async () => {
  const outcomes = new Map<string, number>();
  const property = fc.asyncProperty(schedule, async (given) => {
    const { sandbox, urls } = await prepare(given);
    const timersBefore = countTimers();
    const connections = new Connections(sandbox.url);
    const http = createHttp({
      connections,
      baseUrl: sandbox.url,
      apiKey: sandbox.apiKey,
      requestTimeoutMs: 40,
      retryDelayMs: 1,
    });
    let calls = 0;
    const counted: Http = (one) => {
      calls += 1;
      return http(one);
    };
    const ingestion = new Ingestion(createFiniClient(counted), 3);
    const updates: ProgressUpdate[] = [];
    const progress = new ProgressReporter((update) => updates.push(update));
    const cancel = new AbortController();
    const timer =
      given.cancelAfterMs === null
        ? undefined
        : setTimeout(() => cancel.abort(), given.cancelAfterMs);
    const request = {
      source: 'web' as const,
      documentIdsToAdd: urls,
      documentIdsToRefresh: [],
      english: true,
      baser: false,
    };
    let outcome: string;
    try {
      const report = await ingestion.ingestAndWait(request, {
        timeoutSeconds: given.timeoutMs / 1000,
        startedAt: performance.now(),
        signal: cancel.signal,
        onProgress: (state) => progress.update(state),
      });
      progress.end(report.counts.unfinished === 0);
      expectTrueAccount(report, urls, sandbox);
      outcome = report.outcome;
    } catch (error) {
      if (!(error instanceof Error) || !('stage' in error || error.name === 'AbortError'))
        throw error;
      outcome = 'stage' in error ? String(error.stage) : 'cancelled';
      if (outcome === 'not_queued') expect(arrivedIngests(sandbox)).toBe(0);
    } finally {
      progress.end(false);
      clearTimeout(timer);
    }
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    expect(arrivedIngests(sandbox)).toBeLessThanOrEqual(1);

    // What may have been queued is not queued by the same call again, unless Fini was done with it.
    if (outcome === 'maybe_queued' && !hasFailedQueueing(sandbox)) {
      const again = {
        timeoutSeconds: 0.06,
        startedAt: performance.now(),
        signal: new AbortController().signal,
        onProgress: () => undefined,
      };
      await ingestion.ingestAndWait(request, again).then(
        (report) => expectTrueAccount(report, urls, sandbox),
        (error) => expect(error).toHaveProperty('stage'),
      );
      expect(arrivedIngests(sandbox)).toBe(1);
      outcomes.set('again', (outcomes.get('again') ?? 0) + 1);
    }
    for (const [index, update] of updates.entries()) {
      expect(update.progress).toBeGreaterThan(updates[index - 1]?.progress ?? 0);
      expect(update.progress).toBeLessThanOrEqual(update.total ?? Number.NaN);
    }
    const asked = calls;
    await new Promise((resolve) => setTimeout(resolve, 12));
    expect(calls).toBe(asked);
    // Turns of the event loop, and no timers, so that the waiting is not counted itself.
    for (let turn = 0; turn < 2_000 && countTimers() > timersBefore; turn += 1)
      await setImmediate();
    expect(countTimers()).toBeLessThanOrEqual(timersBefore);
    await connections.destroy();
    await eventually(() => expect(sandbox.connections()).toBe(0));
    await sandbox.close();
  });
  await fc.assert(property, { numRuns: RUNS });
  // A property that never met these has shown nothing.
  for (const seen of ['completed', 'partial', 'timed_out', 'maybe_queued', 'again', 'cancelled']) {
    expect(outcomes.get(seen) ?? 0, `${seen} in ${JSON.stringify([...outcomes])}`).toBeGreaterThan(
      0,
    );
  }
});

/** Fini itself said that it failed, so that nothing of the request comes later. */
function hasFailedQueueing(sandbox: Sandbox): boolean {
  return sandbox.requests.some(
    ({ method, fault: met }) => method === 'POST' && met?.kind === 'status' && met.status === 500,
  );
}

/** Requests that may have queued: those that Fini turned away with 429 have not. */
function arrivedIngests(sandbox: Sandbox): number {
  return sandbox.requests.filter(
    ({ method, fault: met }) =>
      method === 'POST' && !(met?.kind === 'status' && met.status === 429),
  ).length;
}

function countTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}
