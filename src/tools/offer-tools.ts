import type { Server, ServerContext } from '@modelcontextprotocol/server';
import { explaining } from '../protocol-error.ts';
import { showsPages } from '../resources/page-clients.ts';
import { withPage } from '../resources/report-page.ts';
import { answerCall, errorResult } from './call.ts';
import { offerLog } from './client-log.ts';
import { findTool } from './find-tool.ts';
import { listedNames } from './index.ts';
import type { ServerKind, ToolDependencies } from './tool.ts';

/** Offers the tools that a server of this kind has, and MCP's log, in which they tell what happens. */
export function offerTools(server: Server, dependencies: ToolDependencies, kind: ServerKind): void {
  const connection = { server, kind, dependencies, log: offerLog(server) };
  const explained = explaining(dependencies, kind);
  const listTools = explained(async (_request: unknown, context: ServerContext) => {
    // The SDK would convert every schema again for each client that asks.
    const { listing, readOnlyListing } = await import('./listing.ts');
    const names = listedNames(kind);
    const reading = new Map(readOnlyListing.map((tool) => [tool.name, tool]));
    // What only reads is described by what else there is.
    const tools = listing
      .filter(({ name }) => names.has(name))
      .map((tool) => (names.has('ingest_and_wait') ? tool : (reading.get(tool.name) ?? tool)));
    return { tools: showsPages(server, context) ? tools.map(withPage) : tools };
  });
  server.setRequestHandler('tools/list', listTools);
  server.setRequestHandler('tools/call', ({ params }, extra) => {
    const tool = findTool(params.name, kind);
    return typeof tool === 'string'
      ? errorResult({ message: tool, nextCalls: [] })
      : answerCall(tool, params.arguments, extra, connection);
  });
}
