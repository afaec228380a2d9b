import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { livedInAgents, livedInKnowledge, livedInSources } from './lived-in.ts';
import { RateLimit } from './rate-limit.ts';
import { providers, RefusedRequest } from './requests.ts';
import { type ApiAnswer, errorAnswer, sendAnswer } from './sandbox-answer.ts';
import type { SandboxArticle } from './sandbox-article.ts';
import type { SandboxDocument } from './sandbox-document.ts';
import { knownFolders } from './sandbox-folders.ts';
import {
  type KnowledgeSettings,
  type SandboxAgent,
  SandboxKnowledge,
} from './sandbox-knowledge.ts';
import { type ApiRoute, apiRoutes, type KeyScope } from './sandbox-routes.ts';
import { SandboxWorkspace, type WorkspaceSettings } from './sandbox-workspace.ts';
import { Schedule } from './schedule.ts';

export type { SandboxArticle } from './sandbox-article.ts';
export type { SandboxDocument } from './sandbox-document.ts';
export type { KeyScope } from './sandbox-routes.ts';
export type { JobScript } from './sandbox-workspace.ts';

/** Options of a sandbox. */
export type SandboxOptions = Partial<WorkspaceSettings & KnowledgeSettings> & {
  /** The valid keys and their scopes; by default one with both scopes, and one with each. */
  keys?: Record<string, KeyScope[]>;
  /** List parameters that this API silently ignores; none by default. */
  ignoredFilters?: readonly string[];
  /** Maximum number of requests of one key in any 60 s; 100 by default, `Infinity` for no limit. */
  requestsPerMinute?: number;
  /** The Retry-After of a 429 for that limit: in seconds (the default) or none. */
  retryAfter?: 'seconds' | 'none';
  /** The workspace's initial content: none (the default), or the result of a year of use. */
  content?: 'empty' | 'lived-in';
  /** True for a folder tree, without which nothing can be generated; by default, if it is lived-in. */
  folders?: boolean;
  /** The agents; by default two if it is lived-in, otherwise none. */
  agents?: readonly SandboxAgent[];
  /** Called first with each request within the limit. Returns true if it answers the request itself. */
  intercept?: (interception: Interception) => boolean;
};

/** A request, with the means to answer it in another way than the API. */
export type Interception = {
  request: RecordedRequest;
  response: ServerResponse;
  /** Carries out the request, at another path if given, and returns the API's answer. */
  carryOut: (path?: string) => ApiAnswer;
};

const DEFAULT_KEYS: Record<string, KeyScope[]> = {
  fini_sandbox: ['read', 'write'],
  fini_sandbox_read: ['read'],
  fini_sandbox_write: ['write'],
};

/** A request as received. */
export type RecordedRequest = {
  /** HTTP method in capitals. */
  method: string;
  /** The path with its query. */
  path: string;
  /** The JSON body; null if there is none or it is not JSON. */
  body: unknown;
  /** The `Authorization` header. */
  authorization: string | null;
  /** Time at which it was received completely, in milliseconds since 1970 by the sandbox's clock. */
  at: number;
  /** The HTTP status of the API's answer, even if the client never received it; null until then. */
  status: number | null;
};

/** A running sandbox. */
export type Sandbox = {
  /** Base URL, without a trailing slash. */
  url: string;
  /** A key with both scopes, or the first one if none has both. */
  apiKey: string;
  /** Every request in the order of arrival. */
  requests: RecordedRequest[];
  /** Every record as it is now. */
  documents: () => SandboxDocument[];
  /** Adds a record: an ingested web page, except for the given fields. */
  addDocument: (given: Partial<SandboxDocument>) => SandboxDocument;
  /** Every article as it is now, live ones and drafts. */
  articles: () => SandboxArticle[];
  /** Adds an article: a live one, except for the given fields; a draft with `isDraftPublished: false`. */
  addArticle: (given: Partial<SandboxArticle>) => SandboxArticle;
  /** The number of open sockets. */
  connections: () => number;
  /** Ends the sandbox at once, with its open sockets. */
  close: () => Promise<void>;
};

