import type { Browser, Locator } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { JobScript, Sandbox, SandboxOptions } from '../../src/sandbox/sandbox-server.ts';
import {
  type HostOptions,
  launchChromium,
  type Served,
  type Shown,
  serve,
  show,
} from './browser.ts';

/* The page in Chromium, with the library's own host, the built server and the sandbox. */

const SITE = 'https://help.larkspur.example';
const LOGIN = `${SITE}/account/rewards`;
const PAGES = [`${SITE}/billing/refunds`, `${SITE}/billing/invoices`, `${SITE}/bikes/brakes`];
const CLEAR = 'rgba(0, 0, 0, 0)';
const SYSTEM_FONT = expect.stringMatching(/^system-ui/);
const HOST_CALLS_NOTHING = { openLinks: {} };
const GENERATE = 'Generate draft articles from 3 completed sources';

let browser: Browser;
beforeAll(async () => {
  browser = await launchChromium();
});
afterAll(() => browser.close());

let served: Served | undefined;
let shown: Shown | undefined;
afterEach(async () => {
  // Whatever a test does, nothing leaves the page and nothing in it fails.
  const { requests, faults } = shown ?? { requests: [], faults: [] };
  await shown?.close();
  await served?.close();
  [shown, served] = [undefined, undefined];
  expect(requests).toEqual([]);
  expect(faults).toEqual([]);
});

/** A page in its host, in front of a server with a sandbox of its own. */
async function start(options: SandboxOptions = {}, host: HostOptions = {}) {
  served = await serve({ folders: true, ...options });
  shown = await show(browser, served.client, host);
  const { view } = shown;
  return {
    ...served,
    ...shown,
    headline: view.locator('#headline'),
    notice: view.locator('#notice'),
    rows: view.locator('tbody tr'),
    row: (text: string) => view.locator('tbody tr', { hasText: text }),
    button: (name: string | RegExp) => view.getByRole('button', { name }),
  };
}

const reads = async (locator: Locator, text: string | RegExp) => {
  await expect.poll(() => locator.innerText(), { timeout: 20_000 }).toMatch(text);
};
const statesOf = (rows: Locator) => rows.locator('.badge').allInnerTexts();
const queued = (sandbox: Sandbox) =>
  sandbox.requests.filter(
    ({ method, path }) => method === 'POST' && path === '/v2/documents/public',
  );

/** Jobs that do this the first time, and then what the content says. */
function firstTime(script: JobScript): SandboxOptions {
  const seen = new Set<string>();
  return {
    jobs({ id }) {
      if (seen.has(id)) return undefined;
      seen.add(id);
      return script;
    },
  };
}

