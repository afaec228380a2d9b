import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

/** Who may ask, and under which names. */
export interface AccessRules {
  /** The token that every request must bring; undefined where none is set. */
  readonly authToken?: string | undefined;
  /** Host names, beside the loopback ones, that a request's `Host` may have. */
  readonly allowedHosts: readonly string[];
  /** Origins, beside the loopback ones, that a request's `Origin` may have. */
  readonly allowedOrigins: readonly string[];
}

/** Why a request is turned away. */
export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly headers?: Record<string, string>;
}

/** Whether a host name means this machine alone. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i.test(hostname);
}

/** Whether an address to listen on stands for all that the machine has, and so is nobody's name. */
export function isWildcard(host: string): boolean {
  return /^(0\.0\.0\.0|\[::\])$/.test(nameOf(host) ?? '');
}

/** An address or a name to listen on, as a request names it. */
export function nameOf(host: string): string | null {
  return hostnameOf(`http://${host.includes(':') ? `[${host}]` : host}`);
}

/**
 * Why a request may not come in; null where it may. `Host` and `Origin` are checked since a web
 * page in somebody's browser can reach a server on loopback (DNS rebinding), the token since
 * anything else can too.
 */
export function refuse(request: IncomingMessage, rules: AccessRules): Refusal | null {
  const host = hostnameOf(`http://${request.headers.host ?? ''}`);
  if (host === null || !(isLoopback(host) || rules.allowedHosts.includes(host))) {
    return {
      status: 403,
      message: 'This Host is not allowed; the server must be started with --allowed-host for it.',
    };
  }
  const { origin } = request.headers;
  if (origin !== undefined && !isAllowedOrigin(origin, rules)) {
    return {
      status: 403,
      message:
        'This Origin is not allowed; the server must be started with --allowed-origin for it.',
    };
  }
  if (rules.authToken === undefined) return null;
  const given = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '')?.[1];
  if (given !== undefined && isSame(given, rules.authToken)) return null;
  const error = given === undefined ? '' : ', error="invalid_token"';
  const start = given === undefined ? 'The token is missing' : 'The token is wrong';
  return {
    status: 401,
    message: `${start}: every request needs "Authorization: Bearer" with the token that this server was started with (FINI_MCP_AUTH_TOKEN).`,
    headers: { 'www-authenticate': `Bearer realm="fini-mcp"${error}` },
  };
}

/** Whether pages of this origin may ask. */
export function isAllowedOrigin(origin: string, rules: AccessRules): boolean {
  const host = hostnameOf(origin);
  if (host === null) return false;
  // Any program can register a scheme of its own; only what a web server serves is a web page.
  const isLocalPage = /^https?:/i.test(origin) && isLoopback(host);
  const [scheme] = origin.toLowerCase().split('://');
  return (
    isLocalPage ||
    rules.allowedOrigins.includes(origin.toLowerCase()) ||
    rules.allowedOrigins.includes(`${scheme}://*`)
  );
}

/** A short name for something that must not be logged itself. */
export function shortHash(text: string): string {
  return digest(text).toString('hex').slice(0, 8);
}

/** Compared as digests, so that neither content nor length shows in the time that it takes. */
function isSame(given: string, expected: string): boolean {
  return timingSafeEqual(digest(given), digest(expected));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function hostnameOf(url: string): string | null {
  return URL.canParse(url) ? new URL(url).hostname.toLowerCase() || null : null;
}
