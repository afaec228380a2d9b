import * as z from 'zod';
import { bounded, boundedOrNull, counted, TITLE_LENGTH, URL_LENGTH } from '../bounded.ts';
import type { FiniDocument } from '../fini/documents.ts';
import {
  type Choice,
  type ImportPlan,
  planImport,
  runImport,
} from '../ingestion/provider-import.ts';
import { defineTool } from './define.ts';
import { explainError } from './error-text.ts';
import { boundedResource, resourceShape } from './list-provider-resources.ts';
import { likeIngestAndWait, reportLinks, reportOutput, reportText, waitOptions } from './report.ts';
import { dryRun, listOf, provider, timeoutSeconds, trimmed } from './schemas.ts';

/** How many items the text names. */
const SHOWN_AS_TEXT = 50;

/** Lists, chooses, registers, queues and waits (fini-api.md, the two routes of provider resources). */
export const importProviderResources = defineTool({
  name: 'import_provider_resources',
  title: 'Import from a provider and wait',
  description:
    'Imports content of a connected Notion, Zendesk or Confluence in one call: lists what Fini does not have, chooses (by exactly one of search, externalIds and all), registers, queues, waits and reports like ingest_and_wait. Of externalIds, what Fini has is refreshed. Call it with dryRun first and show the person the items. To choose by hand use list_provider_resources. Safe to repeat. Go on after timed_out with wait_for_sources. Needs read and write scope.',
  inputSchema: z
    .strictObject({
      provider,
      /** Chooses by title and path. */
      search: z
        .string()
        .trim()
        .min(1)
        .optional()
        .describe('Items whose title or path contains this.'),
      /** Chooses by the provider's own IDs. */
      externalIds: listOf(trimmed.min(1), 1)
        .optional()
        .describe("Items by the provider's own IDs."),
      /** Chooses everything that Fini does not have. */
      all: z.boolean().default(false).describe('Everything that Fini does not have.'),
      /** English-specific processing. */
      english: z.boolean().default(true),
      timeoutSeconds,
      dryRun,
    })
    .superRefine(({ search, externalIds, all }, context) => {
      const choices = [search !== undefined, externalIds !== undefined, all];
      if (choices.filter(Boolean).length === 1) return;
      context.addIssue(
        'Choose with exactly one of search, externalIds and all: list_provider_resources shows what there is.',
      );
    }),
  outputSchema: z.object({
    /** How many items the provider has that Fini has not. */
    found: z.int(),
    /** How many are chosen, those to be refreshed included. */
    selected: z.int(),
    /** With dryRun: what would be registered and ingested. */
    toAdd: z.array(z.custom<z.output<typeof resource>>()).optional(),
    /** With dryRun, and where registering is in doubt: what would be ingested anew. */
    toRefresh: z.array(z.object({ id: z.string(), title: z.string().nullable() })).optional(),
    /** Of externalIds: what neither the provider nor Fini has. */
    notFound: z.array(z.string()),
    /** externalIds for which Fini gave no source ID. */
    unregistered: z.array(z.string()),
    /** Absent where nothing was queued. */
    report: likeIngestAndWait.optional(),
    message: z.string(),
  }),
  annotations: {
    readOnlyHint: false,
    destructiveHint: false,
    idempotentHint: true,
    openWorldHint: true,
  },
  async handler(input, context) {
    const { provider, english, timeoutSeconds, dryRun } = input;
    const { fini, ingestion, signal, progress } = context;
    const startedAt = performance.now();
    progress.begin(`Listing what ${provider} has`);
    const plan = await planImport(fini, provider, choiceOf(input), signal);
    const { toAdd, toRefresh } = plan;
    const summary = {
      found: plan.listed,
      selected: toAdd.length + toRefresh.length,
      notFound: plan.notFound.map((id) => bounded(id, URL_LENGTH)),
    };
    if (dryRun || summary.selected === 0) {
      return {
        ...summary,
        toAdd: toAdd.map(boundedResource),
        toRefresh: toRefresh.map(boundedSource),
        unregistered: [],
        message: messageOf(plan, 0, dryRun),
      };
    }
    if (toAdd.length > 0) {
      progress.begin(`Registering ${counted(toAdd.length, 'item')} of ${provider}`);
    }
    const options = waitOptions(timeoutSeconds, context, startedAt);
    const { report, unregistered, doubt } = await runImport(
      fini,
      ingestion,
      provider,
      plan,
      english,
      options,
    );
    progress.end(report?.counts.unfinished === 0);
    const unregisteredIds = unregistered.map(({ externalId }) => bounded(externalId, URL_LENGTH));
    if (doubt !== null) {
      const again =
        input.externalIds === undefined
          ? 'with those in unregistered as externalIds, since search and all do not find what is registered'
          : 'with the same externalIds';
      return {
        ...summary,
        toRefresh: toRefresh.map(boundedSource),
        unregistered: unregisteredIds,
        message: `Nothing was queued. ${explainError(doubt)} Call import_provider_resources again ${again}.`,
      };
    }
    return {
      ...summary,
      unregistered: unregisteredIds,
      report: report === null ? undefined : reportOutput(report, context),
      message: messageOf(plan, unregistered.length, false),
    };
  },
  text({ toAdd = [], toRefresh = [], notFound, unregistered, report, message }) {
    const lines = [
      ...toAdd.map(
        ({ externalId, title, path }) =>
          `- to add: ${[...path, title].join(' › ')} (externalId ${externalId})`,
      ),
      ...toRefresh.map(({ id, title }) => `- to refresh: ${title ?? id} (${id})`),
    ];
    const more =
      lines.length > SHOWN_AS_TEXT
        ? [`- and ${lines.length - SHOWN_AS_TEXT} more in the structured content`]
        : [];
    return [
      message,
      ...lines.slice(0, SHOWN_AS_TEXT),
      ...more,
      ...notFound.map((id) => `- not found: ${id}`),
      ...unregistered.map((id) => `- not registered: ${id}`),
      ...(report === undefined ? [] : [reportText(report)]),
    ].join('\n');
  },
  links: ({ report }) => (report === undefined ? [] : reportLinks(report)),
  // That everything is in Fini already is no failure, also not to a call that is repeated.
  isError: ({ found, selected, notFound, report, toAdd }) =>
    (selected === 0 && found + notFound.length > 0) ||
    report?.outcome === 'failed' ||
    (report === undefined && toAdd === undefined),
});