describe('a result', () => {
  test('that is completed', async () => {
    const { call, headline, rows, row, view } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    await reads(headline, 'All 3 pages completed');
    expect(await statesOf(rows)).toEqual(['Completed', 'Completed', 'Completed']);
    await reads(row('billing/refunds'), /Refunds/);
    expect(await view.locator('#bar').getAttribute('aria-label')).toBe('3 completed');
    expect(await view.locator('#about').innerText()).toContain('not yet live');
    // With nothing to give a reason for, there is no such column.
    expect(await view.getByRole('columnheader').allInnerTexts()).toEqual(['State', 'Page']);
  });

  test('that is partial shows failures first, with reason and hint', async () => {
    const { call, headline, rows, row, view, button } = await start();
    await call('ingest_site', { links: [SITE] });
    await reads(headline, '34 of 38 pages completed');
    expect((await statesOf(rows)).slice(0, 5)).toEqual([
      ...['Failed', 'Failed', 'Failed', 'Failed'],
      'Completed',
    ]);
    const login = row('account/rewards');
    await reads(login, /Page requires authentication/);
    await reads(login, /make it public, or leave it out/);
    expect(await view.locator('#about').innerText()).toMatch(/38 pages found, 38 selected/);
    // One of four failures may pass next time.
    expect(await button(/again/).allInnerTexts()).toEqual([
      'Ingest 1 failed page again, once the cause is fixed',
    ]);
  });

  test('that failed offers no other try where none would help', async () => {
    const { call, headline, button } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: [LOGIN] });
    await reads(headline, '0 of 1 page completed');
    expect(await button(/again|draft|Wait/).count()).toBe(0);
  });

  test('that is an error says what concerns a person, and the rest on request', async () => {
    const { call, headline, view } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: ['not a URL'], timeoutSeconds: 'soon' });
    await reads(headline, 'The call failed');
    expect(await view.locator('#about').innerText()).toBe(
      'The input of ingest_and_wait is wrong, so nothing was sent to Fini.',
    );
    expect(await view.locator('#bar').isVisible()).toBe(false);
    expect(await view.locator('#details').isVisible()).toBe(false);
    await view.getByText('For the assistant').click();
    // A line for each of them.
    await reads(view.locator('#details'), /timeoutSeconds.*\n.*not a URL/);
  });

  test('that a host passes on without its fields is not called a failure', async () => {
    const { bridge, headline, view } = await start();
    await bridge.sendToolInput({ arguments: { documentIdsToAdd: PAGES } });
    await bridge.sendToolResult({ content: [{ type: 'text', text: 'completed: 3 of 3' }] });
    await reads(view.locator('#about'), 'completed: 3 of 3');
    expect(await headline.innerText()).toBe('The call has ended');
  });

  test('of a thousand pages is quick', async ({ annotate }) => {
    const { bridge, headline, rows, view, page, button } = await start();
    const sources = Array.from({ length: 1_000 }, (_, index) => ({
      originalUrl: `https://many.example/page-${index}`,
      ...(index % 5 > 0
        ? { status: 'completed' }
        : { status: 'failed', error: 'No usable content', hint: 'no_content' }),
    }));
    const hints = [{ hint: 'no_content', advice: 'Check the page.', count: 200 }];
    const counts = { submitted: 1_200, completed: 1_000, failed: 200 };
    await bridge.sendToolInput({ arguments: { documentIdsToAdd: [SITE] } });
    await bridge.sendToolResult({
      content: [],
      structuredContent: { ...{ message: 'm', counts, hints }, omitted: { sources: 200 }, sources },
    });
    await reads(headline, '1,000 of 1,200 pages completed');
    expect(await rows.count()).toBe(1_000);
    // Advice that many share stands once, with their number.
    expect(await view.locator('#advice').innerText()).toBe('200 pages: Check the page.');
    expect(await rows.nth(199).innerText()).not.toContain('Check the page');
    await reads(view.locator('#shown'), /^200 more completed; not listed here: ask the assistant/);
    const frame = page.frames()[1];
    // Reversing the order draws every row again, up to the next picture on the screen.
    const took = await frame?.evaluate<number>(`new Promise((resolve) => {
      const startedAt = performance.now();
      document.querySelector('th[data-column=page] button').click();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - startedAt)));
    })`);
    await annotate(`1,000 rows sorted and drawn in ${took?.toFixed(0)} ms`);
    expect(took).toBeLessThan(1_000);
    await button(/^Failed/).click();
    expect(await rows.count()).toBe(200);
    await view.getByRole('searchbox').fill('page-95');
    // 95, 950 and 955.
    expect(await rows.count()).toBe(3);
    await reads(view.locator('#shown'), '3 of 1,200 pages shown');
  });

  test('of a dry run, which the page can carry out', async () => {
    const { call, headline, rows, view, button, sandbox } = await start();
    await call('ingest_site', { links: [SITE], include: ['/billing/**'], dryRun: true });
    await reads(headline, /^Dry run: \d+ pages, nothing queued yet/);
    const count = await rows.count();
    expect(new Set(await statesOf(rows))).toEqual(new Set(['Selected']));
    expect(queued(sandbox)).toEqual([]);
    // Nothing is done yet, so there is no bar to be full.
    expect(await view.locator('#bar').isVisible()).toBe(false);
    await button(`Ingest ${count} selected pages`).click();
    await reads(headline, `${count} pages completed`);
    expect(queued(sandbox)).toHaveLength(1);
    expect(await view.locator('#bar').isVisible()).toBe(true);
  });

  test('of a dry run at a provider', async () => {
    const { call, headline, rows, button } = await start();
    await call('import_provider_resources', { provider: 'zendesk', all: true, dryRun: true });
    await reads(headline, 'nothing queued yet');
    await button(/^Import \d+ selected items/).click();
    await reads(headline, /completed/);
    expect(await statesOf(rows)).not.toContain('New');
  });

  test('of generating drafts', async () => {
    const { call, client, headline, rows, row, sandbox } = await start({
      knowledgeJobs: ({ url }) =>
        url?.endsWith('invoices')
          ? { error: 'The model was overloaded' }
          : url?.endsWith('brakes')
            ? { hcArticleId: null }
            : undefined,
    });
    const documentIds = await ingested(client);
    await call('generate_knowledge', { documentIds });
    await reads(headline, '1 of 3 pages drafted');
    expect(await statesOf(rows)).toEqual(['Failed', 'No draft', 'Drafted']);
    await reads(row('billing/invoices'), /No draft was made: The model was overloaded/);
    await reads(row('bikes/brakes'), /No draft was made, .* may have nothing new/);
    const refunds = row('billing/refunds');
    expect(await refunds.innerText()).not.toMatch(/[0-9a-f-]{36}/);
    await refunds.getByText('Read the draft').click();
    const [article] = sandbox.articles();
    await reads(refunds.locator('details b'), article?.title ?? 'no title');
    const text = article?.mainKnowledge?.trim().slice(0, 40) ?? 'no text';
    expect(await refunds.locator('.draft').textContent()).toContain(text);
  });

  test('of drafts names them where the host calls no tools', async () => {
    const { call, client, headline, row } = await start({}, { capabilities: HOST_CALLS_NOTHING });
    await call('generate_knowledge', { documentIds: await ingested(client) });
    await reads(headline, 'All 3 pages drafted');
    await reads(row('billing/refunds'), /Draft article [0-9a-f-]{36}/);
  });
});

