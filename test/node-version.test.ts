import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { transform } from 'esbuild';
import { describe, expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { nodeFault } from '../src/node-version.ts';
import { CLI } from './harness.ts';

/** Runs the built server with a Node.js that gives itself out for another version. */
async function runAs(version: string, args: string[]) {
  const fake = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  const loader = `data:text/javascript,${encodeURIComponent(fake)}`;
  const command = ['--import', loader, CLI, ...args];
  const running = promisify(execFile)(process.execPath, command);
  return running.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

const OLDEST = packageJson.engines.node.replace('>=', '');

test.each<[what: string, args: string[]]>([
  ['over stdio', []],
  ['in a check', ['--check', '--sandbox']],
  ['over HTTP', ['--http']],
])(
  'the built server says %s what it needs, what it got and where that lies',
  async (_what, args) => {
    const said = `fini-mcp needs Node.js ${OLDEST} or newer, and this is 18.20.8 (${process.execPath}).`;
    const { code, stdout, stderr } = await runAs('18.20.8', args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.startsWith(said)).toBe(true);
    expect(stderr.trim()).not.toContain('\n');
  },
);

test('the built server starts with the oldest version that package.json allows', async () => {
  const expected = { code: 0, stdout: `${packageJson.version}\n`, stderr: '' };
  expect(await runAs(OLDEST, ['--version'])).toEqual(expected);
});

describe('the first file', () => {
  test('loads nothing before the check', async () => {
    const text = await readFile(CLI, 'utf8');
    // Not even Node's own modules, of which an older version may have fewer.
    expect(text.match(/\bimport\b./g)).toEqual(['import(']);
  });

  test('has no syntax that Node.js 14 cannot read', async () => {
    const text = await readFile(CLI, 'utf8');
    const [lowered, same] = await Promise.all(
      ['node14', 'esnext'].map((target) => transform(text, { target })),
    );
    expect(lowered?.code).toBe(same?.code);
  });
});

test.each([
  ['14.21.3', true],
  ['18.20.8', true],
  ['20.9.0', true],
  ['20.18.0', true],
  ['20.18.1', false],
  ['20.18.2', false],
  ['20.20.0', false],
  ['21.0.0', false],
  ['22.0.0-nightly20240101', false],
  ['100.0.0', false],
])('%s is too old: %s', (version, isTooOld) => {
  expect(nodeFault(version) !== null).toBe(isTooOld);
});
