import type { Progress } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { JobScript } from '../../src/sandbox/sandbox-server.ts';
import { eventually, type Harness, ingestRequests, SECOND_MS, startHarness } from '../harness.ts';
import { nextCall } from '../next-calls.ts';
import { expectFitToShow, HOSTILE } from './showing.ts';

const providers = ['notion', 'zendesk', 'confluence'] as const;
const REGISTER = /\/resources\/[a-z]+$/;

let job: JobScript | ((title: string) => JobScript | undefined) | undefined;
let harness: Harness;
beforeAll(async () => {
  harness = await startHarness(
    // The API does not document its largest page, so this limit is no larger than Fini's default.
    { maximumLimit: 50, jobs: ({ title }) => (typeof job === 'function' ? job(title) : job) },
    { FINI_REQUEST_TIMEOUT_MS: '2500' },
  );
});
beforeEach(() => {
  job = undefined;
  items += 10;
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

/** A counter, so that each test has its own items. */
let items = 0;

const itemsOf = (count: number, title = 'Item') =>
  Array.from({ length: count }, (_, index) => ({
    externalId: `item-${items + index}`,
    title: `${title} ${items + index}`,
    originalUrl: `https://notion.example/${items + index}`,
    mimeType: 'text/html',
    object: 'page',
  }));

/** Makes Notion list these items, this many times. */
function list(resources: unknown[], times = 1): void {
  const action = { kind: 'rewrite', rewrite: () => resources } as const;
  harness.sandbox.script({ method: 'GET', path: REGISTER, times, action });
}

const registerRequests = () =>
  harness.sandbox.requests.filter(({ method, path }) => method === 'POST' && REGISTER.test(path));

const run = (input: Record<string, unknown>, options = {}) =>
  harness.call(
    'import_provider_resources',
    { provider: 'notion', timeoutSeconds: 60, ...input },
    options,
  );

const idsOf = (resources: { externalId: string }[]) =>
  resources.map(({ externalId }) => externalId);

/** A row of an answer. */
interface Row {
  readonly status: string;
  readonly id?: string;
  readonly input?: string;
  readonly externalId?: string;
}
/** The part of an answer's structured content that these tests read. */
interface Rows {
  readonly sources: readonly Row[];
}

/** The external IDs of the sources in a report. */
const reportedIds = ({ sources }: Rows) =>
  sources.flatMap(({ id }) => {
    const found = harness.sandbox.documents().find((document) => document.id === id);
    return found?.externalId ?? [];
  });

/** Names of the items with a status, as they were passed or as the provider has them. */
const namesOf = ({ sources }: Rows, status: string) =>
  sources
    .filter((row) => row.status === status)
    .map(({ input, externalId, id }) => input ?? externalId ?? id ?? '');

describe.each(providers)('%s', (provider) => {
  test('a dry run registers and queues nothing, and shows what would be imported', async () => {
    const { requests } = harness.sandbox;
    const before = requests.length;
    const answer = await run({ provider, all: true, dryRun: true });
    expect(answer.isError).toBe(false);
    expect(new Set(requests.slice(before).map(({ method }) => method))).toEqual(new Set(['GET']));
    const listed = await harness.call('list_provider_resources', { provider });
    expect(answer.structured).toEqual({
      message: '9 items not in Fini yet; 9 selected to add. Nothing is registered or queued yet.',
      found: 9,
      selected: 9,
      ingestedBefore: expect.any(Number),
      nextCalls: [
        {
          tool: 'import_provider_resources',
          arguments: { provider, timeoutSeconds: 60, all: true },
          why: 'Import 9 selected items',
        },
      ],
      sources: listed.structured.resources.map(
        ({ externalId, title, originalUrl, path }: Record<string, unknown>) => ({
          status: 'new',
          externalId,
          title,
          originalUrl,
          path,
        }),
      ),
    });
    for (const id of idsOf(listed.structured.resources)) expect(answer.text).toContain(id);
  });

  test('IDs: new ones are added, known ones refreshed, others not found; then all the rest', async () => {
    const { resources } = (await harness.call('list_provider_resources', { provider })).structured;
    const [first, second] = idsOf(resources);
    const one = await run({ provider, externalIds: [first] });
    expect(one.structured).toMatchObject({
      ...{ selected: 1, outcome: 'completed', sources: [{ status: 'completed' }] },
    });
    expect(reportedIds(one.structured)).toEqual([first]);

    const shown = await run({ provider, externalIds: [first, second, 'none'], dryRun: true });
    expect(shown.structured).toMatchObject({
      selected: 2,
      sources: [
        { status: 'not_found', input: 'none' },
        { status: 'new', externalId: second },
        { status: 'completed', id: one.structured.sources[0].id },
      ],
    });
    const registered = registerRequests().length;
    const both = await run({ provider, externalIds: [first, 'none', second, first] });
    expect(both.isError).toBe(false);
    expect(namesOf(both.structured, 'not_found')).toEqual(['none']);
    expect(both.text).toContain('Not found (1):\n- none');
    expect(reportedIds(both.structured).toSorted()).toEqual([first, second].toSorted());
    expect(registerRequests()).toHaveLength(registered + 1);
    const { documentIdsToAdd, documentIdsToRefresh } = ingestRequests(harness.sandbox).at(-1) as {
      documentIdsToAdd: string[];
      documentIdsToRefresh: string[];
    };
    expect(documentIdsToAdd).toHaveLength(1);
    expect(documentIdsToRefresh).toEqual([one.structured.sources[0].id]);

    const rest = await run({ provider, all: true });
    expect(rest.structured).toMatchObject({ found: 7, selected: 7 });
    expect(rest.structured.counts).toMatchObject({ submitted: 7, completed: 7 });
    const none = await run({ provider, all: true });
    expect(none.isError).toBe(false);
    expect(none.text).toMatch(
      /Nothing is queued, because Fini has already ingested what was selected/,
    );
  });
});

test('a search chooses by title, in any case', async () => {
  const resources = [...itemsOf(3), { ...itemsOf(4)[3], title: 'REFUNDS abroad' }];
  list(resources);
  const { structured } = await run({ search: ' refunds ' });
  expect(structured).toMatchObject({ found: 4, selected: 1 });
  expect(reportedIds(structured)).toEqual([resources[3]?.externalId]);
});

test.each([
  ['none', {}],
  ['all as false', { all: false }],
  ['search and externalIds', { search: 'a', externalIds: ['a'] }],
  ['search and all', { search: 'a', all: true }],
  ['externalIds and all', { externalIds: ['a'], all: true }],
])('a choice with %s is refused before any request', async (_what, choice) => {
  const before = harness.sandbox.requests.length;
  const { isError, text } = await run(choice);
  expect(isError).toBe(true);
  expect(text).toContain('exactly one of search, externalIds and all');
  expect(harness.sandbox.requests).toHaveLength(before);
});

test.each([[{ search: ' ' }], [{ externalIds: [] }], [{ externalIds: [' '] }]])(
  'an empty choice is refused before any request: %j',
  async (choice) => {
    const before = harness.sandbox.requests.length;
    expect((await run(choice)).isError).toBe(true);
    expect(harness.sandbox.requests).toHaveLength(before);
  },
);

test('a known item is found behind more sources than a page holds', async () => {
  const known = itemsOf(1)[0] as { externalId: string };
  const base = { source: 'notion' } as const;
  harness.sandbox.addDocument({ ...base, ...known, updatedAt: '2020-01-01T00:00:00.000Z' });
  for (let index = 0; index < 120; index += 1) {
    harness.sandbox.addDocument({ ...base, externalId: `other-${index}` });
  }
  const { structured } = await run({ externalIds: [known.externalId], dryRun: true });
  expect(structured.sources).toMatchObject([{ status: 'completed', id: expect.any(String) }]);
});

/** Makes Fini's answer to registering omit the first few of the IDs. */
function registerFewer(count: number): void {
  harness.sandbox.script({
    method: 'POST',
    path: REGISTER,
    action: {
      kind: 'rewrite',
      rewrite: (body) => {
        const { addedDocumentIds } = body as { addedDocumentIds: string[] };
        return { addedDocumentIds: addedDocumentIds.slice(count), updatedDocumentIds: [] };
      },
    },
  });
}

test('every ID handed in comes back once: added, refreshed, not found or not registered', async () => {
  const resources = itemsOf(5);
  const [first] = idsOf(resources);
  list(resources);
  await run({ externalIds: [first] });
  list(resources.slice(1));
  registerFewer(1);
  const answer = await run({ externalIds: [...idsOf(resources), 'none'] });
  const { structured, isError } = answer;
  expect(isError).toBe(false);
  const unregistered = namesOf(structured, 'unregistered');
  expect(unregistered).toEqual([resources[1]?.externalId]);
  expect(structured.message).toMatch(/returned no source ID for 1 item\./);
  expect(nextCall(answer, 'import_provider_resources')).toEqual({
    provider: 'notion',
    externalIds: unregistered,
  });
  const back = [...reportedIds(structured), ...namesOf(structured, 'not_found'), ...unregistered];
  expect(back.toSorted()).toEqual([...idsOf(resources), 'none'].toSorted());
});

test('what is registered and then not queued is unqueued, and not also unregistered', async () => {
  const resources = itemsOf(3);
  job = (title) => (title === resources[0]?.title ? { drop: true } : undefined);
  list(resources);
  const all = (await run({ all: true })).structured;
  expect(namesOf(all, 'unqueued')).toHaveLength(1);
  expect(namesOf(all, 'unregistered')).toEqual([]);
  expect(all.message).not.toContain('returned no source ID');

  items += 10;
  const others = itemsOf(3);
  job = (title) => (title === others[2]?.title ? { drop: true } : undefined);
  list(others);
  registerFewer(1);
  const fewer = (await run({ all: true })).structured;
  expect(namesOf(fewer, 'unqueued')).toHaveLength(1);
  expect(namesOf(fewer, 'unregistered')).toEqual([others[0]?.externalId]);
});

test('where nothing is registered, the call is an error and names every item', async () => {
  const resources = itemsOf(2);
  list(resources);
  registerFewer(2);
  const before = ingestRequests(harness.sandbox).length;
  const { isError, structured } = await run({ externalIds: idsOf(resources) });
  expect(isError).toBe(true);
  expect(namesOf(structured, 'unregistered')).toEqual(idsOf(resources));
  expect(structured.outcome).toBeUndefined();
  expect(ingestRequests(harness.sandbox)).toHaveLength(before);
});

test('a provider that is not connected is an error that says so', async () => {
  const body = { statusCode: 400, message: 'notion is not connected', error: 'Bad Request' };
  const action = { kind: 'status', status: 400, body } as const;
  harness.sandbox.script({ method: 'GET', path: REGISTER, action });
  const { isError, text } = await run({ all: true });
  expect(isError).toBe(true);
  expect(text).toMatch(/not connected.*must be connected in the Fini dashboard/);
});

test('registering that a key may not do says which scope is missing, and queues nothing', async () => {
  list(itemsOf(2));
  const action = { kind: 'status', status: 403 } as const;
  harness.sandbox.script({ method: 'POST', path: REGISTER, action });
  const before = ingestRequests(harness.sandbox).length;
  const { isError, text } = await run({ all: true });
  expect(isError).toBe(true);
  expect(text).toMatch(/refused to register provider resources \(HTTP 403\).*write scope/);
  expect(ingestRequests(harness.sandbox)).toHaveLength(before);
});

test.each([
  ['a 500', { kind: 'status', status: 500 }],
  ['a time-out after it was carried out', { kind: 'hang', carryOut: true }],
  ['a connection that breaks after it was carried out', { kind: 'reset', when: 'after' }],
] as const)(
  'after %s on registering, the answer says to call again, which works',
  async (_what, action) => {
    const resources = itemsOf(2);
    list(resources);
    harness.sandbox.script({ method: 'POST', path: REGISTER, times: 5, action });
    const before = ingestRequests(harness.sandbox).length;
    const input = { search: `Item ${`${items}`.slice(0, -1)}` };
    const failed = await run(input);
    expect(failed.isError).toBe(true);
    expect(namesOf(failed.structured, 'unregistered')).toEqual(idsOf(resources));
    expect(failed.text).toMatch(/Nothing was queued\..*may have been registered/);
    expect(nextCall(failed, 'import_provider_resources')).toMatchObject(input);
    for (const id of idsOf(resources)) expect(failed.text).toContain(`externalId ${id}`);
    expect(ingestRequests(harness.sandbox)).toHaveLength(before);

    harness.sandbox.clearFaults();
    // Like Fini, Notion's list leaves out registered items.
    list(action.kind === 'status' ? resources : []);
    const again = await run(input);
    expect(again.structured.outcome).toBe('completed');
    expect(reportedIds(again.structured).toSorted()).toEqual(idsOf(resources).toSorted());
  },
);

test.each([
  ['a search', () => ({ search: `Item ${`${items}`.slice(0, -1)}` })],
  ['externalIds', (ids: string[]) => ({ externalIds: ids })],
])(
  'where queueing is refused after registering, the same call with %s continues from there',
  async (_what, choiceOf) => {
    const resources = itemsOf(3);
    const [first, , third] = idsOf(resources);
    const input = choiceOf([...idsOf(resources), 'none']);
    list(resources);
    registerFewer(1);
    const action = { kind: 'status', status: 400 } as const;
    harness.sandbox.script({ method: 'POST', path: /public$/, action });
    const { isError, text, structured } = await run(input);
    expect(isError).toBe(true);
    expect(text).toMatch(/Nothing was queued\..*2 items registered\./);
    expect(namesOf(structured, 'unregistered')).toEqual([first]);
    expect(namesOf(structured, 'not_found')).toEqual('search' in input ? [] : ['none']);

    // Like Fini, Notion's list leaves out registered items.
    list(resources.slice(0, 1));
    const again = await run(input);
    expect(again.structured.outcome).toBe('completed');
    expect(reportedIds(again.structured).toSorted()).toEqual(idsOf(resources).toSorted());
    expect(reportedIds(again.structured)).toContain(third);
    // A source that was never ingested is added, not refreshed.
    const { documentIdsToAdd } = ingestRequests(harness.sandbox).at(-1) as {
      documentIdsToAdd: string[];
    };
    expect(documentIdsToAdd).toHaveLength(2);
  },
);

test('where queueing is refused after registering, the call that is named queues what is registered', async () => {
  const resources = itemsOf(3);
  list(resources);
  const action = { kind: 'status', status: 400 } as const;
  harness.sandbox.script({ method: 'POST', path: /public$/, action });
  const failed = await run({ search: `Item ${`${items}`.slice(0, -1)}` });
  expect(failed.text).toContain('3 items registered.');
  const next = nextCall(failed, 'ingest_and_wait');
  const { structured } = await harness.call('ingest_and_wait', next);
  expect(structured.outcome).toBe('completed');
  expect(reportedIds(structured).toSorted()).toEqual(idsOf(resources).toSorted());
});

test('a call that is cancelled while it registers continues when it is made again', async () => {
  const resources = itemsOf(2);
  list(resources);
  const action = { kind: 'hang', carryOut: true } as const;
  harness.sandbox.script({ method: 'POST', path: REGISTER, action });
  const registered = registerRequests().length;
  const controller = new AbortController();
  const ended = expect(run({ all: true }, { signal: controller.signal })).rejects.toThrow();
  await eventually(() => expect(registerRequests()).toHaveLength(registered + 1));
  controller.abort();
  await ended;
  list([]);
  const again = await run({ all: true });
  // The report also has other tests' sources that were never ingested.
  expect(reportedIds(again.structured)).toEqual(expect.arrayContaining(idsOf(resources)));
  expect(registerRequests()).toHaveLength(registered + 1);
});

test('a search for a path continues where the same call before ended early', async () => {
  const [parent, child] = itemsOf(2);
  list([{ ...parent, children: [child] }]);
  const input = { search: `${parent?.title} › ${child?.title}` };
  const action = { kind: 'status', status: 400 } as const;
  harness.sandbox.script({ method: 'POST', path: /public$/, action });
  const first = await run(input);
  expect(first.text).toContain('1 item registered.');
  // Like Fini, Notion's list leaves out registered items.
  list([parent]);
  const again = await run(input);
  expect(again.structured.outcome).toBe('completed');
  expect(reportedIds(again.structured)).toEqual([child?.externalId]);
});

test('all and a search made again join what still runs, and leave alone what has ended', async () => {
  const resources = itemsOf(2, 'Slow');
  job = { workingMs: 1_500 };
  list(resources);
  const first = await run({ search: 'slow', timeoutSeconds: 1 });
  expect(first.structured.outcome).toBe('timed_out');
  const queued = ingestRequests(harness.sandbox).length;
  list([]);
  const second = await run({ search: 'slow' });
  expect(second.structured.sources).toMatchObject([{ joined: true }, { joined: true }]);
  expect(second.structured.outcome).toBe('completed');
  list([]);
  const third = await run({ search: 'slow' });
  expect(third).toMatchObject({ isError: false, structured: { selected: 0, ingestedBefore: 2 } });
  expect(third.text).toMatch(/Fini has already ingested what was selected: 2 matching sources\./);
  expect(ingestRequests(harness.sandbox)).toHaveLength(queued);
});

test('what ends between the plan and the look is reported, and not ingested again', async () => {
  const resources = itemsOf(2, 'Between');
  job = { workingMs: 1_300 };
  list(resources);
  const first = await run({ search: 'between', timeoutSeconds: 1 });
  expect(first.structured.outcome).toBe('timed_out');
  const queued = ingestRequests(harness.sandbox).length;
  list([]);
  // The answer that shows the jobs running arrives after they have ended.
  const action = { kind: 'slow', milliseconds: 900 } as const;
  harness.sandbox.script({ method: 'GET', path: /public\?/, action });
  const second = await run({ search: 'between' });
  expect(second.structured.sources).toMatchObject([{ joined: true }, { joined: true }]);
  expect(second.structured.outcome).toBe('completed');
  expect(ingestRequests(harness.sandbox)).toHaveLength(queued);
});

test('what was registered and not ingested is found behind many newer sources', async () => {
  const [item] = itemsOf(1, 'Behind');
  harness.sandbox.addDocument({ source: 'notion', ...item, linkedJobStatus: null, success: null });
  for (let index = 0; index < 150; index += 1) {
    harness.sandbox.addDocument({ source: 'notion', externalId: `newer-${items}-${index}` });
  }
  list([]);
  const { structured } = await run({ search: 'behind' });
  expect(reportedIds(structured)).toEqual([item?.externalId]);
});

test('what failed before is told apart from what was ingested', async () => {
  job = { status: 'FAILED', error: 'object_not_found' };
  const [fine] = itemsOf(1, 'Failing not');
  const { id: fineId } = harness.sandbox.addDocument({
    source: 'notion',
    ...fine,
    externalId: `fine-${items}`,
  });
  list(itemsOf(2, 'Failing'));
  await run({ search: 'failing' });
  list([]);
  const answer = await run({ search: 'failing' });
  expect(answer.isError).toBe(false);
  expect(answer.structured.message).toMatch(/3 matching sources, of which 2 failed/);
  const ids = namesOf(answer.structured, 'failed');
  expect(ids).toHaveLength(2);
  expect(namesOf(answer.structured, 'completed')).toEqual([fineId]);
  expect(nextCall(answer, 'refresh_sources')).toEqual({ documentIds: ids });
  const listed = { source: 'notion', status: 'failed', title: 'failing' };
  expect(nextCall(answer, 'list_sources')).toEqual(listed);
});

test('where registering fails, what Fini has already is named all the same', async () => {
  const [known, fresh] = itemsOf(2);
  const { id } = harness.sandbox.addDocument({ source: 'notion', ...known });
  list([fresh]);
  const action = { kind: 'status', status: 500 } as const;
  harness.sandbox.script({ method: 'POST', path: REGISTER, times: 9, action });
  const { structured, text } = await run({ externalIds: idsOf(itemsOf(2)) });
  expect(namesOf(structured, 'completed')).toEqual([id]);
  expect(namesOf(structured, 'unregistered')).toEqual([fresh?.externalId]);
  expect(text).toContain(id);
});

test('a search that matches nothing names some of what there is', async () => {
  list(itemsOf(20, HOSTILE));
  const answer = await run({ search: 'pelicans' });
  expect(answer.isError).toBe(true);
  expect(answer.text).toMatch(/Nothing matches "pelicans"\. Try a shorter word\. Available: "/);
  expectFitToShow(answer);
});

test.each([
  ['its URL', ({ originalUrl }: { originalUrl: string }) => originalUrl],
  [
    'its ID without dashes',
    ({ externalId }: { externalId: string }) => externalId.replaceAll('-', ''),
  ],
  ['its ID in capitals', ({ externalId }: { externalId: string }) => externalId.toUpperCase()],
])('an item is found by %s, as people copy it, new or known', async (_what, nameOf) => {
  const externalId = `7c1e9b52-40d3-4f6a-9b1d-${String(items).padStart(12, '0')}`;
  const resources = itemsOf(1).map((item) => ({ ...item, externalId }));
  const externalIds = resources.map(nameOf);
  list(resources);
  const first = await run({ externalIds });
  expect(first.structured).toMatchObject({ outcome: 'completed', counts: { submitted: 1 } });
  list([]);
  const second = await run({ externalIds });
  expect(second.structured).toMatchObject({ outcome: 'completed', counts: { submitted: 1 } });
});

test('once the time is over no more sources are searched, and that is said', async () => {
  const base = { source: 'notion', updatedAt: '2020-01-01T00:00:00.000Z' } as const;
  for (let index = 0; index < 400; index += 1) {
    harness.sandbox.addDocument({ ...base, externalId: `old-${items}-${index}` });
  }
  list([]);
  const action = { kind: 'slow', milliseconds: 300 } as const;
  harness.sandbox.script({ method: 'GET', path: /public\?/, times: 100, action });
  const before = harness.sandbox.requests.length;
  const { structured } = await run({ externalIds: ['none'], timeoutSeconds: 1, dryRun: true });
  expect(structured.message).toContain(
    'Not all sources in Fini could be searched (the time ran out)',
  );
  expect(harness.sandbox.requests.length - before).toBeLessThan(8);
});

test('a dry run shows what the provider has also where Fini’s sources cannot be read', async () => {
  const resources = itemsOf(2);
  list(resources, 2);
  const refused = { kind: 'status', status: 400 } as const;
  harness.sandbox.script({ method: 'GET', path: /public\?/, times: 9, action: refused });
  const { isError, structured } = await run({ all: true, dryRun: true });
  expect(isError).toBe(false);
  expect(namesOf(structured, 'new')).toEqual(idsOf(resources));
  expect(structured.message).toContain(
    'Not all sources in Fini could be searched ("Scripted fault: 400"), so items registered before may be missing here.',
  );
  // Nothing is registered that could not be queued.
  expect((await run({ all: true })).isError).toBe(true);
  expect(registerRequests().at(-1)?.body).not.toMatchObject({ resources });
});

test('where the time runs out before the search of Fini’s sources, that is said of a search, too', async () => {
  const base = { source: 'notion', updatedAt: '2020-01-01T00:00:00.000Z' } as const;
  const never = { linkedJobStatus: null, linkedJobId: null };
  for (let index = 0; index < 400; index += 1) {
    harness.sandbox.addDocument({ ...base, ...never, externalId: `slow-${items}-${index}` });
  }
  list(itemsOf(1));
  const action = { kind: 'slow', milliseconds: 300 } as const;
  harness.sandbox.script({ method: 'GET', path: /public\?/, times: 100, action });
  const { structured } = await run({ search: 'Item', timeoutSeconds: 1, dryRun: true });
  expect(structured.message).toContain(
    'Not all sources in Fini could be searched (the time ran out), so items registered before may be missing here.',
  );
});

test('which items were not registered is said to be a guess where their sources cannot be read', async () => {
  const resources = itemsOf(3);
  list(resources);
  registerFewer(1);
  // Nothing is queued, so that no record is read in a wait.
  job = { drop: true };
  const refused = { kind: 'status', status: 400 } as const;
  const path = /public\/[0-9a-f-]{36}$/;
  harness.sandbox.script({ method: 'GET', path, times: 99, action: refused });
  const { structured } = await run({ all: true });
  expect(namesOf(structured, 'unregistered')).toHaveLength(1);
  expect(structured.message).toContain(
    'Fini returned no source ID for 1 item. Which one is a guess, because not every source shows its item.',
  );
});

test('a call that is repeated joins what runs, and queues nothing twice; wait_for_sources continues', async () => {
  job = { workingMs: 2_500 };
  const resources = itemsOf(2);
  const externalIds = idsOf(resources);
  list(resources);
  const before = ingestRequests(harness.sandbox).length;
  const first = await run({ externalIds, timeoutSeconds: 1 });
  expect(first.isError).toBe(false);
  expect(first.structured.outcome).toBe('timed_out');
  const second = await run({ externalIds, timeoutSeconds: 1 });
  expect(second.structured.sources).toMatchObject([{ joined: true }, { joined: true }]);
  expect(ingestRequests(harness.sandbox)).toHaveLength(before + 1);
  const waited = await harness.call('wait_for_sources', nextCall(first, 'wait_for_sources'));
  expect(waited.structured.outcome).toBe('completed');
});

test("the time of the wait counts from the call's start, registering included", async () => {
  job = { workingMs: 8_000 };
  list(itemsOf(1));
  const action = { kind: 'slow', milliseconds: 4 * SECOND_MS } as const;
  harness.sandbox.script({ method: 'POST', path: REGISTER, action });
  const { structured } = await run({ all: true, timeoutSeconds: 5 });
  expect(structured.outcome).toBe('timed_out');
  expect(structured.elapsedSeconds).toBeGreaterThanOrEqual(5);
  expect(structured.elapsedSeconds).toBeLessThan(4 + 5);
});

test("one stream of progress tells of every step; the report is ingest_and_wait's", async () => {
  list(itemsOf(2));
  const sent: Progress[] = [];
  const onprogress = (progress: Progress) => sent.push(progress);
  const answer = await run({ externalIds: idsOf(itemsOf(2)) }, { onprogress });
  const { found: _found, selected: _selected, ingestedBefore, ...report } = answer.structured;
  for (const [index, { progress, total }] of sent.entries()) {
    expect(progress).toBeGreaterThan(sent[index - 1]?.progress ?? 0);
    if (sent[index - 1]?.total !== undefined) expect(total).toBe(2);
    if (index < sent.length - 1) expect(progress).toBeLessThan(2);
  }
  const untold = sent.filter(({ total }) => total === undefined);
  expect(untold.map(({ message = '' }) => message.replace(/, \d+ s$/, ''))).toEqual([
    'Listing items in Notion',
    'Registering 2 items from Notion',
  ]);
  expect(sent.at(-1)).toMatchObject({ progress: 2, total: 2 });
  expect(ingestedBefore).toBe(0);
  expect(report.message).toMatch(
    /^completed: 2 of 2 completed, in .*Before this call, 2 items were not in Fini; 2 of them selected/,
  );

  const documentIdsToRefresh = report.sources.map(({ id }: { id: string }) => id);
  const same = await harness.call('ingest_and_wait', { source: 'notion', documentIdsToRefresh });
  expect(Object.keys(report).toSorted()).toEqual(Object.keys(same.structured).toSorted());
  expect(nextCall(answer, 'generate_knowledge')).toEqual({ batch: report.batch });
  expect(answer.nextCalls.map(({ why }) => why)).toEqual(same.nextCalls.map(({ why }) => why));

  const again: Progress[] = [];
  const externalIds = reportedIds(report);
  await run({ externalIds }, { onprogress: (progress: Progress) => again.push(progress) });
  expect(again.map(({ message }) => message).join()).not.toContain('Registering');
});

test('a call that is cancelled while it lists registers nothing', async () => {
  harness.sandbox.script({ method: 'GET', path: REGISTER, action: { kind: 'hang' } });
  const asked = harness.sandbox.requests.length;
  const registered = registerRequests().length;
  const controller = new AbortController();
  const ended = expect(run({ all: true }, { signal: controller.signal })).rejects.toThrow();
  await eventually(() => expect(harness.sandbox.requests).toHaveLength(asked + 1));
  controller.abort();
  await ended;
  await harness.call('list_sources');
  expect(registerRequests()).toHaveLength(registered);
});

test('hostile titles, IDs and long lists come out in bounds', async () => {
  list(itemsOf(60, `${HOSTILE}${'x'.repeat(10_000)}`));
  const shown = await run({ all: true, dryRun: true });
  expect(namesOf(shown.structured, 'new')).toHaveLength(60);
  expect(shown.text.match(/^- https:.*externalId item/gm)).toHaveLength(60);
  expectFitToShow(shown);

  items += 60;
  list(itemsOf(1));
  const missing = await run({ externalIds: [HOSTILE], dryRun: true });
  expect(namesOf(missing.structured, 'not_found')).toEqual(['A [31m B C']);
  expectFitToShow(missing);
});

describe('names of the wrong kind', () => {
  const dry = (input: Record<string, unknown>) => run({ ...input, dryRun: true });

  test('a source ID is taken for the source', async () => {
    const [item] = itemsOf(1);
    const { id } = harness.sandbox.addDocument({ source: 'notion', ...item });
    list([]);
    const shown = await dry({ externalIds: [id.toUpperCase()] });
    expect(shown.structured.sources).toMatchObject([{ status: 'completed', id }]);
    list([]);
    const done = await run({ externalIds: id });
    expect(reportedIds(done.structured)).toEqual([item?.externalId]);
  });

  test('what may be the ID of a source of another kind says where that goes', async () => {
    const { id } = harness.sandbox.addDocument({ source: 'zendesk' });
    list([]);
    const answer = await dry({ externalIds: [id] });
    expect(namesOf(answer.structured, 'not_found')).toEqual([id]);
    expect(nextCall(answer, 'refresh_sources')).toEqual({ documentIds: [id] });
  });

  test('a title in externalIds points to search', async () => {
    list(itemsOf(1));
    const title = await dry({ externalIds: ['Saved replies'] });
    expect(nextCall(title, 'import_provider_resources')).toEqual({
      ...{ provider: 'notion', search: 'Saved replies', dryRun: true },
    });
    list(itemsOf(1));
    const number = await dry({ externalIds: ['4402118230'] });
    expect(number.text).not.toMatch(/as a title|refresh_sources/);
  });

  test('a URL in search, or as url, points to externalIds', async () => {
    const search = 'https://www.notion.so/Refunds-7c1e9b5240d34f6a9b1d000038500000';
    const refused = await dry({ search });
    expect(refused.text).toMatch(/search: "https:.*" is a URL: pass it as externalIds/);
    for (const name of ['url', 'urls', 'pageUrl']) {
      expect((await dry({ [name]: search })).text).toContain(`no "${name}": use externalIds.`);
    }
  });
});

describe('a search of what Fini has', () => {
  test('names what was ingested, with the call that ingests it again', async () => {
    const [item] = itemsOf(1, 'Warranty');
    const { id } = harness.sandbox.addDocument({ source: 'notion', ...item });
    list([]);
    const answer = await run({ search: 'warranty', dryRun: true });
    expect(answer.isError).toBe(false);
    expect(answer.structured.sources).toMatchObject([
      { status: 'completed', id, title: item?.title },
    ]);
    const next = nextCall(answer, 'refresh_sources');
    const queued = await harness.call('refresh_sources', next);
    expect(queued.structured.sources).toEqual([{ status: 'queued', id }]);
  });

  test('names ten, and says how many more there are', async () => {
    for (const item of itemsOf(12, `Guarantee ${HOSTILE}${'x'.repeat(10_000)}`)) {
      harness.sandbox.addDocument({ source: 'notion', ...item });
    }
    items += 10;
    list([]);
    const answer = await run({ search: 'guarantee', dryRun: true });
    expect(answer.structured.ingestedBefore).toBe(12);
    expect(answer.structured.message).toMatch(/12 matching sources\. Only 10 are shown here/);
    expect(nextCall(answer, 'refresh_sources').documentIds).toHaveLength(10);
    expectFitToShow(answer);
  });

  test('says how each known item stands, and what happens to it', async () => {
    const [never, running, done] = itemsOf(3, 'Pedal');
    const add = (item: object | undefined, fields: object) =>
      harness.sandbox.addDocument({ source: 'notion', ...item, ...fields });
    add(never, { linkedJobStatus: null, success: null });
    add(running, { linkedJobStatus: 'PENDING', success: null });
    list([]);
    const found = await run({ search: 'pedal', dryRun: true });
    expect(found.text).toMatch(
      /2 matching items in Fini whose ingestion has not finished: running jobs are waited for/,
    );
    expect(found.structured.sources).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ status: 'never_ingested', title: never?.title }),
        expect.objectContaining({ status: 'running', title: running?.title }),
      ]),
    );
    add(done, {});
    list([]);
    const named = await run({ externalIds: [done?.externalId], dryRun: true });
    expect(named.text).toMatch(/1 selected item already in Fini, to be ingested again\./);
    expect(named.structured.sources).toMatchObject([{ status: 'completed', title: done?.title }]);
  });
});

