import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { startHarness } from '../harness.ts';

/*
 * docs/tools.md shows what a client lists and a model receives, made from a real client's list. It
 * records every wording; rules that it cannot show are checked elsewhere.
 */

const HEAD = `# Tools

Every tool as a client lists it and a model sees it. This page is generated from \`tools/list\`: do not edit it. After a change to a tool, update the page and read the difference:

\`\`\`sh
npx vitest run test/tools/listing.test.ts -u
\`\`\`

Sizes are in bytes of JSON, for a tool's name, description and input schema: a model receives these in every conversation.`;

/** The part of JSON Schema that tools use. */
interface Schema {
  readonly type: string;
  readonly description?: string | undefined;
  readonly properties?: Record<string, Schema> | undefined;
  readonly required?: string[] | undefined;
  readonly items?: Schema | undefined;
  readonly enum?: string[] | undefined;
  readonly default?: unknown;
  readonly minimum?: number | undefined;
  readonly maximum?: number | undefined;
  readonly maxLength?: number | undefined;
  readonly minItems?: number | undefined;
  readonly maxItems?: number | undefined;
  readonly additionalProperties?: false | Partial<Schema> | undefined;
  readonly propertyNames?: unknown;
}

/** A strict schema, so that a keyword that the page does not show fails the test. */
const schemaSchema: z.ZodType<Schema> = z.strictObject({
  type: z.string(),
  description: z.string().optional(),
  get properties() {
    return z.record(z.string(), schemaSchema).optional();
  },
  required: z.array(z.string()).optional(),
  get items() {
    return schemaSchema.optional();
  },
  enum: z.array(z.string()).optional(),
  default: z.unknown().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  maxLength: z.number().optional(),
  minItems: z.number().optional(),
  maxItems: z.number().optional(),
  get additionalProperties() {
    // The schema of a record's values, if there is one.
    return z.union([z.literal(false), z.strictObject({}), schemaSchema]).optional();
  },
  propertyNames: z.unknown().optional(),
});

/** The listing that a kind of server sends to a client. */
interface Told {
  readonly instructions: string;
  readonly tools: Tool[];
}

async function told(...flags: string[]): Promise<Told> {
  const harness = await startHarness({}, {}, flags);
  const instructions = harness.client.getInstructions() ?? '';
  const { tools } = await harness.client.listTools();
  await harness.close();
  return { instructions, tools };
}

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const sizeOf = ({ name, description, inputSchema }: Tool) =>
  bytesOf({ name, description, inputSchema });
const sum = (tools: readonly Tool[]) => tools.reduce((total, tool) => total + sizeOf(tool), 0);
const counted = (count: number) => count.toLocaleString('en-US');

