import * as z from 'zod';
import {
  articlesQuery,
  articlesRequest,
  crawlRequest,
  deleteRequest,
  foldersQuery,
  generateRequest,
  ingestRequest,
  jobsRequest,
  listQuery,
  type ProviderName,
  parse,
  providers,
  publishRequest,
  RefusedRequest,
  refreshRequest,
  registerRequest,
} from './requests.ts';
import type { SandboxKnowledge } from './sandbox-knowledge.ts';
import type { SandboxWorkspace, WorkspaceSettings } from './sandbox-workspace.ts';

/** A scope of a workspace key. */
export type KeyScope = 'read' | 'write';

/** One route of the API. */
export type ApiRoute = {
  method: string;
  /** A pattern for the whole path. Its group, if it has one, is the path's variable part. */
  path: RegExp;
  scope: KeyScope;
  /** Carries out a request: `input` is the query of a GET, otherwise the body. */
  answer: (input: unknown, variable: string) => unknown;
};

/** Makes a route whose input is checked before anything is done. */
function route<Schema extends z.ZodType>(
  method: string,
  path: string,
  scope: KeyScope,
  schema: Schema,
  answer: (input: z.output<Schema>, variable: string) => unknown,
): ApiRoute {
  return {
    method,
    path: new RegExp(`^/v2${path}$`),
    scope,
    answer: (input, variable) => answer(parse(schema, input), variable),
  };
}

/** Every route of the API. */
export function apiRoutes(
  workspace: SandboxWorkspace,
  knowledge: SandboxKnowledge,
  settings: WorkspaceSettings,
  ignoredFilters: readonly string[],
): ApiRoute[] {
  const connected = (name: string): ProviderName => {
    const provider = providers.find((known) => known === name);
    if (!provider) throw new RefusedRequest(400, `Provider ${name} is not supported`);
    if (settings.connectedProviders.includes(provider)) return provider;
    throw new RefusedRequest(400, `Provider ${name} is not connected. Connect it in the dashboard`);
  };
  const ignored = Object.fromEntries(ignoredFilters.map((name) => [name, undefined]));
  const heededQuery = z.preprocess((query) => ({ ...Object(query), ...ignored }), listQuery);
  const anything = z.unknown();
  const documents = '/documents/public';
  return [
    route('POST', `${documents}/deep-crawl/links`, 'write', crawlRequest, (body) =>
      workspace.crawl(body),
    ),
    route('GET', `${documents}/resources/([^/]+)`, 'read', anything, (_query, provider) =>
      workspace.resources(connected(provider)),
    ),
    route('POST', `${documents}/resources/([^/]+)`, 'write', registerRequest, (body, provider) =>
      workspace.register(connected(provider), body),
    ),
    route('POST', `${documents}/refresh`, 'write', refreshRequest, ({ documentIds }) =>
      workspace.refresh(documentIds),
    ),
    route('POST', documents, 'write', ingestRequest, (body) => workspace.ingest(body)),
    route('DELETE', documents, 'write', deleteRequest, (body) => {
      const { deletedArticles, ...answer } = workspace.delete(body);
      return { ...answer, deletedArticles: knowledge.takeOut(deletedArticles) };
    }),
    route('GET', documents, 'read', heededQuery, (query) => {
      if (query.limit <= settings.maximumLimit) return workspace.list(query);
      throw new RefusedRequest(400, [`limit must not be greater than ${settings.maximumLimit}`]);
    }),
    route('GET', `${documents}/([^/]+)`, 'read', anything, (_query, id) => workspace.get(id)),
    route('POST', '/knowledge/public/bulk', 'write', generateRequest, (body) =>
      knowledge.generate(body),
    ),
    route('POST', '/knowledge/public/jobs/status', 'read', jobsRequest, ({ jobIds }) =>
      knowledge.jobs(jobIds),
    ),
    route('GET', '/hc-articles/public', 'read', articlesQuery, ({ type }) => knowledge.list(type)),
    route('POST', '/hc-articles/ids/public', 'read', articlesRequest, ({ articleIds }) =>
      knowledge.get(articleIds),
    ),
    route('POST', '/hc-articles/([^/]+)/publish/public', 'write', publishRequest, (body, id) =>
      knowledge.publish(id, body),
    ),
    route('GET', '/hc-folders/public', 'read', foldersQuery, ({ botId }) => knowledge.tree(botId)),
    route('GET', '/bots/public', 'read', anything, () => knowledge.agents()),
  ];
}
