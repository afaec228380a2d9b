import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { apiKeySchema, isUnexpanded } from '../config.ts';
import { hostnameOf, isLoopback } from '../hosts.ts';
import { HttpRefusal } from './http-refusal.ts';

/** Rules for who may send requests, and under which names. */
export interface AccessRules {
  /** The token that every request must bring; undefined if none is set. */
  readonly authToken?: string | undefined;
  /** Allowed values of a request's `Host`, beside the loopback names. */
  readonly allowedHosts: readonly string[];
  /** Allowed values of a request's `Origin`, beside the loopback ones. */
  readonly allowedOrigins: readonly string[];
}

/**
 * Refuses requests that may not come in. `Host` and `Origin` are checked since a web page in someone's
 * browser can reach a server on loopback (DNS rebinding), the token since anything else can too.
 *
 * @throws {HttpRefusal} with the reason.
 */
export function checkAccess(request: IncomingMessage, rules: AccessRules): void {
  const host = hostnameOf(`http://${request.headers.host ?? ''}`);
  if (host === null || !(isLoopback(host) || rules.allowedHosts.includes(host))) {
    const why = 'This Host is not allowed; the server must be started with --allowed-host for it.';
    throw new HttpRefusal(403, why);
  }
  const { origin } = request.headers;
  if (origin !== undefined && !isAllowedOrigin(origin, rules)) {
    const why =
      'This Origin is not allowed; the server must be started with --allowed-origin for it.';
    throw new HttpRefusal(403, why);
  }
  if (rules.authToken === undefined) return;
  const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  if (given !== undefined && isSame(given, rules.authToken)) return;
  const error = given === undefined ? '' : ', error="invalid_token"';
  const start =
    given === undefined
      ? 'The token is missing'
      : `The token is ${isUnexpanded(given) ? 'an unexpanded variable' : 'wrong'}`;
  const why = `${start}: every request needs "Authorization: Bearer" with the token that this server was started with (FINI_MCP_AUTH_TOKEN).`;
  throw new HttpRefusal(401, why, {
    headers: { 'www-authenticate': `Bearer realm="fini-mcp"${error}` },
  });
}

/** True if pages of this origin may send requests. */
export function isAllowedOrigin(origin: string, rules: AccessRules): boolean {
  const host = hostnameOf(origin);
  if (host === null) return false;
  // Any program can register its own scheme; only a web server's content is a web page.
  const isLocalPage = /^https?:/i.test(origin) && isLoopback(host);
  const [scheme] = origin.toLowerCase().split('://');
  return (
    isLocalPage ||
    rules.allowedOrigins.includes(origin.toLowerCase()) ||
    rules.allowedOrigins.includes(`${scheme}://*`)
  );
}

/** Lets a page of an allowed origin read the answer, including refusals. */
export function shareWithOrigin(
  request: IncomingMessage,
  response: ServerResponse,
  rules: AccessRules,
): void {
  const { origin } = request.headers;
  if (origin === undefined || !isAllowedOrigin(origin, rules)) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-expose-headers', 'www-authenticate');
  response.setHeader('vary', 'origin');
}

/**
 * Answers a browser that asks whether a page may send a request.
 *
 * @throws {HttpRefusal} if it may not.
 */
export function answerPreflight(
  request: IncomingMessage,
  response: ServerResponse,
  rules: AccessRules,
): void {
  const { origin } = request.headers;
  if (origin === undefined || !isAllowedOrigin(origin, rules)) {
    throw new HttpRefusal(403, 'This Origin is not allowed.');
  }
  shareWithOrigin(request, response, rules);
  response.setHeader('access-control-allow-methods', 'POST');
  response.setHeader(
    'access-control-allow-headers',
    'authorization, content-type, mcp-method, mcp-name, mcp-protocol-version, mcp-session-id, x-fini-api-key',
  );
  response.writeHead(204).end();
}

/**
 * Reads the workspace key that a client brings; undefined if it uses the server's.
 *
 * @throws {HttpRefusal} if it is not a key.
 */
export function apiKeyOf(request: IncomingMessage): string | undefined {
  const header = request.headers['x-fini-api-key'];
  if (header === undefined) return undefined;
  const key = apiKeySchema.safeParse(header);
  if (key.success) return key.data;
  const faults = key.error.issues.map(({ message }) => message).join('; ');
  throw new HttpRefusal(400, `X-Fini-Api-Key is not a key: it ${faults}.`);
}

/** A short hash of something that must not be logged itself. */
export function shortHash(text: string): string {
  return digest(text).toString('hex').slice(0, 8);
}

/** True if two texts are the same. Comparing digests takes a time that does not depend on them. */
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