/** A text without effect in Markdown or a table. */
const escaped = (text: string) => text.replace(/[\\`*<|]/g, '\\$&').replaceAll('\n', ' ');
const quoted = (text: string) => text.replace(/^/gm, '> ');
const fenced = (text: string, language = '') => `\`\`\`${language}\n${text}\n\`\`\``;

function typeOf({ type, items, enum: values = [], additionalProperties }: Schema): string {
  if (typeof additionalProperties === 'object') {
    return `Record<string, ${additionalProperties.type ?? 'unknown'}>`;
  }
  const union = values.map((value) => `"${value}"`).join(' | ');
  if (type !== 'array' || items === undefined) return union || type;
  const inner = typeOf(items);
  return inner.includes(' | ') ? `(${inner})[]` : `${inner}[]`;
}

function limitsOf(schema: Schema): string {
  const { minimum, maximum, maxLength, minItems, maxItems, default: initial } = schema;
  const limits = Object.entries({
    ...{ minimum, maximum, maxLength, minItems, maxItems },
    default: initial,
  });
  return limits
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    .join(', ');
}

/** Table rows for all fields, including nested ones. */
function fieldRows({ properties = {}, required = [] }: Schema, path = ''): string[] {
  return Object.entries(properties).flatMap(([name, field]) => {
    const cells = [
      typeOf(field),
      required.includes(name) ? 'yes' : '',
      limitsOf(field),
      field.description ?? '',
    ];
    const list = field.items === undefined ? '' : '[]';
    return [
      `| \`${path}${name}\` | ${cells.map(escaped).join(' | ')} |`,
      ...fieldRows(field.items ?? field, `${path}${name}${list}.`),
    ];
  });
}

/** Fields with their types, one per line. */
function shape(schema: Schema, indent = ''): string {
  const { items, properties, required = [] } = schema;
  if (items?.properties !== undefined) return `${shape(items, indent)}[]`;
  if (properties === undefined) return typeOf(schema);
  const lines = Object.entries(properties).map(([name, field]) => {
    const says = field.description === undefined ? '' : `${indent}  // ${field.description}\n`;
    const mark = required.includes(name) ? '' : '?';
    return `${says}${indent}  ${name}${mark}: ${shape(field, `${indent}  `)}`;
  });
  return `{\n${lines.join('\n')}\n${indent}}`;
}

function section(tool: Tool): string {
  const { name, title, description = '', annotations = {} } = tool;
  const hints = Object.entries(annotations).map(([hint, value]) => `\`${hint}\` ${value}`);
  const input = fieldRows(schemaSchema.parse(tool.inputSchema));
  return [
    `### ${name}`,
    `${title}. ${counted(sizeOf(tool))} bytes. ${hints.join(', ')}.`,
    quoted(escaped(description)),
    input.length === 0
      ? 'It takes no input.'
      : [
          '| Input | Type | Required | Limits | Description |',
          '| --- | --- | --- | --- | --- |',
          ...input,
        ].join('\n'),
    'Output:',
    fenced(shape(schemaSchema.parse(tool.outputSchema)), 'ts'),
  ].join('\n\n');
}

function instructionsPart({ instructions }: Told): string {
  const size = counted(Buffer.byteLength(instructions));
  return `Instructions, ${size} bytes:\n\n${fenced(instructions, 'text')}`;
}

/** The differences between another kind of server's listing and the usual one. */
function difference(heading: string, other: Told, usual: Told): string {
  const known = new Map(usual.tools.map((tool) => [tool.name, tool]));
  const names = other.tools.map(({ name }) => `\`${name}\``).join(', ');
  const changed = other.tools.filter((tool) => {
    const before = known.get(tool.name);
    return before !== undefined && JSON.stringify(before) !== JSON.stringify(tool);
  });
  for (const { description: _other, ...rest } of changed) {
    const { description: _usual, ...before } = known.get(rest.name) ?? {};
    expect(rest).toEqual(before);
  }
  return [
    `## ${heading}`,
    `${counted(other.tools.length)} tools, ${counted(sum(other.tools))} bytes: ${names}.`,
    ...changed.map(({ name, description = '' }) =>
      [`The description of \`${name}\`:`, quoted(escaped(description))].join('\n\n'),
    ),
    instructionsPart(other),
    ...other.tools.filter(({ name }) => !known.has(name)).map(section),
  ].join('\n\n');
}

test('docs/tools.md is what clients are told', async () => {
  const usual = await told();
  const page = [
    HEAD,
    '## By default',
    `${counted(usual.tools.length)} tools, ${counted(sum(usual.tools))} bytes.`,
    instructionsPart(usual),
    ...usual.tools.map(section),
    difference('With `--read-only`', await told('--read-only'), usual),
    difference('With `--allow-delete`', await told('--allow-delete'), usual),
    difference('With `--allow-publish`', await told('--allow-publish'), usual),
    difference('With `--tools sources`', await told('--tools', 'sources'), usual),
    difference('With `--tools knowledge`', await told('--tools', 'knowledge'), usual),
  ].join('\n\n');
  await expect(`${page}\n`).toMatchFileSnapshot('../../docs/tools.md');
});
