import * as z from 'zod';
import type { QueuedBatch } from '../engine/ingest.ts';
import { paragraph, plural } from '../text.ts';
import { batchOutput, listCall, waitForBatchCall } from './batch.ts';
import { queuedAfterInput } from './fields.ts';
import type { NextCall } from './next-calls.ts';

/* Answers of the tools that queue without waiting. */

/** Fields of these answers. */
export const queuedShape = {
  batch: batchOutput,
  queuedAfter: z.string().optional().describe('Pass it to wait_for_sources along with ids.'),
  sources: z
    .array(
      z.object({
        status: z.enum(['queued', 'unqueued']),
        id: z.string().describe('Source ID.'),
      }),
    )
    .describe('In input order if the inputs are IDs; otherwise unordered.'),
};

/**
 * Makes an answer about what was queued, with the call that waits for it.
 *
 * @param items The inputs, as passed.
 * @param ids The IDs that Fini returned, in any order.
 * @param queuedAfter The time from {@link Ingestion.ingest}, like `batch`.
 */
export function queuedAnswer(
  items: readonly string[],
  ids: readonly string[],
  { queuedAfter, batch }: Pick<QueuedBatch<unknown>, 'queuedAfter' | 'batch'>,
) {
  const queued = new Set(ids);
  const passed = new Set(items);
  const isOfIds = ids.every((id) => passed.has(id));
  const named = isOfIds && ids.length > 0 ? items : ids;
  const sources = named.map((id) => ({
    status: queued.has(id) ? ('queued' as const) : ('unqueued' as const),
    id,
  }));
  const why = `Wait for ${plural(ids.length, 'queued source')}`;
  const check: NextCall = { tool: 'list_sources', arguments: {}, why: 'See what is in Fini' };
  return {
    message: queuedText(ids.length, items.length, queuedAfter, isOfIds),
    ...(ids.length > 0 && { batch, ...queuedAfterInput(queuedAfter) }),
    nextCalls: [ids.length > 0 ? waitForBatchCall(batch, why) : check],
    sources,
  };
}

/** The call that lists what was queued, if an answer has no room for all of it. */
export function listQueued({ batch }: { readonly batch?: string | undefined }) {
  return batch === undefined ? undefined : listCall(batch, 'Show all sources of this batch');
}

function queuedText(
  queued: number,
  items: number,
  queuedAfter: number | null,
  isInOrder: boolean,
): string {
  if (queued === 0) {
    return 'Nothing is known to be queued, because Fini returned no ID: check the items in Fini before queueing them again.';
  }
  return paragraph(
    `${plural(queued, 'source')} queued, not done.`,
    queued < items
      ? `Fini returned ${plural(queued, 'ID')} for ${plural(items, 'item')}, so some were not queued.`
      : '',
    queued > 1 && !isInOrder ? 'The IDs are not in the order of the inputs.' : '',
    queuedAfter === null
      ? 'Wait a minute before looking: an existing source shows its old result until its new job starts.'
      : '',
  );
}
