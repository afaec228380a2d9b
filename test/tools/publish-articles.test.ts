import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { SandboxArticle } from '../../src/sandbox/sandbox-server.ts';
import { clientWithPerson, type PersonAnswer, Stops, startHarness } from '../harness.ts';
import { nextCall, nextCallsOf } from '../next-calls.ts';
import type { FaultAction, ScriptedSandbox } from '../scripted-sandbox.ts';
import { expectFitToShow, HOSTILE } from './showing.ts';

const stops = new Stops();
afterEach(() => stops.run());

/** Starts a server that can publish, with a client that answers its questions, if it can be asked. */
async function start(
  answer?:
    | PersonAnswer
    | ((sandbox: ScriptedSandbox, question: string) => PersonAnswer | Promise<PersonAnswer>),
  environment: Record<string, string> = {},
  { silentCallSeconds = 200 } = {},
) {
  const questions: string[] = [];
  const client = clientWithPerson((question) => {
    questions.push(question);
    if (answer === undefined) return 'fault';
    return typeof answer === 'string' ? answer : answer(sandbox, question);
  });
  const harness = await startHarness({ folders: true }, environment, ['--allow-publish'], {
    ...(answer !== undefined && { client }),
    dependencies: { silentCallSeconds },
  });
  stops.use(harness);
  const { sandbox } = harness;
  const call = (articleIds: string[], more: object = {}) =>
    harness.call('publish_articles', { articleIds, ...more });
  /** Publishes; where nobody can be asked, what a dry run has shown. */
  const publish = async (articleIds: string[], more: object = {}) => {
    if (answer !== undefined || 'dryRun' in more) return call(articleIds, more);
    const [shown] = nextCallsOf(await call(articleIds, { dryRun: true }), 'publish_articles');
    return call(articleIds, { ...(shown && { shown: shown.shown }), ...more });
  };
  return { ...harness, sandbox, questions, publish, call };
}

const draftOf = (sandbox: ScriptedSandbox, fields: Partial<SandboxArticle> = {}) =>
  sandbox.addArticle({ title: 'Refunds', isDraftPublished: false, ...fields });
const publications = (sandbox: ScriptedSandbox) =>
  sandbox.requests.filter(({ path }) => path.endsWith('/publish/public'));
const find = (sandbox: ScriptedSandbox, id: string) =>
  sandbox.articles().find((one) => one.id === id);

/** Changes an article, as someone would in the dashboard. */
const change = (sandbox: ScriptedSandbox, id: string, fields: Partial<SandboxArticle>) =>
  sandbox.addArticle({ ...find(sandbox, id), ...fields });

const UNKNOWN = '3f2b8c1e-5d47-4a90-b6e1-0c9d8e7f6a51';

test('by default nothing can be published', async () => {
  const harness = stops.use(await startHarness({ folders: true }));
  const { tools } = await harness.client.listTools();
  expect(tools.map(({ name }) => name)).not.toContain('publish_articles');
  const { id } = draftOf(harness.sandbox);
  const { text, isError } = await harness.call('publish_articles', { articleIds: [id] });
  expect(isError).toBe(true);
  expect(text).toMatch(/publish_articles is off: .* started with --allow-publish\.$/);
  expect(publications(harness.sandbox)).toEqual([]);
});

test('a draft of a new article goes live with its own fields, and its new ID is told', async () => {
  const { publish, sandbox } = await start();
  const draft = draftOf(sandbox);
  const { structured, text, isError } = await publish([draft.id]);
  expect(isError).toBe(false);
  const [article] = structured.articles;
  expect(article).toMatchObject({ status: 'published', id: draft.id, title: 'Refunds' });
  expect(article.articleId).not.toBe(draft.id);
  expect(article.updates).toBeUndefined();
  const live = find(sandbox, article.articleId);
  expect(live).toMatchObject({ title: 'Refunds', isDraftPublished: null, version: 1 });
  const { title, mainKnowledge, agentInstruction, questions, keywords, escalation } = draft;
  const { parentFolderId, active, public: isPublic, origin } = draft;
  expect(publications(sandbox).map(({ body }) => body)).toEqual([
    {
      ...{ title, mainKnowledge, agentInstruction, questions, keywords, escalation },
      ...{ parentFolderId, active, public: isPublic, origin },
    },
  ]);
  expect(structured.outcome).toBe('published');
  expect(text).toMatch(
    /^1 draft published\. Agents answer .* assigned to them\. This client cannot be asked .*--allow-publish.*\n/,
  );
  expect(text).toContain(
    `\nPublished (1):\n- "Refunds" (${draft.id}): articleId ${article.articleId}, isNew, `,
  );
});

