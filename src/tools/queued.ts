import * as z from 'zod';
import { counted } from '../text.ts';
import { queuedAfterInput } from './fields.ts';

/* What the tools that do not wait say of what they queued or registered. */

/** What ingest and register answer. */
export const queuedShape = {
  addedDocumentIds: z
    .array(z.string())
    .describe('IDs of new sources, not in the order of the inputs.'),
  updatedDocumentIds: z
    .array(z.string())
    .describe('IDs of existing sources, not in the order of the inputs.'),
};

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
function howToWait(ids: readonly string[], queuedAfter: number | null): string {
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

/**
 * What came of a request that queues: that it is not done yet, and how to continue.
 *
 * @param items How many were passed.
 */
export function queuedMessage(
  ids: readonly string[],
  items: number,
  queuedAfter: number | null,
): string {
  if (ids.length === 0) {
    return 'Nothing is known to be queued, because Fini returned no ID. Check the items with list_sources before you call again.';
  }
  const fewer =
    ids.length < items
      ? ` Fini returned ${counted(ids.length, 'ID')} for ${counted(items, 'item')}, so some were not queued.`
      : '';
  return `Queued, not done.${fewer}${aboutOrder(ids)} ${howToWait(ids, queuedAfter)}`;
}