test('while a call runs, the page says what was asked for, and then that it was cancelled', async () => {
  const { bridge, headline, view, page } = await start();
  await bridge.sendToolInput({ arguments: { documentIdsToAdd: [...PAGES, LOGIN] } });
  await reads(headline, 'Ingesting pages');
  await reads(view.locator('#about'), /billing\/refunds.* and 1 more\n.*may show how far it is/);
  expect(await view.locator('#bar').getAttribute('class')).toBe('running');
  const moving = () =>
    page
      .frames()[1]
      ?.evaluate<string[]>(
        `(({ animationName, display }) => [animationName, display])(getComputedStyle(bar, '::before'))`,
      );
  expect(await moving()).toEqual(['slide', 'block']);
  // A bar that stands still would look full.
  await page.emulateMedia({ reducedMotion: 'reduce' });
  expect(await moving()).toEqual(['slide', 'none']);
  await reads(view.locator('#elapsed'), /^\d+ s$/);
  await bridge.sendToolCancelled({ reason: 'user action' });
  await reads(headline, /Cancelled \(user action\)/);
  expect(await view.locator('#bar').isVisible()).toBe(false);
  expect(await view.locator('#elapsed').innerText()).toBe('');
});

describe('a button', () => {
  test('goes on waiting after a timeout, and the model is told', async () => {
    const { call, headline, rows, button, sandbox, told } = await start({
      jobs: ({ url }) => (url === PAGES[0] ? { pendingMs: 1, workingMs: 1 } : { workingMs: 4_500 }),
    });
    await call('ingest_and_wait', { documentIdsToAdd: PAGES, timeoutSeconds: 3 });
    await reads(headline, '1 of 3 pages completed');
    expect(await statesOf(rows)).toEqual(['Running', 'Running', 'Completed']);
    await button('Wait for 2 unfinished sources').click();
    await reads(headline, 'All 3 pages completed');
    expect(await rows.count()).toBe(3);
    expect(queued(sandbox)).toHaveLength(1);
    await expect.poll(() => told).toHaveLength(1);
    expect(told[0]).toMatch(/called wait_for_sources. All pages now: All 3 pages completed/);
    expect(await button(/^Wait/).count()).toBe(0);
  });

  test('tries again what may pass, and leaves the rest as it is', async () => {
    const { call, headline, row, rows, notice, button, sandbox } = await start(
      firstTime({ error: 'Timeout while loading the page' }),
    );
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    await reads(headline, '0 of 3 pages completed');
    await button(/^Ingest 3 failed pages again/).click();
    await reads(headline, 'All 3 pages completed');
    await reads(notice, 'Done: 3 completed.');
    expect(await rows.count()).toBe(3);
    await reads(row('billing/refunds'), /Completed/);
    expect(queued(sandbox)).toHaveLength(2);
  });

  test('refreshes what is no web page, and then offers to wait', async () => {
    const { call, headline, rows, button } = await start(firstTime({ error: 'Timeout' }));
    await call('import_provider_resources', { provider: 'zendesk', search: 'charged twice' });
    await reads(headline, '0 of 1 page completed');
    await button(/^Refresh 1 failed source/).click();
    await button(/^Wait for 1 /).click();
    await reads(headline, /^1 page completed/);
    expect(await statesOf(rows)).toEqual(['Completed']);
  });

  test('generates drafts from what is completed', async () => {
    const { call, headline, rows, row, button, sandbox } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: [...PAGES, LOGIN] });
    await button(GENERATE).click();
    await reads(headline, '3 of 4 pages completed, 3 drafted');
    expect(await statesOf(rows)).toEqual(['Failed', 'Drafted', 'Drafted', 'Drafted']);
    await reads(row('billing/refunds'), /Read the draft/);
    expect(sandbox.articles()).toHaveLength(3);
    expect(await button(/^Generate/).count()).toBe(0);
  });

  test('generates drafts from a large batch by several calls, one after the other', async () => {
    const { call, bridge, client, headline, button, told } = await start({ parallelJobs: 200 });
    const documentIdsToAdd = Array.from(
      { length: 102 },
      (_, index) => `https://many.example/${index}`,
    );
    await call('ingest_and_wait', { documentIdsToAdd });
    let running = 0;
    const most: number[] = [];
    bridge.oncalltool = async (params) => {
      running += 1;
      most.push(running);
      const result = await client.callTool(params);
      running -= 1;
      return result;
    };
    await button('Generate draft articles from 102 completed sources').click();
    await reads(headline, 'All 102 pages completed, 102 drafted');
    expect(most).toEqual([1, 1]);
    await expect.poll(() => told).toHaveLength(2);
    expect(await button(/^Generate/).count()).toBe(0);
  });

  test('says that a call was declined, and can be pressed again', async () => {
    const { call, bridge, notice, headline, button } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    const carryOut = bridge.oncalltool;
    bridge.oncalltool = async () => {
      throw new Error('The person said no');
    };
    await button(GENERATE).click();
    await reads(notice, /^It was not carried out, as far as the host says: The person said no\.$/);
    bridge.oncalltool = carryOut;
    await button(GENERATE).click();
    await reads(headline, '3 drafted');
  });

  test('says that a call may have run where its result was lost, and makes no drafts twice', async () => {
    const { call, bridge, notice, button } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    bridge.oncalltool = async () => {
      throw Object.assign(new Error('Request timed out.'), { code: -32001 });
    };
    await button(GENERATE).click();
    await reads(notice, /Request timed out\. The call may have run; ask the assistant to check/);
    expect(await button(/^Generate/).count()).toBe(0);
  });

  test('says the error of a call that is refused, and stays', async () => {
    const { call, bridge, notice, button } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    bridge.oncalltool = async () => ({
      content: [{ type: 'text', text: 'The key lacks scope write.' }],
      isError: true,
    });
    await button(GENERATE).click();
    await reads(notice, 'The key lacks scope write.');
    expect(await button(GENERATE).getAttribute('aria-disabled')).toBe('false');
  });

  test('is done with all of it where the host never says that the model was told', async () => {
    const { call, bridge, notice, row, button } = await start();
    bridge.onupdatemodelcontext = () => new Promise(() => undefined);
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    await button(GENERATE).click();
    await reads(row('billing/refunds'), /Read the draft/);
    await reads(notice, /^Done/);
  });

  test('makes its call once, though the host tells the result again meanwhile', async () => {
    const { client, bridge, headline, button, rows } = await start();
    const input = { documentIdsToAdd: PAGES };
    await bridge.sendToolInput({ arguments: input });
    const result = await client.callTool({ name: 'ingest_and_wait', arguments: input });
    await bridge.sendToolResult(result);
    const calls: (() => void)[] = [];
    bridge.oncalltool = async (params) => {
      await new Promise<void>((resolve) => calls.push(resolve));
      return client.callTool(params);
    };
    const generate = button(GENERATE);
    await generate.click();
    await expect.poll(() => calls.length).toBe(1);
    await bridge.sendToolResult(result);
    // Through the page and back, so that the page has it.
    await bridge.teardownResource({});
    expect(await generate.getAttribute('aria-disabled')).toBe('true');
    await generate.click({ force: true });
    calls[0]?.();
    await reads(headline, '3 drafted');
    expect(calls).toHaveLength(1);
    expect(await statesOf(rows)).toEqual(['Drafted', 'Drafted', 'Drafted']);
  });

  test('cannot be pressed again while its call runs, though a link cannot be opened meanwhile', async () => {
    const { call, bridge, notice, button, view } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    bridge.oncalltool = () => new Promise(() => undefined);
    bridge.onopenlink = async () => ({ isError: true });
    const generate = button(GENERATE);
    await generate.click();
    await view.getByRole('link', { name: 'billing/refunds' }).click();
    await reads(notice, 'did not open the link');
    expect(await generate.getAttribute('aria-disabled')).toBe('true');
  });

  test('leaves the page to the call that the host shows next', async () => {
    const { call, client, bridge, headline, notice, button, told } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    const calls: (() => void)[] = [];
    bridge.oncalltool = async (params) => {
      await new Promise<void>((resolve) => calls.push(resolve));
      return client.callTool(params);
    };
    await button(GENERATE).click();
    await expect.poll(() => calls.length).toBe(1);
    await call('ingest_and_wait', { documentIdsToAdd: [LOGIN] });
    await reads(headline, '0 of 1 page completed');
    calls[0]?.();
    await expect.poll(() => told).toHaveLength(1);
    expect(told[0]).toContain('called generate_knowledge');
    await bridge.teardownResource({});
    expect(await headline.innerText()).toBe('0 of 1 page completed');
    expect(await notice.innerText()).toBe('');
  });

  test('takes a result without fields for what it is, and makes no drafts twice', async () => {
    const { call, bridge, notice, button } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    bridge.oncalltool = async () => ({ content: [{ type: 'text', text: '3 of 3 drafted.' }] });
    await button(GENERATE).click();
    await reads(notice, '3 of 3 drafted.');
    expect(await notice.getAttribute('class')).toBe('');
    expect(await button(/^Generate/).count()).toBe(0);
  });

  test('is not there where the host calls no tools', async () => {
    const { call, headline, view } = await start({}, { capabilities: HOST_CALLS_NOTHING });
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    await reads(headline, 'All 3 pages completed');
    expect(await view.locator('#actions button').count()).toBe(0);
    await reads(view.locator('#actions'), `The assistant can go on: ${GENERATE}`);
  });
});

