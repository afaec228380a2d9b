import * as z from 'zod';
import { counted } from '../text.ts';
import { sourceIds } from './fields.ts';
import { queuedMessage, unnamedIds } from './queued.ts';
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
  async handler({ documentIds }, { ingestion, call }) {
    const ids = [...new Set(documentIds)];
    const { queued, queuedAfter } = await ingestion.refresh(ids, call);
    const queuedDocumentIds = [...new Set(queued)];
    const message = queuedMessage(queuedDocumentIds, ids.length, queuedAfter);
    return { queuedDocumentIds, message };
  },
  text({ queuedDocumentIds, message }) {
    const first = `${counted(queuedDocumentIds.length, 'source')} to be refreshed. ${message}`;
    return [first, ...unnamedIds(queuedDocumentIds)].join('\n');
  },
});
