/**
 * `npm run docs`: writes what the documents repeat from the code: the tables of tools and settings,
 * server.json and docs/tools.md. With `--check` it writes nothing and names what is out of date.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js';
import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import * as z from 'zod';
import packageJson from './package.json' with { type: 'json' };
import { actions, readCommand } from './src/command-line.ts';
import { configSchema, settingRows } from './src/config.ts';
import { createServer } from './src/mcp/server.ts';
import { tools } from './src/tools/all-tools.ts';
import { catalog } from './src/tools/catalog.ts';
import { barriersTo } from './src/tools/listed-tools.ts';

/** The settings' defaults. */
const defaults = configSchema.parse({});

/** A row of a table in Markdown. */
function tableRow(...cells: readonly string[]): string {
  return `|${cells.map((cell) => (cell === '' ? ' ' : ` ${cell} `)).join('|')}|`;
}

const code = (text: string) => `\`${text}\``;

/** The README's table of tools. */
function toolsTable(): string {
  const rows = tools.map(({ name, title, scope }) => {
    const [entry] = catalog.filter((one) => one.name === name);
    const barriers = entry === undefined ? [] : barriersTo(entry, defaults);
    // Only a flag keeps a server without flags from listing a tool: "with --allow-delete".
    const flags = barriers.map(({ wanted }) => ` Only ${wanted.replace(/--\S+/, code('$&'))}.`);
    return tableRow(code(name), `${title}.${flags.join('')}`, scope);
  });
  const head = tableRow('tool', 'what it does', 'scope of the key');
  return [head, '|---|---|---|', ...rows].join('\n');
}

/** A table of settings: of those that only apply over HTTP, or of the others and what else flags do. */
function settingsTable(isForHttp: boolean): string {
  const rows = settingRows
    .filter(({ needsHttp = false }) => needsHttp === isForHttp)
    .map(({ environment = '', flag, initial, description }) =>
      tableRow(
        environment && code(environment),
        flag === undefined ? '' : code(`--${flag}`),
        defaultCell(initial),
        description,
      ),
    );
  const others = isForHttp
    ? []
    : actions.map(({ flags, description }) =>
        tableRow('', flags.map((flag) => code(`--${flag}`)).join(', '), '', description),
      );
  const head = tableRow('environment', 'flag', 'default', 'meaning');
  return [head, '|---|---|---|---|', ...rows, ...others].join('\n');
}

function defaultCell(initial: unknown): string {
  if (initial === false) return 'off';
  const text = defaultText(initial);
  return text === '' ? 'none' : code(text);
}

/** A default as it would be set; empty if there is none. */
const defaultText = (initial: unknown) => String(initial ?? '');

/** The entry for the MCP registry: the package, and the variables that it reads over stdio. */
function serverJson() {
  const { name, version, description } = packageJson;
  const variables = settingRows.filter(
    ({ environment, needsHttp }) => environment?.startsWith('FINI_') === true && !needsHttp,
  );
  return {
    $schema: 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json',
    name: packageJson.mcpName,
    title: 'Fini',
    description,
    version,
    packages: [
      {
        registryType: 'npm',
        identifier: name,
        version,
        runtimeHint: 'npx',
        transport: { type: 'stdio' },
        environmentVariables: variables.map((setting) => ({
          name: setting.environment,
          description: setting.description,
          ...(setting.name === 'apiKey' && { isRequired: true, isSecret: true }),
          ...(typeof setting.initial === 'number' && { format: 'number' }),
          ...(defaultText(setting.initial) !== '' && { default: defaultText(setting.initial) }),
        })),
      },
    ],
  };
}

const TOOLS_HEAD = `# Tools

What a client lists and a model is given, tool by tool. \`npm run docs\` writes this page from \`tools/list\`: do not edit it. After a change to a tool, read the difference.

Sizes are in bytes of JSON: a tool's name, description and input schema, which a model is given for every conversation.`;

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

/** Strict, so that no keyword is left out of the page unnoticed. */
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
    // A record shows the description of its values, if there is one.
    return z.union([z.literal(false), z.strictObject({}), schemaSchema]).optional();
  },
  propertyNames: z.unknown().optional(),
});

/** The texts and tools that a kind of server gives a client. */
interface Told {
  readonly instructions: string;
  readonly tools: Tool[];
}

