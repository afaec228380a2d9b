import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Harness, startHarness } from '../harness.ts';
import { nextCall } from '../next-calls.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness();
});
afterEach(() => harness.sandbox.clearFaults());
afterAll(() => harness.close());

const resource = {
  externalId: 'page-1',
  title: 'Page 1',
  originalUrl: 'https://n.example/1',
  mimeType: 'text/html',
};

describe.each(['notion', 'zendesk', 'confluence'])('%s', (provider) => {
  test('what was listed registers unchanged, is ingested, and is no longer listed', async () => {
    const { resources } = (await harness.call('list_provider_resources', { provider })).structured;
    expect(resources).toHaveLength(9);

    const registered = await harness.call('register_provider_resources', { provider, resources });
    const { sources, message } = registered.structured;
    const ids: string[] = sources.map(({ id }: { id: string }) => id);
    expect(sources).toEqual(ids.map((id) => ({ status: 'added', id })));
    expect(ids).toHaveLength(9);
    expect(message).toMatch(/^9 sources added, 0 already known\. Registered, not ingested yet/);
    expect(nextCall(registered, 'ingest_and_wait')).toEqual({
      source: provider,
      documentIdsToAdd: ids,
    });
    for (const id of ids) expect(registered.text).toContain(id);

    const { body } = harness.sandbox.requests.at(-1) ?? {};
    const listed = resources.map(({ path: _path, ...rest }: { path: string[] }) => rest);
    expect(JSON.stringify(body)).toBe(JSON.stringify({ resources: listed }));
    for (const document of harness.sandbox.documents().filter(({ source }) => source === provider))
      expect(document.linkedJobStatus).toBeNull();

    const next = nextCall(registered, 'ingest_and_wait');
    const { structured } = await harness.call('ingest_and_wait', next);
    expect(structured.outcome).toBe('completed');
    expect(structured.counts).toMatchObject({ submitted: 9, completed: 9 });
    const left = await harness.call('list_provider_resources', { provider });
    expect(left.structured.total).toBe(0);
  });
});

test('a known resource comes back as updated', async () => {
  const input = { provider: 'notion', resources: [resource] };
  const first = (await harness.call('register_provider_resources', input)).structured;
  const second = await harness.call('register_provider_resources', input);
  const [{ id }] = first.sources;
  expect(second.structured.sources).toEqual([{ status: 'known', id }]);
  expect(nextCall(second, 'ingest_and_wait')).toEqual({
    source: 'notion',
    documentIdsToRefresh: [id],
  });
});

test('resources that arrive as JSON text are read as the list', async () => {
  const resources = JSON.stringify([{ ...resource, externalId: 'page-2', path: ['A'] }]);
  const { isError, text } = await harness.call('register_provider_resources', {
    provider: 'notion',
    resources,
  });
  expect(isError, text).toBe(false);
});

test('whatever title was listed can be registered', async () => {
  const titles = ['\u0000\u202e', '  ', '', null];
  const rewrite = () => titles.map((title, id) => ({ id, title, url: `https://n.example/t${id}` }));
  harness.sandbox.script({ method: 'GET', action: { kind: 'rewrite', rewrite } });
  const listed = await harness.call('list_provider_resources', { provider: 'notion' });
  const { resources } = listed.structured;
  expect(resources).toHaveLength(titles.length);
  const registered = await harness.call('register_provider_resources', {
    provider: 'notion',
    resources,
  });
  expect(registered.isError, registered.text).toBe(false);
});

test('whatever kind of item was listed can be registered, and its ID goes out as it came', async () => {
  const id = 'odd (Refunds)/ü:';
  const kinds = ['\u200b', 'x'.repeat(10_000), 'text/html\nfake'];
  const rewrite = () =>
    kinds.map((mimeType, index) => ({
      id: `${id}${index}`,
      title: 'Odd',
      url: `https://n.example/kind${index}`,
      mimeType,
      object: mimeType,
    }));
  harness.sandbox.script({ method: 'GET', action: { kind: 'rewrite', rewrite } });
  const listed = await harness.call('list_provider_resources', { provider: 'notion' });
  const { resources } = listed.structured;
  const registered = await harness.call('register_provider_resources', {
    provider: 'notion',
    resources,
  });
  expect(registered.isError, registered.text).toBe(false);
  expect(harness.sandbox.requests.at(-1)?.body).toMatchObject({
    resources: kinds.map((_, index) => ({
      externalId: `${id}${index}`,
      mimeType: expect.stringMatching(/./),
    })),
  });
});

test('what Fini refuses is said with its reason', async () => {
  const { isError, text } = await harness.call('register_provider_resources', {
    provider: 'notion',
    resources: [{ ...resource, mimeType: '' }],
  });
  expect(isError).toBe(true);
  expect(text).toMatch(/mimeType/);
});

test('an answer without IDs breaks nothing', async () => {
  const answer = (body: object) => {
    harness.sandbox.script({ method: 'POST', action: { kind: 'rewrite', rewrite: () => body } });
    const input = { provider: 'notion', resources: [resource] };
    return harness.call('register_provider_resources', input);
  };
  const empty = await answer({ addedDocumentIds: null, updatedDocumentIds: [null, 7] });
  expect(empty.isError).toBe(false);
  expect(empty.structured.sources).toEqual([]);
  // Without either list, the answer does not say that nothing was registered.
  const other = await answer({});
  expect(other.isError).toBe(true);
  expect(other.text).toMatch(/may have been registered/);
});
