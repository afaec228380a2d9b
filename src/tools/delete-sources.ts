import * as z from 'zod';
import { bounded, counted, shown, TITLE_LENGTH, URL_LENGTH, WORD_LENGTH } from '../bounded.ts';
import { defineTool } from './define.ts';
import { sourceIds } from './schemas.ts';

/** How many sources the question to the person names. */
const NAMED_SOURCES = 10;

/** Permanently deletes sources (fini-api.md, "delete sources"). */
export const deleteSources = defineTool({
  name: 'delete_sources',
  title: 'Delete sources',
  description:
    'Permanently deletes sources, and with deleteArticles also the Knowledge articles made from them, so agents no longer answer from those. Use it only if the person asked for exactly that, and first show what will be deleted (get_source). This cannot be undone. If the client supports it, the person is asked to confirm. Needs write scope.',
  inputSchema: z.strictObject({
    /** Source IDs. */
    documentIds: sourceIds.describe('Source IDs (UUIDs).'),
    /** Whether the articles made from them go too. */
    deleteArticles: z
      .boolean()
      .default(false)
      .describe('Also delete the Knowledge articles made from them.'),
  }),
  outputSchema: z.object({
    message: z.string().describe('What was deleted, and what was not.'),
    notDeleted: z.array(z.string()).describe('IDs of sources that Fini did not delete.'),
    deletedDocuments: z
      .array(
        z.object({
          id: z.string(),
          title: z.string().optional(),
          originalUrl: z.string().optional(),
        }),
      )
      .describe('The deleted sources.'),
    deletedArticles: z
      .array(
        z.object({
          id: z.string(),
          title: z.string().optional(),
          parentFolderId: z.string().optional().describe('The folder it was in.'),
        }),
      )
      .describe('The deleted Knowledge articles.'),
  }),
  annotations: {
    readOnlyHint: false,
    destructiveHint: true,
    idempotentHint: true,
    openWorldHint: false,
  },
  async handler({ documentIds, deleteArticles }, { fini, signal, confirm }) {
    const ids = [...new Set(documentIds)];
    const answer = await confirm(async () =>
      question(ids, deleteArticles, (id) => fini.getSource(id, { signal })),
    );
    if (answer === 'declined' || answer === 'unanswered') {
      return {
        deletedDocuments: [],
        deletedArticles: [],
        notDeleted: ids,
        message:
          answer === 'declined'
            ? 'The person did not agree, so nothing was deleted. Do not ask again unless told to.'
            : 'The client could not ask the person, or got no answer in time, so nothing was deleted. Ask the person in the chat whether to try again.',
      };
    }
    const deleted = await fini.deleteSources(ids, deleteArticles, { signal });
    const gone = new Set(deleted.deletedDocuments.map(({ id }) => id));
    const notDeleted = ids.filter((id) => !gone.has(id));
    const left =
      notDeleted.length === 0
        ? ''
        : ` ${counted(notDeleted.length, 'source')} not deleted, because Fini does not have ${pronoun(notDeleted)}.`;
    return {
      deletedDocuments: deleted.deletedDocuments.map(({ id, title, originalUrl }) => ({
        id,
        title: shown(title, TITLE_LENGTH),
        originalUrl: shown(originalUrl, URL_LENGTH),
      })),
      deletedArticles: deleted.deletedArticles.map(({ id, title, parentFolderId }) => ({
        id,
        title: shown(title, TITLE_LENGTH),
        parentFolderId: shown(parentFolderId, WORD_LENGTH),
      })),
      notDeleted,
      message: `${counted(gone.size, 'source')} and ${counted(deleted.deletedArticles.length, 'article')} deleted.${left}`,
    };
  },
  text({ deletedDocuments, deletedArticles, notDeleted, message }) {
    const lines = [
      ...deletedDocuments.map(
        ({ id, title, originalUrl }) =>
          `- deleted: ${[title, originalUrl].filter(Boolean).join(' ') || 'untitled'} (${id})`,
      ),
      ...deletedArticles.map(
        ({ id, title = 'untitled', parentFolderId }) =>
          `- article deleted: ${title} (${id}${parentFolderId === undefined ? '' : `, in folder ${parentFolderId}`})`,
      ),
    ];
    return [message, ...notDeleted.map((id) => `- not deleted: ${id}`), ...lines].join('\n');
  },
});

/**
 * What the person is asked: what goes, each by its ID, title and URL, and the articles apart. The ID
 * comes first, since the others come from a page: the title stands in quotes, and the URL is one word
 * (`seenUrl`), so that neither can imitate an ID or a line of its own.
 */
async function question(
  ids: readonly string[],
  deleteArticles: boolean,
  read: (id: string) => Promise<{ title: string | null; originalUrl: string | null }>,
): Promise<string> {
  const names = await Promise.all(
    ids.slice(0, NAMED_SOURCES).map(async (id) => {
      const source = await read(id).catch(() => null);
      if (source === null) return `- ${id} title unknown`;
      const title = bounded(source.title ?? '', TITLE_LENGTH);
      const name = title === '' ? 'untitled' : JSON.stringify(title);
      const url = bounded(source.originalUrl ?? '', TITLE_LENGTH);
      return `- ${id} ${name} ${url}`.trim();
    }),
  );
  const more = ids.length > NAMED_SOURCES ? [`- and ${ids.length - NAMED_SOURCES} more`] : [];
  const them = pronoun(ids);
  const articles = deleteArticles
    ? `, and the Knowledge articles made from ${them} (agents will no longer answer from those)`
    : `, but keep the Knowledge articles made from ${them}`;
  return [
    `Permanently delete ${counted(ids.length, 'source')} from Fini${articles}?`,
    ...names,
    ...more,
  ].join('\n');
}

function pronoun({ length }: readonly string[]): 'it' | 'them' {
  return length === 1 ? 'it' : 'them';
}
