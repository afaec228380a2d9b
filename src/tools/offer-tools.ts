import type { Server } from '@modelcontextprotocol/server';
import { explaining } from '../protocol-error.ts';
import { answerCall, errorResult } from './call.ts';
import { offerLog } from './client-log.ts';
import { findTool } from './find-tool.ts';
import { toolsFor } from './index.ts';
import type { ServerKind, ToolDependencies } from './tool.ts';

/** Offers the tools that a server of this kind has, and MCP's log, in which they tell what happens. */
export function offerTools(server: Server, dependencies: ToolDependencies, kind: ServerKind): void {
  const connection = { server, kind, dependencies, log: offerLog(server) };
  const explained = explaining(dependencies, kind);
  const listTools = explained(async () => {
    // The SDK would convert every schema again for each client that asks.
    const { listing, readOnlyListing } = await import('./listing.ts');
    const names = new Set(toolsFor(kind).map(({ name }) => name));
    const listed = listing.filter(({ name }) => names.has(name));
    if (names.has('ingest_and_wait')) return { tools: listed };
    const reading = new Map(readOnlyListing.map((tool) => [tool.name, tool]));
    return { tools: listed.map((tool) => reading.get(tool.name) ?? tool) };
  });
  server.setRequestHandler('tools/list', listTools);
  server.setRequestHandler('tools/call', ({ params }, extra) => {
    const tool = findTool(params.name, kind);
    return typeof tool === 'string'
      ? errorResult(tool)
      : answerCall(tool, params.arguments, extra, connection);
  });
}