test('a draft of an update keeps the ID of its live article, and says what it changes', async () => {
  const { publish, sandbox, questions } = await start('accept');
  const live = sandbox.addArticle({
    title: 'Refunds',
    mainKnowledge: 'Refunds take 5 days.\n\nAsk support.',
    keywords: ['refund', 'money'],
  });
  const draft = draftOf(sandbox, {
    ...{ title: 'Refunds and returns', mainKnowledge: 'Refunds take 3 days.\n\nAsk support.' },
    ...{ agentInstruction: live.agentInstruction, questions: live.questions },
    ...{ escalation: live.escalation, keywords: ['money', 'refund', 'return'] },
    ...{ originalArticleId: live.id, originalArticleVersion: live.version },
  });
  const { structured, text } = await publish([draft.id]);
  expect(structured.articles).toEqual([
    {
      ...{ status: 'published', id: draft.id, articleId: live.id, updates: live.id },
      ...{ title: 'Refunds and returns', folder: expect.stringMatching(/\w/) },
      changes: [
        'title: "Refunds" → "Refunds and returns"',
        'text, by paragraph: 1 removed ("Refunds take 5 days."), 1 added ("Refunds take 3 days.")',
        'keywords: 1 added ("return")',
      ],
    },
  ]);
  expect(find(sandbox, live.id)).toMatchObject({ title: 'Refunds and returns', version: 2 });
  expect(questions).toHaveLength(1);
  for (const part of [draft.id, live.id, '"Refunds" → "Refunds and returns"', '3 days'])
    expect(questions[0]).toContain(part);
  expect(text).toContain(`changes ${structured.articles[0].changes.join('; ')}`);
});

test('with dryRun it only shows what would be published, and the call that does it', async () => {
  const { publish, sandbox, questions } = await start('accept');
  const { id } = draftOf(sandbox);
  const answer = await publish([id, UNKNOWN], { dryRun: true });
  const { structured, isError } = answer;
  expect(isError).toBe(false);
  expect(structured.outcome).toBe('dry_run');
  expect(structured.articles.map(({ status }: { status: string }) => status)).toEqual([
    ...['would_publish', 'not_published'],
  ]);
  expect(structured.message).toMatch(
    /^Nothing has been published yet\. 1 draft of 2 can be published\./,
  );
  expect(nextCall(answer, 'publish_articles')).toEqual({
    articleIds: [id],
    shown: [expect.any(String)],
  });
  expect(nextCall(answer, 'list_articles')).toEqual({ type: 'draft' });
  expect(questions).toEqual([]);
  expect(publications(sandbox)).toEqual([]);
});

describe('the person', () => {
  test.each(['decline', 'cancel'] as const)('who answers %s keeps everything', async (answer) => {
    const { publish, sandbox } = await start(answer);
    const { id } = draftOf(sandbox);
    const { structured, isError } = await publish([id, UNKNOWN]);
    expect(isError).toBe(false);
    expect(structured.outcome).toBe('declined');
    expect(structured.message).toMatch(/did not agree, so nothing was published/);
    expect(structured.articles).toMatchObject([
      { id, status: 'not_published', reason: 'Not agreed to.' },
      { id: UNKNOWN, status: 'not_published', reason: expect.stringMatching(/no such article/) },
    ]);
    expect(publications(sandbox)).toEqual([]);
  });

  test('who cannot be reached keeps everything', async () => {
    const { publish, sandbox } = await start('fault');
    const { structured } = await publish([draftOf(sandbox).id]);
    expect(structured.message).toMatch(/could not ask the person.*nothing was published/);
    expect(publications(sandbox)).toEqual([]);
  });

  test('may think for longer than a call lasts', async () => {
    const slow = async () => {
      await sleep(900);
      return 'accept' as const;
    };
    const { publish, sandbox } = await start(slow, {}, { silentCallSeconds: 2 });
    const { structured } = await publish([draftOf(sandbox).id]);
    expect(structured.outcome).toBe('published');
  });

  test('is asked again about a draft that has changed meanwhile, and agrees to that one', async () => {
    const ids: string[] = [];
    const { publish, sandbox, questions } = await start((fini, question) => {
      if (!question.includes('Second')) {
        change(fini, ids[0] ?? '', { title: 'Second', mainKnowledge: 'The second text.' });
      }
      return 'accept';
    });
    ids.push(draftOf(sandbox).id);
    const { structured } = await publish(ids);
    expect(questions).toHaveLength(2);
    expect(publications(sandbox).map(({ body }) => body)).toMatchObject([
      { title: 'Second', mainKnowledge: 'The second text.' },
    ]);
    expect(structured.articles[0].title).toBe('Second');
  });

  test('is not asked again where nothing is left to publish by then', async () => {
    const ids: string[] = [];
    const { publish, sandbox, questions } = await start((fini) => {
      change(fini, ids[0] ?? '', { isDraftPublished: true });
      return 'accept';
    });
    ids.push(draftOf(sandbox).id);
    const { structured } = await publish(ids);
    expect(questions).toHaveLength(1);
    expect(structured.articles).toMatchObject([
      { status: 'already_published', reason: expect.stringMatching(/already been published/) },
    ]);
    expect(publications(sandbox)).toEqual([]);
  });

  test('is shown each draft by its ID, with what a page chose in quotes', async () => {
    const { publish, sandbox, questions } = await start('decline');
    const drafts = [HOSTILE, '"\n- and 90 more', 'Refunds'].map((title) =>
      draftOf(sandbox, { title, mainKnowledge: `${HOSTILE}\n\n${title}` }),
    );
    const live = sandbox.addArticle({ title: 'Old', mainKnowledge: HOSTILE });
    const update = draftOf(sandbox, {
      ...{ originalArticleId: live.id, originalArticleVersion: live.version, title: HOSTILE },
    });
    const answer = await publish([...drafts, update].map(({ id }) => id));
    expectFitToShow(answer);
    const lines = questions[0]?.split('\n') ?? [];
    expect(lines).toHaveLength(5);
    expect(lines[0]).toMatch(
      /^Publish 4 drafts in Fini\? Agents will answer customers from what is published/,
    );
    for (const [index, { id }] of [...drafts, update].entries()) {
      expect(lines[index + 1]).toMatch(new RegExp(`^- ${id} "`));
    }
  });
});

