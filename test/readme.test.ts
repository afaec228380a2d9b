import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { helpText } from '../src/config.ts';
import { tools } from '../src/tools/index.ts';
import { type Harness, Stops, startHarness } from './harness.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const packageJson = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { devDependencies: Record<string, string> };

/** The fenced blocks, with the language of each. */
const blocks = [...readme.matchAll(/^```(\w*)\n(.*?)^```$/gms)].map(
  ([, language = '', text = '']) => ({ language, text }),
);

/** The cells of every row of the table below a heading, without the header row. */
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

  it('has JSON that can be copied', () => {
    const json = blocks.filter(({ language }) => language === 'json');
    expect(json).toHaveLength(3);
    for (const { text } of json) expect(() => JSON.parse(text)).not.toThrow();
  });
});

describe('the configuration table', () => {
  // Every setting in --help: a line of names, and a line that ends with the default.
  const settings = [...helpText('').matchAll(/^ {2}(\S.*)\n {6}(.*)$/gm)].map(
    ([, names = '', description = '']) => ({
      names: names.replaceAll(' <value>', '').split(', '),
      initial: / Default: (.*)\.$/.exec(description)?.[1],
    }),
  );
  const rows = tableBelow('Configuration');

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
    const section = readme.slice(readme.indexOf('## Dependencies'));
    for (const name of Object.keys(packageJson.devDependencies)) {
      expect(section).toContain(`\`${name}\``);
    }
  });
});

describe('the table of errors', () => {
  const page = 'https://a.example/page';
  const sourceId = '5d9f67a8-d853-4af4-b7ce-23ebba1245e5';
  const stops = new Stops();
  afterAll(() => stops.run());

  const start = async (...settings: Parameters<typeof startHarness>): Promise<Harness> =>
    stops.use(await startHarness(...settings));

  /** What triggers each text that the README quotes. */
  const causes: Record<string, () => Promise<string>> = {
    'No Fini API key is set': async () => {
      const { call } = await start({}, { FINI_API_KEY: '' });
      return (await call('list_sources')).text;
    },
    'HTTP 401': async () => {
      const { call } = await start({}, { FINI_API_KEY: 'fini_revoked' });
      return (await call('list_sources')).text;
    },
    'HTTP 403': async () => {
      const { call } = await start({}, { FINI_API_KEY: 'fini_sandbox_read' });
      return (await call('deep_crawl_links', { links: [page] })).text;
    },
    'With source "web" these are source IDs': async () => {
      const { call } = await start();
      return (await call('ingest_and_wait', { documentIdsToAdd: [sourceId] })).text;
    },
    'these are URLs': async () => {
      const { call } = await start();
      const input = { source: 'notion', documentIdsToAdd: [page] };
      return (await call('ingest_and_wait', input)).text;
    },
    'timed_out:': async () => {
      const { call } = await start({ jobs: () => ({ never: true }) });
      // The first request is the slowest; the second call's time is for waiting.
      await call('list_sources');
      return (await call('ingest_and_wait', { documentIdsToAdd: [page], timeoutSeconds: 1 })).text;
    },
    'They may have been queued all the same.': async () => {
      const { call, sandbox } = await start();
      sandbox.script({ method: 'POST', action: { kind: 'reset', when: 'after' } });
      return (await call('ingest_and_wait', { documentIdsToAdd: [page] })).text;
    },
    'Pending for more than 15 minutes': async () => {
      const { call, sandbox } = await start();
      const updatedAt = new Date(Date.now() - 16 * 60_000).toISOString();
      const { id } = sandbox.addDocument({ linkedJobStatus: 'PENDING', success: null, updatedAt });
      return (await call('get_source', { id })).text;
    },
  };

  const rows = tableBelow('When something goes wrong').map(([seen = '']) => seen);
  const quoting = rows.filter((seen) => seen.startsWith('`'));

  it('has a row for each', () => {
    expect(rows).toHaveLength(quoting.length + 1);
    expect(quoting).toHaveLength(Object.keys(causes).length);
  });

  it.each(Object.entries(causes))('quotes %s exactly', async (words, trigger) => {
    const seen = quoting.find((row) => row.includes(words)) ?? '';
    const quotes = [...seen.matchAll(/`([^`]+)`/g)].map(([, quote = '']) => quote);
    expect(quotes).not.toHaveLength(0);
    const text = await trigger();
    for (const quote of quotes) expect(text).toContain(quote);
  });
});
