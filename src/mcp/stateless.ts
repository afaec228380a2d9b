import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { KEEP_ALIVE_MS, type McpRequest, type McpServers } from './mcp-servers.ts';

/** Serves a request of 2025 without a session: a server and a transport of its own, for it alone. */
export async function serveStateless(
  servers: McpServers,
  { request, response, apiKey, caller, body }: McpRequest,
): Promise<void> {
  const lease = servers.lease(apiKey);
  if (caller !== undefined) lease.secrets.add(caller.token);
  const transport = new NodeStreamableHTTPServerTransport({ keepAliveMs: KEEP_ALIVE_MS });
  await servers.connect(transport, lease, { caller, onClose: () => lease.release() });
  // A cancel would land on another instance, so the closed socket is what ends a call.
  response.once('close', () => void transport.close());
  await transport.handleRequest(request, response, body);
}
