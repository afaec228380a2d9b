import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { helpText, readCommand } from '../src/command-line.ts';
import { settingRows } from '../src/config.ts';
import {
  CLI,
  environmentFor,
  eventually,
  HAS_SIGNALS,
  startHarness,
  startProcess,
} from './harness.ts';
import { initializeParams } from './rpc.ts';
import { type ScriptedSandbox, startScriptedSandbox } from './scripted-sandbox.ts';

const KEY = 'fini_5ecretWorkspaceKey0123456789';

/** The outcome of a process that has ended. */
interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly ended: Promise<Ended>;
  readonly stdout: () => string;
}

function start(args: readonly string[], env: Record<string, string> = {}): Running {
  const child = spawn(process.execPath, [CLI, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    said.stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.stderr += chunk;
  });
  // The process may have ended before a test writes to it.
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close').then(([code]) => ({ code, ...said }));
  return { child, ended, stdout: () => said.stdout };
}

/** Runs a process until it ends, with an empty stdin. */
function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const { child, ended } = start(args, env);
  child.stdin.end();
  return ended;
}

const line = (body: object) => `${JSON.stringify({ jsonrpc: '2.0', ...body })}\n`;
const initialize = line({ id: 1, method: 'initialize', params: initializeParams() });
const callTool = (id: number, name: string, input: object) =>
  line({ id, method: 'tools/call', params: { name, arguments: input } });

/** Resolves once the condition holds. */
function until(holds: () => boolean): Promise<void> {
  return eventually(() => expect(holds()).toBe(true));
}

describe.concurrent('flags that say something and end', () => {
  test('--version says the version', async () => {
    const { code, stdout, stderr } = await run(['--version']);
    const expected = `${packageJson.version}\n`;
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: expected, stderr: '' });
  });

  test('--help names every flag and every variable, and no key', async () => {
    const { code, stdout, stderr } = await run(['--help'], { FINI_API_KEY: KEY });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const names = settingRows.flatMap(({ environment = '', flag }) => [
      environment,
      flag === undefined ? '' : `--${flag}`,
    ]);
    for (const name of [...names, '--check', '--help', '--version']) {
      expect(stdout).toContain(name);
    }
    expect(stdout).not.toContain(KEY);
  });
});

