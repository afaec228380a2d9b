import type { Progress } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { matchGlobs } from '../../src/engine/globs.ts';
import { siteOrigin } from '../../src/sandbox/content.ts';
import {
  eventually,
  type Harness,
  ingestRequests,
  SECOND_MS,
  startHarness,
  type ToolAnswer,
} from '../harness.ts';
import { nextCall } from '../next-calls.ts';
import { pingMeanwhile } from './meanwhile.ts';
import { expectFitToShow } from './showing.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    jobs: ({ url }) => (url?.includes('slow') ? { workingMs: 1_500 } : undefined),
  });
});
afterEach(() => {
  harness.sandbox.clearFaults();
  startUrls = [siteOrigin];
});
afterAll(() => harness.close());

const crawls = () =>
  harness.sandbox.requests.filter(({ path }) => path === '/v2/documents/public/deep-crawl/links');

/** The start URLs of a call that names none: those of the site that the crawl finds. */
let startUrls = [siteOrigin];

/** Lets the crawl find these pages, in place of what the site has. */
function findPages(...data: string[]): void {
  const first = data.find((page) => /^https?:/.test(page));
  if (first !== undefined) startUrls = [new URL(first).origin];
  harness.sandbox.script({
    path: /deep-crawl/,
    action: { kind: 'rewrite', rewrite: () => ({ data, message: 'Done' }) },
  });
}

const plan = (input: Record<string, unknown>) =>
  harness.call('ingest_site', { links: startUrls, dryRun: true, ...input });

/** The pages that a dry run selects. */
function selectedIn({ structured }: ToolAnswer): string[] {
  const rows: { status: string; originalUrl: string }[] = structured.sources;
  return rows.filter(({ status }) => status === 'selected').map(({ originalUrl }) => originalUrl);
}

/** Expects every page of the crawl to be selected, or left out for exactly one reason. */
function expectAllAccountedFor({ structured }: ToolAnswer): void {
  const { found, selected, leftOut } = structured;
  const left: number[] = Object.values(leftOut);
  expect(selected + left.reduce((sum, count) => sum + count, 0)).toBe(found);
}

test('a dry run asks for the crawl alone, queues nothing, and shows what would be ingested', async () => {
  const { requests } = harness.sandbox;
  const before = requests.length;
  const answer = await plan({ links: [`${siteOrigin}/safety`] });
  expect(answer.isError).toBe(false);
  expect(requests.slice(before).map(({ path }) => path)).toEqual([
    '/v2/documents/public/deep-crawl/links',
  ]);
  expect(harness.sandbox.documents()).toEqual([]);
  const urls = ['', '/report-theft', '/how-to-lock', '/accidents'].map(
    (path) => `${siteOrigin}/safety${path}`,
  );
  expect(answer.structured).toEqual({
    message: expect.stringMatching(/^4 pages found, 4 selected\. Nothing is queued yet\./),
    found: 4,
    selected: 4,
    leftOut: {
      ...{ notIncluded: 0, excluded: 0, twins: 0, queryVariants: 0, otherHosts: 0 },
      ...{ overLimit: 0, unusable: 0 },
    },
    sources: urls.map((originalUrl) => ({ status: 'selected', originalUrl })),
    nextCalls: [
      {
        tool: 'ingest_site',
        arguments: { links: [`${siteOrigin}/safety`] },
        why: 'Ingest 4 selected pages',
      },
    ],
  });
  expect(answer.text.split('\n').slice(-5)).toEqual([
    'Selected (4):',
    ...urls.map((url) => `- ${url}`),
  ]);
});

