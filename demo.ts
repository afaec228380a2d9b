/**
 * `npm run demo`: runs the built server over stdio with its sandbox, and a client that does what a
 * model would: find a site's pages, ingest them all, watch, and read the report. No account, no network.
 */
import { fileURLToPath } from 'node:url';
import { styleText } from 'node:util';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import type { Progress } from '@modelcontextprotocol/sdk/types.js';
import * as z from 'zod';

const SITE = 'https://help.larkspur.example';
const CLI = fileURLToPath(new URL('dist/cli.js', import.meta.url));
/** Shorter than the default poll interval, so that the bar moves. */
const POLL_INTERVAL_MS = '250';

const isTerminal = process.stdout.isTTY === true && process.env.TERM !== 'dumb';
const hasColour = isTerminal && !process.env.NO_COLOR;
/** Bounds on the width: longer lines are hard to read, shorter ones have no room for words. */
const WIDEST = 100;
const NARROWEST = 24;
/** Width of the longest status, with a space. */
const STATUS_WIDTH = 'completed '.length;
/** Room beside the bar for "28 of 38 done, 2 failed, 8 in progress, 12 s" and the like. */
const COUNTS_LENGTH = 48;

/** The part of a crawl that the demo reads. */
const Crawl = z.object({ urls: z.array(z.string()) });

/** The part of a report that the demo reads. A field without a value may be missing. */
const Report = z.object({
  outcome: z.string(),
  counts: z.object({
    submitted: z.number(),
    completed: z.number(),
    failed: z.number(),
    unfinished: z.number(),
  }),
  elapsedSeconds: z.number(),
  message: z.string(),
  nextCalls: z.array(z.object({ tool: z.string(), why: z.string() })).default([]),
  hints: z.array(z.object({ hint: z.string(), advice: z.string() })).default([]),
  sources: z.array(
    z.object({
      id: z.string(),
      originalUrl: z.string().nullish(),
      title: z.string().nullish(),
      status: z.string(),
      paragraphs: z.number().nullish(),
      error: z.string().nullish(),
      hint: z.string().nullish(),
    }),
  ),
});

type Report = z.output<typeof Report>;

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

function coloured(colour: 'green' | 'red' | 'bold', text: string): string {
  return hasColour ? styleText(colour, text) : text;
}

/** The number of characters that fit on a line. */
function width(): number {
  const columns = (isTerminal && process.stdout.columns) || WIDEST;
  return Math.min(Math.max(columns, NARROWEST), WIDEST);
}

/** Breaks a text into lines that fit, with `indent` spaces before each. */
function wrapped(text: string, indent: number): string {
  const room = width() - indent;
  // A line takes as many words as fit. A word longer than a line breaks after an item of a JSON list
  // if it is one, and anywhere otherwise.
  const part = `\\S.{0,${room - 1}}(?!\\S)|\\S{1,${room - 1}},(?=")|\\S{${room}}`;
  const lines = text.match(new RegExp(part, 'g')) ?? [];
  return lines.map((line) => ' '.repeat(indent) + line).join('\n');
}

async function demo(client: Client, signal: AbortSignal): Promise<void> {
  // A client that has listed the tools checks every answer against the tool's output schema.
  const { tools } = await client.listTools(undefined, { signal });
  print(wrapped(`fini-mcp runs with its sandbox and offers ${tools.length} tools.`, 0));

  print(coloured('bold', `\n${wrapped(`deep_crawl_links ${SITE}`, 0)}`));
  const crawl = await call(client, 'deep_crawl_links', { links: [SITE] }, { signal });
  const { urls } = Crawl.parse(crawl);
  print(`${urls.length} pages found.`);

  print(coloured('bold', `\n${wrapped(`ingest_and_wait with these ${urls.length} URLs`, 0)}`));
  const progress = isTerminal ? progressBar() : progressLines();
  const options = { signal, onprogress: progress.show };
  const waiting = call(client, 'ingest_and_wait', { documentIdsToAdd: urls }, options);
  const report = Report.parse(await waiting.finally(progress.stop));

  print(`\n${tableOf(report)}\n`);
  const { message, counts, nextCalls } = report;
  print(wrapped(message, 0));
  const next = nextCalls.map(({ tool, why }) => wrapped(`${why}: ${tool}`, 2)).join('\n');
  print(`\n${coloured('bold', 'What the server proposes to do next')}\n${next}`);
  if (counts.unfinished > 0) throw new Error(`${counts.unfinished} pages were still running`);
  print(`\n${howToAdd()}`);
}

/** Calls a tool and returns its structured answer. */
async function call(
  client: Client,
  name: string,
  input: Record<string, unknown>,
  options: { signal: AbortSignal; onprogress?: (progress: Progress) => void },
): Promise<unknown> {
  const answer = await client.callTool({ name, arguments: input }, undefined, {
    ...options,
    resetTimeoutOnProgress: true,
  });
  if (answer.isError) throw new Error(`${name}: ${JSON.stringify(answer.content)}`);
  return answer.structuredContent;
}

