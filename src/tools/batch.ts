import * as z from 'zod';
import { type Batch, sourceIdsIn } from '../engine/batches.ts';
import { bounded, paragraph, plural, quoted, WORD_LENGTH } from '../text.ts';
import { trimmed } from './fields.ts';
import { callForItems, type Explanation, inputFor, type NextCall } from './next-calls.ts';
import { textMeanings } from './read-input.ts';
import type { ToolContext } from './tool.ts';

/* Batches: one short name for everything that a call has queued, in place of its IDs. */

/** Maximum number of sources for one call that generates drafts. */
export const MAXIMUM_DRAFTED = 100;
/** The most calls that an answer proposes for the sources beyond that: each names all of its IDs. */
const MAXIMUM_CALLS = 4;

/** The batch of an earlier call, as an input. */
export const batchInput = trimmed
  .min(1)
  .register(textMeanings, {
    kind: 'name',
    one: 'the batch of an earlier answer',
    many: 'batches of earlier answers',
  })
  .optional();

/** The batch in an answer. */
export const batchOutput = z
  .string()
  .optional()
  .describe('Handle of these sources, which other calls take in place of IDs.');

/** Refuses an input that does not have exactly one of `batch` and another field. */
export function exactlyOne(other: string) {
  return (input: Readonly<Record<string, unknown>>, context: z.RefinementCtx) => {
    const isMissing = input[other] === undefined;
    if ((input.batch === undefined) !== isMissing) return;
    const message = `Set exactly one of batch and ${other}.`;
    context.addIssue({ code: 'custom', message, path: isMissing ? [other] : [] });
  };
}

/** The error of a call that cannot take a batch, with advice. */
export class UnusableBatch extends Error implements Explanation {
  override readonly name = 'UnusableBatch';
  readonly nextCalls: readonly NextCall[];

  constructor(message: string, nextCalls: readonly NextCall[]) {
    super(message);
    this.nextCalls = nextCalls;
  }
}

/**
 * Finds the batch that an input names.
 *
 * @throws {UnusableBatch}
 */
export async function findBatch(
  handle: string,
  { batches }: Pick<ToolContext, 'batches'>,
): Promise<Batch> {
  const batch = await batches.find(handle);
  if (batch !== null) return batch;
  throw new UnusableBatch(
    paragraph(
      `The batch ${quoted(bounded(handle, WORD_LENGTH))} is not known.`,
      'A batch is known for a day, until the server is restarted, and only with the key that it was queued with.',
      'The sources that an earlier answer lists have IDs, which work in place of it.',
    ),
    [{ tool: 'list_sources', arguments: { status: 'running' }, why: 'See what is running' }],
  );
}

/** The call that lists the sources of a batch. */
export function listCall(batch: string, why: string, status?: string): NextCall {
  const filter = status === undefined ? {} : { status };
  return { tool: 'list_sources', arguments: { batch, ...filter, limit: 100 }, why };
}

/** The call that waits for the jobs of a batch. */
export function waitForBatchCall(batch: string, why: string): NextCall {
  return { tool: 'wait_for_sources', arguments: { batch }, why };
}

/** The sources of a batch that drafts can be generated from, and a text about the others. */
export interface Draftable {
  readonly documentIds: string[];
  readonly message: string;
  readonly nextCalls: readonly NextCall[];
}

/**
 * Finds the completed sources of a batch, as many as one call can generate drafts from.
 *
 * @param settings Other inputs of the call, for the calls that generate from the rest.
 * @throws {UnusableBatch} if there are none.
 */
export async function completedIn(
  batch: Batch,
  { ingestion, call }: Pick<ToolContext, 'ingestion' | 'call'>,
  settings: Readonly<Record<string, unknown>>,
): Promise<Draftable> {
  const { handle } = batch;
  const { completed, failed, unfinished, gone, unseen } = await ingestion.statesOf(batch, call);
  const rest = completed.slice(MAXIMUM_DRAFTED);
  const parts = Array.from({ length: Math.ceil(rest.length / MAXIMUM_DRAFTED) }, (_, index) =>
    rest.slice(index * MAXIMUM_DRAFTED, (index + 1) * MAXIMUM_DRAFTED),
  );
  const others = [
    unfinished.length > 0 ? `${unfinished.length} unfinished` : '',
    failed.length > 0 ? `${failed.length} not ingested` : '',
    gone.length > 0 ? `${gone.length} not in this workspace` : '',
    unseen.length > 0
      ? `${unseen.length} not among the newest sources, which are all that was looked at`
      : '',
    rest.length > 0 ? `${rest.length} completed beyond the first ${MAXIMUM_DRAFTED}` : '',
  ].filter((part) => part !== '');
  const wait = waitForBatchCall(
    handle,
    `Wait for ${plural(unfinished.length, 'unfinished source')}`,
  );
  const nextCalls = [
    ...(unfinished.length > 0 ? [wait] : []),
    ...(failed.length > 0
      ? [listCall(handle, 'See why sources of the batch were not ingested', 'failed')]
      : []),
    ...(unseen.length > 0 || parts.length > MAXIMUM_CALLS
      ? [listCall(handle, 'See what has completed', 'completed')]
      : []),
  ];
  const leftOutText = others.length > 0 ? `Left out of the batch: ${others.join(', ')}.` : '';
  if (completed.length === 0) {
    throw new UnusableBatch(
      paragraph(
        'Nothing was queued, because no source of this batch is known to have completed.',
        leftOutText,
      ),
      nextCalls,
    );
  }
  const more = parts.slice(0, MAXIMUM_CALLS).flatMap((ids) => {
    const why = `Generate from ${plural(ids.length, 'other completed source')}`;
    return callForItems('generate_knowledge', 'documentIds', ids, why, inputFor(settings, {}));
  });
  return {
    documentIds: completed.slice(0, MAXIMUM_DRAFTED),
    message: leftOutText,
    nextCalls: [...nextCalls, ...more],
  };
}

/** The filter for the sources of a batch, for {@link readSources}. */
export async function idsOfBatch(
  handle: string | undefined,
  context: Pick<ToolContext, 'batches'>,
): Promise<readonly string[] | undefined> {
  return handle === undefined ? undefined : sourceIdsIn(await findBatch(handle, context));
}
