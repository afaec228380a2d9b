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
