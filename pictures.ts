/**
 * `npm run pictures`: takes the pictures in docs/pictures from the built server with its sandbox, in
 * Chromium: the report page in each state, and the demo in a terminal. Needs Linux.
 */
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import type { SandboxOptions } from './src/sandbox/sandbox-server.ts';
import { launchChromium, type Shown, serve, show } from './test/page/browser.ts';

const FOLDER = fileURLToPath(new URL('docs/pictures/', import.meta.url));
const SITE = 'https://help.larkspur.example';
const WIDTH = 760;
const NARROW = 400;

/** A frame as hosts draw it: with a border, on the host's background. */
const FRAME = {
  light: 'body { background: #f0eee9 } iframe { border-color: #d9d5cc }',
  dark: 'body { background: #0b0c0e } iframe { border-color: #34383f }',
};
const AROUND = `body { margin: 0; padding: 14px }
  iframe { box-sizing: content-box; border: 1px solid; border-radius: 12px; width: calc(100% - 2px) }`;

/** A picture: options of its sandbox, and the actions that lead to it. */
interface Picture {
  readonly name: string;
  readonly sandbox?: SandboxOptions;
  readonly width?: number;
  readonly act: (shown: Shown) => Promise<unknown>;
}

const site = (shown: Shown) => shown.call('ingest_site', { links: [SITE] });
const billing = (shown: Shown, more = {}) =>
  shown.call('ingest_site', { links: [SITE], include: ['/billing/**'], ...more });

const inTheDark: Picture = { name: 'partial', act: site };

const pictures: readonly Picture[] = [
  { name: 'completed', act: billing },
  { name: 'partial', act: site },
  { name: 'narrow', width: NARROW, act: site },
  {
    name: 'failed',
    act: ({ call }) => {
      const documentIdsToAdd = ['/account/rewards', '/bikes/manuals-2026.zip', '/no/such/page'];
      return call('ingest_and_wait', {
        documentIdsToAdd: documentIdsToAdd.map((path) => `${SITE}${path}`),
      });
    },
  },
  {
    name: 'timed-out',
    // The first pages complete within the second; the others never do.
    sandbox: {
      jobs: ({ url }) => (/billing|safety/.test(url ?? '') ? undefined : { never: true }),
    },
    act: ({ call }) => call('ingest_site', { links: [SITE], timeoutSeconds: 1 }),
  },
  {
    name: 'running',
    act: ({ bridge }) => bridge.sendToolInput({ arguments: { links: [SITE] } }),
  },
  { name: 'dry-run', act: (shown) => billing(shown, { dryRun: true }) },
  {
    name: 'thousand-pages',
    sandbox: {
      parallelJobs: 1_000,
      jobs: ({ url }) => ({
        ...{ pendingMs: 1, workingMs: 1 },
        ...(/00$/.test(url ?? '') && { error: 'Timeout while loading the page' }),
      }),
    },
    act: ({ call }) => {
      const all = Array.from({ length: 1_000 }, (_, index) => `${SITE}/guides/page-${index + 1}`);
      return call('ingest_and_wait', {
        documentIdsToAdd: all.map((url) => url.replace(SITE, 'https://docs.larkspur.example')),
      });
    },
  },
  {
    name: 'drafts',
    sandbox: {
      knowledgeJobs: ({ url }) => (/pric/.test(url ?? '') ? { hcArticleId: null } : undefined),
    },
    act: async (shown) => {
      await billing(shown);
      await shown.view.getByRole('button', { name: /^Generate draft/ }).click();
      await shown.view.getByText(/^Done/).waitFor();
      await shown.page.mouse.move(0, 0);
    },
  },
];

async function take(browser: Browser, picture: Picture, theme: 'light' | 'dark'): Promise<void> {
  const { name, sandbox, width = WIDTH, act } = picture;
  const { client, close } = await serve({ folders: true, parallelJobs: 50, ...sandbox });
  const shown = await show(browser, client, { width, context: { theme } });
  await shown.page.addStyleTag({ content: `${AROUND} ${FRAME[theme]}` });
  // A moving bar would look different in each picture.
  await shown.page.emulateMedia({ reducedMotion: 'reduce', colorScheme: theme });
  await act(shown);
  const content = shown.view.locator('main');
  const frame = shown.page.locator('iframe');
  for (let height = -1; height !== (await frame.boundingBox())?.height; ) {
    height = (await frame.boundingBox())?.height ?? 0;
    await content.evaluate('new Promise((resolve) => setTimeout(resolve, 100))');
  }
  const path = `${FOLDER}${name}${theme === 'dark' ? '-dark' : ''}.png`;
  await shown.page.locator('body').screenshot({ path });
  await shown.close();
  await close();
}

/** Number of completed pages to keep in the picture of the terminal. */
const COMPLETED_LINES = 9;

/** The lines that `npm run demo` writes to a terminal, with the progress bar half full. */
async function demoLines(): Promise<string[]> {
  const command = `stty cols 96; "${process.execPath}" node_modules/tsx/dist/cli.mjs demo.ts`;
  const { NO_COLOR: _colourful, ...environment } = process.env;
  const options = { env: { ...environment, TERM: 'xterm-256color' } };
  const args = ['--quiet', '--return', '--command', command, '/dev/null'];
  const { stdout } = await promisify(execFile)('script', args, options);
  const lines = stdout.replaceAll('\r\n', '\n').split('\n');
  const end = lines.findIndex((line) => line.includes('Outcome'));
  const shown = lines.slice(0, end + 1).map((line) => {
    const frames = line.split('\r');
    return frames[Math.floor(frames.length * 0.6)] ?? '';
  });
  const completed = shown.filter((line) => /^[^ ]*completed/.test(line));
  const left = new Set(completed.slice(COMPLETED_LINES));
  const last = completed[COMPLETED_LINES - 1];
  return shown.flatMap((line) => (left.has(line) ? [] : line === last ? [line, '…'] : [line]));
}

/** Takes a picture of the demo as a terminal shows it. */
async function takeTerminal(browser: Browser): Promise<void> {
  const page = await browser.newPage({ viewport: { width: WIDTH, height: 100 } });
  const lines = await demoLines();
  const html = lines
    .join('\n')
    .replaceAll('\u001b[K', '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('\u001b', '^')
    .replace(/\^\[(1|31|32)m/g, '<b class="_$1">')
    .replace(/\^\[(22|39)m/g, '</b>');
  await page.setContent(`<style>
    body { margin: 0; padding: 18px 20px; background: #17191d; color: #d6d9de }
    pre { margin: 0; font: 12px/1.5 "DejaVu Sans Mono", monospace; white-space: pre-wrap }
    b { font-weight: inherit } ._1 { color: #fff; font-weight: bold }
    ._31 { color: #ff7b72 } ._32 { color: #56d364 }
  </style><pre>${html}</pre>`);
  await page.locator('body').screenshot({ path: `${FOLDER}terminal.png` });
  await page.close();
}

await mkdir(FOLDER, { recursive: true });
const browser = await launchChromium();
for (const picture of pictures) await take(browser, picture, 'light');
await take(browser, inTheDark, 'dark');
await takeTerminal(browser);
await browser.close();
