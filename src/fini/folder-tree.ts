import { asFields, type Fields, findList } from './envelope.ts';
import { optionalId, text } from './wire-fields.ts';

/** A folder of articles and what is in it. */
export interface KnowledgeFolder {
  readonly id: string | null;
  readonly title: string | null;
  readonly description: string | null;
  readonly folders: readonly KnowledgeFolder[];
  readonly articles: readonly FolderArticle[];
}

/** An article as a folder tells of it. */
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
  /** How many nodes had to be left out: they were no folders, too deep, or too many. */
  readonly unreadable: number;
}

/** Far deeper than any tree that people find their way in. */
const MAXIMUM_DEPTH = 16;
/** More than any workspace has, folders and articles together. */
const MAXIMUM_NODES = 10_000;
const CHILD_LISTS = ['children', 'folders', 'subfolders', 'nodes'];

/**
 * Reads the answer of the folder tree. The fields of its nodes are open in the contract
 * ("Knowledge"), so each is looked for under all the names that it may have.
 *
 * An answer of null, or a snapshot of null, is a workspace without a tree. Anything else without a
 * list counts as one node that cannot be read, since it must not pass for that.
 */
export function readFolderTree(answer: unknown): FolderTree {
  const head = asFields(answer) ?? {};
  const isEmpty = answer === null || head.snapshotObjV2 === null;
  const nodes = isEmpty ? [] : findList(answer, ['snapshotObjV2', ...CHILD_LISTS])?.items;
  let unreadable = 0;
  let left = MAXIMUM_NODES;

  /** Those of a list that there is still room for. */
  const taken = (values: readonly unknown[]): readonly unknown[] => {
    const first = values.slice(0, left);
    left -= first.length;
    unreadable += values.length - first.length;
    return first;
  };

  const readFolders = (values: readonly unknown[], depth: number): KnowledgeFolder[] =>
    taken(values).flatMap((value) => {
      const node = depth <= MAXIMUM_DEPTH ? asFields(value) : null;
      if (node === null) {
        unreadable += 1;
        return [];
      }
      const folders = CHILD_LISTS.flatMap((name) => listOf(node, name));
      return {
        id: idOf(node.id),
        title: titleOf(node),
        description: text.parse(node.description),
        articles: readArticles(listOf(node, 'articles')),
        folders: readFolders(folders, depth + 1),
      };
    });

  const readArticles = (values: readonly unknown[]): FolderArticle[] =>
    taken(values).flatMap((value) => {
      const node = asFields(value);
      const article = { id: idOf(node?.id ?? value), title: node && titleOf(node) };
      if ((article.id ?? article.title) !== null) return [article];
      unreadable += 1;
      return [];
    });

  const folders = readFolders(nodes ?? [null], 1);
  return {
    id: idOf(head.id),
    createdAt: text.parse(head.createdAt),
    updatedAt: text.parse(head.updatedAt),
    folders,
    unreadable,
  };
}

function listOf(node: Fields, name: string): readonly unknown[] {
  const list = node[name];
  return Array.isArray(list) ? list : [];
}

function titleOf({ title, name }: Fields): string | null {
  return text.parse(title) || text.parse(name);
}

/** IDs may be numbers; a larger one has lost digits on its way through JSON. */
function idOf(value: unknown): string | null {
  return optionalId.parse(Number.isSafeInteger(value) ? String(value) : value);
}
