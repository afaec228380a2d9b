import { randomUUID } from 'node:crypto';
import type * as z from 'zod';
import { type Content, crawlFrom } from './content.ts';
import { contentOf, providerResources } from './provider-content.ts';
import {
  type crawlRequest,
  type deleteRequest,
  type ingestRequest,
  isHttpUrl,
  isUuid,
  type ListQuery,
  type ProviderName,
  RefusedRequest,
  type registerRequest,
} from './requests.ts';
import { newDocument, newestFirst, passes, type SandboxDocument } from './sandbox-document.ts';
import { jobTimes, type Schedule } from './schedule.ts';

/** The scripted course of one job, in place of the one that its content leads to. Times are exact. */
export type JobScript = {
  /** Time from PENDING until it may start. */
  pendingMs?: number;
  /** Time from IN_PROGRESS until its end. */
  workingMs?: number;
  /** Final status, one of Fini's or an unknown one. */
  status?: string;
  /** Final `success`. */
  success?: boolean | null;
  /** Final `error`. With this alone, the job ends COMPLETED and without success. */
  error?: string;
  /** The text that it yields. */
  paragraphs?: string[];
  /** True to accept the item without returning an ID or queueing anything. */
  drop?: true;
  /** True to remove the record at the time when the job would end. */
  vanish?: true;
  /** True to stay IN_PROGRESS forever, occupying a place in the queue. */
  never?: true;
};

/** Settings of the workspace. */
export type WorkspaceSettings = {
  /** Minimum time for which a job stays PENDING, ±50 % by its URL, in milliseconds; 400 by default. */
  pendingMs: number;
  /** Time for which a job stays IN_PROGRESS, ±50 % by its URL, in milliseconds; 900 by default. */
  workingMs: number;
  /** Maximum number of jobs IN_PROGRESS at once; 8 by default. */
  parallelJobs: number;
  /** Time for which a record that is queued again keeps its old status and job; 300 ms by default. */
  lingerMs: number;
  /** Largest `limit` that the list allows; 100 by default. */
  maximumLimit: number;
  /** Providers connected in the dashboard; all by default. Records of the others fail. */
  connectedProviders: readonly ProviderName[];
  /** The clock, in milliseconds since 1970; `Date.now` by default. */
  now: () => number;
  /** Scripts single jobs; called whenever one is queued. None by default. */
  jobs: (item: { url: string | null; id: string; title: string }) => JobScript | undefined;
};

type JobFlags = { english?: boolean; baser?: boolean };
type IngestionJob = {
  id: string;
  documentId: string;
  script: JobScript;
  flags: JobFlags;
};

/** The records of one workspace and the jobs that change them. It has no timers; see `Schedule`. */
export class SandboxWorkspace {
  readonly #settings: WorkspaceSettings;
  readonly #documents = new Map<string, SandboxDocument>();
  readonly #schedule: Schedule;
  readonly #waiting: IngestionJob[] = [];
  #working = 0;

  /** Takes every setting, and the schedule for the jobs' steps. */
  constructor(settings: WorkspaceSettings, schedule: Schedule) {
    this.#settings = settings;
    this.#schedule = schedule;
  }

