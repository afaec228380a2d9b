import type * as z from 'zod';
import type { Deadline } from './deadline.ts';
import { FiniError, type Scope } from './errors.ts';
import type { Http, HttpRequest } from './http.ts';

/** One route's request, without what every request has. */
export interface RouteRequest
  extends Pick<HttpRequest, 'operation' | 'method' | 'path' | 'body' | 'reads'> {
  /** It names records by ID, which may be another workspace's. */
  readonly namesRecords?: boolean;
}

/**
 * Sends a route's request and gives its answer, checked against the schema.
 *
 * @throws {FiniError} where it fails, or where its answer does not have the schema's shape.
 */
export type CheckedRequest = <Schema extends z.ZodType>(
  route: RouteRequest,
  schema: Schema,
  deadline: Partial<Deadline> | undefined,
) => Promise<z.output<Schema>>;

/** Makes the requests of one key's routes. They learn from a 403 what the key may not do. */
export function createCheckedRequest(http: Http): CheckedRequest {
  const missingScopes = new Set<Scope>();

  /** A 403 has two reasons, a missing scope or a foreign ID; without IDs it can only be the scope. */
  function withMissingScope(error: unknown, scope: Scope, namesRecords: boolean): unknown {
    if (!(error instanceof FiniError) || error.status !== 403) return error;
    // A 403 of a proxy or a firewall says nothing of the key.
    if (!namesRecords && error.isExplained) missingScopes.add(scope);
    if (!missingScopes.has(scope)) return error;
    return new FiniError(error.message, { ...error, missingScope: scope, cause: error });
  }

  return async ({ namesRecords = false, ...route }, schema, options) => {
    const { operation, method, reads = method === 'GET' } = route;
    const scope: Scope = reads ? 'read' : 'write';
    const answer = await http({ ...options, ...route }).catch((error: unknown) => {
      throw withMissingScope(error, scope, namesRecords);
    });
    missingScopes.delete(scope);
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    const message = `Fini's answer has an unexpected format.`;
    throw new FiniError(message, { operation, failure: 'unreadable', cause: parsed.error });
  };
}
