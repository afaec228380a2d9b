import { domainToASCII } from 'node:url';
import * as z from 'zod';
import { isLoopback } from './hosts.ts';
import { LOG_LEVELS } from './log.ts';
import { parsedUrl } from './text.ts';

/** The URL of the Fini API. */
const PRODUCTION = 'https://api-prod.usefini.com';

/** True for a variable of a configuration or a shell, such as `{env:NAME}`, in place of its value. */
export function isUnexpanded(text: string): boolean {
  return /^(\$\{.*\}|\{.*\}|\$[\w:]+|%\w+%)$/.test(text);
}

/** A value, and not the variable that a client or a shell has left in its place. */
const textSchema = z.string().refine((text) => !isUnexpanded(text), {
  error:
    'is an unexpanded variable; set it to the value itself, or write the variable as your client expects',
  abort: true,
});

/** The token that can stand after "Bearer" (RFC 6750). JSON escapes none of its characters. */
const TOKEN = /^[\w.~+/-]+=*$/;

/** A workspace key, as it stands after "Bearer". */
export const apiKeySchema = textSchema
  // Only a header can be: an empty variable counts as not set.
  .refine((key) => key !== '', {
    error: 'is empty; if it comes from a variable, that is not set',
    abort: true,
  })
  .refine((key) => !key.endsWith('...'), {
    error: 'is the placeholder of the README; set your own key',
    abort: true,
  })
  .regex(TOKEN, 'has characters that no key has; set only the key, without "Bearer" or quotes')
  .min(8, 'is too short to be a key');

const tokenSchema = textSchema
  .regex(TOKEN, 'has characters that no token has')
  .min(16, 'is too short: use 16 characters or more');

/** A URL that is https, or http on loopback. `why` says what plain http would expose. */
function secureUrl(why: string) {
  return textSchema.superRefine((text, context) => {
    const fault = secureUrlFault(text, why);
    if (fault !== null) context.addIssue(fault);
  });
}

const baseUrlSchema = secureUrl('every request carries the key');

/** The issuer, unchanged, since it is compared letter by letter with tokens and metadata. */
const issuerSchema = secureUrl('anyone who can change its responses can sign in as any user');

/** The public URL, normalised and without a slash at its end, as clients write it. */
const publicUrlSchema = secureUrl('every request carries a token').transform((text) =>
  new URL(text).href.replace(/(?<=[^/])\/$/, ''),
);

/** The characters of a scope (RFC 6749). */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/;

const scopeSchema = textSchema.regex(
  SCOPE,
  'must be one scope, without spaces, quotes or backslashes',
);

const scopePrefixSchema = textSchema.regex(
  SCOPE,
  'must be the beginning of a scope, without spaces, quotes or backslashes',
);

/** Audiences, separated by commas. */
const audiencesSchema = textSchema
  .transform((text) => text.split(',').flatMap((name) => name.trim() || []))
  .refine((names) => names.length > 0, 'names no audience');

/** A proxy's URL, or whatever stands in its place: only requests that would take it are the worse for it. */
const proxySchema = z
  .string()
  // People leave the scheme out.
  .transform((text) => (text.includes('://') || isUnexpanded(text) ? text : `http://${text}`));

/** An address to listen on; IPv6 with or without brackets. */
const addressSchema = textSchema.trim().transform((host) => host.replace(/^\[(.*)\]$/, '$1'));

const hostSchema = textSchema
  .refine(
    (host) => /^([^\s/:@*,.][^\s/:@*,]*|\[[^\s]*\])$/.test(host) && asciiHost(host) !== '',
    'must be one host name, without scheme, port, "*" or a leading dot; repeat the flag for more',
  )
  // Requests contain hosts beyond ASCII in Punycode.
  .transform(asciiHost);

const originSchema = textSchema
  .toLowerCase()
  .refine(
    isOrigin,
    'must be one origin: scheme, host and port, without a path (https://host, chrome-extension://id, vscode-webview://*)',
  );

/** The groups of tools that a server can list. */
export const TOOL_GROUPS = ['sources', 'knowledge'] as const;

/** A group of tools. */
export type ToolGroup = (typeof TOOL_GROUPS)[number];

/** Groups of tools, separated by commas; the flag can be repeated too. */
const toolGroupsSchema = z
  .array(z.string())
  .transform((texts) => {
    const names = texts.join(',').toLowerCase().split(',');
    return [...new Set(names.map((name) => name.trim()))];
  })
  .pipe(z.array(z.enum(TOOL_GROUPS, `must be one or both of ${TOOL_GROUPS.join(', ')}`)))
  .default([...TOOL_GROUPS]);

const flagSchema = z.boolean().default(false);

