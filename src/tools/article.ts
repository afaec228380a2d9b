import * as z from 'zod';
import type { ArticleState } from '../engine/article-list.ts';
import type { FiniArticle } from '../fini/knowledge.ts';
import { counted, shown, TITLE_LENGTH } from '../text.ts';

/** An article without its text, as tools show it (fini-api.md, "Knowledge"). */
export const articleShape = {
  id: z.string().describe('Article ID.'),
  state: z
    .string()
    .describe('live, draft (waiting for review) or published_draft (no longer waiting).'),
  originalArticleId: z
    .string()
    .optional()
    .describe('The live article that a draft updates; absent for the draft of a new article.'),
  title: z.string().optional(),
  parentFolderId: z.string().optional().describe('The folder of the article.'),
  questionCount: z.int(),
};

/** An article without its text, as tools show it. */
export type ArticleOutput = z.output<z.ZodObject<typeof articleShape>>;

/** What a tool shows of an article: everything bounded, the questions counted. */
export function articleOutput(article: FiniArticle, state: ArticleState): ArticleOutput {
  return {
    id: article.id,
    state,
    originalArticleId: article.originalArticleId ?? undefined,
    title: shown(article.title, TITLE_LENGTH),
    parentFolderId: article.parentFolderId ?? undefined,
    questionCount: article.questions.length,
  };
}

/** One line about an article: its ID, where it stands, its title, and its folder. */
export function articleLine(article: ArticleOutput): string {
  const { id, state, originalArticleId, title, parentFolderId, questionCount } = article;
  const of = originalArticleId === undefined ? 'of a new article' : `updating ${originalArticleId}`;
  const standing = state === 'live' ? state : `${state.replace('_', ' ')} ${of}`;
  // In quotes, so that a title, which a page may have chosen, cannot pass for what this server says.
  const name = title === undefined ? 'untitled' : JSON.stringify(title);
  const folder = parentFolderId === undefined ? 'no folder' : `folder ${parentFolderId}`;
  return `- ${id} ${standing}: ${name} (${folder}, ${counted(questionCount, 'question')})`;
}
