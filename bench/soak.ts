import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { residentMegabytes, startFini, startHttpServer } from './servers.ts';

/* Many HTTP clients come and go again and again: nothing of them must stay in memory. */

const CLIENTS = 200;
const ROUNDS = 10;

/** One row per round: the server's memory, and its ratio to that after the first round. */
export async function soak(): Promise<string[][]> {
  const { child, url, apiKey } = await startFini();
  const server = await startHttpServer({
    ...{ FINI_API_KEY: apiKey, FINI_BASE_URL: url },
    FINI_REQUESTS_PER_MINUTE: '100000',
  });
  const rows: string[][] = [];
  let first = 0;
  for (let round = 1; round <= ROUNDS; round += 1) {
    await Promise.all(Array.from({ length: CLIENTS }, () => comeAndGo(server.url)));
    const megabytes = residentMegabytes(server.pid);
    first ||= megabytes;
    rows.push([`round ${round}`, `${megabytes.toFixed(1)} MB`, (megabytes / first).toFixed(2)]);
  }
  server.stop();
  child.kill();
  return rows;
}

async function comeAndGo(url: string): Promise<void> {
  const client = new Client({ name: 'soak', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(url)));
  await client.listTools();
  await client.callTool({ name: 'list_sources', arguments: { limit: 5 } });
  await client.close();
}