/** A number within bounds, given as text. */
function number(minimum: number, maximum: number, isWhole = false) {
  return z.coerce
    .number<string>({ error: 'is not a number' })
    .refine((value) => !isWhole || Number.isInteger(value), {
      error: 'is not a whole number',
      abort: true,
    })
    .min(minimum, `must be at least ${minimum}`)
    .max(maximum, `must be at most ${maximum}`);
}

/** A whole number within bounds, given as text. */
function wholeNumber(minimum: number, maximum = Number.MAX_SAFE_INTEGER) {
  return number(minimum, maximum, true);
}

/** A setting: its meaning and how it is given. */
interface Setting {
  /** The environment variable. */
  readonly environment?: string;
  /** The flag, without dashes. */
  readonly flag?: string;
  /** The meaning and the unit, in Markdown: in `--help`, in the documents and in server.json. */
  readonly description: string;
  /**
   * Validation and default. The default's type decides the flag's syntax: `false` takes no value, a
   * list can be repeated, anything else takes one value.
   */
  readonly schema: z.ZodType;
  /** True if it only applies over HTTP: docs/team.md has it then, not the README. */
  readonly needsHttp?: boolean;
}

/** Every setting. Flags, `--help`, the tables of the documents and the names in faults come from here. */
export const settings = {
  apiKey: {
    environment: 'FINI_API_KEY',
    description: "A workspace key from Fini's dashboard, with scope read, write or both.",
    schema: apiKeySchema.optional(),
  },
  baseUrl: {
    environment: 'FINI_BASE_URL',
    flag: 'base-url',
    description: 'The URL of the Fini API: https, or http on loopback.',
    schema: baseUrlSchema.default(PRODUCTION),
  },
  httpsProxy: {
    environment: 'HTTPS_PROXY',
    description: 'The HTTP proxy for requests to Fini, except to loopback.',
    schema: proxySchema.optional(),
  },
  httpProxy: {
    environment: 'HTTP_PROXY',
    description: 'The HTTP proxy to use if `HTTPS_PROXY` is not set.',
    schema: proxySchema.optional(),
  },
  noProxy: {
    environment: 'NO_PROXY',
    description:
      'Hosts that need no proxy, separated by commas; `*` for all. Lowercase names work too.',
    schema: z.string().optional(),
  },
  pollIntervalMs: {
    environment: 'FINI_POLL_INTERVAL_MS',
    description: 'The shortest interval between status checks during a wait, in milliseconds.',
    schema: wholeNumber(1, 60_000).default(1000),
  },
  requestTimeoutMs: {
    environment: 'FINI_REQUEST_TIMEOUT_MS',
    description: 'The timeout for one attempt of one request to Fini, in milliseconds.',
    schema: wholeNumber(1, 600_000).default(30_000),
  },
  requestsPerMinute: {
    environment: 'FINI_REQUESTS_PER_MINUTE',
    description:
      'The maximum number of requests to Fini per minute and key. Fini allows 100. Set it lower if several servers share a key.',
    schema: wholeNumber(1, 100_000).default(90),
  },
  waitTimeoutSeconds: {
    environment: 'FINI_WAIT_TIMEOUT_SECONDS',
    description: 'How long a wait lasts, in seconds, if the call does not say.',
    schema: number(1, 3600).default(50),
  },
  sandbox: {
    flag: 'sandbox',
    description: 'Use the embedded Fini, which needs no account.',
    schema: flagSchema,
  },
  readOnly: {
    flag: 'read-only',
    description: 'List only tools that change nothing.',
    schema: flagSchema,
  },
  allowDelete: {
    flag: 'allow-delete',
    description: 'Also list `delete_sources`, which asks the person each time, if the client can.',
    schema: flagSchema,
  },
  allowPublish: {
    flag: 'allow-publish',
    description:
      'Also list `publish_articles`, which changes what your agents tell customers, and asks in the same way.',
    schema: flagSchema,
  },
  toolGroups: {
    flag: 'tools',
    description: 'Which groups of tools to list. Tools that read sources are in both.',
    schema: toolGroupsSchema,
  },
  http: {
    flag: 'http',
    description: 'Serve Streamable HTTP at `/mcp` instead of stdio, for a team.',
    schema: flagSchema,
  },
  host: {
    flag: 'host',
    needsHttp: true,
    description:
      'The address to listen on. Anything other than loopback requires `FINI_MCP_AUTH_TOKEN` or `FINI_MCP_OAUTH_ISSUER`.',
    schema: addressSchema.default('127.0.0.1'),
  },
  port: {
    flag: 'port',
    needsHttp: true,
    description: 'The port to listen on.',
    schema: z.string().regex(/^\d+$/, 'is not a number').pipe(wholeNumber(0, 65_535)).default(3333),
  },
  authToken: {
    environment: 'FINI_MCP_AUTH_TOKEN',
    needsHttp: true,
    description:
      'The token that every HTTP request must send as `Authorization: Bearer`. At least 16 characters.',
    schema: tokenSchema.optional(),
  },
  publicUrl: {
    environment: 'FINI_MCP_PUBLIC_URL',
    flag: 'public-url',
    needsHttp: true,
    description:
      "The URL of `/mcp` as clients reach it, for example `https://fini-mcp.example.com/mcp`. Its host is allowed like one of `--allowed-host`. On loopback it is the server's own address if not set.",
    schema: publicUrlSchema.optional(),
  },
  oauthIssuer: {
    environment: 'FINI_MCP_OAUTH_ISSUER',
    needsHttp: true,
    description:
      'The issuer URL of your identity provider, exactly as its tokens have it in `iss`. Every HTTP request must then send one of its access tokens.',
    schema: issuerSchema.optional(),
  },
  oauthAudiences: {
    environment: 'FINI_MCP_OAUTH_AUDIENCE',
    needsHttp: true,
    description:
      'What access tokens must have in `aud`: one of these, separated by commas. If not set, the public URL.',
    schema: audiencesSchema.optional(),
  },
  oauthReadScope: {
    environment: 'FINI_MCP_OAUTH_READ_SCOPE',
    needsHttp: true,
    description: 'The scope that every access token needs. It lists and runs the tools that read.',
    schema: scopeSchema.default('fini:read'),
  },
  oauthWriteScope: {
    environment: 'FINI_MCP_OAUTH_WRITE_SCOPE',
    needsHttp: true,
    description: 'The scope that an access token needs as well for all other tools.',
    schema: scopeSchema.default('fini:write'),
  },
  oauthScopePrefix: {
    environment: 'FINI_MCP_OAUTH_SCOPE_PREFIX',
    needsHttp: true,
    description:
      'What clients put before a scope to ask for it, if it is not in the token: for Microsoft Entra `api://APP/`.',
    schema: scopePrefixSchema.default(''),
  },
  allowedHosts: {
    flag: 'allowed-host',
    needsHttp: true,
    description:
      'A host name that clients can use for the HTTP server, in addition to loopback names. Can be repeated.',
    schema: z.array(hostSchema).default([]),
  },
  allowedOrigins: {
    flag: 'allowed-origin',
    needsHttp: true,
    description:
      'An origin (`https://host`, or one of a browser extension or desktop app) whose pages can call the HTTP server, in addition to loopback origins. Can be repeated.',
    schema: z.array(originSchema).default([]),
  },
  keepAliveSeconds: {
    flag: 'keep-alive-seconds',
    needsHttp: true,
    description:
      'How long an idle HTTP connection is kept open, in seconds. Keep it above the idle timeout of a load balancer in front, usually 60.',
    schema: number(1, 3600).default(75),
  },
  logLevel: {
    flag: 'log-level',
    description:
      'How much to log to stderr: `error`, `info` (one line per HTTP request) or `debug`.',
    schema: z
      .enum(LOG_LEVELS, { error: `must be one of ${LOG_LEVELS.join(', ')}` })
      .default('info'),
  },
} satisfies Record<string, Setting>;

