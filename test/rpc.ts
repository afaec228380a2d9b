import { once } from 'node:events';
import {
  type Agent,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
} from 'node:http';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import * as z from 'zod';
import { type Stops, startHttp, startStdio } from './harness.ts';

/* Clients without an SDK, which show every message and speak any protocol version. */

const message = z.looseObject({
  jsonrpc: z.literal('2.0'),
  id: z.union([z.int(), z.string(), z.null()]).optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.unknown()).optional(),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z.object({ code: z.int(), message: z.string(), data: z.unknown().optional() }).optional(),
});

/** A notification as received. */
export interface Notification {
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read parameters of many shapes.
  readonly params: any;
}

/** An answer to a request, with the notifications before it. */
export interface RpcAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: tests read results of many shapes.
  readonly result: any;
  readonly error: { code: number; message: string; data?: unknown } | undefined;
  /** The notifications before the answer; over HTTP, only those on the request's own stream. */
  readonly notifications: readonly Notification[];
}

/** A client without an SDK. */
export interface RpcClient {
  readonly request: (method: string, params?: object) => Promise<RpcAnswer>;
  readonly call: (name: string, input?: object) => Promise<RpcAnswer>;
}

/** Options for connecting. */
export interface RpcOptions {
  readonly protocolVersion?: string;
  readonly headers?: Record<string, string>;
}

/** The parameters of the first request of a client of 2025. */
export const initializeParams = (protocolVersion = '2025-06-18') => ({
  protocolVersion,
  capabilities: {},
  clientInfo: { name: 'raw', version: '1' },
});

/** The first message of a client of 2025. */
export const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: initializeParams(),
} as const;

/** The headers of every request over HTTP. */
export const JSON_HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
} as const;

/** An answer over HTTP. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/**
 * Sends one request. Unlike fetch, it can set Host and Origin. A server that listens on every address
 * is reached on loopback, since Windows cannot connect to 0.0.0.0.
 *
 * @param request.headers Headers beside the usual ones; undefined leaves one out.
 * @param request.body A message, or a text that may not be one.
 * @param request.path The path, if it is not the URL's.
 */
export async function send(
  url: string,
  {
    method = 'POST',
    headers = {},
    body,
    path,
    agent,
  }: {
    method?: string;
    headers?: Record<string, string | undefined>;
    body?: unknown;
    path?: string;
    agent?: Agent | undefined;
  } = {},
): Promise<HttpAnswer> {
  const given = Object.entries({ ...JSON_HEADERS, ...headers });
  const request = httpRequest(url.replace('//0.0.0.0:', '//127.0.0.1:'), {
    method,
    headers: Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    ...(path !== undefined && { path }),
    ...(agent !== undefined && { agent }),
  });
  // A server that refuses early closes the connection while the rest is still being written.
  request.on('error', () => undefined);
  if (body === undefined) request.end();
  else request.end(typeof body === 'string' ? body : JSON.stringify(body));
  const [response]: IncomingMessage[] = await once(request, 'response');
  if (response === undefined) throw new Error('no response');
  const chunks: Buffer[] = [];
  response.on('data', (chunk: Buffer) => chunks.push(chunk));
  await Promise.race([once(response, 'end'), once(response, 'close')]);
  const { statusCode: status = 0 } = response;
  return { status, headers: response.headers, text: Buffer.concat(chunks).toString() };
}

/** A transport to a server. */
export type Way = 'stdio' | 'HTTP';
/** Every transport to a server. */
export const WAYS: readonly Way[] = ['stdio', 'HTTP'];

/** Starts a server in this process and returns a client; further clients come from `startHttp`. */
export async function connectRaw(
  way: Way,
  stops: Stops,
  environment: Record<string, string>,
  options: RpcOptions & { flags?: string[] } = {},
): Promise<RpcClient> {
  const { flags = [] } = options;
  if (way === 'stdio') return connectStdio(await startStdio(stops, environment, flags), options);
  const { url } = await startHttp(stops, environment, flags);
  return connectHttp(url, options);
}

/** The client's ends of a server's pipes. */
export interface Pipes {
  readonly stdin: Writable;
  readonly stdout: Readable;
}

