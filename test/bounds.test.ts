import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { listing } from '../src/tools/listing.ts';
import { environmentFor, type Harness, Stops, startHarness, startHttp } from './harness.ts';
import { send } from './rpc.ts';
import { EXAMPLES } from './tools/examples.ts';

/* One event loop serves everyone: whatever one client sends, the others still get answers. */

/** The largest body that the HTTP server accepts. */
const MEGABYTE = 1024 * 1024;
const HALF_A_SECOND = 500;
const UUID = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';
const PAGE = 'https://help.example/a';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({}, {}, ['--allow-delete', '--allow-publish'], { asIs: true });
});
afterAll(() => harness.close());

/**
 * The longest time in which the event loop served no one while something ran, in milliseconds of
 * computing: wall-clock time depends on the load of the machine.
 */
async function longestSilence(run: () => Promise<unknown>): Promise<number> {
  const computed = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  };
  let longest = 0;
  let last = computed();
  let heardAt = performance.now();
  const listen = () => {
    const now = computed();
    // Garbage collection on other threads counts too, but no one waits longer than the clock.
    longest = Math.max(longest, Math.min(now - last, performance.now() - heardAt));
    last = now;
    heardAt = performance.now();
  };
  const timer = setInterval(listen, 5);
  await run();
  listen();
  clearInterval(timer);
  return longest;
}

/** A megabyte of the same text, repeated. */
const filled = (part: string) => part.repeat(MEGABYTE / part.length);
const listed = (item: unknown) => {
  const { length } = JSON.stringify(item);
  return Array.from({ length: MEGABYTE / (length + 1) }, () => item);
};
/** A list of the greatest allowed length, so that the server does the work. */
const wide = (item: unknown) => Array.from({ length: 5_000 }, () => item);

const texts: [what: string, text: string][] = [
  ['letters', filled('a')],
  ['white space', filled(' ')],
  ['commas', filled(',')],
  ['a URL', `${PAGE}/${filled('a')}`],
  ['URLs', filled(`${PAGE} `)],
  ['IDs', filled(`${UUID},`)],
  ['numbers', filled('1,')],
  ['brackets', filled('[')],
  ['braces', `{${filled('.')}`],
  ['question marks', filled('?')],
  ['stars', filled('*')],
  ['Markdown', filled('[a](')],
  ['a list', JSON.stringify(listed('4402118230'))],
  ['an object', `{"a":${JSON.stringify(filled('a'))}}`],
];
const short = (text: string) => text.slice(0, 9_000);
const items: [what: string, list: unknown[]][] = [
  ['wrong IDs', listed('4402118230')],
  ['numbers', listed(1)],
  ['nulls', listed(null)],
  ['objects', listed({ id: UUID })],
  ['5,000 URLs', wide(PAGE)],
  [
    '5,000 URLs beyond ASCII',
    Array.from({ length: 5_000 }, (_, index) => `https://help.example/${'é'.repeat(100)}${index}`),
  ],
  ['5,000 wrong URLs', wide('help.example/a b')],
  ['5,000 wrong IDs', wide(`${UUID}x`)],
  ['5,000 nulls', wide(null)],
  ['5,000 objects', wide({ id: UUID })],
  ['several in each', wide(`${PAGE} ${PAGE}`)],
  ['many globs in each', Array.from({ length: 190 }, () => '/a,'.repeat(3_333))],
  ['many URLs in each', Array.from({ length: 190 }, () => 'a://b,'.repeat(1_666))],
  [
    'long texts',
    texts.slice(0, 12).flatMap(([, text]) => Array.from({ length: 40 }, () => short(text))),
  ],
  ['one text', [filled('a b,')]],
];

interface Field {
  readonly tool: string;
  readonly name: string;
  readonly type: string;
  readonly others: Record<string, unknown>;
}

/** Every input of every tool, with the other inputs that the tool requires. */
const fields: Field[] = listing.flatMap(({ name: tool, inputSchema }) => {
  const { properties = {}, required = [] } = inputSchema;
  const valid = EXAMPLES.find((example) => example.tool === tool)?.input ?? {};
  return Object.entries(properties).map(([name, schema]) => {
    const { type } = z.object({ type: z.string() }).parse(schema);
    const others = required.filter((one) => one !== name).map((one) => [one, valid[one]]);
    return { tool, name, type, others: Object.fromEntries(others) };
  });
});

