import * as z from 'zod';
import {
  ARTICLE_TYPES,
  type ArticleState,
  type ArticleType,
  type ListedArticle,
  type ListedArticles,
  readArticles,
} from '../engine/article-list.ts';
import { searchMatcher, shownTitle } from '../engine/import.ts';
import { paragraph, plural, quotedMessage } from '../text.ts';
import { articleOutput, articleShape } from './article.ts';
import { nothingFound, pageOf } from './list-page.ts';
import { inputFor, type NextCall } from './next-calls.ts';
import { choiceWords } from './read-input.ts';
import { defineTool } from './tool.ts';

/** Number of characters of a title to search: of thousands of titles, each costs time. */
const SEARCHED_LENGTH = 1_000;

/** Other words for a type. */
const TYPE_WORDS = { drafts: 'draft', published: 'live' };

/** Lists live articles, and drafts that wait for a review. */
export const listArticles = defineTool({
  name: 'list_articles',
  title: 'List drafts and live articles',
  description:
    "Lists the workspace's Knowledge articles, without their text: drafts waiting for review, live articles, and drafts already published. Use it to find an article by title or to see what is waiting; to read one, use get_articles. Agents answer only from live articles. For sources use list_sources.",
  kind: 'reads',
  scope: 'read',
  idempotent: true,
  openWorld: false,
  inputSchema: z.strictObject({
    type: z
      .enum(ARTICLE_TYPES)
      .register(choiceWords, TYPE_WORDS)
      .optional()
      .describe('Only live articles or only drafts. Default: both.'),
    /** A part of the title, compared like the title of a provider's item. */
    search: z.string().trim().optional().describe('Part of the title, ignoring case.'),
    limit: z
      .int()
      .min(1)
      .max(100)
      .default(50)
      .describe('Maximum number of articles, 1 to 100. Default 50.'),
    /** Number of articles to skip. */
    offset: z.int().min(0).default(0).describe('nextOffset of the previous page. Default 0.'),
  }),
  outputSchema: z.object({
    total: z.int().describe('Number of matching articles.'),
    counts: z
      .object({
        draft: z.int(),
        live: z.int(),
        published_draft: z.int(),
        unknown: z.int().describe('Live or a draft: Fini does not tell.'),
      })
      .partial()
      .describe(
        'Number of matching articles by status; without those whose list could not be read.',
      ),
    nextOffset: z.int().optional().describe('Pass it as offset; absent on the last page.'),
    articles: z
      .array(z.object(articleShape))
      .describe('Drafts waiting for review first, then live articles, then published drafts.'),
  }),
  lists: { articles: 'by status' },
  async handler(input, { fini, call, canCall }) {
    const { type, search, limit, offset } = input;
    const list = await readArticles(fini, type, call);
    const matching = search ? list.articles.filter(titleMatcher(search)) : list.articles;
    const page = pageOf(matching, { offset, limit }, ({ article, state }) =>
      articleOutput(article, state),
    );
    const counts = countByState(matching, list.unread?.type);
    const read = typeRead(type, list);
    const canGenerate = canCall('generate_knowledge');
    const sources = {
      tool: 'list_sources',
      arguments: { status: 'completed' },
      why: 'Find completed sources to generate drafts from',
    };
    return {
      message: paragraph(
        matching.length > 0
          ? countsText(counts)
          : whyNoneFound(list, { type: read, search }, canGenerate),
        list.unread === null ? '' : unreadText(list.unread),
        page.pastEnd,
        list.unreadable > 0 ? `${plural(list.unreadable, 'article')} without an ID left out.` : '',
        list.hasMore
          ? "Fini did not return all articles in one answer: the others are only in Fini's dashboard."
          : '',
      ),
      nextCalls: [
        ...readAgain(input, list),
        ...page.nextCalls('list_articles', input, 'article'),
        ...(hasNoArticles(list) && read !== 'live' && canGenerate ? [sources] : []),
      ],
      total: matching.length,
      counts,
      nextOffset: page.nextOffset,
      articles: page.items,
    };
  },
});

