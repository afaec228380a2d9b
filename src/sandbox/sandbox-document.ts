import { randomUUID } from 'node:crypto';
import type { ListQuery } from './requests.ts';

/** A source's record, with every field of the contract. */
export type SandboxDocument = {
  /** Source ID, a UUID. */
  id: string;
  /** Absolute URL of the source. */
  originalUrl: string | null;
  /** Title; null until a web page has been read. */
  title: string | null;
  /** Absolute URL of the stored text; null until there is one. */
  storageUrl: string | null;
  /** `web`, `googledrive`, `notion`, `zendesk`, `confluence` or `files`. */
  source: string;
  /** The provider's own ID; for a web page its URL. */
  externalId: string | null;
  /** True if English-specific processing applies. */
  english: boolean;
  /** True if BASER processing applies. */
  baser: boolean;
  /** Text of the last run that yielded any. */
  paragraphs: string[];
  /** The text before that. */
  oldParagraphs: string[];
  /** True if the last finished run yielded usable content; null before the first. */
  success: boolean | null;
  /** The reason that the last finished run failed; empty if it succeeded, null before the first. */
  error: string | null;
  /** Time at which the record was made, ISO 8601 in milliseconds. */
  createdAt: string;
  /** Time of the last change, ISO 8601 in milliseconds; for a job's step, the time it was due. */
  updatedAt: string;
  /** Media type. */
  mimeType: string | null;
  /** Kind of source, such as `page`. */
  type: string | null;
  /** The job that `linkedJobStatus` is about, a UUID. */
  linkedJobId: string | null;
  /** The article that it is linked to, a UUID. */
  linkedKnowledgeId: string | null;
  /** `ADD_ARTICLE_TO_FOLDER`, `UPDATE_ARTICLE` or `DO_NOTHING`, once a run yielded content. */
  linkedOperation: string | null;
  /** The reason for that operation, in words. */
  linkedReason: string | null;
  /** `PENDING`, `IN_PROGRESS`, `COMPLETED`, `FAILED`, or a scripted status. */
  linkedJobStatus: string | null;
  /** True if the last run's text differs from the one before. */
  changed: boolean | null;
};

/** Makes a record, at `now`. No job has been queued for it yet. */
export function newDocument(source: string, originalUrl: string, now: number): SandboxDocument {
  const createdAt = new Date(now).toISOString();
  return {
    id: randomUUID(),
    originalUrl,
    title: null,
    storageUrl: null,
    source,
    externalId: originalUrl,
    english: true,
    baser: false,
    paragraphs: [],
    oldParagraphs: [],
    success: null,
    error: null,
    createdAt,
    updatedAt: createdAt,
    mimeType: null,
    type: null,
    linkedJobId: null,
    linkedKnowledgeId: null,
    linkedOperation: null,
    linkedReason: null,
    linkedJobStatus: null,
    changed: false,
  };
}

/** Compares for the list's order: latest change first, then external ID descending. */
export function newestFirst(one: SandboxDocument, other: SandboxDocument): number {
  return (
    descending(one.updatedAt, other.updatedAt) ||
    descending(one.externalId ?? '', other.externalId ?? '') ||
    descending(one.id, other.id)
  );
}

function descending(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? 1 : -1;
}

/** True if the record passes the list's filters. */
export function passes(document: SandboxDocument, query: ListQuery) {
  const { id, source, english, changed, title, originalUrl } = query;
  const { linkedKnowledgeId, linkedOperation } = query;
  return (
    (id ?? document.id) === document.id &&
    (source ?? document.source) === document.source &&
    (english === undefined || document.english === (english === 'true')) &&
    (changed === undefined || (document.changed ?? false) === (changed === 'true')) &&
    contains(document.title, title) &&
    contains(document.originalUrl, originalUrl) &&
    (linkedKnowledgeId ?? document.linkedKnowledgeId) === document.linkedKnowledgeId &&
    (linkedOperation ?? document.linkedOperation) === document.linkedOperation
  );
}

function contains(text: string | null, part = ''): boolean {
  return (text ?? '').toLowerCase().includes(part.toLowerCase());
}
