import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { toWebRequest } from '@modelcontextprotocol/node';
import {
  createMcpHandler,
  isLegacyRequest,
  type McpServerFactory,
} from '@modelcontextprotocol/server';

/** Serves requests of protocol 2026-07-28, each for itself and without a session. */
export interface ModernHttp {
  /** Whether a request is one of these; those of 2025 are served otherwise. */
  readonly isModern: (request: IncomingMessage, body: unknown) => Promise<boolean>;
  /** Answers a request; the response's end is the end of the call. */
  readonly serve: (
    request: IncomingMessage,
    response: ServerResponse,
    body: unknown,
  ) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** @param factory Makes the server of a request. */
export function createModernHttp(
  factory: McpServerFactory,
  { keepAliveMs, onerror }: { keepAliveMs: number; onerror: (error: Error) => void },
): ModernHttp {
  // Always a stream: progress may come, and whether it does is known too late for the head.
  const handler = createMcpHandler(factory, {
    legacy: 'reject',
    responseMode: 'sse',
    keepAliveMs,
    onerror,
  });
  return {
    async isModern(request, body) {
      if (request.method !== 'POST') return false;
      return !(await isLegacyRequest(await toWebRequest(request, body), body));
    },
    async serve(request, response, body) {
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      const webRequest = await toWebRequest(request, body, { signal: gone.signal });
      const answer = await handler.fetch(webRequest, { parsedBody: body });
      response.writeHead(answer.status, Object.fromEntries(answer.headers));
      // The SDK's own adapter keeps the head back until the first event, which may take seconds.
      response.flushHeaders();
      for await (const chunk of answer.body ?? []) {
        if (!response.write(chunk)) await once(response, 'drain', { signal: gone.signal });
      }
      response.end();
    },
    close: () => handler.close(),
  };
}
