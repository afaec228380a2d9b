import * as z from 'zod';
import { type Folders, readFolders } from '../engine/folder-paths.ts';
import { withoutDuplicates } from '../engine/inputs.ts';
import type { Conflict, DraftToPublish, PublishedDraft, RequiredField } from '../engine/publish.ts';
import { paragraph, plural, shown, TITLE_LENGTH } from '../text.ts';
import { changesOf, folderName } from './article-changes.ts';
import { consentText, subjectDigest } from './confirm.ts';
import { articleIds, dryRun, trimmed } from './fields.ts';
import type { NextCall } from './next-calls.ts';
import { defineTool, type Question, type ToolContext } from './tool.ts';

/** Maximum number of drafts that were shown: those of a call, and of calls before. */
const MAXIMUM_SHOWN = 100;
/** Characters of a digest that tell one draft's content from another's. */
const KEY_LENGTH = 16;

const UNKNOWN_DRAFT =
  "It is unknown whether it is a draft, because Fini's list of drafts could not be read whole. Fini refuses to publish what is no draft.";

const OUTCOMES = ['published', 'partial', 'not_published', 'declined', 'dry_run'] as const;

const publication = z.object({
  status: z
    .enum(['published', 'already_published', 'not_published', 'unknown', 'would_publish'])
    .describe('unknown: Fini did not confirm it.'),
  id: z.string().describe('The ID of the draft.'),
  articleId: z
    .string()
    .optional()
    .describe('The ID of the live article; for a new article it differs from that of the draft.'),
  title: z.string().optional(),
  isNew: z.boolean().optional().describe('It becomes a new live article.'),
  visibility: z
    .string()
    .optional()
    .describe('Of a new article: if it is inactive, and if the help center shows it.'),
  folder: z.string().optional().describe('Titles from the top folder down, or the ID.'),
  updates: z
    .string()
    .optional()
    .describe('ID of the live article that it updates; absent for a new article.'),
  changes: z.array(z.string()).optional().describe('Changes to the live article.'),
  reason: z
    .string()
    .optional()
    .describe('Reason that it is not published, or only if that is agreed to, with advice.'),
});

type Publication = z.output<typeof publication>;