describe('what is not published, and why', () => {
  const cases: [what: string, fields: Partial<SandboxArticle>, reason: RegExp][] = [
    [
      'no questions',
      { questions: [] },
      /Fini publishes no article without questions\. Add questions to this draft in/,
    ],
    ['no keywords', { keywords: [] }, /without keywords\./],
    [
      'neither',
      { questions: [], keywords: [] },
      /without questions and keywords\. Add questions and keywords to this draft/,
    ],
    ['no title', { title: ' ' }, /without a title\. Add a title to this draft/],
    ['no text', { mainKnowledge: '' }, /without a text \(mainKnowledge\)/],
    ['no folder', { parentFolderId: null }, /without a folder \(parentFolderId\)/],
    ['live', { isDraftPublished: null }, /is a live article already/],
  ];
  test.each(cases)('%s', async (_what, fields, reason) => {
    const { publish, sandbox, questions } = await start('accept');
    const bad = draftOf(sandbox, fields);
    const good = draftOf(sandbox, { title: 'Good' });
    const alone = await publish([bad.id]);
    expect(alone.isError).toBe(true);
    expect(alone.structured).toMatchObject({
      outcome: 'not_published',
      articles: [{ id: bad.id, status: 'not_published', reason: expect.stringMatching(reason) }],
    });
    expect(alone.text).toMatch(reason);
    expect(questions).toEqual([]);
    expect(publications(sandbox)).toEqual([]);
    const both = await publish([bad.id, good.id]);
    expect(both.isError).toBe(false);
    expect(both.structured.outcome).toBe('partial');
    expect(both.structured.articles).toMatchObject([
      { id: bad.id, status: 'not_published' },
      { id: good.id, status: 'published' },
    ]);
    expect(questions[0]).not.toContain(bad.id);
    expect(publications(sandbox)).toHaveLength(1);
  });

  test('what was published before, which is no failure', async () => {
    const { publish, sandbox, questions } = await start('accept');
    const before = draftOf(sandbox, { isDraftPublished: true });
    const alone = await publish([before.id]);
    expect(alone.isError).toBe(false);
    expect(alone.structured).toMatchObject({
      outcome: 'published',
      message:
        '0 drafts published, 1 published before. Whatever was not published now has a reason.',
      articles: [{ status: 'already_published', reason: 'It has already been published.' }],
    });
    const both = await publish([before.id, draftOf(sandbox).id]);
    expect(both.structured).toMatchObject({
      outcome: 'published',
      articles: [{ status: 'already_published' }, { status: 'published' }],
    });
    expect(questions).toHaveLength(1);
    expect(publications(sandbox)).toHaveLength(1);
  });

  test('an ID that Fini does not have', async () => {
    const { publish } = await start();
    const { structured } = await publish([UNKNOWN, UNKNOWN.toUpperCase()]);
    expect(structured.articles).toMatchObject([
      { id: UNKNOWN, reason: expect.stringMatching(/^Fini has no such article\./) },
    ]);
  });

  test('what Fini refuses for itself does not stop the others', async () => {
    const { publish, sandbox } = await start();
    const [first, second] = [draftOf(sandbox), draftOf(sandbox)];
    sandbox.script({ path: /publish/, action: { kind: 'status', status: 400 } });
    const { structured } = await publish([first.id, second.id]);
    expect(structured.articles).toMatchObject([
      {
        ...{ id: first.id, status: 'not_published' },
        reason: expect.stringMatching(/HTTP 400.*Nothing was published.*in the Fini dashboard/),
      },
      { id: second.id, status: 'published' },
    ]);
  });

  test('a key that may not write: nothing more is sent after the first', async () => {
    const { publish, sandbox } = await start(undefined, { FINI_API_KEY: 'fini_sandbox_read' });
    const ids = [draftOf(sandbox).id, draftOf(sandbox).id];
    const { structured, isError, text } = await publish(ids);
    expect(isError).toBe(true);
    expect(structured.articles).toMatchObject([
      { id: ids[0], status: 'not_published', reason: expect.stringMatching(/HTTP 403/) },
      { id: ids[1], status: 'not_published', reason: expect.stringMatching(/^Not sent, because/) },
    ]);
    expect(text).toMatch(/needs the write scope/);
    expect(publications(sandbox)).toHaveLength(1);
  });
});

