import type { IncomingMessage, ServerResponse } from 'node:http';
import { inspect } from 'node:util';
import type { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import type { Server } from '@modelcontextprotocol/server';
import type { Log } from '../log.ts';
import type { ServerKind } from '../tools/tool.ts';
import type { Lease, Workspaces } from '../workspace.ts';
import { logged } from './access-log.ts';
import type { Caller } from './oauth.ts';
import { connectServer, createServer, guarded } from './server.ts';

/** How often an open stream says that it is alive, in milliseconds. */
export const KEEP_ALIVE_MS = 15_000;

/** A request that was let in, and what was read of it. */
export interface McpRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The workspace key that the client brought; undefined where it uses the server's. */
  readonly apiKey: string | undefined;
  /** Who asks; undefined where there is no sign-in. */
  readonly caller: Caller | undefined;
  /** Its message or batch; undefined where it has no body. */
  readonly body: unknown;
}

/** What of a request decides which server answers it. */
export type ServerRequest = {
  readonly apiKey: string | undefined;
  readonly caller: Pick<Caller, 'scopes' | 'token'> | undefined;
};

/** What every MCP server over HTTP is made of. */
export interface McpServersOptions extends ServerKind {
  /** The version that clients are told. */
  readonly version: string;
  readonly workspaces: Workspaces;
  readonly log: Log;
  /** The scope of the tools that do not only read, where there is a sign-in. */
  readonly oauthWriteScope: string;
}

/** Makes MCP servers: each client of 2025 gets one for its session, any other one for a request. */
export class McpServers {
  readonly #options: McpServersOptions;

  constructor(options: McpServersOptions) {
    this.#options = options;
  }

  /** Opens the workspace of a key, or of the server's own. */
  lease(apiKey: string | undefined): Lease {
    return this.#options.workspaces.lease(apiKey);
  }

  /** The scope that a caller lacks for all that is here; undefined where there is no such. */
  scopeMissing(caller: ServerRequest['caller']): string | undefined {
    const { oauthWriteScope } = this.#options;
    return caller?.scopes.includes(oauthWriteScope) === false ? oauthWriteScope : undefined;
  }

  /** Logs a fault of ours, under the reference that the client was given. */
  readonly onUnexpectedError = (reference: string, error: unknown): void => {
    this.#options.log('error', 'failed unexpectedly', { reference, error: inspect(error) });
  };

  /** Logs what a client did against the protocol. */
  readonly onProtocolError = (error: Error): void => {
    this.#options.log('debug', 'protocol', { error: logged(error.message) });
  };

  /** Makes a server for clients of 2025, and connects it. */
  async connect(
    transport: NodeStreamableHTTPServerTransport,
    lease: Lease,
    { caller, onClose }: { caller: ServerRequest['caller']; onClose: () => void },
  ): Promise<void> {
    const server = this.#create(lease, caller);
    server.onerror = this.onProtocolError;
    server.onclose = onClose;
    await connectServer(server, transport, lease.secrets);
  }

  /** Makes the server of a request of 2026, which the SDK connects. */
  forRequest({ apiKey, caller }: ServerRequest): Server {
    const lease = this.lease(apiKey);
    if (caller !== undefined) lease.secrets.add(caller.token);
    const server = this.#create(lease, caller);
    // A subscription never fires onclose, but is closed; anything else does both.
    const close = server.close.bind(server);
    server.close = () => {
      lease.release();
      return close();
    };
    server.onclose = () => lease.release();
    const { connect } = server;
    server.connect = (transport) => connect.call(server, guarded(transport, lease.secrets));
    return server;
  }

  #create({ workspace }: Lease, caller: ServerRequest['caller']): Server {
    const kind = { ...this.#options, withoutScope: this.scopeMissing(caller) };
    const { onUnexpectedError } = this;
    return createServer(kind.version, kind, { workspace, onUnexpectedError });
  }
}
