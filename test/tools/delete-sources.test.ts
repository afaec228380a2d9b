import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { clientWithPerson, type PersonAnswer, Stops, startHarness } from '../harness.ts';
import { nextCall } from '../next-calls.ts';
import type { ScriptedSandbox } from '../scripted-sandbox.ts';
import { EXAMPLES } from './examples.ts';

const stops = new Stops();
afterEach(() => stops.run());

async function start(
  flags: string[],
  answer?: PersonAnswer | 'page',
  { thinksMs = 0, silentCallSeconds = 200 } = {},
) {
  const questions: string[] = [];
  const client = clientWithPerson(
    async (question) => {
      questions.push(question);
      await sleep(thinksMs);
      return answer === undefined || answer === 'page' ? 'fault' : answer;
    },
    answer === 'page' ? 'url' : 'form',
  );
  const dependencies = { silentCallSeconds };
  const {
    call,
    sandbox,
    client: connected,
  } = stops.use(
    await startHarness({}, {}, flags, { ...(answer !== undefined && { client }), dependencies }),
  );
  const names = (await connected.listTools()).tools.map(({ name }) => name);
  return { sandbox, names, questions, call };
}

const deletions = (sandbox: ScriptedSandbox) =>
  sandbox.requests.filter(({ method }) => method === 'DELETE');

/** The message for a deletion that the server could not ask about. */
const UNASKED =
  "This client cannot be asked to confirm, so this relied on the server's --allow-delete and on the client's own approval of the call.";

test('by default there is no tool that deletes', async () => {
  const { names, call, sandbox } = await start([]);
  expect(names).not.toContain('delete_sources');
  const { isError } = await call('delete_sources', { documentIds: [sandbox.addDocument({}).id] });
  expect(isError).toBe(true);
  expect(deletions(sandbox)).toEqual([]);
});

test('with --read-only there are only the tools that read', async () => {
  const { names } = await start(['--read-only']);
  const reading = EXAMPLES.filter(({ writes }) => !writes).map(({ tool }) => tool);
  expect(names.toSorted()).toEqual(reading.toSorted());
});

test('without elicitation it deletes what it is told to, and accounts for each ID', async () => {
  const { call, sandbox } = await start(['--allow-delete']);
  const { id } = sandbox.addDocument({ title: 'Refunds' });
  const unknown = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';
  const answer = await call('delete_sources', {
    documentIds: [unknown, id, id.toUpperCase()],
  });
  expect(answer.structured).toMatchObject({
    message: `1 source and 0 articles deleted. Not deleted, because not in Fini: 1 source. ${UNASKED}`,
    sources: [
      { status: 'not_deleted', id: unknown },
      { status: 'deleted', id, title: 'Refunds' },
    ],
    articles: [],
  });
  expect(answer.text).toContain(`\nNot deleted (1):\n- ${unknown}\nDeleted (1):\n- `);
  expect(nextCall(answer, 'list_sources')).toEqual({});
  const again = await call('delete_sources', { documentIds: [id, unknown] });
  expect(again.structured).toMatchObject({
    message: 'Nothing was deleted. Not in Fini: 2 sources.',
    sources: [
      { status: 'not_deleted', id },
      { status: 'not_deleted', id: unknown },
    ],
  });
  expect(sandbox.documents()).toEqual([]);
});

test('a person may think for longer than a call lasts', async () => {
  const slow = { thinksMs: 900, silentCallSeconds: 2 };
  const { call, sandbox } = await start(['--allow-delete'], 'accept', slow);
  const { id } = sandbox.addDocument({});
  const { structured } = await call('delete_sources', { documentIds: [id] });
  expect(structured.sources).toMatchObject([{ status: 'deleted', id }]);
  expect(sandbox.documents()).toEqual([]);
});

test('what was deleted has a name where its title is empty', async () => {
  const { call, sandbox } = await start(['--allow-delete']);
  const { id } = sandbox.addDocument({ title: ' \u200b', originalUrl: 'https://a.example/' });
  const { text } = await call('delete_sources', { documentIds: [id] });
  expect(text).toContain(`Deleted (1):\n- https://a.example/ (${id})`);
});

test('where the client can ask, the person is asked by name, and the articles are named apart', async () => {
  const { call, sandbox, questions } = await start(['--allow-delete'], 'accept');
  const first = sandbox.addDocument({ title: 'Refunds', originalUrl: 'https://a.example/1' });
  const second = sandbox.addDocument({ title: 'Invoices', originalUrl: 'https://a.example/2' });
  await call('delete_sources', { documentIds: [first.id] });
  await call('delete_sources', { documentIds: [second.id], deleteArticles: true });
  expect(questions).toEqual([
    `Permanently delete 1 source from Fini, but keep the linked Knowledge articles?
- ${first.id} "Refunds" https://a.example/1`,
    `Permanently delete 1 source from Fini, and the linked Knowledge articles (agents will no longer answer from those)?
- ${second.id} "Invoices" https://a.example/2`,
  ]);
  expect(sandbox.documents()).toEqual([]);
  expect(deletions(sandbox).map(({ body }) => body)).toMatchObject([
    { deleteArticles: false },
    { deleteArticles: true },
  ]);
});

