import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, startHarness } from '../harness.ts';
import { nextCallsOf } from '../next-calls.ts';
import { addExamples, EXAMPLE_CASES, EXAMPLES } from './examples.ts';

const keys = {
  'an empty key': '',
  'a blank key': '  ',
  'a variable that the client did not expand': `$\{FINI_API_KEY}`,
  'a prompt that the client did not expand': `$\{input:fini-key}`,
  'the scope read alone': 'fini_sandbox_read',
  'the scope write alone': 'fini_sandbox_write',
  'a wrong key': 'fini_wrong',
};

/** A server for each key, with one source in its workspace. */
const harnesses = new Map<string, Harness>();
beforeAll(async () => {
  const starts = Object.entries(keys).map(async ([name, key]) => {
    const harness = await startHarness({ folders: true }, { FINI_API_KEY: key }, [
      '--allow-delete',
      '--allow-publish',
    ]);
    addExamples(harness.sandbox);
    harnesses.set(name, harness);
  });
  await Promise.all(starts);
});
afterAll(() => Promise.all([...harnesses.values()].map((harness) => harness.close())));

function harnessWith(name: keyof typeof keys): Harness {
  const harness = harnesses.get(name);
  if (harness === undefined) throw new Error(`no server with ${name}`);
  return harness;
}

describe.each([
  'an empty key',
  'a blank key',
  'a variable that the client did not expand',
  'a prompt that the client did not expand',
] as const)('%s counts as none', (name) => {
  test('the tools are listed, each with the scope that it needs', async () => {
    const { tools } = await harnessWith(name).client.listTools();
    const told = tools.map(({ name, description = '' }) => [
      name,
      / Needs ([a-z ]+) scope\.$/.exec(description)?.[1],
    ]);
    const needed = EXAMPLES.map(({ tool, needs }) => [tool, needs]);
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(needed));
  });

  test.each(EXAMPLE_CASES)('%s says how to set it and sends nothing', async (tool, { input }) => {
    const { isError, text } = await harnessWith(name).call(tool, { ...input });
    expect(isError).toBe(true);
    expect(text).toMatch(
      /No Fini API key is set.*nothing was sent.*FINI_API_KEY.*restart.*variable.*--sandbox/,
    );
    expect(harnessWith(name).sandbox.requests).toEqual([]);
  });
});

describe.each(['read', 'write'] as const)('a key with the scope %s alone', (held) => {
  test.each(EXAMPLE_CASES)('%s says if that is too little', async (tool, example) => {
    const { needs, input, flag, refusals = 1 } = example;
    const { call, sandbox } = harnessWith(`the scope ${held} alone`);
    // Publishing writes nothing before it has shown what it would do.
    const [shown] =
      flag === '--allow-publish' ? nextCallsOf(await call(tool, { ...input }), tool) : [];
    const before = { requests: sandbox.requests.length, documents: sandbox.documents().length };
    const { isError, text } = await call(tool, shown ?? { ...input });
    const other = held === 'read' ? 'write' : 'read';
    const missing = needs === 'read and write' ? other : needs;
    expect(isError, text).toBe(missing !== held);
    if (missing === held) return;
    expect(text).toMatch(new RegExp(`HTTP 403.*lacks the ${missing} scope.*will not help`));
    const sent = sandbox.requests.slice(before.requests);
    expect(sent.filter(({ status }) => status === 403).length).toBeLessThanOrEqual(refusals);
    expect(sandbox.documents()).toHaveLength(before.documents);
  });
});

describe('a wrong key', () => {
  test.each(EXAMPLE_CASES)(
    '%s says to set the full key, and asks no more',
    async (tool, { input, refusals = 1 }) => {
      const { call, sandbox } = harnessWith('a wrong key');
      const before = sandbox.requests.length;
      const { isError, text } = await call(tool, { ...input });
      expect(isError).toBe(true);
      expect(text).toMatch(/HTTP 401.*Invalid API key.*set FINI_API_KEY.*restart/);
      expect(text).not.toContain('fini_wrong');
      expect(sandbox.requests).toHaveLength(before + refusals);
    },
  );
});
