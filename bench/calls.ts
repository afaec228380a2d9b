import { Pool } from 'undici';
import { residentMegabytes, StdioServer, startFini } from './servers.ts';
import { median } from './start.ts';

/* Calls of get_source over stdio, beside the bare request that each one makes. */

const ROUNDS = 11;
const CALLS_PER_ROUND = 200;
const CALLS_FOR_MEMORY = 10_000;

/** Rows: what, a figure, a ratio. */
export async function measureCalls(): Promise<string[][]> {
  const { child, url, apiKey, id } = await startFini();
  const pool = new Pool(url);
  const server = new StdioServer({ FINI_API_KEY: apiKey, FINI_BASE_URL: url });
  await server.initialize();
  await server.request('tools/list');
  const start = residentMegabytes(server.process.pid ?? 0);

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
  const warm = residentMegabytes(server.process.pid ?? 0);
  for (let done = 0; done < CALLS_FOR_MEMORY; done += 1_000) {
    await atOnce(8, 1_000, called);
  }
  const end = residentMegabytes(server.process.pid ?? 0);
  rows.push(
    ['memory after tools/list', `${start.toFixed(1)} MB`, ''],
    [
      `memory after ${CALLS_FOR_MEMORY.toLocaleString('en-US')} further calls`,
      `${end.toFixed(1)} MB`,
      `${(end / warm).toFixed(2)}× of before them`,
    ],
  );
  server.stop();
  await pool.destroy();
  child.kill();
  return rows;
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