  /** Every record, oldest first. */
  documents(): SandboxDocument[] {
    return [...this.#documents.values()];
  }

  /** Adds a record: an ingested web page, except for the given fields. */
  addDocument(given: Partial<SandboxDocument>): SandboxDocument {
    const number = this.#documents.size + 1;
    const url = given.originalUrl ?? `https://seed.example/page-${number}`;
    const document = {
      ...newDocument('web', url, this.#settings.now()),
      title: `Page ${number}`,
      storageUrl: `https://storage.fini.example/seed-${number}.json`,
      paragraphs: [`The text of page ${number}.`],
      success: true,
      error: '',
      mimeType: 'text/html',
      type: 'page',
      linkedJobId: randomUUID(),
      linkedJobStatus: 'COMPLETED',
      ...given,
    };
    this.#documents.set(document.id, document);
    return document;
  }

  /** The URLs found from each start URL, without repetitions. */
  crawl({ links, limit }: z.infer<typeof crawlRequest>): { data: string[]; message: string } {
    const data = [...new Set(links.flatMap(crawlFrom))].slice(0, limit);
    return { data, message: `Successfully discovered ${data.length} links` };
  }

  /** The provider's resources that are not registered yet, in that provider's shape. */
  resources(provider: ProviderName): object[] {
    const registered = this.documents().filter((document) => document.source === provider);
    return providerResources(provider, new Set(registered.map(({ externalId }) => externalId)));
  }

  /** Makes a record of each resource, or updates the known one. Queues nothing. */
  register(source: ProviderName, { resources }: z.infer<typeof registerRequest>) {
    const added = new Set<string>();
    const updated = new Set<string>();
    for (const { object = 'page', ...fields } of resources) {
      const fresh = newDocument(source, fields.originalUrl, this.#settings.now());
      const known = this.documents().find(
        (document) => document.source === source && document.externalId === fields.externalId,
      );
      const { id } = known ?? fresh;
      const { updatedAt } = fresh;
      this.#documents.set(id, { ...(known ?? fresh), ...fields, type: object, updatedAt });
      if (!known) added.add(id);
      else if (!added.has(id)) updated.add(id);
    }
    return { addedDocumentIds: [...added], updatedDocumentIds: [...updated] };
  }

  /** Queues a job for each possible item, and returns the IDs in another order. */
  ingest(request: z.infer<typeof ingestRequest>) {
    const { source, documentIdsToAdd, documentIdsToRefresh, english, baser } = request;
    const items = [...documentIdsToAdd, ...documentIdsToRefresh];
    if (items.length === 0) throw new RefusedRequest(400, 'Invalid request body');
    for (const item of items) {
      if (source === 'web' && !isHttpUrl(item)) {
        throw new RefusedRequest(400, `Invalid URL for source web: ${item}`);
      }
      if (source !== 'web') this.#documentToQueue(item);
    }
    const pages = this.documents().filter((document) => document.source === 'web');
    const pagesByUrl = new Map(pages.map((page) => [page.originalUrl, page]));
    const find = (item: string) =>
      source === 'web' ? pagesByUrl.get(item) : this.#documents.get(item);
    const now = this.#settings.now();
    const added = [...new Set(documentIdsToAdd)].map(
      (item) => find(item) ?? newDocument(source, item, now),
    );
    // A URL without a record cannot be refreshed, so it gets no ID.
    const refreshed = [...new Set(documentIdsToRefresh)].flatMap((item) => find(item) ?? []);
    return {
      addedDocumentIds: this.#queueAll(added, { english, baser }),
      updatedDocumentIds: this.#queueAll(refreshed, { english, baser }),
    };
  }

  /** Queues a job for each record, and returns the IDs in another order. */
  refresh(ids: string[]): string[] {
    const documents = [...new Set(ids)].map((id) => this.#documentToQueue(id));
    const file = documents.find(({ source }) => source === 'files');
    if (!file) return this.#queueAll(documents, {});
    throw new RefusedRequest(400, `Document ${file.id} is a raw file and cannot be refreshed`);
  }

  /** One page of the records that pass the filters, newest change first. */
  list(query: ListQuery) {
    const { cursor, direction, limit } = query;
    let found = this.documents().sort(newestFirst);
    if (cursor !== undefined) {
      const edge = this.#documents.get(cursor);
      if (!edge) throw new RefusedRequest(400, `Unknown cursor: ${cursor}`);
      const side = direction === 'previous' ? -1 : 1;
      found = found.filter((document) => newestFirst(document, edge) * side > 0);
    }
    found = found.filter((document) => passes(document, query));
    const documents =
      cursor !== undefined && direction === 'previous'
        ? found.slice(-limit)
        : found.slice(0, limit);
    return { documents, hasMore: found.length > limit };
  }

  /** The record with this ID, or a 404. */
  get(id: string): SandboxDocument {
    if (!isUuid(id)) throw new RefusedRequest(400, 'Validation failed (uuid is expected)');
    const document = this.#documents.get(id);
    if (!document) throw new RefusedRequest(404, `Document ${id} not found`);
    return document;
  }

  /** The record with this ID, if there is one. */
  find(id: string): SandboxDocument | undefined {
    return this.#documents.get(id);
  }

  /** Changes a record for a reason other than its own job, at this time. */
  update(id: string, fields: Partial<SandboxDocument>, at: number): void {
    const document = this.#documents.get(id);
    if (!document) return;
    const updatedAt = new Date(at).toISOString();
    this.#documents.set(id, { ...document, ...fields, updatedAt });
  }

  /** Deletes the records, and returns those that existed. Unknown IDs are skipped. */
  delete({ documentIds, deleteArticles }: z.infer<typeof deleteRequest>) {
    const gone = documentIds.flatMap((id) => this.#documents.get(id) ?? []);
    for (const { id } of gone) this.#documents.delete(id);
    return {
      deletedDocuments: gone.map(({ id, title, originalUrl }) => ({ id, title, originalUrl })),
      deletedArticles: gone.flatMap(({ linkedKnowledgeId: id, title }) =>
        deleteArticles && id !== null ? [{ id, title, parentFolderId: null }] : [],
      ),
    };
  }

  #documentToQueue(id: string): SandboxDocument {
    const document = this.#documents.get(id);
    if (!document) throw new RefusedRequest(400, `Document does not exist: ${id}`);
    return document;
  }

  /** Queues a job for each record. The IDs come back reversed, since the contract promises no order. */
  #queueAll(documents: SandboxDocument[], flags: JobFlags): string[] {
    const queued = documents.filter((document) => this.#queue(document, flags));
    this.#schedule.advance(this.#settings.now());
    return queued.map(({ id }) => id).reverse();
  }

  #queue(document: SandboxDocument, flags: JobFlags): boolean {
    const { id, originalUrl: url } = document;
    const title = document.title ?? this.#content(document).title;
    const script = this.#settings.jobs({ url, id, title }) ?? {};
    if (script.drop) return false;
    const job: IngestionJob = { id: randomUUID(), documentId: id, script, flags };
    const now = this.#settings.now();
    if (this.#documents.has(id)) {
      // The new job does not show at first: the old status and job remain for a while.
      this.#schedule.add(now + this.#settings.lingerMs, (at) => this.#becomePending(job, at));
    } else {
      this.#documents.set(id, document);
      this.#becomePending(job, now);
    }
    return true;
  }

  #becomePending(job: IngestionJob, at: number): void {
    const document = this.#documents.get(job.documentId);
    if (!document) return;
    this.#documents.set(document.id, { ...document, linkedJobId: job.id });
    this.#change(job, at, { ...job.flags, linkedJobStatus: 'PENDING' });
    const { pendingMs } = jobTimes(job.script, this.#settings, document.originalUrl ?? document.id);
    this.#schedule.add(at + pendingMs, (ready) => {
      this.#waiting.push(job);
      this.#startWaiting(ready);
    });
  }

  #startWaiting(at: number): void {
    while (this.#working < this.#settings.parallelJobs) {
      const job = this.#waiting.shift();
      if (!job) return;
      const document = this.#change(job, at, { linkedJobStatus: 'IN_PROGRESS' });
      // A job whose record was deleted or queued again in the meantime has nothing left to do.
      if (!document) continue;
      this.#working += 1;
      if (job.script.never) continue;
      const url = document.originalUrl ?? document.id;
      const { workingMs } = jobTimes(job.script, this.#settings, url);
      this.#schedule.add(at + workingMs, (end) => {
        this.#finish(job, end);
        this.#working -= 1;
        this.#startWaiting(end);
      });
    }
  }

  #finish(job: IngestionJob, at: number): void {
    const document = this.#documents.get(job.documentId);
    if (document?.linkedJobId !== job.id) return;
    if (job.script.vanish) this.#documents.delete(document.id);
    else this.#change(job, at, jobOutcome(document, this.#content(document), job.script));
  }

  /** Changes the record, unless the job is no longer its own. */
  #change(
    job: IngestionJob,
    at: number,
    fields: Partial<SandboxDocument>,
  ): SandboxDocument | undefined {
    const document = this.#documents.get(job.documentId);
    if (document?.linkedJobId !== job.id) return undefined;
    const changed = { ...document, ...fields, updatedAt: new Date(at).toISOString() };
    this.#documents.set(document.id, changed);
    return changed;
  }

  #content(document: SandboxDocument): Content {
    const { source } = document;
    const content = contentOf(document);
    const readable: readonly string[] = [
      'web',
      'googledrive',
      ...this.#settings.connectedProviders,
    ];
    if (readable.includes(source)) return content;
    const error = `The ${source} connection has expired or lost its permission to this resource`;
    return { ...content, failure: { status: 'FAILED', error } };
  }
}

