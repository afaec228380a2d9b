import { setImmediate } from 'node:timers/promises';
import type { Server, ServerContext } from '@modelcontextprotocol/server';
import { answerCall, errorResult } from '../tools/call.ts';
import { offerLog } from '../tools/client-log.ts';
import { findTool } from '../tools/find-tool.ts';
import { listedNames } from '../tools/index.ts';
import type { ServerKind, ToolDependencies } from '../tools/tool.ts';
import { showsPages } from './page-clients.ts';
import { explaining } from './protocol-error.ts';
import { withPage } from './report-page.ts';

/** Offers the tools that a server of this kind has, and MCP's log, in which they tell what happens. */
export function offerTools(server: Server, dependencies: ToolDependencies, kind: ServerKind): void {
  const connection = { server, kind, dependencies, log: offerLog(server) };
  const explained = explaining(dependencies, kind);
  const listTools = explained(async (_request: unknown, context: ServerContext) => {
    // The SDK would convert every schema again for each client that asks.
    const { listing, readOnlyListing } = await import('../tools/listing.ts');
    const names = listedNames(kind);
    const reading = new Map(readOnlyListing.map((tool) => [tool.name, tool]));
    // Readers are described by the tools that there are.
    const tools = listing
      .filter(({ name }) => names.has(name))
      .map((tool) => (names.has('ingest_and_wait') ? tool : (reading.get(tool.name) ?? tool)));
    return { tools: showsPages(server, context) === false ? tools : tools.map(withPage) };
  });
  server.setRequestHandler('tools/list', listTools);
  let turn: Promise<void> = Promise.resolve();
  server.setRequestHandler('tools/call', async ({ params }, extra) => {
    // The calls of a batch are read one in each turn of the event loop, so that others are heard between.
    turn = turn.then(() => setImmediate());
    await turn;
    const tool = findTool(params.name, kind);
    return typeof tool === 'string'
      ? errorResult({ message: tool, nextCalls: [] })
      : answerCall(tool, params.arguments, extra, connection);
  });
}
