/**
 * `npm run demo`: the built server over stdio with its sandbox, and a client that does what a model
 * would: find a site's pages, ingest them all, watch, and read the report. No account, no network.
 */
import { fileURLToPath } from 'node:url';
import { styleText } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { Progress } from '@modelcontextprotocol/sdk/types.js';
import { Presets, SingleBar } from 'cli-progress';
import type { ReportOutput } from './src/tools/report.ts';

const SITE = 'https://help.larkspur.example';
const WIDTH = 100;
/** How often the server looks at its Fini: more often than by default, so that the bar moves. */
const POLL_INTERVAL_MS = '250';

const isTerminal = process.stdout.isTTY === true;
const hasColour = isTerminal && !process.env.NO_COLOR;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function coloured(colour: 'green' | 'red' | 'bold', text: string): string {
  return hasColour ? styleText(colour, text) : text;
}

/** Breaks a text into lines that fit, the first `indent` characters of each left free. */
function wrapped(text: string, indent: number): string {
  const lines = text.match(new RegExp(`\\S.{0,${WIDTH - indent - 1}}(?!\\S)`, 'g')) ?? [];
  return lines.map((line) => ' '.repeat(indent) + line).join('\n');
}

async function demo(client: Client): Promise<void> {
  // A client that has listed the tools checks every answer against the tool's output schema.
  const { tools } = await client.listTools();
  print(`fini-mcp runs with its sandbox and offers ${tools.length} tools.\n`);

  print(coloured('bold', `deep_crawl_links ${SITE}`));
  const { urls } = await call<{ urls: string[] }>(client, 'deep_crawl_links', { links: [SITE] });
  print(`${urls.length} pages found.\n`);

  print(coloured('bold', `ingest_and_wait with these ${urls.length} URLs`));
  const progress = isTerminal ? progressBar() : progressLines();
  const input = { documentIdsToAdd: urls };
  const waiting = call<ReportOutput>(client, 'ingest_and_wait', input, progress.show);
  const report = await waiting.finally(progress.stop);

  print(`\n${tableOf(report.sources)}\n`);
  const { outcome, counts, elapsedSeconds, nextSteps } = report;
  const sum = `${counts.completed} of ${counts.submitted} completed, ${counts.failed} failed`;
  print(`Outcome ${coloured('bold', outcome)}: ${sum}, in ${elapsedSeconds} s.`);
  print(`\nWhat the server says comes next:\n${wrapped(nextSteps, 2)}`);
  if (counts.unfinished > 0) throw new Error(`${counts.unfinished} pages had not ended in time`);
  print('\nTo use it from your own client, see "Add it to your client" in README.md.');
}

/** Calls a tool and gives its structured answer. */
async function call<Output>(
  client: Client,
  name: string,
  input: Record<string, unknown>,
  onprogress?: (progress: Progress) => void,
): Promise<Output> {
  const options = { resetTimeoutOnProgress: true, ...(onprogress && { onprogress }) };
  const answer = await client.callTool({ name, arguments: input }, undefined, options);
  if (answer.isError) throw new Error(`${name}: ${JSON.stringify(answer.content)}`);
  return answer.structuredContent as Output;
}

/** Shows progress notifications. */
type ProgressView = { show: (progress: Progress) => void; stop: () => void };

/** A bar that moves with the notifications. */
function progressBar(): ProgressView {
  const options = { format: '  {bar} {message}', barsize: 38, stream: process.stdout };
  // Its own handling of Ctrl-C would keep the process going.
  const bar = new SingleBar({ ...options, gracefulExit: false }, Presets.shades_classic);
  return {
    show({ progress, total = 0, message }) {
      if (!bar.isActive) bar.start(total, 0, { message });
      bar.update(progress, { message });
    },
    stop: () => bar.stop(),
  };
}

/** The notifications as plain lines, for a log or a pipe. */
function progressLines(): ProgressView {
  return { show: ({ message }) => print(`  ${message}`), stop: () => undefined };
}

/** A line a source, then each failure with Fini's reason and the server's advice. */
function tableOf(sources: ReportOutput['sources']): string {
  const rows = sources
    .map((source) => ({ ...source, page: source.originalUrl?.replace(SITE, '') ?? source.id }))
    .sort((one, other) => one.page.localeCompare(other.page));
  const longest = Math.max(...rows.map(({ page }) => page.length));
  const heading = `status     ${'page'.padEnd(longest)}  paragraphs  title`;
  const completed = rows
    .filter(({ status }) => status === 'completed')
    .map(({ page, paragraphCount, title }) => {
      const count = String(paragraphCount).padStart('paragraphs'.length);
      return `${coloured('green', 'completed')}  ${page.padEnd(longest)}  ${count}  ${title}`;
    });
  const others = rows
    .filter(({ status }) => status !== 'completed')
    .map(({ status, page, error = 'not ended yet', hint }) => {
      const why = hint === undefined ? error : `${error} → ${hint}`;
      return `${coloured('red', status.padEnd(9))}  ${page}\n${wrapped(why, 11)}`;
    });
  return [coloured('bold', heading), ...completed, ...others].join('\n');
}

const client = new Client({ name: 'fini-mcp-demo', version: '1' });
try {
  const cli = fileURLToPath(new URL('dist/cli.js', import.meta.url));
  const env = { FINI_POLL_INTERVAL_MS: POLL_INTERVAL_MS };
  const args = [cli, '--sandbox'];
  await client.connect(new StdioClientTransport({ command: process.execPath, args, env }));
  await demo(client);
} catch (error) {
  process.stderr.write(`The demo failed: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
} finally {
  await client.close();
}
