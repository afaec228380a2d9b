import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type Config, configSchema, settingRows } from './config.ts';
import { isLoopback } from './hosts.ts';
import { proxyFault } from './proxies.ts';
import { maskKeys } from './secrets.ts';
import { quoted } from './text.ts';

/** A parsed command line. */
export type Command =
  | { readonly kind: 'serve' | 'check'; readonly config: Config }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'faults'; readonly faults: readonly string[] };

/**
 * Reads the command line and the environment; a flag wins over the environment. It finds all faults at
 * once, one line each, and never puts the key's value into them.
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
  const given = settingRows
    // The sandbox has its own key, and people who try it may have left the placeholder in.
    .filter(({ name }) => !(name === 'apiKey' && flags.has('sandbox')))
    .map(({ name, flag, environment: variable }) => [
      name,
      flags.get(flag ?? '') ?? environmentValue(environment, variable),
    ]);
  if (!flags.has('http')) {
    for (const { flag, needsHttp } of settingRows) {
      if (needsHttp && flags.has(flag ?? '')) faults.push(`--${flag} needs --http`);
    }
  }
  const parsed = configSchema.safeParse(Object.fromEntries(given));
  if (!parsed.success) {
    for (const issue of parsed.error.issues) {
      const row = settingRows.find(({ name }) => name === issue.path[0]);
      const isFlag = row?.flag !== undefined && flags.has(row.flag);
      faults.push(`${isFlag ? `--${row.flag}` : row?.environment} ${issue.message}`);
    }
    return { kind: 'faults', faults };
  }
  faults.push(...conflicts(parsed.data));
  if (faults.length > 0) return { kind: 'faults', faults };
  return { kind: flags.has('check') ? 'check' : 'serve', config: parsed.data };
}

/** Actions besides serving, by flags that are not settings. */
export const actions = [
  {
    flags: ['check'],
    description:
      'Test the key, the network and the proxy with one read request, then exit: 0 if all is well, 1 if not.',
  },
  { flags: ['help', 'version'], description: 'Print all settings, or the version, and exit.' },
];

const SHORT_FLAGS = new Map([
  ['h', 'help'],
  ['v', 'version'],
]);

type GivenFlags = ReadonlyMap<string, string | true | readonly string[]>;

function readFlags(argv: readonly string[]): { flags: GivenFlags; faults: string[] } {
  const flags = new Map<string, string | true | readonly string[]>();
  const faults: string[] = [];
  const initials = new Map<string, unknown>(
    actions.flatMap((action) => action.flags).map((flag) => [flag, false]),
  );
  for (const { flag, initial } of settingRows) if (flag !== undefined) initials.set(flag, initial);
  const options: ParseArgsConfig['options'] = {};
  for (const [flag, initial] of initials) {
    options[flag] = { type: typeof initial === 'boolean' ? 'boolean' : 'string', multiple: true };
  }
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === 'positional')
      faults.push(`${quotedMasked(token.value)} is not a flag; see --help`);
    if (token.kind !== 'option') continue;
    const { rawName, inlineValue } = token;
    // If something that looks like a flag follows, the value was left out.
    const isSwallowed = inlineValue === false && token.value?.startsWith('-') === true;
    if (isSwallowed)
      faults.push(`${rawName} needs a value, and ${quotedMasked(token.value ?? '')} is a flag`);
    const value = isSwallowed ? undefined : token.value;
    const name = SHORT_FLAGS.get(token.name) ?? token.name;
    const initial = initials.get(name);
    const before = flags.get(name);
    if (!initials.has(name)) {
      faults.push(`${quotedMasked(rawName).slice(1, -1)} is not a flag of fini-mcp; see --help`);
    } else if (typeof initial === 'boolean') {
      if (value === undefined) flags.set(name, true);
      else faults.push(`${rawName} takes no value`);
    } else if (!value) {
      if (!isSwallowed) faults.push(`${rawName} needs a value`);
    } else if (Array.isArray(initial)) {
      flags.set(name, [...(Array.isArray(before) ? before : []), value]);
    } else {
      flags.set(name, value);
    }
  }
  return { flags, faults };
}

/** A value on one line and in quotes, with keys masked that were given in the wrong place. */
export function quotedMasked(text: string): string {
  return quoted(maskKeys(text));
}

