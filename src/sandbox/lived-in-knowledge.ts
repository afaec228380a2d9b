import { type SandboxArticle, standing, writeArticle } from './articles.ts';
import { companyOrigin } from './content.ts';
import type { SandboxDocument } from './documents.ts';
import { bestFolder, type SandboxFolder } from './folders.ts';
import type { KnowledgeContent, SandboxAgent } from './knowledge.ts';
import { stableId } from './stable-id.ts';

const DAY_MS = 86_400_000;

/** The sources whose drafts wait for somebody to review them: of a new article, and of an update. */
const awaitingReview = [`${companyOrigin}/news/aarhus`, `${companyOrigin}/prices`];

/** The knowledge that a year of use leaves behind, for these sources. */
export function livedInKnowledge(
  documents: readonly SandboxDocument[],
  folders: readonly SandboxFolder[],
  now: number,
): KnowledgeContent {
  const live = documents.flatMap((document, index): SandboxArticle | [] => {
    const { linkedKnowledgeId: id, title, oldParagraphs, paragraphs, changed } = document;
    if (id === null || title === null) return [];
    // The article still says what the source said before.
    const text = changed ? oldParagraphs : paragraphs;
    const folderId = bestFolder(folders, title, text)?.id ?? null;
    const article = { ...writeArticle(title, text), ...standing(folderId, null) };
    return { ...article, id, version: 1 + (index % 3), public: true, isDraftPublished: null };
  });
  const draftSources = new Map<string, string>();
  const drafts = awaitingReview.flatMap((url): SandboxArticle | [] => {
    const document = documents.find(({ originalUrl }) => originalUrl === url);
    if (document === undefined) return [];
    const { title, paragraphs, linkedKnowledgeId } = document;
    const original = live.find(({ id }) => id === linkedKnowledgeId) ?? null;
    const folder = bestFolder(folders, title ?? '', paragraphs);
    const folderId = original?.parentFolderId ?? folder?.id ?? null;
    const written = writeArticle(title ?? 'Untitled', paragraphs);
    const id = stableId(`draft ${url}`);
    draftSources.set(id, document.id);
    return { ...written, ...standing(folderId, original), id, isDraftPublished: false };
  });
  return { folders, agents: livedInAgents(now), articles: [...live, ...drafts], draftSources };
}

function livedInAgents(now: number): SandboxAgent[] {
  const agent = (name: string, daysAgo: number, folders: string[]): SandboxAgent => {
    const createdAt = new Date(now - daysAgo * DAY_MS).toISOString();
    return { id: stableId(`agent ${name}`), name, createdAt, folders };
  };
  return [
    agent('Website chat', 340, ['Larkspur', 'Renting', 'Billing', 'Riding', 'Account']),
    agent('Team assistant', 85, ['Team', 'Billing', 'Riding']),
  ];
}
