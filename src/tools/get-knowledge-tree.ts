import * as z from 'zod';
import { type PlacedFolder, placedFolders } from '../engine/folder-paths.ts';
import type { FolderTree } from '../fini/folder-tree.ts';
import { counted, PATH_SEPARATOR, paragraph, shown, TITLE_LENGTH, WORD_LENGTH } from '../text.ts';
import { agentId } from './fields.ts';
import { pageOf } from './list-page.ts';
import { defineTool } from './tool.ts';

/** How many folders are shown at once, and how much they may take, in bytes. */
const MAXIMUM_FOLDERS = 200;
const PAGE_BYTES = 50_000;

/** Where articles are, and which of them an agent answers from (fini-api.md, "folder tree"). */
export const getKnowledgeTree = defineTool({
  name: 'get_knowledge_tree',
  title: 'Get Knowledge folders',
  description:
    'Shows the folders of Knowledge articles as a flat list with the path to each: those of the whole workspace or, with botId, those assigned to one agent. For the articles use list_articles, for the agents list_agents. The tree is a snapshot and may be stale.',
  kind: 'reads',
  scope: 'read',
  idempotent: true,
  openWorld: false,
  inputSchema: z.strictObject({
    botId: agentId.optional().describe("An agent's ID: only the folders assigned to it."),
    /** How many folders to pass over. */
    offset: z.int().min(0).default(0).describe('nextOffset of the previous page. Default 0.'),
  }),
  outputSchema: z.object({
    message: z.string().describe('What was found, and what to do next.'),
    total: z.int().describe('How many folders there are.'),
    updatedAt: z.string().optional().describe('When the snapshot was last updated (ISO 8601).'),
    nextOffset: z.int().optional().describe('Pass it as offset; absent on the last page.'),
    folders: z
      .array(
        z.object({
          id: z.string().optional().describe('Folder ID: parentFolderId of its articles.'),
          path: z.string().describe('Titles from the top folder down, separated by ›.'),
          articleCount: z.int().describe('Articles directly in it, not in its subfolders.'),
        }),
      )
      .describe('The folders, each before its subfolders.'),
  }),
  async handler({ botId, offset }, { fini, call }) {
    const tree = await fini.folderTree(botId, call);
    const all = placedFolders(tree.folders);
    const range = { offset, limit: MAXIMUM_FOLDERS, bytes: PAGE_BYTES };
    const { items: folders, nextOffset, pastEnd, more } = pageOf(all, range, folderOutput);
    const updatedAt = shown(tree.updatedAt, WORD_LENGTH);
    const parts = [
      all.length === 0
        ? nothingThere(tree, botId !== undefined)
        : `${counted(all.length, 'folder')}${botId === undefined ? '' : ' assigned to this agent'}. This is a snapshot${updatedAt === undefined ? '' : ` of ${updatedAt}`} and may be stale.`,
      pastEnd,
      more('folder'),
      tree.unreadable > 0
        ? `${counted(tree.unreadable, 'part')} of the tree could not be read and ${tree.unreadable === 1 ? 'is' : 'are'} left out.`
        : '',
    ];
    return {
      message: paragraph(...parts),
      total: all.length,
      updatedAt,
      nextOffset,
      folders,
    };
  },
  text({ message, folders }) {
    const lines = folders.map(({ id, path, articleCount }) => {
      // In quotes, so that a title cannot pass for what this server says.
      const name = JSON.stringify(path);
      return `- ${id ?? 'no ID'}: ${name} (${counted(articleCount, 'article')})`;
    });
    return [message, ...lines].join('\n');
  },
});

function folderOutput({ id, path, articleCount }: PlacedFolder) {
  const titles = path.map((title) => shown(title, TITLE_LENGTH) ?? 'untitled');
  return { id: id ?? undefined, path: titles.join(PATH_SEPARATOR), articleCount };
}

function nothingThere({ unreadable }: FolderTree, isOfAgent: boolean): string {
  if (unreadable > 0) {
    return "No folder can be shown, but there may be some: look under Knowledge in Fini's dashboard.";
  }
  return isOfAgent
    ? "No folder is assigned to this agent. The tree is a snapshot, so recent changes may be missing. To see all folders, call again without botId. Folders are assigned in Fini's dashboard."
    : "This workspace has no folder tree. Generating articles from sources needs one first: create folders under Knowledge in Fini's dashboard. The tree is a snapshot, so folders just created may be missing.";
}