describe('the table', () => {
  test('filters, searches and sorts', async () => {
    const { call, rows, view, page, button } = await start();
    await call('ingest_site', { links: [SITE] });
    await button(/^Failed/).click();
    expect(await rows.count()).toBe(4);
    expect(await button(/^Failed/).getAttribute('aria-pressed')).toBe('true');
    // The rows as they are shown, to be pasted elsewhere.
    await button('Copy 4 pages').click();
    await button('Copied').waitFor();
    await view.getByRole('searchbox').focus();
    await page.keyboard.press('Control+V');
    expect(await view.getByRole('searchbox').inputValue()).toMatch(
      /account\/rewards\tFailed\tPage requires authentication/,
    );
    await view.getByRole('searchbox').fill('');
    await button(/^All/).click();
    await view.getByRole('searchbox').fill('BIKES brakes');
    expect(await rows.count()).toBe(1);
    await view.getByRole('searchbox').fill('');
    const header = view.getByRole('columnheader', { name: 'Page' });
    await button(/^Page$/).click();
    expect(await header.getAttribute('aria-sort')).toBe('ascending');
    const up = await view.locator('td.page').allInnerTexts();
    await button(/^Page$/).click();
    expect(await header.getAttribute('aria-sort')).toBe('descending');
    expect(await view.locator('td.page').allInnerTexts()).toEqual(up.toReversed());
    expect(up).toEqual(up.toSorted(new Intl.Collator(undefined, { numeric: true }).compare));
  });

  test('opens a page through the host', async () => {
    const { call, view, links, page } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    await view.getByRole('link', { name: 'billing/refunds' }).click();
    await expect.poll(() => links).toEqual([PAGES[0]]);
    expect(page.context().pages()).toHaveLength(1);
  });

  test('is one tab stop, in which arrow keys move', async () => {
    const { call, view, page, rows } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    await expect.poll(() => rows.count()).toBe(3);
    const links = view.getByRole('link');
    const indexes = () => links.evaluateAll((all) => all.map((link) => Object(link).tabIndex));
    expect(await indexes()).toEqual([0, -1, -1]);
    await links.first().focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    expect(await links.nth(2).evaluate('document.activeElement.href')).toBe(PAGES[2]);
    await page.keyboard.press('ArrowUp');
    expect(await indexes()).toEqual([-1, 0, -1]);
    await page.keyboard.press('Tab');
    expect(await links.first().evaluate('document.activeElement.id')).toBe('copy');
  });

  test('looks like links where it has links', async () => {
    const { call, view } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    const line = await view
      .getByRole('link')
      .first()
      .evaluate('getComputedStyle(document.querySelector("a.url")).textDecorationLine');
    expect(line).toBe('underline');
  });

  test('has no links where the host opens none', async () => {
    const { call, view, rows } = await start({}, { capabilities: { serverTools: {} } });
    await call('ingest_and_wait', { documentIdsToAdd: PAGES });
    await expect.poll(() => rows.count()).toBe(3);
    expect(await view.getByRole('link').count()).toBe(0);
  });

  test('shows HTML in a title, a reason or a URL as the text that it is', async () => {
    const title = '<img src="https://evil.example/x.png" onerror="document.title=1"><b>Refunds</b>';
    const error = '<script>document.title = 2</script>';
    const { call, sandbox, row, view } = await start();
    const good = sandbox.addDocument({ title });
    const url = 'https://seed.example/"onclick="alert(1)';
    const bad = sandbox.addDocument({
      ...{ title: null, originalUrl: url, error, success: false },
    });
    await call('wait_for_sources', { ids: [good.id, bad.id] });
    await reads(row('Completed').locator('.title'), title);
    await reads(row('Failed').locator('.words'), error);
    expect(await view.locator('img, b:not(#filters b), tbody script').count()).toBe(0);
    expect(await view.getByRole('link', { name: 'alert(1)' }).getAttribute('onclick')).toBe(null);
  });

  test('stays a table for whoever does not see it, at any width', async () => {
    const { call, view, page } = await start({}, { width: 400 });
    await call('ingest_and_wait', { documentIdsToAdd: [...PAGES, LOGIN] });
    await expect.poll(() => view.locator('tbody tr').count()).toBe(4);
    const session = await page.context().newCDPSession(page.frames()[1] ?? page);
    const { nodes } = await session.send('Accessibility.getFullAXTree');
    const count = (role: string) =>
      nodes.filter((node) => node.role?.value === role && node.ignored === false).length;
    expect([count('table'), count('row'), count('columnheader')]).toEqual([1, 5, 3]);
    expect(count('cell') + count('gridcell')).toBe(12);
    // Columns that stand one below the other have no head, but a keyboard can still sort by them.
    const head = () =>
      page
        .frames()[1]
        ?.evaluate<string>('getComputedStyle(document.querySelector("thead")).clipPath');
    expect(await head()).toMatch('inset');
    await view.getByRole('button', { name: 'Reason' }).focus();
    expect(await head()).toBe('none');
    await view.getByRole('searchbox').focus();
    // Nothing sticks out sideways.
    const widths = await page
      .frames()[1]
      ?.evaluate<number[]>(
        '[document.documentElement.scrollWidth, scroller.scrollWidth - scroller.clientWidth]',
      );
    expect(widths).toEqual([400, 0]);
  });
});