/** The fields of the record that a finished job changes. */
export function jobOutcome(
  document: SandboxDocument,
  content: Content,
  script: JobScript = {},
): Partial<SandboxDocument> {
  const scripted = [script.status, script.success, script.error, script.paragraphs].some(
    (field) => field !== undefined,
  );
  const failure = scripted ? null : content.failure;
  const status = script.status ?? failure?.status ?? 'COMPLETED';
  const error =
    script.error ?? failure?.error ?? (status === 'FAILED' ? 'The job failed for no reason' : '');
  const usable = status === 'COMPLETED' && error === '';
  const known = status === 'COMPLETED' || status === 'FAILED';
  const ownSuccess = known ? usable : null;
  const success = script.success === undefined ? ownSuccess : script.success;
  const fields = { linkedJobStatus: status, success, error };
  if (success !== true) return fields;
  const paragraphs = script.paragraphs ?? content.paragraphs;
  const changed = paragraphs.join('\n') !== document.paragraphs.join('\n');
  const first = document.oldParagraphs.length === 0 && document.paragraphs.length === 0;
  const again = changed ? 'UPDATE_ARTICLE' : 'DO_NOTHING';
  return {
    ...fields,
    title: document.title ?? content.title,
    storageUrl: `https://storage.fini.example/${document.id}.json`,
    paragraphs,
    oldParagraphs: document.paragraphs,
    mimeType: document.mimeType ?? 'text/html',
    type: document.type ?? 'page',
    linkedOperation: first ? 'ADD_ARTICLE_TO_FOLDER' : again,
    linkedReason: first ? 'No article covers this source yet' : 'The source was ingested before',
    changed: changed && !first,
  };
}