describe('a live article that has changed since the draft was made', () => {
  async function startWithConflict(answer?: PersonAnswer) {
    const started = await start(answer);
    const live = started.sandbox.addArticle({ version: 4 });
    const draft = draftOf(started.sandbox, {
      ...{ originalArticleId: live.id, originalArticleVersion: 3 },
    });
    return { ...started, live, draft };
  }

  test('is not overwritten where nobody can be asked', async () => {
    const { publish, sandbox, draft } = await startWithConflict();
    const { structured, isError } = await publish([draft.id]);
    expect(isError).toBe(true);
    expect(structured.articles[0].reason).toMatch(
      /has changed since this draft was made \(now version 4\).*Only a person can decide/,
    );
    expect(publications(sandbox)).toEqual([]);
  });

  test('is overwritten where the person agrees to that', async () => {
    const { publish, questions, draft, live } = await startWithConflict('accept');
    const { structured } = await publish([draft.id]);
    expect(questions[0]).toMatch(
      /WARNING: The live article has changed .* publishing would undo that/,
    );
    expect(structured.articles[0]).toMatchObject({ status: 'published', articleId: live.id });
  });

  test.each<[what: string, live: unknown, draft: unknown, isPublished: boolean]>([
    ['a newer one, both as text', '5', '3', false],
    ['a newer one, the one as text', 5, '3', false],
    ['the same one, as text', '5', 5, true],
    ['an older one', 3, 5, false],
    ['none', null, 3, false],
    ['none that the draft names', 5, null, false],
    ['one that is no number', 'v5', 'v5', false],
    ['one that has lost digits', 2 ** 53, 2 ** 53, false],
  ])('whose version is %s: published unasked is only the same', async (_what, ...given) => {
    const [liveVersion, draftVersion, isPublished] = given;
    const { publish, sandbox } = await start();
    const live = sandbox.addArticle({});
    const draft = draftOf(sandbox, { originalArticleId: live.id, originalArticleVersion: 1 });
    const rewrite = (answer: unknown) =>
      Array.isArray(answer)
        ? answer.map((one) => ({
            ...one,
            ...(one.id === live.id && { version: liveVersion }),
            ...(one.id === draft.id && { originalArticleVersion: draftVersion }),
          }))
        : answer;
    sandbox.script({ path: /ids\/public/, times: 9, action: { kind: 'rewrite', rewrite } });
    const { structured } = await publish([draft.id]);
    expect(structured.articles[0].status).toBe(isPublished ? 'published' : 'not_published');
    expect(publications(sandbox)).toHaveLength(isPublished ? 1 : 0);
  });

  test('whose version nobody can compare is published where the person agrees', async () => {
    const { publish, sandbox, questions } = await start('accept');
    const live = sandbox.addArticle({});
    const draft = draftOf(sandbox, { originalArticleId: live.id, originalArticleVersion: null });
    const { structured } = await publish([draft.id]);
    expect(questions[0]).toMatch(/WARNING: It is unknown whether the live article has changed/);
    expect(structured.articles[0].status).toBe('published');
  });

  test('or is gone', async () => {
    const { publish, sandbox } = await start();
    const draft = draftOf(sandbox, { originalArticleId: UNKNOWN, originalArticleVersion: 1 });
    const { structured } = await publish([draft.id]);
    expect(structured.articles[0].reason).toMatch(/that it updates is not in Fini any more/);
    expect(publications(sandbox)).toEqual([]);
  });
});