/** A client that writes lines to a server's pipes, also such that no proper client would send. */
export class RawClient {
  readonly #pipes: Pipes;
  readonly #reader: Interface;
  readonly #messages: z.infer<typeof message>[] = [];
  /** The lines that the server has written. */
  readonly lines: string[] = [];

  constructor(pipes: Pipes) {
    this.#pipes = pipes;
    // A server that ends leaves the rest of its input unread, which is no fault.
    pipes.stdin.on('error', () => undefined);
    this.#reader = createInterface({ input: pipes.stdout });
    // Each pending answer adds a listener.
    this.#reader.setMaxListeners(0);
    this.#reader.on('line', (line) => this.lines.push(line));
  }

  /** Writes messages: texts as they are, objects as JSON-RPC. */
  send(...messages: (object | string)[]): void {
    const lines = messages.map((one) =>
      typeof one === 'string' ? one : JSON.stringify({ jsonrpc: '2.0', ...one }),
    );
    this.#pipes.stdin.write(lines.map((line) => `${line}\n`).join(''));
  }

  /** The lines that the server has written, each read as JSON-RPC. */
  messages(): readonly z.infer<typeof message>[] {
    const unread = this.lines.slice(this.#messages.length);
    this.#messages.push(...unread.map((line) => message.parse(JSON.parse(line))));
    return this.#messages;
  }

  /** Waits for the answer with this ID. */
  async answer(id: number | string): Promise<z.infer<typeof message>> {
    for (;;) {
      const found = this.messages().find((one) => one.id === id);
      if (found !== undefined) return found;
      await once(this.#reader, 'line');
    }
  }

  /** Sends `initialize`, with the ID 0. */
  async initialize(protocolVersion = '2025-06-18'): Promise<z.infer<typeof message>> {
    this.send({ id: 0, method: 'initialize', params: initializeParams(protocolVersion) });
    const answer = await this.answer(0);
    this.send({ method: 'notifications/initialized' });
    return answer;
  }
}

/** Connects a client over a server's pipes. */
export async function connectStdio(
  pipes: Pipes,
  { protocolVersion }: RpcOptions = {},
): Promise<RpcClient> {
  const raw = new RawClient(pipes);
  await raw.initialize(protocolVersion);
  let lastId = 0;
  let heard = raw.lines.length;
  return clientOf(async (method, params) => {
    lastId += 1;
    const id = lastId;
    raw.send({ id, method, params });
    const answer = await raw.answer(id);
    const messages = raw.messages().slice(heard);
    heard += messages.length;
    return answerOf(answer, messages);
  });
}

/** Connects a client over HTTP. */
export async function connectHttp(
  url: string,
  { protocolVersion = '2025-06-18', headers = {} }: RpcOptions = {},
): Promise<RpcClient> {
  const sent: Record<string, string> = { ...JSON_HEADERS, ...headers };
  let lastId = 0;
  const post = async (body: object) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: sent,
      body: JSON.stringify({ jsonrpc: '2.0', ...body }),
    });
    return { response, text: await response.text() };
  };
  const request = async (method: string, params: object) => {
    lastId += 1;
    const own = lastId;
    const { response, text } = await post({ id: own, method, params });
    const messages = text
      .split('\n')
      .filter((line) => line.startsWith('data: {'))
      .map((line) => message.parse(JSON.parse(line.slice('data: '.length))));
    const last = messages.find(({ id }) => id === own);
    if (last === undefined) throw new Error(`no answer: HTTP ${response.status} ${text}`);
    return answerOf(last, messages);
  };
  await request('initialize', initializeParams(protocolVersion));
  await post({ method: 'notifications/initialized' });
  // The protocol has this header since 2025-06-18.
  if (protocolVersion >= '2025-06-18') sent['mcp-protocol-version'] = protocolVersion;
  return clientOf(request);
}

function clientOf(request: (method: string, params: object) => Promise<RpcAnswer>): RpcClient {
  return {
    request: (method, params = {}) => request(method, params),
    call: (name, input = {}) => request('tools/call', { name, arguments: input }),
  };
}

function answerOf(
  { result, error }: z.infer<typeof message>,
  heard: readonly z.infer<typeof message>[],
): RpcAnswer {
  const notifications = heard.flatMap(({ method, params }) =>
    method === undefined ? [] : [{ method, params }],
  );
  return { result, error, notifications };
}
