import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, type Harness, Stops, startProcess } from './harness.ts';
import type { FaultAction } from './scripted-sandbox.ts';

/*
 * One fault of each kind, end to end with the built server: it reports the fault, logs nothing and
 * keeps serving. The full texts are in tools/errors.test.ts.
 */

const stops = new Stops();
let patient: Harness;
let hasty: Harness;
let brief: Harness;
beforeAll(async () => {
  patient = stops.use(await startProcess());
  hasty = stops.use(await startProcess({}, { FINI_REQUEST_TIMEOUT_MS: '1000' }));
  // The rate limit ends only after the call's time.
  brief = stops.use(await startProcess({}, { FINI_WAIT_TIMEOUT_SECONDS: '1' }));
});
afterAll(() => stops.run());

test.each<[kind: string, action: FaultAction, says: RegExp]>([
  ['a refused input', { kind: 'status', status: 400 }, /HTTP 400/],
  ['a refused key', { kind: 'status', status: 401 }, /HTTP 401/],
  ['a missing scope', { kind: 'status', status: 403 }, /HTTP 403/],
  ['a wrong address', { kind: 'status', status: 404 }, /HTTP 404/],
  ['a rate limit', { kind: 'status', status: 429, headers: { 'retry-after': '1' } }, /HTTP 429/],
  ['a fault of Fini', { kind: 'status', status: 500 }, /HTTP 500/],
  ['no answer', { kind: 'hang' }, /did not finish/],
  ['an answer that is cut off', { kind: 'cut' }, /could not be read/],
  ['a login page', { kind: 'html' }, /login page/],
  ['too large an answer', { kind: 'big', bytes: 21 * 1024 * 1024 }, /too large/],
  ['a redirect', { kind: 'redirect', location: 'https://elsewhere.example/' }, /redirected/],
  ['a reset', { kind: 'reset', when: 'after' }, /connection broke/],
])('%s', async (_kind, action, says) => {
  // Only a fault that hangs gets a short timeout, so that a slow machine does not look like one.
  const isLimit = action.kind === 'status' && action.status === 429;
  const { call, sandbox, stderr } = isLimit ? brief : action.kind === 'hang' ? hasty : patient;
  sandbox.script({ times: Number.POSITIVE_INFINITY, action });
  const { isError, text } = await call('deep_crawl_links', { links: ['https://help.example/'] });
  sandbox.clearFaults();
  expect(isError, text).toBe(true);
  expect(text).toMatch(says);
  expect(stderr()).toBe('');
  await eventually(async () => expect((await call('list_sources')).isError).toBe(false));
});
