import * as z from 'zod';
import type { ArticleState } from '../engine/article-list.ts';
import type { FiniArticle } from '../fini/schemas.ts';
import { shown, TITLE_LENGTH, WORD_LENGTH } from '../text.ts';

/** An article without its text, as tools show it. */
export const articleShape = {
  status: z
    .string()
    .describe(
      'live, draft (waiting for review), published_draft (no longer waiting) or unknown (live or a draft).',
    ),
  id: z.string().describe('Article ID.'),
  title: z.string().optional(),
  originalArticleId: z
    .string()
    .optional()
    .describe(
      'ID of the live article that a draft updates; absent for the draft of a new article.',
    ),
  parentFolderId: z.string().optional().describe('ID of the folder of the article.'),
  questionCount: z.int(),
  createdAt: z.string().optional().describe('ISO 8601.'),
  updatedAt: z.string().optional().describe('ISO 8601.'),
};

/** An article as tools show it: every text bounded, the questions counted. */
export function articleOutput(article: FiniArticle, status: ArticleState) {
  return {
    status,
    id: article.id,
    title: shown(article.title, TITLE_LENGTH),
    originalArticleId: article.originalArticleId ?? undefined,
    parentFolderId: article.parentFolderId ?? undefined,
    questionCount: article.questions.length,
    createdAt: shown(article.createdAt, WORD_LENGTH),
    updatedAt: shown(article.updatedAt, WORD_LENGTH),
  };
}
