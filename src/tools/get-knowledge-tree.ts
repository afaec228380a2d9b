import * as z from 'zod';
import { type PlacedFolder, placedFolders } from '../engine/folder-paths.ts';
import { PATH_SEPARATOR, paragraph, plural, shown, TITLE_LENGTH, WORD_LENGTH } from '../text.ts';
import { agentId } from './fields.ts';
import { pageOf } from './list-page.ts';
import { defineTool } from './tool.ts';

/** Maximum number of folders to show at once. */
const MAXIMUM_FOLDERS = 200;

/** Shows the folders of articles, or those that an agent answers from. */
export const getKnowledgeTree = defineTool({
  name: 'get_knowledge_tree',
  title: "Show the article folders, all or one agent's",
  description:
    'Shows the folders of Knowledge articles as a flat list with the path to each: those of the whole workspace or, with botId, those assigned to one agent. For the articles use list_articles, for the agents list_agents. The tree is a snapshot and may be stale.',
  kind: 'reads',
  scope: 'read',
  idempotent: true,
  openWorld: false,
  inputSchema: z.strictObject({
    botId: agentId.optional().describe('ID of an agent, for only the folders assigned to it.'),
    /** Number of folders to skip. */
    offset: z.int().min(0).default(0).describe('nextOffset of the previous page. Default 0.'),
  }),
  outputSchema: z.object({
    total: z.int().describe('Number of folders.'),
    updatedAt: z
      .string()
      .optional()
      .describe('Time of the last update of the snapshot (ISO 8601).'),
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
  lists: { folders: 'in order' },
  async handler(input, { fini, call }) {
    const { botId, offset } = input;
    const { folders: tree, updatedAt: changedAt, unreadable } = await fini.folderTree(botId, call);
    const all = placedFolders(tree);
    const page = pageOf(all, { offset, limit: MAXIMUM_FOLDERS }, folderOutput);
    const updatedAt = shown(changedAt, WORD_LENGTH);
    const isOfAgent = botId !== undefined;
    const isEmpty = all.length === 0 && unreadable === 0;
    const allFolders = {
      tool: 'get_knowledge_tree',
      arguments: {},
      why: 'See all folders of the workspace',
    };
    return {
      message: paragraph(
        all.length > 0
          ? foldersText(all.length, isOfAgent, updatedAt)
          : noFoldersText(isOfAgent, isEmpty),
        page.pastEnd,
        unreadable > 0
          ? `Left out, because it could not be read: ${plural(unreadable, 'part')} of the tree.`
          : '',
      ),
      nextCalls: [
        ...page.nextCalls('get_knowledge_tree', input, 'folder'),
        ...(isEmpty && isOfAgent ? [allFolders] : []),
      ],
      total: all.length,
      updatedAt,
      nextOffset: page.nextOffset,
      folders: page.items,
    };
  },
});

function folderOutput({ id, path, articleCount }: PlacedFolder) {
  const titles = path.map((title) => shown(title, TITLE_LENGTH) ?? 'untitled');
  return { id: id ?? undefined, path: titles.join(PATH_SEPARATOR), articleCount };
}

function foldersText(count: number, isOfAgent: boolean, updatedAt: string | undefined): string {
  const owner = isOfAgent ? ' assigned to this agent' : '';
  const time = updatedAt === undefined ? '' : ` of ${updatedAt}`;
  return `${plural(count, 'folder')}${owner}. This is a snapshot${time} and may be stale.`;
}

function noFoldersText(isOfAgent: boolean, isEmpty: boolean): string {
  if (!isEmpty) {
    return "No folder can be shown, but there may be some: look under Knowledge in Fini's dashboard.";
  }
  if (isOfAgent) {
    return paragraph(
      'No folder is assigned to this agent.',
      'The tree is a snapshot, so recent changes may be missing.',
      "Folders are assigned in Fini's dashboard.",
    );
  }
  return paragraph(
    'This workspace has no folder tree.',
    "Generating articles from sources needs one first: create folders under Knowledge in Fini's dashboard.",
    'The tree is a snapshot, so folders just created may be missing.',
  );
}