/** Makes drafts live. */
export const publishArticles = defineTool({
  name: 'publish_articles',
  title: 'Publish draft articles',
  description:
    'Publishes drafts, so that agents answer customers from them: as new live articles, or as updates of existing ones. Use it only if the person asked for exactly that, after showing them each draft (get_articles) and what changes (dryRun; its nextCalls publish what it has shown). If the client supports it, the person is asked to confirm (over HTTP, only clients of protocol 2026-07-28). To take an article back, use the Fini dashboard.',
  kind: 'publishes',
  scope: 'read and write',
  idempotent: true,
  openWorld: false,
  inputSchema: z.strictObject({
    articleIds: articleIds.describe('IDs of 1 to 20 drafts (UUIDs).'),
    dryRun,
    shown: z
      .array(trimmed)
      .max(MAXIMUM_SHOWN)
      .optional()
      .describe(
        'From nextCalls of the dryRun that the person agreed to. If the client cannot ask the person, only drafts that are still as they were shown then are published.',
      ),
  }),
  outputSchema: z.object({
    outcome: z.enum(OUTCOMES).describe('dry_run: only shown.'),
    articles: z.array(publication).describe('In the order of articleIds.'),
  }),
  lists: { articles: 'by status' },
  isError: ({ outcome }) => outcome === 'not_published',
  async handler({ articleIds, dryRun, shown: seen = [] }, context) {
    const ids = withoutDuplicates(articleIds);
    const { fini, publishing, call, confirm } = context;
    let drafts = await publishing.read(ids, call);
    const folders = await readFolders(fini, call);
    const ready = () => drafts.filter(({ obstacle }) => obstacle === null);
    /** Each draft as it stands, and what there is to say of those that could be published. */
    const showAll = (also: (draft: DraftToPublish) => Partial<Publication> = () => ({})) =>
      drafts.map((draft) => ({
        ...publicationOf(draft, folders, ids.length),
        ...(draft.obstacle === null && also(draft)),
      }));

    if (dryRun) {
      const count = ready().length;
      return {
        message:
          count === 0
            ? 'Nothing can be published. Each has a reason.'
            : paragraph(
                'Nothing has been published yet.',
                `${plural(count, 'draft')} of ${ids.length} can be published.`,
                'Show the person what that changes.',
              ),
        nextCalls: [...publishCalls(ready()), ...callsToCheck(drafts)],
        outcome: 'dry_run' as const,
        articles: showAll(),
      };
    }
    if (ready().length === 0) return answerAfterSending(showAll(), drafts);
    const ask = (): Question => ({
      message: publishingQuestion(ready(), folders),
      subject: ready().map(subjectOf),
    });
    const answer = await confirm(ask(), async () => {
      drafts = await publishing.read(ids, call.renewed());
      return ready().length === 0 ? null : ask();
    });
    if (answer === 'declined' || answer === 'unanswered') {
      return {
        message:
          answer === 'declined'
            ? 'The person did not agree, so nothing was published. Do not ask again unless told to.'
            : 'The client could not ask the person, or got no answer in time, so nothing was published. Ask the person in the chat whether to try again.',
        outcome: 'declined' as const,
        articles: showAll(() => ({ status: 'not_published', reason: 'Not agreed to.' })),
      };
    }
    // If no one was asked, no one has agreed to undo other people's changes.
    const agreed = ready().filter(({ conflicts }) => answer === 'agreed' || conflicts.length === 0);
    const unseen = agreed.filter((draft) => answer === 'unasked' && !seen.includes(keyOf(draft)));
    if (unseen.length > 0) {
      return {
        message: paragraph(
          'Nothing has been published yet: this client cannot ask the person.',
          seen.length === 0
            ? 'Show the person what is published, and what that changes, first.'
            : `${plural(unseen.length, 'draft')} ${unseen.length === 1 ? 'is not as it was' : 'are not as they were'} shown: show the person what there is now.`,
        ),
        nextCalls: [...publishCalls(agreed), ...callsToCheck(drafts)],
        outcome: 'dry_run' as const,
        articles: showAll((draft) =>
          seen.length > 0 && unseen.includes(draft) ? { reason: 'It is not as it was shown.' } : {},
        ),
      };
    }
    const sent = await publishing.publish(agreed, call.renewed());
    const outcomes = new Map(sent.map((one) => [one.id, one]));
    const articles = showAll((draft) => {
      const outcome = outcomes.get(draft.id);
      return outcome === undefined
        ? { status: 'not_published', reason: conflictReason(draft) }
        : publicationAfter(outcome, context);
    });
    const consent = sent.length === 0 ? '' : consentText(answer, '--allow-publish');
    const answered = answerAfterSending(articles, drafts);
    return { ...answered, message: paragraph(answered.message, consent) };
  },
});

/** All that a person agrees to of a draft. */
function subjectOf({ id, article, original, conflicts, twins }: DraftToPublish) {
  return { id, article, original, conflicts, twins };
}

/** A short text that stands for all that is shown of a draft: the same only for the same. */
function keyOf(draft: DraftToPublish): string {
  // A twin stands beside another draft, and is the same without it.
  return subjectDigest(subjectOf({ ...draft, twins: [], conflicts: [] })).slice(0, KEY_LENGTH);
}

/** The call that publishes these as they were shown. */
function publishCalls(drafts: readonly DraftToPublish[]): NextCall[] {
  if (drafts.length === 0) return [];
  return [
    {
      tool: 'publish_articles',
      arguments: { articleIds: drafts.map(({ id }) => id), shown: drafts.map(keyOf) },
      why: `Publish ${plural(drafts.length, 'draft')}, once the person has agreed to exactly that`,
    },
  ];
}

/** A draft as shown before anything is sent. */
function publicationOf(draft: DraftToPublish, folders: Folders, count: number): Publication {
  const { id, obstacle, liveId, original } = draft;
  const isReady = obstacle === null;
  const isNew =
    draft.draft !== null && draft.draft.originalArticleId === null && obstacle !== 'live';
  const update = isReady && original !== null ? changesOf(draft, folders, count) : undefined;
  return {
    status: statusBefore(obstacle),
    id,
    articleId: liveId ?? undefined,
    title: shown(draft.draft?.title, TITLE_LENGTH),
    isNew: isNew || undefined,
    visibility: isNew ? visibilityOf(draft) : undefined,
    folder: folderName(draft.draft?.parentFolderId ?? null, folders),
    updates: draft.draft?.originalArticleId ?? undefined,
    changes: update,
    reason: isReady ? readyReason(draft) : obstacleReason(draft),
  };
}

