import * as z from 'zod';
import { forEachAtOnce } from '../engine/concurrency.ts';
import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import {
  bounded,
  paragraph,
  plural,
  shown,
  TITLE_LENGTH,
  URL_LENGTH,
  WORD_LENGTH,
} from '../text.ts';
import { consentText } from './confirm.ts';
import { sourceIds } from './fields.ts';
import { defineTool } from './tool.ts';

/** Maximum number of sources that the question to the person names. */
const NAMED_SOURCES = 10;
/** Maximum number of sources to read before they are deleted. */
const READ_SOURCES = 50;

const SEE_SOURCES = { tool: 'list_sources', arguments: {}, why: 'See what is in Fini' };

/** Permanently deletes sources. */
export const deleteSources = defineTool({
  name: 'delete_sources',
  title: 'Permanently delete sources',
  description:
    'Permanently deletes sources, and with deleteArticles also the Knowledge articles made from them, so agents no longer answer from those. Use it only if the person asked for exactly that, and first show what will be deleted (get_source). This cannot be undone. If the client supports it, the person is asked to confirm (over HTTP, only clients of protocol 2026-07-28).',
  kind: 'deletes',
  scope: 'write',
  idempotent: true,
  openWorld: false,
  inputSchema: z.strictObject({
    /** Source IDs. */
    documentIds: sourceIds.describe('Source IDs (UUIDs).'),
    /** True to delete the articles made from them too. */
    deleteArticles: z
      .boolean()
      .default(false)
      .describe('Also delete the Knowledge articles made from them.'),
  }),
  outputSchema: z.object({
    sources: z
      .array(
        z.object({
          status: z.enum(['deleted', 'not_deleted']),
          originalUrl: z.string().optional(),
          id: z.string(),
          title: z.string().optional(),
        }),
      )
      .describe('In the order of documentIds.'),
    articles: z
      .array(
        z.object({
          status: z.enum(['deleted', 'kept']),
          id: z.string(),
          title: z.string().optional(),
          parentFolderId: z.string().optional().describe('ID of the folder that it was in.'),
        }),
      )
      .describe('Knowledge articles made from the deleted sources.'),
  }),
  lists: { sources: 'by status', articles: 'by status' },
  async handler({ documentIds, deleteArticles }, { fini, call, confirm }) {
    const ids = [...new Set(documentIds)];
    const known = await readKnown(ids, fini, call);
    const notDeleted = ids.map((id) => ({ status: 'not_deleted' as const, id }));
    if (ids.every((id) => known.get(id) === 'unknown')) {
      return {
        message: `Nothing was deleted. Not in Fini: ${plural(ids.length, 'source')}.`,
        nextCalls: [SEE_SOURCES],
        sources: notDeleted,
        articles: [],
      };
    }
    const answer = await confirm({
      message: deletionQuestion(ids, deleteArticles, known),
      subject: { ids, deleteArticles },
    });
    if (answer === 'declined' || answer === 'unanswered') {
      return {
        message:
          answer === 'declined'
            ? 'The person did not agree, so nothing was deleted. Do not ask again unless told to.'
            : 'The client could not ask the person, or got no answer in time, so nothing was deleted. Ask the person in the chat whether to try again.',
        sources: notDeleted,
        articles: [],
      };
    }
    const deleted = await fini.deleteSources(ids, deleteArticles, call.renewed());
    const gone = new Map(
      deleted.deletedDocuments.map(({ id, title, originalUrl }) => [
        id,
        {
          status: 'deleted' as const,
          originalUrl: shown(originalUrl, URL_LENGTH),
          id,
          title: shown(title, TITLE_LENGTH),
        },
      ]),
    );
    const unknown = notDeleted.filter(({ id }) => !gone.has(id));
    const kept = deleteArticles ? [] : linkedArticles([...gone.keys()], known);
    const isKeptUnknown = !deleteArticles && [...gone.keys()].some((id) => !known.has(id));
    return {
      message: paragraph(
        `${plural(gone.size, 'source')} and ${plural(deleted.deletedArticles.length, 'article')} deleted.`,
        unknown.length === 0
          ? ''
          : `Not deleted, because not in Fini: ${plural(unknown.length, 'source')}.`,
        keptText(kept.length, isKeptUnknown),
        consentText(answer, '--allow-delete'),
      ),
      nextCalls: unknown.length === 0 ? [] : [SEE_SOURCES],
      // Everything that Fini deleted is reported, requested or not.
      sources: [...new Set([...ids, ...gone.keys()])].map(
        (id) => gone.get(id) ?? { status: 'not_deleted' as const, id },
      ),
      articles: [
        ...kept.map((id) => ({ status: 'kept' as const, id: bounded(id, WORD_LENGTH) })),
        ...deleted.deletedArticles.map(({ id, title, parentFolderId }) => ({
          status: 'deleted' as const,
          id,
          title: shown(title, TITLE_LENGTH),
          parentFolderId: shown(parentFolderId, WORD_LENGTH),
        })),
      ],
    };
  },
  showOmitted: () => SEE_SOURCES,
});

/** Says that articles are kept, and that agents may answer from them. */
function keptText(kept: number, isUnknown: boolean): string {
  if (kept > 0) {
    return paragraph(
      `Kept: ${plural(kept, 'Knowledge article')} made from what was deleted.`,
      'Agents may still answer from kept articles. They can be deleted in the Fini dashboard.',
    );
  }
  return isUnknown
    ? 'Knowledge articles made from what was deleted, if any, are kept, and agents may still answer from them.'
    : '';
}

/** Sources before the deletion, by ID; `unknown` to Fini. Those that could not be read are missing. */
type SourcesBefore = ReadonlyMap<string, FiniDocument | 'unknown'>;

/** Reads the first sources to be deleted. The deletion does not depend on it. */
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
        // Another 404 comes from something in front of Fini.
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

/** The Knowledge articles made from sources, as far as these could be read. */
function linkedArticles(ids: readonly string[], known: SourcesBefore): string[] {
  const linked = ids.flatMap((id) => {
    const source = known.get(id);
    return source === undefined || source === 'unknown' ? [] : (source.linkedKnowledgeId ?? []);
  });
  return [...new Set(linked)];
}

/**
 * The question to the person: each source by its ID, title and URL, and the articles separately. The ID
 * comes first, since the rest comes from a page: the title is in quotes, and the URL is one word
 * (`seenUrl`), so neither can imitate an ID or a line of its own.
 */
function deletionQuestion(
  ids: readonly string[],
  deleteArticles: boolean,
  known: SourcesBefore,
): string {
  const names = ids.slice(0, NAMED_SOURCES).map((id) => {
    const source = known.get(id);
    if (source === undefined || source === 'unknown') return `- ${id} title unknown`;
    const title = bounded(source.title ?? '', TITLE_LENGTH);
    const name = title === '' ? 'untitled' : JSON.stringify(title);
    const url = bounded(source.originalUrl ?? '', TITLE_LENGTH);
    return `- ${id} ${name} ${url}`.trim();
  });
  const more = ids.length > NAMED_SOURCES ? [`- and ${ids.length - NAMED_SOURCES} more`] : [];
  const articles = deleteArticles
    ? 'and the linked Knowledge articles (agents will no longer answer from those)'
    : 'but keep the linked Knowledge articles';
  return [
    `Permanently delete ${plural(ids.length, 'source')} from Fini, ${articles}?`,
    ...names,
    ...more,
  ].join('\n');
}
