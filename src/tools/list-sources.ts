import * as z from 'zod';
import { counted } from '../bounded.ts';
import type { SourceFilters } from '../fini/client.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { defineTool } from './define.ts';
import { sourceId } from './schemas.ts';
import { sourceLine, sourceOutput, sourceShape } from './source.ts';

const optionalText = z.string().trim().min(1).optional();

/** What Fini has (fini-api.md, "list sources"). */
export const listSources = defineTool({
  name: 'list_sources',
  title: 'List sources',
  description:
    "Lists the workspace's sources, newest change first, without their text. Use it to find a source by URL or title, to see what failed, or whether something was queued. To wait for jobs use wait_for_sources; for a text get_source. Needs read scope.",
  inputSchema: z.strictObject({
    limit: z
      .int()
      .min(1)
      .max(100)
      .default(50)
      .describe('The most sources a page: 1 to 100. Default 50.'),
    cursor: sourceId.optional().describe('nextCursor of the page before.'),
    direction: z
      .enum(['next', 'previous'])
      .optional()
      .describe('next: older ones, the usual way; previous: newer ones.'),
    source: z
      .enum(['web', 'googledrive', 'notion', 'zendesk', 'confluence', 'files'])
      .optional()
      .describe('Only of this kind.'),
    english: z.boolean().optional().describe('Whether it had English-specific processing.'),
    /** One source. */
    id: sourceId.optional().describe('Only the source with this ID (UUID).'),
    /** A part of the title, in any case. */
    title: optionalText.describe('A part of the title, in any case.'),
    /** A part of the URL, in any case. */
    originalUrl: optionalText.describe('A part of the URL, in any case.'),
    linkedKnowledgeId: optionalText.describe('Only sources of this Knowledge article (its ID).'),
    linkedOperation: z
      .enum(['ADD_ARTICLE_TO_FOLDER', 'UPDATE_ARTICLE', 'DO_NOTHING'])
      .optional()
      .describe('Only sources last used in this way for Knowledge.'),
    /** Pages that changed since they were ingested. */
    changed: z.boolean().optional().describe('Whether the page changed since ingestion.'),
  }),
  outputSchema: z.object({
    message: z.string().describe('What this page is, and what to do next.'),
    hasMore: z.boolean(),
    nextCursor: z.string().optional().describe('Pass it as cursor; absent on the last page.'),
    documents: z.array(z.object(sourceShape)).describe('The sources, newest change first.'),
  }),
  annotations: {
    readOnlyHint: true,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: false,
  },
  async handler({ cursor, direction, limit, ...filters }, context) {
    const { fini, signal, canWrite } = context;
    const way = cursor === undefined ? undefined : (direction ?? 'next');
    const request = { ...filters, limit, cursor, direction: way };
    const page = await fini.listSources(request, { signal });
    const matching = page.documents.filter((document) => matches(document, filters));
    const last = way === 'previous' ? page.documents[0] : page.documents.at(-1);
    const nextCursor = page.hasMore ? last?.id : undefined;
    const left = page.documents.length - matching.length;
    const isFiltered = Object.values(filters).some((wanted) => wanted !== undefined);
    // A page after the first only shows that there is no more, and so does one of unreadable records.
    const isNothing = matching.length === 0 && page.unreadable === 0 && cursor === undefined;
    return {
      documents: matching.map(sourceOutput),
      hasMore: page.hasMore,
      nextCursor,
      message: [
        left === 0
          ? ''
          : `Fini did not apply every filter: ${left} of this page did not match and were left out${page.hasMore ? ', so matches may be on later pages' : ''}.`,
        page.unreadable === 0 ? '' : `${page.unreadable} records without an ID were left out.`,
        isNothing && !page.hasMore
          ? nothing(isFiltered, canWrite)
          : endOfPage(page.hasMore, nextCursor, way),
      ]
        .filter((part) => part !== '')
        .join(' '),
    };
  },
  text({ documents, message }) {
    return `${counted(documents.length, 'source')} on this page. ${message}\n${documents.map(sourceLine).join('\n')}`;
  },
});

/** Why a whole list is empty. */
function nothing(isFiltered: boolean, canWrite: boolean): string {
  if (isFiltered) return 'No source matches these filters.';
  return canWrite
    ? 'Fini has no sources yet: begin with ingest_site or import_provider_resources.'
    : 'Fini has no sources yet.';
}

function endOfPage(
  hasMore: boolean,
  nextCursor: string | undefined,
  way: string | undefined,
): string {
  if (nextCursor !== undefined) {
    const direction = way === 'previous' ? ' and direction "previous"' : '';
    return `There are more: call again with cursor "${nextCursor}"${direction}.`;
  }
  if (hasMore) return 'There are more, but without an ID on this page there is no way on to them.';
  return 'That is all.';
}

/** An API may ignore a parameter that it does not know, so every filter is checked again. */
function matches(document: FiniDocument, filters: SourceFilters): boolean {
  const contains = (text: string | null, part: string | undefined) =>
    part === undefined || (text ?? '').toLowerCase().includes(part.toLowerCase());
  const equals = (value: unknown, wanted: unknown) => wanted === undefined || value === wanted;
  return (
    contains(document.title, filters.title) &&
    contains(document.originalUrl, filters.originalUrl) &&
    equals(document.id.toLowerCase(), filters.id?.toLowerCase()) &&
    equals(document.source, filters.source) &&
    equals(document.english, filters.english) &&
    equals(document.linkedKnowledgeId, filters.linkedKnowledgeId) &&
    equals(document.linkedOperation, filters.linkedOperation) &&
    // Older APIs have no such field; what is not there can only be taken as not changed.
    equals(document.changed ?? false, filters.changed)
  );
}
