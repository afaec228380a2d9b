import {
  CLIENT_CAPABILITIES_META_KEY,
  type Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { REPORT_PAGE } from './report-page.ts';

/** MCP Apps, as clients name it among their extensions. */
const EXTENSION = 'io.modelcontextprotocol/ui';

/** What a client says of the pages that it shows. */
const pagesSchema = z
  .object({
    extensions: z.object({ [EXTENSION]: z.object({ mimeTypes: z.array(z.string()) }) }),
  })
  .optional()
  .catch(undefined);
/** The same in a request of 2026, which says it each time. */
const envelopeSchema = z.object({ [CLIENT_CAPABILITIES_META_KEY]: pagesSchema });

/**
 * Whether a client shows pages beside results. Only such a client is told about them: to any other
 * they are noise. Of a client of 2025 without a session nothing is known, so it is not told either.
 */
export function showsPages(server: Server, { mcpReq: { envelope } }: ServerContext): boolean {
  const said =
    envelope === undefined
      ? pagesSchema.parse(server.getClientCapabilities())
      : envelopeSchema.parse(envelope)[CLIENT_CAPABILITIES_META_KEY];
  return said?.extensions[EXTENSION].mimeTypes.includes(REPORT_PAGE.mimeType) ?? false;
}