/** The status of a draft before anything was sent. */
function statusBefore(obstacle: DraftToPublish['obstacle']): Publication['status'] {
  switch (obstacle) {
    case null:
      return 'would_publish';
    case 'published':
      return 'already_published';
    case 'sent':
      return 'unknown';
    default:
      return 'not_published';
  }
}

/** Says whether a new article is inactive and shown in the help center, as far as its draft tells. */
function visibilityOf({ draft }: DraftToPublish): string | undefined {
  const inactive = draft?.active === false ? ['inactive'] : [];
  const isPublic = draft?.public ?? null;
  const help = isPublic === null ? [] : [`${isPublic ? '' : 'not '}shown in the help center`];
  return [...inactive, ...help].join(', ') || undefined;
}

const FIELD_NAMES: Readonly<Record<RequiredField, string>> = {
  title: 'a title',
  mainKnowledge: 'a text (mainKnowledge)',
  agentInstruction: 'an agent instruction (agentInstruction)',
  questions: 'questions',
  keywords: 'keywords',
  parentFolderId: 'a folder (parentFolderId)',
};

/** Says why nothing is sent for a draft. */
function obstacleReason({
  obstacle,
  missing,
}: Pick<DraftToPublish, 'obstacle' | 'missing'>): string {
  switch (obstacle) {
    case 'not_found':
      return 'Fini has no such article. The ID of a source is not that of an article.';
    case 'live':
      return 'It is a live article already, not a draft.';
    case 'published':
      return 'It has already been published.';
    case 'incomplete': {
      const names = new Intl.ListFormat('en').format(missing.map((field) => FIELD_NAMES[field]));
      return `Fini publishes no article without ${names}. Add ${names} to this draft in the Fini dashboard.`;
    }
    case 'same_original':
      return 'Another draft in this call updates the same live article, and publishing both would undo one of them. Let the person choose one, and leave the other out. If its content is needed too, generate a new draft from its source afterwards.';
    default:
      return 'An earlier call sent it and got no answer, so it may be published. This call did not send it again.';
  }
}

/** Says of a draft that can be published what else there is to know; undefined if there is nothing. */
function readyReason(draft: DraftToPublish): string | undefined {
  const asked = 'It is published only if the client can ask the person about it.';
  const reason = paragraph(
    draft.isKnownDraft ? '' : UNKNOWN_DRAFT,
    draft.conflicts.length === 0
      ? ''
      : `${conflictWords(draft)} ${asked} Otherwise, ${otherwise(draft)}.`,
  );
  return reason === '' ? undefined : reason;
}

function conflictWords(draft: DraftToPublish): string {
  return paragraph(...draft.conflicts.map((conflict) => wordsOf(conflict, draft)));
}

function wordsOf(conflict: Conflict, { original, twins }: DraftToPublish): string {
  switch (conflict) {
    case 'original_gone':
      return 'The live article that it updates is not in Fini any more.';
    case 'original_changed':
      return `The live article has changed since this draft was made (now version ${original?.version}), and publishing would undo that.`;
    case 'original_unclear':
      return 'It is unknown whether the live article has changed since this draft was made, because Fini does not give versions that can be compared. Publishing may undo a change.';
    case 'twin':
      return `It has the same title and text as ${new Intl.ListFormat('en').format(twins)}, and publishing both makes two live articles of one.`;
  }
}

/** Says why a draft was not sent that only a person can decide to publish. */
function conflictReason(draft: DraftToPublish): string {
  return `${conflictWords(draft)} Only a person can decide this: ${otherwise(draft)}.`;
}

/** Says what to do about a draft that this client's person cannot be asked about. */
function otherwise({ conflicts }: DraftToPublish): string {
  return conflicts.every((conflict) => conflict === 'twin')
    ? 'let the person choose one, and leave the others out'
    : 'publish it in the Fini dashboard, or generate a new draft';
}