/** Starts an embedded Fini on loopback that behaves as the API's contract says. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const {
    keys = DEFAULT_KEYS,
    ignoredFilters = [],
    requestsPerMinute = 100,
    retryAfter = 'seconds',
    content = 'empty',
    folders = content === 'lived-in',
    agents,
    intercept = () => false,
    ...given
  } = options;
  const settings: WorkspaceSettings & KnowledgeSettings = {
    pendingMs: 400,
    workingMs: 900,
    parallelJobs: 8,
    lingerMs: 300,
    maximumLimit: 100,
    connectedProviders: providers,
    now: Date.now,
    jobs: () => undefined,
    knowledgeJobs: () => undefined,
    knowledgeRewritesJobs: false,
    ...given,
  };
  const schedule = new Schedule();
  const advance = () => schedule.advance(settings.now());
  const isLivedIn = content === 'lived-in';
  const workspace = new SandboxWorkspace(settings, schedule);
  const documents = isLivedIn ? livedInSources(settings.now()) : [];
  for (const document of documents) workspace.addDocument(document);
  const knowledge = new SandboxKnowledge(
    settings,
    schedule,
    workspace,
    livedInKnowledge(documents, folders ? knownFolders : []),
    agents ?? (isLivedIn ? livedInAgents(settings.now()) : []),
  );
  const routes = apiRoutes(workspace, knowledge, settings, ignoredFilters);
  const rateLimit = new RateLimit(requestsPerMinute);
  const requests: RecordedRequest[] = [];
  const sockets = new Set<Socket>();

  const handle = async (message: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url: path = '/' } = message;
    const { authorization = null } = message.headers;
    const body = await jsonBody(message);
    const at = settings.now();
    const request: RecordedRequest = {
      method,
      path,
      body: body ?? null,
      authorization,
      at,
      status: null,
    };
    requests.push(request);
    // Node's own `Date` would not follow a clock that was passed in.
    response.setHeader('date', new Date(at).toUTCString());
    const secondsLeft = rateLimit.take(authorization ?? '', at);
    if (secondsLeft !== null) {
      request.status = 429;
      if (retryAfter === 'seconds') response.setHeader('retry-after', secondsLeft);
      sendAnswer(response, errorAnswer(429, 'Too Many Requests'));
      return;
    }
    const carryOut = (target = path): ApiAnswer => {
      advance();
      const answer = answerOf(routes, keys, { method, path: target, body, authorization });
      request.status = answer.status;
      return answer;
    };
    if (!intercept({ request, response, carryOut })) sendAnswer(response, carryOut());
  };

  const server = createServer((message, response) => {
    // The client disconnected while the answer was being written, so no one is left to tell.
    response.on('error', () => response.destroy());
    handle(message, response).catch((error: unknown) => {
      // Either the client disconnected in mid-request, or the sandbox has a bug, which must show.
      if (response.headersSent) response.destroy();
      else sendAnswer(response, errorAnswer(500, String(error)));
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const names = Object.keys(keys);

  return {
    url: `http://127.0.0.1:${port}`,
    apiKey: names.find((name) => keys[name]?.length === 2) ?? names[0] ?? '',
    requests,
    documents: () => {
      advance();
      return workspace.documents();
    },
    addDocument: (fields) => workspace.addDocument(fields),
    articles: () => {
      advance();
      return knowledge.articles();
    },
    addArticle: (fields) => knowledge.addArticle(fields),
    connections: () => [...sockets].filter((socket) => !socket.destroyed).length,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

function answerOf(
  routes: ApiRoute[],
  keys: Record<string, KeyScope[]>,
  request: Pick<RecordedRequest, 'method' | 'path' | 'authorization' | 'body'>,
): ApiAnswer {
  const { method, path, authorization, body } = request;
  const url = new URL(path, 'http://sandbox');
  const route = routes.find((one) => one.method === method && one.path.test(url.pathname));
  if (!route) return errorAnswer(404, `Cannot ${method} ${url.pathname}`);
  const [, key = ''] = /^Bearer (fini_\S+)$/.exec(authorization ?? '') ?? [];
  const scopes = Object.hasOwn(keys, key) ? keys[key] : undefined;
  if (!scopes) return errorAnswer(401, key ? 'Invalid API key' : 'Missing or malformed API key');
  if (!scopes.includes(route.scope)) {
    return errorAnswer(403, `API key is missing the required \`${route.scope}\` scope`);
  }
  if (method !== 'GET' && body === undefined) return errorAnswer(400, 'Invalid request body');
  const input = method === 'GET' ? Object.fromEntries(url.searchParams) : body;
  const [, variable = ''] = route.path.exec(url.pathname) ?? [];
  try {
    return { status: 200, body: route.answer(input, variable) };
  } catch (error) {
    if (error instanceof RefusedRequest) return errorAnswer(error.status, error.detail);
    throw error;
  }
}

/** The body; undefined if it is not JSON or not declared as such. */
async function jsonBody(message: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  if (!message.headers['content-type']?.startsWith('application/json')) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}
