import { domainToASCII } from 'node:url';
import { parseArgs } from 'node:util';
import * as z from 'zod';
import { LOG_LEVELS } from './log.ts';
import { maskKeys } from './secrets.ts';
import { quoted } from './text.ts';
import { isLoopback } from './transports/http-access.ts';

/** The URL of the Fini API (fini-api.md). */
const PRODUCTION = 'https://api-prod.usefini.com';

/** How a setting is given, in addition to its schema. */
interface SettingSource {
  /** The environment variable. */
  readonly environment?: string;
  /** The flag, without its dashes; a boolean setting's flag takes no value. */
  readonly flag?: string;
  readonly description: string;
}

/** RFC 6750: what may stand after "Bearer". Nothing of it is changed by JSON. */
const TOKEN = /^[\w.~+/-]+=*$/;

const sources = z.registry<SettingSource>();

const milliseconds = z.coerce.number({ error: 'is not a number' }).int('is not a whole number');

/** A workspace key, as it stands after "Bearer". */
export const apiKeySchema = z
  .string()
  .refine((key) => !key.endsWith('...'), {
    error: 'is the placeholder of the README; set your own key',
    abort: true,
  })
  .regex(TOKEN, 'has characters that no key has; set only the key, without "Bearer" or quotes')
  .min(8, 'is too short to be a key');

/** Where a proxy is: people leave its scheme out. */
const proxyUrl = z
  .string()
  .transform((text) => (text.includes('://') ? text : `http://${text}`))
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'is not the URL of an HTTP proxy; write it as http://host:port',
  );

