import type * as z from 'zod';
import {
  crawlSchema,
  type DeletedDocuments,
  deletedSchema,
  documentPageSchema,
  documentSchema,
  type FiniDocument,
  type QueuedDocuments,
  queuedSchema,
  refreshedSchema,
} from './documents.ts';
import { FiniError, type Scope } from './errors.ts';
import type { Http, HttpRequest } from './http.ts';
import {
  flattenProviderTree,
  type Provider,
  type ProviderResource,
  type ProviderResources,
} from './provider-tree.ts';

/** Where the content of a source comes from, as ingest takes it. */
export const INGEST_SOURCES = ['web', 'googledrive', 'notion', 'zendesk', 'confluence'] as const;

/** Where the content of a source comes from, as ingest takes it. */
export type IngestSource = (typeof INGEST_SOURCES)[number];

/** What ingest takes: URLs for `web`, source IDs for every other source (the contract's trap). */
export interface IngestRequest {
  readonly source: IngestSource;
  readonly documentIdsToAdd: readonly string[];
  readonly documentIdsToRefresh: readonly string[];
  readonly english: boolean;
  readonly baser: boolean;
}

/** What narrows the list of sources (the contract's "Open: the list filters' names"). */
export interface SourceFilters {
  readonly source?: string | undefined;
  readonly english?: boolean | undefined;
  /** Exact. */
  readonly id?: string | undefined;
  /** A part of the title, in any case. */
  readonly title?: string | undefined;
  /** A part of the URL, in any case. */
  readonly originalUrl?: string | undefined;
  readonly linkedKnowledgeId?: string | undefined;
  readonly linkedOperation?: string | undefined;
  readonly changed?: boolean | undefined;
}

/** Which page of the list of sources is asked for. */
export interface ListRequest extends SourceFilters {
  readonly limit: number;
  /** The `id` of the last (or, going back, the first) source of the page before. */
  readonly cursor?: string | undefined;
  /** `next` leads to older changes, `previous` to newer ones. */
  readonly direction?: 'next' | 'previous' | undefined;
}

/** One page of the list, newest change first. */
export interface DocumentPage {
  readonly documents: readonly FiniDocument[];
  readonly hasMore: boolean;
  /** How many records had no ID and had to be left out. */
  readonly unreadable: number;
  /** How many sources the page could hold, which may be fewer than were asked for. */
  readonly limit: number;
}

/** The call on whose behalf a request is made. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
  /** When the call is over, by performance.now(). */
  readonly endsAt?: number | undefined;
  /** Polls wait for what people called. Default 'call'. */
  readonly priority?: 'call' | 'poll' | undefined;
  /** Told when a request has to wait because of Fini's limit: why, and when it goes on. */
  readonly onPause?:
    | ((pause: { readonly reason: 'limit'; readonly seconds: number }) => void)
    | undefined;
}

/** The eight routes of the Fini sources API, typed. Each throws {@link FiniError}. */
export interface FiniClient {
  crawlLinks(
    links: readonly string[],
    limit: number,
    options?: CallOptions,
  ): Promise<z.infer<typeof crawlSchema>>;
  listProviderResources(provider: Provider, options?: CallOptions): Promise<ProviderResources>;
  registerProviderResources(
    provider: Provider,
    resources: readonly ProviderResource[],
    options?: CallOptions,
  ): Promise<QueuedDocuments>;
  ingestSources(request: IngestRequest, options?: CallOptions): Promise<QueuedDocuments>;
  refreshSources(ids: readonly string[], options?: CallOptions): Promise<readonly string[]>;
  listSources(request: ListRequest, options?: CallOptions): Promise<DocumentPage>;
  getSource(id: string, options?: CallOptions): Promise<FiniDocument>;
  deleteSources(
    ids: readonly string[],
    deleteArticles: boolean,
    options?: CallOptions,
  ): Promise<DeletedDocuments>;
}

const DOCUMENTS = '/v2/documents/public';

/** How many records of one page are read, of an API that ignores `limit`: far more than it gives. */
const MAXIMUM_RECORDS = 1_000;

/** What a request needs of the key, and whether it names sources, which may be another workspace's. */
interface ScopedRequest extends HttpRequest {
  readonly scope: Scope;
  readonly namesSources?: boolean;
}

/** The API's own default, which it surely takes; the largest page is not documented. */
const SAFE_PAGE = 50;

/**
 * Makes the client of one workspace. It learns from a 403 what the key may not do, and from a 400
 * that a page was too large.
 */
