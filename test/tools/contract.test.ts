import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, startHarness } from '../harness.ts';
import { toolsNamed } from '../next-calls.ts';
import { EXAMPLE_CASES, EXAMPLES, TOOL_NAMES } from './examples.ts';

/** Inputs whose description omits the default, because the name alone makes it clear. */
const withoutDefaultInWords = ['deleteArticles'];

/** Keywords in an input schema that some client rejects or some model does not understand. */
const FORBIDDEN_KEYWORDS = [
  '$ref',
  '$defs',
  'anyOf',
  'oneOf',
  'allOf',
  'not',
  'if',
  'const',
  'format',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'nullable',
  'patternProperties',
  'propertyNames',
];

let harness: Harness;
let tools: Map<string, Tool>;
beforeAll(async () => {
  harness = await startHarness({}, {}, ['--allow-delete', '--allow-publish']);
  tools = new Map((await harness.client.listTools()).tools.map((tool) => [tool.name, tool]));
});
afterAll(() => harness.close());

function toolNamed(name: string): Tool {
  const tool = tools.get(name);
  if (tool === undefined) throw new Error(`no tool ${name}`);
  return tool;
}

type Schema = Record<string, unknown>;

/** Every schema inside a schema, itself included. Names of properties are not keywords. */
function schemasIn(schema: Schema): Schema[] {
  const { properties = {}, items } = schema;
  const inner = [...Object.values(Object(properties)), ...(items === undefined ? [] : [items])];
  return [schema, ...inner.flatMap((one) => schemasIn(Object(one)))];
}

test('every tool is listed, and has a row of examples', () => {
  expect([...tools.keys()]).toEqual(TOOL_NAMES);
  expect(EXAMPLES.map(({ tool }) => tool).toSorted()).toEqual(TOOL_NAMES.toSorted());
});

test.each([
  [['--read-only']],
  [['--tools', 'sources']],
  [['--tools', 'knowledge']],
  [['--tools', 'sources', '--read-only']],
  [['--tools=knowledge', '--read-only']],
  [['--tools', 'knowledge', '--allow-publish']],
  [['--tools', 'sources', '--allow-delete']],
])('with %s no word leads to a tool that is not there', async (flags) => {
  const { client, close } = await startHarness({}, {}, flags);
  const listed = (await client.listTools()).tools;
  const { prompts } = await client.listPrompts();
  const given = { url: 'https://a.example/', provider: 'notion', source: 'web' };
  const texts = prompts.map(({ name }) => {
    const source = name === 'explain_failed_source' ? given.url : given.source;
    return client.getPrompt({ name, arguments: { ...given, source } });
  });
  const told = JSON.stringify([listed, client.getInstructions(), await Promise.all(texts)]);
  await close();
  const off = TOOL_NAMES.filter((name) => listed.every((tool) => tool.name !== name));
  expect(off).not.toEqual([]);
  for (const name of off) expect(told).not.toContain(name);
});

test('the instructions name every flow', () => {
  const instructions = harness.client.getInstructions() ?? '';
  expect(instructions).toMatch(/deep_crawl_links.*ingest_and_wait/);
  expect(instructions).toMatch(
    /list_provider_resources.*register_provider_resources.*ingest_and_wait.*source IDs/,
  );
  expect(instructions).toMatch(/timed_out.*wait_for_sources/);
  expect(instructions).toMatch(/not yet live.*generate_knowledge/);
  expect(instructions).toMatch(/list_articles.*get_articles.*list_agents.*get_knowledge_tree/);
  expect(instructions.length).toBeLessThan(2_000);
});

describe.each(EXAMPLE_CASES)('%s', (name, example) => {
  test('has a title and a name that fits every client', () => {
    const { title } = toolNamed(name);
    expect(title).toMatch(/^[A-Z].{5,50}$/);
    expect(`fini${name}`.length).toBeLessThan(60);
    expect(name).toMatch(/^[a-z_]+$/);
  });

  test('has a description in bounds that leads to another tool, and only to those there are', () => {
    const { description = '' } = toolNamed(name);
    expect(description.length).toBeGreaterThanOrEqual(100);
    expect(description.length).toBeLessThanOrEqual(700);
    expect(description).toMatch(/use |use$|usual way|prefer|pass /i);
    const others = toolsNamed(description).filter((other) => other !== name);
    expect(others.length).toBeGreaterThan(0);
    for (const other of others) expect(TOOL_NAMES).toContain(other);
  });

  test('has all four annotations, and says what they say', () => {
    const { annotations, description } = toolNamed(name);
    expect(annotations).toEqual({
      readOnlyHint: !example.writes,
      // Publishing an update replaces what customers are told.
      destructiveHint: example.flag !== undefined,
      idempotentHint: example.addsUp !== true,
      openWorldHint: example.reachesOut,
    });
    const deletes = example.flag === '--allow-delete';
    expect(/Permanently deletes/.test(description ?? '')).toBe(deletes);
    const queuesTwice = example.addsUp === true && example.reachesOut;
    expect(/queues twice/.test(description ?? '')).toBe(queuesTwice);
  });

  test('takes a plain object that every client understands', () => {
    const { inputSchema } = toolNamed(name);
    expect(inputSchema).toMatchObject({ type: 'object', additionalProperties: false });
    for (const schema of schemasIn(inputSchema)) {
      expect(Object.keys(schema).filter((key) => FORBIDDEN_KEYWORDS.includes(key))).toEqual([]);
      expect(['object', 'array', 'string', 'integer', 'boolean']).toContain(schema.type);
      if (schema.type === 'object') expect(schema.additionalProperties).toBe(false);
      if (schema.type === 'array') expect(schema.items).toBeTypeOf('object');
      if (schema.enum) expect(schema.type).toBe('string');
    }
  });

  test('needs no more than it must: what has a default is optional', () => {
    const { properties = {}, required = [] } = toolNamed(name).inputSchema;
    for (const [key, schema] of Object.entries(properties)) {
      if ('default' in schema) expect(required).not.toContain(key);
    }
  });

  test('describes every parameter, with its default in words', () => {
    for (const schema of schemasIn(toolNamed(name).inputSchema)) {
      for (const [key, parameter] of Object.entries(Object(schema.properties))) {
        const { description = '', default: initial } = Object(parameter);
        expect(description, key).toMatch(/\S/);
        // Some clients drop the keyword. An empty list is the default that everyone expects.
        if (initial === undefined || Array.isArray(initial)) continue;
        if (withoutDefaultInWords.includes(key)) continue;
        expect(description, key).toMatch(new RegExp(`Default ${initial}\\.`));
      }
    }
  });

  test('has an output schema that is whole: each field typed, and others allowed', () => {
    const { outputSchema } = toolNamed(name);
    expect(Object.keys(outputSchema?.properties ?? {}).length).toBeGreaterThan(1);
    for (const schema of schemasIn(Object(outputSchema))) {
      expect(['object', 'array', 'string', 'integer', 'number', 'boolean']).toContain(schema.type);
      expect(Object.keys(schema).filter((key) => FORBIDDEN_KEYWORDS.includes(key))).toEqual([]);
      expect(schema).not.toHaveProperty('additionalProperties');
      if (schema.type === 'array') expect(schema.items).toHaveProperty('type');
    }
    // Only two objects are open: inputs of next calls, and counts by list name, which belong to any tool.
    const open = schemasIn(Object(outputSchema)).filter(
      ({ type, properties }) => type === 'object' && properties === undefined,
    );
    expect(open).toHaveLength(2);
  });
});
