#!/usr/bin/env node
import { inspect } from 'node:util';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import packageJson from '../package.json' with { type: 'json' };
import { type Config, helpText, readCommand } from './config.ts';
import { Secrets } from './secrets.ts';
import { connectServer, createServer } from './server.ts';
import { createWorkspace } from './workspace.ts';

/** The exit code for a command line or a setting that makes no sense. */
const BAD_SETTINGS = 2;
/** After stdin's end: long enough for answers under way, too short to be noticed. */
const LAST_ANSWERS_MS = 300;

const secrets = new Secrets();

async function main(): Promise<void> {
  const command = readCommand(process.argv.slice(2), process.env);
  switch (command.kind) {
    case 'help':
      process.stdout.write(helpText(packageJson.version));
      return;
    case 'version':
      process.stdout.write(`${packageJson.version}\n`);
      return;
    case 'faults':
      for (const fault of command.faults) log(fault);
      process.exitCode = BAD_SETTINGS;
      return;
    case 'serve':
      await serveStdio(command.config.sandbox ? await withSandbox(command.config) : command.config);
  }
}

/** Starts the embedded Fini and points the configuration at it. */
async function withSandbox(config: Config): Promise<Config> {
  const { startSandbox } = await import('./sandbox/server.ts');
  const sandbox = await startSandbox();
  return { ...config, baseUrl: sandbox.url, apiKey: sandbox.apiKey };
}

async function serveStdio(config: Config): Promise<void> {
  if (config.apiKey !== undefined) secrets.add(config.apiKey);
  const server = createServer(packageJson.version, {
    workspace: createWorkspace(config),
    onUnexpectedError: (reference, error) => log(`${reference}: ${inspect(error)}`),
  });
  // The SDK closes nothing at stdin's end and leaves a broken stdout unhandled, and a wait's timers
  // would keep the process for ever: nobody is there to hear its answer.
  process.stdin.once('end', () => setTimeout(stop, LAST_ANSWERS_MS));
  process.stdout.on('error', stop);
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  server.server.onerror = (error) => log(`protocol: ${error.message}`);
  server.server.onclose = stop;
  await connectServer(server, new StdioServerTransport(), secrets);
}

function stop(): void {
  process.exit(0);
}

/** stdout carries the protocol alone, so everything else goes to stderr. */
function log(text: string): void {
  process.stderr.write(secrets.redact(`fini-mcp: ${text}\n`));
}

await main();
