import folders from './content/folders.json' with { type: 'json' };
import { lowerCaseWords } from './sandbox-article.ts';
import { stableId } from './stable-id.ts';

/** A folder of articles. */
export type SandboxFolder = {
  /** Folder ID, a UUID. */
  id: string;
  title: string;
  description: string;
  /** The parent's ID; null at the top. */
  parentFolderId: string | null;
  /** The title of the top folder that it is in, or its own. */
  root: string;
};

/** The folders of a workspace in use, each parent before its children. */
export const knownFolders: SandboxFolder[] = folders.map(({ path, description }) => ({
  id: folderId(path),
  title: path.at(-1) ?? '',
  description,
  parentFolderId: path.length === 1 ? null : folderId(path.slice(0, -1)),
  root: path[0] ?? '',
}));

function folderId(path: readonly string[]): string {
  return stableId(`folder ${path.join(' > ')}`);
}

/** The folder that best fits an article with this title and text; the first one if none fits. */
export function bestFolder(
  folders: readonly SandboxFolder[],
  title: string,
  paragraphs: readonly string[],
): SandboxFolder | undefined {
  const titleWords = stems(title);
  const textWords = stems(paragraphs.join(' '));
  let best: { folder: SandboxFolder; score: number } | undefined;
  for (const folder of folders) {
    const own = [...stems(folder.title)];
    const described = [...stems(folder.description)];
    const score =
      6 * own.filter((word) => titleWords.has(word)).length +
      4 * described.filter((word) => titleWords.has(word)).length +
      [...own, ...described].filter((word) => textWords.has(word)).length;
    if (best === undefined || score > best.score) best = { folder, score };
  }
  return best?.folder;
}

function stems(words: string): Set<string> {
  const minor = /^(and|the|how|what|when|you|your|for|not|that|its|from|are|does|all|with|has)$/;
  const kept = lowerCaseWords(words).filter((word) => !minor.test(word));
  return new Set(kept.map((word) => word.replace(/s$/, '')));
}
