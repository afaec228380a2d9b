import { randomUUID } from 'node:crypto';
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import type { JSONRPCMessage, McpRequestContext, Server } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { apiKeySchema } from '../config.ts';
import type { Log } from '../log.ts';
import { connectServer, createServer, guarded } from '../server.ts';
import { originalStack } from '../stack.ts';
import { bounded } from '../text.ts';
import { failureText } from '../tools/errors.ts';
import type { ServerKind, ToolDependencies } from '../tools/tool.ts';
import type { Lease, Workspaces } from '../workspace.ts';
import { EventLogs } from './event-log.ts';
import {
  type AccessRules,
  isAllowedOrigin,
  isWildcard,
  nameOf,
  refuse,
  shortHash,
} from './http-access.ts';
import { connectionLimit, SessionShares, UnderWayBound, UnreadBound } from './http-limits.ts';
import { MAXIMUM_INITIALIZE_BYTES, MAXIMUM_INITIALIZE_PARTS, textFault } from './message-bounds.ts';
import { readMessages } from './messages.ts';
import { createModernHttp } from './modern-http.ts';

/** How the HTTP server runs. */
export interface HttpServerOptions extends AccessRules, ServerKind {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** No sessions: any replica can answer any request. */
  readonly stateless: boolean;
  /** How many sessions there may be at once. */
  readonly maximumSessions: number;
  /** How long a session may go unused, in seconds. */
  readonly sessionIdleSeconds: number;
  /** How long an idle connection is kept open, in seconds. */
  readonly keepAliveSeconds: number;
  /** The version that clients are told. */
  readonly version: string;
  readonly workspaces: Workspaces;
  readonly log: Log;
}

/** A running HTTP server. */
export interface HttpServer {
  /** Where it listens, without a path. */
  readonly url: string;
  /** Takes nothing new, gives running calls this long, and ends. */
  readonly stop: (graceMs: number) => Promise<void>;
}

interface Session {
  readonly transport: NodeStreamableHTTPServerTransport;
  /** The workspace key that opened it; nobody else gets in. */
  readonly apiKey: string | undefined;
  readonly lease: Lease;
  /** IDs of requests whose response is not yet ended. */
  readonly underWay: Set<string | number>;
  /** Responses not yet ended, its streams included. */
  open: number;
  lastUsedAt: number;
}

/** What the access line tells of a request's body. */
interface Summary {
  method?: string;
  tool?: string;
  /** Of a batch: what each message asks for, and how many ask for the same. */
  batch?: string[];
}

const METHODS = ['GET', 'POST', 'DELETE'];
const MAXIMUM_BODY_BYTES = 4 * 1024 * 1024;
const KEEP_ALIVE_MS = 15_000;
/** What a client has for its headers, and for its whole request. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** How often connections are checked for being too late. */
const CHECK_INTERVAL_MS = 1_000;
/** Connections that are refused, or let go, are counted for so long before the log tells of them. */
const LOG_PAUSE_MS = 10_000;
const LOGGED_LENGTH = 100;
/** How many kinds of messages of a batch its access line names; the others are counted. */
const LOGGED_OF_BATCH = 20;
const SWEEPS_PER_IDLE_TIME = 10;
const JSON_RPC_ERROR = -32000;
const JSON_RPC_INTERNAL_ERROR = -32603;
const JSON_RPC_INVALID_REQUEST = -32600;
const JSON_RPC_PARSE_ERROR = -32700;
const SESSION_NOT_FOUND = -32001;
/** As the Language Server Protocol has it; MCP names none. */
const REQUEST_CANCELLED = -32800;

const RETRY_LATER = { 'retry-after': '30' };

