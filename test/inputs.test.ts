import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, startHarness } from './harness.ts';

const UUID = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';
const OTHER_UUID = 'a81f0d33-9c2e-4b7d-8e65-1f2a3b4c5d6e';
const PAGE = 'https://help.example/a';
const SITE = 'https://docs.example';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
  for (const id of [UUID, OTHER_UUID]) harness.sandbox.addDocument({ id, source: 'zendesk' });
});
afterAll(() => harness.close());

/** Calls a tool that must refuse its input before any request, and returns the error's text. */
async function refusal(tool: string, input: Record<string, unknown>): Promise<string> {
  const before = harness.sandbox.requests.length;
  const { isError, text } = await harness.call(tool, input);
  expect(isError, text).toBe(true);
  expect(harness.sandbox.requests).toHaveLength(before);
  return text;
}

/** Calls a tool that must accept its input, and returns the body of the request that it made. */
async function accepted(tool: string, input: Record<string, unknown>): Promise<unknown> {
  const before = harness.sandbox.requests.length;
  const { isError, text } = await harness.call(tool, input);
  expect(isError, text).toBe(false);
  // Before it queues, a call reads the newest change.
  const made = harness.sandbox.requests.slice(before);
  return (made.find(({ body }) => body !== null) ?? made[0])?.body;
}