test('everything can be done by keyboard, with the focus in sight', async () => {
  const { call, page, view, headline, rows, links } = await start(firstTime({ error: 'Timeout' }));
  await call('ingest_and_wait', { documentIdsToAdd: PAGES });
  await reads(headline, '0 of 3 pages completed');
  const frame = page.frames()[1];
  const focused = () =>
    frame?.evaluate<string>(`document.activeElement.ariaLabel ?? document.activeElement.innerText`);
  const outline = () =>
    frame?.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle');
  const tabTo = async (name: RegExp) => {
    for (let step = 0; step < 20; step += 1) {
      await page.keyboard.press('Tab');
      if (name.test((await focused()) ?? '')) {
        expect(await outline()).toBe('solid');
        return;
      }
    }
    throw new Error(`The focus never came to ${name}.`);
  };
  await tabTo(/^Ingest 3 failed pages again/);
  await page.keyboard.press('Enter');
  await reads(headline, 'All 3 pages completed');
  // The pressed button is gone; the focus is on the next one.
  await expect.poll(focused).toBe(GENERATE);
  await tabTo(/^Completed/);
  await page.keyboard.press('Space');
  await expect.poll(focused).toMatch(/^Completed/);
  await tabTo(/^Search pages/);
  await page.keyboard.type('refunds');
  await expect.poll(() => rows.count()).toBe(1);
  await tabTo(/^Page/);
  await page.keyboard.press('Enter');
  expect(await view.getByRole('columnheader', { name: 'Page' }).getAttribute('aria-sort')).toBe(
    'ascending',
  );
  await tabTo(/refunds/);
  await page.keyboard.press('Enter');
  await expect.poll(() => links).toEqual([PAGES[0]]);
});