describe('two drafts of the same live article in one call', () => {
  test('are both left, since the second would undo the first', async () => {
    const { publish, sandbox, questions } = await start('accept');
    const live = sandbox.addArticle({});
    const fields = { originalArticleId: live.id, originalArticleVersion: live.version };
    const rivals = [draftOf(sandbox, fields), draftOf(sandbox, fields)].map(({ id }) => id);
    const other = draftOf(sandbox).id;
    const { structured } = await publish([...rivals, other]);
    expect(structured.articles).toMatchObject([
      { status: 'not_published', reason: expect.stringMatching(/Another draft .* choose one/) },
      { status: 'not_published', reason: expect.stringMatching(/Another draft .* choose one/) },
      { id: other, status: 'published' },
    ]);
    expect(questions).toHaveLength(1);
    for (const id of rivals) expect(questions[0]).not.toContain(id);
    expect(publications(sandbox)).toHaveLength(1);
    const alone = await publish(rivals.slice(0, 1));
    expect(alone.structured.outcome).toBe('published');
  });

  test('do not stand in each other’s way where only one of them can be published', async () => {
    const { publish, sandbox } = await start('accept');
    const live = sandbox.addArticle({});
    const fields = { originalArticleId: live.id, originalArticleVersion: live.version };
    const done = draftOf(sandbox, { ...fields, isDraftPublished: true });
    const { structured } = await publish([done.id, draftOf(sandbox, fields).id]);
    expect(structured.articles).toMatchObject([
      { status: 'already_published', reason: expect.stringMatching(/already been published/) },
      { status: 'published' },
    ]);
  });
});

describe('two drafts with the same title and text in one call', () => {
  const twin = { title: 'Refunds', mainKnowledge: 'Refunds take 5 days.' };
  const twins = (sandbox: ScriptedSandbox) => [
    draftOf(sandbox, twin).id,
    draftOf(sandbox, { ...twin, title: ' Refunds', mainKnowledge: 'Refunds take  5 days.\n' }).id,
  ];

  test('are both left where nobody can be asked', async () => {
    const { publish, sandbox } = await start();
    const [one = '', other = ''] = twins(sandbox);
    const { id } = draftOf(sandbox, { title: 'Another', mainKnowledge: twin.mainKnowledge });
    const { structured } = await publish([one, other, id]);
    const reason = (of: string) =>
      expect.stringMatching(new RegExp(`same title and text as ${of}.*two live articles`));
    expect(structured.articles).toMatchObject([
      { id: one, status: 'not_published', reason: reason(other) },
      { id: other, status: 'not_published', reason: reason(one) },
      { id, status: 'published' },
    ]);
    expect(publications(sandbox)).toHaveLength(1);
    const alone = await publish([one]);
    expect(alone.structured.outcome).toBe('published');
  });

  test('are shown to the person, and published where that is agreed to', async () => {
    const { publish, sandbox, questions } = await start('accept');
    const ids = twins(sandbox);
    const shown = await publish(ids, { dryRun: true });
    for (const { status, reason } of shown.structured.articles) {
      expect(status).toBe('would_publish');
      expect(reason).toMatch(/same title and text as .*only if the client can ask the person/);
    }
    const { structured } = await publish(ids);
    expect(questions[0]?.match(/WARNING: It has the same title and text as/g)).toHaveLength(2);
    expect(structured.outcome).toBe('published');
  });

  test('are none where one of them cannot be published', async () => {
    const { publish, sandbox } = await start();
    const [one = ''] = twins(sandbox);
    const done = draftOf(sandbox, { ...twin, isDraftPublished: true });
    const { structured } = await publish([done.id, one]);
    expect(structured.articles).toMatchObject([
      { status: 'already_published' },
      { status: 'published' },
    ]);
  });
});

