import * as z from 'zod';
import { flag, id, ids, optionalId, status, strings, text, url } from './wire-fields.ts';

/* The contract's records and answers of sources (fini-api.md, "Document" and the table of routes). */

/** A source as Fini records it. Fini's wire calls it a document. */
const recordSchema = z.object({
  /** The source ID, a UUID. */
  id,
  originalUrl: url,
  title: text,
  /** `web`, `googledrive`, `notion`, `zendesk`, `confluence` or `files`. */
  source: text,
  /** The provider's own ID, which is not the source ID. */
  externalId: text,
  english: flag,
  baser: flag,
  /** The text, a paragraph an item. */
  paragraphs: strings,
  /** Whether the latest job produced usable content. */
  success: flag,
  /** Why the latest job failed; empty where it did not. */
  error: text,
  /** ISO 8601. */
  createdAt: text,
  /** ISO 8601; the list is ordered by it, newest first. */
  updatedAt: text,
  mimeType: text,
  linkedJobId: text,
  /** `PENDING`, `IN_PROGRESS`, `COMPLETED`, `FAILED`, or one that this server does not know. */
  linkedJobStatus: status,
  /** Set once the source has been linked to an article of Knowledge. */
  linkedKnowledgeId: text,
  /** `ADD_ARTICLE_TO_FOLDER`, `UPDATE_ARTICLE` or `DO_NOTHING`. */
  linkedOperation: text,
  /** Whether the page has changed since it was ingested; newer APIs only. */
  changed: flag,
});

/** A source as Fini records it, and how many paragraphs it has: that outlives the text itself. */
export const documentSchema = recordSchema.transform((record) => ({
  ...record,
  paragraphCount: record.paragraphs.length,
}));

/** A source as Fini records it. */
export type FiniDocument = z.infer<typeof documentSchema>;

/**
 * One page of the list of sources. `hasMore` is null where Fini did not say. A missing list counts
 * as one record that cannot be read: it must not pass for an empty workspace.
 */
export const documentPageSchema = z.object({
  documents: z.array(z.unknown()).catch([null]),
  hasMore: flag,
});

/** What ingest and register answer: source IDs, in no particular order. */
export const queuedSchema = z
  .object({
    addedDocumentIds: z.unknown().optional(),
    updatedDocumentIds: z.unknown().optional(),
  })
  // An answer with neither list does not say that nothing was queued.
  .refine(({ addedDocumentIds, updatedDocumentIds }) =>
    [addedDocumentIds, updatedDocumentIds].some(Array.isArray),
  )
  .transform(({ addedDocumentIds, updatedDocumentIds }) => ({
    addedDocumentIds: ids.parse(addedDocumentIds),
    updatedDocumentIds: ids.parse(updatedDocumentIds),
  }));

/** What ingest and register answer: source IDs, in no particular order. */
export type QueuedDocuments = z.infer<typeof queuedSchema>;

/** The IDs in both lists of such an answer, each once. */
export function queuedIds({ addedDocumentIds, updatedDocumentIds }: QueuedDocuments): string[] {
  return [...new Set([...addedDocumentIds, ...updatedDocumentIds])];
}

/** What refresh answers: the IDs queued. */
export const refreshedSchema = z.array(z.unknown()).transform((items) => ids.parse(items));

/** What a crawl answers. */
export const crawlSchema = z.object({ data: strings, message: text });

/** What delete answers. */
export const deletedSchema = z.object({
  // Without this list nobody knows what was deleted, so there is no default for it.
  deletedDocuments: z.array(z.object({ id, title: text, originalUrl: url })),
  deletedArticles: z.array(z.object({ id, title: text, parentFolderId: optionalId })).catch([]),
});

/** What delete answers. */
export type DeletedDocuments = z.infer<typeof deletedSchema>;
