import type { SandboxKnowledge } from './knowledge.ts';
import {
  crawlRequest,
  deleteRequest,
  ingestRequest,
  listQuery,
  type Provider,
  parse,
  providers,
  RefusedRequest,
  refreshRequest,
  registerRequest,
} from './requests.ts';
import { type Route, routesBelow } from './route.ts';
import type { SandboxWorkspace, WorkspaceSettings } from './sandbox-workspace.ts';

/** The routes of sources. */
export function sourceRoutes(
  workspace: SandboxWorkspace,
  knowledge: SandboxKnowledge,
  settings: WorkspaceSettings,
  ignoredFilters: readonly string[],
): Route[] {
  const route = routesBelow('/v2/documents/public');
  const connected = (name: string): Provider => {
    const provider = providers.find((known) => known === name);
    if (!provider) throw new RefusedRequest(400, `Provider ${name} is not supported`);
    if (settings.connectedProviders.includes(provider)) return provider;
    throw new RefusedRequest(400, `Provider ${name} is not connected. Connect it in the dashboard`);
  };
  return [
    route('POST', '/deep-crawl/links', 'write', ({ body }) =>
      workspace.crawl(parse(crawlRequest, body)),
    ),
    route('GET', '/resources/([^/]+)', 'read', ({ parameter }) =>
      workspace.resources(connected(parameter)),
    ),
    route('POST', '/resources/([^/]+)', 'write', ({ parameter, body }) =>
      workspace.register(connected(parameter), parse(registerRequest, body)),
    ),
    route('POST', '/refresh', 'write', ({ body }) =>
      workspace.refresh(parse(refreshRequest, body).documentIds),
    ),
    route('POST', '', 'write', ({ body }) => workspace.ingest(parse(ingestRequest, body))),
    route('DELETE', '', 'write', ({ body }) => {
      const { deletedArticles, ...answer } = workspace.delete(parse(deleteRequest, body));
      return { ...answer, deletedArticles: knowledge.takeOut(deletedArticles) };
    }),
    route('GET', '', 'read', ({ query }) => {
      const heeded = Object.entries(query).filter(([name]) => !ignoredFilters.includes(name));
      const filters = parse(listQuery, Object.fromEntries(heeded));
      if (filters.limit <= settings.maximumLimit) return workspace.list(filters);
      throw new RefusedRequest(400, [`limit must not be greater than ${settings.maximumLimit}`]);
    }),
    route('GET', '/([^/]+)', 'read', ({ parameter }) => workspace.get(parameter)),
  ];
}
