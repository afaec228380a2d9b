import * as z from 'zod';
import {
  ARTICLE_TYPES,
  type ArticleState,
  type ArticleType,
  type ListedArticle,
  listArticles as readArticles,
} from '../engine/article-list.ts';
import { searchMatcher, shownTitle } from '../engine/import.ts';
import { paragraph, plural, quoted } from '../text.ts';
import { articleOutput, articleShape } from './article.ts';
import { pageOf } from './list-page.ts';
import { inputFor, type NextCall } from './next-calls.ts';
import { choiceWords } from './read-input.ts';
import { defineTool } from './tool.ts';

/** How much of a title is searched, in characters: of thousands of titles, each costs time. */
const SEARCHED_LENGTH = 1_000;
/** How many titles a search that finds nothing names. */
const NAMED_TITLES = 10;

/** Other words for a type. */
const TYPE_WORDS = { drafts: 'draft', published: 'live' };

const TYPE_NAMES: Readonly<Record<ArticleType, string>> = {
  live: 'live articles',
  draft: 'drafts',
};

/** Shows what is live and what waits for a review. */
export const listArticles = defineTool({
  name: 'list_articles',
  title: 'List Knowledge articles',
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
    /** A part of the title, compared like that of a provider's item. */
    search: z.string().trim().optional().describe('Part of the title, ignoring case.'),
    limit: z
      .int()
      .min(1)
      .max(100)
      .default(50)
      .describe('Maximum number of articles, 1 to 100. Default 50.'),
    /** How many articles to pass over. */
    offset: z.int().min(0).default(0).describe('nextOffset of the previous page. Default 0.'),
  }),
  outputSchema: z.object({
    total: z.int().describe('How many articles match.'),
    counts: z
      .object({ draft: z.int(), live: z.int(), published_draft: z.int() })
      .describe('The same by status.'),
    nextOffset: z.int().optional().describe('Pass it as offset; absent on the last page.'),
    articles: z
      .array(z.object(articleShape))
      .describe('Drafts waiting for review first, then live articles, then published drafts.'),
  }),
  lists: { articles: 'by status' },
  async handler(input, { fini, call, canCall, explain }) {
    const { type, search, limit, offset } = input;
    const list = await readArticles(fini, type, call);
    const matching = search ? list.articles.filter(titleMatcher(search)) : list.articles;
    const page = pageOf(matching, { offset, limit }, ({ article, state }) =>
      articleOutput(article, state),
    );
    const counts = countsOf(matching);
    const isNone = list.articles.length === 0;
    const isEmpty = isNone && list.unreadable === 0 && !list.hasMore;
    const { unread } = list;
    const readType = unread === null ? type : ARTICLE_TYPES.find((one) => one !== unread.type);
    const canGenerate = canCall('generate_knowledge');
    const sources = {
      tool: 'list_sources',
      arguments: { status: 'completed' },
      why: 'Find completed sources to generate drafts from',
    };
    return {
      message: paragraph(
        isEmpty
          ? nothingThere(readType, canGenerate)
          : isNone
            ? 'No articles can be shown.'
            : matching.length === 0
              ? nothingFound(search ?? '', list.articles)
              : countsText(counts),
        page.pastEnd,
        list.unreadable > 0 ? `${plural(list.unreadable, 'article')} without an ID left out.` : '',
        list.hasMore
          ? "Fini did not return all articles in one answer: the others are only in Fini's dashboard."
          : '',
        unread === null
          ? ''
          : `The ${TYPE_NAMES[unread.type]} could not be read: ${explain(unread.error)?.message}`,
      ),
      nextCalls: [
        ...(unread === null ? [] : [readAgain(input, unread.type)]),
        ...page.nextCalls('list_articles', input, 'article'),
        ...(isEmpty && readType !== 'live' && canGenerate ? [sources] : []),
      ],
      total: matching.length,
      counts,
      nextOffset: page.nextOffset,
      articles: page.items,
    };
  },
});

/** The call that reads the articles of one type. */
function readAgain(
  { search }: { readonly search?: string | undefined },
  type: ArticleType,
): NextCall {
  const why = `Read the ${TYPE_NAMES[type]} again`;
  return { tool: 'list_articles', arguments: inputFor({ type, search }, {}), why };
}

function titleMatcher(search: string): (listed: ListedArticle) => boolean {
  const matches = searchMatcher(search);
  return (listed) => matches(searchedTitle(listed));
}

/** An article as searches and titles go by it; of a very long title the beginning. */
function searchedTitle({ article }: ListedArticle) {
  return { title: (article.title ?? '').slice(0, SEARCHED_LENGTH), path: [], originalUrl: '' };
}

/** How many articles there are of each status. */
type Counts = Readonly<Record<ArticleState, number>>;

function countsOf(articles: readonly ListedArticle[]): Counts {
  const counts = { draft: 0, live: 0, published_draft: 0 };
  for (const { state } of articles) counts[state] += 1;
  return counts;
}

/** "2 drafts waiting for review, 30 live articles." */
function countsText({ draft, live, published_draft: published }: Counts): string {
  const parts = [
    draft > 0 ? `${plural(draft, 'draft')} waiting for review` : '',
    live > 0 ? plural(live, 'live article') : '',
    published > 0 ? `${plural(published, 'published draft')} (no longer waiting)` : '',
  ];
  return `${parts.filter((part) => part !== '').join(', ')}.`;
}

function nothingThere(type: ArticleType | undefined, canGenerate: boolean): string {
  switch (type) {
    case 'draft':
      return 'There are no drafts.';
    case 'live':
      return 'There are no live articles.';
    default:
      return `There are no articles yet. They are generated from completed sources${canGenerate ? '' : ", under Knowledge in Fini's dashboard"}.`;
  }
}

/** Names other titles, so that the next search may find what was meant. */
function nothingFound(search: string, articles: readonly ListedArticle[]): string {
  const titles = articles
    .slice(0, NAMED_TITLES)
    .map((listed) => JSON.stringify(shownTitle(searchedTitle(listed))));
  const left = articles.length - titles.length;
  const more = left > 0 ? ` and ${left} more` : '';
  return `No title contains ${quoted(search)}: try a shorter word. Available: ${titles.join(', ')}${more}.`;
}