/** The parts of a JSON-RPC message that the access line and the routing need. */
const messageSchema = z.object({
  method: z.string().optional().catch(undefined),
  params: z
    .object({ name: z.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

const requestId = z.union([z.string(), z.number()]);
const requestSchema = z.object({ id: requestId, method: z.string() });
const cancelSchema = z.object({
  method: z.literal('notifications/cancelled'),
  params: z.object({ requestId }),
});

/** A request that is turned away with an HTTP status. */
class HttpRefusal extends Error {
  readonly status: number;
  readonly code: number;
  readonly headers: Record<string, string>;
  /** The ID of the message that is at fault, where it is known. */
  readonly id: string | number | null;

  constructor(
    status: number,
    message: string,
    code = JSON_RPC_ERROR,
    headers = {},
    id: string | number | null = null,
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
    this.id = id;
  }
}

/**
 * Serves MCP's Streamable HTTP at `/mcp`, and `/healthz`.
 *
 * @throws where the address cannot be listened on.
 */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const { log } = options;
  const rules = rulesOf(options);
  const sessions = new Map<string, Session>();
  const shares = new SessionShares(options.maximumSessions);
  const eventLogs = new EventLogs<JSONRPCMessage>();
  const underWay = new UnderWayBound();
  const unread = new UnreadBound(seldom(log, 'clients that did not read were let go'));
  let isStopping = false;
  let running = 0;

  const timeouts = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
  };
  const server = createHttpServer(timeouts, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      // A client that goes away in the middle of its request is no fault of ours.
      const level = request.errored === null ? 'error' : 'debug';
      log(level, 'request failed', { error: originalStack(error) });
      response.destroy();
    });
  });
  server.maxConnections = connectionLimit();
  server.on('drop', seldom(log, 'connections were refused: there were too many'));

  const onUnexpectedError: ToolDependencies['onUnexpectedError'] = (reference, error) => {
    log('error', 'failed unexpectedly', { reference, error: originalStack(error) });
  };

  /** One request, from the door to its access line. */
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    const summary: Summary = {};
    // A proxy may ask for the whole URL.
    request.url = request.url?.replace(/^https?:\/\/[^/?]*/i, '') || '/';
    response.once('close', () => {
      const session = request.headers['mcp-session-id'] ?? response.getHeader('mcp-session-id');
      log('info', 'request', {
        http: request.method,
        path: logged(pathOf(request)),
        ...summary,
        status: response.statusCode,
        ms: Math.round(performance.now() - startedAt),
        session: typeof session === 'string' ? shortHash(session) : undefined,
      });
    });
    try {
      await route(request, response, summary);
    } catch (error) {
      if (error instanceof HttpRefusal) return answerRefusal(request, response, error);
      // The client disconnected, or the response has already started.
      if (request.errored !== null || response.headersSent) throw error;
      const text = failureText(error, { onUnexpectedError }, options);
      answerRefusal(request, response, new HttpRefusal(500, text, JSON_RPC_INTERNAL_ERROR));
    }
  }

  async function route(
    request: IncomingMessage,
    response: ServerResponse,
    summary: Summary,
  ): Promise<void> {
    const path = pathOf(request);
    if (path === '/healthz')
      return answerJson(response, 200, { status: 'ok', version: options.version });
    if (path !== '/mcp') throw new HttpRefusal(404, whatIsHere(path, options));
    if (request.method === 'OPTIONS') return answerPreflight(request, response);
    // Before any refusal, so that a page that may ask can read why it was refused.
    allowOrigin(request, response, rules);
    const refusal = refuse(request, rules);
    if (refusal !== null) {
      throw new HttpRefusal(refusal.status, refusal.message, JSON_RPC_ERROR, refusal.headers);
    }
    if (!METHODS.includes(request.method ?? '')) {
      const why = `There is no ${request.method} here, only ${METHODS.join(', ')}.`;
      throw new HttpRefusal(405, why, JSON_RPC_ERROR, { allow: METHODS.join(', ') });
    }
    readAccept(request);
    const apiKey = apiKeyOf(request);
    if (options.stateless && request.method !== 'POST') {
      const why = 'This server keeps no sessions (--stateless), so there is only POST.';
      throw new HttpRefusal(405, why, JSON_RPC_ERROR, { allow: 'POST' });
    }
    unread.watch(response);
    const json =
      request.method === 'POST' ? await readJson(request, holdFor(apiKey, response)) : undefined;
    Object.assign(summary, summarize(json));
    const body = json === undefined ? undefined : readBody(json);
    if (await modern.isModern(request, body)) return serveModern(request, response, body);
    if (options.stateless) return serveOnce(request, response, apiKey, body);
    const id = request.headers['mcp-session-id'];
    // A client that comes back after a restart may name the session that it had.
    const isOpen = typeof id === 'string' && sessions.has(id);
    if (!isOpen && summary.method === 'initialize') {
      return openSession(request, response, apiKey, body);
    }
    return continueSession(id, request, response, apiKey, body);
  }

  async function serveModern(
    request: IncomingMessage,
    response: ServerResponse,
    body: unknown,
  ): Promise<void> {
    countRunning(response);
    await modern.serve(request, response, body);
  }

  /** A server and a transport of their own for this request alone. */
  async function serveOnce(
    request: IncomingMessage,
    response: ServerResponse,
    apiKey: string | undefined,
    body: unknown,
  ): Promise<void> {
    const lease = options.workspaces.lease(apiKey);
    const transport = new NodeStreamableHTTPServerTransport({ keepAliveMs: KEEP_ALIVE_MS });
    const mcp = await connect(transport, lease);
    // A cancel would land on another instance, so the closed socket is what ends a call.
    response.once('close', () => {
      lease.release();
      void mcp.close();
    });
    await pass(transport, request, response, body);
  }

  async function openSession(
    request: IncomingMessage,
    response: ServerResponse,
    apiKey: string | undefined,
    body: unknown,
  ): Promise<void> {
    if (isStopping) {
      throw new HttpRefusal(503, 'This server is stopping.', JSON_RPC_ERROR, RETRY_LATER);
    }
    const giveBack = shares.take(apiKey) ?? (await takeIdleShare(apiKey));
    if (giveBack === null) {
      const why = `All that this key may have of the ${options.maximumSessions} sessions of this server are in use. Try again later.`;
      throw new HttpRefusal(503, why, JSON_RPC_ERROR, RETRY_LATER);
    }
    const lease = options.workspaces.lease(apiKey);
    const eventStore = eventLogs.open();
    let session: Session | undefined;
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore,
      keepAliveMs: KEEP_ALIVE_MS,
      onsessioninitialized: (id) => {
        session = {
          transport,
          apiKey,
          lease,
          underWay: new Set(),
          open: 0,
          lastUsedAt: Date.now(),
        };
        sessions.set(id, session);
        countResponse(session, response);
      },
    });
    await connect(transport, lease, () => {
      lease.release();
      giveBack();
      eventLogs.close(eventStore);
      if (transport.sessionId !== undefined) sessions.delete(transport.sessionId);
    });
    await pass(transport, request, response, body);
    // An initialize that was refused leaves nothing behind.
    if (session === undefined) await transport.close();
  }

  /** Makes room for a key that has no session: closes the longest-idle one of the key with the most. */
  async function takeIdleShare(apiKey: string | undefined): Promise<(() => void) | null> {
    const counts = new Map<string | undefined, number>();
    for (const one of sessions.values()) counts.set(one.apiKey, (counts.get(one.apiKey) ?? 0) + 1);
    if (counts.has(apiKey)) return null;
    const most = Math.max(...counts.values());
    const [idle] = [...sessions.values()]
      .filter((one) => one.open === 0 && counts.get(one.apiKey) === most)
      .sort((one, other) => one.lastUsedAt - other.lastUsedAt);
    await idle?.transport.close();
    return shares.take(apiKey);
  }

  /** Holds room for a body until its response has ended. */
  function holdFor(apiKey: string | undefined, response: ServerResponse): (bytes: number) => void {
    let held = 0;
    response.once('close', () => underWay.giveBack(apiKey, held));
    return (bytes) => {
      if (!underWay.take(apiKey, bytes)) {
        const why =
          'Too much is under way at this server. Try again later, or pass fewer items at once.';
        throw new HttpRefusal(503, why, JSON_RPC_ERROR, RETRY_LATER);
      }
      held += bytes;
    };
  }

  async function continueSession(
    id: string | string[] | undefined,
    request: IncomingMessage,
    response: ServerResponse,
    apiKey: string | undefined,
    body: unknown,
  ): Promise<void> {
    if (typeof id !== 'string') {
      throw new HttpRefusal(400, 'Mcp-Session-Id is missing: begin with an initialize request.');
    }
    const session = sessions.get(id);
    // Somebody else's session is as unknown as none, so that IDs cannot be probed.
    if (session === undefined || session.apiKey !== apiKey) {
      throw new HttpRefusal(
        404,
        'This session does not exist or has ended: initialize again.',
        SESSION_NOT_FOUND,
      );
    }
    countResponse(session, response);
    const requestId = requestIdOf(body);
    if (requestId !== undefined) {
      session.underWay.add(requestId);
      response.once('close', () => session.underWay.delete(requestId));
    }
    await pass(session.transport, request, response, body);
    const cancelledId = cancelledIdOf(body);
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

  function countResponse(session: Session, response: ServerResponse): void {
    session.open += 1;
    session.lastUsedAt = Date.now();
    response.once('close', () => {
      session.open -= 1;
      session.lastUsedAt = Date.now();
    });
  }

  function build(lease: Lease): Server {
    return createServer(options.version, options, {
      workspace: lease.workspace,
      onUnexpectedError,
    });
  }

  /** A server for one request of 2026, whose headers say whose workspace is meant. */
  function buildForRequest({ requestInfo }: McpRequestContext): Server {
    const lease = options.workspaces.lease(requestInfo?.headers.get('x-fini-api-key') ?? undefined);
    const mcp = build(lease);
    // A subscription never fires onclose, but is closed; anything else does both.
    const close = mcp.close.bind(mcp);
    mcp.close = () => {
      lease.release();
      return close();
    };
    mcp.onclose = () => lease.release();
    const { connect } = mcp;
    mcp.connect = (transport) => connect.call(mcp, guarded(transport, lease.secrets));
    return mcp;
  }

  async function connect(
    transport: NodeStreamableHTTPServerTransport,
    lease: Lease,
    onClose?: () => void,
  ): Promise<Server> {
    const mcp = build(lease);
    mcp.onerror = (error) => log('debug', 'protocol', { error: logged(error.message) });
    mcp.onclose = onClose;
    await connectServer(mcp, transport, lease.secrets);
    return mcp;
  }

  async function pass(
    transport: NodeStreamableHTTPServerTransport,
    request: IncomingMessage,
    response: ServerResponse,
    body: unknown,
  ): Promise<void> {
    if (request.method === 'POST') countRunning(response);
    await transport.handleRequest(request, response, body);
  }

  function countRunning(response: ServerResponse): void {
    running += 1;
    response.once('close', () => {
      running -= 1;
    });
  }

  function apiKeyOf(request: IncomingMessage): string | undefined {
    const header = request.headers['x-fini-api-key'];
    if (header === undefined) return undefined;
    const key = apiKeySchema.safeParse(header);
    if (key.success) return key.data;
    const faults = key.error.issues.map(({ message }) => message).join('; ');
    throw new HttpRefusal(400, `X-Fini-Api-Key is not a key: it ${faults}.`);
  }

  function answerPreflight(request: IncomingMessage, response: ServerResponse): void {
    if (request.headers.origin === undefined || !isAllowedOrigin(request.headers.origin, options)) {
      throw new HttpRefusal(403, 'This Origin is not allowed.');
    }
    allowOrigin(request, response, rules);
    response.setHeader('access-control-allow-methods', 'GET, POST, DELETE');
    response.setHeader(
      'access-control-allow-headers',
      'authorization, content-type, last-event-id, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id, x-fini-api-key',
    );
    response.writeHead(204).end();
  }

  const modern = createModernHttp(buildForRequest, {
    keepAliveMs: KEEP_ALIVE_MS,
    onerror: (error) => log('debug', 'protocol', { error: error.message }),
  });
  const idleMs = options.sessionIdleSeconds * 1000;
  const sweep = setInterval(() => {
    for (const session of sessions.values()) {
      if (session.open === 0 && Date.now() - session.lastUsedAt > idleMs) {
        void session.transport.close();
      }
    }
  }, idleMs / SWEEPS_PER_IDLE_TIME);

  server.keepAliveTimeout = options.keepAliveSeconds * 1000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const url = urlOf(server.address());
  log('info', 'listening', { url: `${url}/mcp` });
  if (isWildcard(options.host) && options.allowedHosts.length === 0) {
    log('info', 'only requests to a loopback name are answered: name others with --allowed-host');
  }

  return {
    url,
    async stop(graceMs) {
      isStopping = true;
      clearInterval(sweep);
      server.close();
      server.closeIdleConnections();
      const deadline = Date.now() + graceMs;
      while (running > 0 && Date.now() < deadline) await sleep(20);
      await Promise.all([...sessions.values()].map(({ transport }) => transport.close()));
      await modern.close();
      server.closeAllConnections();
    },
  };
}

