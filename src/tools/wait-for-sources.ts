import * as z from 'zod';
import { sourceIds, timeoutSeconds } from './fields.ts';
import { listOmitted, reportAnswer, reportShape } from './report.ts';
import { defineTool } from './tool.ts';
import { waitOptions } from './wait-options.ts';

/** Waits for jobs that were queued before. */
export const waitForSources = defineTool({
  name: 'wait_for_sources',
  title: 'Wait for sources',
  description:
    'Waits for jobs that are already queued, shows progress, and reports each source. Use it after a timed_out report (with the IDs and queuedAfter from its nextCalls). Use it also after ingest_sources or refresh_sources. Queues nothing. To queue and wait in one call use ingest_and_wait.',
  readOnlyDescription:
    'Waits for jobs that are already queued, shows progress, and reports each source. Use it after a timed_out report (with the IDs and queuedAfter from its nextCalls). Queues nothing.',
  kind: 'reads',
  scope: 'read',
  idempotent: true,
  openWorld: false,
  inputSchema: z.strictObject({
    ids: sourceIds.describe('Source IDs (UUIDs).'),
    timeoutSeconds,
    /** ISO 8601: a result that the record shows from before this belongs to an earlier job. */
    queuedAfter: z
      .string()
      .refine(
        (text) => !Number.isNaN(Date.parse(text)),
        'is not a time: pass the value from nextCalls',
      )
      .optional()
      .describe('The value from nextCalls. Older results belong to an earlier job.'),
  }),
  outputSchema: z.object(reportShape),
  lists: { sources: 'by status' },
  async handler({ ids, timeoutSeconds, queuedAfter }, context) {
    const { ingestion, progress } = context;
    const since = queuedAfter === undefined ? null : Date.parse(queuedAfter);
    const report = await ingestion.waitFor(ids, since, waitOptions(timeoutSeconds, context));
    progress.end(report.counts.unfinished === 0);
    return reportAnswer(report, context, null);
  },
  showOmitted: listOmitted,
  isError: ({ outcome }) => outcome === 'failed',
});
