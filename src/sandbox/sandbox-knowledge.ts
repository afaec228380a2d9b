import { randomUUID } from 'node:crypto';
import type * as z from 'zod';
import { generationFailure, isOverview } from './content.ts';
import { type generateRequest, type publishRequest, RefusedRequest } from './requests.ts';
import { type SandboxArticle, standing, writeArticle } from './sandbox-article.ts';
import type { SandboxDocument } from './sandbox-document.ts';
import { bestFolder, type SandboxFolder } from './sandbox-folders.ts';
import type { JobScript, SandboxWorkspace, WorkspaceSettings } from './sandbox-workspace.ts';
import { jobTimes, type Schedule } from './schedule.ts';
import { stableId } from './stable-id.ts';

/**
 * The scripted course of one generation job, in place of the one that its source leads to. Only a job
 * that ends COMPLETED makes an article. An `error` alone ends it FAILED.
 */
export type KnowledgeJobScript = Pick<
  JobScript,
  'pendingMs' | 'workingMs' | 'status' | 'error' | 'drop' | 'never'
> & {
  /** Null ends it COMPLETED without an article. */
  hcArticleId?: null;
};

/** Settings of generation. */
export type KnowledgeSettings = Pick<WorkspaceSettings, 'pendingMs' | 'workingMs' | 'now'> & {
  /** Scripts single generation jobs; called whenever one is queued. None by default. */
  knowledgeJobs: (source: {
    url: string | null;
    id: string;
    title: string;
  }) => KnowledgeJobScript | undefined;
  /** True if such a job overwrites its source's `linkedJobId` and `linkedJobStatus`; false by default. */
  knowledgeRewritesJobs: boolean;
};

/** An agent, which answers customers from folders. */
export type SandboxAgent = {
  /** Agent ID. */
  id: string;
  name: string;
  /** Time of creation, ISO 8601. */
  createdAt: string;
  /** Titles of the top folders assigned to it; all by default. */
  folders?: string[];
};

/** The initial knowledge of a workspace. */
export type KnowledgeContent = {
  folders: readonly SandboxFolder[];
  articles: readonly SandboxArticle[];
  /** The source of each draft, by the draft's ID. */
  draftSources?: ReadonlyMap<string, string>;
};

type GenerationRequest = z.infer<typeof generateRequest>;
type GenerationJob = {
  id: string;
  documentId: string;
  request: GenerationRequest;
  script: KnowledgeJobScript;
  /** The job as the API returns it. */
  answer: Record<string, string | null>;
};

/** The articles, folders and agents of one workspace, and the jobs that write drafts from sources. */
export class SandboxKnowledge {
  readonly #settings: KnowledgeSettings;
  readonly #schedule: Schedule;
  readonly #sources: SandboxWorkspace;
  readonly #folders: readonly SandboxFolder[];
  readonly #agents: readonly SandboxAgent[];
  readonly #live = new Map<string, SandboxArticle>();
  readonly #drafts = new Map<string, SandboxArticle>();
  /** The source of each draft, by the draft's ID. */
  readonly #draftSources: Map<string, string>;
  readonly #jobs = new Map<string, GenerationJob>();
  readonly #startedAt: string;

  /** Takes every setting, the schedule for the jobs' steps, the sources, and the initial content. */
  constructor(
    settings: KnowledgeSettings,
    schedule: Schedule,
    sources: SandboxWorkspace,
    content: KnowledgeContent,
    agents: readonly SandboxAgent[],
  ) {
    this.#settings = settings;
    this.#schedule = schedule;
    this.#sources = sources;
    this.#folders = content.folders;
    this.#agents = agents;
    this.#draftSources = new Map(content.draftSources);
    this.#startedAt = new Date(settings.now()).toISOString();
    for (const article of content.articles) this.addArticle(article);
  }

