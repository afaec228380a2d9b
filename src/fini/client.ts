import * as z from 'zod';
import type { Deadline } from './deadline.ts';
import { FiniError, type Operation, type Scope } from './errors.ts';
import { readFolderTree } from './folder-tree.ts';
import type { Http, HttpRequest } from './http.ts';
import { flattenProviderTree, type Provider, type ProviderResource } from './provider-tree.ts';
import {
  agentListSchema,
  articleListSchema,
  crawlSchema,
  deletedSchema,
  documentPageSchema,
  documentSchema,
  generateAnswerSchema,
  jobsAnswerSchema,
  publishAnswerSchema,
  queuedSchema,
  refreshedSchema,
} from './schemas.ts';

/** The kinds of content that can be ingested. */
export const INGEST_SOURCES = ['web', 'googledrive', 'notion', 'zendesk', 'confluence'] as const;

/** A kind of content that can be ingested. */
export type IngestSource = (typeof INGEST_SOURCES)[number];

/** Items to ingest: URLs for `web`, source IDs for every other kind. */
export interface IngestRequest {
  readonly source: IngestSource;
  readonly documentIdsToAdd: readonly string[];
  readonly documentIdsToRefresh: readonly string[];
  readonly english: boolean;
  readonly baser: boolean;
}

/** Filters of the list of sources. An API may ignore filters that it does not know. */
export interface SourceFilters {
  readonly source?: string | undefined;
  readonly english?: boolean | undefined;
  /** The exact source ID. */
  readonly id?: string | undefined;
  /** A part of the title, in any case. */
  readonly title?: string | undefined;
  /** A part of the URL, in any case. */
  readonly originalUrl?: string | undefined;
  readonly linkedKnowledgeId?: string | undefined;
  readonly linkedOperation?: string | undefined;
  readonly changed?: boolean | undefined;
}

/** A page of the list of sources, newest change first. */
export interface ListRequest extends SourceFilters {
  readonly limit: number;
  /** The `id` of the last (or, going back, the first) source of the page before. */
  readonly cursor?: string | undefined;
  /** `next` leads to older changes, `previous` to newer ones. */
  readonly direction?: 'next' | 'previous' | undefined;
}

/** The operations that generation can be limited to (`restrictedOps`). */
export const GENERATION_OPERATIONS = [
  'ADD_ARTICLE_TO_FOLDER',
  'UPDATE_ARTICLE',
  'DO_NOTHING',
] as const;

/** Something that generation may do: a new article, an update of the best match, or nothing. */
export type GenerationOperation = (typeof GENERATION_OPERATIONS)[number];

/** The limits of generation. */
export interface GenerationLimits {
  /** Allowed operations. Without them, generation may do anything. */
  readonly restrictedOps?: readonly GenerationOperation[] | undefined;
  /** The agent whose folders to write into. */
  readonly botId?: string | undefined;
}

/** Sources to generate drafts from, and how. */
export interface GenerateRequest extends GenerationLimits {
  readonly documentIds: readonly string[];
  /** Instructions for the writing. */
  readonly instructions?: string | undefined;
}

/** The article to make live: the fields that publishing requires, and the optional ones. */
export interface ArticleToPublish {
  readonly title: string;
  readonly mainKnowledge: string;
  readonly agentInstruction: string;
  /** The draft's questions; not empty. */
  readonly questions: readonly unknown[];
  /** The draft's keywords; not empty. */
  readonly keywords: readonly unknown[];
  /** The draft's escalation. */
  readonly escalation: unknown;
  readonly parentFolderId: string;
  readonly active?: boolean | null | undefined;
  readonly public?: boolean | null | undefined;
  readonly origin?: string | null | undefined;
}

const SOURCES_PATH = '/v2/documents/public';
const KNOWLEDGE_PATH = '/v2/knowledge/public';
const ARTICLES_PATH = '/v2/hc-articles';

interface FiniRoute {
  readonly method: HttpRequest['method'];
  /** The path, with `{id}` in place of an ID. */
  readonly path: string;
  /** The scope that a key needs. Requests that need only `read` change nothing. */
  readonly scope: Scope;
}