/** Every setting: name, unit, default, how it is given and what it means. */
export const configSchema = z.object({
  /** The workspace key. Undefined if none is set: the server still starts, and calls say so. */
  apiKey: apiKeySchema.optional().register(sources, {
    environment: 'FINI_API_KEY',
    description:
      'Your workspace key, with scope read, write or both. Without it, the server starts and lists its tools, and every call says how to set it.',
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
      description: 'The URL of the Fini API: https, or http on loopback.',
    }),
  /** The proxy for Fini, unless it is on loopback. */
  httpsProxy: proxyUrl.optional().register(sources, {
    environment: 'HTTPS_PROXY',
    description: 'The proxy for requests to Fini. Requests to loopback are always sent directly.',
  }),
  /** The same, if `httpsProxy` is not set. */
  httpProxy: proxyUrl.optional().register(sources, {
    environment: 'HTTP_PROXY',
    description: 'The proxy to use if HTTPS_PROXY is not set.',
  }),
  /** Hosts that need no proxy: names, domains and ports, with commas between them. */
  noProxy: z.string().optional().register(sources, {
    environment: 'NO_PROXY',
    description: 'Hosts that need no proxy, separated by commas; * for all.',
  }),
  /** The shortest interval between status checks during a wait, in milliseconds. */
  pollIntervalMs: milliseconds
    .pipe(z.number().min(1, 'must be at least 1').max(60_000, 'must be at most 60000'))
    .default(1000)
    .register(sources, {
      environment: 'FINI_POLL_INTERVAL_MS',
      description:
        'The shortest interval between status checks during a wait, in milliseconds. It grows to ten times that while nothing changes.',
    }),
  /** The timeout for one attempt of a request, including its response body, in milliseconds. */
  requestTimeoutMs: milliseconds
    .pipe(z.number().min(1, 'must be at least 1').max(600_000, 'must be at most 600000'))
    .default(30_000)
    .register(sources, {
      environment: 'FINI_REQUEST_TIMEOUT_MS',
      description:
        'The timeout for one attempt of one request to Fini, including its whole response, in milliseconds.',
    }),
  /** How many requests one key sends to Fini within a minute at most. */
  requestsPerMinute: z.coerce
    .number({ error: 'is not a number' })
    .pipe(
      z
        .number()
        .int('is not a whole number')
        .min(1, 'must be at least 1')
        .max(100_000, 'must be at most 100000'),
    )
    .default(90)
    .register(sources, {
      environment: 'FINI_REQUESTS_PER_MINUTE',
      description:
        'The maximum number of requests to Fini per minute and key. Fini allows 100. Set it lower if several servers share a key.',
    }),
  /** How long a wait lasts if the call does not say, in seconds. */
  waitTimeoutSeconds: z.coerce
    .number({ error: 'is not a number' })
    .pipe(z.number().min(1, 'must be at least 1').max(3600, 'must be at most 3600'))
    .default(50)
    .register(sources, {
      environment: 'FINI_WAIT_TIMEOUT_SECONDS',
      description:
        'How long a wait lasts if the call does not set timeoutSeconds, in seconds. Some clients drop a call after 60 s.',
    }),
  /** Serve against the embedded Fini. */
  sandbox: z.boolean().default(false).register(sources, {
    flag: 'sandbox',
    description:
      'Use the embedded Fini, which needs no account, key or network. Its data is lost when the server stops.',
  }),
  /** Only the tools that change nothing. */
  readOnly: z.boolean().default(false).register(sources, {
    flag: 'read-only',
    description: 'List only tools that change nothing.',
  }),
  /** Also the tool that deletes. */
  allowDelete: z.boolean().default(false).register(sources, {
    flag: 'allow-delete',
    description:
      'Also list delete_sources. It asks the person each time, if the client supports it (and, for clients of protocol 2025, the server keeps sessions).',
  }),
  /** Serve Streamable HTTP instead of stdio. */
  http: z.boolean().default(false).register(sources, {
    flag: 'http',
    description: 'Serve Streamable HTTP at /mcp instead of stdio, for a team.',
  }),
  /** The address to listen on. */
  host: z
    .string()
    .trim()
    .transform((host) => host.replace(/^\[(.*)\]$/, '$1'))
    .default('127.0.0.1')
    .register(sources, {
      flag: 'host',
      description:
        'The address to listen on. Anything other than loopback requires FINI_MCP_AUTH_TOKEN.',
    }),
  /** The port to listen on; 0 takes any free one. */
  port: z
    .string()
    .regex(/^\d+$/, 'is not a number')
    .transform(Number)
    .pipe(
      z
        .number()
        .int('is not a whole number')
        .min(0, 'must be at least 0')
        .max(65_535, 'must be at most 65535'),
    )
    .default(3333)
    .register(sources, { flag: 'port', description: 'The port to listen on.' }),
  /** The token that every HTTP request must send after "Bearer". */
  authToken: z
    .string()
    .regex(TOKEN, 'has characters that no token has')
    .min(16, 'is too short: use 16 characters or more')
    .optional()
    .register(sources, {
      environment: 'FINI_MCP_AUTH_TOKEN',
      description:
        'The token that every HTTP request must send as "Authorization: Bearer". At least 16 characters.',
    }),
  /** No sessions. */
  stateless: z.boolean().default(false).register(sources, {
    flag: 'stateless',
    description: 'HTTP without sessions, for replicas behind a plain load balancer.',
  }),
  /** Host names that clients can use for the HTTP server, in addition to loopback names. */
  allowedHosts: z
    .array(
      z
        .string()
        .refine(
          (host) => /^([^\s/:@*,.][^\s/:@*,]*|\[[^\s]*\])$/.test(host) && asciiHost(host) !== '',
          'must be one host name, without scheme, port, "*" or a leading dot; repeat the flag for more',
        )
        // As requests name it: names beyond ASCII travel in Punycode.
        .transform(asciiHost),
    )
    .default([])
    .register(sources, {
      flag: 'allowed-host',
      description:
        'A host name that clients can use for the HTTP server, in addition to loopback names. Can be repeated.',
    }),
  /** Origins whose pages can call the HTTP server, in addition to loopback origins. */
  allowedOrigins: z
    .array(
      z
        .string()
        .toLowerCase()
        .refine(
          isOrigin,
          'must be one origin: scheme, host and port, without a path (https://host, chrome-extension://id, vscode-webview://*)',
        ),
    )
    .default([])
    .register(sources, {
      flag: 'allowed-origin',
      description:
        'An origin (https://host, or one of a browser extension or desktop app) whose pages can call the HTTP server, in addition to loopback origins. Can be repeated.',
    }),
  /** The maximum number of HTTP sessions. */
  maximumSessions: z.coerce
    .number({ error: 'is not a number' })
    .pipe(z.number().int('is not a whole number').min(1, 'must be at least 1'))
    .default(1000)
    .register(sources, {
      flag: 'max-sessions',
      description: 'The maximum number of HTTP sessions. Beyond that, a new one gets a 503.',
    }),
  /** How long an HTTP session can be unused, in seconds. */
  sessionIdleSeconds: z.coerce
    .number({ error: 'is not a number' })
    .pipe(z.number().min(1, 'must be at least 1').max(86_400, 'must be at most 86400'))
    .default(1800)
    .register(sources, {
      flag: 'session-idle-seconds',
      description: 'How long an HTTP session can be unused before it is closed, in seconds.',
    }),
  /** How long an idle HTTP connection is kept open, in seconds. */
  keepAliveSeconds: z.coerce
    .number({ error: 'is not a number' })
    .pipe(z.number().min(1, 'must be at least 1').max(3600, 'must be at most 3600'))
    .default(75)
    .register(sources, {
      flag: 'keep-alive-seconds',
      description:
        'How long an idle HTTP connection is kept open, in seconds. Keep it above the idle timeout of a load balancer in front, usually 60.',
    }),
  /** How much to log to stderr. */
  logLevel: z
    .enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` })
    .default('info')
    .register(sources, {
      flag: 'log-level',
      description: 'How much to log to stderr: error, info (one line per HTTP request) or debug.',
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

/** How a flag takes its value. */
type FlagKind = 'boolean' | 'string' | 'list';

const KIND_OF_TYPE: Readonly<Record<string, FlagKind>> = { boolean: 'boolean', array: 'list' };

/** Every setting's name, how it is given, and how its flag takes its value. */
const settings = Object.entries(configSchema.shape).map(([name, schema]) => ({
  name,
  kind: KIND_OF_TYPE[schema.def.innerType.def.type] ?? 'string',
  source: sources.get(schema),
  initial: schema.def.type === 'default' ? schema.def.defaultValue : undefined,
}));

/**
 * Reads the command line and the environment; a flag wins over the environment. Every fault is
 * found at once, in a line of its own that never holds a value of the key.
 */
export function readCommand(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Command {
  const { flags, faults } = readFlags(argv);
  if (flags.has('help')) return { kind: 'help' };
  if (flags.has('version')) return { kind: 'version' };
  if (flags.has('sandbox') && flags.has('base-url')) {
    faults.push('--sandbox and --base-url exclude each other: the sandbox is its own Fini');
  }
  const given = settings.map(({ name, source }) => [
    name,
    flags.get(source?.flag ?? '') ?? environmentValue(environment, source?.environment),
  ]);
  const parsed = configSchema.safeParse(Object.fromEntries(given));
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const source = settings.find(({ name }) => name === issue.path[0])?.source;
      const isFlag = source?.flag !== undefined && flags.has(source.flag);
      faults.push(`${isFlag ? `--${source.flag}` : source?.environment} ${issue.message}`);
    }
    return { kind: 'faults', faults };
  }
  faults.push(...conflicts(parsed.data, flags));
  return faults.length > 0 ? { kind: 'faults', faults } : { kind: 'serve', config: parsed.data };
}

const SHORT_FLAGS = new Map([
  ['h', 'help'],
  ['v', 'version'],
]);

type Flags = ReadonlyMap<string, string | true | readonly string[]>;

function readFlags(argv: readonly string[]): { flags: Flags; faults: string[] } {
  const flags = new Map<string, string | true | readonly string[]>();
  const faults: string[] = [];
  const kinds = new Map<string, FlagKind>([
    ['help', 'boolean'],
    ['version', 'boolean'],
  ]);
  for (const { source, kind } of settings) if (source?.flag) kinds.set(source.flag, kind);
  const options = Object.fromEntries(
    [...kinds].map(([flag, kind]) => [
      flag,
      { type: kind === 'boolean' ? ('boolean' as const) : ('string' as const), multiple: true },
    ]),
  );
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === 'positional') faults.push(`${shown(token.value)} is not a flag; see --help`);
    if (token.kind !== 'option') continue;
    const { rawName, inlineValue } = token;
    // What follows a flag and looks like one is a flag, not the value that was left out.
    const isSwallowed = inlineValue === false && token.value?.startsWith('-') === true;
    if (isSwallowed)
      faults.push(`${rawName} needs a value, and ${shown(token.value ?? '')} is a flag`);
    const value = isSwallowed ? undefined : token.value;
    const name = SHORT_FLAGS.get(token.name) ?? token.name;
    switch (kinds.get(name)) {
      case undefined:
        faults.push(`${shown(rawName).slice(1, -1)} is not a flag of fini-mcp; see --help`);
        break;
      case 'boolean':
        if (value === undefined) flags.set(name, true);
        else faults.push(`${rawName} takes no value`);
        break;
      case 'list': {
        const before = flags.get(name);
        if (value) flags.set(name, [...(Array.isArray(before) ? before : []), value]);
        else if (!isSwallowed) faults.push(`${rawName} needs a value`);
        break;
      }
      case 'string':
        if (value) flags.set(name, value);
        else if (!isSwallowed) faults.push(`${rawName} needs a value`);
    }
  }
  return { flags, faults };
}

/** What was given, on one line and without a key that was given in the wrong place. */
export function shown(text: string): string {
  return quoted(maskKeys(text));
}

/** Settings that make no sense together. */
function conflicts(config: Config, flags: Flags): string[] {
  const faults: string[] = [];
  if (config.http && !isLoopback(config.host) && config.authToken === undefined) {
    faults.push(
      `--host ${shown(config.host)} can be reached from other machines, so FINI_MCP_AUTH_TOKEN must be set`,
    );
  }
  if (config.readOnly && config.allowDelete) {
    faults.push('--read-only and --allow-delete exclude each other');
  }
  const needsHttp = [
    'host',
    'port',
    'stateless',
    'allowed-host',
    'allowed-origin',
    'max-sessions',
    'session-idle-seconds',
    'keep-alive-seconds',
  ];
  if (!config.http) {
    for (const flag of needsHttp) if (flags.has(flag)) faults.push(`--${flag} needs --http`);
  }
  return faults;
}

/** An empty value, and a variable that a client did not expand, count as not set. */
function environmentValue(
  environment: Readonly<Record<string, string | undefined>>,
  name: string | undefined,
): string | undefined {
  // The settings of the whole system have lower-case names too, which win, as in curl.
  const given = name?.endsWith('_PROXY') ? environment[name.toLowerCase()] : undefined;
  const value = name === undefined ? undefined : (given || environment[name])?.trim();
  return value === undefined || value === '' || /^\$\{.*\}$/.test(value) ? undefined : value;
}

/** A host name as it travels: in lower case, and in ASCII; empty where it is none. */
function asciiHost(host: string): string {
  return host.startsWith('[') ? host.toLowerCase() : domainToASCII(host);
}

/** Whether a text is an origin, of a web server or of a program with a scheme of its own. */
function isOrigin(text: string): boolean {
  if (/^https?:/.test(text)) return URL.canParse(text) && new URL(text).origin === text;
  return /^[a-z][a-z0-9+.-]*:\/\/([^\s/?#*,]+|\*)$/.test(text);
}

function baseUrlFault(text: string): string | null {
  if (!URL.canParse(text)) return 'is not a URL; write it as https://host';
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'must not contain credentials';
  if (url.search !== '' || url.hash !== '') return 'must not have a query or a fragment';
  if (url.protocol === 'https:') return null;
  if (url.protocol === 'http:' && isLoopback(url.hostname)) return null;
  return 'must be https (http only on loopback), because every request carries the key';
}

/** The text of `--help`: every flag and every environment variable. */
export function helpText(version: string): string {
  const lines = settings.flatMap(({ source, kind, initial }) => {
    if (source === undefined) return [];
    const flag =
      source.flag === undefined ? [] : [`--${source.flag}${kind === 'boolean' ? '' : ' <value>'}`];
    const names = [...flag, source.environment ?? []].flat();
    const hasDefault = typeof initial === 'string' || typeof initial === 'number';
    return [
      `  ${names.join(', ')}\n      ${source.description}${hasDefault ? ` Default: ${initial}.` : ''}`,
    ];
  });
  return `fini-mcp ${version}: a Model Context Protocol server for Fini's sources, over stdio or HTTP.

Usage: fini-mcp [flags]

${lines.join('\n')}
  --help, --version
      Print this help, or the version, and exit.
`;
}
