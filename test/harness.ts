import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer as createHttpServer, request as httpRequest } from 'node:http';
import { PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  ElicitRequestSchema,
  type JSONRPCMessage,
  type Progress,
} from '@modelcontextprotocol/sdk/types.js';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { vi } from 'vitest';
import * as z from 'zod';
import { readCommand } from '../src/command-line.ts';
import { type Config, TOOL_GROUPS } from '../src/config.ts';
import { createLog, type Log } from '../src/log.ts';
import { type HttpTimeouts, serveHttp } from '../src/mcp/http-server.ts';
import { createServer, guarded } from '../src/mcp/server.ts';
import { StdioTransport } from '../src/mcp/stdio.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../src/sandbox/sandbox-server.ts';
import { Secrets } from '../src/secrets.ts';
import { bounded, ERROR_LENGTH } from '../src/text.ts';
import { toolsFor } from '../src/tools/listed-tools.ts';
import { type NextCall, nextCallsSchema } from '../src/tools/next-calls.ts';
import type { ToolDependencies } from '../src/tools/tool.ts';
import { Workspaces } from '../src/workspace.ts';
import { type ScriptedSandbox, startScriptedSandbox } from './scripted-sandbox.ts';

/*
 * The server runs in the test's process, over memory (`startHarness`), pipes (`startStdio`) or HTTP
 * (`startHttp`), put together as in `src/main.ts`. Tests of the process itself, such as signals and
 * exit codes, use the built server: `startProcess` over stdio, `startHttpProcess` over HTTP.
 */

/** The built server, as users run it. */
export const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
/** True if a process can handle another one's signal; on Windows a signal ends it at once. */
export const HAS_SIGNALS = process.platform !== 'win32';
const CLIENT = { name: 'test', version: '1' };
/** The version of a server that runs in this process. */
const VERSION = '0.0.0';

/** A second of a call's time in this process, in milliseconds: long for a sandbox whose jobs take 50. */
export const SECOND_MS = 250;

/** A server, its sandbox Fini, and a client connected to the server. */
export interface Harness {
  readonly client: Client;
  readonly sandbox: ScriptedSandbox;
  /** The server's log so far. */
  readonly stderr: () => string;
  readonly call: (
    name: string,
    input?: Record<string, unknown>,
    options?: { onprogress?: (progress: Progress) => void; signal?: AbortSignal },
  ) => Promise<ToolAnswer>;
  readonly close: () => Promise<void>;
}

/** A tool's answer, taken apart. */
export interface ToolAnswer {
  readonly text: string;
  readonly isError: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: tests read structured content of many shapes.
  readonly structured: any;
  /** The calls that the answer proposes. An error has them in `_meta`. */
  readonly nextCalls: readonly NextCall[];
}

/** A test server's environment: the sandbox's address and key, and fast polling without a limit. */
export function environmentFor(sandbox: Sandbox): Record<string, string> {
  return {
    FINI_API_KEY: sandbox.apiKey,
    FINI_BASE_URL: sandbox.url,
    FINI_POLL_INTERVAL_MS: '20',
    FINI_REQUESTS_PER_MINUTE: '100000',
  };
}

/** A fast sandbox: its jobs end after some 50 ms, and it has no rate limit. */
const QUICK: SandboxOptions = {
  ...{ pendingMs: 20, workingMs: 30, lingerMs: 30 },
  requestsPerMinute: Number.POSITIVE_INFINITY,
};

/** Starts a sandbox whose jobs end after some 50 ms, unless the options say otherwise. */
export function startQuickSandbox(options: SandboxOptions = {}): Promise<ScriptedSandbox> {
  return startScriptedSandbox({ ...QUICK, ...options });
}

/** The parts of a server. */
interface Parts {
  readonly config: Config;
  readonly secrets: Secrets;
  readonly workspaces: Workspaces;
  readonly log: Log;
  /** The log so far. */
  readonly stderr: () => string;
}

