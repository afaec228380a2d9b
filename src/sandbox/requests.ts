import * as z from 'zod';

/** A request that the API answers with an error. */
export class RefusedRequest extends Error {
  /** HTTP status, 400 to 599. */
  readonly status: number;
  /** The envelope's `message`: one sentence, or a list of the input's faults. */
  readonly detail: string | string[];

  /** Takes the HTTP status and the envelope's `message`. */
  constructor(status: number, detail: string | string[]) {
    super(String(detail));
    this.status = status;
    this.detail = detail;
  }
}

const httpUrl = z.url({ protocol: /^https?$/ });
const trueOrFalse = z.enum(['true', 'false']).optional();

/** The values of `source` on ingest. */
export const sourceNames = ['web', 'googledrive', 'notion', 'zendesk', 'confluence'] as const;

/** The providers whose resources can be listed and registered. */
export const providers = ['notion', 'zendesk', 'confluence'] as const;

/** One of the providers. */
export type ProviderName = (typeof providers)[number];

/** Body of a crawl. */
export const crawlRequest = z.object({
  links: z.array(httpUrl).min(1),
  limit: z.int().min(1).default(250),
});

/** Body of a registration: each resource with the four fields the API insists on. */
export const registerRequest = z.object({
  resources: z
    .array(
      z.object({
        originalUrl: z.string().min(1),
        title: z.string().min(1),
        externalId: z.string().min(1),
        mimeType: z.string().min(1),
        object: z.string().optional(),
      }),
    )
    .min(1),
});

/** Body of an ingest. The workspace checks its lists, whose items depend on `source`. */
export const ingestRequest = z.object({
  source: z.enum(sourceNames).default('web'),
  documentIdsToAdd: z.array(z.string()).default([]),
  documentIdsToRefresh: z.array(z.string()).default([]),
  english: z.boolean().default(true),
  baser: z.boolean().default(false),
});

/** Body of a refresh. */
export const refreshRequest = z.object({ documentIds: z.array(z.guid()).min(1) });

/** Body of a deletion. */
export const deleteRequest = z.object({
  documentIds: z.array(z.guid()).min(1),
  deleteArticles: z.boolean().default(false),
});

/** The operations that generation can be restricted to. */
const generationOperation = z.enum(['ADD_ARTICLE_TO_FOLDER', 'UPDATE_ARTICLE', 'DO_NOTHING']);

/** Body of a generation from sources. */
export const generateRequest = z.object({
  documentIds: z.array(z.guid()).min(1),
  origin: z.literal('sources'),
  restrictedOps: z.array(generationOperation).default([]),
  instructions: z.string().optional(),
  botId: z.string().optional(),
  isDraft: z.boolean().default(true),
});

/** Body of a request for the status of generation jobs. */
export const jobsRequest = z.object({ jobIds: z.array(z.guid()).min(1) });

/** Query of a list of articles. */
export const articlesQuery = z.object({ type: z.enum(['live', 'draft']).optional() });

/** Body of a request for single articles. */
export const articlesRequest = z.object({ articleIds: z.array(z.guid()).min(1) });

/** Body of publishing: the article to make live. */
export const publishRequest = z.object({
  title: z.string().min(1),
  mainKnowledge: z.string().min(1),
  agentInstruction: z.string(),
  questions: z.array(z.string()).min(1),
  keywords: z.array(z.string()).min(1),
  escalation: z.string(),
  parentFolderId: z.guid(),
  active: z.boolean().optional(),
  public: z.boolean().optional(),
  origin: z.string().optional(),
});

/** Query of the folder tree. */
export const foldersQuery = z.object({ botId: z.string().optional() });

/** Query of a list: paging and filters. Parameters it does not know are ignored. */
export const listQuery = z.object({
  limit: z.coerce.number().int().min(1).default(50),
  cursor: z.guid().optional(),
  direction: z.enum(['next', 'previous']).default('next'),
  source: z.enum([...sourceNames, 'files']).optional(),
  english: trueOrFalse,
  changed: trueOrFalse,
  id: z.string().optional(),
  title: z.string().optional(),
  originalUrl: z.string().optional(),
  linkedKnowledgeId: z.string().optional(),
  linkedOperation: z.string().optional(),
});

/** A list's query once parsed. */
export type ListQuery = z.infer<typeof listQuery>;

/** True if the text is an absolute http(s) URL. */
export function isHttpUrl(text: string): boolean {
  return httpUrl.safeParse(text).success;
}

/** True if the text is a UUID. */
export function isUuid(text: string): boolean {
  return z.guid().safeParse(text).success;
}

/** Parses an input by a schema, or throws a 400 that lists everything wrong with it. */
export function parse<T extends z.ZodType>(schema: T, input: unknown): z.infer<T> {
  const { data, error } = schema.safeParse(input);
  if (!error) return data;
  throw new RefusedRequest(
    400,
    error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`),
  );
}