/** A view of progress notifications. */
type ProgressView = { show: (progress: Progress) => void; stop: () => void };

/** A bar that moves with the notifications, in one line that is overwritten again and again. */
function progressBar(): ProgressView {
  // A carriage return and "erase the line" change no state that Ctrl-C would have to reset.
  return {
    show: (progress) => process.stdout.write(`\r\u001b[K${progressLine(progress)}`),
    stop: () => print(''),
  };
}

/** A bar and the message; if both don't fit, as much of the message as fits, counts first. */
function progressLine({ progress, total = 0, message = '' }: Progress): string {
  // The last column stays free, since some terminals start a new line after it.
  const room = width() - 1;
  const barSize = Math.min(38, room - COUNTS_LENGTH - 3);
  if (barSize >= 8 && barSize + message.length + 3 <= room) {
    const done = total > 0 ? Math.floor(barSize * Math.min(progress / total, 1)) : 0;
    return `  ${'█'.repeat(done)}${'░'.repeat(barSize - done)} ${message}`;
  }
  const parts = message.split(', ');
  while (parts.length > 1 && parts.join(', ').length > room) parts.pop();
  return parts.join(', ').slice(0, room);
}

/** The notifications as plain lines, for a log or a pipe. */
function progressLines(): ProgressView {
  return { show: ({ message }) => print(`  ${message}`), stop: () => undefined };
}

/** One line per source, then each failure with Fini's reason and the server's advice. */
function tableOf({ sources, hints }: Report): string {
  const advice = new Map(hints.map((hint) => [hint.hint, hint.advice]));
  const rows = sources
    .map((source) => ({
      ...source,
      page: source.originalUrl?.replace(SITE, '') ?? source.id ?? '',
    }))
    .sort((one, other) => one.page.localeCompare(other.page));
  const longest = Math.max(...rows.map(({ page }) => page.length));
  const cells = rows
    .filter(({ status }) => status === 'completed')
    .map(({ page, paragraphs, title }) => [
      page.padEnd(longest),
      String(paragraphs ?? '').padStart('paragraphs'.length),
      title ?? '',
    ]);
  cells.unshift(['page'.padEnd(longest), 'paragraphs', 'title']);
  // A narrow terminal drops columns, the last one first.
  const [heading = '', ...completed] =
    [3, 2]
      .map((count) => cells.map((row) => row.slice(0, count).join('  ').trimEnd()))
      .find((lines) => lines.every((line) => STATUS_WIDTH + line.length <= width())) ??
    cells.map(([page = '']) => page.trimEnd());
  const others = rows
    .filter(({ status }) => status !== 'completed')
    .map(({ status, page, error, hint }) => {
      const why = [error ?? 'still running', advice.get(hint ?? '')].filter(Boolean).join(' → ');
      return `${row('red', status, page)}\n${wrapped(why, STATUS_WIDTH)}`;
    });
  return [
    coloured('bold', 'status'.padEnd(STATUS_WIDTH) + heading),
    ...completed.map((line) => row('green', 'completed', line)),
    ...others,
  ].join('\n');
}

/** A coloured status and the text that belongs to it. */
function row(colour: 'green' | 'red', status: string, text: string): string {
  return coloured(colour, status) + wrapped(text, STATUS_WIDTH).slice(status.length);
}

/** Instructions to add this checkout to a client. Lines to copy are not wrapped. */
function howToAdd(): string {
  const args = [CLI, '--sandbox'];
  const servers = { 'fini-sandbox': { command: 'node', args } };
  const command = ['claude', 'mcp', 'add', 'fini-sandbox', '--', 'node', ...args];
  return [
    coloured('bold', wrapped('To add this checkout, with its sandbox, to your client', 0)),
    wrapped('Claude Code, from a terminal:', 0),
    '',
    `  ${command.map(quoted).join(' ')}`,
    '',
    wrapped('Most others, in their configuration file:', 0),
    '',
    JSON.stringify({ mcpServers: servers }, null, 2),
    '',
    wrapped(
      'For your own Fini workspace leave out --sandbox and give your key in FINI_API_KEY: see "Add it to your client" in README.md.',
      0,
    ),
  ].join('\n');
}

/** A word quoted for the shell. */
function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return process.platform === 'win32' ? `"${word}"` : `'${word.replaceAll("'", "'\\''")}'`;
}

const client = new Client({ name: 'fini-mcp-demo', version: '1' });
const interruption = new AbortController();
// A second Ctrl-C ends the process at once.
process.once('SIGINT', () => interruption.abort());
const { signal } = interruption;
try {
  const env = { FINI_POLL_INTERVAL_MS: POLL_INTERVAL_MS };
  const transport = new StdioClientTransport({
    command: process.execPath,
    args: [CLI, '--sandbox'],
    env,
  });
  await client.connect(transport, { signal });
  await demo(client, signal);
} catch (error) {
  if (signal.aborted) {
    print('Stopped.');
    process.exitCode = 130;
  } else {
    process.stderr.write(`The demo failed: ${error instanceof Error ? error.message : error}\n`);
    process.exitCode = 1;
  }
} finally {
  await client.close();
}
