import type { IncomingMessage, ServerResponse } from 'node:http';
import { finished } from 'node:stream';
import { inspect } from 'node:util';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, type McpHttpHandler, type Server } from '@modelcontextprotocol/server';
import type { Log } from '../log.ts';
import type { ServerKind } from '../tools/tool.ts';
import type { Lease, Workspaces } from '../workspace.ts';
import { type AccessSummary, logged, summarize } from './access-log.ts';
import {
  type AccessRules,
  answerPreflight,
  apiKeyOf,
  checkAccess,
  shareWithOrigin,
  shortHash,
} from './http-access.ts';
import { HttpRefusal } from './http-refusal.ts';
import { acceptOf, readBody, readJsonBody } from './http-request.ts';
import type { Caller, ResourceServer } from './oauth.ts';
import { createServer, guarded } from './server.ts';

/** Options for serving clients. */
export interface McpEndpointOptions extends ServerKind {
  /** The version that clients see. */
  readonly version: string;
  readonly workspaces: Workspaces;
  readonly log: Log;
  readonly rules: AccessRules;
  /** Checks the sender of a request; undefined without a sign-in. */
  readonly oauth: ResourceServer | undefined;
  /** The scope that an access token needs for tools that do more than read. */
  readonly oauthWriteScope: string;
}

/** The sender of a request, who decides which workspace and tools its server has. */
interface RequestSender {
  readonly lease: Lease;
  /** The signed-in person; undefined without a sign-in. */
  readonly caller: Caller | undefined;
}

/** Interval at which an open stream shows that it is alive, in milliseconds. */
const KEEP_ALIVE_MS = 15_000;
const NO_SESSIONS =
  'There is only POST here: this server keeps no sessions, so there is no stream to open and nothing to end.';

/**
 * MCP's Streamable HTTP. Every request is served by an MCP server of its own, for both eras of the
 * protocol, and nothing is kept between two requests: any replica can answer any of them.
 */
export class McpEndpoint {
  readonly #options: McpEndpointOptions;
  readonly #handler: McpHttpHandler;
  readonly #senders = new WeakMap<Request, RequestSender>();
  #running = 0;

  constructor(options: McpEndpointOptions) {
    this.#options = options;
    this.#handler = createMcpHandler(({ requestInfo }) => this.#serverFor(requestInfo), {
      legacy: 'stateless',
      // Progress may come, and the response's head is sent before anyone knows.
      responseMode: 'sse',
      keepAliveMs: KEEP_ALIVE_MS,
      onerror: (error) => options.log('debug', 'protocol', { error: logged(error.message) }),
    });
  }

  /** Number of requests that are being answered. */
  get running(): number {
    return this.#running;
  }

  /**
   * Answers a request, and adds to the summary what it asks for.
   *
   * @throws {HttpRefusal} if it is refused.
   */
  async serve(
    request: IncomingMessage,
    response: ServerResponse,
    summary: AccessSummary,
  ): Promise<void> {
    const { rules, oauth, workspaces } = this.#options;
    if (request.method === 'OPTIONS') return answerPreflight(request, response, rules);
    // This comes before any refusal, so that an allowed page can read the reason.
    shareWithOrigin(request, response, rules);
    checkAccess(request, rules);
    const caller = await oauth?.authorize(request);
    if (caller !== undefined) summary.subject = shortHash(caller.subject);
    if (request.method !== 'POST') {
      throw new HttpRefusal(405, NO_SESSIONS, { headers: { allow: 'POST' } });
    }
    const apiKey = apiKeyOf(request);
    const json = await readJsonBody(request);
    Object.assign(summary, summarize(json));
    const body = readBody(json);
    if (caller !== undefined) oauth?.checkScopes(caller, body);
    const lease = workspaces.lease(apiKey);
    if (caller !== undefined) lease.secrets.add(caller.token);
    this.#running += 1;
    // Also called if the client is gone by now, which an event would not tell any more.
    finished(response, () => {
      this.#running -= 1;
      lease.release();
    });
    await this.#answer(request, response, { body, sender: { lease, caller } });
  }

  /** Logs an unexpected error under the reference that the client got. */
  readonly onUnexpectedError = (reference: string, error: unknown): void => {
    this.#options.log('error', 'failed unexpectedly', { reference, error: inspect(error) });
  };

  /** Ends the calls of 2026. Those of 2025 end with their connections. */
  close(): Promise<void> {
    return this.#handler.close();
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    { body, sender }: { body: unknown; sender: RequestSender },
  ): Promise<void> {
    // The SDK compares with this exact spelling.
    request.headers.accept = acceptOf(request);
    const answer = toNodeHandler({
      fetch: async (given, options) => {
        this.#senders.set(given, sender);
        const found = await this.#handler.fetch(given, options);
        // The head is sent before the first event, which may take seconds.
        setImmediate(() => response.flushHeaders());
        return found;
      },
    });
    await answer(request, response, body);
  }

  /** Makes the server for one request. */
  #serverFor(request: Request | undefined): Server {
    const sender = request === undefined ? undefined : this.#senders.get(request);
    if (sender === undefined) throw new Error('A request came by another way.');
    const { lease, caller } = sender;
    const { oauthWriteScope, version } = this.#options;
    const lacks = caller?.scopes.includes(oauthWriteScope) === false;
    const kind = { ...this.#options, missingTokenScope: lacks ? oauthWriteScope : undefined };
    const { onUnexpectedError } = this;
    const server = createServer(version, kind, { workspace: lease.workspace, onUnexpectedError });
    const connect = server.connect.bind(server);
    server.connect = (transport) => connect(guarded(transport, lease.secrets));
    return server;
  }
}
