import { startSandbox } from '../src/sandbox/sandbox-server.ts';
import { StdioServer } from './servers.ts';

/* Number of requests a wait makes, and how late it notices that its jobs ended. */

const POLL_INTERVAL_MS = 100;
/** A job takes 20 polling intervals, like 20 s at the default of 1 s. */
const JOBS = { pendingMs: 500, workingMs: 1_500, parallelJobs: 5_000 };
/** No limit, so that polling alone decides how many requests there are. */
const NO_LIMIT = { requestsPerMinute: Number.POSITIVE_INFINITY };

interface Measured {
  /** Requests that read from Fini. */
  readonly polls: number;
  /** Milliseconds from the end of a wait's last job to its answer; the largest of all waits. */
  readonly overshootMs: number;
  /** The longest pause between two polls: pauses grow while nothing changes. */
  readonly longestPauseMs: number;
}

async function measure(waits: number, sources: number): Promise<Measured> {
  const sandbox = await startSandbox({ ...JOBS, ...NO_LIMIT });
  const server = new StdioServer({
    FINI_API_KEY: sandbox.apiKey,
    FINI_BASE_URL: sandbox.url,
    FINI_POLL_INTERVAL_MS: String(POLL_INTERVAL_MS),
    FINI_REQUESTS_PER_MINUTE: '100000',
  });
  await server.initialize();
  let overshootMs = 0;
  const oneWait = async (wait: number) => {
    const documentIdsToAdd = Array.from(
      { length: sources },
      (_, page) => `https://docs.example.com/${wait}/${page}`,
    );
    const answer = await server.call('ingest_and_wait', { documentIdsToAdd, timeoutSeconds: 600 });
    const answeredAt = Date.now();
    const { counts } = answer.structuredContent;
    if (counts.completed !== sources) throw new Error(JSON.stringify(counts));
    const ends = sandbox
      .documents()
      .filter(({ originalUrl }) => originalUrl?.startsWith(`https://docs.example.com/${wait}/`))
      .map(({ updatedAt }) => Date.parse(updatedAt));
    overshootMs = Math.max(overshootMs, answeredAt - Math.max(...ends));
  };
  await Promise.all(Array.from({ length: waits }, (_, wait) => oneWait(wait)));
  const polls = sandbox.requests.filter(({ method }) => method === 'GET').map(({ at }) => at);
  const pauses = polls.map((at, index) => at - (polls[index - 1] ?? at));
  server.stop();
  await sandbox.close();
  return { polls: polls.length, overshootMs, longestPauseMs: Math.max(...pauses) };
}

/** Measures waits. A row has a label, a figure and a ratio. */
export async function measureWaits(): Promise<string[][]> {
  const rows: string[][] = [];
  const late = ({ overshootMs, longestPauseMs }: Measured) =>
    `${(overshootMs / longestPauseMs).toFixed(2)} of the longest pause late`;
  for (const sources of [1, 10, 100, 1_000, 5_000]) {
    const measured = await measure(1, sources);
    const { polls } = measured;
    const ratio = `${(polls / sources).toFixed(2)} per source, ${late(measured)}`;
    rows.push([
      `polls for ${sources.toLocaleString('en-US')} ${sources === 1 ? 'source' : 'sources'}`,
      String(polls),
      ratio,
    ]);
  }
  const two = await measure(2, 50);
  const twenty = await measure(20, 50);
  rows.push(
    ['polls for 2 waits of 50 at once', String(two.polls), late(two)],
    [
      'polls for 20 waits of 50 at once',
      String(twenty.polls),
      `${(twenty.polls / two.polls).toFixed(2)}× of 2 waits, ${late(twenty)}`,
    ],
  );
  return rows;
}