function allowOrigin(request: IncomingMessage, response: ServerResponse, rules: AccessRules): void {
  const { origin } = request.headers;
  if (origin === undefined || !isAllowedOrigin(origin, rules)) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-expose-headers', 'mcp-session-id, www-authenticate');
  response.setHeader('vary', 'origin');
}

/** The whole body, bounded, as JSON. */
async function readJson(request: IncomingMessage, hold: (bytes: number) => void): Promise<unknown> {
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new HttpRefusal(415, 'A request has the content type application/json.');
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAXIMUM_BODY_BYTES) {
      throw new HttpRefusal(
        413,
        `A request may have ${MAXIMUM_BODY_BYTES / 1024 / 1024} MB at most: pass fewer items at once.`,
      );
    }
    hold(chunk.length);
    chunks.push(chunk);
  }
  const json = Buffer.concat(chunks);
  const fault = textFault(json);
  if (fault !== null) throw new HttpRefusal(400, fault, JSON_RPC_INVALID_REQUEST);
  let body: unknown;
  try {
    body = JSON.parse(json.toString('utf8'));
  } catch {
    throw new HttpRefusal(400, 'The body is not JSON.', JSON_RPC_PARSE_ERROR);
  }
  // What an initialize request tells is kept as long as the session.
  const isTooMuch =
    bytes > MAXIMUM_INITIALIZE_BYTES || textFault(json, MAXIMUM_INITIALIZE_PARTS) !== null;
  if (isTooMuch && messagesIn(body).some(isInitialize)) {
    const why = `An initialize request may have ${MAXIMUM_INITIALIZE_BYTES / 1024} kB and ${MAXIMUM_INITIALIZE_PARTS.toLocaleString('en-US')} parts at most.`;
    throw new HttpRefusal(413, why);
  }
  return body;
}

