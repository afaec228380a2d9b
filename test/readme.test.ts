import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const packageJson = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { devDependencies: Record<string, string> };

/** The fenced blocks, each with its language. */
const blocks = [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(
  ([, language = '', text = '']) => ({ language, text }),
);

const pageOf = (name: string) =>
  readFileSync(new URL(`../docs/${name}.md`, import.meta.url), 'utf8');

/** The cells of every row in the README's table below a heading, without the header row. */
function tableBelow(heading: string): string[][] {
  const section = readme.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  const rows = section.split('\n').filter((line) => line.startsWith('|'));
  return rows.slice(2).map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  );
}

describe('the commands', () => {
  it.each(['npm ci && npm run demo', 'npm ci && npm test'])(
    '"%s" is a block by itself',
    (command) => {
      expect(blocks.map(({ text }) => text)).toContain(`${command}\n`);
    },
  );
});

describe('the list of dependencies', () => {
  it('names each', () => {
    const section = pageOf('architecture').split('## Dependencies')[1] ?? '';
    for (const name of Object.keys(packageJson.devDependencies)) {
      expect(section).toContain(`\`${name}\``);
    }
  });
});

/* Compares the table with the page only: troubleshooting.test.ts triggers each message on the page. */
describe('the table of errors', () => {
  const quotesIn = (text: string) =>
    [...text.matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote);
  const messages = (pageOf('troubleshooting').match(/^### .*$/gm) ?? []).map(quotesIn);
  const rows = tableBelow('When something goes wrong').map(([seen = '']) => seen);
  const quoting = rows.filter((seen) => seen.startsWith('`'));

  it('quotes messages', () => {
    expect(quoting).toEqual(rows);
    expect(quoting.length).toBeGreaterThan(5);
  });

  it.each(quoting)('quotes a message of docs/troubleshooting.md: %s', (seen) => {
    const parts = quotesIn(seen);
    const isIn = (message: string[]) =>
      parts.every((part) => message.some((quote) => quote.includes(part)));
    expect(messages.filter(isIn), seen).not.toEqual([]);
  });
});

describe('the links and pictures', () => {
  const targets = [...readme.matchAll(/(?:\]\(|src=")([^)"#]+)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !target.startsWith('http'));

  it.each(targets)('%s is there', (target) => {
    expect(existsSync(new URL(`../${target}`, import.meta.url))).toBe(true);
  });
});
