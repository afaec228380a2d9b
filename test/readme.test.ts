import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { helpText } from '../src/command-line.ts';
import { tools } from '../src/tools/all-tools.ts';

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

/** The cells of every row in the table below a heading, without the header row. */
function tableBelow(heading: string, text = readme): string[][] {
  const section = text.split(/^#+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
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

describe('the configuration table', () => {
  // A setting in --help is a line of names and a line that ends with the default.
  const settings = [...helpText('').matchAll(/^ {2}(\S.*)\n {6}(.*)$/gm)].map(
    ([, names = '', description = '']) => ({
      names: names.replaceAll(' <value>', '').split(', '),
      initial: / Default: (.*)\.$/.exec(description)?.[1],
    }),
  );
  // Settings that only matter over HTTP are on the page for teams.
  const rows = [...tableBelow('Configuration'), ...tableBelow('Settings', pageOf('team'))];

  it('has one row for each setting', () => {
    expect(rows).toHaveLength(settings.length);
    expect(settings.length).toBeGreaterThan(5);
  });

  it.each(settings)('has $names', ({ names, initial }) => {
    const row = rows.find((cells) => cells.slice(0, 2).join().includes(`\`${names[0]}\``)) ?? [];
    const [variable = '', flags = '', standard = ''] = row;
    const isFlag = (name: string) => name.startsWith('--');
    expect(flags).toBe(
      names
        .filter(isFlag)
        .map((name) => `\`${name}\``)
        .join(', '),
    );
    expect(variable).toBe(
      names
        .filter((name) => !isFlag(name))
        .map((name) => `\`${name}\``)
        .join(', '),
    );
    if (initial !== undefined) expect(standard).toBe(`\`${initial}\``);
    else expect(['none', 'off', '']).toContain(standard);
  });
});

describe('the tools table', () => {
  it('names each listed tool, in order', () => {
    const names = tableBelow('The tools').map(([name]) => name);
    expect(names).toEqual(tools.map(({ name }) => `\`${name}\``));
  });
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