/** The call that reads the list again that could not be read: one that is too large stays so. */
function readAgain(
  { search }: { readonly search?: string | undefined },
  { unread }: ListedArticles,
): NextCall[] {
  if (unread === null || unread.error.failure === 'too_large') return [];
  const { type } = unread;
  const why = type === 'live' ? 'Read the live articles again' : 'Read the drafts again';
  return [{ tool: 'list_articles', arguments: inputFor({ type, search }, {}), why }];
}

/** The type that was read: the only one that could be, if the other could not. */
function typeRead(
  type: ArticleType | undefined,
  { unread }: ListedArticles,
): ArticleType | undefined {
  if (unread === null) return type;
  return unread.type === 'live' ? 'draft' : 'live';
}

function titleMatcher(search: string): (listed: ListedArticle) => boolean {
  const matches = searchMatcher(search);
  return (listed) => matches(searchedTitle(listed));
}

/** The title of an article for searching; of a very long one, the beginning. */
function searchedTitle({ article }: ListedArticle) {
  return { title: (article.title ?? '').slice(0, SEARCHED_LENGTH), path: [], originalUrl: '' };
}

/** Number of articles with each status; undefined if it is not known. */
type Counts = Readonly<Partial<Record<ArticleState, number>>>;

function countByState(articles: readonly ListedArticle[], unread: ArticleType | undefined): Counts {
  const counts = { draft: 0, live: 0, published_draft: 0, unknown: 0 };
  for (const { state } of articles) counts[state] += 1;
  const { draft, live, published_draft, unknown } = counts;
  return {
    ...(unread !== 'draft' && { draft, published_draft }),
    ...(unread !== 'live' && { live }),
    ...(unknown > 0 && { unknown }),
  };
}

/** Says which list could not be read, beside the other one. */
function unreadText({ type, error }: NonNullable<ListedArticles['unread']>): string {
  const articles = type === 'live' ? 'Live articles' : 'Drafts';
  return `${articles} are not listed, and how many there are is unknown: ${quotedMessage(error)}. They are in the Fini dashboard.`;
}

/** "2 drafts waiting for review, 30 live articles." */
function countsText({
  draft = 0,
  live = 0,
  published_draft: published = 0,
  unknown = 0,
}: Counts): string {
  const parts = [
    draft > 0 ? `${plural(draft, 'draft')} waiting for review` : '',
    unknown > 0 ? `${plural(unknown, 'article')} that may be live or drafts` : '',
    live > 0 ? plural(live, 'live article') : '',
    published > 0 ? `${plural(published, 'published draft')} (no longer waiting)` : '',
  ];
  return `${parts.filter((part) => part !== '').join(', ')}.`;
}

/** Tells whether Fini has no articles at all, and not only none that can be shown. */
function hasNoArticles({ articles, unreadable, hasMore }: ListedArticles): boolean {
  return articles.length === 0 && unreadable === 0 && !hasMore;
}

/** Why no article is shown. */
function whyNoneFound(
  list: ListedArticles,
  {
    type,
    search = '',
  }: { readonly type?: ArticleType | undefined; readonly search?: string | undefined },
  canGenerate: boolean,
): string {
  if (list.articles.length > 0) {
    return nothingFound('title', search, list.articles, (listed) =>
      shownTitle(searchedTitle(listed)),
    );
  }
  if (!hasNoArticles(list)) return 'No articles can be shown.';
  switch (type) {
    case 'draft':
      return 'There are no drafts.';
    case 'live':
      return 'There are no live articles.';
    default:
      return paragraph(
        'There are no articles yet.',
        canGenerate
          ? 'They are generated from completed sources.'
          : "They are generated from completed sources, under Knowledge in Fini's dashboard.",
      );
  }
}
