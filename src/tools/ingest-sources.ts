import * as z from 'zod';
import { inputsOf, withoutRepetitions } from '../engine/inputs.ts';
import { queuedIds } from '../fini/schemas.ts';
import { ingestShape, refuseIngestFaults } from './fields.ts';
import { listQueued, queuedAnswer, queuedShape } from './queued.ts';
import { defineTool } from './tool.ts';

/** Queues jobs and returns at once. */
export const ingestSources = defineTool({
  name: 'ingest_sources',
  title: 'Queue pages or sources without waiting',
  description:
    'Queues web pages (URLs) or existing sources (IDs) and returns immediately with a batch for wait_for_sources. Prefer ingest_and_wait, which also reports what worked and joins running jobs. Calling it twice queues twice.',
  kind: 'writes',
  scope: 'write',
  idempotent: false,
  openWorld: true,
  inputSchema: refuseIngestFaults(z.strictObject(ingestShape)),
  outputSchema: z.object(queuedShape),
  lists: { sources: 'by status' },
  async handler(input, { ingestion, call }) {
    const request = withoutRepetitions(input);
    const batch = await ingestion.ingest(request, call);
    return queuedAnswer(inputsOf(request), queuedIds(batch.queued), batch);
  },
  showOmitted: listQueued,
});