describe('where nobody can be asked', () => {
  test('a draft is shown before it is published, with the call that then publishes it', async () => {
    const { call, sandbox } = await start();
    const { id } = draftOf(sandbox);
    const first = await call([id]);
    expect(first.isError).toBe(false);
    expect(first.structured).toMatchObject({
      outcome: 'dry_run',
      message: expect.stringMatching(/^Nothing has been published yet: .*cannot ask/),
      articles: [{ id, status: 'would_publish' }],
    });
    expect(publications(sandbox)).toEqual([]);
    const { shown } = nextCall(first, 'publish_articles');
    expect((await call([id], { shown })).structured.outcome).toBe('published');
  });

  test.each<[what: string, fields: Partial<SandboxArticle>]>([
    ['text', { mainKnowledge: 'Edited.' }],
    ['title', { title: 'Edited' }],
    ['folder', { parentFolderId: UNKNOWN }],
    ['version of its original', { originalArticleVersion: 9 }],
  ])(
    'a draft whose %s was edited after it was shown is shown again first',
    async (_what, fields) => {
      const { call, sandbox } = await start();
      const live = sandbox.addArticle({ version: 9 });
      const [edited, same] = [
        draftOf(sandbox, { originalArticleId: live.id, originalArticleVersion: 9, title: 'One' }),
        draftOf(sandbox),
      ];
      const dry = await call([edited.id, same.id], { dryRun: true });
      const { shown } = nextCall(dry, 'publish_articles');
      change(sandbox, edited.id, fields);
      if ('originalArticleVersion' in fields) change(sandbox, live.id, { mainKnowledge: 'Newer.' });
      const again = await call([edited.id, same.id], { shown });
      expect(again.structured).toMatchObject({
        outcome: 'dry_run',
        message: expect.stringMatching(/1 draft is not as it was shown/),
        articles: [{ reason: expect.stringMatching(/not as it was shown/) }, { id: same.id }],
      });
      expect(again.structured.articles[1].reason).toBeUndefined();
      expect(publications(sandbox)).toEqual([]);
      await call([edited.id, same.id], nextCall(again, 'publish_articles'));
      expect(publications(sandbox)).toHaveLength(2);
    },
  );

  test('some of the drafts that were shown can be published', async () => {
    const { call, sandbox } = await start();
    const ids = [draftOf(sandbox, { title: 'One' }).id, draftOf(sandbox, { title: 'Two' }).id];
    const { shown } = nextCall(await call(ids, { dryRun: true }), 'publish_articles');
    const { structured } = await call(ids.slice(1), { shown });
    expect(structured).toMatchObject({ outcome: 'published', articles: [{ title: 'Two' }] });
  });

  test('what was shown of one draft is not good for another', async () => {
    const { call, sandbox } = await start();
    const ids = [draftOf(sandbox).id, draftOf(sandbox, { title: 'Another' }).id];
    const { shown } = nextCall(await call(ids.slice(0, 1), { dryRun: true }), 'publish_articles');
    const { structured } = await call(ids.slice(1), { shown });
    expect(structured.outcome).toBe('dry_run');
    expect(publications(sandbox)).toEqual([]);
  });
});

describe('what is said of a draft', () => {
  test('a folder that is not in the tree is said to be gone, with its ID', async () => {
    const { publish, sandbox, questions } = await start('decline');
    const live = sandbox.addArticle({});
    const moved = { originalArticleId: live.id, originalArticleVersion: live.version };
    const drafts = [{}, moved].map((more) =>
      draftOf(sandbox, { parentFolderId: UNKNOWN, ...more }),
    );
    const { structured } = await publish(drafts.map(({ id }) => id));
    const gone = new RegExp(`^a folder that no longer exists.*\\(${UNKNOWN}\\)$`);
    expect(structured.articles[0].folder).toMatch(gone);
    expect(questions[0]?.match(/a folder that no longer exists/g)?.length).toBeGreaterThan(1);
    expect(structured.articles[1].changes?.join() ?? questions[0]).toMatch(/no longer exists/);
  });

  test('nothing is said to be gone of a tree that could not be read whole', async () => {
    const { publish, sandbox } = await start();
    const { id } = draftOf(sandbox, { parentFolderId: UNKNOWN });
    const body = { snapshotObjV2: [null] };
    sandbox.script({ path: /hc-folders/, action: { kind: 'status', status: 200, body } });
    const { structured } = await publish([id], { dryRun: true });
    expect(structured.articles[0].folder).toBe(UNKNOWN);
  });

  test('paragraphs in another order are a change', async () => {
    const { publish, sandbox } = await start();
    const live = sandbox.addArticle({ mainKnowledge: '1. Open.\n2. Pay.' });
    const update = { originalArticleId: live.id, originalArticleVersion: live.version };
    const { id: _, ...same } = { ...live, isDraftPublished: false, ...update };
    const moved = sandbox.addArticle({ ...same, mainKnowledge: '2. Pay.\n1. Open.' });
    const equal = sandbox.addArticle(same);
    const changes = async (id: string) =>
      (await publish([id], { dryRun: true })).structured.articles[0].changes;
    expect(await changes(moved.id)).toEqual(['text: only its order or spacing']);
    expect(await changes(equal.id)).toEqual([expect.stringMatching(/^nothing:/)]);
  });

  test('a new article that nobody will see, or everybody, is called so', async () => {
    const { publish, sandbox, questions } = await start('accept');
    const hidden = draftOf(sandbox, { active: false, public: false });
    const seen = draftOf(sandbox, { active: true, public: true });
    const { structured, text } = await publish([hidden.id, seen.id]);
    const [question] = questions;
    expect(question).toMatch(/a new article in folder .*, inactive, not shown in the help center/);
    expect(question).toMatch(/a new article in folder [^,]*, shown in the help center/);
    expect(text).toMatch(/isNew, visibility "inactive, not shown in the help center", folder /);
    expect(structured.articles).toMatchObject([
      { isNew: true, visibility: 'inactive, not shown in the help center' },
      { isNew: true, visibility: 'shown in the help center' },
    ]);
  });

  test('what is no draft is not called a new article', async () => {
    const { publish, sandbox } = await start();
    const live = sandbox.addArticle({ title: 'Refunds' });
    const { text, structured } = await publish([live.id, UNKNOWN]);
    expect(text).not.toMatch(/a new article|untitled/);
    expect(text).toContain(`- ${UNKNOWN} → Fini has no such article`);
    expect(structured.articles[0].isNew).toBeUndefined();
  });

  test('a dry run does not say that a conflict rules a draft out that a person can agree to', async () => {
    const { publish, sandbox } = await start('accept');
    const live = sandbox.addArticle({ version: 4 });
    const { id } = draftOf(sandbox, { originalArticleId: live.id, originalArticleVersion: 3 });
    const { structured } = await publish([id], { dryRun: true });
    expect(structured.articles[0].reason).toMatch(
      /has changed since .* It is published only if the client can ask the person/,
    );
  });

  test('the ID of its live article may be written in any case', async () => {
    const { publish, sandbox } = await start();
    const live = sandbox.addArticle({});
    const { id } = draftOf(sandbox, { originalArticleVersion: live.version });
    const rewrite = (answer: unknown) =>
      Array.isArray(answer)
        ? answer.map((one) =>
            one.id === id ? { ...one, originalArticleId: live.id.toUpperCase() } : one,
          )
        : answer;
    sandbox.script({ path: /ids\/public/, times: 9, action: { kind: 'rewrite', rewrite } });
    const { structured } = await publish([id], { dryRun: true });
    expect(structured.articles[0].reason).toBeUndefined();
    expect(structured.articles[0].changes).toBeDefined();
  });
});