function messagesIn(body: unknown): readonly unknown[] {
  return Array.isArray(body) ? body : [body];
}

function isInitialize(message: unknown): boolean {
  return messageSchema.safeParse(message).data?.method === 'initialize';
}

/** Counts what happens often, and logs the count now and then. */
function seldom(log: Log, message: string): () => void {
  let count = 0;
  let isPausing = false;
  const say = () => {
    isPausing = count > 0;
    if (count === 0) return;
    log('error', message, { count });
    count = 0;
    setTimeout(say, LOG_PAUSE_MS).unref();
  };
  return () => {
    count += 1;
    if (!isPausing) say();
  };
}

function summarize(body: unknown): Summary {
  if (!Array.isArray(body)) return summaryOf(body);
  const counts = new Map<string, number>();
  for (const message of body) {
    const asked = askedIn(message);
    counts.set(asked, (counts.get(asked) ?? 0) + 1);
  }
  const named = [...counts].slice(0, LOGGED_OF_BATCH);
  const batch = named.map(([asked, count]) => {
    const text = bounded(asked.slice(0, LOGGED_LENGTH + 1), LOGGED_LENGTH);
    return count > 1 ? `${text} × ${count}` : text;
  });
  const others = body.length - named.reduce((sum, [, count]) => sum + count, 0);
  if (others > 0) batch.push(`${others} others`);
  return { ...summaryOf(body[0]), batch };
}

