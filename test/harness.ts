import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { Progress } from '@modelcontextprotocol/sdk/types.js';
import { vi } from 'vitest';
import { type Sandbox, type SandboxOptions, startSandbox } from '../src/sandbox/server.ts';

/** The built server: tests drive what people run. */
export const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

/** A built server over stdio, its sandbox Fini, and a client connected to it. */
export interface Harness {
  readonly client: Client;
  readonly sandbox: Sandbox;
  /** What the server has written to stderr. */
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

/** The environment of a server under test: the sandbox's address and key, and quick polling. */
export function environmentFor(sandbox: Sandbox): Record<string, string> {
  return {
    FINI_API_KEY: sandbox.apiKey,
    FINI_BASE_URL: sandbox.url,
    FINI_POLL_INTERVAL_MS: '20',
  };
}

/** Starts a sandbox, a server against it, and a client of the v1 SDK. */
export async function startHarness(
  options: SandboxOptions = {},
  environment: Record<string, string> = {},
  flags: readonly string[] = [],
): Promise<Harness> {
  const sandbox = await startSandbox({ pendingMs: 20, workingMs: 30, lingerMs: 30, ...options });
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [CLI, ...flags],
    env: { ...environmentFor(sandbox), ...environment },
    stderr: 'pipe',
  });
  const errors: string[] = [];
  transport.stderr?.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
  const client = new Client({ name: 'test', version: '1' });
  await client.connect(transport);
  // A client that has listed the tools checks every result against its tool's output schema.
  await client.listTools();
  return {
    client,
    sandbox,
    stderr: () => errors.join(''),
    async call(name, input = {}, callOptions = {}) {
      const answer = await client.callTool({ name, arguments: input }, undefined, callOptions);
      return readAnswer(answer);
    },
    async close() {
      // At stdin's end alone the server lingers for a moment, which would add up here.
      if (transport.pid !== null) process.kill(transport.pid, 'SIGTERM');
      await client.close();
      await sandbox.close();
    },
  };
}

/** What there is to stop at a test's end. */
export class Stops {
  readonly #stops: (() => unknown)[] = [];

  /** Adds something that runs at the end, before what was added before. */
  add(stop: () => unknown): void {
    this.#stops.push(stop);
  }

  /** Runs them all. */
  async run(): Promise<void> {
    for (const stop of this.#stops.splice(0).toReversed()) await stop();
  }
}

/** What a check gives once it throws no more. A slow machine gets nearly a test's whole time. */
export function eventually<Result>(check: () => Result | Promise<Result>): Promise<Result> {
  return vi.waitFor(check, { timeout: 15_000, interval: 5 });
}

/** A built server over HTTP. */
export interface HttpServer {
  readonly url: string;
  readonly process: ChildProcess;
  readonly stderr: () => string;
}

/** Starts the built server over HTTP, at a port that is free. */
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
  stops.add(() => child.kill('SIGKILL'));
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
  });
  const url = await eventually(() => {
    const found = /"url":"(http[^"]+)"/.exec(stderr)?.[1];
    if (found === undefined) throw new Error(`not listening: ${stderr}`);
    return found;
  });
  return { url, process: child, stderr: () => stderr };
}

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
