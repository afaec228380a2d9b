import { randomUUID } from 'node:crypto';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import type { JSONRPCMessage } from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { Secrets } from '../secrets.ts';
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

/** The same, with what a session's owner can be told by. */
interface SharedSessionsOptions extends SessionsOptions {
  /** Whether everybody has signed in. */
  readonly hasSignIn: boolean;
}

/** Whose a session is: nobody else gets in, nor the same person with other rights. */
interface Owner {
  /** The workspace key that opened it. */
  readonly apiKey: string | undefined;
  /** Who opened it, where there is a sign-in. */
  readonly subject: string | undefined;
  /** The scope that they lack. It decides what the session's server offers. */
  readonly withoutScope: string | undefined;
}

interface Session {
  readonly transport: NodeStreamableHTTPServerTransport;
  readonly owner: Owner;
  /** What must not go out to its client. */
  readonly secrets: Secrets;
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

/** The sessions of clients of 2025, shared out among their people, or among the keys that they bring. */
export class Sessions {
  readonly #servers: McpServers;
  readonly #options: SharedSessionsOptions;
  readonly #shares: SessionShares;
  readonly #eventLogs = new EventLogs<JSONRPCMessage>();
  /** By ID. */
  readonly #sessions = new Map<string, Session>();
  readonly #sweep: NodeJS.Timeout;
  #isStopping = false;

  constructor(servers: McpServers, options: SharedSessionsOptions) {
    this.#servers = servers;
    this.#options = options;
    this.#shares = new SessionShares(options.maximumSessions, options.hasSignIn);
    const idleMs = options.sessionIdleSeconds * 1000;
    this.#sweep = setInterval(() => this.#closeIdle(idleMs), idleMs / SWEEPS_PER_IDLE_TIME);
  }

  /** Whether a request names a session that is its client's. */
  has(given: McpRequest): boolean {
    const id = given.request.headers['mcp-session-id'];
    const session = typeof id === 'string' ? this.#sessions.get(id) : undefined;
    return session !== undefined && isSame(session.owner, this.#ownerOf(given));
  }

  /**
   * Opens a session with its first message.
   *
   * @throws {HttpRefusal} where there is no room for one.
   */
  async open(given: McpRequest): Promise<void> {
    if (this.#isStopping) throw noRoom('This server is stopping.');
    const { request, response, apiKey, caller, body } = given;
    const owner = this.#ownerOf(given);
    const party = partyOf(owner);
    const giveBack = this.#shares.take(party) ?? (await this.#takeIdleShare(party));
    if (giveBack === null) {
      const whose = caller === undefined ? 'key' : 'person';
      const why = `All that this ${whose} may have of the ${this.#options.maximumSessions} sessions of this server are in use. Try again later.`;
      throw noRoom(why);
    }
    const lease = this.#servers.lease(apiKey);
    const { secrets } = lease;
    const eventStore = this.#eventLogs.open();
    let isOpen = false;
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore,
      keepAliveMs: KEEP_ALIVE_MS,
      onsessioninitialized: (id) => {
        isOpen = true;
        const underWay = new Set<string | number>();
        const session = { transport, owner, secrets, underWay, open: 0, lastUsedAt: Date.now() };
        this.#sessions.set(id, session);
        countResponse(session, given);
      },
    });
    const onClose = () => {
      lease.release();
      giveBack();
      this.#eventLogs.close(eventStore);
      if (transport.sessionId !== undefined) this.#sessions.delete(transport.sessionId);
    };
    await this.#servers.connect(transport, lease, { caller, onClose });
    await transport.handleRequest(request, response, body);
    // An initialize that was refused leaves nothing behind.
    if (!isOpen) await transport.close();
  }

  /**
   * Passes a request on to the session that it names.
   *
   * @throws {HttpRefusal} where it names none, or none that is its client's.
   */
  async continue(given: McpRequest): Promise<void> {
    const { request, response, body } = given;
    const session = this.#find(request.headers['mcp-session-id'], this.#ownerOf(given));
    countResponse(session, given);
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

  #ownerOf({ apiKey, caller }: McpRequest): Owner {
    const withoutScope = this.#servers.scopeMissing(caller);
    return { apiKey, subject: caller?.subject, withoutScope };
  }

  #find(id: string | string[] | undefined, owner: Owner): Session {
    if (typeof id !== 'string') {
      throw new HttpRefusal(400, 'Mcp-Session-Id is missing: begin with an initialize request.');
    }
    const session = this.#sessions.get(id);
    // Somebody else's session is as unknown as none, so that IDs cannot be probed.
    if (session === undefined || !isSame(session.owner, owner)) {
      const why = 'This session does not exist or has ended: initialize again.';
      throw new HttpRefusal(404, why, { code: SESSION_NOT_FOUND });
    }
    return session;
  }

  /** Makes room for a person or key without a session: closes the longest-idle one of those with the most. */
  async #takeIdleShare(party: string | undefined): Promise<(() => void) | null> {
    const counts = new Map<string | undefined, number>();
    for (const { owner } of this.#sessions.values()) {
      const theirs = partyOf(owner);
      counts.set(theirs, (counts.get(theirs) ?? 0) + 1);
    }
    if (counts.has(party)) return null;
    const most = Math.max(...counts.values());
    const [idle] = [...this.#sessions.values()]
      .filter((one) => one.open === 0 && counts.get(partyOf(one.owner)) === most)
      .sort((one, other) => one.lastUsedAt - other.lastUsedAt);
    await idle?.transport.close();
    return this.#shares.take(party);
  }

  #closeIdle(idleMs: number): void {
    for (const { transport, open, lastUsedAt } of this.#sessions.values()) {
      if (open === 0 && Date.now() - lastUsedAt > idleMs) void transport.close();
    }
  }
}

/** Among whom the sessions are shared out. Anybody can make up keys, but nobody a subject. */
function partyOf({ subject, apiKey }: Owner): string | undefined {
  return subject ?? apiKey;
}

function isSame(one: Owner, other: Owner): boolean {
  return (
    one.apiKey === other.apiKey &&
    one.subject === other.subject &&
    one.withoutScope === other.withoutScope
  );
}

/** Counts a response until its end. As long, the token that came with its request goes out to nobody. */
function countResponse(session: Session, { response, caller }: McpRequest): void {
  const forget = caller === undefined ? undefined : session.secrets.add(caller.token);
  session.open += 1;
  session.lastUsedAt = Date.now();
  response.once('close', () => {
    session.open -= 1;
    session.lastUsedAt = Date.now();
    forget?.();
  });
}