/** The faults of settings that contradict one another. */
function conflicts(config: Config): string[] {
  const faults = [...accessConflicts(config), ...proxyFaults(config)];
  const optional = [
    { flag: 'allow-delete', isSet: config.allowDelete, group: 'sources' },
    { flag: 'allow-publish', isSet: config.allowPublish, group: 'knowledge' },
  ] as const;
  for (const { flag, isSet, group } of optional) {
    if (!isSet) continue;
    if (config.readOnly) faults.push(`--read-only and --${flag} exclude each other`);
    if (!config.toolGroups.includes(group)) faults.push(`--${flag} needs ${group} in --tools`);
  }
  return faults;
}

/** The faults of proxies that requests would take. Others, such as SOCKS, may be set for other programs. */
function proxyFaults(config: Config): string[] {
  const { sandbox, baseUrl, oauthIssuer } = config;
  const asked = [sandbox ? [] : baseUrl, oauthIssuer ?? []].flat();
  return asked.flatMap((url) => proxyFault(new URL(url), config) ?? []);
}

/** The faults of settings that leave the server open, or let tokens travel unencrypted. */
function accessConflicts(config: Config): string[] {
  const { http, host, authToken, oauthIssuer, oauthAudiences, publicUrl } = config;
  if (oauthIssuer === undefined) {
    if (oauthAudiences !== undefined) {
      return ['FINI_MCP_OAUTH_AUDIENCE needs FINI_MCP_OAUTH_ISSUER: without it nobody signs in'];
    }
    if (!http || authToken !== undefined) return [];
    // Behind a proxy on this machine, all requests come from loopback.
    const isProxied = publicUrl !== undefined && !isLoopback(new URL(publicUrl).hostname);
    if (isLoopback(host) && !isProxied) return [];
    const open = isProxied
      ? `--public-url ${quotedMasked(publicUrl)}`
      : `--host ${quotedMasked(host)}`;
    return [
      `${open} can be reached from other machines, so FINI_MCP_AUTH_TOKEN must be set (or FINI_MCP_OAUTH_ISSUER)`,
    ];
  }
  const faults: string[] = [];
  if (authToken !== undefined) {
    faults.push(
      'FINI_MCP_AUTH_TOKEN and FINI_MCP_OAUTH_ISSUER exclude each other: a request has one Authorization header, and behind the shared token everybody is the same person',
    );
  }
  if (!http) faults.push('FINI_MCP_OAUTH_ISSUER needs --http: over stdio nobody signs in');
  if (http && !isLoopback(host) && publicUrl?.startsWith('https:') !== true) {
    faults.push(
      `--host ${quotedMasked(host)} can be reached from other machines, so with FINI_MCP_OAUTH_ISSUER put a proxy with TLS in front, and set --public-url to its https URL`,
    );
  }
  return faults;
}

/** A variable's value. An empty one, or one that a client did not expand, counts as not set. */
function environmentValue(
  environment: Readonly<Record<string, string | undefined>>,
  name: string | undefined,
): string | undefined {
  // System-wide settings have lower-case names too, which win, as in curl.
  const given = name?.endsWith('_PROXY') ? environment[name.toLowerCase()] : undefined;
  const value = name === undefined ? undefined : (given || environment[name])?.trim();
  return value === undefined || value === '' || /^\$\{.*\}$/.test(value) ? undefined : value;
}

/** The text of `--help`: every flag and every environment variable. */
export function helpText(version: string): string {
  const lines = settingRows.map(({ flag, environment, description, initial }) => {
    const value = typeof initial === 'boolean' ? '' : ' <value>';
    const names = [flag === undefined ? [] : `--${flag}${value}`, environment ?? []].flat();
    // A switch is off by default, which need not be said.
    const standard = typeof initial === 'boolean' ? '' : `${initial ?? ''}`;
    return `  ${names.join(', ')}\n      ${description}${standard === '' ? '' : ` Default: ${standard}.`}`;
  });
  const others = actions.map(
    ({ flags, description }) =>
      `  ${flags.map((flag) => `--${flag}`).join(', ')}\n      ${description}`,
  );
  return `fini-mcp ${version}: a Model Context Protocol server for Fini's sources, over stdio or HTTP.

Usage: fini-mcp [flags]

${[...lines, ...others].join('\n')}
`;
}