const faults: [what: string, args: string[], env: Record<string, string>, says: RegExp[]][] = [
  ['an unknown flag', ['--read-onyl'], {}, [/--read-onyl is not a flag/]],
  ['an unknown short flag', ['-x'], {}, [/-x is not a flag/]],
  ['an unknown flag with a value', ['--verbose=1'], {}, [/--verbose is not a flag/]],
  ['a word', ['serve'], {}, [/"serve" is not a flag/]],
  [
    'a flag for a value',
    ['--http', '--allowed-host', '--read-only'],
    {},
    [/--allowed-host needs a value/],
  ],
  [
    'a host with a port',
    ['--http', '--allowed-host', 'a.example:443'],
    {},
    [/--allowed-host must be one host name/],
  ],
  [
    'an origin with a path',
    ['--http', '--allowed-origin', 'https://a.example/'],
    {},
    [/--allowed-origin must be one origin/],
  ],
  ['a port of spaces', ['--http', '--port', ' '], {}, [/--port is not a number/]],
  ['a word with a line end', ['ser\nve'], {}, [/is not a flag/]],
  ['a flag with a line end', ['--ser\nve'], {}, [/is not a flag/]],
  ['a value where none belongs', ['--sandbox=yes'], {}, [/--sandbox takes no value/]],
  ['no value where one belongs', ['--base-url'], {}, [/--base-url needs a value/]],
  ['an empty value', ['--base-url='], {}, [/--base-url needs a value/]],
  ['a base URL that is none', ['--base-url', 'usefini.com'], {}, [/--base-url is not a URL/]],
  ['http off loopback', ['--base-url', 'http://usefini.com'], {}, [/--base-url must be https/]],
  [
    'http off loopback by environment',
    [],
    { FINI_BASE_URL: 'http://10.0.0.1' },
    [/FINI_BASE_URL must be https/],
  ],
  [
    'a host that only looks like loopback',
    ['--base-url', 'http://127.0.0.1.evil.example'],
    {},
    [/must be https/],
  ],
  [
    'another host that looks like it',
    ['--base-url', 'http://localhost.evil.example'],
    {},
    [/must be https/],
  ],
  ['loopback as a user name', ['--base-url', 'http://localhost@evil.example'], {}, [/credentials/]],
  ['another scheme', ['--base-url', 'ftp://usefini.com'], {}, [/must be https/]],
  ['a query', ['--base-url', 'https://usefini.com?a=1'], {}, [/query/]],
  [
    'the sandbox and a base URL',
    ['--sandbox', '--base-url', 'https://usefini.com'],
    {},
    [/exclude each other/],
  ],
  [
    'a flag of HTTP beside another fault',
    ['--port', '4', '--tools', 'bar'],
    {},
    [/--port needs --http/, /--tools must be one or both/],
  ],
  [
    'a group of tools that there is not',
    ['--tools', 'sources,agents'],
    {},
    [/--tools must be one or both of sources, knowledge/],
  ],
  ['no group of tools', ['--tools', ','], {}, [/--tools must be one or both of/]],
  [
    'a tool that its group leaves out',
    ['--tools', 'sources', '--allow-publish'],
    {},
    [/--allow-publish needs knowledge in --tools/],
  ],
  [
    'publishing on a server that only reads',
    ['--read-only', '--allow-publish'],
    {},
    [/--read-only and --allow-publish exclude each other/],
  ],
  [
    'an interval that is no number',
    [],
    { FINI_POLL_INTERVAL_MS: 'soon' },
    [/FINI_POLL_INTERVAL_MS is not a number/],
  ],
  [
    'an interval of none',
    [],
    { FINI_POLL_INTERVAL_MS: '0' },
    [/FINI_POLL_INTERVAL_MS must be at least 1/],
  ],
  [
    'half a millisecond',
    [],
    { FINI_REQUEST_TIMEOUT_MS: '1.5' },
    [/FINI_REQUEST_TIMEOUT_MS is not a whole number/],
  ],
  [
    'a wait too long',
    [],
    { FINI_WAIT_TIMEOUT_SECONDS: '3601' },
    [/FINI_WAIT_TIMEOUT_SECONDS must be at most 3600/],
  ],
  ...['0', '1.5', '100001', 'many'].map((given): (typeof faults)[number] => [
    `${given} requests per minute`,
    [],
    { FINI_REQUESTS_PER_MINUTE: given },
    [/FINI_REQUESTS_PER_MINUTE (is not a (whole )?number|must be at (least 1|most 100000))/],
  ]),
  ['a key with a space', [], { FINI_API_KEY: `${KEY} x` }, [/FINI_API_KEY has /]],
  ['a key with a line end', [], { FINI_API_KEY: `${KEY}\r\nX-Header: 1` }, [/FINI_API_KEY has /]],
  [
    'the placeholder of the README for a key',
    [],
    { FINI_API_KEY: 'fini_...' },
    [/FINI_API_KEY is the placeholder of the README; set your own key$/],
  ],
  ...['{env:FINI_API_KEY}', '$FINI_API_KEY', '%FINI_API_KEY%', '{{FINI_API_KEY}}'].map(
    (variable): (typeof faults)[number] => [
      `${variable} for a key`,
      [],
      { FINI_API_KEY: variable },
      [/^FINI_API_KEY is an unexpanded variable; set it to the value itself, or write/],
    ],
  ),
  [
    'variables for other settings',
    ['--http', '--public-url', '{env:URL}', '--host', '$HOST'],
    {
      FINI_BASE_URL: '{{FINI_BASE_URL}}',
      FINI_MCP_AUTH_TOKEN: '$FINI_MCP_AUTH_TOKEN',
      FINI_MCP_OAUTH_AUDIENCE: '%AUDIENCE%',
      FINI_MCP_OAUTH_READ_SCOPE: '{env:SCOPE}',
    },
    [
      /^FINI_BASE_URL is an unexpanded variable/,
      /^--host is an unexpanded variable/,
      /^FINI_MCP_AUTH_TOKEN is an unexpanded variable/,
      /^--public-url is an unexpanded variable/,
      /^FINI_MCP_OAUTH_AUDIENCE is an unexpanded variable/,
      /^FINI_MCP_OAUTH_READ_SCOPE is an unexpanded variable/,
    ],
  ],
  ['a key that was cut', [], { FINI_API_KEY: `${KEY}...` }, [/FINI_API_KEY is the placeholder/]],
  ['dots for a key', [], { FINI_API_KEY: '...' }, [/FINI_API_KEY is the placeholder/]],
  ['the key for a flag', ['--api-key', KEY], {}, [/--api-key is not a flag/, /./]],
  ['the key in a flag', [`--api-key=${KEY}`], {}, [/--api-key is not a flag/]],
  ['the key for a word', [KEY], {}, [/is not a flag/]],
  ['the key in capitals', [KEY.toUpperCase()], {}, [/is not a flag/]],
  ['the key for a host', ['--http', '--host', KEY], {}, [/--host "\[secret\]" can be reached/]],
  [
    'several at once',
    ['--sandbx', 'serve'],
    { FINI_POLL_INTERVAL_MS: 'x', FINI_WAIT_TIMEOUT_SECONDS: '-1' },
    [/--sandbx/, /"serve"/, /FINI_POLL_INTERVAL_MS/, /FINI_WAIT_TIMEOUT_SECONDS/],
  ],
];