describe('a request without an answer', () => {
  test('is looked after: what turns out to be published is said to be', async () => {
    const { publish, sandbox } = await start();
    const { id } = draftOf(sandbox);
    sandbox.script({ path: /publish/, action: { kind: 'reset', when: 'after' } });
    const { structured } = await publish([id]);
    expect(structured.articles).toMatchObject([{ id, status: 'published' }]);
    expect(structured.articles[0].articleId).toBeUndefined();
    expect(publications(sandbox)).toHaveLength(1);
  });

  test('is not sent again, and nothing after it is sent', async () => {
    const { publish, sandbox } = await start();
    const [first, second] = [draftOf(sandbox), draftOf(sandbox)];
    sandbox.script({ path: /publish/, action: { kind: 'reset', when: 'before' } });
    const { structured, isError } = await publish([first.id, second.id]);
    expect(isError).toBe(true);
    expect(structured.articles).toMatchObject([
      {
        id: first.id,
        status: 'unknown',
        reason: expect.stringMatching(/may be published all the/),
      },
      { id: second.id, status: 'not_published', reason: expect.stringMatching(/^Not sent/) },
    ]);
    const again = await publish([first.id]);
    expect(nextCallsOf(again, 'get_articles')).toEqual([{ articleIds: [first.id] }]);
    expect(again.structured.articles).toMatchObject([
      { status: 'unknown', reason: expect.stringMatching(/did not send it again/) },
    ]);
    expect(publications(sandbox)).toHaveLength(1);
  });

  test('two calls at once publish a draft once', async () => {
    const { publish, sandbox } = await start();
    const { id } = draftOf(sandbox);
    sandbox.script({ path: /publish/, action: { kind: 'slow', milliseconds: 100 } });
    const answers = await Promise.all([publish([id]), publish([id])]);
    const statuses = answers.map(({ structured }) => structured.articles[0]);
    expect(statuses).toMatchObject([{ status: 'published' }, { status: 'published' }]);
    expect(statuses[0].articleId).toBe(statuses[1].articleId);
    expect(publications(sandbox)).toHaveLength(1);
  });

  test('the same call again says what became of it, also where the draft does not show it', async () => {
    const { publish, sandbox } = await start();
    const { id } = draftOf(sandbox);
    const { structured } = await publish([id]);
    const [{ articleId }] = structured.articles;
    change(sandbox, id, { isDraftPublished: false });
    const again = await publish([id]);
    expect(again.structured.articles).toMatchObject([
      {
        status: 'already_published',
        articleId,
        reason: 'It has already been published.',
      },
    ]);
    expect(publications(sandbox)).toHaveLength(1);
  });
});