describe('the look', () => {
  const colours = (page: Shown['page']) =>
    page.frames()[1]?.evaluate<string[]>(
      `[document.body, headline].flatMap((part) => {
        const { backgroundColor, color, fontFamily } = getComputedStyle(part);
        return [backgroundColor, color, fontFamily];
      }).slice(0, 3)`,
    );

  test('is light or dark as the host is, and changes with it', async () => {
    const { page, bridge } = await start({}, { context: { theme: 'dark' } });
    // On the host's own ground, since it does not name its colour.
    expect(await colours(page)).toEqual([CLEAR, 'rgb(230, 232, 235)', SYSTEM_FONT]);
    bridge.setHostContext({ theme: 'light' });
    await expect.poll(() => colours(page)).toEqual([CLEAR, 'rgb(27, 31, 36)', SYSTEM_FONT]);
  });

  test('has a ground of its own where the host says nothing, so that it can be read on any', async () => {
    const { page } = await start();
    expect(await colours(page)).toEqual(['rgb(255, 255, 255)', 'rgb(27, 31, 36)', SYSTEM_FONT]);
  });

  test('keeps the colours of states in high contrast', async () => {
    const { call, page, rows } = await start();
    await call('ingest_and_wait', { documentIdsToAdd: [PAGES[0], LOGIN] });
    await expect.poll(() => rows.count()).toBe(2);
    await page.emulateMedia({ forcedColors: 'active' });
    const dots = await page.frames()[1]?.evaluate<string[]>(
      `[...document.querySelectorAll('td .badge')].map((badge) =>
        getComputedStyle(badge, '::before').backgroundColor)`,
    );
    expect(dots).toEqual(['rgb(194, 32, 43)', 'rgb(26, 127, 55)']);
    // The filter that is chosen has colours of its own, too.
    const adjusted = await page
      .frames()[1]
      ?.evaluate<string[]>(
        `[...filters.children].map((filter) => getComputedStyle(filter).forcedColorAdjust)`,
      );
    expect(adjusted).toEqual(['none', 'auto', 'auto']);
  });

  test('is the host’s, where it gives its colours and fonts', async () => {
    const variables = {
      '--color-background-primary': 'light-dark(#fefefe, #010101)',
      '--font-sans': 'Georgia, serif',
    };
    const context = {
      theme: 'dark' as const,
      styles: { variables, css: { fonts: "@import url('https://fonts.example/x.css');" } },
    };
    const { page } = await start({}, { context: Object(context) });
    expect(await colours(page)).toMatchObject([
      'rgb(1, 1, 1)',
      expect.any(String),
      'Georgia, serif',
    ]);
  });

  test('tells its height alone, and fills the one that it is given', async () => {
    const { call, page, view, headline, bridge, sizes } = await start();
    await call('ingest_site', { links: [SITE] });
    await reads(headline, '34 of 38');
    const height = () => page.locator('iframe').evaluate('view.offsetHeight');
    const content = () =>
      view.locator('main').evaluate('Math.ceil(page.getBoundingClientRect().height)');
    await expect.poll(async () => (await height()) === (await content())).toBe(true);
    // The rows scroll within it.
    expect(await height()).toBeLessThan(await view.locator('#rows').evaluate('rows.offsetHeight'));
    // A host would fix the width that it is told.
    expect(new Set(sizes.flatMap(Object.keys))).toEqual(new Set(['height']));
    bridge.setHostContext({ containerDimensions: { height: 800, width: 760 } });
    await page.evaluate(`view.style.height = '800px'`);
    await expect.poll(content).toBe(800);
  });
});

