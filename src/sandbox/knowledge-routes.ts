import type { SandboxKnowledge } from './knowledge.ts';
import {
  articlesQuery,
  articlesRequest,
  foldersQuery,
  generateRequest,
  jobsRequest,
  parse,
  publishRequest,
} from './requests.ts';
import { type Route, routesBelow } from './route.ts';

/** The routes of knowledge. */
export function knowledgeRoutes(knowledge: SandboxKnowledge): Route[] {
  const route = routesBelow('/v2');
  return [
    route('POST', '/knowledge/public/bulk', 'write', ({ body }) =>
      knowledge.generate(parse(generateRequest, body)),
    ),
    route('POST', '/knowledge/public/jobs/status', 'read', ({ body }) =>
      knowledge.jobs(parse(jobsRequest, body).jobIds),
    ),
    route('GET', '/hc-articles/public', 'read', ({ query }) =>
      knowledge.list(parse(articlesQuery, query).type),
    ),
    route('POST', '/hc-articles/ids/public', 'read', ({ body }) =>
      knowledge.get(parse(articlesRequest, body).articleIds),
    ),
    route('POST', '/hc-articles/([^/]+)/publish/public', 'write', ({ parameter, body }) =>
      knowledge.publish(parameter, parse(publishRequest, body)),
    ),
    route('GET', '/hc-folders/public', 'read', ({ query }) =>
      knowledge.tree(parse(foldersQuery, query).botId),
    ),
    route('GET', '/bots/public', 'read', () => knowledge.agents()),
  ];
}