/** What a message asks for. A batch may hold a million, so that each is looked at but briefly. */
function askedIn(message: unknown): string {
  const method = fieldOf(message, 'method');
  if (typeof method !== 'string') return 'no method';
  const name = method === 'tools/call' ? fieldOf(fieldOf(message, 'params'), 'name') : undefined;
  return typeof name === 'string' ? `${method} ${name}` : method;
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function summaryOf(message: unknown): Summary {
  const { method, params } = messageSchema.safeParse(message).data ?? {};
  return {
    method: logged(method),
    tool: method === 'tools/call' ? logged(params?.name) : undefined,
  };
}

function requestIdOf(body: unknown): string | number | undefined {
  return requestSchema.safeParse(body).data?.id;
}

function cancelledIdOf(body: unknown): string | number | undefined {
  return cancelSchema.safeParse(body).data?.params.requestId;
}

/** What a client names itself, fit for one line of the log. */
function logged(text: string | undefined): string | undefined {
  // Cut first, since what is cut off need not be looked at.
  return text === undefined ? undefined : bounded(text.slice(0, LOGGED_LENGTH + 1), LOGGED_LENGTH);
}

function answerRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  { status, message, code, headers, id }: HttpRefusal,
): void {
  // What is left of a body that nobody reads must not be taken for the next request.
  if (!request.complete) response.setHeader('connection', 'close');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  answerJson(response, status, { jsonrpc: '2.0', error: { code, message }, id });
}

