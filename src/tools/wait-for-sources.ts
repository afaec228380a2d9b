import * as z from 'zod';
import { batchInput, exactlyOne, findBatch, UnusableBatch } from './batch.ts';
import { sourceIds, timeoutSeconds } from './fields.ts';
import { listOmitted, reportAnswer, reportShape } from './report.ts';
import { defineTool } from './tool.ts';
import { waitOptions } from './wait-options.ts';

/** Tolerated lead of Fini's clock over this one. */
const CLOCK_DIFFERENCE_MS = 5 * 60_000;

/** Waits for jobs that were queued before. */
export const waitForSources = defineTool({
  name: 'wait_for_sources',
  title: 'Wait for what is already queued',
  description:
    'Waits for jobs that are already queued, shows progress, and reports each source. Use it with the batch of a timed_out report, of ingest_sources or refresh_sources. Queues nothing. To queue and wait in one call use ingest_and_wait.',
  readOnlyDescription:
    'Waits for jobs that are already queued, shows progress, and reports each source. Use it with the batch of a timed_out report. Queues nothing.',
  kind: 'reads',
  scope: 'read',
  idempotent: true,
  openWorld: false,
  inputSchema: z
    .strictObject({
      batch: batchInput.describe('Batch of an earlier answer.'),
      /** Source IDs. */
      ids: sourceIds.optional().describe('Source IDs (UUIDs) instead.'),
      timeoutSeconds,
      /** Time of queueing, ISO 8601: an older result in the record belongs to an earlier job. */
      queuedAfter: z
        .string()
        .superRefine((text, context) => {
          const fault = timeFault(Date.parse(text));
          if (fault !== null) context.addIssue(fault);
        })
        .optional()
        .describe('With ids: queuedAfter of the answer. Older results do not count.'),
    })
    .superRefine(exactlyOne('ids'))
    .superRefine(({ batch, queuedAfter }, context) => {
      if (batch !== undefined && queuedAfter !== undefined) {
        context.addIssue('queuedAfter goes only with ids: leave it out.');
      }
    }),
  outputSchema: z.object(reportShape),
  lists: { sources: 'by status' },
  async handler({ batch: handle, ids = [], timeoutSeconds, queuedAfter }, context) {
    const { ingestion, progress } = context;
    const since = queuedAfter === undefined ? null : Date.parse(queuedAfter);
    const options = waitOptions(timeoutSeconds, context);
    const batch = handle === undefined ? null : await findBatch(handle, context);
    if (batch?.kind === 'drafts') {
      const why = 'Wait for its drafts';
      throw new UnusableBatch('This is a batch of drafts, not of sources.', [
        { tool: 'generate_knowledge', arguments: { batch: batch.handle }, why },
      ]);
    }
    const report =
      batch === null
        ? await ingestion.waitFor(ids, since, options)
        : await ingestion.waitForBatch(batch, options);
    progress.end(report.counts.unfinished === 0);
    return reportAnswer(report, context, null);
  },
  showOmitted: listOmitted,
  isError: ({ outcome }) => outcome === 'failed',
});

/**
 * The reason that a time cannot be that of queueing, or null. No job has ended after a time in the
 * future, so a wait would report completed sources as running forever.
 */
function timeFault(time: number): string | null {
  if (Number.isNaN(time)) return 'is not a time: pass the value of the answer';
  if (time <= Date.now() + CLOCK_DIFFERENCE_MS) return null;
  const now = new Date().toISOString();
  return `is in the future (it is now ${now}): pass the value of the answer, or leave it out`;
}
