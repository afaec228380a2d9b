import * as z from 'zod';
import { type PlacedFolder, readFolders } from '../engine/folder-paths.ts';
import { withoutDuplicates } from '../engine/inputs.ts';
import type { DraftToPublish, PublishedDraft, RequiredField } from '../engine/publish.ts';
import { counted, jsonText, paragraph, shown, TITLE_LENGTH } from '../text.ts';
import { changesOf, folderName } from './article-changes.ts';
import { articleIds, dryRun } from './fields.ts';
import { defineTool, type Question, type ToolContext } from './tool.ts';

const OUTCOMES = ['published', 'partial', 'not_published', 'declined', 'dry_run'] as const;

/** How a call ended. */
type Outcome = (typeof OUTCOMES)[number];

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
    .describe('The live article that it updates; absent for a new article.'),
  changes: z.array(z.string()).optional().describe('What the update changes in the live article.'),
  reason: z.string().optional().describe('Why it is not published, and what to do.'),
});

type Publication = z.output<typeof publication>;

/** What a call answers. */
interface Publications {
  readonly outcome: Outcome;
  readonly message: string;
  readonly articles: Publication[];
}

/** Makes drafts live (fini-api.md, "publish a draft"). */
export const publishArticles = defineTool({
  name: 'publish_articles',
  title: 'Publish draft articles',
  description:
    'Publishes drafts, so that agents answer customers from them: as new live articles, or as updates of existing ones. Use it only if the person asked for exactly that, after showing them each draft (get_articles) and what changes (dryRun). If the client supports it, the person is asked to confirm (with --stateless, only clients of protocol 2026-07-28). To take an article back, use the Fini dashboard.',
  kind: 'publishes',
  scope: 'read and write',
  idempotent: true,
  openWorld: false,
  inputSchema: z.strictObject({
    articleIds: articleIds.describe('IDs of 1 to 20 drafts (UUIDs).'),
    dryRun,
  }),
  outputSchema: z.object({
    outcome: z.enum(OUTCOMES),
    message: z.string().describe('What was published, and what to do next.'),
    articles: z.array(publication).describe('In the order of articleIds.'),
  }),
  async handler({ articleIds, dryRun }, context): Promise<Publications> {
    const ids = withoutDuplicates(articleIds);
    const { fini, publishing, call, confirm } = context;
    let drafts = await publishing.read(ids, call);
    const folders = await readFolders(fini, call);
    const ready = () => drafts.filter(({ obstacle }) => obstacle === null);
    /** Each draft as it stands, and what there is to say of those that could be published. */
    const showAll = (also: (draft: DraftToPublish) => Partial<Publication> = () => ({})) =>
      drafts.map((draft) => ({
        ...show(draft, folders, ids.length),
        ...(draft.obstacle === null && also(draft)),
      }));

    if (!dryRun && ready().length === 0) {
      const articles = showAll();
      return { ...summaryOf(articles), articles };
    }
    if (dryRun) {
      const count = counted(ready().length, 'draft');
      const again = jsonText({ articleIds: ready().map(({ id }) => id) });
      return {
        outcome: 'dry_run',
        message:
          ready().length === 0
            ? 'Nothing can be published. Each has a reason.'
            : `Nothing was published yet. ${count} can be. Show the person what it means; if they agree, call publish_articles with ${again}.`,
        articles: showAll(),
      };
    }
    const ask = (): Question => ({
      message: question(ready(), folders),
      subject: ready().map(({ id, article, original, conflict }) => {
        return { id, article, original, conflict };
      }),
    });
    const answer = await confirm(ask(), async () => {
      drafts = await publishing.read(ids, call.renewed());
      return ready().length === 0 ? null : ask();
    });
    if (answer === 'declined' || answer === 'unanswered') {
      const why =
        answer === 'declined'
          ? 'The person did not agree, so nothing was published. Do not ask again unless told to.'
          : 'The client could not ask the person, or got no answer in time, so nothing was published. Ask the person in the chat whether to try again.';
      return {
        outcome: 'declined',
        message: why,
        articles: showAll(() => ({ status: 'not_published', reason: 'Not agreed to.' })),
      };
    }
    // Where nobody was asked, nobody has agreed to undo what others did.
    const isAgreed = ({ conflict }: DraftToPublish) => answer === 'agreed' || conflict === null;
    const sent = await publishing.publish(ready().filter(isAgreed), call.renewed());
    const outcomes = new Map(sent.map((one) => [one.id, one]));
    const articles = showAll((draft) => {
      const outcome = outcomes.get(draft.id);
      return outcome === undefined
        ? { status: 'not_published', reason: conflictReason(draft) }
        : outcomeOf(outcome, context);
    });
    return { ...summaryOf(articles), articles };
  },
  text({ outcome, message, articles }) {
    return [`${outcome}: ${message}`, ...articles.map(lineOf)].join('\n');
  },
  isError: ({ outcome }) => outcome === 'not_published',
});

/** A draft as it is shown before anything is sent. */
function show(
  draft: DraftToPublish,
  folders: ReadonlyMap<string, PlacedFolder>,
  count: number,
): Publication {
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
    reason: isReady
      ? draft.conflict === null
        ? undefined
        : `${conflictWords(draft)} It is published only if the client can ask the person about it. Otherwise, publish it in the Fini dashboard, or generate a new draft with generate_knowledge.`
      : obstacleReason(draft),
  };
}

/** How a draft stands that nothing was done with yet. */
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

