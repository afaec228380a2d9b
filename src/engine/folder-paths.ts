import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { KnowledgeFolder } from '../fini/folder-tree.ts';
import { optionalRead } from './optional-read.ts';

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

/** The folders of the workspace, as far as the tree, which is a snapshot, could be read. */
export interface Folders {
  readonly byId: ReadonlyMap<string, PlacedFolder>;
  /** The whole tree was read, so it has no other folder. */
  readonly isWhole: boolean;
}

/** Reads the folders, to find those of articles by their IDs. */
export async function readFolders(fini: FiniClient, call: Deadline): Promise<Folders> {
  // A missing title must not prevent publishing.
  const tree = await optionalRead(fini.folderTree(undefined, call), call);
  if (tree instanceof FiniError) return { byId: new Map(), isWhole: false };
  const placed = placedFolders(tree.folders);
  const byId = new Map(placed.flatMap((one) => (one.id === null ? [] : [[one.id, one]])));
  return { byId, isWhole: tree.unreadable === 0 };
}
