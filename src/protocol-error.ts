import {
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
} from '@modelcontextprotocol/server';
import { FiniError } from './fini/errors.ts';
import { failureText } from './tools/errors.ts';
import type { ServerKind, ToolDependencies } from './tools/tool.ts';

/**
 * An error in the protocol's form, for what is not answered by a tool.
 *
 * @param uri The resource asked for, where it was one: only that can be missing.
 */
export function protocolError(
  error: unknown,
  dependencies: ToolDependencies,
  kind: ServerKind,
  uri?: string,
): ProtocolError {
  const text = failureText(error, dependencies, kind);
  const isMissing = uri !== undefined && error instanceof FiniError && error.status === 404;
  return isMissing
    ? new ResourceNotFoundError(uri, text)
    : new ProtocolError(ProtocolErrorCode.InternalError, text);
}

/** Makes handlers whose errors, unless they are the protocol's, reach a client in the same words as a tool's. */
export function explaining(dependencies: ToolDependencies, kind: ServerKind) {
  return <Given extends unknown[], Result>(handler: (...given: Given) => Promise<Result>) =>
    async (...given: Given): Promise<Result> => {
      try {
        return await handler(...given);
      } catch (error) {
        throw error instanceof ProtocolError ? error : protocolError(error, dependencies, kind);
      }
    };
}
