import * as z from 'zod';
import type { CheckedRequest } from './checked-request.ts';
import type { Deadline } from './deadline.ts';
import { type FolderTree, readFolderTree } from './folder-tree.ts';
import {
  type AgentList,
  type ArticleList,
  agentListSchema,
  articleListSchema,
  type FiniArticle,
  type GenerateAnswer,
  generateAnswerSchema,
  jobsAnswerSchema,
  type KnowledgeJob,
  type PublishedArticle,
  publishAnswerSchema,
} from './knowledge.ts';

/** What generation may be held to (the contract's `restrictedOps`). */
export const GENERATION_OPERATIONS = [
  'ADD_ARTICLE_TO_FOLDER',
  'UPDATE_ARTICLE',
  'DO_NOTHING',
] as const;

/** Something that generation may do: a new article, an update of the best match, or nothing. */
export type GenerationOperation = (typeof GENERATION_OPERATIONS)[number];

/** From which sources to generate drafts, and how. */
export interface GenerateRequest {
  readonly documentIds: readonly string[];
  /** What to heed while writing. */
  readonly instructions?: string | undefined;
  /** What generation may do; anything where it is left out. */
  readonly restrictedOps?: readonly GenerationOperation[] | undefined;
  /** The agent whose folders to write into. */
  readonly botId?: string | undefined;
}

/** The article as it is to be live: what publishing demands, and what it takes besides. */
export interface ArticleToPublish {
  readonly title: string;
  readonly mainKnowledge: string;
  readonly agentInstruction: string;
  /** Not empty; as the draft has them. */
  readonly questions: readonly unknown[];
  /** Not empty; as the draft has them. */
  readonly keywords: readonly unknown[];
  /** As the draft has it. */
  readonly escalation: unknown;
  readonly parentFolderId: string;
  readonly active?: boolean | null | undefined;
  readonly public?: boolean | null | undefined;
  readonly origin?: string | null | undefined;
}

/**
 * The routes of the contract's "Knowledge, the step after ingestion", typed. Each throws
 * `FiniError`.
 */
export interface KnowledgeClient {
  /**
   * Queues a job for each source that makes a draft, never a live article. The answer may hold fewer
   * jobs than sources, and jobs without the one or the other ID.
   */
  generateKnowledge(
    request: GenerateRequest,
    deadline?: Partial<Deadline>,
  ): Promise<GenerateAnswer>;
  /** Asks after jobs of generation. One ID that is unknown, or another job's, fails the request. */
  knowledgeJobs(
    jobIds: readonly string[],
    deadline?: Partial<Deadline>,
  ): Promise<readonly KnowledgeJob[]>;
  /** Lists live articles, drafts or both. It is one answer: paging is open in the contract. */
  listArticles(
    filter?: { readonly type?: 'live' | 'draft' | undefined },
    deadline?: Partial<Deadline>,
  ): Promise<ArticleList>;
  /** Gets the articles that there are of these. */
  getArticles(
    articleIds: readonly string[],
    deadline?: Partial<Deadline>,
  ): Promise<readonly FiniArticle[]>;
  /** Makes a draft live: as an update of its original, or as a new article with another ID. */
  publishArticle(
    draftId: string,
    article: ArticleToPublish,
    deadline?: Partial<Deadline>,
  ): Promise<PublishedArticle>;
  /** Gets the folders, or one agent's. An API may ignore `botId`. */
  folderTree(botId?: string, deadline?: Partial<Deadline>): Promise<FolderTree>;
  /** Lists the agents, newest first. */
  listAgents(deadline?: Partial<Deadline>): Promise<AgentList>;
}

const KNOWLEDGE = '/v2/knowledge/public';
const ARTICLES = '/v2/hc-articles';

/** Makes the part of a workspace's client that knowledge goes through. */
export function createKnowledgeClient(request: CheckedRequest): KnowledgeClient {
  return {
    generateKnowledge({ documentIds, instructions, restrictedOps, botId }, options) {
      const origin = 'sources';
      const body = { documentIds, origin, restrictedOps, instructions, botId, isDraft: true };
      return request(
        {
          operation: 'generate knowledge',
          method: 'POST',
          path: `${KNOWLEDGE}/bulk`,
          body,
          namesRecords: true,
        },
        generateAnswerSchema,
        options,
      );
    },

    knowledgeJobs: (jobIds, options) =>
      request(
        {
          operation: 'get knowledge jobs',
          method: 'POST',
          path: `${KNOWLEDGE}/jobs/status`,
          body: { jobIds },
          reads: true,
          namesRecords: true,
        },
        jobsAnswerSchema,
        options,
      ),

    listArticles({ type } = {}, options) {
      const path = `${ARTICLES}/public${type === undefined ? '' : `?type=${type}`}`;
      const route = { operation: 'list articles', method: 'GET', path } as const;
      return request(route, articleListSchema, options);
    },

    async getArticles(articleIds, options) {
      const { articles } = await request(
        {
          operation: 'get articles',
          method: 'POST',
          path: `${ARTICLES}/ids/public`,
          body: { articleIds },
          reads: true,
          namesRecords: true,
        },
        articleListSchema,
        options,
      );
      return articles;
    },

    publishArticle(draftId, article, options) {
      const { active, public: isPublic, origin, ...required } = article;
      const optional = Object.entries({ active, public: isPublic, origin });
      const given = optional.filter(([, value]) => value !== null && value !== undefined);
      return request(
        {
          operation: 'publish articles',
          method: 'POST',
          path: `${ARTICLES}/${encodeURIComponent(draftId)}/publish/public`,
          body: { ...required, ...Object.fromEntries(given) },
          namesRecords: true,
        },
        publishAnswerSchema,
        options,
      );
    },

    async folderTree(botId, options) {
      const query = botId === undefined ? '' : `?${new URLSearchParams({ botId })}`;
      const path = `/v2/hc-folders/public${query}`;
      const namesRecords = botId !== undefined;
      const route = { operation: 'get folder tree', method: 'GET', path, namesRecords } as const;
      return readFolderTree(await request(route, z.unknown(), options));
    },

    listAgents(options) {
      const route = { operation: 'list agents', method: 'GET', path: '/v2/bots/public' } as const;
      return request(route, agentListSchema, options);
    },
  };
}