/** Reads the values given for the settings. */
export const configSchema = z.object(schemasOf(settings));

/** Every setting, parsed. */
export type Config = z.output<typeof configSchema>;

/**
 * The schemas of a table's rows, by name. An overload is needed because TypeScript does not follow
 * names through entries.
 */
function schemasOf<Table extends Record<string, Setting>>(
  table: Table,
): { [Name in keyof Table]: Table[Name]['schema'] };
function schemasOf(table: Record<string, Setting>): Record<string, z.ZodType> {
  return Object.fromEntries(Object.entries(table).map(([name, { schema }]) => [name, schema]));
}

/** The rows of the table, with each setting's name and default. */
export const settingRows = Object.entries<Setting>(settings).map(([name, setting]) => ({
  ...setting,
  name,
  initial: setting.schema.parse(undefined),
}));

/** A host name in lower case and in ASCII, as in requests; empty if it is not one. */
function asciiHost(host: string): string {
  return host.startsWith('[') ? host.toLowerCase() : domainToASCII(host);
}

/** True for the origin of a web server, or of a program with its own scheme. */
function isOrigin(text: string): boolean {
  if (/^https?:/.test(text)) return parsedUrl(text)?.origin === text;
  return /^[a-z][a-z0-9+.-]*:\/\/([^\s/?#*,]+|\*)$/.test(text);
}

function secureUrlFault(text: string, why: string): string | null {
  const url = parsedUrl(text);
  if (url === null) return 'is not a URL; write it as https://host';
  if (url.username !== '' || url.password !== '') return 'must not contain credentials';
  if (url.search !== '' || url.hash !== '') return 'must not have a query or a fragment';
  if (url.protocol === 'https:') return null;
  if (url.protocol === 'http:' && isLoopback(url.hostname)) return null;
  return `must be https (http only on loopback), because ${why}`;
}