describe('a megabyte in any input keeps nobody waiting', () => {
  test.each(fields.map((field) => [`${field.tool} ${field.name}`, field] as const))(
    '%s',
    async (_what, { tool, name, type, others }) => {
      const values = [...texts, ...(type === 'array' || type === 'object' ? items : [])];
      // The sandbox runs in this process too; it refuses at once, so that its own work is not measured.
      harness.sandbox.script({
        method: 'POST',
        times: Infinity,
        action: { kind: 'status', status: 400 },
      });
      for (const [what, value] of values) {
        // The call skips parsing the message: that is the work of the transport and the client.
        const call = () => harness.call(tool, { ...others, [name]: value }).catch(() => null);
        const silence = await longestSilence(call);
        expect(silence, `${what}: ${Math.round(silence)} ms`).toBeLessThan(HALF_A_SECOND);
      }
      harness.sandbox.clearFaults();
    },
    60_000,
  );
});

describe('a megabyte in any message over HTTP keeps nobody waiting', () => {
  const stops = new Stops();
  let url: string;
  beforeAll(async () => {
    ({ url } = await startHttp(stops, environmentFor(harness.sandbox)));
  });
  afterAll(() => stops.run());

  const call = (name: string, input: unknown) => ({
    ...{ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: input } },
  });
  const nested = `${filled('[').slice(MEGABYTE / 2 + 1_000)}`;
  const deep = `${nested}${nested.replaceAll('[', ']')}`;
  const names = Array.from({ length: 80_000 }, (_, index) => `"${index.toString(36)}":0`).join();
  const hundred = (message: object) => Array.from({ length: 100 }, () => message);
  const bodies: [what: string, body: unknown][] = [
    ['levels of lists', deep],
    ['lists', `[${'[],'.repeat(300_000)}0]`],
    ['objects', `[${'{"":0},'.repeat(140_000)}0]`],
    ['names', `{${names}}`],
    ['a batch of numbers', `[${'1,'.repeat(500_000)}1]`],
    ['arguments as a text', call('list_sources', deep)],
    ['no JSON', filled('{"a":"')],
    ['an ID', { ...call('list_sources', {}), id: filled('x').slice(1_000) }],
    ['the name of a tool', call(filled('x').slice(1_000), {})],
    ['a method', { jsonrpc: '2.0', id: 1, method: filled('x').slice(1_000) }],
    ['a hundred lists of tools', hundred({ jsonrpc: '2.0', id: 1, method: 'tools/list' })],
    ['a hundred wrong inputs', hundred(call('list_sources', { title: [short(filled('a,'))] }))],
    ['a hundred lists', hundred(call('wait_for_sources', { ids: wide('x').slice(0, 2_000) }))],
    ...items.map(([what, ids]): [string, unknown] => {
      const isFitting = JSON.stringify(ids).length < MEGABYTE - 1_000;
      return [
        `a call with ${what}`,
        call('wait_for_sources', { ids: isFitting ? ids : ids.slice(0, ids.length / 2) }),
      ];
    }),
  ];
  test.each(bodies)('%s', async (_what, body) => {
    // The body becomes text beforehand, since that is the client's time.
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const silence = await longestSilence(() => send(url, { body: text }));
    expect(silence).toBeLessThan(HALF_A_SECOND);
  });
});

describe('names and values come back in bounds', () => {
  const long = filled('x');
  let deep: unknown = 'x';
  for (let depth = 0; depth < 30; depth += 1) deep = [deep];

  test.each<[what: string, tool: string, input: Record<string, unknown>, says: RegExp]>([
    ['the name of a tool', long, {}, /There is no tool "x+…"/],
    [
      'the name of an input',
      'get_source',
      { id: UUID, [long]: 1 },
      /has no "x+…": it takes batch, id/,
    ],
    ['a nested name', 'get_source', { id: UUID, paragraphs: { [long]: 1 } }, /has no "x+…"/],
    [
      'many names',
      'get_source',
      Object.fromEntries(
        texts.flatMap(([what], at) =>
          Array.from({ length: 20 }, (_, i) => [`${what}${at}${i}`, 1]),
        ),
      ),
      /has 280 fields; at most 100/,
    ],
    [
      'a list',
      'wait_for_sources',
      { ids: listed(UUID) },
      /ids has 26,886 items; at most 5,000 are allowed: pass fewer/,
    ],
    [
      'a text',
      'list_sources',
      { title: long },
      /title is 1,048,576 characters long; at most 10,000/,
    ],
    [
      'what is deep',
      'wait_for_sources',
      { ids: [deep] },
      /ids: \[0\] \[\[\[…\]\]\]\. Each must be/,
    ],
    [
      'many resources',
      'register_provider_resources',
      { provider: 'zendesk', resources: wide({}) },
      /resources\[0\]\.title is required.*[\s\S]*and more$/,
    ],
  ])('%s', async (_what, tool, input, says) => {
    const { text, isError } = await harness.call(tool, input);
    expect(isError).toBe(true);
    expect(text.length).toBeLessThan(6_000);
    expect(text).toMatch(says);
  });
});