/** Where a new article will not, or will, be seen, as far as its draft says. */
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

/** Why nothing is sent for a draft. */
function obstacleReason({
  obstacle,
  missing,
  liveId,
}: Pick<DraftToPublish, 'obstacle' | 'missing' | 'liveId'>): string {
  switch (obstacle) {
    case 'not_found':
      return 'Fini has no such article: list_articles with type "draft" shows the drafts. The ID of a source is not that of an article.';
    case 'live':
      return 'It is a live article already, not a draft.';
    case 'published':
      return `It has already been published${liveId === null ? '' : ` as ${liveId}`}.`;
    case 'incomplete': {
      const names = new Intl.ListFormat('en').format(missing.map((field) => FIELD_NAMES[field]));
      return `Fini publishes no article without ${names}. Add what is missing to the draft in the Fini dashboard.`;
    }
    case 'same_original':
      return 'Another draft in this call updates the same live article, and publishing both would undo one of them. Let the person choose one, and call again without the other. If its content is needed too, generate a new draft from its source afterwards with generate_knowledge.';
    default:
      return 'An earlier call sent it and got no answer, so it may be published. This call did not send it again. In a minute, check it with get_articles: published_draft means that it is published.';
  }
}

function conflictWords({ conflict, original }: DraftToPublish): string {
  return conflict === 'original_gone'
    ? 'The live article that it updates is not in Fini any more.'
    : `The live article has changed since this draft was made (now version ${original?.version}), and publishing would undo that.`;
}

/** Why a draft was not sent that only a person can want to be published. */
function conflictReason(draft: DraftToPublish): string {
  return `${conflictWords(draft)} Only a person can decide this: publish it in the Fini dashboard, or generate a new draft with generate_knowledge.`;
}

/** What became of a draft that was to be published. */
function outcomeOf(
  { state, liveId, error }: PublishedDraft,
  { explain }: ToolContext,
): Partial<Publication> {
  const why = error === null ? '' : (explain(error) ?? '');
  switch (state) {
    case 'published':
      return { status: 'published', articleId: liveId ?? undefined, reason: undefined };
    case 'doubtful':
      return {
        status: 'unknown',
        reason: why || obstacleReason({ obstacle: 'sent', missing: [], liveId: null }),
      };
    default:
      return {
        status: 'not_published',
        reason: why || 'Not sent, because of the error before. Once that is fixed, call again.',
      };
  }
}

function summaryOf(articles: readonly Publication[]) {
  const count = (status: Publication['status']) =>
    articles.filter((article) => article.status === status).length;
  const published = count('published');
  const isLive = published + count('already_published');
  const outcome =
    isLive === articles.length ? 'published' : isLive > 0 ? 'partial' : 'not_published';
  const others = [
    { number: count('already_published'), words: 'published before' },
    { number: count('unknown'), words: 'unknown' },
    { number: count('not_published'), words: 'not published' },
  ].map(({ number, words }) => (number === 0 ? '' : `, ${number} ${words}`));
  const message = paragraph(
    `${counted(published, 'draft')} published${others.join('')}.`,
    published === 0
      ? ''
      : "Agents answer from a live article if it is active and its folder is assigned to them: get_knowledge_tree with an agent's botId (list_agents) shows which folders are.",
    published === articles.length
      ? ''
      : published === 0
        ? 'Each has a reason.'
        : 'Each of the others has a reason.',
  );
  return { outcome, message } as const;
}

/** What the person is asked: each draft by its ID, since its title comes from a page. */
function question(
  drafts: readonly DraftToPublish[],
  folders: ReadonlyMap<string, PlacedFolder>,
): string {
  const lines = drafts.map((draft) => {
    const { conflict, original, draft: article } = draft;
    const warning =
      conflict === null
        ? ''
        : conflict === 'original_gone'
          ? ' WARNING: the live article that it updates is not in Fini any more.'
          : ` WARNING: the live article has changed since this draft was made (now version ${original?.version}). Publishing undoes that.`;
    const length = counted(article?.mainKnowledge?.length ?? 0, 'character');
    const what = updateText(show(draft, folders, drafts.length));
    return `- ${what} (${length} of text)${warning}`;
  });
  return [
    `Publish ${counted(drafts.length, 'draft')} in Fini? Agents will answer customers from ${drafts.length === 1 ? 'it' : 'them'}.`,
    ...lines,
  ].join('\n');
}

/** A draft, where it goes and what it changes. What a page chose stands in quotes. */
function updateText(publication: Publication): string {
  const { id, title, folder, updates, isNew, visibility, changes = [] } = publication;
  const isDraft = isNew || updates !== undefined;
  const untitled = isDraft ? ' untitled' : '';
  const name = title === undefined ? untitled : ` ${JSON.stringify(title)}`;
  const where = folder === undefined ? '' : ` in folder ${JSON.stringify(folder)}`;
  const update = updates === undefined ? '' : `, an update of ${updates}`;
  const what = isNew ? ', a new article' : update;
  const seen = visibility === undefined ? '' : `, ${visibility}`;
  const changed = changes.length === 0 ? '' : `, changing ${changes.join('; ')}`;
  return `${id}${name}${what}${where}${seen}${changed}`;
}

function lineOf(article: Publication): string {
  const { status, articleId, reason } = article;
  const live = articleId === undefined ? '' : `. Live article: ${articleId}`;
  const why = reason === undefined ? '' : `. ${reason}`;
  return `- ${status.replace('_', ' ')}: ${updateText(article)}${live}${why}`;
}