test('the page cannot ask anybody for anything', async () => {
  const { page, requests, faults, sandbox } = await start();
  const blocked: (string | undefined)[] = [];
  page.on('requestfailed', (request) => blocked.push(request.failure()?.errorText));
  const tried = await page.frames()[1]?.evaluate<string>(`
    new Image().src = '${sandbox.url}/image';
    const script = document.createElement('script');
    script.textContent = 'window.ran = true';
    document.body.append(script);
    fetch('${sandbox.url}/fetch').then(() => 'fetched', () => 'refused ' + window.ran);
  `);
  expect(tried).toBe('refused undefined');
  await expect.poll(() => faults.length).toBeGreaterThanOrEqual(3);
  for (const fault of faults.splice(0)) expect(fault).toMatch(/Content Security Policy/);
  // Chromium names the image that it was not allowed to ask for.
  expect(requests.splice(0)).toEqual([`${sandbox.url}/image`]);
  expect(blocked).toEqual(['csp']);
  expect(sandbox.requests).toEqual([]);
});

/** Ingests the pages, and gives their IDs. */
async function ingested(client: Served['client']): Promise<string[]> {
  const { structuredContent } = await client.callTool({
    name: 'ingest_and_wait',
    arguments: { documentIdsToAdd: PAGES },
  });
  return Object(structuredContent).sources.map(({ id }: { id: string }) => id);
}
