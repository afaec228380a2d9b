/**
 * `npm run pictures`: takes the pictures of docs/pictures from the built server with its sandbox, in
 * Chromium: the page that hosts show, in each state, light and dark.
 */
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import type { SandboxOptions } from './src/sandbox/server.ts';
import { launchChromium, type Shown, serve, show } from './test/page/browser.ts';

const FOLDER = fileURLToPath(new URL('docs/pictures/', import.meta.url));
const SITE = 'https://help.larkspur.example';
const WIDTH = 760;
const NARROW = 400;

/** As a host draws it: on its own ground, in a frame with a border. */
const FRAME = {
  light: 'body { background: #f0eee9 } iframe { border-color: #d9d5cc }',
  dark: 'body { background: #0b0c0e } iframe { border-color: #34383f }',
};
const AROUND = `body { margin: 0; padding: 14px }
  iframe { box-sizing: content-box; border: 1px solid; border-radius: 12px; width: calc(100% - 2px) }`;

/** A picture: how its sandbox is, and what happens in it. */
interface Picture {
  readonly name: string;
  readonly sandbox?: SandboxOptions;
  readonly width?: number;
  readonly act: (shown: Shown) => Promise<unknown>;
}

const site = (shown: Shown) => shown.call('ingest_site', { links: [SITE] });
const billing = (shown: Shown, more = {}) =>
  shown.call('ingest_site', { links: [SITE], include: ['/billing/**'], ...more });

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
    // The first pages are done within the second, the others are not.
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
      await shown.view.getByRole('button', { name: /^Generate drafts/ }).click();
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
  // A moving bar would be elsewhere in each picture.
  await shown.page.emulateMedia({ reducedMotion: 'reduce', colorScheme: theme });
  await act(shown);
  const content = shown.view.locator('main');
  const frame = shown.page.locator('iframe');
  for (let height = -1; height !== (await frame.boundingBox())?.height; ) {
    height = (await frame.boundingBox())?.height ?? 0;
    await content.evaluate('new Promise((resolve) => setTimeout(resolve, 100))');
  }
  await shown.page.locator('body').screenshot({ path: `${FOLDER}${name}-${theme}.png` });
  await shown.close();
  await close();
}

await mkdir(FOLDER, { recursive: true });
const browser = await launchChromium();
for (const picture of pictures) {
  for (const theme of ['light', 'dark'] as const) await take(browser, picture, theme);
}
await browser.close();
