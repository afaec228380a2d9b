import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { KnowledgeFolder } from '../fini/folder-tree.ts';

/** A folder with its path. */
export interface PlacedFolder {
  readonly id: string | null;
  /** The titles from the outermost folder down to this one. */
  readonly path: readonly (string | null)[];
  /** Number of articles directly in it, without those in its subfolders. */
  readonly articleCount: number;
}

/** The folders of a tree as a flat list, each before its subfolders. */
export function placedFolders(
  folders: readonly KnowledgeFolder[],
  parents: readonly (string | null)[] = [],
): PlacedFolder[] {
  return folders.flatMap(({ id, title, articles, folders: inner }) => {
    const path = [...parents, title];
    return [{ id, path, articleCount: articles.length }, ...placedFolders(inner, path)];
  });
}

/**
 * Reads the folders by ID, to find the folder of an article. The result is empty if the tree could not
 * be read. The tree is a snapshot, so a folder may be missing.
 */
export async function readFolders(
  fini: FiniClient,
  call: Deadline,
): Promise<ReadonlyMap<string, PlacedFolder>> {
  try {
    const { folders } = await fini.folderTree(undefined, call);
    return new Map(
      placedFolders(folders).flatMap((folder) => (folder.id === null ? [] : [[folder.id, folder]])),
    );
  } catch (error) {
    // A missing title must not prevent publishing.
    if (error instanceof FiniError && !call.signal.aborted) return new Map();
    throw error;
  }
}
