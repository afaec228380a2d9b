import * as z from 'zod';
import { ingestShape, refuseIngestFaults, timeoutSeconds } from './fields.ts';
import { listOmitted, reportAnswer, reportShape } from './report.ts';
import { defineTool } from './tool.ts';
import { waitOptions } from './wait-options.ts';

/** Queues, waits and accounts for every item. */
export const ingestAndWait = defineTool({
  name: 'ingest_and_wait',
  title: 'Ingest pages or sources, and wait',
  description:
    'The usual way to ingest: queues web pages (URLs) or existing sources (IDs), waits, shows progress, and reports each item once: what worked, what failed and why. Safe to repeat: items with a running job are joined, not queued again. After timed_out, call wait_for_sources with its batch. Completed does not mean live: content still has to go through Knowledge.',
  kind: 'writes',
  scope: 'read and write',
  idempotent: true,
  openWorld: true,
  inputSchema: refuseIngestFaults(z.strictObject({ ...ingestShape, timeoutSeconds })),
  outputSchema: z.object(reportShape),
  lists: { sources: 'by status' },
  async handler({ timeoutSeconds, ...request }, context) {
    const { ingestion, progress } = context;
    const report = await ingestion.ingestAndWait(request, waitOptions(timeoutSeconds, context));
    progress.end(report.counts.unfinished === 0);
    return reportAnswer(report, context, request);
  },
  showOmitted: listOmitted,
  isError: ({ outcome }) => outcome === 'failed',
});