/** Reads a command line that must be valid. */
export function configFor(
  flags: readonly string[],
  environment: Record<string, string> = {},
): Config {
  const command = readCommand(flags, environment);
  if (command.kind !== 'serve') throw new Error(JSON.stringify(command));
  return command.config;
}

function partsFor(config: Config): Parts {
  const lines: string[] = [];
  const secrets = new Secrets();
  return {
    config,
    secrets,
    workspaces: new Workspaces(config, secrets),
    log: createLog(config.logLevel, secrets, (line) => lines.push(line)),
    stderr: () => lines.join(''),
  };
}

function dependenciesOf({ workspaces, log }: Parts) {
  const lease = workspaces.lease();
  const dependencies: ToolDependencies = {
    workspace: lease.workspace,
    secondMs: SECOND_MS,
    // As long as the usual 50 seconds: no test waits for it, and a busy machine may need it.
    silentCallSeconds: 200,
    onUnexpectedError: (reference, error) =>
      log('error', 'failed unexpectedly', { reference, error: inspect(error) }),
  };
  return { lease, dependencies };
}

/** The configuration, which with `--sandbox` points to an embedded Fini that ends with the test. */
async function withSandbox(stops: Stops, config: Config): Promise<Config> {
  if (!config.sandbox) return config;
  const sandbox = stops.use(await startSandbox({ content: 'lived-in' }));
  return { ...config, baseUrl: sandbox.url, apiKey: sandbox.apiKey };
}

/** Parts of a harness to replace. */
export interface HarnessParts {
  readonly dependencies?: Partial<ToolDependencies>;
  readonly client?: Client;
  /** True to pass messages without copying, for inputs whose copying costs more than all the rest. */
  readonly asIs?: boolean;
}

/**
 * Starts a sandbox, and in this process a server and a client of the v1 SDK: fast, for tests of what
 * the server does. Tests of the process itself use {@link startProcess}.
 */
export async function startHarness(
  options: SandboxOptions = {},
  environment: Record<string, string> = {},
  flags: readonly string[] = [],
  { dependencies = {}, client = new Client(CLIENT), asIs = false }: HarnessParts = {},
): Promise<Harness> {
  const sandbox = await startQuickSandbox(options);
  const parts = partsFor(configFor(flags, { ...environmentFor(sandbox), ...environment }));
  const { lease, dependencies: usual } = dependenciesOf(parts);
  const server = createServer(VERSION, parts.config, { ...usual, ...dependencies });
  const [clientSide, serverSide] = InMemoryTransport.createLinkedPair();
  for (const side of asIs ? [] : [clientSide, serverSide]) overTheWire(side);
  await server.connect(guarded(serverSide, lease.secrets));
  const close = () => undefined;
  return connectHarness(sandbox, client, clientSide, { stderr: parts.stderr, close });
}

/** A server over stdio in this process, with the client's ends of its pipes. */
export interface StdioServer {
  readonly stdin: PassThrough;
  readonly stdout: PassThrough;
  readonly stderr: () => string;
}

