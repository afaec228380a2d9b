import * as z from 'zod';
import { findIngestFaults, isSourceId, sourceIdFault, webUrlFault } from '../engine/inputs.ts';
import { INGEST_SOURCES } from '../fini/client.ts';
import { PROVIDERS } from '../fini/provider-tree.ts';
import { WORD_LENGTH } from '../text.ts';
import { textMeanings } from './read-input.ts';
import { parseSourceUri } from './source-uri.ts';

/*
 * Parts of inputs that several tools share. They have only plain types: several clients' models reject
 * unions, formats and references. A field has a description if its name does not say everything.
 */

/** A text without surrounding white space, which models and copied lists add. */
export const trimmed = z.string().trim();

/** A list with null for items that are not texts. A value that is no list is wrong, not empty. */
const texts = z
  .array(z.unknown())
  .catch([null])
  .transform((items) => items.map((item) => (typeof item === 'string' ? item : null)));

/** The providers whose content can be listed and registered. */
export const provider = z
  .enum(PROVIDERS, {
    error: ({ input }) =>
      typeof input === 'string' && /^\s*(google|g)?[\s_-]*drive\s*$/i.test(input)
        ? 'Google Drive cannot be listed: only the IDs of its sources in Fini work (list_sources with source "googledrive")'
        : '',
  })
  .describe('A provider connected in the Fini dashboard.');

/** Seconds that a call may wait. The default is the server's setting; see `silentSeconds`. */
export const timeoutSeconds = z
  .int()
  .min(1)
  .max(3600)
  .optional()
  .describe(
    'Seconds to wait, 1 to 3600. Default: set by the server, usually 50. Without a progressToken, a call ends within 55 s and says how to continue.',
  );

/** `queuedAfter` as an input of a later call; nothing if the time is unknown. */
export function queuedAfterInput(queuedAfter: number | null): { queuedAfter?: string } {
  if (queuedAfter === null) return {};
  return { queuedAfter: new Date(queuedAfter).toISOString() };
}

/** The name of a source or a page. A source can also be named by the resource of its text. */
const named = trimmed
  .overwrite((text) => parseSourceUri(text)?.id ?? text)
  .register(textMeanings, {
    kind: 'name',
    one: 'a URL or a source ID',
    many: 'URLs (with source "web") or source IDs (with any other source)',
  });

/** A source ID in the form that Fini uses, also if it is given in capitals. */
const idText = named
  .overwrite((id) => (isSourceId(id) ? id.toLowerCase() : id))
  .register(textMeanings, {
    kind: 'name',
    one: 'a source ID (a UUID)',
    many: 'source IDs (UUIDs)',
  });

/** One source ID, a UUID. */
export const sourceId = idText.superRefine((id, context) => {
  if (!isSourceId(id)) {
    context.addIssue(
      "is not a source ID (a UUID): list_sources shows the IDs; for a page, search with originalUrl; a provider's own ID (externalId) is not a source ID",
    );
  }
});

/** The start of a page of a list: the ID of the source before it. */
export const listCursor = idText.superRefine((id, context) => {
  if (!isSourceId(id)) {
    context.addIssue('is not a cursor: pass nextCursor of the page before, or leave it out');
  }
});

const listedId = idText.superRefine((id, context) => {
  const fault = sourceIdFault(id);
  if (fault !== null) context.addIssue(`These are ${fault}`);
});

/** One or more source IDs. */
export const sourceIds = z.array(listedId).min(1);

/** An article ID in the form that Fini uses, also if it is given in capitals. */
const articleId = trimmed
  .overwrite((id) => (isSourceId(id) ? id.toLowerCase() : id))
  .superRefine((id, context) => {
    if (isSourceId(id)) return;
    context.addIssue('These are not article IDs (UUIDs): list_articles shows the IDs');
  })
  .register(textMeanings, {
    kind: 'name',
    one: 'an article ID (a UUID)',
    many: 'article IDs (UUIDs)',
  });

/** Maximum number of articles in one call. */
const MAXIMUM_ARTICLES = 20;

/** One or more article IDs. */
export const articleIds = z.array(articleId).min(1).max(MAXIMUM_ARTICLES);

/**
 * An agent's ID; Fini's API calls an agent a bot. The contract does not specify its form, and none is
 * shown that is longer.
 */
export const agentId = trimmed.min(1).max(WORD_LENGTH).register(textMeanings, {
  kind: 'name',
  one: "an agent's ID",
  many: "agents' IDs",
});

const startUrl = trimmed
  .superRefine((url, context) => {
    const fault = webUrlFault(url, 'crawl');
    if (fault !== null) context.addIssue(`These are ${fault}`);
  })
  .register(textMeanings, {
    kind: 'name',
    one: 'an absolute http(s) URL',
    many: 'absolute http(s) URLs',
  });

/** URLs at which a crawl starts. */
export const startUrls = z.array(startUrl).min(1).describe('Absolute http(s) URLs to start from.');

/** True if a call only shows what it would do. */
export const dryRun = z
  .boolean()
  .default(false)
  .describe('Only show what would be done. Default false.');

/** The two lists of an ingest call, and its settings. */
export const ingestShape = {
  /** The kind of the items in the lists: URLs for `web`, source IDs for the others. */
  source: z
    .enum(INGEST_SOURCES)
    .default('web')
    .describe('Kind of the items in both lists. Default web.'),
  /** Items to ingest for the first time. */
  documentIdsToAdd: z
    .array(named)
    .default([])
    .describe(
      "New items to ingest. web: page URLs. Any other source: source IDs (UUIDs), never a provider's own IDs.",
    ),
  /** Items that Fini already has, to ingest again. */
  documentIdsToRefresh: z
    .array(named)
    .default([])
    .describe('Existing items to ingest again, in the same form.'),
  /** English-specific processing. */
  english: z.boolean().default(true).describe('English-specific processing. Default true.'),
  /** BASER processing. */
  baser: z.boolean().default(false).describe('BASER processing. Default false.'),
};

/** The two lists of an input, with `source`, which decides about them. Its other fields may be wrong. */
const ingestLists = z.object({
  source: ingestShape.source,
  documentIdsToAdd: texts,
  documentIdsToRefresh: texts,
});

/**
 * Refines an ingest input: names everything that is wrong with the two lists, before any request, also if
 * another field is wrong too, so that one answer names everything.
 */
export function refuseIngestFaults<Schema extends z.ZodType>(schema: Schema): Schema {
  const refinement = (input: unknown, context: z.RefinementCtx) => {
    const lists = ingestLists.safeParse(input);
    if (!lists.success) return;
    for (const { item, message } of findIngestFaults(lists.data)) {
      const path = item === null ? [] : [item.list, item.index];
      context.addIssue({ code: 'custom', message, path });
    }
  };
  return schema.superRefine(refinement, { when: () => true });
}
