import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { SandboxArticle } from './articles.ts';
import type { SandboxDocument } from './documents.ts';
import {
  type Answer,
  act,
  errorAnswer,
  type Fault,
  type FaultAction,
  FaultScript,
  send,
} from './faults.ts';
import { knownFolders } from './folders.ts';
import { type KnowledgeSettings, type SandboxAgent, SandboxKnowledge } from './knowledge.ts';
import { knowledgeRoutes } from './knowledge-routes.ts';
import { livedIn } from './lived-in.ts';
import { livedInKnowledge } from './lived-in-knowledge.ts';
import { RateLimit } from './rate-limit.ts';
import { providers, RefusedRequest } from './requests.ts';
import type { Route, Scope } from './route.ts';
import { SandboxWorkspace, type WorkspaceSettings } from './sandbox-workspace.ts';
import { Schedule } from './schedule.ts';
import { sourceRoutes } from './source-routes.ts';

export type { SandboxArticle } from './articles.ts';
export type { SandboxDocument } from './documents.ts';
export type { Fault, FaultAction } from './faults.ts';
export type { KnowledgeJobScript, KnowledgeSettings, SandboxAgent } from './knowledge.ts';
export type { Scope } from './route.ts';
export type { JobScript, WorkspaceSettings } from './sandbox-workspace.ts';

/** What a sandbox can be started with. */
export type SandboxOptions = Partial<WorkspaceSettings & KnowledgeSettings> & {
  /** Port to listen at on 127.0.0.1; default 0, any free one. */
  port?: number;
  /** The keys there are and their scopes; see `defaultKeys`. */
  keys?: Record<string, Scope[]>;
  /** List parameters that this API ignores without a word; default none. */
  ignoredFilters?: readonly string[];
  /** How many requests of one key it takes in any 60 s, by its clock; default 100, `Infinity` for any number. */
  requestsPerMinute?: number;
  /** Whether a 429 because of that says when to come back, in seconds (the default). */
  retryAfter?: 'seconds' | 'none';
  /** What the workspace begins with: nothing (the default), or what a year of use leaves behind. */
  content?: 'empty' | 'lived-in';
  /** Whether the workspace has a folder tree, without which nothing can be generated; default: if it is lived-in. */
  folders?: boolean;
  /** The agents; default: two if it is lived-in, and else none. */
  agents?: readonly SandboxAgent[];
};

/** The keys of a sandbox that was given none: both scopes, and each alone. */
export const defaultKeys: Record<string, Scope[]> = {
  fini_sandbox: ['read', 'write'],
  fini_sandbox_read: ['read'],
  fini_sandbox_write: ['write'],
};

/** A request as it came in. */
export type RecordedRequest = {
  /** HTTP method in capitals. */
  method: string;
  /** Path with its query. */
  path: string;
  /** The JSON body; null where there is none or it is not JSON. */
  body: unknown;
  /** The `Authorization` header. */
  authorization: string | null;
  /** When it had come in whole, in milliseconds since 1970 by the sandbox's clock. */
  at: number;
  /** What a script did to it; null where it was answered as it should be. */
  fault: FaultAction | null;
  /**
   * The HTTP status of carrying it out, also where that never reached the client, or of turning it
   * away for the limit; null until then.
   */
  status: number | null;
};

/** A running sandbox. */
export type Sandbox = {
  /** Base URL, without a trailing slash. */
  url: string;
  /** A key with both scopes, or the first one where none has both. */
  apiKey: string;
  /** Every request in the order of arrival, those that a fault befell too. */
  requests: RecordedRequest[];
  /** Scripts faults, behind those already there. */
  script: (...faults: Fault[]) => void;
  /** Forgets all faults. */
  clearFaults: () => void;
  /** Every record as it is now. */
  documents: () => SandboxDocument[];
  /** Adds a record: an ingested web page, but for what is given. */
  addDocument: (given: Partial<SandboxDocument>) => SandboxDocument;
  /** Every article as it is now, live ones and drafts. */
  articles: () => SandboxArticle[];
  /** Adds an article: a live one, but for what is given, and a draft with `isDraftPublished: false`. */
  addArticle: (given: Partial<SandboxArticle>) => SandboxArticle;
  /** How many sockets are open now. */
  connections: () => number;
  /** Ends it at once, with its open sockets. */
  close: () => Promise<void>;
};