function expectFaults(lines: readonly string[], says: readonly RegExp[]): void {
  expect(lines).toHaveLength(says.length);
  for (const [index, text] of lines.entries()) {
    expect(text).toMatch(says[index] ?? /^$/);
    expect(text).not.toContain('\n');
    expect(text.toLowerCase()).not.toContain(KEY.toLowerCase());
  }
}

describe('what makes no sense is a fault each, in a line', () => {
  test.each(faults)('%s', (_what, args, env, says) => {
    const command = readCommand(args, env);
    expectFaults(command.kind === 'faults' ? command.faults : [], says);
  });
});

describe.concurrent('the process says each fault on stderr, and ends', () => {
  async function faultsOf(args: string[], env: Record<string, string>): Promise<string[]> {
    const { code, stdout, stderr } = await run(args, env);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    const lines = stderr.trimEnd().split('\n');
    for (const text of lines) expect(text).toMatch(/^fini-mcp: /);
    return lines;
  }

  const some = ['a word with a line end', 'a key with a line end', 'the key in a flag'];
  test.each(faults.filter(([what]) => [...some, 'several at once'].includes(what)))(
    '%s',
    async (_what, args, env, says) => {
      expectFaults(await faultsOf(args, env), says);
    },
  );

  test('the key for a host that is listened on', async () => {
    const environment = { FINI_MCP_AUTH_TOKEN: 'token-of-the-operator' };
    const lines = await faultsOf(['--http', '--host', KEY], environment);
    expectFaults(lines, [/cannot listen on "\[secret\]:3333"/]);
  });
});

test('whatever flag or variable is given a key or a token, no fault repeats it', () => {
  const secrets = [KEY, `Bearer ${KEY}`, `https://${KEY}@a.example`, `x${KEY}\n`, `--${KEY}`];
  const flags = [...helpText('0').matchAll(/--[a-z-]+/g)].map(([flag]) => flag);
  const variables = [...helpText('0').matchAll(/FINI_[A-Z_]+/g)].map(([name]) => name);
  for (const secret of secrets) {
    const commands = [
      ...flags.flatMap((flag) => [
        readCommand(['--http', flag, secret, '--nonsense'], {}),
        readCommand(['--http', `${flag}=${secret}`, '--nonsense'], {}),
        readCommand([`${flag}${secret}`, '--nonsense'], {}),
      ]),
      ...variables.map((name) => readCommand(['--nonsense'], { [name]: secret })),
    ].filter(({ kind }) => kind === 'faults');
    expect(commands.length).toBeGreaterThan(flags.length * 2);
    expect(JSON.stringify(commands), secret).not.toContain(KEY);
  }
});

test.each([
  [[], ['sources', 'knowledge']],
  [['--tools', 'knowledge'], ['knowledge']],
  [
    ['--tools', ' Sources, knowledge,sources'],
    ['sources', 'knowledge'],
  ],
  [
    ['--tools', 'knowledge', '--tools', 'sources'],
    ['knowledge', 'sources'],
  ],
])('%s chooses groups of tools', (args, toolGroups) => {
  expect(readCommand(args, {})).toMatchObject({ kind: 'serve', config: { toolGroups } });
});

test('the sandbox has a key of its own, so that none that is given matters', () => {
  const command = readCommand(['--sandbox'], { FINI_API_KEY: 'fini_...' });
  expect(command).toMatchObject({ kind: 'serve', config: { sandbox: true } });
});