function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** The path, without a slash at its end. */
function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').replace(/\?.*$/s, '').replace(/(?<=.)\/$/, '');
}

/** Where clients look for a sign-in once a token was refused. */
const SIGN_IN = /^\/(\.well-known\/|register$|authorize$|token$)/;

function whatIsHere(path: string, { authToken }: AccessRules): string {
  const here = 'There is only /mcp here, and /healthz.';
  // Clients show this in place of the refusal before it.
  return authToken !== undefined && SIGN_IN.test(path)
    ? `${here} This server has no sign-in: the token is missing or wrong. Set "Authorization: Bearer" to the token that it was started with (FINI_MCP_AUTH_TOKEN).`
    : here;
}

const BOTH_TYPES = 'application/json, text/event-stream';

/**
 * Names both types that an answer may have, where the client takes them in another way of writing:
 * the SDK compares to the letter.
 */
function readAccept(request: IncomingMessage): void {
  const given = (request.headers.accept ?? '*/*').toLowerCase();
  const types = given.split(',').map((type) => type.replace(/;.*$/s, '').trim());
  const takes = (type: string) => {
    const [main] = type.split('/');
    return types.some((one) => one === type || one === `${main}/*` || one === '*/*');
  };
  const accept = BOTH_TYPES.split(', ').filter(takes).join(', ');
  if (accept === '' || accept === request.headers.accept) return;
  request.headers.accept = accept;
  // The SDK's adapter reads the headers as they came.
  const raw = request.rawHeaders.flatMap((text, index, all) => {
    const isName = index % 2 === 0;
    return (isName ? text : all[index - 1])?.toLowerCase() === 'accept' ? [] : [text];
  });
  request.rawHeaders.splice(0, request.rawHeaders.length, ...raw, 'accept', accept);
}

/** The messages of a body as clients mean them, one alone or a batch. */
function readBody(body: unknown): unknown {
  const read = readMessages(body);
  const refused = read.find(({ refusal }) => refusal !== undefined)?.refusal;
  if (refused !== undefined) {
    const { error, id } = refused;
    throw new HttpRefusal(400, error.message, error.code, {}, id ?? null);
  }
  const messages = read.map(({ message }) => message);
  return Array.isArray(body) ? messages : messages[0];
}

/** An address that was given as the one to listen on is a name that one may ask under, too. */
function rulesOf({ host, ...rules }: HttpServerOptions): AccessRules {
  if (isWildcard(host)) return rules;
  const name = nameOf(host);
  return name === null ? rules : { ...rules, allowedHosts: [...rules.allowedHosts, name] };
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') return String(address);
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