/** A draft after it was sent, or was to be sent. */
function publicationAfter(
  { state, liveId, error }: PublishedDraft,
  { explain }: ToolContext,
): Partial<Publication> {
  const why = error === null ? '' : (explain(error)?.message ?? '');
  switch (state) {
    case 'published':
      return { status: 'published', articleId: liveId ?? undefined, reason: undefined };
    case 'doubtful':
      return {
        status: 'unknown',
        reason: why || obstacleReason({ obstacle: 'sent', missing: [] }),
      };
    default:
      return {
        status: 'not_published',
        reason: why || 'Not sent, because of the error before. Once that is fixed, call again.',
      };
  }
}

/** The answer once everything that could be sent was sent. */
function answerAfterSending(articles: Publication[], drafts: readonly DraftToPublish[]) {
  const count = (status: Publication['status']) =>
    articles.filter((article) => article.status === status).length;
  const now = count('published');
  const before = count('already_published');
  const isLive = now + before;
  const parts = [
    `${plural(now, 'draft')} published`,
    before > 0 ? `${before} published before` : '',
    count('unknown') > 0 ? `${count('unknown')} unknown` : '',
    count('not_published') > 0 ? `${count('not_published')} not published` : '',
  ];
  const unknown = articles.flatMap(({ status, id }) => (status === 'unknown' ? [id] : []));
  const check = {
    tool: 'get_articles',
    arguments: { articleIds: unknown },
    why: 'In a minute, check what is unknown: published_draft means published',
  };
  const agents = {
    tool: 'list_agents',
    arguments: {},
    why: 'Find the agents, to see which folders they answer from',
  };
  return {
    message: paragraph(
      `${parts.filter((part) => part !== '').join(', ')}.`,
      now === 0
        ? ''
        : 'Agents answer from a live article if it is active and its folder is assigned to them.',
      now === articles.length ? '' : 'Whatever was not published now has a reason.',
    ),
    nextCalls: [
      ...(unknown.length === 0 ? [] : [check]),
      ...(now === 0 ? [] : [agents]),
      ...callsToCheck(drafts),
    ],
    outcome: outcomeOfPublishing(isLive, articles.length),
    articles,
  };
}

function outcomeOfPublishing(live: number, all: number): (typeof OUTCOMES)[number] {
  if (live === all) return 'published';
  return live > 0 ? 'partial' : 'not_published';
}

/** The call that shows the drafts, if an ID is not that of an article. */
function callsToCheck(drafts: readonly DraftToPublish[]): NextCall[] {
  if (!drafts.some(({ obstacle }) => obstacle === 'not_found')) return [];
  return [{ tool: 'list_articles', arguments: { type: 'draft' }, why: 'Find the IDs of drafts' }];
}

/** The question to the person: each draft by its ID, since its title comes from a page. */
function publishingQuestion(drafts: readonly DraftToPublish[], folders: Folders): string {
  const lines = drafts.map((draft) => {
    const { conflicts, article, isKnownDraft } = draft;
    const warning = paragraph(
      isKnownDraft ? '' : UNKNOWN_DRAFT,
      conflicts.length === 0
        ? ''
        : `WARNING: ${conflictWords(draft)} Agreeing publishes it all the same.`,
    );
    const length = plural(article?.mainKnowledge?.length ?? 0, 'character');
    const what = draftText(publicationOf(draft, folders, drafts.length));
    return paragraph(`- ${what} (${length} of text)`, warning);
  });
  return [
    `Publish ${plural(drafts.length, 'draft')} in Fini? Agents will answer customers from what is published.`,
    ...lines,
  ].join('\n');
}

/** A draft with its folder and what it changes. Everything that a page chose stands in quotes. */
function draftText(publication: Publication): string {
  const { id, title, folder, updates, isNew, visibility, changes = [] } = publication;
  const where = folder === undefined ? '' : ` in folder ${JSON.stringify(folder)}`;
  const parts = [
    `${id} ${title === undefined ? 'untitled' : JSON.stringify(title)}`,
    isNew ? `a new article${where}` : `an update of ${updates}${where}`,
    ...(visibility === undefined ? [] : [visibility]),
    ...(changes.length === 0 ? [] : [`changing ${changes.join('; ')}`]),
  ];
  return parts.join(', ');
}
