import { readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { CLI, StdioServer } from './servers.ts';

/* Sizes of what a model receives, in bytes, and in tokens at four bytes each; and of the build. */

/** Measures sizes. A row has a label, bytes and tokens. */
export async function measureSizes(): Promise<string[][]> {
  const server = new StdioServer({ FINI_POLL_INTERVAL_MS: '100' }, ['--sandbox']);
  await server.initialize();
  const list = await server.request('tools/list');
  // Without the output schemas, which are for clients.
  const given = list.tools.map((tool: Record<string, unknown>) => ({
    name: tool.name,
    description: tool.description,
    inputSchema: tool.inputSchema,
  }));
  const rows = [
    row(`tools/list, ${list.tools.length} tools`, list),
    row('the part of it that a model is given', given),
  ];
  const crawl = await server.call('deep_crawl_links', { links: ['https://help.larkspur.example'] });
  const urls = crawl.structuredContent.urls;
  const site = { links: ['https://help.larkspur.example'], dryRun: true };
  rows.push(row('ingest_site, a dry run of the same', await server.call('ingest_site', site)));
  const all = { provider: 'zendesk', all: true, dryRun: true };
  rows.push(
    row(
      'import_provider_resources, a dry run',
      await server.call('import_provider_resources', all),
    ),
  );
  rows.push(row(`deep_crawl_links, ${urls.length} pages`, crawl));
  const provider = 'zendesk';
  const resources = await server.call('list_provider_resources', { provider });
  rows.push(row(`list_provider_resources, ${resources.structuredContent.total} items`, resources));
  const registered = await server.call('register_provider_resources', {
    provider,
    resources: resources.structuredContent.resources,
  });
  rows.push(row('register_provider_resources, the same', registered));
  const documentIdsToAdd = registered.structuredContent.sources.map(({ id }: { id: string }) => id);
  rows.push(
    row(
      'ingest_sources, the same',
      await server.call('ingest_sources', { source: provider, documentIdsToAdd }),
    ),
  );
  const report = await server.call('ingest_and_wait', { documentIdsToAdd: urls });
  rows.push(row(`ingest_and_wait, ${urls.length} pages`, report));
  rows.push(
    row(
      `wait_for_sources, ${documentIdsToAdd.length} sources`,
      await server.call('wait_for_sources', { ids: documentIdsToAdd }),
    ),
  );
  const listed = await server.call('list_sources');
  rows.push(row(`list_sources, the first ${listed.structuredContent.sources.length}`, listed));
  rows.push(
    row(
      'get_source',
      await server.call('get_source', { id: report.structuredContent.sources[0].id }),
    ),
  );
  server.stop();
  rows.push(['the build, with its source maps', bytesText(buildBytes()), '']);
  return rows;
}

function buildBytes(): number {
  const root = dirname(CLI);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(root, name)))
    .reduce((sum, one) => sum + (one.isFile() ? one.size : 0), 0);
}

function bytesText(bytes: number): string {
  return `${bytes.toLocaleString('en-US')} bytes`;
}

function row(what: string, result: unknown): string[] {
  const bytes = Buffer.byteLength(JSON.stringify(result));
  return [what, bytesText(bytes), `≈ ${Math.ceil(bytes / 4).toLocaleString('en-US')} tokens`];
}
