import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import type { JSONRPCMessage } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { EventLogs } from './event-log.ts';
import { SessionShares } from './http-limits.ts';
import { HttpRefusal, noRoom } from './http-refusal.ts';
import { KEEP_ALIVE_MS, type McpRequest, type McpServers } from './mcp-servers.ts';

/** How many sessions there may be, and for how long. */
export interface SessionsOptions {
  /** How many there may be at once. */
  readonly maximumSessions: number;
  /** How long one may go unused, in seconds. */
  readonly sessionIdleSeconds: number;
}

interface Session {
  readonly transport: NodeStreamableHTTPServerTransport;
  /** The workspace key that opened it; nobody else gets in. */
  readonly apiKey: string | undefined;
  /** IDs of requests whose response is not yet ended. */
  readonly underWay: Set<string | number>;
  /** Responses not yet ended, its streams included. */
  open: number;
  /** By `Date.now()`. */
  lastUsedAt: number;
}

const SWEEPS_PER_IDLE_TIME = 10;
const SESSION_NOT_FOUND = -32001;
/** As the Language Server Protocol has it; MCP names none. */
const REQUEST_CANCELLED = -32800;

const requestId = z.union([z.string(), z.number()]);
const requestSchema = z.object({ id: requestId, method: z.string() });
const cancelSchema = z.object({
  method: z.literal('notifications/cancelled'),
  params: z.object({ requestId }),
});

/** The sessions of clients of 2025, shared out among the keys that they bring. */
export class Sessions {
  readonly #servers: McpServers;
  readonly #options: SessionsOptions;
  readonly #shares: SessionShares;
  readonly #eventLogs = new EventLogs<JSONRPCMessage>();
  /** By ID. */
  readonly #sessions = new Map<string, Session>();
  readonly #sweep: NodeJS.Timeout;
  #isStopping = false;

  constructor(servers: McpServers, options: SessionsOptions) {
    this.#servers = servers;
    this.#options = options;
    this.#shares = new SessionShares(options.maximumSessions);
    const idleMs = options.sessionIdleSeconds * 1000;
    this.#sweep = setInterval(() => this.#closeIdle(idleMs), idleMs / SWEEPS_PER_IDLE_TIME);
  }

  /** Whether there is a session of this ID, whoever's it is. */
  has(id: string | string[] | undefined): boolean {
    return typeof id === 'string' && this.#sessions.has(id);
  }

  /**
   * Opens a session with its first message.
   *
   * @throws {HttpRefusal} where there is no room for one.
   */
  async open({ request, response, apiKey, body }: McpRequest): Promise<void> {
    if (this.#isStopping) throw noRoom('This server is stopping.');
    const giveBack = this.#shares.take(apiKey) ?? (await this.#takeIdleShare(apiKey));
    if (giveBack === null) {
      const why = `All that this key may have of the ${this.#options.maximumSessions} sessions of this server are in use. Try again later.`;
      throw noRoom(why);
    }
    const lease = this.#servers.lease(apiKey);
    const eventStore = this.#eventLogs.open();
    let isOpen = false;
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore,
      keepAliveMs: KEEP_ALIVE_MS,
      onsessioninitialized: (id) => {
        isOpen = true;
        const underWay = new Set<string | number>();
        const session = { transport, apiKey, underWay, open: 0, lastUsedAt: Date.now() };
        this.#sessions.set(id, session);
        countResponse(session, response);
      },
    });
    await this.#servers.connect(transport, lease, () => {
      lease.release();
      giveBack();
      this.#eventLogs.close(eventStore);
      if (transport.sessionId !== undefined) this.#sessions.delete(transport.sessionId);
    });
    await transport.handleRequest(request, response, body);
    // An initialize that was refused leaves nothing behind.
    if (!isOpen) await transport.close();
  }

  /**
   * Passes a request on to the session that it names.
   *
   * @throws {HttpRefusal} where it names none, or none that is its client's.
   */
  async continue({ request, response, apiKey, body }: McpRequest): Promise<void> {
    const session = this.#find(request.headers['mcp-session-id'], apiKey);
    countResponse(session, response);
    const id = requestSchema.safeParse(body).data?.id;
    if (id !== undefined) {
      session.underWay.add(id);
      response.once('close', () => session.underWay.delete(id));
    }
    await session.transport.handleRequest(request, response, body);
    const cancelledId = cancelSchema.safeParse(body).data?.params.requestId;
    if (cancelledId !== undefined && session.underWay.has(cancelledId)) {
      // Nothing follows on the stream of a cancelled call, but only an answer closes it; without
      // one the client would keep it, or come back for it, as long as it lives.
      await session.transport.send({
        jsonrpc: '2.0',
        id: cancelledId,
        error: { code: REQUEST_CANCELLED, message: 'The client has cancelled this call.' },
      });
    }
  }

  /** Opens no more sessions; those that are open go on. */
  stop(): void {
    this.#isStopping = true;
    clearInterval(this.#sweep);
  }

  /** Closes all sessions, and with them what runs in them. */
  async close(): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ transport }) => transport.close()));
  }

  #find(id: string | string[] | undefined, apiKey: string | undefined): Session {
    if (typeof id !== 'string') {
      throw new HttpRefusal(400, 'Mcp-Session-Id is missing: begin with an initialize request.');
    }
    const session = this.#sessions.get(id);
    // Somebody else's session is as unknown as none, so that IDs cannot be probed.
    if (session === undefined || session.apiKey !== apiKey) {
      const why = 'This session does not exist or has ended: initialize again.';
      throw new HttpRefusal(404, why, { code: SESSION_NOT_FOUND });
    }
    return session;
  }

  /** Makes room for a key that has no session: closes the longest-idle one of the key with the most. */
  async #takeIdleShare(apiKey: string | undefined): Promise<(() => void) | null> {
    const counts = new Map<string | undefined, number>();
    for (const one of this.#sessions.values()) {
      counts.set(one.apiKey, (counts.get(one.apiKey) ?? 0) + 1);
    }
    if (counts.has(apiKey)) return null;
    const most = Math.max(...counts.values());
    const [idle] = [...this.#sessions.values()]
      .filter((one) => one.open === 0 && counts.get(one.apiKey) === most)
      .sort((one, other) => one.lastUsedAt - other.lastUsedAt);
    await idle?.transport.close();
    return this.#shares.take(apiKey);
  }

  #closeIdle(idleMs: number): void {
    for (const { transport, open, lastUsedAt } of this.#sessions.values()) {
      if (open === 0 && Date.now() - lastUsedAt > idleMs) void transport.close();
    }
  }
}

function countResponse(session: Session, response: ServerResponse): void {
  session.open += 1;
  session.lastUsedAt = Date.now();
  response.once('close', () => {
    session.open -= 1;
    session.lastUsedAt = Date.now();
  });
}
