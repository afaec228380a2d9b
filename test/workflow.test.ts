import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const SCRIPTS = new URL('../.ci/', import.meta.url);
const WORKFLOWS = new URL('../.github/workflows/', import.meta.url);

test('every action is pinned to a commit, with its version beside it', () => {
  const texts = readdirSync(WORKFLOWS).map((name) =>
    readFileSync(new URL(name, WORKFLOWS), 'utf8'),
  );
  const uses = texts.flatMap((text) => text.match(/^.*\buses:.*$/gm) ?? []);
  expect(uses.length).toBeGreaterThan(0);
  // A tag can be moved to other code; a commit cannot.
  for (const line of uses)
    expect(line).toMatch(/uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
});

test('every script of .ci is called by .ci/run and by the workflow', () => {
  const workflow = readFileSync(new URL('ci.yml', WORKFLOWS), 'utf8');
  const local = readFileSync(new URL('run', SCRIPTS), 'utf8');
  const [, matrix = ''] = /^ +script: \[(.*)\]$/m.exec(workflow) ?? [];
  const scripts = readdirSync(SCRIPTS, { withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'run')
    .map(({ name }) => name)
    .filter((name) => readFileSync(new URL(name, SCRIPTS), 'utf8').startsWith('#!'));
  expect(scripts).toContain('conformance');
  for (const name of scripts) {
    expect(local, name).toMatch(new RegExp(`^step ${name} \\.ci/${name}$`, 'm'));
    // On GitHub, the versions of Node.js are in a matrix of their own.
    if (name !== 'nodes') expect(matrix.split(', ')).toContain(name);
  }
});