/** Starts a server over stdio in this process. It ends with the test. */
export async function startStdio(
  stops: Stops,
  environment: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<StdioServer> {
  const parts = partsFor(await withSandbox(stops, configFor(flags, environment)));
  const { lease, dependencies } = dependenciesOf(parts);
  const [stdin, stdout] = [new PassThrough(), new PassThrough()];
  const transport = new StdioTransport({
    input: stdin,
    output: stdout,
    lastAnswersMs: 2_000,
    // The process must go on with its tests.
    onEnd: () => undefined,
  });
  serveStdio(() => createServer(VERSION, parts.config, dependencies), {
    transport: guarded(transport, lease.secrets),
    onerror: ({ message }) =>
      parts.log('error', 'protocol', {
        error: bounded(message.slice(0, ERROR_LENGTH + 1), ERROR_LENGTH),
      }),
  });
  stops.add(() => stdin.destroy());
  return { stdin, stdout, stderr: parts.stderr };
}

/** A server over HTTP. */
export interface HttpServer {
  readonly url: string;
  /** The server's log so far. */
  readonly stderr: () => string;
}

/** Starts a server over HTTP in this process, on a free port. It ends with the test. */
export async function startHttp(
  stops: Stops,
  environment: Record<string, string> = {},
  flags: readonly string[] = [],
  timeouts: Partial<HttpTimeouts> = {},
): Promise<HttpServer> {
  const config = configFor(['--http', '--port', '0', ...flags], environment);
  const parts = partsFor(await withSandbox(stops, config));
  const { workspaces, log, stderr } = parts;
  workspaces.lease();
  const options = { version: VERSION, workspaces, log, timeouts };
  const server = await serveHttp({ ...parts.config, ...options });
  stops.add(() => server.stop(0));
  return { url: `${server.url}/mcp`, stderr };
}

/** Passes messages as JSON and in a later turn of the event loop, as between processes. */
function overTheWire(transport: InMemoryTransport): void {
  const send = transport.send.bind(transport);
  transport.send = async (message, options) => {
    const sent: JSONRPCMessage = JSON.parse(JSON.stringify(message));
    await setImmediate();
    await send(sent, options);
  };
}

/** Starts the built server over stdio, as a separate process, with a sandbox and a client. */
export async function startProcess(
  options: SandboxOptions = {},
  environment: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<Harness> {
  const sandbox = await startQuickSandbox(options);
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [CLI, ...flags],
    env: { ...environmentFor(sandbox), ...environment },
    stderr: 'pipe',
  });
  const errors: string[] = [];
  transport.stderr?.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
  return connectHarness(sandbox, new Client(CLIENT), transport, {
    stderr: () => errors.join(''),
    // When only stdin ends, the server lingers for a moment, which would add up here.
    close: () => transport.pid !== null && process.kill(transport.pid, 'SIGTERM'),
  });
}

async function connectHarness(
  sandbox: ScriptedSandbox,
  client: Client,
  transport: Transport,
  { stderr, close }: { stderr: () => string; close: () => unknown },
): Promise<Harness> {
  await client.connect(transport);
  // After listing the tools, the client checks every result against its output schema.
  await client.listTools();
  return {
    client,
    sandbox,
    stderr,
    async call(name, input = {}, callOptions = {}) {
      const answer = await client.callTool({ name, arguments: input }, undefined, callOptions);
      return readAnswer(answer);
    },
    async close() {
      close();
      await client.close();
      await sandbox.close();
    },
  };
}

/** A person's answer to a question; `fault` if the client cannot show it. */
export type PersonAnswer = 'accept' | 'decline' | 'cancel' | 'fault';

/** A client of the v1 SDK whose user answers questions. */
export function clientWithPerson(
  answer: (question: string) => PersonAnswer | Promise<PersonAnswer>,
  shows: 'form' | 'url' = 'form',
): Client {
  const client = new Client(CLIENT, { capabilities: { elicitation: { [shows]: {} } } });
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
    const action = await answer(params.message);
    if (action === 'fault') throw new Error('nobody there');
    return { action, content: {} };
  });
  return client;
}

