import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Summary, summarize } from './access-log.ts';
import {
  type AccessRules,
  answerPreflight,
  apiKeyOf,
  checkAccess,
  shareWithOrigin,
  shortHash,
} from './http-access.ts';
import { UnderWayBound, UnreadBound } from './http-limits.ts';
import { HttpRefusal, noRoom } from './http-refusal.ts';
import { opensSession, readAccept, readBody, readJson } from './http-request.ts';
import type { McpRequest, McpServers } from './mcp-servers.ts';
import { ModernHttp } from './modern-http.ts';
import type { ResourceServer } from './oauth.ts';
import { Sessions, type SessionsOptions } from './sessions.ts';
import { serveStateless } from './stateless.ts';

/** How clients are served. */
export interface McpEndpointOptions extends SessionsOptions {
  readonly rules: AccessRules;
  /** Checks who asks, where there is a sign-in. */
  readonly oauth: ResourceServer | undefined;
  /** No sessions: any replica can answer any request. */
  readonly stateless: boolean;
  /** Told of each client that is let go since it did not read. */
  readonly onLetGo: () => void;
}

const METHODS = ['GET', 'POST', 'DELETE'];

/** MCP's Streamable HTTP: lets a request in, reads it, and passes it on as its client's era needs. */
export class McpEndpoint {
  readonly #servers: McpServers;
  readonly #options: McpEndpointOptions;
  readonly #sessions: Sessions;
  readonly #modern: ModernHttp;
  readonly #underWay = new UnderWayBound();
  readonly #unread: UnreadBound;
  #running = 0;

  constructor(servers: McpServers, options: McpEndpointOptions) {
    this.#servers = servers;
    this.#options = options;
    const hasSignIn = options.oauth !== undefined;
    this.#sessions = new Sessions(servers, { ...options, hasSignIn });
    this.#modern = new ModernHttp(servers);
    this.#unread = new UnreadBound(options.onLetGo);
  }

  /** How many calls are running. */
  get running(): number {
    return this.#running;
  }

  /**
   * Answers a request, and adds what it asks for to the summary.
   *
   * @throws {HttpRefusal} where it is turned away.
   */
  async serve(request: IncomingMessage, response: ServerResponse, summary: Summary): Promise<void> {
    const { rules, oauth, stateless } = this.#options;
    if (request.method === 'OPTIONS') return answerPreflight(request, response, rules);
    // Before any refusal, so that a page that may ask can read why it was refused.
    shareWithOrigin(request, response, rules);
    checkAccess(request, rules);
    const caller = await oauth?.authorize(request);
    if (caller !== undefined) summary.subject = shortHash(caller.subject);
    checkMethod(
      request,
      METHODS,
      `There is no ${request.method} here, only ${METHODS.join(', ')}.`,
    );
    readAccept(request);
    const apiKey = apiKeyOf(request);
    if (stateless) {
      const why = 'This server keeps no sessions (--stateless), so there is only POST.';
      checkMethod(request, ['POST'], why);
    }
    this.#unread.watch(response);
    let body: unknown;
    if (request.method === 'POST') {
      const json = await readJson(request, this.#holdFor(caller?.subject ?? apiKey, response));
      Object.assign(summary, summarize(json));
      body = readBody(json);
      if (caller !== undefined) oauth?.checkScopes(caller, body);
    }
    await this.#pass({ request, response, apiKey, caller, body });
  }

  /** Opens no more sessions; those that run continue. */
  stop(): void {
    this.#sessions.stop();
  }

  /** Ends what runs. */
  async close(): Promise<void> {
    await this.#sessions.close();
    await this.#modern.close();
  }

  async #pass(given: McpRequest): Promise<void> {
    const { request, response, body } = given;
    if (request.method === 'POST') this.#countRunning(response);
    if (await this.#modern.isModern(given)) return this.#modern.serve(given);
    if (this.#options.stateless) return serveStateless(this.#servers, given);
    // A client that comes back after a restart, or with other rights, may name the session that it had.
    if (!this.#sessions.has(given) && opensSession(body)) return this.#sessions.open(given);
    return this.#sessions.continue(given);
  }

  #countRunning(response: ServerResponse): void {
    this.#running += 1;
    response.once('close', () => {
      this.#running -= 1;
    });
  }

  /** Holds room for a body of somebody, by subject or key, until its response has ended. */
  #holdFor(party: string | undefined, response: ServerResponse): (bytes: number) => void {
    let held = 0;
    response.once('close', () => this.#underWay.giveBack(party, held));
    return (bytes) => {
      if (!this.#underWay.take(party, bytes)) {
        const why =
          'Too much is under way at this server. Try again later, or pass fewer items at once.';
        throw noRoom(why);
      }
      held += bytes;
    };
  }
}

function checkMethod(request: IncomingMessage, methods: readonly string[], why: string): void {
  if (methods.includes(request.method ?? '')) return;
  throw new HttpRefusal(405, why, { headers: { allow: methods.join(', ') } });
}
