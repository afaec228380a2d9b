import * as z from 'zod';
import { counted } from '../bounded.ts';
import { withoutRepetitions } from '../ingestion/inputs.ts';
import { defineTool } from './define.ts';
import { ingestShape, queuedShape, refuseIngestFaults } from './schemas.ts';

/** Queues jobs and returns at once (fini-api.md, "ingest sources"). */
export const ingestSources = defineTool({
  name: 'ingest_sources',
  title: 'Queue sources without waiting',
  description:
    'Queues ingestion of web pages (URLs) or of existing sources (IDs) and returns at once with the source IDs. Prefer ingest_and_wait, which also reports what worked, finds jobs that run already and tells a new job from an old one; use this only to queue and look later with wait_for_sources. Calling it twice queues twice. Needs a key with write scope.',
  inputSchema: refuseIngestFaults(z.strictObject(ingestShape)),
  outputSchema: z.object({ ...queuedShape, message: z.string() }),
  annotations: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: false,
    openWorldHint: true,
  },
  async handler(input, { fini, signal }) {
    const request = withoutRepetitions(input);
    const queued = await fini.ingestSources(request, { signal });
    const ids = new Set([...queued.addedDocumentIds, ...queued.updatedDocumentIds]).size;
    const items = request.documentIdsToAdd.length + request.documentIdsToRefresh.length;
    const fewer =
      ids < items ? ` Fini gave ${ids} IDs for ${items} items, so some were not queued.` : '';
    const message = `Queued, not done.${fewer} See how it ends with wait_for_sources. A source that was ingested before shows its old result until its new job starts.`;
    return { ...queued, message };
  },
  text({ addedDocumentIds, updatedDocumentIds, message }) {
    const ids = JSON.stringify([...new Set([...addedDocumentIds, ...updatedDocumentIds])]);
    return `${counted(addedDocumentIds.length, 'source')} queued, ${updatedDocumentIds.length} to be refreshed. ${message}\n${ids}`;
  },
});