  /** Every article, live ones first, oldest first. */
  articles(): SandboxArticle[] {
    return [...this.#live.values(), ...this.#drafts.values()];
  }

  /** Adds an article: a live one, except for the given fields. It is a draft unless `isDraftPublished` is null. */
  addArticle(given: Partial<SandboxArticle>): SandboxArticle {
    const number = this.articles().length + 1;
    const { title = `Article ${number}`, mainKnowledge } = given;
    const article = {
      id: randomUUID(),
      ...writeArticle(title, [mainKnowledge ?? `The text of article ${number}.`]),
      ...standing(this.#folders[0]?.id ?? null, null),
      isDraftPublished: null,
      ...given,
    };
    (article.isDraftPublished === null ? this.#live : this.#drafts).set(article.id, article);
    return article;
  }

  /** Queues a job for each source, and returns them in another order. */
  generate(request: GenerationRequest): { jobs: object[] } {
    if (request.botId !== undefined) this.#agent(request.botId);
    const documents = [...new Set(request.documentIds)].map((id) => {
      const document = this.#sources.find(id);
      if (document) return document;
      throw new RefusedRequest(400, `Document does not exist: ${id}`);
    });
    const jobs = documents.flatMap((document) => this.#queue(document, request) ?? []);
    this.#schedule.advance(this.#settings.now());
    return {
      jobs: jobs.map(({ id, documentId }) => ({ documentId, backgroundJobId: id })).reverse(),
    };
  }

  /** Returns jobs as the API does. An ID of another kind of job fails the whole request. */
  jobs(ids: readonly string[]): { jobs: object[] } {
    const jobs = ids.map((id) => {
      const job = this.#jobs.get(id);
      if (job) return job.answer;
      const isSources = this.#sources.documents().some(({ linkedJobId }) => linkedJobId === id);
      if (isSources) throw new RefusedRequest(400, `Job ${id} is not a knowledge job`);
      throw new RefusedRequest(404, `Job ${id} not found`);
    });
    return { jobs };
  }

  /**
   * The articles of this type, newest first, as the API gives them. A published draft stays among the
   * drafts.
   */
  list(type?: 'live' | 'draft'): SandboxArticle[] {
    const live = type === 'draft' ? [] : [...this.#live.values()];
    const drafts = type === 'live' ? [] : [...this.#drafts.values()];
    return [...live, ...drafts].reverse().map(asRecorded);
  }

  /** The articles with these IDs. Unknown IDs are skipped. */
  get(ids: readonly string[]): SandboxArticle[] {
    const articles = [...new Set(ids)].map((id) => this.#live.get(id) ?? this.#drafts.get(id));
    return articles.flatMap((article) => (article === undefined ? [] : asRecorded(article)));
  }

  /** Makes a draft live, with the given fields: as its original's next version, or as a new article. */
  publish(draftId: string, article: z.infer<typeof publishRequest>): SandboxArticle {
    const draft = this.#drafts.get(draftId);
    if (!draft || draft.isDraftPublished) {
      throw new RefusedRequest(404, `Draft ${draftId} not found`);
    }
    if (!this.#folders.some(({ id }) => id === article.parentFolderId)) {
      throw new RefusedRequest(404, `Folder ${article.parentFolderId} not found`);
    }
    return this.#makeLive({ ...draft, ...article }, this.#settings.now());
  }

  /** The folders, or those assigned to one agent, with their live articles. */
  tree(botId?: string): object {
    const folders = this.#foldersOf(botId);
    const nodes = (parent: string | null): object[] =>
      folders
        .filter(({ parentFolderId }) => parentFolderId === parent)
        .map(({ id, title, description }) => ({
          id,
          title,
          description,
          children: nodes(id),
          articles: [...this.#live.values()]
            .filter(({ parentFolderId }) => parentFolderId === id)
            .map((article) => ({ id: article.id, title: article.title })),
        }));
    return {
      id: stableId('folder tree'),
      createdAt: this.#startedAt,
      updatedAt: this.#startedAt,
      snapshotObjV2: nodes(null),
    };
  }

  /** The agents, newest first. */
  agents(): object[] {
    return this.#agents
      .map(({ id, name, createdAt }) => ({ id, name, createdAt }))
      .sort((one, other) => other.createdAt.localeCompare(one.createdAt));
  }

  /** Deletes articles, and returns them with their folders; unknown ones are returned as given. */
  takeOut<Given extends { id: string }>(articles: readonly Given[]): object[] {
    return articles.map((given) => {
      const known = this.#live.get(given.id);
      this.#live.delete(given.id);
      return known
        ? { id: known.id, title: known.title, parentFolderId: known.parentFolderId }
        : given;
    });
  }

  #agent(botId: string): SandboxAgent {
    const agent = this.#agents.find(({ id }) => id === botId);
    if (agent) return agent;
    throw new RefusedRequest(404, `Bot ${botId} not found`);
  }

  #foldersOf(botId: string | undefined): readonly SandboxFolder[] {
    const assigned = botId === undefined ? undefined : this.#agent(botId).folders;
    return this.#folders.filter(({ root }) => assigned?.includes(root) ?? true);
  }

  #queue(document: SandboxDocument, request: GenerationRequest): GenerationJob | null {
    const { id: documentId, originalUrl: url, title } = document;
    const script =
      this.#settings.knowledgeJobs({ url, id: documentId, title: title ?? 'Untitled' }) ?? {};
    if (script.drop) return null;
    const now = this.#settings.now();
    const id = randomUUID();
    const createdAt = new Date(now).toISOString();
    const answer = { id, jobStatus: 'PENDING', createdAt, hcArticleId: null };
    const job = { id, documentId, request, script, answer };
    this.#jobs.set(id, job);
    this.#rewriteSource(job, now);
    const times = jobTimes(script, this.#settings, `knowledge ${url ?? documentId}`);
    this.#schedule.add(now + times.pendingMs, (at) => {
      const startedAt = new Date(at).toISOString();
      this.#change(job, at, { jobStatus: 'IN_PROGRESS', startedAt });
      if (!script.never) this.#schedule.add(at + times.workingMs, (end) => this.#finish(job, end));
    });
    return job;
  }

  #finish(job: GenerationJob, at: number): void {
    const { script, request } = job;
    const document = this.#sources.find(job.documentId);
    const isScripted = script.status !== undefined || script.hcArticleId === null;
    const error = script.error ?? (isScripted ? null : failureOf(document));
    const jobStatus = script.status ?? (error === null ? 'COMPLETED' : 'FAILED');
    const makesOne = jobStatus === 'COMPLETED' && script.hcArticleId !== null;
    const draft = document && makesOne ? this.#write(document, request) : null;
    const article = draft && !request.isDraft ? this.#makeLive(draft, at) : draft;
    this.#change(job, at, {
      jobStatus,
      completedAt: new Date(at).toISOString(),
      hcArticleId: article?.id ?? null,
      ...(error !== null && { error }),
    });
  }

  /** Writes the draft that a source leads to; null if it leads to none. */
  #write(document: SandboxDocument, { restrictedOps, botId }: GenerationRequest) {
    const folders = this.#foldersOf(botId);
    const { id, paragraphs } = document;
    const title = document.title ?? 'Untitled';
    const may = (operation: GenerationRequest['restrictedOps'][number]) =>
      restrictedOps.length === 0 || restrictedOps.includes(operation);
    const original = may('UPDATE_ARTICLE') ? this.#covering(document) : undefined;
    const folder = bestFolder(folders, title, paragraphs);
    if (folder === undefined) return null;
    if (!original && !may('ADD_ARTICLE_TO_FOLDER')) return null;
    if (!original && may('DO_NOTHING') && isOverview(document.originalUrl)) return null;
    const draft = this.addArticle({
      ...writeArticle(original?.title ?? title, paragraphs),
      ...standing(original?.parentFolderId ?? folder.id, original ?? null),
      isDraftPublished: false,
    });
    this.#draftSources.set(draft.id, id);
    return draft;
  }