describe('links', () => {
  const shop = 'https://shop.zendesk.com';
  const wiki = 'https://shop.atlassian.net/wiki';
  const article = (id: number, url = `${shop}/hc/en-us/articles/${id}`) => ({
    object: 'article',
    id,
    title: `Article ${id}`,
    url,
  });
  const section = {
    object: 'section',
    id: 71,
    name: 'Cards',
    children: [article(901), article(902)],
  };
  const zendesk = [{ object: 'category', id: 70, name: 'Money', children: [section] }];
  const page = {
    id: '901',
    title: 'Brakes',
    url: `${wiki}/spaces/OPS/pages/901/Brakes`,
    pages: [],
  };
  const confluence = [
    { key: 'OPS', title: 'Operations', url: `${wiki}/spaces/OPS`, pages: [page] },
    { key: 'EMPTY', title: 'Nothing yet', url: `${wiki}/spaces/EMPTY`, pages: [] },
  ];
  const trees = { zendesk, confluence };

  const dry = (provider: keyof typeof trees, ...externalIds: string[]) => {
    list(trees[provider]);
    return run({ provider, externalIds, dryRun: true });
  };

  test.each([
    ['confluence', `${wiki}/spaces/OPS/pages/edit-v2/901`],
    ['confluence', `${wiki}/spaces/OPS/pages/edit-v2/901?draftShareId=5f0e`],
    ['confluence', `${wiki}/spaces/OPS/pages/edit/901`],
    ['confluence', `${wiki}/pages/viewpage.action?pageId=901`],
    ['confluence', `${wiki}/pages/resumedraft.action?draftId=901&draftShareId=5f0e`],
    ['confluence', `${wiki}/spaces/~12ab/blog/2024/03/05/901/Brakes`],
    ['confluence', `${wiki}/spaces/OPS/pages/901/Another+title`],
    ['confluence', 'https://WWW.shop.atlassian.net/wiki/spaces/OPS/pages/901'],
    ['zendesk', `${shop}/hc/de/articles/901-Karten`],
    ['zendesk', `${shop}/knowledge/articles/901/en-us?brand_id=1`],
  ] as const)('of %s with a number is read: %s', async (provider, link) => {
    const { structured } = await dry(provider, link);
    expect(structured.sources).toMatchObject([{ status: 'new', externalId: '901' }]);
  });

  test.each([
    ['confluence', 'https://other.atlassian.net/wiki/spaces/OPS/pages/901'],
    ['confluence', 'https://other.atlassian.net/wiki/pages/viewpage.action?pageId=901'],
    ['confluence', 'https://other.atlassian.net/wiki/spaces/OPS'],
    ['zendesk', 'https://other.zendesk.com/hc/en-us/articles/901'],
    ['zendesk', 'https://other.zendesk.com/hc/en-us/sections/71-Cards'],
  ] as const)('of another site of %s is not taken for one of this: %s', async (provider, link) => {
    const { isError, structured, text } = await dry(provider, link);
    expect(isError).toBe(true);
    expect(structured).toMatchObject({
      selected: 0,
      sources: [{ status: 'not_found', input: link, reason: expect.any(String) }],
    });
    const site = provider === 'zendesk' ? 'zendesk.com' : 'atlassian.net';
    expect(text).toMatch(new RegExp(`other\\.${site}.*shop\\.${site}`));
    expect(text).not.toContain('not found at the provider');
  });

  test('of another site is not taken for a source in Fini either', async () => {
    harness.sandbox.addDocument({
      source: 'zendesk',
      externalId: '955',
      originalUrl: `${shop}/hc/en-us/articles/955`,
    });
    const here = await dry('zendesk', `${shop}/hc/de/articles/955-Karten`);
    expect(here.structured.sources).toMatchObject([{ status: 'completed' }]);
    const other = await dry('zendesk', 'https://other.zendesk.com/hc/en-us/articles/955');
    expect(other.structured.sources).toMatchObject([{ status: 'not_found' }]);
  });

  test.each([`${wiki}/x/AYDd`, 'https://shop.example/x/AYDd'])(
    'a short link is refused, with what to pass instead: %s',
    async (link) => {
      const { structured, text } = await dry('confluence', link, '901');
      expect(structured.selected).toBe(1);
      expect(structured.sources[0]).toMatchObject({ status: 'not_found', input: link });
      expect(text).toMatch(/short link.*full link.*title/);
    },
  );

  test.each([
    ['zendesk', '71', /section "Cards" with 2 items/, ['901', '902']],
    ['zendesk', `${shop}/hc/en-us/sections/71-Cards`, /section "Cards"/, ['901', '902']],
    ['zendesk', `${shop}/hc/de/categories/70`, /category "Money" with 2 items/, ['901', '902']],
    ['confluence', 'OPS', /space "Operations" with 1 item\b/, ['901']],
    ['confluence', `${wiki}/spaces/OPS`, /space "Operations"/, ['901']],
    ['confluence', `${wiki}/spaces/OPS/overview?homepageId=1`, /space "Operations"/, ['901']],
    ['confluence', 'https://shop.atlassian.net/wiki/display/OPS', /space "Operations"/, ['901']],
  ] as const)(
    'a container of %s, %s, is named, with its items',
    async (provider, name, says, ids) => {
      const answer = await dry(provider, name);
      expect(answer.isError).toBe(true);
      expect(answer.text).toMatch(says);
      expect(answer.text).not.toContain('not found at the provider');
      expect(nextCall(answer, 'import_provider_resources')).toEqual({
        provider,
        externalIds: ids,
        dryRun: true,
      });
    },
  );

  test('an empty container says that there is nothing to import', async () => {
    const answer = await dry('confluence', 'EMPTY');
    expect(answer.text).toMatch(/space "Nothing yet" with 0 items/);
    expect(answer.nextCalls.map(({ tool }) => tool)).not.toContain('import_provider_resources');
  });

  test('a section is no article of the same number', async () => {
    const { structured } = await dry('zendesk', `${shop}/hc/en-us/sections/901`);
    expect(structured.sources).toMatchObject([{ status: 'not_found' }]);
  });

  test('a Notion database is an item, by its link with a view', async () => {
    const externalId = `7c1e9b52-40d3-4f6a-9b1d-${String(items).padStart(12, '0')}`;
    const digits = externalId.replaceAll('-', '');
    list([{ ...itemsOf(1)[0], externalId, object: 'database' }]);
    const link = `https://www.notion.so/shop/${digits}?v=7c1e9b5240d34f6a9b1d999999999999`;
    const { structured } = await run({ externalIds: [link], dryRun: true });
    expect(structured.sources).toMatchObject([{ status: 'new', externalId }]);
  });
});

describe('translations under one ID', () => {
  const url = (locale: string) => `https://shop.zendesk.com/hc/${locale}/articles/911`;
  const article = (title: string, locale: string) => ({
    object: 'article',
    id: 911,
    title,
    url: url(locale),
  });
  const tree = [
    article('Refunds', 'en-us'),
    article('Erstattungen', 'de'),
    article('Refunds', 'en-us'),
  ];

  test.each(['import_provider_resources', 'list_provider_resources'])(
    '%s counts and names what it leaves out',
    async (tool) => {
      list(tree);
      const choice = tool.startsWith('import') ? { all: true, dryRun: true } : {};
      const { structured, text } = await harness.call(tool, { provider: 'zendesk', ...choice });
      expect(structured.leftOut).toEqual({ unreadable: 0, translations: 1 });
      expect(text).toMatch(
        /1 translation left out.*"Erstattungen" \(https:\S+\/de\/articles\/911\)/,
      );
    },
  );

  test('a search for one names it', async () => {
    list(tree);
    const { text } = await run({ provider: 'zendesk', search: 'erstattungen', dryRun: true });
    expect(text).toMatch(/Nothing matches "erstattungen".*1 translation left out.*"Erstattungen"/);
  });
});
