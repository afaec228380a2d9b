import * as z from 'zod';
import { bounded, seenUrl, WORD_LENGTH } from '../text.ts';

/*
 * Fini's records and answers. A young record may lack any field, and newer APIs may add some, so
 * unknown fields are dropped, and missing or odd ones become null or empty. Only IDs are required.
 */

const text = z.string().nullable().catch(null);
/** A URL as one word, so that it cannot pass for a URL and something after it. */
const url = z.string().overwrite(seenUrl).nullable().catch(null);
/** An ID, with a maximum length so that it can be shown. Fini's are UUIDs. */
const id = z
  .string()
  .overwrite((given) => bounded(given, WORD_LENGTH))
  .min(1);
const optionalId = id.nullable().catch(null);
const flag = z.boolean().nullable().catch(null);
/**
 * A version as a number, also where it comes as text. Null if it cannot be compared: with digits lost on
 * its way through JSON, two versions may look the same.
 */
const version = z
  .unknown()
  .transform((given) => {
    const number = typeof given === 'string' && /^\s*\d+\s*$/.test(given) ? Number(given) : given;
    return typeof number === 'number' && Math.abs(number) <= Number.MAX_SAFE_INTEGER
      ? number
      : null;
  })
  .default(null);
const list = z.array(z.unknown()).catch([]);
const strings = list.transform((items) => items.filter((item) => typeof item === 'string'));
const ids = list.transform((items) => items.flatMap((item) => id.safeParse(item).data ?? []));
/** A status in capitals: `PENDING`, `IN_PROGRESS`, `COMPLETED`, `FAILED`, or one not known here. */
const status = text.transform((given) => given?.toUpperCase() ?? null);

/** Readers of single fields, for answers that no schema describes. */
export const wireFields = { text, optionalId } as const;

// Sources

/** A source as Fini records it, with its number of paragraphs, which is kept when the text is dropped. */
export const documentSchema = z
  .object({
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
    /** The text, one item per paragraph. */
    paragraphs: strings,
    /** True if the latest job produced usable content. */
    success: flag,
    /** The reason that the latest job failed; empty if it did not. */
    error: text,
    /** ISO 8601. */
    createdAt: text,
    /** ISO 8601; the list is ordered by it, newest first. */
    updatedAt: text,
    mimeType: text,
    linkedJobId: text,
    linkedJobStatus: status,
    /** Set once the source has been linked to an article of Knowledge. */
    linkedKnowledgeId: text,
    /** `ADD_ARTICLE_TO_FOLDER`, `UPDATE_ARTICLE`, `DO_NOTHING` or another. */
    linkedOperation: text,
    /**
     * True if the page differs from what the knowledge linked to it was made from; newer APIs only. A
     * refresh need not clear it.
     */
    changed: flag,
  })
  .transform((record) => ({ ...record, paragraphCount: record.paragraphs.length }));

/** A source. Fini's API calls it a document. */
export type FiniDocument = z.infer<typeof documentSchema>;

/**
 * One page of the list of sources. `hasMore` is null if Fini did not say. A missing list counts as
 * one unreadable record, so that it does not pass for an empty workspace.
 */
export const documentPageSchema = z.object({
  documents: z.array(z.unknown()).catch([null]),
  hasMore: flag,
});

/** The answer to ingesting and registering: source IDs, in no particular order. */
export const queuedSchema = z
  .object({ addedDocumentIds: z.unknown(), updatedDocumentIds: z.unknown() })
  .partial()
  // An answer with neither list does not say that nothing was queued.
  .refine((answer) => Object.values(answer).some(Array.isArray))
  .transform(({ addedDocumentIds, updatedDocumentIds }) => ({
    addedDocumentIds: ids.parse(addedDocumentIds),
    updatedDocumentIds: ids.parse(updatedDocumentIds),
  }));

/** The answer to ingesting and registering: source IDs, in no particular order. */
export type QueuedDocuments = z.infer<typeof queuedSchema>;

/** The IDs in both lists of such an answer, without repetitions. */
export function queuedIds({ addedDocumentIds, updatedDocumentIds }: QueuedDocuments): string[] {
  return [...new Set([...addedDocumentIds, ...updatedDocumentIds])];
}

/** The answer to refreshing: the IDs queued. */
export const refreshedSchema = z.array(z.unknown()).pipe(ids);

/** The answer to a crawl: URLs, and Fini's message about them. */
export const crawlSchema = z.object({ data: strings, message: text });

/** The answer to deleting sources. */
export const deletedSchema = z.object({
  // Without this list no one knows what was deleted, so it has no default.
  deletedDocuments: z.array(z.object({ id, title: text, originalUrl: url })),
  deletedArticles: z.array(z.object({ id, title: text, parentFolderId: optionalId })).catch([]),
});

// Knowledge

