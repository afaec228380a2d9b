/**
 * `npm run pictures`: takes the pictures of docs/pictures from the built server with its sandbox, in
 * Chromium: the page that hosts show, in each state, light and dark.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { crc32, deflateSync } from 'node:zlib';
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
  const screenshot = await shown.page.locator('body').screenshot();
  await writeFile(`${FOLDER}${name}-${theme}.png`, await inFewColours(browser, screenshot));
  await shown.close();
  await close();
}

/** The same picture in 256 colours, which is half as large and looks the same. */
async function inFewColours(browser: Browser, png: Buffer): Promise<Buffer> {
  const page = await browser.newPage();
  const [width = 0, height = 0, ...numbers] = await page.evaluate<number[]>(`(async () => {
    const image = new Image();
    image.src = 'data:image/png;base64,${png.toString('base64')}';
    await image.decode();
    const { width, height } = image;
    const context = Object.assign(document.createElement('canvas'), { width, height }).getContext('2d');
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    return [width, height, ...new Uint32Array(data.buffer).map((colour) => colour & 0xffffff)];
  })()`);
  await page.close();
  const uses = new Map<number, number>();
  for (const colour of numbers) uses.set(colour, (uses.get(colour) ?? 0) + 1);
  const byUse = [...uses].sort(([, one], [, other]) => other - one).map(([colour]) => colour);
  const palette = byUse.slice(0, 256);
  const places = new Map(byUse.map((colour) => [colour, nearest(palette, colour)]));
  // Each line begins with its filter, which is none.
  const lines = Buffer.alloc((width + 1) * height);
  for (const [index, colour] of numbers.entries()) {
    lines[index + Math.floor(index / width) + 1] = places.get(colour) ?? 0;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 3], 8);
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flatMap(channels))),
    chunk('IDAT', deflateSync(lines, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(name: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(name), data]);
  const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  sum.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, sum]);
}

/** Red, green and blue. */
function channels(colour: number): [number, number, number] {
  return [colour & 255, (colour >> 8) & 255, (colour >> 16) & 255];
}

function nearest(palette: readonly number[], colour: number): number {
  const wanted = channels(colour);
  const distances = palette.map((other) =>
    channels(other).reduce((sum, value, index) => sum + (value - (wanted[index] ?? 0)) ** 2, 0),
  );
  return distances.indexOf(Math.min(...distances));
}

await mkdir(FOLDER, { recursive: true });
const browser = await launchChromium();
for (const picture of pictures) {
  for (const theme of ['light', 'dark'] as const) await take(browser, picture, theme);
}
await browser.close();
