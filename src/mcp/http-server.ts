import {
  createServer as createHttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { inspect } from 'node:util';
import { ProtocolErrorCode } from '@modelcontextprotocol/server';
import { now } from '../clock.ts';
import { hostnameOf, isWildcard, urlHostOf } from '../hosts.ts';
import type { ProxySettings } from '../proxies.ts';
import { paragraph } from '../text.ts';
import { failureText } from '../tools/explain-error.ts';
import { type AccessSummary, logAccess } from './access-log.ts';
import type { AccessRules } from './http-access.ts';
import { answerJson, answerRefusal, HttpRefusal } from './http-refusal.ts';
import { pathOf } from './http-request.ts';
import { McpEndpoint, type McpEndpointOptions } from './mcp-endpoint.ts';
import { METADATA_PATH, pathnameOf, ResourceServer, type SignIn } from './oauth.ts';

/** Options of the HTTP server. */
export interface HttpServerOptions
  extends AccessRules,
    Omit<McpEndpointOptions, 'rules' | 'oauth'>,
    SignIn,
    ProxySettings {
  readonly host: string;
  /** The port; 0 takes any free port. */
  readonly port: number;
  /** The URL of `/mcp` as clients reach it; by default, the address that the server listens on. */
  readonly publicUrl?: string | undefined;
  /** Time that an idle connection is kept open, in seconds. */
  readonly keepAliveSeconds: number;
  /** Other bounds than {@link TIMEOUTS}, for tests that wait for them. */
  readonly timeouts?: Partial<HttpTimeouts>;
}

/** Bounds on how long a client takes to send a request, and how often they are checked, in milliseconds. */
export type HttpTimeouts = Record<
  'headersTimeout' | 'requestTimeout' | 'connectionsCheckingInterval',
  number
>;

/** A running HTTP server. */
export interface HttpServer {
  /** The URL at which it listens, without a path. */
  readonly url: string;
  /** Accepts nothing new, gives running calls this long, and ends. */
  readonly stop: (graceMs: number) => Promise<void>;
}

/** Answers the requests to one path, and adds to the summary what they ask for. */
type Route = (
  request: IncomingMessage,
  response: ServerResponse,
  summary: AccessSummary,
) => Promise<void> | void;

/** The path of MCP's endpoint. */
const ENDPOINT = '/mcp';
/** Maximum number of connections; more than one process serves well. */
const MAXIMUM_CONNECTIONS = 1_000;
const TIMEOUTS: HttpTimeouts = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 1_000,
};
/** Interval between checks whether the last calls of a stopping server have ended, in milliseconds. */
const STOP_INTERVAL_MS = 20;

/**
 * Serves MCP's Streamable HTTP at `/mcp` and the path of the public URL, and `/healthz`.
 *
 * @throws if the server cannot listen on the address.
 */
export async function serveHttp(options: HttpServerOptions): Promise<HttpServer> {
  const { log, version } = options;
  const rules = rulesOf(options);
  const { oauthIssuer } = options;
  const url = () => options.publicUrl ?? `${urlOf(server.address())}${ENDPOINT}`;
  const oauth =
    oauthIssuer === undefined ? undefined : new ResourceServer({ ...options, oauthIssuer, url });
  const mcp = new McpEndpoint({ ...options, rules, oauth });
  // A proxy in front may cut the path of the public URL off, or not.
  const publicPath = options.publicUrl === undefined ? ENDPOINT : pathnameOf(options.publicUrl);
  const routes = new Map<string, Route>([
    [ENDPOINT, (...given) => mcp.serve(...given)],
    [publicPath || '/', (...given) => mcp.serve(...given)],
    ['/healthz', (_request, response) => answerJson(response, 200, { status: 'ok', version })],
  ]);
  const named = [...routes.keys()];
  if (oauth !== undefined) {
    for (const path of ['', ENDPOINT, publicPath]) {
      routes.set(`${METADATA_PATH}${path}`, (request, response) =>
        oauth.answerMetadata(request, response),
      );
    }
  }

  /** Handles one request, from its arrival to its access line. */
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A proxy may send the whole URL in place of the path.
    request.url = request.url?.replace(/^https?:\/\/[^/?]*/i, '') || '/';
    const summary = logAccess(log, request, response);
    try {
      const path = pathOf(request);
      const route = routes.get(path);
      if (route === undefined) throw notHere(path, named, options);
      await route(request, response, summary);
    } catch (error) {
      if (error instanceof HttpRefusal) {
        summary.refused = error.details.reason;
        return answerRefusal(request, response, error);
      }
      // The client disconnected, or the response has already started.
      if (request.errored !== null || response.headersSent) throw error;
      const text = failureText(error, mcp, options);
      const code = ProtocolErrorCode.InternalError;
      answerRefusal(request, response, new HttpRefusal(500, text, { code }));
    }
  }

  const server = createHttpServer({ ...TIMEOUTS, ...options.timeouts }, (request, response) => {
    handle(request, response).catch((error: unknown) => {
      // A client that has disconnected is not our fault.
      const isGone = request.errored !== null || response.destroyed;
      log(isGone ? 'debug' : 'error', 'request failed', { error: inspect(error) });
      response.destroy();
    });
  });
  server.keepAliveTimeout = options.keepAliveSeconds * 1000;
  server.maxConnections = MAXIMUM_CONNECTIONS;
  server.once('drop', () => {
    log('error', 'connections are refused: there are too many', { maximum: MAXIMUM_CONNECTIONS });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const origin = urlOf(server.address());
  log('info', 'listening', { url: `${origin}${ENDPOINT}`, publicUrl: options.publicUrl });
  if (isWildcard(options.host) && rules.allowedHosts.length === 0) {
    log('info', 'only requests to a loopback name are answered: name others with --allowed-host');
  }

  return {
    url: origin,
    async stop(graceMs) {
      server.close();
      server.closeIdleConnections();
      const endsAt = now() + graceMs;
      while (mcp.running > 0 && now() < endsAt) await sleep(STOP_INTERVAL_MS);
      await mcp.close();
      server.closeAllConnections();
    },
  };
}

/** Paths at which clients look for a sign-in after a token was refused. */
const SIGN_IN = /^\/(\.well-known\/|register$|authorize$|token$)/;

function notHere(
  path: string,
  [first, ...others]: readonly string[],
  options: AccessRules & SignIn,
): HttpRefusal {
  const here = `There is only ${first} here, and ${others.join(', ')}.`;
  // Clients show this in place of the refusal before it.
  const signIn = SIGN_IN.test(path) ? signInText(options) : '';
  return new HttpRefusal(404, paragraph(here, signIn));
}

/** Says where to sign in, for a client that looks for it here. */
function signInText({ authToken, oauthIssuer }: AccessRules & SignIn): string {
  if (oauthIssuer !== undefined) {
    return `This server has no sign-in of its own: that is at ${oauthIssuer}, as ${METADATA_PATH} says.`;
  }
  if (authToken === undefined) return '';
  return paragraph(
    'This server has no sign-in: the token is missing or wrong.',
    'Set "Authorization: Bearer" to the token that it was started with (FINI_MCP_AUTH_TOKEN).',
  );
}

/** The access rules, which also allow the address to listen on and the public URL as names. */
function rulesOf({ host, publicUrl = '', ...rules }: HttpServerOptions): AccessRules {
  const names = [isWildcard(host) ? null : urlHostOf(host), hostnameOf(publicUrl)];
  const allowedHosts = [...rules.allowedHosts, ...names.filter((name) => name !== null)];
  return { ...rules, allowedHosts };
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') return String(address);
  const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return `http://${host}:${address.port}`;
}
