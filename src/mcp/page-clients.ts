import {
  CLIENT_CAPABILITIES_META_KEY,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { REPORT_PAGE } from './report-page.ts';

/** The name of MCP Apps among a client's extensions. */
const EXTENSION = 'io.modelcontextprotocol/ui';

/** The capabilities of a client that shows pages. */
const pagesSchema = z
  .object({
    extensions: z.object({ [EXTENSION]: z.object({ mimeTypes: z.array(z.string()) }) }),
  })
  .optional()
  .catch(undefined);
/** The same in a request of 2026, which has the capabilities each time. */
const pagesEnvelope = z.object({ [CLIENT_CAPABILITIES_META_KEY]: pagesSchema });

/**
 * True if a client shows pages beside results; undefined for a client of 2025 over HTTP, which says so
 * only in its first request, and nothing is kept between two.
 */
export function showsPages(
  server: Server,
  { mcpReq: { envelope } }: ServerContext,
): boolean | undefined {
  const capabilities = server.getClientCapabilities();
  if (envelope === undefined && capabilities === undefined) return undefined;
  const pages =
    envelope === undefined
      ? pagesSchema.parse(capabilities)
      : pagesEnvelope.parse(envelope)[CLIENT_CAPABILITIES_META_KEY];
  return pages?.extensions[EXTENSION].mimeTypes.includes(REPORT_PAGE.mimeType) ?? false;
}