describe.concurrent('settings', () => {
  /** Calls list_sources once with these settings. True if the sandbox was asked. */
  async function reaches(
    settings: (url: string) => [args: string[], env: Record<string, string>],
  ): Promise<boolean> {
    const sandbox = await startScriptedSandbox();
    const [args, env] = settings(sandbox.url);
    const { child, ended, stdout } = start(args, { FINI_API_KEY: sandbox.apiKey, ...env });
    child.stdin.write(initialize + callTool(2, 'list_sources', {}));
    await until(() => stdout().includes('"id":2') || child.exitCode !== null);
    child.stdin.end();
    expect((await ended).code).toBe(0);
    await sandbox.close();
    return sandbox.requests.length > 0;
  }

  test.each<[what: string, settings: Parameters<typeof reaches>[0]]>([
    ['the environment', (url) => [[], { FINI_BASE_URL: url }]],
    ['a flag', (url) => [['--base-url', url], {}]],
    ['a flag with =', (url) => [[`--base-url=${url}/`], {}]],
    [
      'a flag, which wins over the environment',
      (url) => [['--base-url', url], { FINI_BASE_URL: 'http://127.0.0.1:1' }],
    ],
    [
      'the environment, where empty and unexpanded settings count as not set',
      (url) => [
        [],
        {
          FINI_BASE_URL: url,
          FINI_POLL_INTERVAL_MS: '',
          FINI_REQUEST_TIMEOUT_MS: `$\{FINI_REQUEST_TIMEOUT_MS}`,
          FINI_WAIT_TIMEOUT_SECONDS: ' ',
        },
      ],
    ],
  ])('can come from %s', async (_what, settings) => {
    expect(await reaches(settings)).toBe(true);
  });

  test('the sandbox flag needs no key and wins over the environment', async () => {
    const settings = (url: string): [string[], Record<string, string>] => [
      ['--sandbox'],
      { FINI_BASE_URL: url, FINI_API_KEY: '' },
    ];
    expect(await reaches(settings)).toBe(false);
  });
});

// Only Linux has a `script` that runs a command at a terminal in this way.
describe.runIf(process.platform === 'linux')('started by hand at a terminal', () => {
  test('it says what it waits for, and how to check the settings', async () => {
    const command = `"${process.execPath}" "${CLI}" --sandbox`;
    const child = spawn('script', ['--quiet', '--command', command, '/dev/null']);
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk;
    });
    await until(() => said.includes('Ctrl+C'));
    expect(said).toMatch(/is waiting for an MCP client on stdin.*README.*--check/);
    child.kill('SIGKILL');
  });

  test('a client that starts it hears nothing of that', async () => {
    const { stderr } = await run(['--sandbox']);
    expect(stderr).toBe('');
  });
});

