import type { IncomingMessage, ServerResponse } from 'node:http';
import { isUnexpanded } from '../config.ts';
import type { Log } from '../log.ts';
import type { ProxySettings } from '../proxies.ts';
import { toolsFor } from '../tools/listed-tools.ts';
import type { ServerKind } from '../tools/tool.ts';
import type { AccessToken, AccessTokens } from './access-token.ts';
import { answerJson, HttpRefusal } from './http-refusal.ts';
import { fieldOf } from './messages.ts';

/** The sender of a request, according to the access token. */
export interface Caller {
  /** The person, together with the issuer. */
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly token: string;
}

/** The settings of a sign-in. */
export interface SignIn {
  readonly oauthIssuer?: string | undefined;
  /** The audiences of which tokens must have one in `aud`; by default, the public URL. */
  readonly oauthAudiences?: readonly string[] | undefined;
  /** The scope that every request needs. */
  readonly oauthReadScope: string;
  /** The additional scope for tools that do more than read. */
  readonly oauthWriteScope: string;
  /** A prefix of scopes as clients ask for them, which tokens leave out. */
  readonly oauthScopePrefix: string;
}

/** The parts of a resource server. */
export interface ResourceServerOptions extends SignIn, ServerKind, ProxySettings {
  readonly oauthIssuer: string;
  /** Returns the URL at which clients reach the endpoint. It is known once the server listens. */
  readonly url: () => string;
  readonly log: Log;
}

/** The path of a protected resource's metadata (RFC 9728), before the resource's own path. */
export const METADATA_PATH = '/.well-known/oauth-protected-resource';
const RETRY_AFTER_SECONDS = '5';

/**
 * The server as an OAuth resource server: it checks the access tokens of an issuer and tells clients
 * where to get them (RFC 6750, RFC 9728, MCP's authorization).
 */
export class ResourceServer {
  readonly #options: ResourceServerOptions;
  /** Every scope that a client may ask for, as it asks. One that asks for fewer is never shown the rest. */
  readonly #scopes: readonly string[];
  /** The listed tools that need the write scope. */
  readonly #writers: ReadonlySet<string>;
  #tokens: Promise<AccessTokens> | undefined;

  constructor(options: ResourceServerOptions) {
    this.#options = options;
    const { oauthReadScope, oauthWriteScope, oauthScopePrefix } = options;
    const writers = toolsFor(options).filter(({ kind }) => kind !== 'reads');
    this.#writers = new Set(writers.map(({ name }) => name));
    const scopes = new Set(
      writers.length > 0 ? [oauthReadScope, oauthWriteScope] : [oauthReadScope],
    );
    this.#scopes = [...scopes].map((scope) => `${oauthScopePrefix}${scope}`);
  }

  /**
   * Identifies the sender of a request.
   *
   * @throws {HttpRefusal} if the token is missing, wrong or insufficient, or cannot be checked now.
   */
  async authorize({ headers: { authorization } }: IncomingMessage): Promise<Caller> {
    const { oauthIssuer, oauthReadScope } = this.#options;
    if (authorization === undefined || !/^Bearer( |$)/i.test(authorization)) {
      const why = `An access token is missing: every request needs "Authorization: Bearer" with one of ${oauthIssuer}. A client that supports MCP's authorization signs in by itself.`;
      throw this.#challenge(401, why);
    }
    const token = /^Bearer +([\w.~+/-]+=*) *$/i.exec(authorization)?.[1];
    if (token === undefined) {
      const given = authorization.replace(/^Bearer */i, '').trimEnd();
      const what = isUnexpanded(given) ? 'an unexpanded variable' : 'malformed';
      throw this.#invalid(`The token is ${what}.`);
    }
    const { subject, scopes } = await this.#read(token);
    if (!scopes.includes(oauthReadScope)) {
      throw this.#insufficient(`The token lacks the scope ${oauthReadScope}.`);
    }
    return { subject: `${oauthIssuer} ${subject}`, scopes, token };
  }

