import * as z from 'zod';
import { sourceIds } from './fields.ts';
import { listQueued, queuedAnswer, queuedShape } from './queued.ts';
import { defineTool } from './tool.ts';

/** Queues sources to be ingested again, by ID. */
export const refreshSources = defineTool({
  name: 'refresh_sources',
  title: 'Ingest sources again, by ID',
  description:
    'Queues existing sources, by ID and of any kinds, to be ingested again. Returns a batch for wait_for_sources. For a single kind prefer ingest_and_wait with documentIdsToRefresh, which waits and reports. Not for raw files. Calling it twice queues twice.',
  kind: 'writes',
  scope: 'write',
  idempotent: false,
  openWorld: true,
  inputSchema: z.strictObject({
    /** Source IDs. */
    documentIds: sourceIds.describe('Source IDs (UUIDs).'),
  }),
  outputSchema: z.object(queuedShape),
  lists: { sources: 'by status' },
  async handler({ documentIds }, { ingestion, call }) {
    const ids = [...new Set(documentIds)];
    const batch = await ingestion.refresh(ids, call);
    return queuedAnswer(ids, [...new Set(batch.queued)], batch);
  },
  showOmitted: listQueued,
});
