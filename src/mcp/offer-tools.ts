import { setImmediate } from 'node:timers/promises';
import type { Server, ServerContext } from '@modelcontextprotocol/server';
import { offerLog } from '../tools/client-log.ts';
import { listedNames } from '../tools/listed-tools.ts';
import type { ServerKind, ToolDependencies } from '../tools/tool.ts';
import { loadCalls, loadListing } from './lazy-modules.ts';
import { showsPages } from './page-clients.ts';
import { withExplainedErrors } from './protocol-error.ts';
import { withPage } from './report-page.ts';

/** Offers the tools of a server of this kind, and MCP's log, to which they write. */
export function offerTools(server: Server, dependencies: ToolDependencies, kind: ServerKind): void {
  const connection = { server, kind, dependencies, log: offerLog(server) };
  const explained = withExplainedErrors(dependencies, kind);
  const listTools = explained(async (_request: unknown, context: ServerContext) => {
    preloadCalls();
    // The SDK would convert every schema again for each client that lists the tools.
    const { listing, readOnlyListing } = await loadListing();
    const names = listedNames(kind);
    const reading = new Map(readOnlyListing.map((tool) => [tool.name, tool]));
    // Descriptions of tools that read name only listed tools.
    const tools = listing
      .filter(({ name }) => names.has(name))
      .map((tool) => (names.has('ingest_and_wait') ? tool : (reading.get(tool.name) ?? tool)));
    return { tools: showsPages(server, context) === false ? tools : tools.map(withPage) };
  });
  server.setRequestHandler('tools/list', listTools);
  let turn: Promise<void> = Promise.resolve();
  server.setRequestHandler('tools/call', async ({ params }, extra) => {
    // A batch's calls are read one per turn of the event loop, so that other clients are served too.
    turn = turn.then(() => setImmediate());
    await turn;
    const { answerCall } = await loadCalls();
    return answerCall(params.name, params.arguments, extra, connection);
  });
}

/** Loads the modules for calls once the list has gone out: a call usually follows. */
function preloadCalls(): void {
  // If loading fails, the call that needs it reports the error.
  setTimeout(() => loadCalls().catch(() => undefined), 0);
}
