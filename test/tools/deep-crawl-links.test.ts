import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { siteOrigin, webPages } from '../../src/sandbox/content.ts';
import { type Harness, startHarness } from '../harness.ts';
import { expectFitToShow, HOSTILE } from './showing.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

/** Makes the next crawl answer with this. */
function answerWith(body: unknown): void {
  harness.sandbox.script({ method: 'POST', action: { kind: 'rewrite', rewrite: () => body } });
}

test('every page of a site is found, nothing is created, and the text says the same', async () => {
  const { structured, text } = await harness.call('deep_crawl_links', { links: [siteOrigin] });
  expect(structured.urls).toEqual(webPages.map(({ url }) => url));
  expect(structured.count).toBe(webPages.length);
  expect(structured.message).toMatch(/Nothing is ingested yet.*ingest_and_wait/);
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
  const again = await harness.call('deep_crawl_links', { links: [siteOrigin] });
  expect(again.structured.urls).toEqual(['https://a.example/']);
});

test('the limit goes to Fini and holds even where Fini ignores it', async () => {
  const input = { links: [siteOrigin], limit: 7 };
  expect((await harness.call('deep_crawl_links', input)).structured.count).toBe(7);
  expect(harness.sandbox.requests.at(-1)?.body).toEqual(input);
  const data = Array.from({ length: 500 }, (_, page) => `https://docs.example/${page}`);
  answerWith({ data, message: '' });
  const ignored = await harness.call('deep_crawl_links', input);
  expect(ignored.structured.urls).toEqual(data.slice(0, 7));
});

test('a crawl that ended at its limit says that the site may have more', async () => {
  const says = /The crawl ended at 7 pages, so the site may have more: set limit above that\./;
  const ended = await harness.call('deep_crawl_links', { links: [siteOrigin], limit: 7 });
  expect(ended.structured.message).toMatch(says);
  expect(ended.text).toMatch(says);
  const whole = await harness.call('deep_crawl_links', {
    links: [siteOrigin],
    limit: webPages.length + 1,
  });
  expect(whole.structured.message).not.toMatch(/may have more/);
  // Fini stops by what it found, also where some of that cannot be ingested.
  answerWith({ data: ['https://a.example/', 'mailto:a@a.example'], message: '' });
  const partly = await harness.call('deep_crawl_links', { links: [siteOrigin], limit: 2 });
  expect(partly.structured.message).toMatch(/ended at 2 pages, so the site may have more/);
});

test('the text names every page', async () => {
  const data = Array.from({ length: 250 }, (_, page) => `https://docs.example/${page}`);
  answerWith({ data, message: 'Found' });
  const { text, structured } = await harness.call('deep_crawl_links', { links: [siteOrigin] });
  expect(structured.urls).toEqual(data);
  expect(text).toMatch(/^250 pages found.*Fini says: Found/);
  expect(text.split('\n').slice(1)).toEqual(data);
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
  expect(structured).toMatchObject({ urls: [], count: 0 });
  expect(structured.message).toMatch(/No pages were found/);
});

test('hostile URLs and messages come out in bounds', async () => {
  const data = [`https://a.example/${HOSTILE}`, `https://a.example/${'x'.repeat(10_000)}`];
  answerWith({ data, message: `${HOSTILE}${'y'.repeat(10_000)}` });
  expectFitToShow(await harness.call('deep_crawl_links', { links: [siteOrigin] }), 8_000);
});

test('a crawl that Fini fails to finish is asked for once and says that it is safe to repeat', async () => {
  const before = harness.sandbox.requests.length;
  harness.sandbox.script({ method: 'POST', action: { kind: 'status', status: 500 } });
  const { isError, text } = await harness.call('deep_crawl_links', { links: [siteOrigin] });
  expect(isError).toBe(true);
  expect(text).toMatch(/HTTP 500.*safe to call again/);
  expect(harness.sandbox.requests).toHaveLength(before + 1);
});
