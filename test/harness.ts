import { type ChildProcess, spawn } from 'node:child_process';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { JSONRPCMessage, Progress } from '@modelcontextprotocol/sdk/types.js';
import { vi } from 'vitest';
import { readCommand } from '../src/config.ts';
import { createLog } from '../src/log.ts';
import { type Sandbox, type SandboxOptions, startSandbox } from '../src/sandbox/server.ts';
import { Secrets } from '../src/secrets.ts';
import { connectServer, createServer } from '../src/server.ts';
import type { ToolDependencies } from '../src/tools/tool.ts';
import { Workspaces } from '../src/workspace.ts';

/** The built server, which people run. */
export const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

/** A server, its sandbox Fini, and a client connected to it. */
export interface Harness {
  readonly client: Client;
  readonly sandbox: Sandbox;
  /** What the server has logged. */
  readonly stderr: () => string;
  readonly call: (
    name: string,
    input?: Record<string, unknown>,
    options?: { onprogress?: (progress: Progress) => void; signal?: AbortSignal },
  ) => Promise<ToolAnswer>;
  readonly close: () => Promise<void>;
}

/** A tool's answer, with its parts at hand. */
export interface ToolAnswer {
  readonly text: string;
  readonly isError: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: tests read structured content of many shapes.
  readonly structured: any;
}

/** The environment of a server under test: the sandbox's address and key, and quick polling without a limit. */
export function environmentFor(sandbox: Sandbox): Record<string, string> {
  return {
    FINI_API_KEY: sandbox.apiKey,
    FINI_BASE_URL: sandbox.url,
    FINI_POLL_INTERVAL_MS: '20',
    FINI_REQUESTS_PER_MINUTE: '100000',
  };
}

/** A quick sandbox: its jobs end after some 50 ms, and it takes any number of requests. */
export const QUICK: SandboxOptions = {
  ...{ pendingMs: 20, workingMs: 30, lingerMs: 30 },
  requestsPerMinute: Number.POSITIVE_INFINITY,
};

/**
 * Starts a sandbox, and in this process a server against it with a client of the v1 SDK: quick, for
 * what the server does. What depends on the process takes {@link startProcess}.
 */
export async function startHarness(
  options: SandboxOptions = {},
  environment: Record<string, string> = {},
  flags: readonly string[] = [],
  dependencies: Partial<ToolDependencies> = {},
): Promise<Harness> {
  const sandbox = await startSandbox({ ...QUICK, ...options });
  const command = readCommand(flags, { ...environmentFor(sandbox), ...environment });
  if (command.kind !== 'serve') throw new Error(JSON.stringify(command));
  const lines: string[] = [];
  const secrets = new Secrets();
  const log = createLog(command.config.logLevel, secrets, (line) => lines.push(line));
  const lease = new Workspaces(command.config, secrets).lease();
  const server = createServer('0.0.0', command.config, {
    workspace: lease.workspace,
    onUnexpectedError: (reference, error) => log('error', 'fault', { reference, error }),
    ...dependencies,
  });
  const [clientSide, serverSide] = InMemoryTransport.createLinkedPair();
  for (const side of [clientSide, serverSide]) overTheWire(side);
  await connectServer(server, serverSide, lease.secrets);
  return connectHarness(sandbox, clientSide, {
    stderr: () => lines.join(''),
    close: () => undefined,
  });
}

/** Makes messages cross as JSON, and in a later turn of the event loop, as they do between processes. */
function overTheWire(transport: InMemoryTransport): void {
  const send = transport.send.bind(transport);
  transport.send = async (message, options) => {
    const sent: JSONRPCMessage = JSON.parse(JSON.stringify(message));
    await setImmediate();
    await send(sent, options);
  };
}

/** The same with the built server, as a process of its own over stdio. */
export async function startProcess(
  options: SandboxOptions = {},
  environment: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<Harness> {
  const sandbox = await startSandbox({ ...QUICK, ...options });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [CLI, ...flags],
    env: { ...environmentFor(sandbox), ...environment },
    stderr: 'pipe',
  });
  const errors: string[] = [];
  transport.stderr?.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
  return connectHarness(sandbox, transport, {
    stderr: () => errors.join(''),
    // At stdin's end alone the server lingers for a moment, which would add up here.
    close: () => transport.pid !== null && process.kill(transport.pid, 'SIGTERM'),
  });
}

async function connectHarness(
  sandbox: Sandbox,
  transport: Transport,
  { stderr, close }: { stderr: () => string; close: () => unknown },
): Promise<Harness> {
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport);
  // A client that has listed the tools checks every result against its tool's output schema.
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

/** Collects what must be stopped at the end of a test. */
export class Stops {
  readonly #stops: (() => unknown)[] = [];

  /** Adds a step. The steps run in reverse order. */
  add(stop: () => unknown): void {
    this.#stops.push(stop);
  }

  /** Runs them all. */
  async run(): Promise<void> {
    for (const stop of this.#stops.splice(0).toReversed()) await stop();
  }
}

/** Retries a check until it stops throwing, for most of a test's timeout. */
export function eventually<Result>(check: () => Result | Promise<Result>): Promise<Result> {
  return vi.waitFor(check, { timeout: 15_000, interval: 5 });
}

/** A built server over HTTP. */
export interface HttpServer {
  readonly url: string;
  readonly process: ChildProcess;
  readonly stderr: () => string;
}

/** Starts the built server over HTTP, on a free port. */
export async function startHttp(
  stops: Stops,
  environment: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<HttpServer> {
  const { PATH } = process.env;
  const child = spawn(process.execPath, [CLI, '--http', '--port', '0', ...flags], {
    env: { PATH, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  return listening(stops, child);
}

/** Waits until a started server says where it listens. It ends with the test. */
export async function listening(
  stops: Stops,
  child: ReturnType<typeof spawn>,
): Promise<HttpServer> {
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

/** The first message of a 2025-era client, for tests that send it by hand. */
export const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  },
};

/** Takes a tool's answer apart. */
export function readAnswer(answer: Record<string, unknown>): ToolAnswer {
  const content = Array.isArray(answer.content) ? answer.content : [];
  return {
    text: content.map((part: { text?: string }) => part.text ?? '').join('\n'),
    isError: answer.isError === true,
    structured: answer.structuredContent,
  };
}

/** The requests that queued jobs. */
export function ingestRequests(sandbox: Sandbox): unknown[] {
  return sandbox.requests
    .filter(({ method, path }) => method === 'POST' && path === '/v2/documents/public')
    .map(({ body }) => body);
}
