import { Server, type Transport } from '@modelcontextprotocol/server';
import type { Secrets } from '../secrets.ts';
import { instructionsFor } from '../tools/instructions.ts';
import type { ServerKind, ToolDependencies } from '../tools/tool.ts';
import { offerPrompts } from './offer-prompts.ts';
import { offerSources } from './offer-resources.ts';
import { offerTools } from './offer-tools.ts';
import { readable } from './protocol-error.ts';

/** Makes an MCP server of a kind. It is not connected to a transport yet. */
export function createServer(
  version: string,
  kind: ServerKind,
  dependencies: ToolDependencies,
): Server {
  const server = new Server(
    { name: 'fini-mcp', title: kind.sandbox ? 'Fini (sandbox)' : 'Fini', version },
    {
      instructions: instructionsFor(kind),
      capabilities: {
        tools: { listChanged: false },
        resources: { listChanged: false },
        prompts: { listChanged: false },
        logging: {},
        completions: {},
      },
    },
  );
  offerTools(server, dependencies, kind);
  offerSources(server, dependencies, kind);
  offerPrompts(server, dependencies, kind);
  return server;
}

/**
 * Makes a transport over which no secret goes out, and no raw issues of a validator. It is changed
 * in place: the SDK's HTTP transports are told apart by their class.
 *
 * Fini's texts have no secret any more, since they are cleaned before anything is cut (fini/http.ts).
 * This is for what else gets into an answer: a key that was passed where a source belongs, which the
 * refusal names, the headers that an error names, and what only parsing brings out (`\u002b`). It
 * takes microseconds, and a quarter of a millisecond for the longest answers (60 kB).
 */
export function guarded<Guarded extends Transport>(transport: Guarded, secrets: Secrets): Guarded {
  const send = transport.send.bind(transport);
  transport.send = (message, options) => send(secrets.redactJson(readable(message)), options);
  return transport;
}

/** Connects a server to a guarded transport. */
export async function connectServer(
  server: Server,
  transport: Transport,
  secrets: Secrets,
): Promise<void> {
  await server.connect(guarded(transport, secrets));
}