  /** The live article that the source is linked to, or one with its title. */
  #covering({ linkedKnowledgeId, title }: SandboxDocument): SandboxArticle | undefined {
    const linked = this.#live.get(linkedKnowledgeId ?? '');
    return linked ?? [...this.#live.values()].find((article) => article.title === title);
  }

  #makeLive(draft: SandboxArticle, at: number): SandboxArticle {
    const original = this.#live.get(draft.originalArticleId ?? '');
    const live = {
      ...draft,
      id: original?.id ?? randomUUID(),
      version: (original?.version ?? 0) + 1,
      originalArticleId: null,
      originalArticleVersion: null,
      isDraftPublished: null,
    };
    this.#live.set(live.id, live);
    const kept = this.#drafts.get(draft.id) ?? draft;
    this.#drafts.set(draft.id, { ...kept, isDraftPublished: true });
    const linked = {
      linkedKnowledgeId: live.id,
      linkedOperation: original ? 'UPDATE_ARTICLE' : 'ADD_ARTICLE_TO_FOLDER',
      changed: false,
    };
    const source = this.#draftSources.get(draft.id) ?? '';
    this.#sources.update(source, linked, at);
    return live;
  }

  #change(job: GenerationJob, at: number, fields: GenerationJob['answer']): void {
    job.answer = { ...job.answer, ...fields };
    this.#rewriteSource(job, at);
  }

  /** Overwrites the source's job if the settings say so, unless that job is still running. */
  #rewriteSource({ id, documentId, answer }: GenerationJob, at: number): void {
    const document = this.#sources.find(documentId);
    const isOther = document?.linkedJobId !== id;
    const isBusy = ['PENDING', 'IN_PROGRESS'].includes(document?.linkedJobStatus ?? '');
    const mayTake = answer.jobStatus === 'PENDING' ? !isBusy : !isOther;
    if (!this.#settings.knowledgeRewritesJobs || !mayTake) return;
    const linkedJobStatus = answer.jobStatus ?? null;
    this.#sources.update(documentId, { linkedJobId: id, linkedJobStatus }, at);
  }
}

/** The record of an article. A draft of a new article is like a live one: only the list tells them apart. */
function asRecorded(article: SandboxArticle): SandboxArticle {
  const isNewDraft = article.originalArticleId === null && article.isDraftPublished === false;
  return isNewDraft ? { ...article, isDraftPublished: null } : article;
}

/** The reason that nothing can be generated from this source; null if something can. */
function failureOf(document: SandboxDocument | undefined): string | null {
  if (!document) return 'The source was deleted';
  if (document.paragraphs.length === 0) return 'The source holds no usable content';
  return generationFailure(document.originalUrl);
}
