import { setTimeout as sleep } from 'node:timers/promises';
import { startSandbox } from '../src/sandbox/sandbox-server.ts';
import { StdioServer } from './servers.ts';

/* Effects of Fini's rate limit on people while many waits share a key. */

const WAITS = 12;
const PAGES = 10;
const CALLS_FOR_MS = 75_000;
const CALL_EVERY_MS = 1_500;
/** The longest time in which an answer counts as prompt, in milliseconds. */
const PROMPT_MS = 2_000;
/** The jobs of a wait end one after another, over more than a minute. */
const JOBS = { pendingMs: 5_000, workingMs: 10_000, parallelJobs: 16 };

/** Measures calls beside waits. A row has a label, a figure and a ratio. */
export async function measureLimit(): Promise<string[][]> {
  const sandbox = await startSandbox(JOBS);
  const server = new StdioServer({ FINI_API_KEY: sandbox.apiKey, FINI_BASE_URL: sandbox.url });
  await server.initialize();
  const waits = Array.from({ length: WAITS }, async (_, wait) => {
    const documentIdsToAdd = Array.from(
      { length: PAGES },
      (_, page) => `https://docs.example.com/${wait}/${page}`,
    );
    const input = { documentIdsToAdd, timeoutSeconds: 300 };
    const { structuredContent } = await server.callWithProgress('ingest_and_wait', input);
    return structuredContent.counts.completed === PAGES;
  });
  const took: number[] = [];
  const calls: Promise<void>[] = [];
  const call = async () => {
    const startedAt = performance.now();
    const { isError } = await server.call('list_sources', { limit: 5 });
    took.push(isError ? Number.POSITIVE_INFINITY : performance.now() - startedAt);
  };
  for (let at = 0; at < CALLS_FOR_MS; at += CALL_EVERY_MS) {
    calls.push(call());
    await sleep(CALL_EVERY_MS);
  }
  await Promise.all(calls);
  const completed = (await Promise.all(waits)).filter((isCompleted) => isCompleted).length;
  const refused = sandbox.requests.filter(({ status }) => status === 429).length;
  const prompt = took.filter((milliseconds) => milliseconds <= PROMPT_MS).length;
  const slowest = Math.max(...took);
  server.stop();
  await sandbox.close();
  return [
    ['waits that completed', `${completed} of ${WAITS}`, ''],
    ['requests that Fini refused with 429', `${refused} of ${sandbox.requests.length}`, ''],
    [
      'calls answered within 2 s',
      `${prompt} of ${took.length}`,
      `${(prompt / took.length).toFixed(2)}`,
    ],
    ['the slowest call', `${(slowest / 1000).toFixed(1)} s`, ''],
  ];
}
