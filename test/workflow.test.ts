import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

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

test('no workflow may write, and no checkout keeps its token', () => {
  for (const { name, text } of workflows) {
    expect(text, name).toMatch(/^permissions:\n {2}contents: read\n/m);
    const checkouts = text.match(/uses: actions\/checkout@/g) ?? [];
    const forgetful = text.match(
      /uses: actions\/checkout@.*\n +with:\n +persist-credentials: false$/gm,
    );
    expect(forgetful ?? [], name).toHaveLength(checkouts.length);
  }
});
