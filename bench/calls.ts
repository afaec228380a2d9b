import { Pool } from 'undici';
import { residentMegabytes, StdioServer, startFini } from './servers.ts';
import { median } from './start.ts';

/* Calls of get_source over stdio, compared with the bare request that each one makes. */

const ROUNDS = 11;
const CALLS_PER_ROUND = 200;
/** A smaller number, since each call takes much longer. */
const CALLS_WHEN_DISTANT = 20;
/** The latency of a Fini in another data centre, in milliseconds. */
const DISTANT_FINI_MS = 20;
/** Enough calls to load undici and to compile the hot code. */
const WARMING_CALLS = 1_000;
const CALLS_FOR_MEMORY = 10_000;

/** Measures calls. A row has a label, a figure and a ratio. */
export async function measureCalls(): Promise<string[][]> {
  const loopback = await start();
  const rows = await measureOneByOne(loopback, 'on loopback', CALLS_PER_ROUND);
  const distant = await start(DISTANT_FINI_MS);
  rows.push(...(await measureOneByOne(distant, `${DISTANT_FINI_MS} ms away`, CALLS_WHEN_DISTANT)));
  await distant.stop();
  const { bare, called, environment, id } = loopback;
  for (const concurrency of [1, 32, 256]) {
    const rates: number[] = [];
    const bareRates: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      rates.push((1000 * 2_000) / (await atOnce(concurrency, 2_000, called)));
      bareRates.push((1000 * 2_000) / (await atOnce(concurrency, 2_000, bare)));
    }
    rows.push([
      `calls per second, ${concurrency} at once`,
      median(rates).toFixed(0),
      `${(median(rates) / median(bareRates)).toFixed(2)}× of bare requests`,
    ]);
  }
  rows.push(...(await measureMemory(environment, id)));
  await loopback.stop();
  return rows;
}

interface Sides {
  /** The request that each call makes, without the server in between. */
  readonly bare: () => Promise<unknown>;
  readonly called: () => Promise<unknown>;
  /** A call that does nothing, for the cost of stdio alone. */
  readonly ping: () => Promise<unknown>;
  readonly environment: Record<string, string>;
  /** The source to read. */
  readonly id: string;
  readonly stop: () => Promise<void>;
}

/** Starts a Fini and a server, and warms up both ways to reach it. */
async function start(delayMs = 0): Promise<Sides> {
  const { child, url, apiKey, id } = await startFini(delayMs);
  const environment = {
    ...{ FINI_API_KEY: apiKey, FINI_BASE_URL: url },
    FINI_REQUESTS_PER_MINUTE: '100000',
  };
  const pool = new Pool(url);
  const server = new StdioServer(environment);
  await server.initialize();
  await server.request('tools/list');
  const path = `/v2/documents/public/${id}`;
  const headers = { authorization: `Bearer ${apiKey}` };
  const bare = async () => (await pool.request({ method: 'GET', path, headers })).body.json();
  const called = () => server.call('get_source', { id });
  const ping = () => server.request('ping');
  for (const ask of [bare, called, ping]) await atOnce(8, WARMING_CALLS, ask);
  const stop = async () => {
    server.stop();
    await pool.destroy();
    child.kill();
  };
  return { bare, called, ping, environment, id, stop };
}

/** Times calls one after another, in rounds that alternate with rounds of the bare request. */
async function measureOneByOne(
  { bare, called, ping }: Sides,
  where: string,
  calls: number,
): Promise<string[][]> {
  const times: Record<'bare' | 'called' | 'ping', number[]> = { bare: [], called: [], ping: [] };
  for (let round = 0; round < ROUNDS; round += 1) {
    times.bare.push((await atOnce(1, calls, bare)) / calls);
    times.called.push((await atOnce(1, calls, called)) / calls);
    times.ping.push((await atOnce(1, calls, ping)) / calls);
  }
  const bareTime = median(times.bare);
  const row = (what: string, time: number) => [
    `get_source, Fini ${where}: ${what}`,
    `${time.toFixed(2)} ms`,
    `${(time / bareTime).toFixed(2)}×`,
  ];
  return [
    row('the bare undici request', bareTime),
    row('that plus a ping over stdio (the minimum)', bareTime + median(times.ping)),
    row('over stdio', median(times.called)),
  ];
}

/** Measures memory in a separate server, which gets only these calls. */
async function measureMemory(environment: Record<string, string>, id: string): Promise<string[][]> {
  const server = new StdioServer(environment);
  const memory = () => residentMegabytes(server.process.pid ?? 0);
  await server.initialize();
  await server.request('tools/list');
  const start = memory();
  const called = () => server.call('get_source', { id });
  // Memory varies by a fifth between garbage collections, so one sample says little.
  const settled = async () => {
    const samples: number[] = [];
    for (let sample = 0; sample < ROUNDS; sample += 1) {
      await atOnce(8, WARMING_CALLS, called);
      samples.push(memory());
    }
    return median(samples);
  };
  const warm = await settled();
  await atOnce(8, CALLS_FOR_MEMORY, called);
  const end = await settled();
  server.stop();
  const calls = (count: number) => count.toLocaleString('en-US');
  return [
    ['memory after tools/list', `${start.toFixed(1)} MB`, ''],
    [`memory after ${calls(ROUNDS * WARMING_CALLS)} calls`, `${warm.toFixed(1)} MB`, '1.00×'],
    [
      `memory after ${calls(CALLS_FOR_MEMORY)} more calls`,
      `${end.toFixed(1)} MB`,
      `${(end / warm).toFixed(2)}×`,
    ],
  ];
}

/** Milliseconds for this many calls, with `concurrency` of them at once. */
async function atOnce(
  concurrency: number,
  calls: number,
  call: () => Promise<unknown>,
): Promise<number> {
  let left = calls;
  const startedAt = performance.now();
  const work = async () => {
    while (left > 0) {
      left -= 1;
      await call();
    }
  };
  await Promise.all(Array.from({ length: concurrency }, work));
  return performance.now() - startedAt;
}
