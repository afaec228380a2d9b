import * as z from 'zod';
import { inputsOf, withoutRepetitions } from '../engine/inputs.ts';
import { queuedIds } from '../fini/documents.ts';
import { counted } from '../text.ts';
import { ingestShape, refuseIngestFaults } from './fields.ts';
import { queuedMessage, queuedShape, unnamedIds } from './queued.ts';
import { defineTool } from './tool.ts';

/** Queues jobs and returns at once (fini-api.md, "ingest sources"). */
export const ingestSources = defineTool({
  name: 'ingest_sources',
  title: 'Queue sources without waiting',
  description:
    'Queues web pages (URLs) or existing sources (IDs) and returns immediately with source IDs. Prefer ingest_and_wait, which also reports what worked and joins running jobs. Use this only to queue now and wait later with wait_for_sources. Calling it twice queues twice.',
  kind: 'writes',
  scope: 'write',
  idempotent: false,
  openWorld: true,
  inputSchema: refuseIngestFaults(z.strictObject(ingestShape)),
  outputSchema: z.object({
    message: z.string().describe('How to wait for the jobs.'),
    ...queuedShape,
  }),
  async handler(input, { ingestion, call }) {
    const request = withoutRepetitions(input);
    const { queued, queuedAfter } = await ingestion.ingest(request, call);
    const ids = queuedIds(queued);
    return { ...queued, message: queuedMessage(ids, inputsOf(request).length, queuedAfter) };
  },
  text({ message, ...queued }) {
    const { addedDocumentIds, updatedDocumentIds } = queued;
    const first = `${counted(addedDocumentIds.length, 'source')} queued, ${updatedDocumentIds.length} to be refreshed. ${message}`;
    return [first, ...unnamedIds(queuedIds(queued))].join('\n');
  },
});