/** Sends a request to a sandbox's API, below `/v2`, as a program would. */
export async function askSandbox(
  sandbox: Sandbox | undefined,
  method: string,
  path: string,
  body?: unknown,
  key = 'fini_sandbox',
) {
  const response = await fetch(`${sandbox?.url}/v2${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer: unknown = await response.json();
  return { status: response.status, answer, date: response.headers.get('date') };
}

/** Number of tools that a server without flags lists. */
export const LISTED_TOOLS = toolsFor({
  ...{ readOnly: false, allowDelete: false, allowPublish: false },
  ...{ toolGroups: TOOL_GROUPS, sandbox: false, http: false },
}).length;

/** Starts a Fini with a workspace for each key; null stands for one that never answers. */
export async function startFiniOf(
  stops: Stops,
  workspaces: Record<string, Sandbox | null>,
): Promise<string> {
  const proxy = createHttpServer((request, response) => {
    const key = request.headers.authorization?.replace('Bearer ', '') ?? '';
    const sandbox = workspaces[key];
    if (sandbox === null) return;
    if (sandbox === undefined) {
      response.writeHead(401, { 'content-type': 'application/json' }).end('{"statusCode":401}');
      return;
    }
    const target = new URL(request.url ?? '/', sandbox.url);
    const passed = httpRequest(target, { method: request.method, headers: request.headers });
    passed.on('error', () => response.destroy());
    passed.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    response.on('close', () => passed.destroy());
    request.pipe(passed);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  stops.add(() => proxy.close());
  stops.add(() => proxy.closeAllConnections());
  const address = proxy.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `http://127.0.0.1:${address.port}`;
}

/** A collection of things to stop at the end of a test. */
export class Stops {
  readonly #stops: (() => unknown)[] = [];

  /** Adds a step. The steps run in reverse order. */
  add(stop: () => unknown): void {
    this.#stops.push(stop);
  }

  /** Adds closing this to the steps, and returns it. */
  use<Closable extends { readonly close: () => unknown }>(closable: Closable): Closable {
    this.add(() => closable.close());
    return closable;
  }

  /** Runs all steps. */
  async run(): Promise<void> {
    for (const stop of this.#stops.splice(0).toReversed()) await stop();
  }
}

/** Retries a check until it stops throwing, for most of a test's timeout. */
export function eventually<Result>(check: () => Result | Promise<Result>): Promise<Result> {
  return vi.waitFor(check, { timeout: 15_000, interval: 5 });
}

/** The built server over HTTP. */
export interface HttpProcess extends HttpServer {
  readonly process: ChildProcess;
}

/** Starts the built server over HTTP on a free port. It ends with the test. */
export async function startHttpProcess(
  stops: Stops,
  environment: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<HttpProcess> {
  const { PATH } = process.env;
  const child = spawn(process.execPath, [CLI, '--http', '--port', '0', ...flags], {
    env: { PATH, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return listening(stops, child);
}

/** Waits until a started server logs its URL. It ends with the test. */
export async function listening(
  stops: Stops,
  child: ReturnType<typeof spawn>,
): Promise<HttpProcess> {
  stops.add(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  const url = await eventually(() => {
    const found = /"url":"(http[^"]+)"/.exec(stderr)?.[1];
    if (found === undefined) throw new Error(`not listening: ${stderr}`);
    return found;
  });
  return { url, process: child, stderr: () => stderr };
}

/** Connects a client of the v1 SDK over HTTP. It ends with the test. */
export async function connectClient(
  stops: Stops,
  url: string | URL,
  headers: Record<string, string> = {},
) {
  const client = new Client(CLIENT);
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers } });
  await client.connect(transport);
  stops.use(client);
  const call = async (
    name: string,
    input: Record<string, unknown> = {},
    options: Parameters<Client['callTool']>[2] = {},
  ) => readAnswer(await client.callTool({ name, arguments: input }, undefined, options));
  return { client, transport, call };
}

const answerSchema = z.object({
  structuredContent: z.object({ nextCalls: nextCallsSchema.optional() }).optional(),
  _meta: z.object({ 'fini-mcp/nextCalls': nextCallsSchema.optional() }).optional(),
});

/** Takes a tool's answer apart. */
export function readAnswer(answer: Record<string, unknown>): ToolAnswer {
  const content = Array.isArray(answer.content) ? answer.content : [];
  const { structuredContent, _meta } = answerSchema.parse(answer);
  return {
    text: content.map((part: { text?: string }) => part.text ?? '').join('\n'),
    isError: answer.isError === true,
    structured: answer.structuredContent,
    nextCalls: structuredContent?.nextCalls ?? _meta?.['fini-mcp/nextCalls'] ?? [],
  };
}

/** The job that the sandbox's record of a source shows now. */
export function jobOf(sandbox: Sandbox, id: string): string | null | undefined {
  return sandbox.documents().find((document) => document.id === id)?.linkedJobId;
}

/** The requests that queued jobs. */
export function ingestRequests(sandbox: Sandbox): unknown[] {
  return sandbox.requests
    .filter(({ method, path }) => method === 'POST' && path === '/v2/documents/public')
    .map(({ body }) => body);
}
