import { Pool } from 'undici';
import { residentMegabytes, StdioServer, startFini } from './servers.ts';
import { median } from './start.ts';

/* Calls of get_source over stdio, beside the bare request that each one makes. */

const ROUNDS = 11;
const CALLS_PER_ROUND = 200;
/** By then undici is loaded and what is called often is compiled. */
const WARMING_CALLS = 1_000;
const CALLS_FOR_MEMORY = 10_000;

/** Rows: what, a figure, a ratio. */
export async function measureCalls(): Promise<string[][]> {
  const { child, url, apiKey, id } = await startFini();
  const pool = new Pool(url);
  const server = new StdioServer({ FINI_API_KEY: apiKey, FINI_BASE_URL: url });
  await server.initialize();
  await server.request('tools/list');

  const path = `/v2/documents/public/${id}`;
  const headers = { authorization: `Bearer ${apiKey}` };
  const bare = async () => (await pool.request({ method: 'GET', path, headers })).body.json();
  const called = () => server.call('get_source', { id });
  await atOnce(1, CALLS_PER_ROUND, bare);
  await atOnce(1, CALLS_PER_ROUND, called);

  const bareTimes: number[] = [];
  const callTimes: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    bareTimes.push(await atOnce(1, CALLS_PER_ROUND, bare));
    callTimes.push(await atOnce(1, CALLS_PER_ROUND, called));
  }
  const rows = [
    ['get_source: the bare undici request', `${perCall(median(bareTimes))} ms`, '1.00×'],
    [
      'get_source over stdio',
      `${perCall(median(callTimes))} ms`,
      `${(median(callTimes) / median(bareTimes)).toFixed(2)}×`,
    ],
  ];
  for (const concurrency of [1, 32, 256]) {
    const rates: number[] = [];
    const bareRates: number[] = [];
    for (let round = 0; round < 5; round += 1) {
      rates.push((1000 * 2_000) / (await atOnce(concurrency, 2_000, called)));
      bareRates.push((1000 * 2_000) / (await atOnce(concurrency, 2_000, bare)));
    }
    rows.push([
      `calls a second, ${concurrency} at once`,
      median(rates).toFixed(0),
      `${(median(rates) / median(bareRates)).toFixed(2)}× of bare requests`,
    ]);
  }
  rows.push(...(await measureMemory({ FINI_API_KEY: apiKey, FINI_BASE_URL: url }, id)));
  server.stop();
  await pool.destroy();
  child.kill();
  return rows;
}

/** A server of its own, so that nothing but these calls has been asked of it. */
async function measureMemory(environment: Record<string, string>, id: string): Promise<string[][]> {
  const server = new StdioServer(environment);
  const memory = () => residentMegabytes(server.process.pid ?? 0);
  await server.initialize();
  await server.request('tools/list');
  const start = memory();
  const called = () => server.call('get_source', { id });
  await atOnce(8, WARMING_CALLS, called);
  const warm = memory();
  await atOnce(8, CALLS_FOR_MEMORY, called);
  const end = memory();
  server.stop();
  const calls = (count: number) => count.toLocaleString('en-US');
  return [
    ['memory after tools/list', `${start.toFixed(1)} MB`, ''],
    [`memory after ${calls(WARMING_CALLS)} calls`, `${warm.toFixed(1)} MB`, '1.00×'],
    [
      `memory after ${calls(CALLS_FOR_MEMORY)} further calls`,
      `${end.toFixed(1)} MB`,
      `${(end / warm).toFixed(2)}×`,
    ],
  ];
}

/** Milliseconds that so many calls take, so many of them at once. */
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

function perCall(milliseconds: number): string {
  return (milliseconds / CALLS_PER_ROUND).toFixed(2);
}
