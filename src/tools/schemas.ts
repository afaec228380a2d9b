import * as z from 'zod';
import { quoted } from '../bounded.ts';
import { INGEST_SOURCES } from '../fini/client.ts';
import { PROVIDERS } from '../fini/provider-tree.ts';
import {
  describeFaults,
  findIngestFaults,
  isSourceId,
  sourceIdFault,
  webUrlFault,
} from '../ingestion/inputs.ts';
import { parseSourceUri } from '../source-uri.ts';

/*
 * What the inputs of several tools share. Only plain types: several clients' models refuse unions,
 * formats and references. A description stands where a name does not say it all.
 */

/** Faults of a single value, whose message is clearer with the value in it. */
const NAMING_THE_VALUE = new Set(['invalid_type', 'invalid_value', 'too_small', 'too_big']);

/**
 * A list, also where it arrives as the JSON text of one, or as its only item: some models write it
 * so.
 */
export function listOf<Item extends z.ZodType>(item: Item, minimum = 0) {
  const list = minimum > 0 ? z.array(item).min(minimum) : z.array(item);
  return z.preprocess(readJsonList, list);
}

function readJsonList(value: unknown): unknown {
  if (typeof value !== 'string') return value;
  if (!value.trimStart().startsWith('[')) return [value];
  try {
    return JSON.parse(value);
  } catch {
    // Not JSON after all: the array schema then says what is wrong with it.
    return value;
  }
}

/** A text without white space around it, which models and copied lists bring along. */
export const trimmed = z.string().trim();

/** A list with null for what is no text, and for a list that is none: it is not empty, but wrong. */
const texts = z
  .array(z.unknown())
  .catch([null])
  .transform((items) => items.map((item) => (typeof item === 'string' ? item : null)));

/*
 * Zod says what was expected; an error must also name what was given. This holds for every schema
 * of the process, since Zod offers no narrower place that the SDK's parsing would heed.
 */
z.config({
  customError: (issue) => {
    const expected = z.config().localeError?.(issue);
    const message = typeof expected === 'string' ? expected : expected?.message;
    if (message === undefined || issue.input === undefined) return undefined;
    if (issue.code === 'unrecognized_keys') {
      if (!(issue.inst instanceof z.ZodObject)) return undefined;
      return `${message}. It takes ${Object.keys(issue.inst.shape).join(', ')}`;
    }
    return NAMING_THE_VALUE.has(issue.code)
      ? `${message} (given: ${quoted(issue.input)})`
      : undefined;
  },
});

/** The providers whose content can be listed and registered. */
export const provider = z.enum(PROVIDERS).describe('A provider connected in the Fini dashboard.');

/** How long a call may wait, in seconds. The default is the server's setting; see `longestSeconds`. */
export const timeoutSeconds = z
  .int()
  .min(1)
  .max(3600)
  .optional()
  .describe(
    'Seconds to wait, 1 to 3600. Default: as the server is set, usually 50. A call without a progressToken ends after 55 s whatever this says, and tells how to continue.',
  );

/** What names a source or a page; a source also by the resource of its text. */
const named = trimmed.overwrite((text) => parseSourceUri(text)?.id ?? text);

/** A source ID as Fini has it, also where it arrives in capitals. */
const idText = named.overwrite((id) => (isSourceId(id) ? id.toLowerCase() : id));

/** One source ID, a UUID. */
export const sourceId = idText.superRefine((id, context) => {
  if (!isSourceId(id)) {
    context.addIssue(
      `${quoted(id)} is not a source ID (a UUID): list_sources shows them, and finds a page's with originalUrl.`,
    );
  }
});

/** One or more source IDs; every bad one is named. */
export function sourceIds(field: string) {
  return listOf(idText, 1).superRefine((ids, context) => {
    for (const fault of describeFaults(field, ids, sourceIdFault)) context.addIssue(fault);
  });
}

/** Where a crawl starts; every bad URL is named. */
export const startUrls = listOf(trimmed, 1)
  .superRefine((links, context) => {
    const faultOf = (link: string) => webUrlFault(link, 'crawl');
    for (const fault of describeFaults('links', links, faultOf)) context.addIssue(fault);
  })
  .describe('Absolute http(s) URLs to start from.');

/** Whether a call only tells what it would do. */
export const dryRun = z
  .boolean()
  .default(false)
  .describe('Only show what would be done. Default false.');

/** The two lists of an ingest call and what goes with them (fini-api.md, "The trap"). */
export const ingestShape = {
  /** What the lists hold: URLs for `web`, source IDs for the others. */
  source: z.enum(INGEST_SOURCES).default('web').describe('What the two lists hold. Default web.'),
  /** First-time ingestion. */
  documentIdsToAdd: listOf(named)
    .default([])
    .describe(
      "To ingest first. web: page URLs. Any other source: source IDs (UUIDs), never a provider's own IDs.",
    ),
  /** Ingestion anew of what Fini has. */
  documentIdsToRefresh: listOf(named).default([]).describe('To ingest anew. Same kinds of values.'),
  /** English-specific processing. */
  english: z.boolean().default(true).describe('English-specific processing. Default true.'),
  /** BASER processing. */
  baser: z.boolean().default(false).describe('BASER processing. Default false.'),
};

/** What stands in the two lists where the rest of an input may be wrong, but for what decides. */
const ingestLists = z.object({
  source: ingestShape.source,
  documentIdsToAdd: texts,
  documentIdsToRefresh: texts,
});

/**
 * Refines an ingest input: names everything that is wrong with the two lists, before any request,
 * and also where something else is wrong with the input, so that one answer names it all.
 */
export function refuseIngestFaults<Schema extends z.ZodType>(schema: Schema): Schema {
  const refinement = (input: unknown, context: z.RefinementCtx) => {
    const lists = ingestLists.safeParse(input);
    if (!lists.success) return;
    for (const fault of findIngestFaults(lists.data)) context.addIssue(fault);
  };
  return schema.superRefine(refinement, { when: () => true });
}

/** What ingest and register answer. */
export const queuedShape = {
  addedDocumentIds: z.array(z.string()).describe('IDs of new sources.'),
  updatedDocumentIds: z.array(z.string()).describe('IDs of sources that Fini had.'),
};
