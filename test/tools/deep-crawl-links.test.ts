import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { siteOrigin, webPages } from '../../src/sandbox/content.ts';
import { type Harness, startHarness } from '../harness.ts';
import { nextCall } from '../next-calls.ts';
import { pingMeanwhile } from './meanwhile.ts';
import { expectFitToShow, HOSTILE } from './showing.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

/** Makes the next crawl return this. */
function answerWith(body: unknown): void {
  harness.sandbox.script({ method: 'POST', action: { kind: 'rewrite', rewrite: () => body } });
}

test('every page of a site is found, nothing is created, and the text says the same', async () => {
  const answer = await harness.call('deep_crawl_links', { links: [siteOrigin] });
  const { structured, text } = answer;
  expect(structured.urls).toEqual(webPages.map(({ url }) => url));
  expect(structured.found).toBe(webPages.length);
  expect(structured.message).toMatch(/^\d+ pages found\. Nothing is ingested yet\./);
  expect(nextCall(answer, 'ingest_site')).toEqual({ links: [siteOrigin] });
  expect(text).toContain(`${siteOrigin}/billing/refunds`);
  expect(text).toContain(structured.message);
  expect(harness.sandbox.documents()).toEqual([]);
});

test('several start URLs that overlap give each page once', async () => {
  const { urls } = (
    await harness.call('deep_crawl_links', {
      links: [siteOrigin, `${siteOrigin}/billing`, 'https://docs.example'],
    })
  ).structured;
  expect(new Set(urls).size).toBe(urls.length);
  expect(urls).toContain('https://docs.example/installation');
  answerWith({ data: ['https://a.example/', 'https://a.example/'], message: '' });
  const again = await harness.call('deep_crawl_links', { links: ['https://a.example'] });
  expect(again.structured.urls).toEqual(['https://a.example/']);
});

test('the limit goes to Fini and holds even where Fini ignores it', async () => {
  const input = { links: [siteOrigin], limit: 7 };
  expect((await harness.call('deep_crawl_links', input)).structured.found).toBe(7);
  expect(harness.sandbox.requests.at(-1)?.body).toEqual(input);
  const data = Array.from({ length: 500 }, (_, page) => `https://docs.example/${page}`);
  answerWith({ data, message: '' });
  const links = ['https://docs.example'];
  const ignored = await harness.call('deep_crawl_links', { ...input, links });
  expect(ignored.structured.urls).toEqual(data.slice(0, 7));
});

test('a crawl that ended at its limit says that the site may have more', async () => {
  const says = /The crawl stopped at 7 pages, so the site may have more\./;
  const ended = await harness.call('deep_crawl_links', { links: [siteOrigin], limit: 7 });
  expect(ended.structured.message).toMatch(says);
  expect(nextCall(ended, 'deep_crawl_links')).toEqual({ links: [siteOrigin], limit: 14 });
  const whole = await harness.call('deep_crawl_links', {
    links: [siteOrigin],
    limit: webPages.length + 1,
  });
  expect(whole.structured.message).not.toMatch(/may have more/);
  // Fini's limit counts everything it found, including links that cannot be ingested.
  answerWith({ data: ['https://a.example/', 'mailto:a@a.example'], message: '' });
  const partly = await harness.call('deep_crawl_links', { links: [siteOrigin], limit: 2 });
  expect(partly.structured.message).toMatch(/stopped at 2 pages, so the site may have more/);
});

test('the text names every page', async () => {
  const data = Array.from({ length: 250 }, (_, page) => `https://docs.example/${page}`);
  answerWith({ data, message: 'Found' });
  const links = ['https://docs.example'];
  const { text, structured } = await harness.call('deep_crawl_links', { links });
  expect(structured.urls).toEqual(data);
  expect(text).toMatch(/^250 pages found.*Fini says: "Found"/);
  expect(text.split('\n').slice(-250)).toEqual(data.map((url) => `- ${url}`));
});

test.each<[what: string, body: unknown]>([
  ['no fields', {}],
  ['nulls', { data: null, message: null }],
  ['nothing found', { data: [], message: '' }],
  ['no text in the list', { data: [null, 7, {}], message: 7 }],
])('an answer with %s means that no pages were found', async (_what, body) => {
  answerWith(body);
  const { isError, structured } = await harness.call('deep_crawl_links', { links: [siteOrigin] });
  expect(isError).toBe(false);
  expect(structured).toMatchObject({ urls: [], found: 0 });
  expect(structured.message).toMatch(/^0 pages found\. Check that/);
});

