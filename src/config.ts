import { parseArgs } from 'node:util';
import * as z from 'zod';

/** Where the Fini API is (fini-api.md). */
const PRODUCTION = 'https://api-prod.usefini.com';

/** How a setting is given, beside its schema. */
interface SettingSource {
  /** The environment variable. */
  readonly environment?: string;
  /** The flag, without its dashes; a boolean setting's flag takes no value. */
  readonly flag?: string;
  readonly description: string;
}

const sources = z.registry<SettingSource>();

const milliseconds = z.coerce.number({ error: 'is not a number' }).int('is not a whole number');

/** Every setting: name, unit, default, how it is given and what it means. */
export const configSchema = z.object({
  /** The workspace key. Undefined where none is set: the server then starts, and calls say so. */
  apiKey: z
    .string()
    .regex(
      /^[\w.~+/=-]+$/,
      'has characters that no key has; set the key alone, without "Bearer" or quotes',
    )
    .min(8, 'is too short to be a key')
    .optional()
    .register(sources, {
      environment: 'FINI_API_KEY',
      description:
        'The workspace key, with scope read, write or both. Without it every call says how to set it.',
    }),
  /** Scheme, host and an optional path. */
  baseUrl: z
    .string()
    .superRefine((text, context) => {
      const fault = baseUrlFault(text);
      if (fault !== null) context.addIssue(fault);
    })
    .default(PRODUCTION)
    .register(sources, {
      environment: 'FINI_BASE_URL',
      flag: 'base-url',
      description: 'The Fini API: https, or http on loopback.',
    }),
  /** The shortest pause between two looks at Fini, in milliseconds. */
  pollIntervalMs: milliseconds
    .pipe(z.number().min(1, 'must be at least 1').max(60_000, 'must be at most 60000'))
    .default(1000)
    .register(sources, {
      environment: 'FINI_POLL_INTERVAL_MS',
      description:
        'The shortest pause between two looks at Fini while waiting; it grows to ten times that while nothing changes.',
    }),
  /** The bound on one request, its answer's body included, in milliseconds. */
  requestTimeoutMs: milliseconds
    .pipe(z.number().min(1, 'must be at least 1').max(600_000, 'must be at most 600000'))
    .default(30_000)
    .register(sources, {
      environment: 'FINI_REQUEST_TIMEOUT_MS',
      description: 'How long one request to Fini may take, its whole answer included.',
    }),
  /** How long a wait lasts where a call does not say, in seconds. */
  waitTimeoutSeconds: z.coerce
    .number({ error: 'is not a number' })
    .pipe(z.number().min(1, 'must be at least 1').max(3600, 'must be at most 3600'))
    .default(50)
    .register(sources, {
      environment: 'FINI_WAIT_TIMEOUT_SECONDS',
      description:
        'How long a wait lasts where a call does not say. Some clients drop a call after 60 s.',
    }),
  /** Serve against the embedded Fini. */
  sandbox: z.boolean().default(false).register(sources, {
    flag: 'sandbox',
    description:
      'Serve against an embedded Fini with made-up content: no account, no key, no network.',
  }),
});

/** Every setting, parsed. */
export type Config = z.output<typeof configSchema>;

/** What the command line asks for. */
export type Command =
  | { readonly kind: 'serve'; readonly config: Config }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'faults'; readonly faults: readonly string[] };

/**
 * Reads the command line and the environment; a flag wins over the environment. Every fault is
 * found at once, in a line of its own that never holds a value of the key.
 */
export function readCommand(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Command {
  const flags = new Map<string, string | boolean>();
  const faults: string[] = [];
  const settings = Object.entries(configSchema.shape).map(([name, schema]) => ({
    name,
    isBoolean: schema.def.innerType.def.type === 'boolean',
    source: sources.get(schema),
  }));

  const options = Object.fromEntries([
    ['help', { type: 'boolean' as const, short: 'h' }],
    ['version', { type: 'boolean' as const, short: 'v' }],
    ...settings.flatMap(({ source, isBoolean }) =>
      source?.flag === undefined
        ? []
        : [
            [
              source.flag,
              { type: isBoolean ? ('boolean' as const) : ('string' as const) },
            ] as const,
          ],
    ),
  ]);
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === 'positional') faults.push(`"${token.value}" is not a flag; see --help`);
    if (token.kind !== 'option') continue;
    const option = options[token.name];
    if (option === undefined) faults.push(`${token.rawName} is not a flag of fini-mcp; see --help`);
    else if (option.type === 'boolean' && token.value !== undefined) {
      faults.push(`${token.rawName} takes no value`);
    } else if (option.type === 'string' && !token.value)
      faults.push(`${token.rawName} needs a value`);
    else flags.set(token.name, token.value ?? true);
  }
  if (flags.has('help')) return { kind: 'help' };
  if (flags.has('version')) return { kind: 'version' };
  if (flags.has('sandbox') && flags.has('base-url')) {
    faults.push('--sandbox and --base-url exclude each other: the sandbox is its own Fini');
  }

  const given = Object.fromEntries(
    settings.map(({ name, source }) => [
      name,
      flags.get(source?.flag ?? '') ?? environmentValue(environment, source?.environment),
    ]),
  );
  const parsed = configSchema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const source = settings.find(({ name }) => name === issue.path[0])?.source;
      const isFlag = source?.flag !== undefined && flags.has(source.flag);
      faults.push(`${isFlag ? `--${source.flag}` : source?.environment} ${issue.message}`);
    }
  }
  if (faults.length > 0 || !parsed.success) return { kind: 'faults', faults };
  return { kind: 'serve', config: parsed.data };
}

/** An empty value, and a variable that a client did not expand, count as not set. */
function environmentValue(
  environment: Readonly<Record<string, string | undefined>>,
  name: string | undefined,
): string | undefined {
  const value = name === undefined ? undefined : environment[name]?.trim();
  return value === undefined || value === '' || /^\$\{.*\}$/.test(value) ? undefined : value;
}

function baseUrlFault(text: string): string | null {
  if (!URL.canParse(text)) return 'is not a URL; write it as https://host';
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'must not carry credentials';
  if (url.search !== '' || url.hash !== '') return 'must not have a query or a fragment';
  if (url.protocol === 'https:') return null;
  const isLoopback = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === 'http:' && isLoopback) return null;
  return 'must be https (http only on loopback), since the key travels with every request';
}

/** The text of `--help`: every flag and every environment variable. */
export function helpText(version: string): string {
  const lines = Object.values(configSchema.shape).flatMap((schema) => {
    const source = sources.get(schema);
    if (source === undefined) return [];
    const names = [
      source.flag === undefined ? [] : `--${source.flag}`,
      source.environment ?? [],
    ].flat();
    const initial = schema.def.type === 'default' ? schema.def.defaultValue : undefined;
    const ending = initial === undefined || initial === false ? '' : ` Default: ${initial}.`;
    return [`  ${names.join(', ')}\n      ${source.description}${ending}`];
  });
  return `fini-mcp ${version}: a Model Context Protocol server for Fini's sources, over stdio.

Usage: fini-mcp [flags]

${lines.join('\n')}
  --help, --version
      Say this, or the version, and end.
`;
}
