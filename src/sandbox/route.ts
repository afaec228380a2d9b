/** What a workspace key may do. */
export type Scope = 'read' | 'write';

/** What a request asks of a route. */
export type Exchange = {
  /** What the path's one variable part says; empty where it has none. */
  parameter: string;
  query: Record<string, string>;
  body: unknown;
};

/** One route of the API. */
export type Route = {
  method: string;
  path: RegExp;
  scope: Scope;
  answer: (exchange: Exchange) => unknown;
};

/** Makes routes whose paths, regular expressions, begin with this one. */
export function routesBelow(base: string) {
  return (method: string, path: string, scope: Scope, answer: Route['answer']): Route => ({
    method,
    path: new RegExp(`^${base}${path}$`),
    scope,
    answer,
  });
}
