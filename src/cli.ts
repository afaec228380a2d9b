#!/usr/bin/env node
import { inspect } from 'node:util';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import packageJson from '../package.json' with { type: 'json' };
import { type Config, helpText, readCommand } from './config.ts';
import { createServer } from './server.ts';
import { createWorkspace } from './workspace.ts';

/** The exit code for a command line or a setting that makes no sense. */
const BAD_SETTINGS = 2;

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
  const server = createServer(packageJson.version, {
    workspace: createWorkspace(config),
    onUnexpectedError: (reference, error) => log(`${reference}: ${inspect(error)}`),
  });
  // The SDK closes nothing at stdin's end and leaves a broken stdout unhandled, and a wait's timers
  // would keep the process for ever: nobody is there to hear its answer.
  process.stdin.once('end', stop);
  process.stdin.once('close', stop);
  process.stdout.once('error', stop);
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  server.server.onerror = (error) => log(`protocol: ${error.message}`);
  await server.connect(new StdioServerTransport());
}

function stop(): void {
  process.exit(0);
}

/** stdout carries the protocol alone, so everything else goes to stderr. */
function log(text: string): void {
  process.stderr.write(`fini-mcp: ${text}\n`);
}

await main();
