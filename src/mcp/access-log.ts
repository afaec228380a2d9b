import type { IncomingMessage, ServerResponse } from 'node:http';
import { now } from '../clock.ts';
import type { Log } from '../log.ts';
import { bounded } from '../text.ts';
import { pathOf } from './http-request.ts';
import { BATCH_SIZE, fieldOf } from './messages.ts';

/** The part of an access line about a request's sender and body. */
export interface AccessSummary {
  /** The methods of its messages, without repetitions. */
  method?: string | undefined;
  /** The tools that they call, without repetitions. */
  tool?: string | undefined;
  /** A short hash of the person, if there is a sign-in. */
  subject?: string;
  /** The reason that the access token was refused. */
  refused?: string | undefined;
}

const LOGGED_LENGTH = 100;

/** Logs a line for a request once it has ended, with everything added to the summary until then. */
export function logAccess(
  log: Log,
  request: IncomingMessage,
  response: ServerResponse,
): AccessSummary {
  const startedAt = now();
  const summary: AccessSummary = {};
  response.once('close', () => {
    log('info', 'request', {
      http: request.method,
      path: logged(pathOf(request)),
      ...summary,
      status: response.statusCode,
      ms: Math.round(now() - startedAt),
    });
  });
  return summary;
}

/** Bounds a client's own words to one short part of a line. */
export function logged(text: string): string {
  // The text is cut first, so that the rest need not be read.
  return bounded(text.slice(0, LOGGED_LENGTH + 1), LOGGED_LENGTH);
}

/** Summarizes the messages of a body. */
export function summarize(body: unknown): AccessSummary {
  // A longer batch is refused.
  const messages: unknown[] = Array.isArray(body) ? body.slice(0, BATCH_SIZE) : [body];
  const methods = messages.map((message) => fieldOf(message, 'method'));
  const calls = messages.filter((_message, index) => methods[index] === 'tools/call');
  const tools = calls.map((message) => fieldOf(fieldOf(message, 'params'), 'name'));
  return { method: loggedNames(methods), tool: loggedNames(tools) };
}

function loggedNames(values: readonly unknown[]): string | undefined {
  const names = new Set(values.filter((value) => typeof value === 'string').map(logged));
  return names.size === 0 ? undefined : [...names].join(', ');
}