  /**
   * Lets messages pass if the caller has the scopes for them.
   *
   * @param body A message, or a batch of them.
   * @throws {HttpRefusal} so that the client can ask the person for more.
   */
  checkScopes({ scopes }: Caller, body: unknown): void {
    const { oauthWriteScope } = this.#options;
    if (scopes.includes(oauthWriteScope)) return;
    for (const message of Array.isArray(body) ? body : [body]) {
      if (fieldOf(message, 'method') !== 'tools/call') continue;
      const name = fieldOf(fieldOf(message, 'params'), 'name');
      if (typeof name !== 'string' || !this.#writers.has(name)) continue;
      const id = fieldOf(message, 'id');
      const known = typeof id === 'string' || typeof id === 'number' ? id : undefined;
      throw this.#insufficient(`${name} needs the scope ${oauthWriteScope}.`, known);
    }
  }

  /** Tells clients where to get a token (RFC 9728). Any page may read it. */
  answerMetadata(request: IncomingMessage, response: ServerResponse): void {
    response.setHeader('access-control-allow-origin', '*');
    if (request.method === 'OPTIONS') {
      response.setHeader('access-control-allow-methods', 'GET');
      response.setHeader('access-control-allow-headers', '*');
      response.writeHead(204).end();
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      const headers = { allow: 'GET, HEAD' };
      throw new HttpRefusal(405, 'There is only GET here.', { headers });
    }
    const { oauthIssuer, url } = this.#options;
    answerJson(response, 200, {
      resource: url(),
      authorization_servers: [oauthIssuer],
      scopes_supported: this.#scopes,
      bearer_methods_supported: ['header'],
      resource_name: 'Fini',
    });
  }

  async #read(token: string): Promise<AccessToken> {
    this.#tokens ??= this.#load();
    const tokens = await this.#tokens;
    const read = await tokens.read(token);
    if (read === 'unavailable') {
      const why = `The keys of the identity provider ${this.#options.oauthIssuer} cannot be read now, so no token can be checked. Try again later. The server's log has the reason.`;
      throw new HttpRefusal(503, why, { headers: { 'retry-after': RETRY_AFTER_SECONDS } });
    }
    if ('fault' in read) throw this.#invalid(read.fault);
    return read;
  }

  async #load(): Promise<AccessTokens> {
    const { AccessTokens } = await import('./access-token.ts');
    const { oauthIssuer: issuer, oauthAudiences, url, log, ...proxy } = this.#options;
    const own = url();
    // People and providers write a URL with or without a trailing slash.
    const audiences = oauthAudiences ?? [own, `${own}/`];
    return new AccessTokens({ issuer, audiences, proxy, log });
  }

  #invalid(why: string): HttpRefusal {
    return this.#challenge(401, `${why} Sign in again.`, { error: 'invalid_token', why });
  }

  #insufficient(why: string, id?: string | number): HttpRefusal {
    const text = `${why} Sign in again with that scope.`;
    return this.#challenge(403, text, { error: 'insufficient_scope', why, id });
  }

  #challenge(
    status: 401 | 403,
    text: string,
    details?: { error: string; why: string; id?: string | number | undefined },
  ): HttpRefusal {
    const parameters = {
      realm: 'fini-mcp',
      ...(details !== undefined && { error: details.error, error_description: details.why }),
      scope: this.#scopes.join(' '),
      resource_metadata: metadataUrlOf(this.#options.url()),
    };
    const list = Object.entries(parameters).map(([name, value]) => `${name}="${value}"`);
    const headers = { 'www-authenticate': `Bearer ${list.join(', ')}` };
    return new HttpRefusal(status, text, { headers, id: details?.id, reason: details?.why });
  }
}

/** The URL of a resource's metadata: RFC 9728 inserts its path before the resource's own. */
function metadataUrlOf(url: string): string {
  const { origin } = new URL(url);
  return `${origin}${METADATA_PATH}${pathnameOf(url)}`;
}

/** The path of a URL, without a trailing slash. */
export function pathnameOf(url: string): string {
  return new URL(url).pathname.replace(/\/$/, '');
}