/** Starts an embedded Fini on loopback that behaves as the API's contract says. */
export async function startSandbox(options: SandboxOptions = {}): Promise<Sandbox> {
  const {
    port = 0,
    keys = defaultKeys,
    ignoredFilters = [],
    content = 'empty',
    requestsPerMinute = 100,
    retryAfter = 'seconds',
    folders = content === 'lived-in',
    agents,
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
  const workspace = new SandboxWorkspace(settings, schedule);
  const documents = content === 'lived-in' ? livedIn(settings.now()) : [];
  for (const document of documents) workspace.addDocument(document);
  const initial = livedInKnowledge(documents, folders ? knownFolders : [], settings.now());
  const knowledge = new SandboxKnowledge(settings, schedule, workspace, {
    ...initial,
    agents: agents ?? (content === 'lived-in' ? initial.agents : []),
  });
  const routes = [
    ...sourceRoutes(workspace, knowledge, settings, ignoredFilters),
    ...knowledgeRoutes(knowledge),
  ];
  const faults = new FaultScript();
  const rateLimit = new RateLimit(requestsPerMinute);
  const requests: RecordedRequest[] = [];
  const sockets = new Set<Socket>();

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url: path = '/' } = request;
    const { authorization = null } = request.headers;
    const body = await readJson(request);
    const at = settings.now();
    const secondsLeft = rateLimit.take(authorization ?? '', at);
    // A request that is turned away for the limit is not one that a fault could befall.
    const fault = secondsLeft === null ? (faults.take(method, path) ?? null) : null;
    const record: RecordedRequest = {
      ...{ method, path, body: body ?? null, authorization, at, fault },
      status: null,
    };
    requests.push(record);
    // Node's own `Date` would not follow a clock that was passed in.
    response.setHeader('date', new Date(at).toUTCString());
    const carryOut = (target = path): Answer => {
      advance();
      const answer = answerOf(routes, keys, { method, path: target, body, authorization });
      record.status = answer.status;
      return answer;
    };
    if (secondsLeft !== null) {
      const answer = errorAnswer(429, 'Too Many Requests');
      record.status = answer.status;
      if (retryAfter === 'seconds') response.setHeader('retry-after', secondsLeft);
      send(response, answer);
    } else if (fault) act(fault, path, response, carryOut);
    else send(response, carryOut());
  };

  const server = createServer((request, response) => {
    // Writing to a client that has gone: nobody is left to tell.
    response.on('error', () => response.destroy());
    handle(request, response).catch((error: unknown) => {
      // Either the client went away in mid-request, or the sandbox has a bug, which must show.
      if (response.headersSent) response.destroy();
      else send(response, errorAnswer(500, String(error)));
    });
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  const boundPort = typeof address === 'object' && address !== null ? address.port : port;
  const names = Object.keys(keys);

  return {
    url: `http://127.0.0.1:${boundPort}`,
    apiKey: names.find((name) => keys[name]?.length === 2) ?? names[0] ?? '',
    requests,
    script: (...added) => faults.add(added),
    clearFaults: () => faults.clear(),
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
  routes: Route[],
  keys: Record<string, Scope[]>,
  request: Pick<RecordedRequest, 'method' | 'path' | 'authorization' | 'body'>,
): Answer {
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
  const [, parameter = ''] = route.path.exec(url.pathname) ?? [];
  const query = Object.fromEntries(url.searchParams);
  try {
    return { status: 200, body: route.answer({ parameter, query, body }) };
  } catch (error) {
    if (error instanceof RefusedRequest) return errorAnswer(error.status, error.detail);
    throw error;
  }
}

/** The body; undefined where it is not JSON, or not said to be. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  if (!request.headers['content-type']?.startsWith('application/json')) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}