describe.concurrent('the process ends when nobody is there any more', () => {
  let sandbox: ScriptedSandbox;
  beforeAll(async () => {
    sandbox = await startScriptedSandbox({
      pendingMs: 1,
      workingMs: 1,
      jobs: () => ({ never: true }),
    });
  });
  afterAll(() => sandbox.close());

  const ends: [what: string, end: (child: Running['child']) => void][] = [
    ['stdin ends', (child) => child.stdin.end()],
    ['stdin breaks', (child) => child.stdin.destroy()],
  ];
  if (HAS_SIGNALS) {
    ends.push(
      ['SIGTERM comes', (child) => child.kill('SIGTERM')],
      ['SIGINT comes', (child) => child.kill('SIGINT')],
    );
  }

  test.each(ends.filter((_, index) => index % 2 === 0))('at rest, when %s', async (_what, end) => {
    const { child, ended, stdout } = start([], environmentFor(sandbox));
    child.stdin.write(initialize);
    await until(() => stdout().includes('"id":1'));
    end(child);
    expect((await ended).code).toBe(0);
  });

  test.each(ends)('in the middle of a wait, when %s', async (what, end) => {
    const { child, ended, stdout } = start([], environmentFor(sandbox));
    const url = `https://a.example/${what.replaceAll(' ', '-')}`;
    child.stdin.write(initialize);
    child.stdin.write(callTool(2, 'ingest_and_wait', { documentIdsToAdd: [url] }));
    await until(() =>
      sandbox
        .documents()
        .some(
          ({ originalUrl, linkedJobStatus }) =>
            originalUrl === url && linkedJobStatus === 'IN_PROGRESS',
        ),
    );
    end(child);
    const { code, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout()).not.toContain('"id":2');
  });

  test('with the embedded sandbox, when stdin ends', async () => {
    const { child, ended, stdout } = start(['--sandbox']);
    child.stdin.write(initialize + callTool(2, 'list_sources', {}));
    await until(() => stdout().includes('"id":2'));
    child.stdin.end();
    expect((await ended).code).toBe(0);
  });

  test('when stdout breaks and something is to be said', async () => {
    const { child, ended, stdout } = start([], environmentFor(sandbox));
    child.stdin.write(initialize);
    await until(() => stdout().includes('"id":1'));
    child.stdout.destroy();
    child.stdin.write(line({ id: 2, method: 'ping' }));
    const { code, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });
});

test('lines that are no requests are survived, and stdout stays JSON-RPC', async () => {
  const lines = ['not JSON', '{}', '[]', 'null', '{"jsonrpc":"1.0","id":3,"method":"ping"}'];
  const { child, ended, stdout } = start(['--sandbox']);
  child.stdin.write(initialize);
  for (const [index, text] of lines.entries()) {
    child.stdin.write(`${text}\n${line({ id: 10 + index, method: 'ping' })}`);
  }
  await until(() => stdout().includes('"id":14'));
  child.stdin.end();
  expect((await ended).code).toBe(0);
  const answers = stdout()
    .trimEnd()
    .split('\n')
    .map((one) => JSON.parse(one));
  for (const answer of answers) expect(answer).toMatchObject({ jsonrpc: '2.0' });
  const ids = answers.map(({ id }: { id?: number }) => id);
  expect(ids).toEqual(expect.arrayContaining([1, 10, 11, 12, 13, 14]));
});

describe('the key goes into the Authorization header and nowhere else', () => {
  const page = 'https://a.example/1';

  test('not into results, logs, URLs or bodies, whatever Fini answers', async () => {
    const harness = await startProcess({ keys: { [KEY]: ['read', 'write'] } });
    const { id } = harness.sandbox.addDocument({});
    const results: unknown[] = [];
    const callAll = async () => {
      results.push(await harness.call('deep_crawl_links', { links: [page] }));
      results.push(await harness.call('list_provider_resources', { provider: 'zendesk' }));
      results.push(await harness.call('ingest_sources', { documentIdsToAdd: [page] }));
      results.push(await harness.call('ingest_and_wait', { documentIdsToAdd: [page] }));
      results.push(await harness.call('wait_for_sources', { ids: [id] }));
      results.push(await harness.call('list_sources', {}));
      results.push(await harness.call('get_source', { id }));
    };
    await callAll();
    for (const kind of ['cut', 'html'] as const) {
      harness.sandbox.script({ times: 8, action: { kind } });
      await callAll();
      harness.sandbox.clearFaults();
    }
    const { requests } = harness.sandbox;
    await harness.close();
    expect(requests.length).toBeGreaterThan(20);
    for (const { authorization, method, path, body } of requests) {
      expect(authorization).toBe(`Bearer ${KEY}`);
      expect(JSON.stringify({ method, path, body })).not.toContain(KEY);
    }
    expect(JSON.stringify(results)).not.toContain(KEY);
    expect(harness.stderr()).not.toContain(KEY);
  });

  test('not even where Fini repeats it', async () => {
    const harness = await startHarness({ keys: { [KEY]: ['read', 'write'] } });
    const bodies = [
      { statusCode: 401, message: `Invalid key ${KEY}`, error: 'Unauthorized' },
      { statusCode: 401, message: ['No', `Bearer ${KEY} is unknown`] },
      { statusCode: 401, message: '', error: KEY },
    ];
    for (const body of bodies) {
      const action = { kind: 'status' as const, status: 401, body };
      harness.sandbox.script({ times: 3, action });
      for (const [tool, input] of [
        ['list_sources', {}],
        ['ingest_and_wait', { documentIdsToAdd: [page] }],
        ['deep_crawl_links', { links: [page] }],
      ] as const) {
        const answer = await harness.call(tool, input);
        expect(answer.isError).toBe(true);
        expect(JSON.stringify(answer)).not.toContain(KEY);
      }
    }
    await harness.close();
    expect(harness.stderr()).not.toContain(KEY);
  });
});
