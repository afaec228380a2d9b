import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };

const SCRIPTS = new URL('../.ci/', import.meta.url);
const WORKFLOWS = new URL('../.github/workflows/', import.meta.url);

const workflows = readdirSync(WORKFLOWS).map((name) => ({
  name,
  text: readFileSync(new URL(name, WORKFLOWS), 'utf8'),
}));

test('every action is pinned to a commit, with its version beside it', () => {
  const uses = workflows.flatMap(({ text }) => text.match(/^.*\buses:.*$/gm) ?? []);
  expect(uses.length).toBeGreaterThan(0);
  // A tag can be moved to other code; a commit cannot.
  for (const line of uses)
    expect(line).toMatch(/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});

test('no workflow may write or has a secret, and no checkout keeps its token', () => {
  for (const { name, text } of workflows) {
    expect(text, name).toMatch(/^permissions:\n {2}contents: read\n(?! )/m);
    expect(text.match(/permissions:/g), name).toHaveLength(1);
    expect(text, name).not.toMatch(/secrets\.|pull_request_target|workflow_run/);
    const checkouts = text.match(/uses: actions\/checkout@/g) ?? [];
    const forgetful = text.match(
      /uses: actions\/checkout@.*\n +with:\n +persist-credentials: false$/gm,
    );
    expect(forgetful ?? [], name).toHaveLength(checkouts.length);
  }
});

test('no job runs for hours, and a newer run of a branch ends the older one', () => {
  for (const { name, text } of workflows) {
    const jobs = text.match(/^ {4}runs-on:/gm) ?? [];
    expect(text.match(/^ {4}timeout-minutes: \d{1,2}$/gm), name).toHaveLength(jobs.length);
    expect(text, name).toMatch(/^concurrency:\n {2}group: .*github\.ref .*\n.*: true$/m);
  }
});

describe('the workflow does what .ci/run does', () => {
  const workflow = readFileSync(new URL('ci.yml', WORKFLOWS), 'utf8');
  const local = readFileSync(new URL('run', SCRIPTS), 'utf8');
  const scripts = readdirSync(SCRIPTS, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => ({ name, text: readFileSync(new URL(name, SCRIPTS), 'utf8') }))
    .filter(({ text }) => text.startsWith('#!'));
  /** The values on a line of the matrix. */
  const matrix = (name: string) =>
    new RegExp(`^ +${name}: \\[(.*)\\]$`, 'm').exec(workflow)?.[1]?.split(', ') ?? [];
  const commands = [...workflow.matchAll(/^ +-? ?run: (.*)$/gm)].flatMap(([, command = '']) =>
    command.includes('matrix.script')
      ? matrix('script').map((name) => command.replace(/\$\{\{ matrix\.script \}\}/, name))
      : [command],
  );
  const [oldest] = packageJson.engines.node.match(/\d+/) ?? [];

  test('each script is called by both', () => {
    const names = scripts.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['run', 'nodes', 'conformance']));
    for (const name of names.filter((name) => name !== 'run')) {
      expect(local, name).toMatch(new RegExp(`^\\.ci/${name}\\b`, 'm'));
      // CI runs the versions of `nodes` by its matrix.
      if (name !== 'nodes') expect(commands).toContain(`.ci/${name}`);
    }
  });

  test('both check, and test by the command of the README', () => {
    expect(local).toMatch(/^npm run check$/m);
    expect(commands).toContain('npm run check');
    const [, command = 'none'] = /grep -m 1 -x '(.*)' README\.md/.exec(local) ?? [];
    expect(commands).toContain(command);
  });

  test('both test the oldest version of Node.js that package.json allows, and the others', () => {
    const nodes = scripts.find(({ name }) => name === 'nodes')?.text ?? '';
    const [, versions = ''] = /^for version in (.*); do$/m.exec(nodes) ?? [];
    const others = versions.split(' ').map((version) => version.split('.')[0]);
    expect(matrix('node')).toEqual([oldest, ...others]);
    for (const [, version] of workflow.matchAll(/node-version: (\d.*)$/gm)) {
      expect(version).toBe(oldest);
    }
  });

  test('the tests run on each system that people have', () => {
    expect(matrix('os')).toEqual(['ubuntu-latest', 'macos-latest', 'windows-latest']);
  });
});
