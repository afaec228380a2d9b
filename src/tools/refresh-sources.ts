import * as z from 'zod';
import { counted } from '../text.ts';
import { queuedAfterInput, sourceIds } from './fields.ts';
import { defineTool } from './tool.ts';

/** Queues sources to be ingested again, by ID (fini-api.md, "refresh sources"). */
export const refreshSources = defineTool({
  name: 'refresh_sources',
  title: 'Refresh sources',
  description:
    'Queues existing sources to be ingested again, by ID, also of mixed kinds. Continue with wait_for_sources as its message says. For one kind prefer ingest_and_wait with documentIdsToRefresh, which waits and reports. Not for raw files. Calling it twice queues twice.',
  kind: 'writes',
  scope: 'write',
  idempotent: false,
  openWorld: true,
  inputSchema: z.strictObject({
    /** Source IDs. */
    documentIds: sourceIds.describe('Source IDs (UUIDs).'),
  }),
  outputSchema: z.object({
    message: z.string().describe('How to wait for the jobs.'),
    queuedDocumentIds: z
      .array(z.string())
      .describe('IDs of the sources queued, not in the order of the inputs.'),
  }),
  async handler({ documentIds }, { ingestion, signal }) {
    const ids = [...new Set(documentIds)];
    const { queued, queuedAfter } = await ingestion.refresh(ids, signal);
    const queuedDocumentIds = [...new Set(queued)];
    const fewer =
      queuedDocumentIds.length < ids.length
        ? ` Fini returned ${queuedDocumentIds.length} IDs for ${counted(ids.length, 'source')}, so some were not queued.`
        : '';
    return {
      queuedDocumentIds,
      message: `Queued, not done.${fewer}${aboutOrder(queuedDocumentIds)} ${howToWait(queuedDocumentIds, queuedAfter)}`,
    };
  },
  text({ queuedDocumentIds, message }) {
    const first = `${counted(queuedDocumentIds.length, 'source')} to be refreshed. ${message}`;
    return [first, ...unnamedIds(queuedDocumentIds)].join('\n');
  },
});

/** How many IDs a next step names; of more, the result has the list. */
export const NAMED_IDS = 100;

/** That nobody can tell by its place which ID is whose, where there are several. */
export function aboutOrder(ids: readonly string[]): string {
  return ids.length > 1 ? ' The IDs are not in the order of the inputs.' : '';
}

/** The IDs as text, where they are too many for a next step to name. */
export function unnamedIds(ids: readonly string[]): string[] {
  return ids.length > NAMED_IDS ? [JSON.stringify(ids)] : [];
}

/**
 * How to continue after queueing, so that the result of the job before is not taken for the new one's.
 *
 * @param queuedAfter As {@link Ingestion.ingest} gives it.
 */
export function howToWait(ids: readonly string[], queuedAfter: number | null): string {
  const since = queuedAfterInput(queuedAfter);
  const when =
    queuedAfter === null
      ? 'To see the result, wait a minute (an existing source shows its old result until its new job starts), then'
      : 'To see the result,';
  const input =
    ids.length <= NAMED_IDS
      ? JSON.stringify({ ids, ...since })
      : `ids set to these IDs${queuedAfter === null ? '' : `, and ${JSON.stringify(since)}`}`;
  return `${when} call wait_for_sources with ${input}.`;
}
