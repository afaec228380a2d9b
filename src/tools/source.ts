import * as z from 'zod';
import {
  bounded,
  boundedOrNull,
  counted,
  ERROR_LENGTH,
  TITLE_LENGTH,
  URL_LENGTH,
  WORD_LENGTH,
} from '../bounded.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { adviceFor } from '../ingestion/states.ts';

/** A source without its text, as tools show it (fini-api.md, "Document"). */
export const sourceShape = {
  /** The source ID. */
  id: z.string(),
  title: z.string().nullable(),
  originalUrl: z.string().nullable(),
  /** `web`, `googledrive`, `notion`, `zendesk`, `confluence` or `files`. */
  source: z.string().nullable(),
  /** `PENDING`, `IN_PROGRESS`, `COMPLETED` or `FAILED`. */
  linkedJobStatus: z.string().nullable(),
  /** Whether the latest job gave usable content. */
  success: z.boolean().nullable(),
  /** Why the latest job failed. */
  error: z.string().optional(),
  /** What to do about that. */
  hint: z.string().optional(),
  paragraphCount: z.int(),
  english: z.boolean().nullable(),
  createdAt: z.string().nullable(),
  updatedAt: z.string().nullable(),
  linkedJobId: z.string().nullable(),
  /** Set once the source is linked to an article of Knowledge. */
  linkedKnowledgeId: z.string().nullable(),
  linkedOperation: z.string().nullable(),
  /** Whether the page has changed since it was ingested. */
  changed: z.boolean().optional(),
};

/** A source without its text, as tools show it. */
export type SourceOutput = z.output<z.ZodObject<typeof sourceShape>>;

/** What a tool shows of a record: everything bounded, the text counted. */
export function sourceOutput(document: FiniDocument): SourceOutput {
  return {
    id: document.id,
    title: boundedOrNull(document.title, TITLE_LENGTH),
    originalUrl: boundedOrNull(document.originalUrl, URL_LENGTH),
    source: boundedOrNull(document.source, WORD_LENGTH),
    linkedJobStatus: boundedOrNull(document.linkedJobStatus, WORD_LENGTH),
    success: document.success,
    error: document.error ? bounded(document.error, ERROR_LENGTH) : undefined,
    hint: adviceFor(document),
    paragraphCount: document.paragraphCount,
    english: document.english,
    createdAt: boundedOrNull(document.createdAt, WORD_LENGTH),
    updatedAt: boundedOrNull(document.updatedAt, WORD_LENGTH),
    linkedJobId: boundedOrNull(document.linkedJobId, WORD_LENGTH),
    linkedKnowledgeId: boundedOrNull(document.linkedKnowledgeId, WORD_LENGTH),
    linkedOperation: boundedOrNull(document.linkedOperation, WORD_LENGTH),
    changed: document.changed ?? undefined,
  };
}

/**
 * One line about a source, with what the next call goes by: its ID, its state, of what kind it is
 * and when it last changed.
 */
export function sourceLine(source: SourceOutput): string {
  const { id, title, originalUrl, updatedAt } = source;
  const name = title || originalUrl || 'untitled';
  const url = title && originalUrl ? ` <${originalUrl}>` : '';
  const status = source.linkedJobStatus || 'never ingested';
  // The second is enough to tell what is old; the structured content has it as Fini gave it.
  const changedAt = updatedAt?.replace(/\.\d+(?=Z$)/, '');
  const state = [status, source.source, changedAt].filter(Boolean).join(' ');
  const outcome =
    source.error === undefined ? counted(source.paragraphCount, 'paragraph') : source.error;
  return `- ${id} ${state}: ${name}${url} (${outcome})`;
}