test('a crawl that finds nothing does not call that a success, but says what else Fini says', async () => {
  answerWith({ data: [], message: 'Successfully discovered 0 links' });
  const { text } = await harness.call('deep_crawl_links', { links: [siteOrigin] });
  expect(text).toMatch(/^0 pages found\. Check that the start URLs exist/);
  expect(text).not.toMatch(/Fini says/);
  answerWith({ data: [], message: 'Blocked by robots.txt' });
  const blocked = await harness.call('deep_crawl_links', { links: [siteOrigin] });
  expect(blocked.text).toContain('Fini says: "Blocked by robots.txt".');
});

test('pages come out normalised and once, and what is left out is named', async () => {
  const data = [
    ' https://a.example/x#intro ',
    'HTTPS://A.EXAMPLE/x',
    'https://a.example/%7euser/%c3%a9',
    'https://a.example/app#/route',
    'mailto:a@a.example',
    'https://a.example/a b',
    'https://me:secret@a.example/',
    'https://a.example:99999/',
    `https://a.example/${'x'.repeat(3_000)}`,
    `https://a.example/${'é'.repeat(1_000)}`,
    '',
  ];
  answerWith({ data, message: '' });
  const { structured, text } = await harness.call('deep_crawl_links', {
    links: ['https://a.example'],
  });
  expect(structured.urls).toEqual([
    'https://a.example/x',
    'https://a.example/~user/%C3%A9',
    'https://a.example/app#/route',
  ]);
  expect(structured.message).toContain('7 links left out, which Fini cannot ingest.');
  expect(structured.unusable).toMatchObject([
    { input: '…@a.example', reason: 'not an http(s) URL' },
    { input: 'https://a.example/a b', reason: 'contains a space' },
    { input: 'https://…@a.example/', reason: 'contains a user name or password' },
    { input: 'https://a.example:99999/', reason: 'not a valid URL' },
    { reason: 'longer than 2000 characters' },
    { reason: 'longer than 2000 characters' },
    { input: '', reason: 'empty' },
  ]);
  expect(text).not.toContain('secret');
});

test('twins, query variants and pages of other hosts are listed apart', async () => {
  const site = 'https://a.example';
  const twin = 'http://www.a.example/x/index.html';
  answerWith({ data: [`${site}/x`, twin, `${site}/x?lang=de`, 'https://b.example/'], message: '' });
  const answer = await harness.call('deep_crawl_links', { links: [site] });
  const { structured, text } = answer;
  expect(structured).toMatchObject({
    found: 4,
    urls: [`${site}/x`],
    setAside: [
      { status: 'twin', originalUrl: twin, twinOf: `${site}/x` },
      { status: 'other_host', originalUrl: 'https://b.example/' },
      { status: 'query_variant', originalUrl: `${site}/x?lang=de`, twinOf: `${site}/x` },
    ],
  });
  expect(structured.message).toMatch(
    /1 twin\b.*1 query variant.*1 page of another host left out: b\.example/,
  );
  expect(text).toContain(`- ${twin}: twinOf ${site}/x`);
  expect(answer.nextCalls).toMatchObject([{ tool: 'ingest_site', why: 'Ingest 1 page and wait' }]);
});

test('a crawl that only gives the start URLs back says so', async () => {
  answerWith({ data: ['https://a.example/gone'], message: '' });
  const links = ['https://a.example/gone#top'];
  const { structured } = await harness.call('deep_crawl_links', { links });
  expect(structured.urls).toEqual(['https://a.example/gone']);
  expect(structured.message).toMatch(/found only the start URL as given/);
});

test('a crawl of very many links: others are answered meanwhile', async () => {
  const data = Array.from({ length: 100_000 }, (_, page) => `https://a.example/é/${page}#x`);
  answerWith({ data, message: '' });
  const call = harness.call('deep_crawl_links', { links: [siteOrigin], limit: 3 });
  const { result, slowest } = await pingMeanwhile(harness, call);
  expect(result.structured.found).toBe(3);
  expect(slowest).toBeLessThan(500);
});

test('hostile URLs and messages come out in bounds', async () => {
  const data = [`https://a.example/${HOSTILE}`, `https://a.example/${'x'.repeat(10_000)}`];
  answerWith({ data, message: `${HOSTILE}${'y'.repeat(10_000)}` });
  expectFitToShow(await harness.call('deep_crawl_links', { links: [siteOrigin] }), 8_000);
});

test('a crawl that Fini fails to finish is asked for once', async () => {
  const before = harness.sandbox.requests.length;
  harness.sandbox.script({ method: 'POST', action: { kind: 'status', status: 500 } });
  const { isError } = await harness.call('deep_crawl_links', { links: [siteOrigin] });
  expect(isError).toBe(true);
  expect(harness.sandbox.requests).toHaveLength(before + 1);
});
