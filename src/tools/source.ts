import * as z from 'zod';
import { stateOf } from '../engine/job-states.ts';
import { statusOf } from '../engine/list.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import { ERROR_LENGTH, shown, TITLE_LENGTH, URL_LENGTH, WORD_LENGTH } from '../text.ts';
import { hintFor } from './hints.ts';

/** A source without its text, as tools show it. Obvious values are left out. */
export const sourceShape = {
  status: z
    .string()
    .describe('completed, failed (also without content), running, never_ingested or unknown.'),
  originalUrl: z.string().optional(),
  id: z.string().describe('Source ID.'),
  title: z.string().optional(),
  source: z.string().optional().describe('web, googledrive, notion, zendesk, confluence or files.'),
  error: z.string().optional().describe('Reason that the latest job failed.'),
  hint: z.string().optional().describe('Name of the advice in hints.'),
  jobStatus: z.string().optional().describe("Job status in Fini's words, until it has ended."),
  paragraphCount: z.int(),
  updatedAt: z.string().optional().describe('Time of the last change of the record (ISO 8601).'),
  english: z
    .boolean()
    .optional()
    .describe('False if ingested without English-specific processing.'),
  changed: z
    .boolean()
    .optional()
    .describe("Fini's mark: true if the page differs from what its Knowledge was made from."),
  linkedKnowledgeId: z.string().optional().describe('ID of the Knowledge article made from it.'),
  linkedOperation: z.string().optional().describe('Latest Knowledge operation with this source.'),
  jobId: z.string().optional().describe('Job ID, while the job is running.'),
};

/** Says what Fini's mark means, if one of these sources has it. */
export function changedText(
  sources: readonly { readonly changed?: boolean | undefined }[],
): string {
  return sources.some(({ changed }) => changed)
    ? "changed is Fini's mark, as of updatedAt: the page differs from what its Knowledge was made from. A refresh need not clear it."
    : '';
}

/** A record as tools show it: every text bounded, the paragraphs counted. */
export function sourceOutput(document: FiniDocument) {
  const status = statusOf(document);
  const jobStatus = shown(document.linkedJobStatus, WORD_LENGTH);
  const isSettled = status === 'completed' || status === 'failed';
  return {
    status,
    originalUrl: shown(document.originalUrl, URL_LENGTH),
    id: document.id,
    title: shown(document.title, TITLE_LENGTH),
    source: shown(document.source, WORD_LENGTH),
    error: shown(document.error, ERROR_LENGTH),
    hint: hintFor(document),
    // A job that completed without content has failed: Fini's word would contradict it.
    jobStatus: isSettled ? undefined : jobStatus,
    paragraphCount: document.paragraphCount,
    updatedAt: shown(document.updatedAt, WORD_LENGTH),
    english: document.english === false ? false : undefined,
    changed: document.changed === true ? true : undefined,
    linkedKnowledgeId: shown(document.linkedKnowledgeId, WORD_LENGTH),
    linkedOperation: shown(document.linkedOperation, WORD_LENGTH),
    jobId:
      stateOf(document) === 'unfinished' ? shown(document.linkedJobId, WORD_LENGTH) : undefined,
  };
}
