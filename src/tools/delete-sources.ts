import * as z from 'zod';
import { forEachAtOnce } from '../engine/concurrency.ts';
import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import { bounded, counted, shown, TITLE_LENGTH, URL_LENGTH, WORD_LENGTH } from '../text.ts';
import { sourceIds } from './fields.ts';
import { defineTool } from './tool.ts';

/** How many sources the question to the person names. */
const NAMED_SOURCES = 10;
/** How many sources are looked at before they go. */
const READ_SOURCES = 50;

/** Permanently deletes sources (fini-api.md, "delete sources"). */
export const deleteSources = defineTool({
  name: 'delete_sources',
  title: 'Delete sources',
  description:
    'Permanently deletes sources, and with deleteArticles also the Knowledge articles made from them, so agents no longer answer from those. Use it only if the person asked for exactly that, and first show what will be deleted (get_source). This cannot be undone. If the client supports it, the person is asked to confirm (with --stateless, only clients of protocol 2026-07-28).',
  kind: 'deletes',
  scope: 'write',
  idempotent: true,
  openWorld: false,
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
  async handler({ documentIds, deleteArticles }, { fini, call, confirm }) {
    const ids = [...new Set(documentIds)];
    const known = await readKnown(ids, fini, call);
    if (ids.every((id) => known.get(id) === 'unknown')) {
      const these = ids.length === 1 ? 'this source' : `these ${ids.length} sources`;
      return {
        deletedDocuments: [],
        deletedArticles: [],
        notDeleted: ids,
        message: `Nothing was deleted: Fini does not have ${these}. list_sources shows what it has.`,
      };
    }
    const answer = await confirm({
      message: question(ids, deleteArticles, known),
      subject: { ids, deleteArticles },
    });
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
    const deleted = await fini.deleteSources(ids, deleteArticles, call.renewed());
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
      message: `${counted(gone.size, 'source')} and ${counted(deleted.deletedArticles.length, 'article')} deleted.${deleteArticles ? '' : keptArticles([...gone], known)}${left}`,
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

/** Sources as they were before, by ID; `unknown` to Fini. What could not be read is not in it. */
type SourcesBefore = ReadonlyMap<string, FiniDocument | 'unknown'>;

/** Reads the first sources that are to go; deleting them does not depend on it. */
async function readKnown(
  ids: readonly string[],
  fini: FiniClient,
  call: Deadline,
): Promise<SourcesBefore> {
  const known = new Map<string, FiniDocument | 'unknown'>();
  try {
    await forEachAtOnce(ids.slice(0, READ_SOURCES), async (id) => {
      try {
        known.set(id, { ...(await fini.getSource(id, call)), paragraphs: [] });
      } catch (error) {
        // Another 404 is of something that stands before Fini.
        const isUnknown = error instanceof FiniError && error.status === 404 && error.isExplained;
        if (!isUnknown) throw error;
        known.set(id, 'unknown');
      }
    });
  } catch (error) {
    if (call.signal.aborted || !(error instanceof FiniError)) throw error;
  }
  return known;
}

/** Which Knowledge articles are left of sources that are gone. */
function keptArticles(gone: readonly string[], known: SourcesBefore): string {
  const sources = gone.map((id) => known.get(id));
  const linked = sources.flatMap((source) =>
    source === undefined || source === 'unknown' ? [] : (source.linkedKnowledgeId ?? []),
  );
  const articles = [...new Set(linked)];
  const [it, verb] = articles.length === 1 ? ['it', 'stays'] : ['them', 'stay'];
  const them = pronoun(gone);
  if (articles.length > 0) {
    const ids = articles.slice(0, NAMED_SOURCES).map((id) => bounded(id, WORD_LENGTH));
    const more = articles.length > ids.length ? ` and ${articles.length - ids.length} more` : '';
    return ` ${counted(articles.length, 'Knowledge article')} made from ${them} ${verb}, and agents may still answer from ${it}: ${ids.join(', ')}${more}. To remove ${it}, delete ${it} in the Fini dashboard.`;
  }
  return sources.includes(undefined)
    ? ` Knowledge articles made from ${them}, if any, stay, and agents may still answer from them.`
    : '';
}

/**
 * What the person is asked: what goes, each by its ID, title and URL, and the articles apart. The ID
 * comes first, since the others come from a page: the title stands in quotes, and the URL is one word
 * (`seenUrl`), so that neither can imitate an ID or a line of its own.
 */
function question(ids: readonly string[], deleteArticles: boolean, known: SourcesBefore): string {
  const names = ids.slice(0, NAMED_SOURCES).map((id) => {
    const source = known.get(id);
    if (source === undefined || source === 'unknown') return `- ${id} title unknown`;
    const title = bounded(source.title ?? '', TITLE_LENGTH);
    const name = title === '' ? 'untitled' : JSON.stringify(title);
    const url = bounded(source.originalUrl ?? '', TITLE_LENGTH);
    return `- ${id} ${name} ${url}`.trim();
  });
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
