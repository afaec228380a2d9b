import { inspect } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import packageJson from '../package.json' with { type: 'json' };
import { helpText, quotedMasked, readCommand } from './command-line.ts';
import type { Config } from './config.ts';
import { createLog, type Log } from './log.ts';
import { loadAll } from './mcp/lazy-modules.ts';
import { readReportPage } from './mcp/report-page.ts';
import { createServer, guarded } from './mcp/server.ts';
import { StdioTransport } from './mcp/stdio.ts';
import { Secrets } from './secrets.ts';
import { bounded, ERROR_LENGTH } from './text.ts';
import type { Lease } from './workspace.ts';

/** The exit code for an invalid command line or setting. */
const BAD_SETTINGS = 2;
/** Time for answers in progress after stdin's end. Without any, the process ends at once. */
const LAST_ANSWERS_MS = 2_000;
/** The exit code after an uncaught fault, and after a check that found one. */
const FAULT = 1;
/** Time for running HTTP calls after SIGTERM. */
const LAST_CALLS_MS = 5_000;

const { version } = packageJson;

/** A message for a person who starts the server at a terminal, where nothing else would show. */
const STARTED_BY_HAND = `fini-mcp ${version} is waiting for an MCP client on stdin. A client starts it by itself: add it to the client's configuration, as the README shows. To check your settings, run it with --check. To stop it, press Ctrl+C.`;

/** Reads the command line and the environment, and serves. */
export async function main(): Promise<void> {
  // The reader of the log may disappear; the server goes on.
  process.stderr.on('error', () => undefined);
  const command = readCommand(process.argv.slice(2), process.env);
  switch (command.kind) {
    case 'help':
      process.stdout.write(helpText(version));
      return;
    case 'version':
      process.stdout.write(`${version}\n`);
      return;
    case 'faults':
      for (const fault of command.faults) process.stderr.write(`fini-mcp: ${fault}\n`);
      process.exitCode = BAD_SETTINGS;
      return;
    case 'check': {
      const { check } = await import('./check.ts');
      const { isRight, text } = await check(await withSandbox(command.config), version);
      // The embedded Fini would keep the process running.
      process.stdout.write(`${text}\n`, () => process.exit(isRight ? 0 : FAULT));
      return;
    }
    case 'serve': {
      // A server lives as long as its client, mostly idle and beside others. Memory matters more than
      // the last bit of speed, so garbage is collected early.
      setFlagsFromString('--optimize-for-size');
      const config = await withSandbox(command.config);
      await (config.http ? serveOverHttp(config) : serveOverStdio(config));
    }
  }
}

/** The configuration. With `--sandbox`, it starts an embedded Fini and points to it. */
async function withSandbox(config: Config): Promise<Config> {
  if (!config.sandbox) return config;
  const { startSandbox } = await import('./sandbox/sandbox-server.ts');
  const sandbox = await startSandbox({ content: 'lived-in' });
  return { ...config, baseUrl: sandbox.url, apiKey: sandbox.apiKey };
}

async function serveOverStdio(config: Config): Promise<void> {
  const secrets = new Secrets();
  const log = createLog(config.logLevel, secrets);
  endOnFault(log);
  for (const secret of [config.apiKey, config.authToken]) {
    if (secret !== undefined) secrets.add(secret);
  }
  let lease: Promise<Lease> | undefined;
  const workspace = async () => {
    // The first call loads the engine, which a start doesn't need.
    lease ??= import('./workspace.ts').then(({ Workspaces }) =>
      new Workspaces(config, secrets).lease(),
    );
    return (await lease).workspace();
  };
  const transport = new StdioTransport({
    input: process.stdin,
    output: process.stdout,
    lastAnswersMs: LAST_ANSWERS_MS,
    // A wait's timers would keep the process alive, and no one is left to read its answer.
    onEnd: stop,
  });
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  if (process.stdin.isTTY) process.stderr.write(`${STARTED_BY_HAND}\n`);
  const dependencies = {
    workspace,
    onUnexpectedError: (reference: string, error: unknown) => {
      log('error', 'failed unexpectedly', { reference, error: inspect(error) });
    },
  };
  // The client's first message decides which era of the protocol its server speaks.
  serveStdio(() => createServer(version, config, dependencies), {
    transport: guarded(transport, secrets),
    onerror: (error) =>
      log('error', 'protocol', {
        error: bounded(error.message.slice(0, ERROR_LENGTH + 1), ERROR_LENGTH),
      }),
  });
}

async function serveOverHttp(config: Config): Promise<void> {
  const { serveHttp } = await import('./mcp/http-server.ts');
  await loadEverything(config);
  const secrets = new Secrets();
  const log = createLog(config.logLevel, secrets);
  endOnFault(log);
  const { Workspaces } = await import('./workspace.ts');
  const workspaces = new Workspaces(config, secrets);
  // The lease keeps the configured workspace open as long as the server runs.
  workspaces.lease();
  const server = await serveHttp({ ...config, version, workspaces, log }).catch(
    (error: unknown) => {
      const where = quotedMasked(`${config.host}:${config.port}`);
      process.stderr.write(`fini-mcp: cannot listen on ${where}: ${quotedMasked(String(error))}\n`);
      process.exit(BAD_SETTINGS);
    },
  );
  const stopGracefully = () => {
    // A second signal ends the process at once.
    process.once('SIGINT', stop);
    process.once('SIGTERM', stop);
    void server.stop(LAST_CALLS_MS).then(stop);
  };
  process.once('SIGINT', stopGracefully);
  process.once('SIGTERM', stopGracefully);
}

/**
 * Loads the modules that are otherwise loaded on first use. An HTTP server must not need a file later:
 * strangers may have taken every descriptor by then, and Node never retries a failed import.
 */
async function loadEverything({ oauthIssuer }: Config): Promise<void> {
  await Promise.all([
    oauthIssuer === undefined ? undefined : import('./mcp/access-token.ts'),
    import('./fini/pool.ts'),
    readReportPage(),
    loadAll(),
  ]);
}

/** Ends the process after an uncaught fault, which may have left anything half done, and logs it. */
function endOnFault(log: Log): void {
  process.on('uncaughtException', (error) => {
    log('error', 'fault', { error: inspect(error) });
    process.exit(FAULT);
  });
}

function stop(): void {
  process.exit(0);
}
