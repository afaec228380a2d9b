import { once } from 'node:events';
import { toWebRequest } from '@modelcontextprotocol/node';
import { createMcpHandler, isLegacyRequest } from '@modelcontextprotocol/server';
import { KEEP_ALIVE_MS, type McpRequest, type McpServers } from './mcp-servers.ts';

/** Serves requests of protocol 2026-07-28, each for itself and without a session. */
export class ModernHttp {
  readonly #handler: ReturnType<typeof createMcpHandler>;

  constructor(servers: McpServers) {
    // The headers say whose workspace is meant.
    this.#handler = createMcpHandler(
      ({ requestInfo, authInfo: caller }) => {
        const apiKey = requestInfo?.headers.get('x-fini-api-key') ?? undefined;
        return servers.forRequest({ apiKey, caller });
      },
      {
        legacy: 'reject',
        // Always a stream: progress may come, and whether it does is known too late for the head.
        responseMode: 'sse',
        keepAliveMs: KEEP_ALIVE_MS,
        onerror: servers.onProtocolError,
      },
    );
  }

  /** Whether a request is one of these; those of 2025 are served otherwise. */
  async isModern({ request, body }: McpRequest): Promise<boolean> {
    if (request.method !== 'POST') return false;
    return !(await isLegacyRequest(await toWebRequest(request, body), body));
  }

  /** Answers a request; the response's end is the end of the call. */
  async serve({ request, response, caller, body }: McpRequest): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const webRequest = await toWebRequest(request, body, { signal: gone.signal });
    const answer = await this.#handler.fetch(webRequest, {
      parsedBody: body,
      // Which program asks makes no difference.
      ...(caller && { authInfo: { ...caller, scopes: [...caller.scopes], clientId: '' } }),
    });
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    // The SDK's own adapter keeps the head back until the first event, which may take seconds.
    response.flushHeaders();
    for await (const chunk of answer.body ?? []) {
      if (!response.write(chunk)) await once(response, 'drain', { signal: gone.signal });
    }
    response.end();
  }

  /** Ends what is under way. */
  close(): Promise<void> {
    return this.#handler.close();
  }
}
