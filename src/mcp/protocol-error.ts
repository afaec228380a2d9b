import {
  type JSONRPCMessage,
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { FiniError } from '../fini/errors.ts';
import type { ServerKind, ToolDependencies } from '../tools/tool.ts';
import { loadCalls } from './lazy-modules.ts';

/**
 * Makes an error in the protocol's form, for requests that no tool answers.
 *
 * @param uri The requested resource, if there was one: only that can be missing.
 */
export async function protocolError(
  error: unknown,
  dependencies: ToolDependencies,
  kind: ServerKind,
  uri?: string,
): Promise<ProtocolError> {
  const { failureText } = await loadCalls();
  const text = failureText(error, dependencies, kind);
  const isMissing = uri !== undefined && error instanceof FiniError && error.status === 404;
  return isMissing
    ? new ResourceNotFoundError(uri, text)
    : new ProtocolError(ProtocolErrorCode.InternalError, text);
}

/** Makes handlers whose errors, unless they are the protocol's, have the same words as a tool's. */
export function withExplainedErrors(dependencies: ToolDependencies, kind: ServerKind) {
  return <Given extends unknown[], Result>(handler: (...given: Given) => Promise<Result>) =>
    async (...given: Given): Promise<Result> => {
      try {
        return await handler(...given);
      } catch (error) {
        throw error instanceof ProtocolError
          ? error
          : await protocolError(error, dependencies, kind);
      }
    };
}

/** The SDK's message for a request that does not fit its schema, with the validator's raw issues. */
const DUMP = /^(?:Invalid ([\w/]+) request: )?(\[\s*\{[\s\S]*\])$/;
const issues = z.array(
  z.object({ path: z.array(z.union([z.string(), z.number()])), message: z.string() }),
);
const dump = z
  .string()
  .transform((text, context) => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue('This only looks like JSON.');
      return z.NEVER;
    }
  })
  .pipe(issues);

/** A message to send: raw issues of a validator, which the SDK would send, become a sentence. */
export function readable(message: JSONRPCMessage): JSONRPCMessage {
  if (!('error' in message)) return message;
  const [, method, json] = DUMP.exec(message.error.message) ?? [];
  if (json === undefined) return message;
  const read = dump.safeParse(json);
  // It was none after all. A message must go out, whatever it says.
  if (!read.success) return message;
  const said = read.data
    .map((fault) => `${fault.path.join('.')}: ${fault.message.replaceAll('"', '')}`)
    .join('; ');
  const start = method === undefined ? 'Invalid request' : `Invalid ${method} request`;
  const error = { code: ProtocolErrorCode.InvalidParams, message: `${start}: ${said}.` };
  return { ...message, error };
}
