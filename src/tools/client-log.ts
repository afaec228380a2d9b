import {
  LOG_LEVEL_META_KEY,
  type LoggingLevel,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { ClientLogLevel } from './tool.ts';

/** The levels of MCP's log, the lowest first. */
const CLIENT_LOG_LEVELS = [
  'debug',
  'info',
  'notice',
  'warning',
  'error',
  'critical',
  'alert',
  'emergency',
] as const satisfies readonly LoggingLevel[];
/** The level that a request of 2026 asks for. */
const levelSchema = z.object({
  [LOG_LEVEL_META_KEY]: z.enum(CLIENT_LOG_LEVELS).optional().catch(undefined),
});
/** The level for clients of 2025 that have not asked for one. */
const DEFAULT_LOG_LEVEL: LoggingLevel = 'warning';

/** Sends a log message for a call to its client, if the client asked for that level. */
export type ClientLog = (
  extra: ServerContext,
  level: ClientLogLevel,
  data: Record<string, unknown>,
) => void;

/** Offers MCP's log, whose level a client may set. */
export function offerLog(server: Server): ClientLog {
  let wanted = DEFAULT_LOG_LEVEL;
  server.setRequestHandler('logging/setLevel', ({ params }) => {
    wanted = params.level;
    return {};
  });
  return ({ mcpReq: { envelope, notify } }, level, data) => {
    // A client of 2026 asks with each request, and gets nothing if it does not.
    const asked = envelope === undefined ? wanted : levelSchema.parse(envelope)[LOG_LEVEL_META_KEY];
    if (asked === undefined || CLIENT_LOG_LEVELS.indexOf(level) < CLIENT_LOG_LEVELS.indexOf(asked))
      return;
    const params = { level, logger: 'ingestion', data };
    // A client that has disconnected needs no log; the signal ends its call.
    notify({ method: 'notifications/message', params }).catch(() => undefined);
  };
}
