import { setImmediate } from 'node:timers/promises';
import type { Server } from '@modelcontextprotocol/server';
import { offerLog } from '../tools/client-log.ts';
import { listedNames } from '../tools/listed-tools.ts';
import type { ServerKind, ToolDependencies } from '../tools/tool.ts';
import { loadCalls, loadListing } from './lazy-modules.ts';
import { explaining } from './protocol-error.ts';
import { withPage } from './report-page.ts';

/** Offers the tools that a server of this kind has, and MCP's log, in which they tell what happens. */
export function offerTools(server: Server, dependencies: ToolDependencies, kind: ServerKind): void {
  const connection = { server, kind, dependencies, log: offerLog(server) };
  const explained = explaining(dependencies, kind);
  const listTools = explained(async () => {
    preloadCalls();
    // The SDK would convert every schema again for each client that asks.
    const { listing, readOnlyListing } = await loadListing();
    const names = listedNames(kind);
    const reading = new Map(readOnlyListing.map((tool) => [tool.name, tool]));
    // Readers are described by the tools that there are.
    const tools = listing
      .filter(({ name }) => names.has(name))
      .map((tool) => (names.has('ingest_and_wait') ? tool : (reading.get(tool.name) ?? tool)));
    return { tools: tools.map(withPage) };
  });
  server.setRequestHandler('tools/list', listTools);
  let turn: Promise<void> = Promise.resolve();
  server.setRequestHandler('tools/call', async ({ params }, extra) => {
    // The calls of a batch are read one in each turn of the event loop, so that others are heard between.
    turn = turn.then(() => setImmediate());
    await turn;
    const { answerCall } = await loadCalls();
    return answerCall(params.name, params.arguments, extra, connection);
  });
}

/** Loads what calls need once the list has gone out, while the model reads it: a call usually comes next. */
function preloadCalls(): void {
  // If it fails, the call that needs it says so.
  setTimeout(() => loadCalls().catch(() => undefined), 0);
}
