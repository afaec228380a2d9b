import * as z from 'zod';
import {
  ARTICLE_TYPES,
  type ArticleState,
  type ArticleType,
  type ListedArticle,
  type ListedArticles,
  listArticles as readArticles,
} from '../engine/article-list.ts';
import { searchMatcher, shownTitle } from '../engine/import.ts';
import { counted, paragraph, quoted } from '../text.ts';
import { articleLine, articleOutput, articleShape } from './article.ts';
import { pageOf } from './list-page.ts';
import { choiceWords } from './read-input.ts';
import { defineTool } from './tool.ts';

/** How much a page may take, in bytes: clients hide longer results from their model. */
const PAGE_BYTES = 50_000;
/** How much of a title is searched, in characters: of thousands of titles, each costs time. */
const SEARCHED_LENGTH = 1_000;
/** How many titles a search that finds nothing names. */
const NAMED_TITLES = 10;

/** Other words for a type. */
const TYPE_WORDS = { drafts: 'draft', published: 'live' };

/** Shows what is live and what waits for a review (fini-api.md, "list articles"). */
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
    message: z.string().describe('What was found, and what to do next.'),
    total: z.int().describe('How many articles match.'),
    nextOffset: z.int().optional().describe('Pass it as offset; absent on the last page.'),
    articles: z
      .array(z.object(articleShape))
      .describe('Drafts waiting for review first, then live articles, then published drafts.'),
  }),
  async handler({ type, search, limit, offset }, { fini, call, canCall }) {
    const list = await readArticles(fini, type, call);
    const matching = search ? list.articles.filter(titleMatcher(search)) : list.articles;
    const range = { offset, limit, bytes: PAGE_BYTES };
    const { items, nextOffset, pastEnd, more } = pageOf(matching, range, ({ article, state }) =>
      articleOutput(article, state),
    );
    const isNone = list.articles.length === 0;
    const parts = [
      isNone
        ? nothingListed(type, list, canCall('generate_knowledge'))
        : matching.length === 0
          ? nothingFound(search ?? '', list.articles)
          : `${countsOf(matching)}.`,
      pastEnd,
      more('article'),
      list.unreadable > 0 ? `${counted(list.unreadable, 'article')} without an ID left out.` : '',
      list.hasMore
        ? "Fini did not return all articles in one answer: the others are only in Fini's dashboard."
        : '',
    ];
    return {
      message: paragraph(...parts),
      total: matching.length,
      nextOffset,
      articles: items,
    };
  },
  text({ articles, message }) {
    return [message, ...articles.map(articleLine)].join('\n');
  },
});

function titleMatcher(search: string): (listed: ListedArticle) => boolean {
  const matches = searchMatcher(search);
  return (listed) => matches(searchedTitle(listed));
}

/** An article as searches and titles go by it; of a very long title the beginning. */
function searchedTitle({ article }: ListedArticle) {
  return { title: (article.title ?? '').slice(0, SEARCHED_LENGTH), path: [], originalUrl: '' };
}

const NOUNS: Readonly<Record<ArticleState, [noun: string, after: string]>> = {
  draft: ['draft', ' waiting for review'],
  live: ['live article', ''],
  published_draft: ['published draft', ' (no longer waiting)'],
};

/** "2 drafts waiting for review, 30 live articles" */
function countsOf(articles: readonly ListedArticle[]): string {
  const states: readonly ArticleState[] = ['draft', 'live', 'published_draft'];
  const parts = states.map((state) => {
    const count = articles.filter((article) => article.state === state).length;
    const [noun, after] = NOUNS[state];
    return count === 0 ? '' : `${counted(count, noun)}${after}`;
  });
  return parts.filter((part) => part !== '').join(', ');
}

function nothingListed(
  type: ArticleType | undefined,
  list: ListedArticles,
  canGenerate: boolean,
): string {
  if (list.unreadable > 0 || list.hasMore) return 'No articles can be shown.';
  switch (type) {
    case 'draft':
      return 'There are no drafts.';
    case 'live':
      return 'There are no live articles.';
    default:
      return `There are no articles yet. They are generated from completed sources, ${canGenerate ? 'by generate_knowledge' : "under Knowledge in Fini's dashboard"}.`;
  }
}

/** What there is instead of what was searched for, so that the next search may find it. */
function nothingFound(search: string, articles: readonly ListedArticle[]): string {
  const titles = articles
    .slice(0, NAMED_TITLES)
    .map((listed) => JSON.stringify(shownTitle(searchedTitle(listed))));
  const left = articles.length - titles.length;
  const more = left > 0 ? ` and ${left} more` : '';
  return `No title contains ${quoted(search)}: try a shorter word. Available: ${titles.join(', ')}${more}.`;
}
