import content from './content/lived-in.json' with { type: 'json' };
import { contentOf } from './provider-content.ts';
import { type SandboxArticle, standing, writeArticle } from './sandbox-article.ts';
import { newDocument, type SandboxDocument } from './sandbox-document.ts';
import { bestFolder, type SandboxFolder } from './sandbox-folders.ts';
import type { KnowledgeContent, SandboxAgent } from './sandbox-knowledge.ts';
import { jobOutcome } from './sandbox-workspace.ts';
import { stableId } from './stable-id.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Number of days between a record's creation and its latest change. */
const DAYS_BEFORE = 35;
/** Time for which the stuck source has been in the queue. */
const STUCK_MS = 47 * MINUTE_MS;

/**
 * A source in `content/lived-in.json`. Its job has completed, unless its page cannot be read or it
 * says otherwise.
 */
type LivedInSource = Partial<SandboxDocument> & {
  source: string;
  originalUrl: string;
  /** Days since its latest change. */
  daysAgo: number;
  /** `linked` to a Knowledge article, `never-ingested`, or `stuck` in the queue. */
  state?: string;
  /** The text before the latest change. A changed source is linked to an article too. */
  before?: string;
  /** The final status of its job and Fini's reason. */
  failure?: { status: string; error: string };
};

/**
 * The records of a workspace that has been in use for a year: several kinds, of different ages, some
 * changed, failed, or linked to Knowledge, one never ingested and one stuck in the queue. The help
 * center is not among them, because people ingest it to try the server out.
 */
export function livedInSources(now: number): SandboxDocument[] {
  const sources: LivedInSource[] = content.sources;
  return sources.map(({ daysAgo, state, before, failure, ...given }, index) => {
    const { source, originalUrl } = given;
    const age = state === 'stuck' ? STUCK_MS : daysAgo * DAY_MS + 3 * HOUR_MS;
    const changedAt = now - age;
    const document = {
      ...newDocument(source, originalUrl, changedAt - DAYS_BEFORE * DAY_MS),
      id: stableId(originalUrl),
      // No two records changed at the same time.
      updatedAt: new Date(changedAt - index * MINUTE_MS).toISOString(),
      ...given,
    };
    if (state === 'never-ingested') return document;
    const linkedJobId = stableId(`job ${originalUrl}`);
    if (state === 'stuck') return { ...document, linkedJobId, linkedJobStatus: 'PENDING' };
    const ingested = contentOf(document);
    const isLinked = state === 'linked' || before !== undefined;
    return {
      ...document,
      ...jobOutcome(
        { ...document, paragraphs: before === undefined ? [] : [before] },
        { ...ingested, failure: failure ?? ingested.failure },
      ),
      linkedJobId,
      linkedKnowledgeId: isLinked ? stableId(`article ${originalUrl}`) : null,
    };
  });
}

/** The knowledge that a year of use leaves behind, for these sources. */
export function livedInKnowledge(
  documents: readonly SandboxDocument[],
  folders: readonly SandboxFolder[],
): KnowledgeContent {
  const live = documents.flatMap((document, index): SandboxArticle | [] => {
    const { linkedKnowledgeId: id, title, oldParagraphs, paragraphs, changed } = document;
    if (id === null || title === null) return [];
    // The article still has the source's old text.
    const text = changed ? oldParagraphs : paragraphs;
    const folderId = bestFolder(folders, title, text)?.id ?? null;
    const article = { ...writeArticle(title, text), ...standing(folderId, null) };
    return { ...article, id, version: 1 + (index % 3), public: true, isDraftPublished: null };
  });
  const draftSources = new Map<string, string>();
  const drafts = content.awaitingReview.flatMap((url): SandboxArticle | [] => {
    const document = documents.find(({ originalUrl }) => originalUrl === url);
    if (document === undefined) return [];
    const { title, paragraphs, linkedKnowledgeId } = document;
    const original = live.find((article) => article.id === linkedKnowledgeId) ?? null;
    const folder = bestFolder(folders, title ?? '', paragraphs);
    const folderId = original?.parentFolderId ?? folder?.id ?? null;
    const written = writeArticle(title ?? 'Untitled', paragraphs);
    const id = stableId(`draft ${url}`);
    draftSources.set(id, document.id);
    return { ...written, ...standing(folderId, original), id, isDraftPublished: false };
  });
  return { folders, articles: [...live, ...drafts], draftSources };
}

/** The agents of a workspace in use. */
export function livedInAgents(now: number): SandboxAgent[] {
  return content.agents.map(({ name, daysAgo, folders }) => ({
    id: stableId(`agent ${name}`),
    name,
    createdAt: new Date(now - daysAgo * DAY_MS).toISOString(),
    folders,
  }));
}
