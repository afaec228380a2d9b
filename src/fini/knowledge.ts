import * as z from 'zod';
import { findList, findRecord, type PagingHints, pagingHints } from './envelope.ts';
import { flag, id, list, optionalId, status, text } from './wire-fields.ts';

/* The contract's records and answers of "Knowledge, the step after ingestion", read tolerantly. */

/** How many articles or agents of one answer are read: more than a workspace is likely to have. */
const MAXIMUM_RECORDS = 5_000;

const articleFields = z.object({
  title: text,
  /** What agents answer from. */
  mainKnowledge: text,
  /** How agents are to answer from it. */
  agentInstruction: text,
  /**
   * What customers ask. What types these and what follows are made of is open in the contract, and
   * publishing needs them as they came, so they are left as they are.
   */
  questions: list,
  keywords: list,
  /** When agents hand over to a person; null where it is missing. */
  escalation: z.unknown().default(null),
  parentFolderId: optionalId,
  active: flag,
  /** Whether it is shown in the help centre. */
  public: flag,
  origin: text,
  version: z.number().nullable().catch(null),
  /** The live article that this draft would update. */
  originalArticleId: optionalId,
  /** The version of it that the draft was made from. */
  originalArticleVersion: z.number().nullable().catch(null),
  /** Whether this is a draft that has been published. */
  isDraftPublished: flag,
});

/** An article, live or a draft. Without an ID nothing can be done with one, so that is no article. */
const articleSchema = articleFields.extend({ id });

/** An article, live or a draft. All but its ID may be missing. */
export type FiniArticle = z.infer<typeof articleSchema>;

/** Articles as an answer gives them. */
export interface ArticleList extends PagingHints {
  readonly articles: readonly FiniArticle[];
  /** How many had no ID and had to be left out. */
  readonly unreadable: number;
}

/** What a list of articles, or articles asked for by ID, answer: the envelope is open. */
export const articleListSchema = listSchema(['articles', 'hcArticles'], articleSchema).transform(
  ({ records, unreadable, hints }): ArticleList => ({ articles: records, unreadable, ...hints }),
);

const publishedSchema = articleFields.extend({ id: optionalId });

/** The live article, as far as the answer tells it: that it is live is all that is sure. */
export type PublishedArticle = z.infer<typeof publishedSchema>;

/** What publishing answers. Any answer is one: refusing it would hide that the article is live. */
export const publishAnswerSchema = z
  .unknown()
  .transform((answer): PublishedArticle => publishedSchema.parse(findRecord(answer, ['article'])));

/** One source's job of generation. Either ID may be missing, but not both. */
const generationSchema = z
  .object({ documentId: optionalId, backgroundJobId: optionalId })
  .refine(({ documentId, backgroundJobId }) => (documentId ?? backgroundJobId) !== null);

/** What generating answers: jobs, in no particular order, and maybe fewer than sources. */
export const generateAnswerSchema = listSchema(['jobs'], generationSchema).transform(
  ({ records }) => ({ jobs: records }),
);

/** What generating answers. */
export type GenerateAnswer = z.infer<typeof generateAnswerSchema>;

const jobSchema = z.object({
  id,
  /** `PENDING`, `IN_PROGRESS`, `COMPLETED`, `FAILED`, or one that this server does not know. */
  jobStatus: status,
  /** ISO 8601, like the other times. */
  createdAt: text,
  startedAt: text,
  completedAt: text,
  /** The article that it made; null with `COMPLETED` where it made nothing. */
  hcArticleId: optionalId,
  /** Why it failed. Not in the contract, and null where Fini does not say. */
  error: text,
});

/** A job of generation. */
export type KnowledgeJob = z.infer<typeof jobSchema>;

/** What the status of jobs answers. */
export const jobsAnswerSchema = listSchema(['jobs'], jobSchema).transform(
  ({ records }): KnowledgeJob[] => records,
);

const agentSchema = z.object({
  id,
  name: text,
  /** ISO 8601. */
  createdAt: text,
});

/** An agent. Fini's wire calls it a bot. */
export type FiniAgent = z.infer<typeof agentSchema>;

/** Agents as an answer gives them. */
export interface AgentList extends PagingHints {
  /** Newest first. */
  readonly agents: readonly FiniAgent[];
  /** How many had no ID and had to be left out. */
  readonly unreadable: number;
}

/** What the list of agents answers. */
export const agentListSchema = listSchema(['bots', 'agents'], agentSchema).transform(
  ({ records, unreadable, hints }): AgentList => ({ agents: records, unreadable, ...hints }),
);

/** An answer that is a list of records, or an object that holds one. What is no record is counted. */
function listSchema<Schema extends z.ZodType>(names: readonly string[], schema: Schema) {
  return z.unknown().transform((answer, context) => {
    const found = findList(answer, names);
    if (found === null) {
      context.addIssue('no list in the answer');
      return z.NEVER;
    }
    const items = found.items.slice(0, MAXIMUM_RECORDS);
    const records = items.flatMap((item) => {
      const parsed = schema.safeParse(item);
      return parsed.success ? [parsed.data] : [];
    });
    const hints = pagingHints(found);
    const isCut = found.items.length > items.length;
    return {
      records,
      unreadable: items.length - records.length,
      hints: isCut ? { ...hints, hasMore: true } : hints,
    };
  });
}
