import * as z from 'zod';
import { stateOf } from '../engine/job-states.ts';
import { statusOf } from '../engine/list.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { counted, ERROR_LENGTH, shown, TITLE_LENGTH, URL_LENGTH, WORD_LENGTH } from '../text.ts';
import { adviceFor } from './hints.ts';

/** A source without its text, as tools show it (fini-api.md, "Document"). */
export const sourceShape = {
  id: z.string().describe('Source ID.'),
  status: z
    .string()
    .describe('completed, failed (also without content), running, never_ingested or unknown.'),
  linkedJobStatus: z
    .string()
    .optional()
    .describe('PENDING, IN_PROGRESS, COMPLETED or FAILED; absent if never ingested.'),
  error: z.string().optional().describe('Why the latest job failed.'),
  hint: z.string().optional().describe('What to do about the error.'),
  title: z.string().optional(),
  originalUrl: z.string().optional(),
  source: z.string().optional().describe('web, googledrive, notion, zendesk, confluence or files.'),
  updatedAt: z.string().optional().describe('When it last changed (ISO 8601).'),
  paragraphCount: z.int(),
  english: z.boolean().optional().describe('English-specific processing.'),
  changed: z.boolean().optional().describe('The page has changed since it was ingested.'),
  linkedKnowledgeId: z.string().optional().describe('The Knowledge article made from it.'),
  linkedOperation: z.string().optional().describe('How that article was made.'),
  linkedJobId: z.string().optional().describe('The job ID, while the job is running.'),
};

/** A source without its text, as tools show it. */
export type SourceOutput = z.output<z.ZodObject<typeof sourceShape>>;

/** What a tool shows of a record: everything bounded, the text counted. */
export function sourceOutput(document: FiniDocument): SourceOutput {
  return {
    id: document.id,
    status: statusOf(document),
    linkedJobStatus: shown(document.linkedJobStatus, WORD_LENGTH),
    error: shown(document.error, ERROR_LENGTH),
    hint: adviceFor(document)?.hint,
    title: shown(document.title, TITLE_LENGTH),
    originalUrl: shown(document.originalUrl, URL_LENGTH),
    source: shown(document.source, WORD_LENGTH),
    updatedAt: shown(document.updatedAt, WORD_LENGTH),
    paragraphCount: document.paragraphCount,
    english: document.english ?? undefined,
    changed: document.changed ?? undefined,
    linkedKnowledgeId: shown(document.linkedKnowledgeId, WORD_LENGTH),
    linkedOperation: shown(document.linkedOperation, WORD_LENGTH),
    linkedJobId:
      stateOf(document) === 'unfinished' ? shown(document.linkedJobId, WORD_LENGTH) : undefined,
  };
}

/**
 * One line about a source: its ID, its state, of what kind it is and when it last changed, its name
 * and URL, and whatever else there is to say.
 */
export function sourceLine(source: SourceOutput): string {
  const { id, title, originalUrl, updatedAt, error, hint, english, changed } = source;
  const { linkedKnowledgeId, linkedOperation, linkedJobId } = source;
  // In quotes, so that a title, which a page chooses, cannot pass for what this server says.
  const name = title === undefined ? (originalUrl ?? 'untitled') : JSON.stringify(title);
  const url = title !== undefined && originalUrl !== undefined ? ` <${originalUrl}>` : '';
  // Fini's own word where it says something else.
  const word = source.linkedJobStatus;
  const isSame = word === undefined || word.toLowerCase() === source.status;
  const status = `${source.status.replace('_', ' ')}${isSame ? '' : ` (${word})`}`;
  // The second is enough to tell what is old.
  const changedAt = updatedAt?.replace(/\.\d+(?=Z$)/, '');
  const state = [status, source.source, changedAt].filter((part) => part !== undefined).join(' ');
  const about = [
    // In quotes, so that an error cannot pass for the hint.
    error === undefined ? counted(source.paragraphCount, 'paragraph') : JSON.stringify(error),
    english === false ? 'not English' : undefined,
    changed ? 'changed since ingestion' : undefined,
    linkedKnowledgeId === undefined ? undefined : `article ${linkedKnowledgeId}`,
    linkedOperation,
    linkedJobId === undefined ? undefined : `job ${linkedJobId}`,
  ].filter((part) => part !== undefined);
  const advice = hint === undefined ? '' : ` → ${hint}`;
  return `- ${id} ${state}: ${name}${url} (${about.join(', ')})${advice}`;
}
