import { Server, type Transport } from '@modelcontextprotocol/server';
import type { Secrets } from '../secrets.ts';
import { instructionsFor } from '../tools/instructions.ts';
import type { ServerKind, ToolDependencies } from '../tools/tool.ts';
import { offerPrompts } from './offer-prompts.ts';
import { offerSources } from './offer-resources.ts';
import { offerTools } from './offer-tools.ts';
import { readable } from './protocol-error.ts';

/** Makes an MCP server of a kind, without connecting it to a transport. */
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
 * Changes a transport so that no secret goes out over it, and no raw issues of a validator. It returns
 * the same object, since the SDK recognizes its HTTP transports by their class.
 *
 * Texts from Fini are cleaned earlier, before anything is cut (fini/http.ts). This covers the rest of
 * an answer: a key passed in place of a source, which the refusal names, headers that an error names,
 * and characters that only parsing brings out (`\u002b`). It takes microseconds, and a quarter of a
 * millisecond for the longest answers (60 kB).
 */
export function guarded<Guarded extends Transport>(transport: Guarded, secrets: Secrets): Guarded {
  const send = transport.send.bind(transport);
  transport.send = (message, options) => send(secrets.redactJson(readable(message)), options);
  return transport;
}