test('the question tells sources apart, whatever their titles are', async () => {
  const { call, sandbox, questions } = await start(['--allow-delete'], 'decline');
  const titles = ['Refunds', 'Refunds', '', '\u200b\u202e ', null, '"\n- and 90 more'];
  const ids = titles.map(
    (title, index) => sandbox.addDocument({ title, originalUrl: `https://a.example/${index}` }).id,
  );
  const bare = sandbox.addDocument({ title: null, originalUrl: null }).id;
  const blanks = [' ', '\u00a0', '\u2800', '\u3164', '\u2028', '\u200b\ufe0f'].join('');
  const odd = sandbox.addDocument({
    title: `Odd${blanks}${bare}`,
    originalUrl: `https://a.example/${blanks}- ${bare} "Refunds"`,
  }).id;
  const unknown = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';
  const rest = Array.from({ length: 3 }, () => sandbox.addDocument({}).id);
  const documentIds = [...ids, bare, odd, unknown, ...rest];
  await call('delete_sources', { documentIds });
  await call('delete_sources', { documentIds, deleteArticles: true });
  const [first, second] = questions.map((question) => question.split('\n'));
  expect(first?.[0]).toBe(
    'Permanently delete 12 sources from Fini, but keep the linked Knowledge articles?',
  );
  expect(second?.[0]).toBe(
    'Permanently delete 12 sources from Fini, and the linked Knowledge articles (agents will no longer answer from those)?',
  );
  expect(first?.slice(1, 10)).toEqual([
    `- ${ids[0]} "Refunds" https://a.example/0`,
    `- ${ids[1]} "Refunds" https://a.example/1`,
    `- ${ids[2]} untitled https://a.example/2`,
    `- ${ids[3]} untitled https://a.example/3`,
    `- ${ids[4]} untitled https://a.example/4`,
    `- ${ids[5]} "\\" - and 90 more" https://a.example/5`,
    `- ${bare} untitled`,
    `- ${odd} "Odd ${bare}" https://a.example/${encodeURIComponent(blanks)}-%20${bare}%20"Refunds"`,
    `- ${unknown} title unknown`,
  ]);
  expect(first).toHaveLength(12);
  expect(first?.at(-1)).toBe('- and 2 more');
});

test.each(['decline', 'cancel'] as const)(
  'a person who answers with %s keeps everything',
  async (answer) => {
    const { call, sandbox } = await start(['--allow-delete'], answer);
    const { id } = sandbox.addDocument({});
    const { structured, isError } = await call('delete_sources', { documentIds: [id] });
    expect(isError).toBe(false);
    expect(structured.sources).toEqual([{ status: 'not_deleted', id }]);
    expect(structured.message).toMatch(/did not agree, so nothing was deleted/);
    expect(deletions(sandbox)).toEqual([]);
  },
);

test('a client that fails to ask keeps everything, and is not told of a fault of the server', async () => {
  const { call, sandbox, questions } = await start(['--allow-delete'], 'fault');
  const { id } = sandbox.addDocument({});
  const { structured, isError, text } = await call('delete_sources', { documentIds: [id] });
  expect(questions).toHaveLength(1);
  expect(isError).toBe(false);
  expect(structured.sources).toEqual([{ status: 'not_deleted', id }]);
  expect(text).toMatch(/could not ask the person.*nothing was deleted/);
  expect(deletions(sandbox)).toEqual([]);
});

test('a client that only opens pages is not asked', async () => {
  const { call, sandbox, questions } = await start(['--allow-delete'], 'page');
  const { id } = sandbox.addDocument({});
  const { structured } = await call('delete_sources', { documentIds: [id] });
  expect(questions).toEqual([]);
  expect(structured.sources).toMatchObject([{ status: 'deleted', id }]);
});

test('where Fini knows none of them, nobody is asked and nothing is sent', async () => {
  const { call, sandbox, questions } = await start(['--allow-delete'], 'accept');
  const unknown = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';
  const { structured, isError, text } = await call('delete_sources', { documentIds: [unknown] });
  expect(isError).toBe(false);
  expect(questions).toEqual([]);
  expect(deletions(sandbox)).toEqual([]);
  expect(structured.sources).toEqual([{ status: 'not_deleted', id: unknown }]);
  expect(text).toMatch(/^Nothing was deleted\. Not in Fini: 1 source\.\n/);
  const { id } = sandbox.addDocument({});
  await call('delete_sources', { documentIds: [unknown, id] });
  expect(questions).toHaveLength(1);
  // A 404 from something in front of Fini says nothing about the source.
  const other = sandbox.addDocument({}).id;
  const action = { kind: 'status', status: 404, body: 'no such page' } as const;
  sandbox.script({ method: 'GET', times: 9, action });
  await call('delete_sources', { documentIds: [other] });
  expect(questions).toHaveLength(2);
  expect(deletions(sandbox)).toHaveLength(2);
});

test('an article that stays is named, since agents still answer from it', async () => {
  const { call, sandbox } = await start(['--allow-delete']);
  const article = '0d9c8b7a-6f5e-4d3c-8b2a-190807060504';
  const linked = () => sandbox.addDocument({ linkedKnowledgeId: article }).id;
  const kept = await call('delete_sources', {
    documentIds: [linked(), sandbox.addDocument({}).id],
  });
  expect(kept.structured).toMatchObject({
    message: `2 sources and 0 articles deleted. Kept: 1 Knowledge article made from what was deleted. Agents may still answer from kept articles. They can be deleted in the Fini dashboard. ${UNASKED}`,
    articles: [{ status: 'kept', id: article }],
  });
  expect(kept.text).toContain(`\nArticles kept (1):\n- ${article}`);
  const gone = await call('delete_sources', { documentIds: [linked()], deleteArticles: true });
  expect(gone.structured.message).not.toMatch(/[Kk]ept/);
  const bare = await call('delete_sources', { documentIds: [sandbox.addDocument({}).id] });
  expect(bare.structured.message).toMatch(/^1 source and 0 articles deleted\. This client/);
  const documentIds = Array.from({ length: 60 }, () => sandbox.addDocument({}).id);
  const many = await call('delete_sources', { documentIds });
  expect(many.structured.message).toMatch(
    /articles made from what was deleted, if any, are kept, and agents may/,
  );
});
