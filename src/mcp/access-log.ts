import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import type { Log } from '../log.ts';
import { bounded } from '../text.ts';
import { shortHash } from './http-access.ts';
import { pathOf } from './http-request.ts';
import { fieldOf } from './message-bounds.ts';

/** What the access line tells of a request's body. */
export interface Summary {
  method?: string | undefined;
  tool?: string | undefined;
  /** A short hash of who asks, where there is a sign-in. */
  subject?: string;
  /** Why its token was refused. */
  refused?: string | undefined;
  /** Of a batch: what each message asks for, and how many ask for the same. */
  batch?: string[];
}

const LOGGED_LENGTH = 100;
/** How many kinds of messages of a batch its access line names; the others are counted. */
const LOGGED_OF_BATCH = 20;
/** What happens often is counted for so long before the log tells of it. */
const LOG_PAUSE_MS = 10_000;

/** The parts of a JSON-RPC message that its access line names. */
const messageSchema = z.object({
  method: z.string().optional().catch(undefined),
  params: z
    .object({ name: z.string().optional().catch(undefined) })
    .optional()
    .catch(undefined),
});

/** Logs a line for a request once it has ended, with what is added to the summary until then. */
export function logAccess(log: Log, request: IncomingMessage, response: ServerResponse): Summary {
  const startedAt = performance.now();
  const summary: Summary = {};
  response.once('close', () => {
    const session = request.headers['mcp-session-id'] ?? response.getHeader('mcp-session-id');
    log('info', 'request', {
      http: request.method,
      path: logged(pathOf(request)),
      ...summary,
      status: response.statusCode,
      ms: Math.round(performance.now() - startedAt),
      session: typeof session === 'string' ? shortHash(session) : undefined,
    });
  });
  return summary;
}

/** What a client names itself, fit for one line of the log. */
export function logged(text: string): string {
  // Cut first, since what is cut off need not be looked at.
  return bounded(text.slice(0, LOGGED_LENGTH + 1), LOGGED_LENGTH);
}

/** What a body asks for, one message or a batch. */
export function summarize(body: unknown): Summary {
  if (!Array.isArray(body)) return summaryOf(body);
  const counts = new Map<string, number>();
  for (const message of body) {
    const asked = askedIn(message);
    counts.set(asked, (counts.get(asked) ?? 0) + 1);
  }
  const named = [...counts].slice(0, LOGGED_OF_BATCH);
  const batch = named.map(([asked, count]) => {
    const text = logged(asked);
    return count > 1 ? `${text} × ${count}` : text;
  });
  const others = body.length - named.reduce((sum, [, count]) => sum + count, 0);
  if (others > 0) batch.push(`${others} others`);
  return { ...summaryOf(body[0]), batch };
}

function summaryOf(message: unknown): Summary {
  const { method, params } = messageSchema.safeParse(message).data ?? {};
  const tool = method === 'tools/call' ? params?.name : undefined;
  return {
    method: method === undefined ? undefined : logged(method),
    tool: tool === undefined ? undefined : logged(tool),
  };
}

/** What a message asks for. A batch may hold a million, so that each is looked at but briefly. */
function askedIn(message: unknown): string {
  const method = fieldOf(message, 'method');
  if (typeof method !== 'string') return 'no method';
  const name = method === 'tools/call' ? fieldOf(fieldOf(message, 'params'), 'name') : undefined;
  return typeof name === 'string' ? `${method} ${name}` : method;
}

/** Counts what happens often, and logs the count now and then. */
export function logSeldom(log: Log, message: string): () => void {
  let count = 0;
  let isPausing = false;
  const say = () => {
    isPausing = count > 0;
    if (count === 0) return;
    log('error', message, { count });
    count = 0;
    setTimeout(say, LOG_PAUSE_MS).unref();
  };
  return () => {
    count += 1;
    if (!isPausing) say();
  };
}
