import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import * as z from 'zod';
import { CLI, type Stops, startHttp } from './harness.ts';

/* Clients without an SDK, which show every message and speak any protocol version. */

const message = z.looseObject({
  jsonrpc: z.literal('2.0'),
  id: z.int().optional(),
  method: z.string().optional(),
  params: z.record(z.string(), z.unknown()).optional(),
  result: z.unknown().optional(),
  error: z.unknown().optional(),
});

/** A notification as it came in. */
export interface Notification {
  readonly method: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read parameters of many shapes.
  readonly params: any;
}

/** An answer to a request, with what the server said meanwhile. */
export interface RpcAnswer {
  // biome-ignore lint/suspicious/noExplicitAny: tests read results of many shapes.
  readonly result: any;
  readonly error: { code: number; message: string; data?: unknown } | undefined;
  /** Over HTTP those on the request's own stream alone. */
  readonly notifications: readonly Notification[];
}

/** A client without an SDK. */
export interface RpcClient {
  readonly request: (method: string, params?: object) => Promise<RpcAnswer>;
  readonly call: (name: string, input?: object) => Promise<RpcAnswer>;
}

/** How to connect. */
export interface RpcOptions {
  readonly protocolVersion?: string;
  readonly headers?: Record<string, string>;
}

const initializeParams = (protocolVersion: string) => ({
  protocolVersion,
  capabilities: {},
  clientInfo: { name: 'raw', version: '1' },
});

/** How a built server is reached. */
export type Way = 'stdio' | 'HTTP with sessions' | 'stateless HTTP';
/** Every way in which a built server is reached. */
export const WAYS: readonly Way[] = ['stdio', 'HTTP with sessions', 'stateless HTTP'];

/** Starts the built server and gives a client of it; more clients come from `startHttp`. */
export async function connectRaw(
  way: Way,
  stops: Stops,
  environment: Record<string, string>,
  options: RpcOptions & { flags?: string[] } = {},
): Promise<RpcClient> {
  const { flags = [] } = options;
  if (way === 'stdio') return connectStdio(stops, environment, flags, options);
  const mode = way === 'stateless HTTP' ? ['--stateless'] : [];
  const { url } = await startHttp(stops, environment, [...mode, ...flags]);
  return connectHttp(url, { ...options, isStateless: way === 'stateless HTTP' });
}

async function connectStdio(
  stops: Stops,
  environment: Record<string, string>,
  flags: string[],
  { protocolVersion = '2025-06-18' }: RpcOptions,
): Promise<RpcClient> {
  const child: ChildProcess = spawn(process.execPath, [CLI, ...flags], { env: environment });
  stops.add(() => child.kill('SIGKILL'));
  const waiting = new Map<number, (answer: z.infer<typeof message>) => void>();
  let heard: Notification[] = [];
  if (child.stdout === null) throw new Error('no stdout');
  createInterface({ input: child.stdout }).on('line', (line) => {
    const read = message.parse(JSON.parse(line));
    if (read.id !== undefined) waiting.get(read.id)?.(read);
    else if (read.method !== undefined) heard.push({ method: read.method, params: read.params });
  });
  const send = (body: object) =>
    child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...body })}\n`);
  let lastId = 0;
  const client = clientOf(async (method, params) => {
    lastId += 1;
    const id = lastId;
    send({ id, method, params });
    const { result, error } = await new Promise<z.infer<typeof message>>((resolve) =>
      waiting.set(id, resolve),
    );
    const notifications = heard;
    heard = [];
    return answerOf({ result, error }, notifications);
  });
  await client.request('initialize', initializeParams(protocolVersion));
  send({ method: 'notifications/initialized' });
  return client;
}

/** A client of a server over HTTP; without sessions, the header alone tells of its protocol. */
export async function connectHttp(
  url: string,
  {
    protocolVersion = '2025-06-18',
    headers = {},
    isStateless = false,
  }: RpcOptions & {
    isStateless?: boolean;
  } = {},
): Promise<RpcClient> {
  const sent: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...headers,
  };
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
    const session = response.headers.get('mcp-session-id');
    if (session !== null) sent['mcp-session-id'] = session;
    const messages = text
      .split('\n')
      .filter((line) => line.startsWith('data: {'))
      .map((line) => message.parse(JSON.parse(line.slice('data: '.length))));
    const last = messages.find(({ id }) => id === own);
    if (last === undefined) throw new Error(`no answer: HTTP ${response.status} ${text}`);
    const notifications = messages.flatMap(({ method, params }) =>
      method === undefined ? [] : [{ method, params }],
    );
    return answerOf(last, notifications);
  };
  if (!isStateless) {
    await request('initialize', initializeParams(protocolVersion));
    await post({ method: 'notifications/initialized' });
  }
  // The protocol had no such header before 2025-06-18.
  if (protocolVersion >= '2025-06-18' || (isStateless && protocolVersion !== '')) {
    sent['mcp-protocol-version'] = protocolVersion;
  }
  return clientOf(request);
}

function clientOf(request: (method: string, params: object) => Promise<RpcAnswer>): RpcClient {
  return {
    request: (method, params = {}) => request(method, params),
    call: (name, input = {}) => request('tools/call', { name, arguments: input }),
  };
}

function answerOf(
  { result, error }: { result?: unknown; error?: unknown },
  notifications: readonly Notification[],
): RpcAnswer {
  const fault = z
    .object({ code: z.int(), message: z.string(), data: z.unknown().optional() })
    .optional();
  return { result, error: fault.parse(error), notifications };
}
