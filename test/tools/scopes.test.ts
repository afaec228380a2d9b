import { afterEach, expect, test } from 'vitest';
import type { ToolGroup } from '../../src/config.ts';
import { tools } from '../../src/tools/all-tools.ts';
import { toolsFor } from '../../src/tools/listed-tools.ts';
import type { ServerKind, Tool } from '../../src/tools/tool.ts';
import { configFor, type Harness, startHarness } from '../harness.ts';

/* Effects of a tool's kind and scope: where it is listed, its texts, and its errors. */

let harness: Harness | undefined;
afterEach(() => harness?.close());

const usual = configFor([]);

test('a tool’s kind decides with which flags it is listed, and its annotations', async () => {
  const named = (kind: ServerKind) => toolsFor(kind).map(({ name }) => name);
  const those = (isWanted: (tool: Tool) => boolean) =>
    tools.filter(isWanted).map(({ name }) => name);
  const reading = those(({ kind }) => kind === 'reads');
  expect(named({ ...usual, readOnly: true })).toEqual(reading);
  expect(named({ ...usual, readOnly: true, allowDelete: true, allowPublish: true })).toEqual(
    reading,
  );
  expect(named(usual)).toEqual(those(({ kind }) => kind === 'reads' || kind === 'writes'));
  expect(named({ ...usual, allowDelete: true })).toEqual(those(({ kind }) => kind !== 'publishes'));
  expect(named({ ...usual, allowPublish: true })).toEqual(those(({ kind }) => kind !== 'deletes'));
  harness = await startHarness({}, {}, ['--allow-delete', '--allow-publish']);
  for (const { name, annotations } of (await harness.client.listTools()).tools) {
    const kind = tools.find((tool) => tool.name === name)?.kind;
    expect(annotations, name).toMatchObject({
      readOnlyHint: kind === 'reads',
      destructiveHint: kind === 'deletes' || kind === 'publishes',
    });
  }
});

test('every tool is in a group, and those that show sources are in both', () => {
  const of = (...toolGroups: ToolGroup[]) =>
    toolsFor({ ...usual, allowDelete: true, allowPublish: true, toolGroups }).map(
      ({ name }) => name,
    );
  const [sources, knowledge] = [of('sources'), of('knowledge')];
  expect(new Set([...sources, ...knowledge])).toEqual(new Set(tools.map(({ name }) => name)));
  const inBoth = sources.filter((name) => knowledge.includes(name));
  expect(inBoth).toEqual(
    expect.arrayContaining(['wait_for_sources', 'list_sources', 'get_source']),
  );
  expect(of('sources', 'knowledge')).toEqual(tools.map(({ name }) => name));
});

test('each description ends with the tool’s scope, whatever kind of server lists it', async () => {
  for (const flags of [[], ['--read-only'], ['--allow-delete']]) {
    harness = await startHarness({}, {}, flags);
    for (const { name, description } of (await harness.client.listTools()).tools) {
      const scope = tools.find((tool) => tool.name === name)?.scope;
      expect(description?.endsWith(`. Needs ${scope} scope.`), name).toBe(true);
    }
    await harness.close();
  }
  harness = undefined;
});

test('a key that can only write: where deleting is on, it can delete, too', async () => {
  harness = await startHarness({}, { FINI_API_KEY: 'fini_sandbox_write' }, ['--allow-delete']);
  const { id } = harness.sandbox.addDocument({});
  const { text } = await harness.call('list_sources');
  expect(text).toMatch(/only deep_crawl_links, .* refresh_sources and delete_sources work with it/);
  expect(await harness.call('delete_sources', { documentIds: [id] })).toMatchObject({
    isError: false,
    text: expect.stringMatching(/^1 source and 0 articles deleted/),
  });
});

test('a key that can only write, on a server that only reads: no tool that is not there is named', async () => {
  harness = await startHarness({}, { FINI_API_KEY: 'fini_sandbox_write' }, ['--read-only']);
  const { text, isError } = await harness.call('list_sources');
  expect(isError).toBe(true);
  expect(text).toMatch(
    /It is write-only, so no tool of this server works with it\. Ask the person/,
  );
});