describe('globs', () => {
  const docs = 'https://d.example/docs';
  test.each([
    [
      'a section and its own index page',
      '/docs/**',
      [docs, `${docs}/a/b`],
      ['/docsx', '/x/docs/a'],
    ],
    ['no leading slash: any depth, the index page too', 'docs/**', [docs, `${docs}/a`], ['/docsx']],
    ['no leading slash, deeper', 'docs/**', ['https://d.example/en/docs'], ['/en/docsx']],
    ['two stars first', '**/docs/**', [docs, 'https://d.example/x/docs/a'], ['/docsx']],
    ['slash and two stars first', '/**/a', ['https://d.example/a', `${docs}/a`], ['/b']],
    ['everything', '**', ['https://d.example/', docs], []],
    ['a name at any depth', '*.zip', [`${docs}/a.zip`, 'https://d.example/b.zip'], ['/a.html']],
    ['one level', '/docs/*', [`${docs}/a`, `${docs}/b/`], ['/docs', '/docs/a/b']],
    [
      'a slash at the end of the glob',
      '/docs/a/',
      [`${docs}/a/`, `${docs}/a/b`, `${docs}/a/c/`],
      ['/docs/a', '/docs/b'],
    ],
    ['the same, of no such page', '/docs/a/', [`${docs}/a`], ['/docs/b']],
    ['case', '/Docs/**', ['https://d.example/Docs/b'], ['/docs/b', '/DOCS/c']],
    ['case that no page has', '/DOCS/**', [`${docs}/A`, 'https://d.example/Docs/b'], ['/doc']],
    ['a slash and case', '/Docs/A/', ['https://d.example/Docs/A/'], ['/docs/a/', '/Docs/b']],
    ['the host in any case', 'HTTPS://D.Example/docs/**', [`${docs}/a`], ['/Docs/a']],
    ['a default port', 'https://d.example:443/docs/**', [`${docs}/a`], ['/a']],
    ['a query', '/docs/a?lang=de', [`${docs}/a?lang=de`], ['/docs/a?lang=en', '/docs/a/b?lang=de']],
    ['any query', '/**?*=*', [`${docs}/a?x=/1`, 'https://d.example/?y=1'], ['/docs/b']],
    ['a query at any depth', '?*utm_*=*', [`${docs}/a?x=1&utm_source=y`], ['/docs/b?x=1']],
    ['a query and a slash', '/docs/a/?x=1', [`${docs}/a/?x=1`], ['/docs/b?x=1', '/docs/a?x=2']],
    ['one of two queries', '/docs/*?lang={de,fr}', [`${docs}/b?lang=fr`], ['/docs/b?lang=en']],
    ['a query that is encoded', '/a?q=café', ['https://d.example/a?q=caf%C3%A9'], ['/a?q=cafe']],
    ['the whole URL', 'https://d.example/docs/**', [docs, `${docs}/a`], ['/x/docs']],
    ['another host', 'https://*.example/docs/a', [`${docs}/a`], ['/a']],
    ['a page by its path: all below it too', '/docs', [docs, `${docs}/a`], ['/docsx', '/x/docs']],
    ['a name by itself: at any depth', 'docs', [`${docs}/a`, 'https://d.example/x/docs'], ['/a']],
    ['a page by its URL', docs, [docs, `${docs}/a/b`], ['/docsx']],
    ['a host with all its pages', 'https://d.example/**', ['https://d.example/', docs], []],
    ['everything, with one star', '*', ['https://d.example/', docs], []],
    ['what a name with a star contains', '*doc*', [docs, `${docs}/a/b`], ['/blog']],
    ['what begins with a name, and all below', '/d*', [docs, `${docs}/a/b`], ['/blog/d']],
    ['exactly one folder above', '/*/blog', ['https://d.example/en/blog'], ['/blog', '/a/b/blog']],
    ['a name with any ending', '/v1.*/**', ['https://d.example/v1.2/a'], ['/v1/a']],
    ['alternatives of endings', '*.{zip,pdf}', [`${docs}/a.zip`, `${docs}/b.pdf`], ['/a.html']],
    ['the root as a path', '/', ['https://d.example/'], ['/a']],
    ['a path that is encoded', '/café/**', ['https://d.example/caf%C3%A9/x'], ['/cafe/x']],
    ['a glob that is encoded', '/caf%C3%A9/**', ['https://d.example/caf%C3%A9/x'], ['/cafe/x']],
    ['a path that is decomposed', '/café/**', ['https://d.example/cafe%CC%81/x'], ['/cafe/x']],
    ['a glob that is decomposed', '/cafe\u0301/**', ['https://d.example/caf%C3%A9/x'], ['/cafe/x']],
    [
      'an encoded glob and a decomposed path',
      '/caf%c3%a9/**',
      ['https://d.example/cafe%CC%81/x'],
      ['/cafe/x'],
    ],
    ['a path that is not well-formed', '/100%/**', ['https://d.example/100%/x'], ['/100/x']],
    [
      'query and fragment left aside',
      '/docs/a',
      [`${docs}/a?v=2&w=/x`, `${docs}/a#/top`],
      ['/a?/docs/a'],
    ],
    ['dot files', '/**/a', ['https://d.example/.well-known/a'], ['/.well-known/b']],
    ['parentheses in a name', '/a_(b)/**', ['https://d.example/a_(b)/c'], ['/a_b/c']],
    ['any one character', '/docs/?', [`${docs}/a`], ['/docs', '/docs/ab']],
    ['alternatives with stars', '/d*/{a,b*}', [`${docs}/a`, `${docs}/bcd`], ['/docs/ac']],
    ['alternatives', '/{docs,help}/**', [docs, 'https://d.example/help/a'], ['/blog']],
  ])('%s: include keeps and exclude leaves out the same', async (_what, glob, matching, others) => {
    const different = others.map((path) => `https://d.example${path}`);
    findPages(...different, ...matching);
    const kept = await plan({ include: [glob] });
    expect(selectedIn(kept)).toEqual(matching);
    expect(kept.structured.leftOut).toMatchObject({ notIncluded: others.length, excluded: 0 });
    expectAllAccountedFor(kept);

    findPages(...different, ...matching);
    const left = await plan({ exclude: [glob] });
    expect(selectedIn(left)).toEqual(different);
    expect(left.structured.leftOut).toMatchObject({ notIncluded: 0, excluded: matching.length });
    expectAllAccountedFor(left);
  });

  test.each([
    'https://bücher.example/**',
    'https://BÜCHER.example/**',
    'https://bu\u0308cher.example/**',
    'https://xn--bcher-kva.example/**',
    'https://b?cher.example/**',
    'https://*.example/a',
  ])('a host with other letters is matched by %s', async (glob) => {
    findPages('https://xn--bcher-kva.example/a', 'https://xn--bcher-kva.example/b');
    const { structured } = await plan({ include: [glob] });
    expect(structured.selected).toBeGreaterThan(0);
  });

  test('include, exclude and limit work together, and every page is accounted for', async () => {
    const path = 'https://d.example';
    findPages(
      ...['/docs', '/docs/a', '/docs/b', '/docs/old/c', '/blog'].map((end) => path + end),
      ...['ftp://d.example/x', `${path}/docs/a`, 'https://me:secret@d.example/docs/z'],
      'https://D.example/docs/b',
    );
    const answer = await plan({ include: ['/docs/**'], exclude: ['old/**'], limit: 2 });
    expect(answer.structured).toMatchObject({
      found: 7,
      selected: 2,
      leftOut: { notIncluded: 1, excluded: 1, overLimit: 1, unusable: 2 },
      sources: [
        { status: 'selected', originalUrl: `${path}/docs` },
        { status: 'selected', originalUrl: `${path}/docs/a` },
        { status: 'unusable', input: 'ftp://d.example/x', reason: 'not an http(s) URL' },
        {
          status: 'unusable',
          input: 'https://…@d.example/docs/z',
          reason: 'contains a user name or password',
        },
      ],
    });
    expectAllAccountedFor(answer);
    expect(answer.text).toMatch(/7 pages found, 2 selected \(1 match no include glob, .*2 links/);
  });

  test.each([
    ['alternatives in parentheses', '/docs/@(new|old)/**', /write \{a,b\}/],
    ['all but', '/docs/!(old)/**', /in parentheses/],
    ['a class', '/docs/[a-z]*', /brackets/],
    ['a range', '/page/{01..03}', /range in braces/],
    ['half of a brace', '/docs/{a,b', /braces that do not match/],
    ['any scheme', '*://d.example/**', /write https:\/\//],
    ['nothing or something', '{,docs}', /has braces that expand to nothing/],
    ['a fragment', '/docs#intro', /fragment/],
    ['too many alternatives', '/{a,b,c}/{a,b,c}/{a,b,c}', /expands to more than 20 globs/],
    ['too long', `/${'x'.repeat(200)}`, /longer than 200/],
    [
      'any text of a regular expression',
      'blog/.*',
      /"blog\/\.\*" looks like .*write "\/blog\/\*\*"/,
    ],
    ['the same after a name', '/blog.*', /regular expression/],
    ['at least one character', '/blog/.+', /regular expression/],
    ['a beginning', '^/blog', /regular expression/],
    ['an end', '/blog$', /regular expression/],
    ['an escape', '/a\\.html', /regular expression/],
    ['one or the other', '/(a|b)/', /regular expression/],
    ['a repeated group', '/(ab)+', /regular expression/],
    ['a repetition', '/a{2,}', /regular expression/],
    ['a placeholder', '/users/{id}', /without a choice: write \*/],
    ['what may be a list', '/docs,blog', /is a list: pass each glob as a separate item/],
    ['the same after braces', '/{a,b}/c,d', /is a list/],
    ['a list with semicolons', '*.pdf;*.zip', /is a list/],
    ['a list with spaces', '/a /b', /is a list/],
    [
      'a host',
      'd.example/blog',
      /starts with a host.*\("\/blog\/\*\*"\).*"https:\/\/d.example\/blog/,
    ],
    ['any host', '*.d.example/**', /starts with a host.*\("\/\*\*"\)/],
    ['a host without a scheme', '//d.example/blog', /starts with a host/],
    ['a host with a port', 'localhost:3000/blog', /starts with a host/],
    ['www', 'www.d.example', /starts with a host/],
    ['a URL without a path', 'https://d.example', /has no path: write "https:\/\/d.example\/\*\*"/],
    ['a home page as a URL', 'https://d.example/', /has no path/],
    ['a URL with a star', 'https://d.example/*', /has no path/],
    ['a star first', '*/blog/*', /write "\*\*\/blog\/\*\*" for any depth, or "\/\*\/blog\/\*"/],
  ])('%s is refused before any request, with what is right', async (_what, glob, says) => {
    const before = harness.sandbox.requests.length;
    for (const field of ['include', 'exclude']) {
      const { isError, text } = await plan({ [field]: ['/ok/**', glob], dryRun: false });
      expect(isError).toBe(true);
      expect(text).toMatch(says);
    }
    expect(harness.sandbox.requests).toHaveLength(before);
  });

  test('too many globs are refused', async () => {
    const { text } = await plan({ exclude: Array(51).fill('/a') });
    expect(text).toMatch(/51 globs, but at most 50/);
  });

  const hostile: [what: string, globs: string[]][] = [
    ['many stars', [`/${'*a'.repeat(95)}b`]],
    ['three stars', ['/*a*a*a*b']],
    ['a long tail', [`*${'a'.repeat(190)}b`]],
    ['many folders', [`${'**/a/'.repeat(38)}b`]],
    ['many stars in braces', ['{a,b}*{a,b}*{a,b}*{a,b}*x']],
    ['fifty of each', Array.from({ length: 50 }, (_, index) => `*${'a'.repeat(180)}b${index}`)],
    ['a question mark repeated 160,000 times', ['?'.repeat(160_000)]],
    ['dots in a brace', [`{${'.'.repeat(80_000)}`]],
    ['20,000 of them', Array(20_000).fill('{a,b')],
    ['4 MB', [`^${'(a|'.repeat(1_400_000)}`]],
  ];
  test.each(hostile)('%s: others are answered meanwhile', async (_what, globs) => {
    const long = Array.from({ length: 125 }, (_, page) => [
      `https://d.example/${'a'.repeat(1_900)}${page}`,
      `https://d.example/${'a/'.repeat(900)}${page}`,
    ]);
    findPages(...long.flat(), 'https://d.example/docs');
    const call = plan({ include: [...globs], dryRun: false });
    const { result, slowest } = await pingMeanwhile(harness, call);
    expect(result.isError).toBe(true);
    expect(slowest).toBeLessThan(250);
  });

  test.each(['?'.repeat(160_000), `{${'.'.repeat(80_000)}`, `^${'(a|'.repeat(1_400_000)}`])(
    'a prompt refuses a glob that is too long at once',
    async (section) => {
      const refused = harness.client
        .getPrompt({ name: 'ingest_documentation_site', arguments: { url: siteOrigin, section } })
        .catch(String);
      const { result, slowest } = await pingMeanwhile(harness, refused);
      expect(result).toMatch(/section: .* is longer than 200 characters/);
      expect(slowest).toBeLessThan(250);
    },
  );

  test('what would take too long is refused, and a cancel ends it', async () => {
    const pages = Array.from(
      { length: 250 },
      (_, page) => `https://d.example/${'a'.repeat(1_900)}${page}`,
    );
    const include = Array.from({ length: 50 }, (_, index) => `*${'a'.repeat(180)}b${index}`);
    findPages(...pages);
    const { isError, text, structured } = await plan({ include, dryRun: false });
    expect(isError).toBe(true);
    expect(text).toMatch(/Nothing was queued: it takes too long.*250 pages.*fewer wildcards/);
    expect(structured).toMatchObject({ found: 250, selected: 0, sources: [] });

    const controller = new AbortController();
    const matching = matchGlobs(include, pages, controller.signal);
    setTimeout(() => controller.abort(), 20);
    await expect(matching).rejects.toThrow(/abort/);
  });

  describe('that match no page', () => {
    const pages = ['/', '/docs', '/docs/a', '/blog/b', '/help'].map(
      (path) => `https://d.example${path}`,
    );

    test('an exclude glob: nothing is queued, and the paths are shown', async () => {
      const before = ingestRequests(harness.sandbox).length;
      findPages(...pages);
      const answer = await plan({ exclude: ['/blgo/**', '/docs/**', '*.zip'], dryRun: false });
      expect(answer.isError).toBe(true);
      expect(ingestRequests(harness.sandbox)).toHaveLength(before);
      expect(answer.structured).toMatchObject({ found: 5, selected: 3 });
      expect(answer.structured.outcome).toBeUndefined();
      expect(answer.structured.unmatchedGlobs).toEqual(['/blgo/**', '*.zip']);
      expect(answer.text).toMatch(/Nothing was queued.*correct or remove it/);
      expect(nextCall(answer, 'deep_crawl_links')).toEqual({ links: startUrls });
      expect(answer.text).toContain('No page matches exclude "/blgo/**", exclude "*.zip".');
      expect(answer.text).toContain('example: "/", "/docs", "/blog/b", "/help", "/docs/a".');
      expectAllAccountedFor(answer);
    });

    test('a dry run says so and shows the pages', async () => {
      findPages(...pages);
      const answer = await plan({ exclude: ['/blgo/**'] });
      expect(answer.isError).toBe(false);
      expect(selectedIn(answer)).toEqual(pages);
      expect(answer.text).toMatch(/an exclude glob matches no page: correct or remove it/);
      expect(answer.text).toContain('No page matches exclude "/blgo/**".');
    });

    test('a whole URL: whole URLs are shown', async () => {
      findPages(...pages);
      const { text } = await plan({ exclude: ['http://d.example/blog/**'], dryRun: false });
      expect(text).toContain('Pages found, for example: "https://d.example/",');
    });

    test('an include glob beside one that does: what was asked for is queued', async () => {
      findPages(...pages);
      const answer = await plan({ include: ['/hlep', '/docs/a'], dryRun: false });
      expect(answer.structured).toMatchObject({ selected: 1, outcome: 'completed' });
      expect(answer.text).toContain('No page matches include "/hlep".');
    });

    test('every include glob: nothing is queued, and the paths are shown', async () => {
      const before = ingestRequests(harness.sandbox).length;
      findPages(...pages);
      const answer = await plan({ include: ['/hlep'], dryRun: false });
      expect(answer.isError).toBe(true);
      expect(answer.text).toMatch(/Nothing was queued.*No page matches include "\/hlep".*"\/help"/);
      expect(ingestRequests(harness.sandbox)).toHaveLength(before);
    });

    test('many sections: ten pages of as many sections', async () => {
      findPages(
        ...Array.from({ length: 60 }, (_, page) => `https://d.example/${page % 20}/${page}`),
      );
      const { text } = await plan({ exclude: ['/x'], dryRun: false });
      expect(text).toContain('"/8/8", "/9/9".');
      expect(text).not.toContain('/10/');
    });
  });

  test.each(['include', 'exclude'])(
    'a negated or an empty glob in %s sends nothing',
    async (field) => {
      const before = harness.sandbox.requests.length;
      const { isError, text } = await plan({ [field]: ['/ok/**', '!/docs/**', ' '] });
      expect(isError).toBe(true);
      expect(text).toContain('"!/docs/**" starts with "!"');
      expect(text).toContain('"" is empty');
      expect(text).not.toContain('/ok/**');
      expect(harness.sandbox.requests).toHaveLength(before);
    },
  );
});

test('a page is one source, however two crawls spell it', async () => {
  const spelled = [
    [
      'https://d.example/spelled#intro',
      'HTTPS://D.EXAMPLE:443/spelled',
      'https://d.example/%c3%a9',
    ],
    ['  https://d.example/spelled\n', 'https://d.example/%C3%A9', 'https://d.example/é#top'],
  ];
  const sources = harness.sandbox.documents().length;
  for (const data of spelled) {
    findPages(...data);
    const { structured } = await plan({ dryRun: false });
    expect(structured).toMatchObject({ found: 2, selected: 2, outcome: 'completed' });
  }
  expect(ingestRequests(harness.sandbox).slice(-1)).toMatchObject([
    { documentIdsToAdd: ['https://d.example/spelled', 'https://d.example/%C3%A9'] },
  ]);
  expect(harness.sandbox.documents()).toHaveLength(sources + 2);
});

describe('what a crawl finds beside the pages of a site', () => {
  const site = 'https://d.example';

  /** The pages that are set aside, as answers have them. */
  const asideIn = ({ structured }: ToolAnswer) =>
    (structured.setAside ?? []).map(
      ({ status, originalUrl, twinOf }: Record<string, string>) =>
        `${status} ${originalUrl}${twinOf === undefined ? '' : ` of ${twinOf}`}`,
    );

  test.each([
    ['another scheme', `${site}/a`, 'http://d.example/a'],
    ['www', `${site}/a`, 'https://www.d.example/a'],
    ['www first', 'http://www.d.example/a', `${site}/a`],
    ['an index page', `${site}/a/`, `${site}/a/index.html`],
    ['an index page first', `${site}/index.html`, `${site}/`],
    ['a slash at the end', `${site}/a`, `${site}/a/`],
    ['another case', `${site}/billing/refunds`, `${site}/Billing/Refunds/`],
    ['composed and decomposed letters', `${site}/caf%C3%A9`, `${site}/cafe%CC%81`],
    ['all of these with one query', `${site}/a?x=1`, 'http://www.d.example/A/?x=1'],
  ])('%s: a twin is named, and the first is queued alone', async (_what, first, second) => {
    findPages(first, `${site}/other`, second);
    const dry = await plan({ links: [site] });
    expect(selectedIn(dry)).toEqual([first, `${site}/other`]);
    expect(dry.structured.leftOut).toMatchObject({ twins: 1, queryVariants: 0, otherHosts: 0 });
    expect(asideIn(dry)).toEqual([`twin ${second} of ${first}`]);
    expect(dry.text).toMatch(/1 twin\b.*first/);
    expectAllAccountedFor(dry);

    findPages(first, second);
    await plan({ links: [site], dryRun: false });
    const { documentIdsToAdd } = ingestRequests(harness.sandbox).at(-1) as {
      documentIdsToAdd: string[];
    };
    expect(documentIdsToAdd).toEqual([first]);
  });

  test('an escape that means something else makes no twin', async () => {
    const pages = [`${site}/a/b`, `${site}/a%2Fb`, `${site}/a?x=1`, `${site}/a%3Fx=1`];
    findPages(...pages);
    expect(selectedIn(await plan({}))).toEqual(pages);
  });

  test('a glob decides which twin is kept', async () => {
    findPages('http://d.example/a', `${site}/a`, `${site}/A/`);
    const answer = await plan({ exclude: ['http://d.example/**', '/A/'] });
    expect(selectedIn(answer)).toEqual([`${site}/a`]);
    expect(answer.structured.leftOut).toMatchObject({ excluded: 2, twins: 0 });
  });

  test('a page with a query is left out beside the same page without', async () => {
    const variants = [`${site}/a?lang=de`, 'http://d.example/A/?utm_source=x'];
    findPages(variants[0] ?? '', `${site}/a`, variants[1] ?? '', `${site}/b?x=1`, `${site}/b?x=2`);
    const answer = await plan({});
    expect(selectedIn(answer)).toEqual([`${site}/a`, `${site}/b?x=1`, `${site}/b?x=2`]);
    expect(answer.structured.leftOut).toMatchObject({ twins: 0, queryVariants: 2 });
    expect(asideIn(answer)).toEqual(variants.map((url) => `query_variant ${url} of ${site}/a`));
    expect(answer.text).toMatch(/2 query variants/);
    // Without the page itself nobody can tell whether these are one page.
    expect(answer.text).toMatch(/2 pages kept that may be one/);
    expectAllAccountedFor(answer);
  });

  test('an include glob with a query keeps the pages that it names', async () => {
    findPages(`${site}/a`, `${site}/a?lang=de`, `${site}/a?utm=x`);
    const answer = await plan({ include: ['/a', '/a?lang=*'] });
    expect(selectedIn(answer)).toEqual([`${site}/a`, `${site}/a?lang=de`]);
    expect(answer.structured.leftOut).toMatchObject({ queryVariants: 1 });
  });

  test('pages of other hosts are named and left out, unless a start URL or a glob names the host', async () => {
    const others = ['https://x.example/a', 'https://x.example/b', 'https://docs.d.example/c'];
    findPages(`${site}/a`, 'https://www.d.example/w', ...others);
    const left = await plan({});
    expect(selectedIn(left)).toEqual([`${site}/a`, 'https://www.d.example/w']);
    expect(left.structured.leftOut).toMatchObject({ otherHosts: 3 });
    expect(asideIn(left)).toEqual(others.map((url) => `other_host ${url}`));
    expect(left.text).toMatch(
      /3 pages of other hosts left out: x\.example \(2\), docs\.d\.example \(1\)/,
    );
    expectAllAccountedFor(left);

    findPages(`${site}/a`, ...others);
    const linked = await plan({ links: [site, 'https://www.x.example/'] });
    expect(selectedIn(linked)).toEqual([`${site}/a`, ...others.slice(0, 2)]);

    findPages(`${site}/a`, ...others);
    const globbed = await plan({ include: ['/**', 'https://docs.d.example/**'] });
    expect(selectedIn(globbed)).toEqual([`${site}/a`, 'https://docs.d.example/c']);
  });

  test('where all pages are of another host, the call that crawls there is proposed', async () => {
    findPages('https://new.example/a', 'https://new.example/b', 'https://x.example/');
    const answer = await plan({ links: [site], dryRun: false });
    expect(answer.isError).toBe(true);
    expect(answer.text).toMatch(/Nothing was queued.*other hosts/);
    expect(nextCall(answer, 'ingest_site')).toEqual({
      ...{ links: [site, 'https://new.example/'], dryRun: true },
    });
  });

  test('a crawl that only gives the start URL back says so', async () => {
    const says = /found only the start URL as given/;
    findPages(`${site}/gone/`);
    const alone = await plan({ links: [`${site}/gone`] });
    expect(alone.text).toMatch(says);
    expect(selectedIn(alone)).toEqual([`${site}/gone/`]);
    findPages(`${site}/gone`, `${site}/a`);
    expect((await plan({ links: [`${site}/gone`] })).text).not.toMatch(says);
  });

  test('many of them come out in bounds, after what is selected', async () => {
    const long = 'x'.repeat(1_500);
    findPages(
      ...Array.from({ length: 40 }, (_, page) => [
        `${site}/${page}`,
        `https://x.example/${page}/${long}`,
        `${site}/${page}/?q=${long}`,
      ]).flat(),
    );
    const answer = await plan({});
    expect(selectedIn(answer)).toHaveLength(40);
    expect(answer.structured.leftOut).toMatchObject({ otherHosts: 40, queryVariants: 40 });
    expect(answer.structured.omitted.setAside).toBeGreaterThan(0);
    expectFitToShow(answer, 120_000);
  });
});

test('bad start URLs are all named, before any request', async () => {
  const before = harness.sandbox.requests.length;
  const links = ['help.larkspur.example', siteOrigin, 'ftp://a.example/x', '', '/docs'];
  const { isError, text } = await plan({ links });
  expect(isError).toBe(true);
  for (const name of ['[0] "help.larkspur', '[2] "ftp://', '[3] ""', '[4] "/docs"']) {
    expect(text).toContain(name);
  }
  expect(text).not.toContain('[1]');
  expect(harness.sandbox.requests).toHaveLength(before);
});

test('a limit is what is crawled; with globs it is what is kept, and the crawl goes further', async () => {
  const answer = await plan({ limit: 3 });
  const { structured } = answer;
  expect(crawls().at(-1)?.body).toEqual({ links: [siteOrigin], limit: 3 });
  expect(structured).toMatchObject({ found: 3, selected: 3 });
  expect(structured.message).toMatch(/stopped at 3 pages, so the site may have more/);
  expect(answer.nextCalls).toMatchObject([
    { tool: 'ingest_site', arguments: { links: [siteOrigin], limit: 3 } },
    { tool: 'ingest_site', arguments: { links: [siteOrigin], limit: 6, dryRun: true } },
  ]);

  const kept = await plan({ limit: 3, include: ['/billing/**'] });
  expect(crawls().at(-1)?.body).toEqual({ links: [siteOrigin], limit: 250 });
  expect(kept.structured.selected).toBe(3);
  expect(kept.structured.leftOut.overLimit).toBeGreaterThan(0);
  expect(kept.structured.message).not.toContain('ended at');

  findPages(...Array.from({ length: 250 }, (_, index) => `https://d.example/docs/${index}`));
  const full = await plan({ limit: 3, include: ['/docs/**'] });
  expect(full.structured.message).toContain('stopped at 250 pages');
});

test.each([
  ['no page is found', [], {}, /^0 pages found.*Check that the start URLs exist/],
  ['no link can be ingested', ['mailto:a@b.example'], {}, /start URLs exist/],
  [
    'no page matches',
    ['https://d.example/a'],
    { include: ['/b'] },
    /globs leave no page[\s\S]*List every page, to correct the globs: deep_crawl_links/,
  ],
])('where %s, it is an error that says what to do', async (_what, pages, globs, advice) => {
  for (const dryRun of [true, false]) {
    const before = ingestRequests(harness.sandbox).length;
    findPages(...pages);
    const answer = await plan({ ...globs, dryRun });
    expect(answer.isError).toBe(true);
    expect(answer.structured.selected).toBe(0);
    expect(selectedIn(answer)).toEqual([]);
    expect(answer.structured.outcome).toBeUndefined();
    expect(answer.text).toMatch(advice);
    expectAllAccountedFor(answer);
    expect(ingestRequests(harness.sandbox)).toHaveLength(before);
  }
});

test('a crawl that Fini refuses queues nothing and says what to do', async () => {
  harness.sandbox.script({ path: /deep-crawl/, times: 9, action: { kind: 'status', status: 500 } });
  const before = ingestRequests(harness.sandbox).length;
  const { isError, text } = await plan({ dryRun: false });
  expect(isError).toBe(true);
  expect(text).toMatch(/failed to crawl links \(HTTP 500\).*safe to call again/);
  expect(ingestRequests(harness.sandbox)).toHaveLength(before);
});

test("the report is ingest_and_wait's, with what was found beside it", async () => {
  const links = [`${siteOrigin}/account`];
  const answer = await harness.call('ingest_site', { links });
  const { structured } = answer;
  expect(answer.isError).toBe(false);
  expect(structured).toMatchObject({
    message: expect.stringMatching(
      /^partial: 2 of 3 completed, 1 failed.*3 pages found, 3 selected/,
    ),
    counts: { submitted: 3, completed: 2, failed: 1, unfinished: 0, unqueued: 0 },
  });
  const documentIdsToRefresh = structured.sources.map(
    (one: { originalUrl: string }) => one.originalUrl,
  );
  const same = await harness.call('ingest_and_wait', { documentIdsToRefresh });
  const { found: _found, selected: _selected, leftOut: _leftOut, ...report } = structured;
  expect(Object.keys(report).toSorted()).toEqual(Object.keys(same.structured).toSorted());
  expect(report.sources).toMatchObject(same.structured.sources);
  const generate = { tool: 'generate_knowledge', arguments: { batch: structured.batch } };
  expect(answer.nextCalls).toMatchObject([generate]);
  expect(same.nextCalls).toMatchObject([{ tool: 'generate_knowledge' }]);
  expectFitToShow(answer);
});

test('where every page fails, the call is an error', async () => {
  findPages(`${siteOrigin}/business/partner-prices`);
  const { isError, structured } = await harness.call('ingest_site', { links: [siteOrigin] });
  expect(isError).toBe(true);
  expect(structured.outcome).toBe('failed');
});

test('a call that is repeated joins what runs, and queues no page twice', async () => {
  const pages = ['https://a.example/slow-1', 'https://a.example/slow-2'];
  const before = ingestRequests(harness.sandbox).length;
  findPages(...pages);
  findPages(...pages);
  findPages(...pages);
  const call = (timeoutSeconds: number) =>
    harness.call('ingest_site', { links: ['https://a.example'], timeoutSeconds });
  const both = Promise.all([call(1), call(1)]);
  for (const answer of await both) {
    expect(answer.isError).toBe(false);
    expect(answer.structured.outcome).toBe('timed_out');
    expect(nextCall(answer, 'wait_for_sources')).toEqual({ batch: answer.structured.batch });
  }
  const { structured } = await call(60);
  expect(structured.outcome).toBe('completed');
  expect(structured.sources).toMatchObject([{ joined: true }, { joined: true }]);
  expect(ingestRequests(harness.sandbox)).toHaveLength(before + 1);
});

test('what timed out continues with wait_for_sources, as its report says', async () => {
  findPages('https://b.example/slow');
  const links = ['https://b.example'];
  const answer = await harness.call('ingest_site', { links, timeoutSeconds: 1 });
  const waited = await harness.call('wait_for_sources', nextCall(answer, 'wait_for_sources'));
  expect(waited.structured.outcome).toBe('completed');
});

test('a slow crawl takes from the time of the wait', async () => {
  harness.sandbox.script({
    path: /deep-crawl/,
    action: { kind: 'slow', milliseconds: 4 * SECOND_MS },
  });
  const input = { links: ['https://slow.example/x'], limit: 1, timeoutSeconds: 5 };
  const { structured } = await harness.call('ingest_site', input);
  expect(structured.outcome).toBe('timed_out');
  expect(structured.elapsedSeconds).toBeGreaterThanOrEqual(5);
  expect(structured.elapsedSeconds).toBeLessThan(4 + 5);
});

test('a call that is cancelled while it crawls ends the request and queues nothing', async () => {
  harness.sandbox.script({ path: /deep-crawl/, action: { kind: 'hang' } });
  const crawled = crawls().length;
  const queued = ingestRequests(harness.sandbox).length;
  const idle = harness.sandbox.connections();
  const controller = new AbortController();
  const call = harness.call('ingest_site', { links: [siteOrigin] }, { signal: controller.signal });
  const ended = expect(call).rejects.toThrow();
  await eventually(() => expect(crawls()).toHaveLength(crawled + 1));
  controller.abort();
  await ended;
  await eventually(() => expect(harness.sandbox.connections()).toBeLessThanOrEqual(idle));
  harness.sandbox.clearFaults();
  await harness.call('list_sources', {});
  expect(crawls()).toHaveLength(crawled + 1);
  expect(ingestRequests(harness.sandbox)).toHaveLength(queued);
});

test('one stream of progress tells of crawling and waiting, and reaches its total at the end', async () => {
  harness.sandbox.script({ path: /deep-crawl/, action: { kind: 'slow', milliseconds: 4_500 } });
  const sent: Progress[] = [];
  const links = [`${siteOrigin}/billing`];
  const onprogress = (progress: Progress) => sent.push(progress);
  const { structured } = await harness.call('ingest_site', { links }, { onprogress });
  const { submitted } = structured.counts;
  for (const [index, { progress, total }] of sent.entries()) {
    expect(progress).toBeGreaterThan(sent[index - 1]?.progress ?? 0);
    if (index > 0 && sent[index - 1]?.total !== undefined) expect(total).toBe(submitted);
    if (index < sent.length - 1) expect(progress).toBeLessThan(submitted);
  }
  const first = sent.filter(({ total }) => total === undefined);
  expect(first.map(({ message }) => message)).toEqual([
    'Finding pages from 1 start URL, 0 s',
    'Finding pages from 1 start URL, 4 s',
  ]);
  expect(sent.indexOf(first[1] as Progress)).toBe(1);
  expect(sent.at(-1)).toMatchObject({ progress: submitted, total: submitted });
});

test('titles and links come out in bounds, also of many pages', async () => {
  findPages(
    ...Array.from({ length: 60 }, (_, index) => `https://d.example/${index}`),
    `https://d.example/${'x'.repeat(3_000)}`,
  );
  const answer = await plan({});
  expect(answer.structured.leftOut.unusable).toBe(1);
  expect(selectedIn(answer)).toHaveLength(60);
  for (const url of selectedIn(answer)) expect(answer.text).toContain(`- ${url}\n`);
  expectFitToShow(answer, 10_000);
});

// This test replaces the client's own handler, so it comes last.
test('a client that asks for no progress is sent none', async () => {
  const methods: string[] = [];
  harness.client.fallbackNotificationHandler = async ({ method }) => {
    methods.push(method);
  };
  harness.client.removeNotificationHandler('notifications/progress');
  await harness.call('ingest_site', { links: [`${siteOrigin}/safety`] });
  harness.client.fallbackNotificationHandler = undefined;
  expect(methods).toEqual([]);
});