const articleFields = z.object({
  title: text,
  /** The text that agents answer from. */
  mainKnowledge: text,
  /** Instructions for answering from it. */
  agentInstruction: text,
  /** Questions that customers ask. Publishing needs this and the next two exactly as they came. */
  questions: list,
  keywords: list,
  /** The rule for handing over to a person; null if it is missing. */
  escalation: z.unknown().default(null),
  parentFolderId: optionalId,
  active: flag,
  /** True if it is shown in the help centre. */
  public: flag,
  origin: text,
  version,
  /** The live article that this draft would update. */
  originalArticleId: optionalId,
  /** The version of the live article that the draft was made from. */
  originalArticleVersion: version,
  /** True for a draft that has been published. */
  isDraftPublished: flag,
  /** ISO 8601, like the next. Undocumented, and null if Fini does not say. */
  createdAt: text,
  updatedAt: text,
});

const articleSchema = articleFields.extend({ id });

/** An article, live or a draft. Anything but its ID may be missing. */
export type FiniArticle = z.infer<typeof articleSchema>;

/** The answer to listing articles, or to getting some by ID. */
export const articleListSchema = recordList('articles', articleSchema).transform(
  ({ items, ...rest }) => ({ articles: items, ...rest }),
);

/** The answer to publishing. Any is accepted: refusing one would hide that the article is live. */
export const publishAnswerSchema = z
  .unknown()
  .transform((answer) =>
    articleFields.extend({ id: optionalId }).parse(asWireObject(answer) ?? {}),
  );

/** A generation job of a source. One of the two IDs may be missing. */
const generationSchema = z
  .object({ documentId: optionalId, backgroundJobId: optionalId })
  .refine(({ documentId, backgroundJobId }) => (documentId ?? backgroundJobId) !== null);

/** The answer to generating: jobs, in no particular order, possibly fewer than sources. */
export const generateAnswerSchema = recordList('jobs', generationSchema).transform(({ items }) => ({
  jobs: items,
}));

/** The answer to asking for the status of jobs. */
export const jobsAnswerSchema = recordList(
  'jobs',
  z.object({
    id,
    jobStatus: status,
    /** ISO 8601, like the other times. */
    createdAt: text,
    startedAt: text,
    completedAt: text,
    /** ID of the article that it made; null with `COMPLETED` if it made nothing. */
    hcArticleId: optionalId,
    /** The reason for a failure. Undocumented, and null if Fini does not say. */
    error: text,
  }),
).transform(({ items }) => items);

/** A generation job. */
export type KnowledgeJob = z.infer<typeof jobsAnswerSchema>[number];

/** The answer to listing agents, newest first. Fini's API calls an agent a bot. */
export const agentListSchema = recordList(
  'bots',
  z.object({
    id,
    name: text,
    /** ISO 8601. */
    createdAt: text,
  }),
).transform(({ items, ...rest }) => ({ agents: items, ...rest }));

// Envelopes

/** Maximum number of articles or agents to read from one answer: more than workspaces have. */
const MAXIMUM_LIST_RECORDS = 5_000;

/** A JSON object whose fields are not known. */
export type WireObject = Record<string, unknown>;

/** A value as an object with fields; null if it is not one, for instance a list. */
export function asWireObject(value: unknown): WireObject | null {
  return z.record(z.string(), z.unknown()).safeParse(value).data ?? null;
}

/**
 * The schema of a list of records whose envelope is not documented: an array, or an object that holds
 * one. Items that are not records are counted as `unreadable`. `hasMore` is null if the answer does not
 * say whether there are more.
 */
function recordList<Schema extends z.ZodType>(name: string, schema: Schema) {
  return z.unknown().transform((answer, context) => {
    const around = asWireObject(answer) ?? {};
    const found = findList(answer, name);
    if (found === null) {
      // A missing list must not pass for an empty one.
      context.addIssue('no list in the answer');
      return z.NEVER;
    }
    const read = found.slice(0, MAXIMUM_LIST_RECORDS);
    const items = read.flatMap((item) => {
      const parsed = schema.safeParse(item);
      return parsed.success ? [parsed.data] : [];
    });
    const total = z.number().safeParse(around.total).data ?? 0;
    const isPart =
      Math.max(total, found.length) > read.length || id.safeParse(around.nextCursor).success;
    const hasMore = isPart || flag.parse(around.hasMore);
    return { items, unreadable: read.length - items.length, hasMore };
  });
}

/** The answer itself, its list with a likely name, or its first list that holds an object. */
function findList(answer: unknown, name: string): readonly unknown[] | null {
  if (Array.isArray(answer)) return answer;
  const object = asWireObject(answer) ?? {};
  const named = [name, 'data', 'items'].map((likely) => object[likely]).find(Array.isArray);
  const lists = Object.values(object).filter((value) => Array.isArray(value));
  return named ?? lists.find((items) => items.some((item) => asWireObject(item) !== null)) ?? null;
}