/** Every route, by its name in errors. */
const FINI_ROUTES: Readonly<Record<Operation, FiniRoute>> = {
  'crawl links': { method: 'POST', path: `${SOURCES_PATH}/deep-crawl/links`, scope: 'write' },
  'list provider resources': {
    method: 'GET',
    path: `${SOURCES_PATH}/resources/{id}`,
    scope: 'read',
  },
  'register provider resources': {
    method: 'POST',
    path: `${SOURCES_PATH}/resources/{id}`,
    scope: 'write',
  },
  'ingest sources': { method: 'POST', path: SOURCES_PATH, scope: 'write' },
  'refresh sources': { method: 'POST', path: `${SOURCES_PATH}/refresh`, scope: 'write' },
  'list sources': { method: 'GET', path: SOURCES_PATH, scope: 'read' },
  'get source': { method: 'GET', path: `${SOURCES_PATH}/{id}`, scope: 'read' },
  'delete sources': { method: 'DELETE', path: SOURCES_PATH, scope: 'write' },
  'generate knowledge': { method: 'POST', path: `${KNOWLEDGE_PATH}/bulk`, scope: 'write' },
  'get knowledge jobs': { method: 'POST', path: `${KNOWLEDGE_PATH}/jobs/status`, scope: 'read' },
  'list articles': { method: 'GET', path: `${ARTICLES_PATH}/public`, scope: 'read' },
  'get articles': { method: 'POST', path: `${ARTICLES_PATH}/ids/public`, scope: 'read' },
  'publish articles': {
    method: 'POST',
    path: `${ARTICLES_PATH}/{id}/publish/public`,
    scope: 'write',
  },
  'get folder tree': { method: 'GET', path: '/v2/hc-folders/public', scope: 'read' },
  'list agents': { method: 'GET', path: '/v2/bots/public', scope: 'read' },
};

/** The variable parts of a request. */
interface RequestParts {
  /** The ID that replaces `{id}` in the path. */
  readonly id?: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  /** True if the request names records by ID: a 403 may then mean that one is another workspace's. */
  readonly namesRecords?: boolean;
}

/** Maximum number of records to read of a page, if an API ignores `limit`: far more than it has. */
const MAXIMUM_PAGE_RECORDS = 1_000;

/** The API's own default, which it surely accepts; the largest page is not documented. */
const SAFE_PAGE = 50;

/** The client of one workspace. Each method throws {@link FiniError}. */
export type FiniClient = ReturnType<typeof createFiniClient>;

/**
 * Makes the client of one workspace. From a 403 it learns which scope the key lacks, and from a 400
 * that a page was too large.
 */
export function createFiniClient(http: Http) {
  const request = createRequest(http);
  let largestPage = Number.POSITIVE_INFINITY;

  return {
    /** Finds the pages that start URLs lead to. Creates and ingests nothing. */
    crawlLinks: (links: readonly string[], limit: number, options?: Partial<Deadline>) =>
      request('crawl links', crawlSchema, { body: { links, limit } }, options),

    /** Lists the content of a provider that has not been imported yet. */
    async listProviderResources(provider: Provider, options?: Partial<Deadline>) {
      const tree = await request('list provider resources', z.unknown(), { id: provider }, options);
      return flattenProviderTree(provider, tree);
    },

    /** Makes sources from a provider's content. Queues nothing. */
    registerProviderResources(
      provider: Provider,
      resources: readonly ProviderResource[],
      options?: Partial<Deadline>,
    ) {
      // `path` is for readers of this server's answers and means nothing to Fini.
      const body = { resources: resources.map(({ path: _path, ...resource }) => resource) };
      return request('register provider resources', queuedSchema, { id: provider, body }, options);
    },

    /** Queues jobs. */
    ingestSources(body: IngestRequest, options?: Partial<Deadline>) {
      const namesRecords = body.source !== 'web';
      return request('ingest sources', queuedSchema, { body, namesRecords }, options);
    },

    /** Queues jobs, and returns the IDs that were queued. */
    refreshSources(documentIds: readonly string[], options?: Partial<Deadline>) {
      const parts = { body: { documentIds }, namesRecords: true };
      return request('refresh sources', refreshedSchema, parts, options);
    },

    /** Gets a page of sources, a smaller one if Fini accepts no larger. */
    async listSources(filters: ListRequest, options?: Partial<Deadline>) {
      let limit = Math.min(filters.limit, largestPage);
      let refusal: FiniError | undefined;
      for (;;) {
        const query = { ...filters, limit };
        try {
          const page = await request('list sources', documentPageSchema, { query }, options);
          if (refusal !== undefined) largestPage = SAFE_PAGE;
          return readPage(page, limit, filters.direction === 'previous');
        } catch (error) {
          if (!(error instanceof FiniError)) throw error;
          // Pages contain every source's whole text, so a page of long ones may exceed the limit.
          if (error.failure === 'too_large' && limit > 1) limit = Math.ceil(limit / 2);
          else if (error.status === 400 && limit > SAFE_PAGE) {
            refusal = error;
            limit = SAFE_PAGE;
          } else throw refusal ?? error;
        }
      }
    },

    /** Gets a source by its ID. */
    getSource: (id: string, options?: Partial<Deadline>) =>
      request('get source', documentSchema, { id, namesRecords: true }, options),

    /** Deletes all of these sources, or none if one does not exist. */
    deleteSources(
      documentIds: readonly string[],
      deleteArticles: boolean,
      options?: Partial<Deadline>,
    ) {
      const parts = { body: { documentIds, deleteArticles }, namesRecords: true };
      return request('delete sources', deletedSchema, parts, options);
    },

    /**
     * Queues a job for each source that makes a draft, never a live article. The answer may have fewer
     * jobs than sources, and jobs without one of the two IDs.
     */
    generateKnowledge(
      { documentIds, instructions, restrictedOps, botId }: GenerateRequest,
      options?: Partial<Deadline>,
    ) {
      const kind = { origin: 'sources', isDraft: true };
      const body = { documentIds, ...kind, restrictedOps, instructions, botId };
      const parts = { body, namesRecords: true };
      return request('generate knowledge', generateAnswerSchema, parts, options);
    },

    /** Gets generation jobs. An ID that is unknown, or of another kind of job, fails the request. */
    knowledgeJobs(jobIds: readonly string[], options?: Partial<Deadline>) {
      const parts = { body: { jobIds }, namesRecords: true };
      return request('get knowledge jobs', jobsAnswerSchema, parts, options);
    },

    /** Lists live articles, drafts or both, in one answer: no paging is documented. */
    listArticles: (
      filter: { readonly type?: 'live' | 'draft' } = {},
      options?: Partial<Deadline>,
    ) => request('list articles', articleListSchema, { query: filter }, options),

    /** Gets the existing ones of these articles. */
    async getArticles(articleIds: readonly string[], options?: Partial<Deadline>) {
      const parts = { body: { articleIds }, namesRecords: true };
      const { articles } = await request('get articles', articleListSchema, parts, options);
      return articles;
    },

    /** Makes a draft live: as an update of its original, or as a new article with another ID. */
    publishArticle(draftId: string, article: ArticleToPublish, options?: Partial<Deadline>) {
      const { active, public: isPublic, origin, ...required } = article;
      const body = {
        ...required,
        active: active ?? undefined,
        public: isPublic ?? undefined,
        origin: origin ?? undefined,
      };
      const parts = { id: draftId, body, namesRecords: true };
      return request('publish articles', publishAnswerSchema, parts, options);
    },

    /** Gets the folders, or one agent's. An API may ignore `botId`. */
    async folderTree(botId?: string, options?: Partial<Deadline>) {
      const parts = { query: { botId }, namesRecords: botId !== undefined };
      return readFolderTree(await request('get folder tree', z.unknown(), parts, options));
    },

    /** Lists the agents. */
    listAgents: (options?: Partial<Deadline>) =>
      request('list agents', agentListSchema, {}, options),
  };
}