const resource = z.object(resourceShape);

function boundedSource({ id, title }: FiniDocument): { id: string; title: string | null } {
  return { id, title: boundedOrNull(title, TITLE_LENGTH) };
}

function choiceOf({
  search,
  externalIds,
}: {
  search?: string | undefined;
  externalIds?: readonly string[] | undefined;
}): Choice {
  if (search !== undefined) return { search };
  return externalIds === undefined ? { all: true } : { externalIds };
}

function messageOf(plan: ImportPlan, unregistered: number, dryRun: boolean): string {
  const { listed, toAdd, toRefresh, notFound, unreadable } = plan;
  const selected = toAdd.length + toRefresh.length;
  const sentences = [
    `${counted(listed, 'item')} not in Fini yet; ${toAdd.length} selected to add, ${toRefresh.length} to refresh.`,
    notFound.length === 0
      ? ''
      : `${counted(notFound.length, 'externalId')} not found at the provider or in Fini: check with list_provider_resources.`,
    unregistered === 0
      ? ''
      : `Fini gave no source ID for ${counted(unregistered, 'item')} (see unregistered): call again with these as externalIds.`,
    unreadable === 0
      ? ''
      : `${counted(unreadable, 'item')} had no ID or URL and had to be left out.`,
    selected === 0
      ? 'Nothing is queued: list_provider_resources shows what there is, list_sources what Fini has already. A source there without linkedJobStatus was registered and never ingested: pass its ID to ingest_and_wait.'
      : '',
    dryRun && selected > 0
      ? 'Nothing is registered or queued. To import these, call import_provider_resources again without dryRun.'
      : '',
  ];
  return sentences.filter((sentence) => sentence !== '').join(' ');
}