export function createFiniClient(http: Http): FiniClient {
  const missingScopes = new Set<Scope>();
  let largestPage = Number.POSITIVE_INFINITY;

  /** A 403 has two reasons, a missing scope or a foreign ID; without IDs it can only be the scope. */
  async function send({ scope, namesSources = false, ...request }: ScopedRequest) {
    try {
      const answer = await http(request);
      missingScopes.delete(scope);
      return answer;
    } catch (error) {
      if (!(error instanceof FiniError) || error.status !== 403) throw error;
      // A 403 of a proxy or a firewall says nothing of the key.
      if (!namesSources && error.isExplained) missingScopes.add(scope);
      if (!missingScopes.has(scope)) throw error;
      throw new FiniError(error.message, { ...error, missingScope: scope, cause: error });
    }
  }

  return {
    async crawlLinks(links, limit, options) {
      const operation = 'crawl links';
      const body = { links, limit };
      const path = `${DOCUMENTS}/deep-crawl/links`;
      const answer = await send({
        operation,
        scope: 'write',
        method: 'POST',
        path,
        body,
        ...options,
      });
      return parseAnswer(operation, crawlSchema, answer);
    },

    async listProviderResources(provider, options) {
      const operation = 'list provider resources';
      const path = `${DOCUMENTS}/resources/${provider}`;
      const answer = await send({ operation, scope: 'read', method: 'GET', path, ...options });
      return flattenProviderTree(provider, answer);
    },

    async registerProviderResources(provider, resources, options) {
      const operation = 'register provider resources';
      // `path` is ours: it tells a reader where a resource stands, and means nothing to Fini.
      const body = { resources: resources.map(({ path: _path, ...resource }) => resource) };
      const path = `${DOCUMENTS}/resources/${provider}`;
      const answer = await send({
        operation,
        scope: 'write',
        method: 'POST',
        path,
        body,
        ...options,
      });
      return parseAnswer(operation, queuedSchema, answer);
    },

    async ingestSources(request, options) {
      const operation = 'ingest sources';
      const answer = await send({
        operation,
        scope: 'write',
        namesSources: request.source !== 'web',
        method: 'POST',
        path: DOCUMENTS,
        body: request,
        ...options,
      });
      return parseAnswer(operation, queuedSchema, answer);
    },

    async refreshSources(ids, options) {
      const operation = 'refresh sources';
      const body = { documentIds: ids };
      const path = `${DOCUMENTS}/refresh`;
      const answer = await send({
        operation,
        scope: 'write',
        namesSources: true,
        method: 'POST',
        path,
        body,
        ...options,
      });
      return parseAnswer(operation, refreshedSchema, answer);
    },

    async listSources(request, options) {
      const operation = 'list sources';
      let limit = Math.min(request.limit, largestPage);
      let refusal: FiniError | undefined;
      for (;;) {
        const path = `${DOCUMENTS}?${queryOf({ ...request, limit })}`;
        try {
          const answer = await send({ operation, scope: 'read', method: 'GET', path, ...options });
          if (refusal !== undefined) largestPage = SAFE_PAGE;
          const page = parseAnswer(operation, documentPageSchema, answer);
          return readPage(page, limit, request.direction === 'previous');
        } catch (error) {
          if (!(error instanceof FiniError)) throw error;
          // Pages carry every source's whole text, so a page of long ones may go over the bound.
          if (error.failure === 'too_large' && limit > 1) limit = Math.ceil(limit / 2);
          else if (error.status === 400 && limit > SAFE_PAGE) {
            refusal = error;
            limit = SAFE_PAGE;
          } else throw refusal ?? error;
        }
      }
    },

    async getSource(id, options) {
      const operation = 'get source';
      const path = `${DOCUMENTS}/${encodeURIComponent(id)}`;
      const answer = await send({
        operation,
        scope: 'read',
        namesSources: true,
        method: 'GET',
        path,
        ...options,
      });
      return parseAnswer(operation, documentSchema, answer);
    },

    async deleteSources(ids, deleteArticles, options) {
      const operation = 'delete sources';
      const body = { documentIds: ids, deleteArticles };
      const answer = await send({
        operation,
        scope: 'write',
        namesSources: true,
        method: 'DELETE',
        path: DOCUMENTS,
        body,
        ...options,
      });
      return parseAnswer(operation, deletedSchema, answer);
    },
  };
}

function parseAnswer<Schema extends z.ZodType>(
  operation: string,
  schema: Schema,
  answer: unknown,
): z.output<Schema> {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  const message = `Fini's answer has an unexpected format.`;
  throw new FiniError(message, { operation, failure: 'unreadable', cause: parsed.error });
}

/** Reads a page's records. Of too many, those next to the cursor: the others come with the next. */
function readPage(
  page: z.infer<typeof documentPageSchema>,
  limit: number,
  isBack: boolean,
): DocumentPage {
  const isTooLong = page.documents.length > MAXIMUM_RECORDS;
  const records = isBack
    ? page.documents.slice(-MAXIMUM_RECORDS)
    : page.documents.slice(0, MAXIMUM_RECORDS);
  const documents = records.flatMap((item) => {
    const parsed = documentSchema.safeParse(item);
    return parsed.success ? [parsed.data] : [];
  });
  return {
    documents,
    hasMore: isTooLong || (page.hasMore ?? page.documents.length >= limit),
    unreadable: records.length - documents.length,
    limit,
  };
}

function queryOf(request: ListRequest): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(request)) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.toString();
}
