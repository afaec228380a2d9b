import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

/** The resident memory of a process, in megabytes. Linux only. */
export function residentMegabytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
}

/** A sandbox in a separate process, with one source, that delays each answer. */
export async function startFini(delayMs = 0): Promise<{
  child: ChildProcess;
  url: string;
  apiKey: string;
  id: string;
}> {
  const script = fileURLToPath(new URL('fini.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, String(delayMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  return { child, ...JSON.parse(line) };
}

/** Starts the built server over HTTP. */
export async function startHttpServer(
  environment: Record<string, string>,
): Promise<{ url: string; pid: number; stop: () => void }> {
  const child = spawn(process.execPath, [CLI, '--http', '--port', '0'], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let stderr = '';
  while (!/"url":"/.test(stderr)) stderr += (await once(child.stderr, 'data'))[0];
  child.stderr.resume();
  const url = /"url":"(http[^"]+)"/.exec(stderr)?.[1] ?? '';
  return { url, pid: child.pid ?? 0, stop: () => child.kill() };
}

/** The built server over stdio, in bare JSON-RPC, so that no client's work is measured. */
export class StdioServer {
  readonly process: ChildProcess;
  readonly #waiting = new Map<number, (message: unknown) => void>();
  #id = 0;

  constructor(environment: Record<string, string>, flags: readonly string[] = []) {
    const { PATH } = process.env;
    this.process = spawn(process.execPath, [CLI, ...flags], {
      env: { PATH, ...environment },
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    const { stdout } = this.process;
    if (stdout === null) throw new Error('The server has no stdout.');
    createInterface({ input: stdout }).on('line', (line) => {
      const message = JSON.parse(line);
      this.#waiting.get(message.id)?.(message);
      this.#waiting.delete(message.id);
    });
  }

  /** Sends a request and returns its result. */
  // biome-ignore lint/suspicious/noExplicitAny: a benchmark reads results of many shapes.
  async request(method: string, params: object = {}): Promise<any> {
    this.#id += 1;
    const id = this.#id;
    const answer = new Promise((resolve) => this.#waiting.set(id, resolve));
    this.process.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    // biome-ignore lint/suspicious/noExplicitAny: as above.
    const message = (await answer) as any;
    if (message.error !== undefined) throw new Error(JSON.stringify(message.error));
    return message.result;
  }

  async initialize(): Promise<void> {
    await this.request('initialize', {
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'bench', version: '1' },
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above.
  call(name: string, input: object = {}): Promise<any> {
    return this.request('tools/call', { name, arguments: input });
  }

  /** Calls a tool with progress, so that the call may last as long as it asks for. */
  // biome-ignore lint/suspicious/noExplicitAny: as above.
  callWithProgress(name: string, input: object): Promise<any> {
    const _meta = { progressToken: this.#id };
    return this.request('tools/call', { name, arguments: input, _meta });
  }

  stop(): void {
    this.process.kill();
  }
}