describe('what the contract leaves open', () => {
  test('a draft without the fields that tell it apart is found in the list of drafts', async () => {
    const { publish, sandbox } = await start();
    const { id } = draftOf(sandbox);
    const rewrite = (answer: unknown) =>
      Array.isArray(answer)
        ? answer.map(({ isDraftPublished: _, originalArticleId: __, ...rest }) => rest)
        : answer;
    sandbox.script({ path: /ids\/public/, times: 9, action: { kind: 'rewrite', rewrite } });
    const { structured } = await publish([id]);
    expect(structured.articles).toMatchObject([{ status: 'published' }]);
  });

  test.each<[what: string, action: FaultAction]>([
    ['too large', { kind: 'endless' }],
    ['not whole', { kind: 'status', status: 200, body: { articles: [], hasMore: true } }],
  ])('a list of drafts that is %s keeps no draft from being published', async (_what, action) => {
    const { publish, sandbox } = await start();
    const { id } = draftOf(sandbox);
    const live = sandbox.addArticle({ title: 'Live' });
    sandbox.script({ path: /public\?type=/, times: 9, action });
    const dry = await publish([id], { dryRun: true });
    expect(dry.structured.articles[0].reason).toMatch(/unknown whether it is a draft/);
    const { structured } = await publish([id, live.id]);
    expect(structured.articles).toMatchObject([
      { id, status: 'published' },
      { id: live.id, status: 'not_published', reason: expect.stringMatching(/no such draft/) },
    ]);
  });

  test('fields of open types go back as they came', async () => {
    const { publish, sandbox } = await start();
    const { id } = draftOf(sandbox);
    const open = {
      ...{
        escalation: { when: ['angry'], to: null },
        questions: [{ text: 'Why?' }],
        keywords: [7],
      },
    };
    const rewrite = (answer: unknown) =>
      Array.isArray(answer) ? answer.map((one) => ({ ...one, ...open })) : answer;
    sandbox.script({ path: /ids\/public/, times: 9, action: { kind: 'rewrite', rewrite } });
    await publish([id]);
    expect(publications(sandbox).map(({ body }) => body)).toMatchObject([open]);
  });

  test.each<[what: string, answer: unknown]>([
    ['nothing', null],
    ['a text', 'ok'],
    ['an envelope', { article: { id: UNKNOWN } }],
  ])('an answer that is %s is a publication', async (_what, answer) => {
    const { publish, sandbox } = await start();
    const { id } = draftOf(sandbox);
    sandbox.script({ path: /publish/, action: { kind: 'rewrite', rewrite: () => answer } });
    const { structured, text } = await publish([id]);
    expect(structured.articles).toMatchObject([{ status: 'published' }]);
    expect(text).not.toMatch(/null|undefined/);
  });

  test('a folder tree that cannot be read, or is stale, leaves only the folder’s name out', async () => {
    const { publish, sandbox } = await start();
    const { id, parentFolderId } = draftOf(sandbox);
    sandbox.script({ path: /hc-folders/, times: 9, action: { kind: 'status', status: 404 } });
    const { structured } = await publish([id]);
    expect(structured.articles).toMatchObject([{ status: 'published', folder: parentFolderId }]);
  });
});

test('a long text that differs late is shown from there on', async () => {
  const { publish, sandbox } = await start();
  const same = 'PersonAnswer kindly. '.repeat(40);
  const live = sandbox.addArticle({ agentInstruction: `${same}Offer a refund.` });
  const draft = draftOf(sandbox, {
    ...{ ...live, id: crypto.randomUUID(), agentInstruction: `${same}Offer a voucher.` },
    ...{ isDraftPublished: false, originalArticleId: live.id, originalArticleVersion: 1 },
  });
  const { structured } = await publish([draft.id], { dryRun: true });
  expect(structured.articles[0].changes).toEqual([
    'agent instruction: "…wer kindly. Offer a refund." → "…wer kindly. Offer a voucher."',
  ]);
});

test('twenty drafts with long texts stay within what a client shows a model', async () => {
  const { publish, sandbox } = await start();
  const long = (word: string) => Array.from({ length: 400 }, (_, at) => `${word} ${at} `.repeat(9));
  const ids = Array.from({ length: 20 }, (_, index) => {
    const live = sandbox.addArticle({ mainKnowledge: long('old').join('\n'), keywords: long('k') });
    const { id } = draftOf(sandbox, {
      ...{ title: `Title ${index} `.repeat(90), mainKnowledge: long('new').join('\n') },
      ...{ originalArticleId: live.id, originalArticleVersion: live.version },
    });
    return id;
  });
  const { structured, text } = await publish(ids, { dryRun: true });
  expect(structured.articles).toHaveLength(20);
  expect(Buffer.byteLength(text)).toBeLessThan(40_000);
  expect(Buffer.byteLength(JSON.stringify(structured))).toBeLessThan(40_000);
});
