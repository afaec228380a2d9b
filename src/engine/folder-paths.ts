import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { KnowledgeFolder } from '../fini/folder-tree.ts';

/** A folder, with where it is. */
export interface PlacedFolder {
  readonly id: string | null;
  /** Its title, with those of the folders that it is in before it, outermost first. */
  readonly path: readonly (string | null)[];
  /** How many articles are in it, without those in its own folders. */
  readonly articleCount: number;
}

/** The folders of a tree as a flat list, each before those in it. */
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
 * Finds the folder of an article by its ID; none where the tree, which is a snapshot, does not have
 * it, or could not be read.
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
    // A title is worth less than the publication.
    if (error instanceof FiniError && !call.signal.aborted) return new Map();
    throw error;
  }
}
