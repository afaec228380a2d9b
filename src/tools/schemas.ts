import * as z from 'zod';
import { INGEST_SOURCES, type IngestRequest } from '../fini/client.ts';
import { PROVIDERS } from '../fini/provider-tree.ts';
import { describeFaults, findIngestFaults, sourceIdFault } from '../ingestion/inputs.ts';

/*
 * What the inputs of several tools share. Only plain types: several clients' models refuse unions,
 * formats and references. A description stands where a name does not say it all.
 */

/** A list, also where it arrives as the JSON text of one: some models write it so. */
export function listOf<Item extends z.ZodType>(item: Item, minimum = 0) {
  const list = minimum > 0 ? z.array(item).min(minimum) : z.array(item);
  return z.preprocess(readJsonList, list);
}

function readJsonList(value: unknown): unknown {
  if (typeof value !== 'string' || !value.trimStart().startsWith('[')) return value;
  try {
    return JSON.parse(value);
  } catch {
    // Not JSON after all: the array schema then says what is wrong with it.
    return value;
  }
}

/** A text without white space around it, which models and copied lists bring along. */
export const trimmed = z.string().trim();

/** The providers whose content can be listed and registered. */
export const provider = z.enum(PROVIDERS);

/** How long a call may wait, in seconds. The default is the server's setting. */
export const timeoutSeconds = z
  .int()
  .min(1)
  .max(3600)
  .optional()
  .describe(
    'How long to wait. Ask for more than the default (50) only if your client shows progress.',
  );

/** One source ID, a UUID. */
export const sourceId = trimmed.superRefine((id, context) => {
  const fault = sourceIdFault(id);
  if (fault !== null)
    context.addIssue(
      `${JSON.stringify(id.slice(0, 120))} is refused, being one of those that are ${fault}`,
    );
});

/** One or more source IDs; every bad one is named. */
export function sourceIds(field: string) {
  return listOf(trimmed, 1).superRefine((ids, context) => {
    for (const fault of describeFaults(field, ids, sourceIdFault)) context.addIssue(fault);
  });
}

/** The two lists of an ingest call and what goes with them (fini-api.md, "The trap"). */
export const ingestShape = {
  /** What the lists hold: URLs for `web`, source IDs for the others. */
  source: z.enum(INGEST_SOURCES).default('web').describe('Decides what the two lists hold.'),
  /** First-time ingestion. */
  documentIdsToAdd: listOf(trimmed)
    .default([])
    .describe(
      "To ingest for the first time. web: page URLs. Any other source: source IDs (UUIDs) from register_provider_resources or list_sources, never a provider's own IDs.",
    ),
  /** Ingestion anew of what Fini has. */
  documentIdsToRefresh: listOf(trimmed)
    .default([])
    .describe('To ingest anew. Same kinds of values; no item in both lists.'),
  /** English-specific processing. */
  english: z.boolean().default(true).describe('English-specific processing.'),
  /** BASER processing. */
  baser: z.boolean().default(false).describe('BASER processing.'),
};

/** Names everything that is wrong with the two lists, before any request. */
export function refuseIngestFaults(
  input: Pick<IngestRequest, 'source' | 'documentIdsToAdd' | 'documentIdsToRefresh'>,
  context: z.RefinementCtx,
): void {
  for (const fault of findIngestFaults(input)) context.addIssue(fault);
}

/** What ingest and register answer. */
export const queuedShape = {
  /** Source IDs. */
  addedDocumentIds: z.array(z.string()),
  /** Source IDs. */
  updatedDocumentIds: z.array(z.string()),
};
