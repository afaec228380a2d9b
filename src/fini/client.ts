import * as z from 'zod';
import { createCheckedRequest } from './checked-request.ts';
import type { Deadline } from './deadline.ts';
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
import { FiniError } from './errors.ts';
import type { Http } from './http.ts';
import { createKnowledgeClient, type KnowledgeClient } from './knowledge-client.ts';
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

/** The routes of the Fini API, typed. Each throws {@link FiniError}. */
export interface FiniClient extends KnowledgeClient {
  crawlLinks(
    links: readonly string[],
    limit: number,
    deadline?: Partial<Deadline>,
  ): Promise<z.infer<typeof crawlSchema>>;
  listProviderResources(
    provider: Provider,
    deadline?: Partial<Deadline>,
  ): Promise<ProviderResources>;
  registerProviderResources(
    provider: Provider,
    resources: readonly ProviderResource[],
    deadline?: Partial<Deadline>,
  ): Promise<QueuedDocuments>;
  ingestSources(request: IngestRequest, deadline?: Partial<Deadline>): Promise<QueuedDocuments>;
  refreshSources(ids: readonly string[], deadline?: Partial<Deadline>): Promise<readonly string[]>;
  listSources(request: ListRequest, deadline?: Partial<Deadline>): Promise<DocumentPage>;
  getSource(id: string, deadline?: Partial<Deadline>): Promise<FiniDocument>;
  deleteSources(
    ids: readonly string[],
    deleteArticles: boolean,
    deadline?: Partial<Deadline>,
  ): Promise<DeletedDocuments>;
}

const DOCUMENTS = '/v2/documents/public';

/** How many records of one page are read, of an API that ignores `limit`: far more than it gives. */
const MAXIMUM_RECORDS = 1_000;

/** The API's own default, which it surely takes; the largest page is not documented. */
const SAFE_PAGE = 50;

/**
 * Makes the client of one workspace. It learns from a 403 what the key may not do, and from a 400
 * that a page was too large.
 */
export function createFiniClient(http: Http): FiniClient {
  const request = createCheckedRequest(http);
  let largestPage = Number.POSITIVE_INFINITY;

  return {
    ...createKnowledgeClient(request),

    crawlLinks: (links, limit, options) =>
      request(
        {
          operation: 'crawl links',
          method: 'POST',
          path: `${DOCUMENTS}/deep-crawl/links`,
          body: { links, limit },
        },
        crawlSchema,
        options,
      ),

    async listProviderResources(provider, options) {
      const path = `${DOCUMENTS}/resources/${provider}`;
      const route = { operation: 'list provider resources', method: 'GET', path } as const;
      return flattenProviderTree(provider, await request(route, z.unknown(), options));
    },

    registerProviderResources(provider, resources, options) {
      const path = `${DOCUMENTS}/resources/${provider}`;
      const route = { operation: 'register provider resources', method: 'POST', path } as const;
      // `path` is ours: it tells a reader where a resource stands, and means nothing to Fini.
      const body = { resources: resources.map(({ path: _path, ...resource }) => resource) };
      return request({ ...route, body }, queuedSchema, options);
    },

    ingestSources: (body, options) =>
      request(
        {
          operation: 'ingest sources',
          method: 'POST',
          path: DOCUMENTS,
          body,
          namesRecords: body.source !== 'web',
        },
        queuedSchema,
        options,
      ),

    refreshSources: (ids, options) =>
      request(
        {
          operation: 'refresh sources',
          method: 'POST',
          path: `${DOCUMENTS}/refresh`,
          body: { documentIds: ids },
          namesRecords: true,
        },
        refreshedSchema,
        options,
      ),

    async listSources(filters, options) {
      let limit = Math.min(filters.limit, largestPage);
      let refusal: FiniError | undefined;
      for (;;) {
        const path = `${DOCUMENTS}?${queryOf({ ...filters, limit })}`;
        const route = { operation: 'list sources', method: 'GET', path } as const;
        try {
          const page = await request(route, documentPageSchema, options);
          if (refusal !== undefined) largestPage = SAFE_PAGE;
          return readPage(page, limit, filters.direction === 'previous');
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

    getSource(id, options) {
      const path = `${DOCUMENTS}/${encodeURIComponent(id)}`;
      const route = { operation: 'get source', method: 'GET', path, namesRecords: true } as const;
      return request(route, documentSchema, options);
    },

    deleteSources: (ids, deleteArticles, options) =>
      request(
        {
          operation: 'delete sources',
          method: 'DELETE',
          path: DOCUMENTS,
          body: { documentIds: ids, deleteArticles },
          namesRecords: true,
        },
        deletedSchema,
        options,
      ),
  };
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