/** Makes the function that sends the requests of one key and checks their answers. */
function createRequest(http: Http) {
  const missingScopes = new Set<Scope>();

  /** A 403 means a missing scope or another workspace's ID; without IDs, it can only be the scope. */
  function withMissingScope(error: unknown, scope: Scope, namesRecords: boolean): unknown {
    if (!(error instanceof FiniError) || error.status !== 403) return error;
    // A 403 from a proxy or a firewall says nothing about the key.
    if (!namesRecords && error.isExplained) missingScopes.add(scope);
    if (!missingScopes.has(scope)) return error;
    return new FiniError(error.message, { ...error, missingScope: scope, cause: error });
  }

  return async <Schema extends z.ZodType>(
    operation: Operation,
    schema: Schema,
    { id = '', query = {}, body, namesRecords = false }: RequestParts,
    options: Partial<Deadline> | undefined,
  ): Promise<z.output<Schema>> => {
    const { method, path, scope } = FINI_ROUTES[operation];
    const whole = path.replace('{id}', () => encodeURIComponent(id)) + queryText(query);
    const reads = scope === 'read';
    const answer = await http({ ...options, operation, method, path: whole, body, reads }).catch(
      (error: unknown) => {
        throw withMissingScope(error, scope, namesRecords);
      },
    );
    missingScopes.delete(scope);
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    const message = `Fini's answer has an unexpected format.`;
    throw new FiniError(message, { operation, failure: 'unreadable', cause: parsed.error });
  };
}

function queryText(fields: NonNullable<RequestParts['query']>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? '' : `?${query}`;
}

/** Reads a page's records. Of too many, it keeps those next to the cursor; the others come next. */
function readPage(page: z.infer<typeof documentPageSchema>, limit: number, isBack: boolean) {
  const isTooLong = page.documents.length > MAXIMUM_PAGE_RECORDS;
  const records = isBack
    ? page.documents.slice(-MAXIMUM_PAGE_RECORDS)
    : page.documents.slice(0, MAXIMUM_PAGE_RECORDS);
  const documents = records.flatMap((item) => {
    const parsed = documentSchema.safeParse(item);
    return parsed.success ? [parsed.data] : [];
  });
  return {
    /** Newest change first. */
    documents,
    hasMore: isTooLong || (page.hasMore ?? page.documents.length >= limit),
    /** Number of records left out because they had no ID. */
    unreadable: records.length - documents.length,
    /** The limit that the page was requested with, which may be below the one asked for. */
    limit,
  };
}