async function told(...flags: string[]): Promise<Told> {
  const command = readCommand(flags, {});
  if (command.kind !== 'serve') throw new Error(`${flags.join(' ')} serves nothing`);
  const server = createServer(packageJson.version, command.config, {
    workspace: () => Promise.reject(new Error('Nothing is called here.')),
    onUnexpectedError: (_reference, error) => {
      throw error;
    },
  });
  const client = new Client({ name: 'docs', version: packageJson.version });
  const [clientSide, serverSide] = InMemoryTransport.createLinkedPair();
  await server.connect(serverSide);
  await client.connect(clientSide);
  const instructions = client.getInstructions() ?? '';
  const listed = await client.listTools();
  await client.close();
  return { instructions, tools: listed.tools };
}

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value));
const sizeOf = ({ name, description, inputSchema }: Tool) =>
  bytesOf({ name, description, inputSchema });
const sum = (tools: readonly Tool[]) => tools.reduce((total, tool) => total + sizeOf(tool), 0);
const counted = (count: number) => count.toLocaleString('en-US');

/** Text with nothing that Markdown or a table would act upon. */
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

/** A row for each field, also for those inside others. */
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
      tableRow(code(`${path}${name}`), ...cells.map(escaped)),
      ...fieldRows(field.items ?? field, `${path}${name}${list}.`),
    ];
  });
}

/** Fields with their types, each in a line. */
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
  const hints = Object.entries(annotations).map(([hint, value]) => `${code(hint)} ${value}`);
  const input = fieldRows(schemaSchema.parse(tool.inputSchema));
  return [
    `### ${name}`,
    `${title}. ${counted(sizeOf(tool))} bytes. ${hints.join(', ')}.`,
    quoted(escaped(description)),
    input.length === 0
      ? 'It takes no input.'
      : [
          tableRow('Input', 'Type', 'Required', 'Limits', 'Description'),
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

/** The differences between a kind of server and the usual one. */
async function difference(usual: Told, ...flags: string[]): Promise<string> {
  const other = await told(...flags);
  const known = new Map(usual.tools.map((tool) => [tool.name, tool]));
  const names = other.tools.map(({ name }) => code(name)).join(', ');
  const changed = other.tools.filter(({ name, description }) => {
    const before = known.get(name);
    return before !== undefined && before.description !== description;
  });
  return [
    `## With ${code(flags.join(' '))}`,
    `${counted(other.tools.length)} tools, ${counted(sum(other.tools))} bytes: ${names}.`,
    ...changed.map(({ name, description = '' }) =>
      [`The description of ${code(name)}:`, quoted(escaped(description))].join('\n\n'),
    ),
    instructionsPart(other),
    ...other.tools.filter(({ name }) => !known.has(name)).map(section),
  ].join('\n\n');
}

async function toolsPage(): Promise<string> {
  const usual = await told();
  const page = [
    TOOLS_HEAD,
    '## By default',
    `${counted(usual.tools.length)} tools, ${counted(sum(usual.tools))} bytes.`,
    instructionsPart(usual),
    ...usual.tools.map(section),
    await difference(usual, '--read-only'),
    await difference(usual, '--allow-delete'),
    await difference(usual, '--allow-publish'),
    await difference(usual, '--tools', 'sources'),
    await difference(usual, '--tools', 'knowledge'),
  ];
  return `${page.join('\n\n')}\n`;
}

/** A text with another part between the two marks of a name. */
function withPart(text: string, name: string, part: string): string {
  const begin = `<!-- ${name}:begin -->\n`;
  const end = `\n<!-- ${name}:end -->`;
  const [before = '', rest = ''] = text.split(begin);
  const [, after] = rest.split(end);
  if (after === undefined) throw new Error(`there are no marks for ${name}`);
  return `${before}${begin}${part}${end}${after}`;
}

/** The files, and what each becomes. */
const documents: readonly [path: string, write: (text: string) => string | Promise<string>][] = [
  [
    'README.md',
    (text) => withPart(withPart(text, 'tools', toolsTable()), 'settings', settingsTable(false)),
  ],
  ['docs/team.md', (text) => withPart(text, 'settings', settingsTable(true))],
  ['docs/tools.md', toolsPage],
  ['server.json', () => `${JSON.stringify(serverJson(), null, 2)}\n`],
];

const isCheck = process.argv.includes('--check');
const stale: string[] = [];
for (const [path, write] of documents) {
  const file = new URL(path, import.meta.url);
  const before = await readFile(file, 'utf8');
  const after = await write(before);
  if (after === before) continue;
  stale.push(path);
  if (!isCheck) await writeFile(file, after);
}
if (isCheck && stale.length > 0) {
  process.stderr.write(`Out of date: ${stale.join(', ')}. Run \`npm run docs\`.\n`);
  process.exitCode = 1;
} else if (stale.length > 0) {
  process.stdout.write(`Written: ${stale.join(', ')}.\n`);
}
