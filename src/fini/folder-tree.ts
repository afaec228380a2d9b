import { asWireObject, type WireObject, wireFields } from './schemas.ts';

/** A folder with its folders and articles. */
export interface KnowledgeFolder {
  readonly id: string | null;
  readonly title: string | null;
  readonly description: string | null;
  readonly folders: readonly KnowledgeFolder[];
  readonly articles: readonly FolderArticle[];
}

/** An article in a folder, as the tree shows it. */
export interface FolderArticle {
  readonly id: string | null;
  readonly title: string | null;
}

/** The folders of a workspace, or of one agent. A snapshot, which may be stale. */
export interface FolderTree {
  readonly id: string | null;
  /** ISO 8601. */
  readonly createdAt: string | null;
  /** ISO 8601: how old the snapshot is. */
  readonly updatedAt: string | null;
  readonly folders: readonly KnowledgeFolder[];
  /** Number of nodes left out because they were not folders, too deep, or too many. */
  readonly unreadable: number;
}

/** Maximum depth; deeper than any tree that people can use. */
const MAXIMUM_FOLDER_DEPTH = 16;
/** Maximum number of folders and articles together; more than any workspace has. */
const MAXIMUM_NODES = 10_000;
const FOLDER_LISTS = ['children', 'folders', 'subfolders', 'nodes'];

/**
 * Reads the answer of the folder tree. The fields of its nodes are not documented, so each is looked
 * for under every name that it may have.
 *
 * An answer of null, or a snapshot of null, is a workspace without a tree. Anything else without a
 * list counts as one unreadable node, so that it does not pass for an empty tree.
 */
export function readFolderTree(answer: unknown): FolderTree {
  const head = asWireObject(answer) ?? {};
  const snapshot = Array.isArray(answer) ? answer : head.snapshotObjV2;
  const isEmpty = answer === null || snapshot === null;
  let unreadable = 0;
  let left = MAXIMUM_NODES;

  /** Takes as many items of a list as there is room for. */
  const taken = (values: readonly unknown[]): readonly unknown[] => {
    const first = values.slice(0, left);
    left -= first.length;
    unreadable += values.length - first.length;
    return first;
  };

  const readFolders = (values: readonly unknown[], depth: number): KnowledgeFolder[] =>
    taken(values).flatMap((value) => {
      const node = depth <= MAXIMUM_FOLDER_DEPTH ? asWireObject(value) : null;
      if (node === null) {
        unreadable += 1;
        return [];
      }
      const folders = FOLDER_LISTS.flatMap((name) => nodesIn(node, name));
      return {
        id: nodeId(node.id),
        title: titleOf(node),
        description: wireFields.text.parse(node.description),
        articles: readArticles(nodesIn(node, 'articles')),
        folders: readFolders(folders, depth + 1),
      };
    });

  const readArticles = (values: readonly unknown[]): FolderArticle[] =>
    taken(values).flatMap((value) => {
      const node = asWireObject(value);
      const article = { id: nodeId(node?.id ?? value), title: node && titleOf(node) };
      if ((article.id ?? article.title) !== null) return [article];
      unreadable += 1;
      return [];
    });

  const roots = Array.isArray(snapshot) ? snapshot : [null];
  const folders = readFolders(isEmpty ? [] : roots, 1);
  return {
    id: nodeId(head.id),
    createdAt: wireFields.text.parse(head.createdAt),
    updatedAt: wireFields.text.parse(head.updatedAt),
    folders,
    unreadable,
  };
}

function nodesIn(node: WireObject, name: string): readonly unknown[] {
  const list = node[name];
  return Array.isArray(list) ? list : [];
}

function titleOf({ title, name }: WireObject): string | null {
  return wireFields.text.parse(title) || wireFields.text.parse(name);
}

/** A node's ID. It may be a number; a large one has lost digits on its way through JSON. */
function nodeId(value: unknown): string | null {
  return wireFields.optionalId.parse(Number.isSafeInteger(value) ? String(value) : value);
}