/** Expects only the second item to be named, with its value unless that could hold a password. */
function expectNamed(text: string, value: string): void {
  expect(text).toMatch(/\[1\] "/);
  expect(text).not.toContain('[0]');
  if (value.includes('@')) return;
  // The value is either escaped or on one line without invisible characters.
  const shown = [value, value.replace(/[\s\p{Cc}]+/gu, ' ')].map((one) =>
    `[1] ${JSON.stringify(one)}`.toLowerCase(),
  );
  expect(
    shown.some((one) => text.toLowerCase().includes(one)),
    text,
  ).toBe(true);
}

const noWebUrls: [what: string, value: string, says: RegExp, inCrawl?: RegExp][] = [
  [
    'a source ID',
    UUID,
    /web takes URLs.*originalUrl.*refresh_sources.*own IDs, call import_provider_resources/,
    /crawl starts/,
  ],
  ['a source ID in capitals', UUID.toUpperCase(), /web takes URLs/, /crawl starts/],
  [
    'a Notion ID',
    '7c1e9b5240d34f6a9b1d000038500000',
    /own IDs, call import_provider_resources/,
    /import_provider_resources/,
  ],
  [
    'a Zendesk ID',
    '4402118230',
    /own IDs, call import_provider_resources with externalIds/,
    /import_provider_resources/,
  ],
  [
    'a Confluence space key',
    'OPS',
    /own IDs, call import_provider_resources/,
    /https:\/\/host\/path/,
  ],
  ['a title', 'Refund policy', /not URLs/],
  ['a host and path without a scheme', 'help.example.com/refunds', /put https:\/\/ before them/],
  ['a host without a scheme', 'example.com', /without a scheme/],
  ['a host and port without a scheme', 'example.com:8080/x', /without a scheme/],
  ['a host and query without a scheme', 'www.example.com?page=1', /without a scheme/],
  ['localhost without a scheme', 'localhost:3000/docs', /not http or https URLs/],
  ['ftp', 'ftp://files.example/a', /not http or https URLs: nothing else/],
  ['javascript', 'javascript:alert(1)', /not http or https URLs/],
  ['data', 'data:text/html,hello', /not http or https URLs/],
  ['file', 'file:///etc/passwd', /not http or https URLs/],
  ['mailto', 'mailto:hello@help.example', /not http or https URLs/],
  ['blob', 'blob:https://help.example/1', /not http or https URLs/],
  ['a misspelt scheme', 'htttps://help.example/a', /not http or https URLs/],
  ['a space', 'https://help.example/a b', /spaces in them.*%20/],
  ['two words in one', 'https://help.example/a and', /one URL per item/],
  ['a newline', 'https://help.example/a\nb', /spaces in them/],
  ['a carriage return', 'https://help.example/a\rb', /spaces in them/],
  ['a tab', 'https://help.\texample/a', /spaces in them/],
  ['a no-break space', 'https://help.example/a\u00a0b', /spaces in them/],
  ['a null character', 'https://help.example/a\u0000b', /./],
  ['an escape character', 'https://help.example/\u001b[31m', /./],
  ['backslashes for slashes', 'https:\\\\help.example\\a', /./],
  ['a backslash in the path', 'https://help.example\\a', /backslash/],
  ['a backslash that hides the host', 'https://help.example\\@evil.example/', /backslash/],
  ['a path on Windows', 'C:\\docs\\a.html', /./],
  ['nothing', '', /empty: remove/],
  ['no host but a path', 'https:///x', /without a host.*https:\/\/host\/path/],
  ['no slashes', 'https:x', /without a host/],
  ['one slash', 'http:/help.example/a', /without a host/],
  ['a scheme alone', 'https://', /without a host/],
  ['a query for a host', 'https://?q=1', /without a host/],
  ['a fragment for a host', 'https://#top', /without a host/],
  ['a port too high', 'https://help.example:99999/', /check the host and the port/],
  ['a port that is a word', 'https://help.example:https/', /check the host and the port/],
  ['a port without a host', 'https://:443/', /check the host and the port/],
  ['a bad IPv4 host', 'https://256.256.256.256/', /check the host and the port/],
  ['a bad IPv6 host', 'https://[::1/', /check the host and the port/],
  ['a bad character in the host', 'https://he<lp.example/', /check the host and the port/],
  ['an absolute path', '/billing/refunds', /relative paths.*whole URL/],
  ['a URL relative to a scheme', '//help.example/a', /relative paths/],
  ['a relative path', '../billing', /not URLs/],
  ['a fragment', '#refunds', /not URLs/],
];

describe('items that are no web URLs are refused before any request', () => {
  test.each(noWebUrls)('%s', async (_what, value, says, inCrawl = says) => {
    const lists: [tool: string, field: string][] = [
      ['ingest_sources', 'documentIdsToAdd'],
      ['ingest_and_wait', 'documentIdsToRefresh'],
      ['deep_crawl_links', 'links'],
    ];
    for (const [tool, field] of lists) {
      const text = await refusal(tool, { [field]: [PAGE, value] });
      expect(text).toMatch(field === 'links' ? inCrawl : says);
      if (field === 'links') expect(text).not.toMatch(/"source"/);
      expect(text).toContain(field);
      expectNamed(text, value);
    }
  });
});

const noSourceIds: [what: string, value: string, says: RegExp][] = [
  ['a URL', 'https://help.example/a', /are URLs, but source IDs.*list_sources/],
  ['a URL without a scheme', 'help.example.com/a', /are URLs, but source IDs/],
  ['a Notion ID', '7c1e9b5240d34f6a9b1d000038500000', /own ID \(externalId\) is not a source ID/],
  ['a Zendesk ID', '4402118230', /own ID \(externalId\) is not a source ID/],
  ['a Confluence page ID', '98304000', /list_sources shows the IDs/],
  ['a Confluence space key', 'OPS', /own ID \(externalId\) is not a source ID/],
  ['a UUID in braces', `{${UUID}}`, /not source IDs/],
  ['a UUID that is cut', UUID.slice(0, -1), /not source IDs/],
  ['a UUID with a wrong letter', UUID.replace('3f', '3g'), /not source IDs/],
  ['a UUID and a word', `${UUID},4402118230`, /not source IDs/],
  ['a UUID as a URN', `urn:uuid:${UUID}`, /source IDs \(UUIDs\)/],
  ['nothing', '', /empty: remove/],
];

describe('items that are no source IDs are refused before any request', () => {
  test.each(noSourceIds)('%s', async (_what, value, says) => {
    const inputs: [tool: string, field: string, more: object][] = [
      ['ingest_sources', 'documentIdsToAdd', { source: 'zendesk' }],
      ['ingest_and_wait', 'documentIdsToRefresh', { source: 'confluence' }],
      ['wait_for_sources', 'ids', {}],
    ];
    for (const [tool, field, more] of inputs) {
      const text = await refusal(tool, { [field]: [UUID, value], ...more });
      expect(text).toMatch(says);
      // Sources that are only read or waited for need no import.
      const isIngested = field !== 'ids' && value !== '';
      expect(text.includes('call import_provider_resources')).toBe(isIngested);
      expectNamed(text, value);
    }
    const text = await refusal('get_source', { id: value });
    if (value === '') return expect(text).toMatch(/Set exactly one of batch and id\./);
    expect(text).toMatch(/is not a source ID \(a UUID\): list_sources/);
    expect(text.toLowerCase()).toContain(JSON.stringify(value).toLowerCase());
  });

  test('a URL among IDs of a source hears of source "web" too', async () => {
    const text = await refusal('ingest_sources', { source: 'notion', documentIdsToAdd: [PAGE] });
    expect(text).toMatch(/public page, set "source" to "web"/);
  });

  test('a bad ID of Google Drive is told that it cannot be listed', async () => {
    const text = await refusal('ingest_sources', {
      source: 'googledrive',
      documentIdsToAdd: ['1a2B3c4D'],
    });
    expect(text).toMatch(/cannot be listed.*list_sources with source "googledrive"/);
    expect(text).not.toContain('provider_resources');
  });
});

const otherShapes: [what: string, tool: string, input: object, says: RegExp][] = [
  ['no arguments', 'ingest_sources', {}, /both empty: pass at least one URL/],
  [
    'two empty lists',
    'ingest_and_wait',
    { documentIdsToAdd: [], documentIdsToRefresh: [] },
    /both empty: pass at least one URL/,
  ],
  ['empty lists of IDs', 'ingest_sources', { source: 'notion' }, /at least one source ID/],
  [
    'an unknown key',
    'ingest_sources',
    { documentIdsToAdd: [PAGE], urls: [] },
    /no "urls": use documentIdsToAdd\./,
  ],
  ['a name twice, in two spellings', 'get_source', { id: UUID, ID: UUID }, /no "ID": use id\./],
  ['a key of every object', 'list_sources', { constructor: {} }, /"constructor"/],
  ['a number for a list', 'ingest_sources', { documentIdsToAdd: 1 }, /documentIdsToAdd/],
  ['an object for a list', 'ingest_sources', { documentIdsToAdd: { 0: PAGE } }, /documentIdsToAdd/],
  [
    'half of a JSON list',
    'ingest_sources',
    { documentIdsToAdd: `["${PAGE}"` },
    /documentIdsToAdd must be a list of URLs .*given: .*It is not valid JSON/,
  ],
  [
    'JSON of another type',
    'wait_for_sources',
    { ids: `[{"id":"${UUID}"}]` },
    /ids: \[0\] \{"id":"3f2b.*Each must be a source ID/,
  ],
  ['an unknown source', 'ingest_sources', { source: 'website', documentIdsToAdd: [PAGE] }, /"web"/],
  ['raw files', 'ingest_sources', { source: 'files', documentIdsToAdd: [UUID] }, /source/],
  ['a word for yes', 'ingest_sources', { documentIdsToAdd: [PAGE], english: 'yes' }, /english/],
  ['a number for yes', 'ingest_sources', { documentIdsToAdd: [PAGE], baser: 1 }, /baser/],
  [
    'no seconds',
    'wait_for_sources',
    { ids: [UUID], timeoutSeconds: 0 },
    /timeoutSeconds must be a whole number from 1 to 3600 \(given: 0\)/,
  ],
  [
    'too many seconds',
    'wait_for_sources',
    { ids: [UUID], timeoutSeconds: 3601 },
    /from 1 to 3600 \(given: 3601\)/,
  ],
  ['half a second', 'wait_for_sources', { ids: [UUID], timeoutSeconds: 1.5 }, /timeoutSeconds/],
  ['seconds in words', 'wait_for_sources', { ids: [UUID], timeoutSeconds: '9s' }, /given: "9s"/],
  [
    'negative seconds',
    'ingest_and_wait',
    { documentIdsToAdd: [PAGE], timeoutSeconds: -1 },
    /given: -1/,
  ],
  ['a time in words', 'wait_for_sources', { ids: [UUID], queuedAfter: 'today' }, /queuedAfter/],
  ['no source IDs', 'wait_for_sources', { ids: [] }, /ids/],
  ['no ID', 'get_source', {}, /id/],
  ['a number for an ID', 'get_source', { id: 4402118230 }, /id/],
  ['a negative offset', 'get_source', { id: UUID, paragraphs: { offset: -1 } }, /offset/],
  ['a nested unknown key', 'get_source', { id: UUID, paragraphs: { from: 1 } }, /"from"/],
  ['no start URL', 'deep_crawl_links', { links: [] }, /links/],
  ['a limit of none', 'deep_crawl_links', { links: [PAGE], limit: 0 }, /limit/],
  ['a page too large', 'list_sources', { limit: 101 }, /limit must be .* to 100 \(given: 101\)/],
  ['a direction unknown', 'list_sources', { cursor: UUID, direction: 'up' }, /"previous"/],
  [
    'a cursor that is no ID',
    'list_sources',
    { cursor: 'abc' },
    /cursor: "abc" is not a cursor: pass nextCursor of the page before, or leave it out\./,
  ],
  [
    'a provider without discovery',
    'list_provider_resources',
    { provider: 'googledrive' },
    /notion/,
  ],
  [
    'no resources',
    'register_provider_resources',
    { provider: 'notion', resources: [] },
    /resources/,
  ],
  [
    'a resource without a MIME type',
    'register_provider_resources',
    { provider: 'notion', resources: [{ externalId: '1', title: 'A', originalUrl: PAGE }] },
    /resources\[0\]\.mimeType is required: text/,
  ],
];

describe('input of another shape is refused before any request', () => {
  test.each(otherShapes)('%s', async (_what, tool, input, says) => {
    expect(await refusal(tool, { ...input })).toMatch(says);
  });

  test('a __proto__ key changes nothing and reaches nobody', async () => {
    const input = JSON.parse(`{"documentIdsToAdd":["${PAGE}"],"__proto__":{"baser":true}}`);
    const { text } = await harness.call('ingest_sources', input);
    const { body } = harness.sandbox.requests.at(-1) ?? {};
    if (!text.includes('__proto__')) expect(body).toMatchObject({ baser: false });
    expect(JSON.stringify(body)).not.toContain('__proto__');
  });
});

describe('everything wrong with a call is named at once', () => {
  test('every bad item of both lists, with its position and kind', async () => {
    const text = await refusal('ingest_sources', {
      documentIdsToAdd: [PAGE, UUID, 'ftp://files.example', 'help.example.com', ''],
      documentIdsToRefresh: ['4402118230', 'https://help.example/b', 'https:///x'],
    });
    for (const [index, value] of [UUID, 'ftp://files.example', 'help.example.com', ''].entries()) {
      expect(text).toContain(`[${index + 1}] ${JSON.stringify(value)}`);
    }
    expect(text).toMatch(/documentIdsToRefresh.*\[0\] "4402118230"/);
    expect(text).toMatch(/documentIdsToRefresh.*\[2\] "https:\/\/\/x"/);
    expect(text).not.toContain(JSON.stringify(PAGE));
    expect(text).not.toContain('"https://help.example/b"');
  });

  test('every item of a wrong type, with its value', async () => {
    const documentIdsToAdd = [PAGE, 4402118230, null, { page: 'a' }, ['b']];
    const text = await refusal('ingest_sources', { documentIdsToAdd });
    expect(text).toMatch(/\[1\] "4402118230"\. .* own IDs, call import_provider_resources/);
    expect(text).toContain('[2] null, [3] {"page":"a"}, [4] ["b"]. Each must be');
    expect(text).not.toContain('[0]');
  });

  test('a source that is none, which decides nothing about the lists', async () => {
    const input = { source: 'website', documentIdsToAdd: ['4402118230'] };
    const text = await refusal('ingest_sources', input);
    expect(text).toMatch(/source must be one of "web".*given: "website"/);
    expect(text).not.toContain('With source');
  });

  test('a list of a wrong type, which is not called empty', async () => {
    const text = await refusal('ingest_sources', { documentIdsToAdd: { page: PAGE } });
    expect(text).toMatch(/must be a list of URLs .*given: \{"page":"https:/);
    expect(text).not.toMatch(/both empty/);
  });

  test('an item of a wrong type, an unknown key and an item of a wrong kind', async () => {
    const text = await refusal('ingest_sources', {
      documentIdsToAdd: [true, 'ftp://files.example'],
      documentIdsToRefresh: ['4402118230'],
      urls: [],
    });
    expect(text).toContain('documentIdsToAdd: [0] true. Each must be');
    expect(text).toContain('"urls"');
    expect(text).toContain('"ftp://files.example"');
    expect(text).toContain('"4402118230"');
  });

  test('hundreds of long bad items in a bounded text that says how many more', async () => {
    const documentIdsToAdd = Array.from(
      { length: 300 },
      (_, i) => `ftp://${i}/${'x'.repeat(5000)}`,
    );
    const text = await refusal('ingest_sources', { documentIdsToAdd });
    expect(text).toMatch(/and 250 more/);
    expect(text.length).toBeLessThan(10_000);
  });
});

describe('an item in both lists is refused', () => {
  test.each<[what: string, source: string, one: string, other: string]>([
    ['the same URL', 'web', PAGE, PAGE],
    ['the host in capitals', 'web', PAGE, 'HTTPS://HELP.EXAMPLE/a'],
    ['the default port', 'web', PAGE, 'https://help.example:443/a'],
    ['no path and the root', 'web', 'https://help.example', 'https://help.example/'],
    [
      'an IDN host and its punycode',
      'web',
      'https://bücher.example/a',
      'https://xn--bcher-kva.example/a',
    ],
    ['dot segments', 'web', PAGE, 'https://help.example/b/../a'],
    ['space around it', 'web', PAGE, ` ${PAGE} `],
    ['the same ID in capitals', 'zendesk', UUID, UUID.toUpperCase()],
  ])('%s', async (_what, source, one, other) => {
    const lists = { documentIdsToAdd: [`${one}`], documentIdsToRefresh: [other] };
    const text = await refusal('ingest_sources', { source, ...lists });
    expect(text).toMatch(/also in documentIdsToRefresh: keep them in only one/);
    expect(text).toContain(`[0] ${JSON.stringify(one)}`);
  });
});

describe('credentials in a URL are refused and never echoed', () => {
  test.each([
    'https://user@help.example/a',
    'https://hunter2:x@help.example/a',
    'https://:hunter2@help.example/a',
  ])('%s', async (url) => {
    const text = await refusal('ingest_sources', { documentIdsToAdd: [PAGE, url] });
    expect(text).toMatch(/URLs with credentials.*remove the part before "@"/);
    expect(text).toMatch(/\[1\] "\S*…@help\.example\/a"/);
  });
  test.each([
    'https://user:hunter2@help.example/a',
    'https://:hunter2@help.example/a',
    'https://user:hun/hunter2@help.example/a',
    'https://user:hun@hunter2@help.example/a',
    'https:user:hunter2@help.example/a',
    '//user:hunter2@help.example/a',
    'ftp://user:hunter2@files.example/a',
    'user:hunter2@help.example/a',
  ])('no tool repeats the password of %s', async (url) => {
    for (const [tool, input] of [
      ['ingest_sources', { documentIdsToAdd: [url] }],
      ['ingest_sources', { source: 'zendesk', documentIdsToAdd: [url] }],
      ['ingest_sources', { documentIdsToAdd: url }],
      ['ingest_sources', { documentIdsToAdd: [[url], { url }] }],
      ['ingest_sources', { source: url, documentIdsToAdd: [PAGE] }],
      ['wait_for_sources', { ids: [url] }],
      ['get_source', { id: url }],
      ['list_sources', { cursor: url }],
    ] as const) {
      expect(await refusal(tool, input), tool).not.toContain('hunter2');
    }
  });
});

describe('good items reach Fini', () => {
  test.each<[what: string, given: string, sent?: string]>([
    ['a plain URL', PAGE],
    ['http', 'http://help.example/a'],
    ['a scheme in capitals', 'HTTPS://help.example/a'],
    ['no path', 'https://help.example'],
    ['a port', 'https://help.example:8443/a'],
    ['a query', 'https://help.example/a?b=c&d=%20e#f'],
    ['an @ in the path', 'https://help.example/@team'],
    ['an @ in the query', 'https://help.example/?mail=a@b.example'],
    ['a URL in the query', 'https://help.example/?to=https://other.example/'],
    ['an IDN host', 'https://bücher.example/ä'],
    ['a punycode host', 'https://xn--bcher-kva.example/'],
    ['percent-encoding', 'https://help.example/caf%C3%A9%2Fmenu'],
    ['an IPv6 host', 'http://[2001:db8::1]:8080/a'],
    ['an IPv4 host', 'http://192.0.2.1/a'],
    ['a single label', 'https://intranet/a'],
    ['a UUID in the path', `https://help.example/${UUID}`],
    ['space around it', ` \n${PAGE}\t`, PAGE],
  ])('%s', async (_what, given, sent = given) => {
    expect(await accepted('ingest_sources', { documentIdsToAdd: [given] })).toEqual({
      source: 'web',
      documentIdsToAdd: [sent],
      documentIdsToRefresh: [],
      english: true,
      baser: false,
    });
    expect(await accepted('deep_crawl_links', { links: [given] })).toEqual({
      links: [sent],
      limit: 250,
    });
  });

  test.each<[what: string, given: string]>([
    ['a UUID', UUID],
    ['a UUID in capitals, as Fini writes it', UUID.toUpperCase()],
    ['space around it', ` ${UUID}\n`],
  ])('%s', async (_what, given) => {
    const input = { source: 'zendesk', documentIdsToAdd: [given] };
    expect(await accepted('ingest_sources', input)).toMatchObject({ documentIdsToAdd: [UUID] });
  });

  test.each<[what: string, given: string]>([
    ['a UUID', UUID],
    ['a UUID in capitals', UUID.toUpperCase()],
    ['space around it', ` ${UUID}\n`],
    ['the resource of its text, as results link to it', `fini://sources/${UUID}`],
    ['a later part of that', `fini://sources/${UUID}/paragraphs/7`],
  ])('%s, where a source is looked at or refreshed', async (_what, given) => {
    expect(await accepted('refresh_sources', { documentIds: [given] })).toEqual({
      documentIds: [UUID],
    });
    await accepted('get_source', { id: given });
    expect(harness.sandbox.requests.at(-1)?.path).toMatch(new RegExp(`/${UUID}$`));
  });

  test('one item where a list is meant is read as a list of it', async () => {
    expect(await accepted('ingest_sources', { documentIdsToAdd: PAGE })).toMatchObject({
      documentIdsToAdd: [PAGE],
    });
    expect(await accepted('deep_crawl_links', { links: PAGE })).toMatchObject({ links: [PAGE] });
  });

  test('a list that arrives as JSON text is read as the list', async () => {
    const documentIdsToAdd = ` ["${PAGE}", "https://help.example/b"]`;
    expect(await accepted('ingest_sources', { documentIdsToAdd })).toMatchObject({
      documentIdsToAdd: [PAGE, 'https://help.example/b'],
    });
    expect(await accepted('deep_crawl_links', { links: `["${PAGE}"]` })).toMatchObject({
      links: [PAGE],
    });
  });
});

describe('what is sure is read as it is meant', () => {
  const NOTHING = { documentIdsToRefresh: [], english: true, baser: false };
  const B = 'https://help.example/b';

  test('null, "" and white space leave out what is optional, at any depth', async () => {
    const input = {
      source: null,
      documentIdsToAdd: [PAGE],
      documentIdsToRefresh: '',
      english: ' ',
    };
    expect(await accepted('ingest_sources', input)).toEqual({
      source: 'web',
      documentIdsToAdd: [PAGE],
      ...NOTHING,
    });
    const lists = { documentIdsToAdd: PAGE, documentIdsToRefresh: [''] };
    expect(await accepted('ingest_sources', lists)).toMatchObject(NOTHING);
    await accepted('get_source', { id: UUID, paragraphs: { offset: null, limit: '' } });
    await accepted('list_sources', { title: ' ', id: null, linkedOperation: '', changed: null });
  });

  test('an empty list leaves out what is optional', async () => {
    const documentIdsToAdd = [PAGE];
    for (const input of [
      ['import_provider_resources', { provider: 'notion', search: 'theft', externalIds: [] }],
      ['import_provider_resources', { provider: 'notion', all: true, externalIds: '[]' }],
      ['ingest_site', { links: [PAGE], include: [], exclude: [[]] }],
      ['list_sources', { title: [] }],
      ['ingest_sources', { documentIdsToAdd, documentIdsToRefresh: '[]', source: [] }],
    ] as const) {
      const [tool, given] = input;
      const dryRun = tool.startsWith('i') && tool !== 'ingest_sources' ? { dryRun: true } : {};
      const { isError, text } = await harness.call(tool, { ...given, ...dryRun });
      expect(isError && /is wrong/.test(text), text).toBe(false);
    }
    const none = { provider: 'notion', externalIds: [] };
    expect(await refusal('import_provider_resources', none)).toMatch(/exactly one of search/);
    expect(await refusal('refresh_sources', { documentIds: [] })).toMatch(/documentIds is empty/);
  });

  test.each<[what: string, tool: string, input: object, sent: object]>([
    ['a number as text', 'deep_crawl_links', { links: [PAGE], limit: '50' }, { limit: 50 }],
    ['a number with .0', 'deep_crawl_links', { links: [PAGE], limit: ' 50.0 ' }, { limit: 50 }],
    [
      '"false"',
      'ingest_sources',
      { documentIdsToAdd: [PAGE], english: 'False' },
      { english: false },
    ],
    ['"TRUE"', 'ingest_sources', { documentIdsToAdd: [PAGE], baser: 'TRUE' }, { baser: true }],
    [
      'a word in capitals',
      'ingest_sources',
      { source: 'WEB', documentIdsToAdd: [PAGE] },
      { source: 'web' },
    ],
    [
      'a word in another spelling',
      'ingest_sources',
      { source: 'Google Drive', documentIdsToAdd: [UUID] },
      { source: 'googledrive' },
    ],
    ['snake case', 'ingest_sources', { document_ids_to_add: [PAGE] }, { documentIdsToAdd: [PAGE] }],
    [
      'capitals in a name',
      'ingest_sources',
      { documentIDsToAdd: [PAGE] },
      { documentIdsToAdd: [PAGE] },
    ],
    [
      'an object for a list of objects, with a number for text',
      'register_provider_resources',
      {
        provider: 'Zendesk',
        resources: {
          externalId: 3611,
          title: 'A',
          originalUrl: `<${PAGE}>`,
          mimeType: 'text/html',
          object: null,
        },
      },
      { resources: [{ externalId: '3611', originalUrl: PAGE }] },
    ],
    [
      'objects as JSON text',
      'register_provider_resources',
      {
        provider: 'zendesk',
        resources: `[{"externalId":"1","title":"A","originalUrl":"${PAGE}","mimeType":"text/html"}]`,
      },
      { resources: [{ externalId: '1' }] },
    ],
  ])('%s', async (_what, tool, input, sent) => {
    expect(await accepted(tool, { ...input })).toMatchObject(sent);
  });

  test('an object as JSON text', async () => {
    const { structured } = await harness.call('get_source', {
      id: UUID,
      paragraphs: '{"offset": "1", "limit": 1}',
    });
    expect(structured.offset).toBe(1);
  });

  test.each([
    ['Markdown', `[Refunds, and more](${PAGE})`],
    ['Markdown with a title', `[Refunds](${PAGE} "Refunds")`],
    ['angle brackets', `<${PAGE}>`],
    ['Slack', `<${PAGE}|Refunds>`],
    ['quotes', `"${PAGE}"`],
    ['single quotes', `'${PAGE}'`],
    ['backticks', `\`${PAGE}\``],
    ['backticks around angle brackets', ` \`<${PAGE}>\` `],
  ])('a URL in %s', async (_what, given) => {
    for (const links of [given, [given]]) {
      expect(await accepted('deep_crawl_links', { links })).toMatchObject({ links: [PAGE] });
    }
    const documentIdsToAdd = [B, given];
    const sent = { documentIdsToAdd: [B, PAGE] };
    expect(await accepted('ingest_sources', { documentIdsToAdd })).toMatchObject(sent);
  });

  test.each([',', ' , ', ';', '|', ' | ', '\n', ' ', ',\n', '\n\n'])(
    'several URLs or IDs with %j between them',
    async (separator) => {
      const text = [PAGE, B].join(separator);
      for (const links of [text, [text], `${text}${separator}`, `["${PAGE}","${B}"]`]) {
        expect(await accepted('deep_crawl_links', { links })).toMatchObject({ links: [PAGE, B] });
      }
      const inputs = {
        documentIdsToAdd: text,
        documentIdsToRefresh: [`<${B}/1>${separator}<${B}/2>`, `${B}/3`],
      };
      expect(await accepted('ingest_sources', inputs)).toMatchObject({
        documentIdsToAdd: [PAGE, B],
        documentIdsToRefresh: [`${B}/1`, `${B}/2`, `${B}/3`],
      });
      const documentIds = [UUID, OTHER_UUID];
      const ids = documentIds.join(separator);
      expect(await accepted('refresh_sources', { documentIds: ids })).toEqual({ documentIds });
      const { structured } = await harness.call('wait_for_sources', { ids: [ids] });
      expect(structured.counts.submitted).toBe(2);
    },
  );

  test.each([
    `Refunds: ${PAGE}`,
    `Refunds: ${PAGE}\nBikes: ${B}`,
    `- Refunds: ${PAGE}\n- Our bikes: ${B}`,
  ])('a label before a URL is refused as one: %j', async (given) => {
    for (const list of [given, [given]]) {
      const text = await refusal('ingest_sources', { documentIdsToAdd: list });
      expect(text).toMatch(/one URL per item, without labels/);
      expect(text).not.toMatch(/%20|another scheme/);
    }
    const links = await refusal('deep_crawl_links', { links: given });
    expect(links).toMatch(/one URL per item, without labels/);
  });

  test('a label before an ID is refused as one', async () => {
    const text = await refusal('refresh_sources', { documentIds: `Refunds: ${UUID}` });
    expect(text).toMatch(/one ID per item, without labels/);
    expect(text).not.toMatch(/are URLs/);
  });

  test('white space before another item is no part of the URL', async () => {
    for (const given of [`${PAGE} - Refunds`, `${PAGE} ${UUID}`, `${PAGE} • Bikes`]) {
      const text = await refusal('ingest_sources', { documentIdsToAdd: [given] });
      expect(text).toMatch(/white space.*one URL per item, without labels/);
      expect(text).not.toContain('%20');
    }
  });

  test('a comma, a bar or a semicolon in one URL stays in it', async () => {
    const url = 'https://help.example/a,b;c|d?e=f,g';
    expect(await accepted('ingest_sources', { documentIdsToAdd: url })).toMatchObject({
      documentIdsToAdd: [url],
    });
  });

  test('where two readings remain it is refused', async () => {
    const mixed = `${PAGE} ${UUID}`;
    expect(await refusal('ingest_sources', { documentIdsToAdd: mixed })).toMatch(/white space/);
    const text = await refusal('ingest_sources', {
      documentIdsToAdd: [`${PAGE}, ${B}`, 'c.example'],
    });
    expect(text).toMatch(/"c\.example"/);
  });

  test('globs with commas between them are several, but not in braces', async () => {
    const plan = async (input: object) => {
      const given = { links: [SITE], dryRun: true, ...input };
      return (await harness.call('ingest_site', given)).structured;
    };
    const [of] = [await plan({})];
    const lists = await plan({ exclude: ['/billing/**', '/{repairs,tours}/**'] });
    expect(lists.selected).toBeLessThan(of.selected);
    for (const exclude of [
      '/billing/**,/{repairs,tours}/**',
      ['/billing/**, /{repairs,tours}/**'],
      '"/billing/**"\n/{repairs,tours}/**',
    ]) {
      expect((await plan({ exclude })).sources).toEqual(lists.sources);
    }
  });
});

describe("a provider's items are found by every name that people copy", () => {
  const NOTION = '7c1e9b52-40d3-4f6a-9b1d-';
  async function chosen(provider: string, externalIds: unknown): Promise<string[]> {
    const input = { provider, externalIds, dryRun: true };
    const { structured, text } = await harness.call('import_provider_resources', input);
    const rows: { status: string; externalId: string }[] = structured?.sources ?? [];
    expect(new Set(rows.map(({ status }) => status)), text).toEqual(new Set(['new']));
    return rows.map(({ externalId }) => externalId);
  }
  const listedOf = async (
    provider: string,
  ): Promise<{ externalId: string; originalUrl: string }[]> =>
    (await harness.call('list_provider_resources', { provider })).structured.resources;

  test('Zendesk', async () => {
    const [one, two] = await listedOf('zendesk');
    const both = [one?.externalId, two?.externalId];
    for (const externalIds of [
      both.map(Number),
      both.join(','),
      both.join(' '),
      [both.join('; ')],
      JSON.stringify(both.map(Number)),
      [`${one?.originalUrl}?source=search&auth_token=x`, `${two?.originalUrl}-Refund-policy#h_01`],
      `[A](${one?.originalUrl}-A?brand_id=1) <${two?.originalUrl}>`,
    ]) {
      expect(await chosen('zendesk', externalIds)).toEqual(both);
    }
    expect(await chosen('zendesk', Number(both[0]))).toEqual([both[0]]);
    // The URL and the external ID name the same item.
    expect(await chosen('zendesk', [`${one?.originalUrl}?a=b`, one?.externalId])).toEqual([
      both[0],
    ]);
  });

  test('Notion', async () => {
    const [one] = await listedOf('notion');
    const id = one?.externalId ?? '';
    expect(id).toContain(NOTION);
    const digits = id.replaceAll('-', '');
    for (const name of [
      id.toUpperCase(),
      digits,
      `https://www.notion.so/larkspur/Refund-policy-${digits}?pvs=4`,
      `https://larkspur.notion.site/Refund-policy-${digits}?v=1#2`,
      `https://www.notion.so/larkspur/${'0'.repeat(32)}?v=${'1'.repeat(32)}&p=${digits}&pm=s`,
    ]) {
      expect(await chosen('notion', [name])).toEqual([id]);
    }
  });

  test('Confluence', async () => {
    const [one] = await listedOf('confluence');
    const { externalId = '', originalUrl = '' } = one ?? {};
    for (const name of [
      `${originalUrl}/Opening+hours?focusedCommentId=1`,
      `https://larkspur.atlassian.net/wiki/pages/viewpage.action?pageId=${externalId}`,
    ]) {
      expect(await chosen('confluence', name)).toEqual([externalId]);
    }
  });

  test('a number that has lost digits is refused', async () => {
    const input = { provider: 'zendesk', externalIds: [Number('360012345678901234567')] };
    expect(await refusal('import_provider_resources', input)).toMatch(
      /loses digits: write it in quotes/,
    );
  });
});

describe('a refusal says what would be right', () => {
  test.each<[tool: string, input: object, says: RegExp]>([
    ['deep_crawl_links', {}, /- links is required: a list of absolute http\(s\) URLs\.$/],
    [
      'deep_crawl_links',
      { links: null },
      /- links is required \(given: null\): a list of absolute/,
    ],
    ['deep_crawl_links', { links: '' }, /- links is required \(given: ""\): a list of absolute/],
    ['get_source', {}, /:\n- Set exactly one of batch and id\.$/],
    ['get_source', { id: 4402118230 }, /id: "4402118230" is not a source ID/],
    ['get_source', { id: UUID, offset: 5 }, /no "offset": use paragraphs\.offset\./],
    [
      'list_provider_resources',
      { provider: 5 },
      /provider must be one of "notion", .*\(given: 5\)/,
    ],
    [
      'refresh_sources',
      { ids: [UUID] },
      /:\n- refresh_sources has no "ids": use documentIds\.\nThe right call: refresh_sources \{"documentIds":\["3f2b[^"]+"\]\}$/,
    ],
    [
      'wait_for_sources',
      { documentIds: [UUID] },
      /:\n- wait_for_sources has no "documentIds": use ids\.\nThe right call: wait_for_sources \{"ids"/,
    ],
    ['get_source', { sourceIds: [UUID] }, /no "sourceIds": use id\./],
    ['ingest_and_wait', { ids: [UUID] }, /use documentIdsToAdd or documentIdsToRefresh\./],
    [
      'ingest_site',
      { urls: [PAGE] },
      /use links\.\nThe right call: ingest_site \{"links":\["https:.*"\]\}$/,
    ],
    [
      'ingest_and_wait',
      { documentIdsToAdd: PAGE, timeout: 5 },
      /no "timeout": use timeoutSeconds\./,
    ],
    ['ingest_and_wait', { documentIdsToAdd: PAGE, timeoutSecond: 5 }, /use timeoutSeconds\./],
    ['import_provider_resources', { provider: 'notion', ids: ['1'] }, /use externalIds\./],
    ['list_sources', { url: PAGE }, /use originalUrl\./],
    ['list_sources', { wombat: 1 }, /no "wombat": it takes limit, cursor,/],
  ])('%s %j', async (tool, input, says) => {
    expect(await refusal(tool, { ...input })).toMatch(says);
  });

  test.each(['googledrive', 'Google Drive', 'gdrive', 'drive'])(
    'the provider %s hears that Drive cannot be listed',
    async (provider) => {
      const resources = [{ externalId: '1', title: 'A', originalUrl: PAGE, mimeType: 'text/html' }];
      for (const [tool, more] of [
        ['list_provider_resources', {}],
        ['import_provider_resources', { all: true }],
        ['register_provider_resources', { resources }],
      ] as const) {
        const text = await refusal(tool, { provider, ...more });
        expect(text).toMatch(
          /one of "notion".*Google Drive cannot be listed: only the IDs of its sources in Fini work \(list_sources with source "googledrive"\)/,
        );
      }
      const other = await refusal('list_provider_resources', { provider: 'dropbox' });
      expect(other).not.toContain('Drive');
    },
  );

  test.each([
    ['refresh_sources', 'documentIds'],
    ['delete_sources', 'documentIds'],
    ['wait_for_sources', 'ids'],
    ['get_source', 'id'],
    ['list_sources', 'id'],
  ])("%s says that a provider's own ID is no source ID", async (tool, field) => {
    const deleting =
      tool === 'delete_sources' ? await startHarness({}, {}, ['--allow-delete']) : harness;
    for (const externalId of ['7c1e9b5240d34f6a9b1d000038500000', '4402118230', 'OPS']) {
      const { text } = await deleting.call(tool, { [field]: externalId });
      expect(text).toMatch(/a provider's own ID \(externalId\) is not a source ID/i);
    }
    if (deleting !== harness) await deleting.close();
  });

  test('everything at once', async () => {
    const text = await refusal('ingest_site', { link: PAGE, limit: 0, english: 'no', exclude: {} });
    for (const part of [
      'use links',
      'limit must',
      'english must be true or false (given: "no")',
      'exclude must',
    ]) {
      expect(text).toContain(part);
    }
  });

  test.each([
    ['list-sources', /did you mean list_sources\?/],
    ['listSources', /did you mean list_sources\?/],
    ['fini_list_sources', /did you mean list_sources\?/],
    ['mcp__fini__list_sources', /did you mean list_sources\?/],
    ['fini:list_sources', /did you mean list_sources\?/],
    ['list_source', /did you mean list_sources\?/],
    ['ingest', /did you mean ingest_site or ingest_and_wait or ingest_sources\?/],
    ['wombat', /There is no tool "wombat"\. There are ingest_site, .*get_source, .*\w\.$/],
    ['delete_sources', /is off: .*started without --allow-delete.*started with --allow-delete\./],
    ['publish_articles', /started without --allow-publish.*started with --allow-publish\./],
    ['deleteSources', /There is no tool "deleteSources"\. delete_sources is off/],
    ['__proto__', /There is no tool "__proto__"/],
  ])('there is no tool %s', async (name, says) => {
    expect(await refusal(name, {})).toMatch(says);
  });
});
