import * as z from 'zod';
import {
  type Choice,
  type ImportPlan,
  type ImportResult,
  planImport,
  runImport,
} from '../engine/import.ts';
import { IngestionError } from '../engine/ingest.ts';
import { isSourceId } from '../engine/inputs.ts';
import { stateOf } from '../engine/job-states.ts';
import { statusOf } from '../engine/list.ts';
import { FiniError } from '../fini/errors.ts';
import type { Provider, ProviderResource } from '../fini/provider-tree.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import {
  bounded,
  PATH_SEPARATOR,
  paragraph,
  plural,
  quoted,
  quotedMessage,
  shown,
  TITLE_LENGTH,
  URL_LENGTH,
} from '../text.ts';
import { dryRun, listOf, provider, timeoutSeconds, trimmed } from './fields.ts';
import { callForItems, inputFor, type NextCall } from './next-calls.ts';
import { ingestCalls } from './next-steps.ts';
import { textMeanings } from './read-input.ts';
import { listOmitted, outcomeShape, ROW_STATUSES, reportAnswer, rowShape } from './report.ts';
import { boundedResource } from './resource.ts';
import { defineTool, type ToolContext } from './tool.ts';
import { waitOptions } from './wait-options.ts';

/** Defaults of the input, which a proposed call leaves out. */
const DEFAULTS = { all: false, english: true, dryRun: false };

/** How an item stands before it is imported, or if it cannot be. */
const STATUSES = [
  'new',
  'running',
  'never_ingested',
  'unknown',
  'not_found',
  'unregistered',
] as const;

/** A name of a provider's item. */
const externalId = trimmed.min(1).register(textMeanings, {
  kind: 'externalId',
  one: "a provider's own ID, or an item's URL",
  many: "the provider's own IDs, or its items' URLs",
});

/** Lists, chooses, registers, queues and waits. */
export const importProviderResources = defineTool({
  name: 'import_provider_resources',
  title: 'Import from a provider and wait',
  description:
    'Imports content of a connected Notion, Zendesk or Confluence in one call: lists what is not in Fini yet, selects (by exactly one of search, externalIds and all), registers, queues, waits and reports like ingest_and_wait. Selected externalIds that are already in Fini are refreshed. Call it with dryRun first and show the person the items. To choose by hand use list_provider_resources. Safe to repeat. After timed_out, call wait_for_sources with its batch.',
  kind: 'writes',
  scope: 'read and write',
  idempotent: true,
  openWorld: true,
  inputSchema: z
    .strictObject({
      provider,
      /** Chooses by title and path. */
      search: z
        .string()
        .trim()
        .min(1)
        .optional()
        .describe('Items whose title or path contains this, ignoring case.'),
      /** Chooses by the provider's own IDs. */
      externalIds: listOf(externalId, 1)
        .optional()
        .describe("Items by the provider's own IDs or their URLs."),
      /** Chooses everything that is not in Fini yet. */
      all: z
        .boolean()
        .default(false)
        .describe('Everything that is not in Fini yet. Default false.'),
      /** English-specific processing. */
      english: z.boolean().default(true).describe('English-specific processing. Default true.'),
      timeoutSeconds,
      dryRun,
    })
    .superRefine(({ search, externalIds, all }, context) => {
      if (search !== undefined && isUrl(search)) {
        const message = 'is a URL: pass it as externalIds instead';
        context.addIssue({ code: 'custom', path: ['search'], message });
      }
      const choices = [search !== undefined, externalIds !== undefined, all];
      if (choices.filter(Boolean).length === 1) return;
      context.addIssue(
        'Set exactly one of search, externalIds and all: list_provider_resources shows the items.',
      );
    }),
  outputSchema: z.object({
    found: z.int().describe('How many items the provider has that are not in Fini yet.'),
    selected: z.int().describe('How many items are selected, including those already in Fini.'),
    ingestedBefore: z
      .int()
      .describe('How many matching sources are already ingested and need nothing.'),
    ...z.object(outcomeShape).partial().shape,
    sources: z
      .array(
        z.object({
          ...rowShape,
          status: z.enum([...STATUSES, ...ROW_STATUSES]),
          externalId: z.string().optional(),
          path: z.array(z.string()).optional().describe('Titles of its parents, outermost first.'),
        }),
      )
      .describe('With dryRun the selected items as they stand now, otherwise the result for each.'),
  }),
  lists: { sources: 'by status' },
  async handler(input, context) {
    const { provider, english, timeoutSeconds, dryRun } = input;
    const { fini, ingestion, progress } = context;
    const options = waitOptions(timeoutSeconds, context);
    progress.begin(`Listing items in ${providerName(provider)}`);
    const choice = choiceOf(input);
    const plan = await planImport(fini, provider, choice, options.deadline);
    const { toAdd, known, searchEnded } = plan;
    const isNothing = toAdd.length + known.length === 0;
    // Only a dry run is worth something without the rest.
    if (searchEnded instanceof FiniError && (isNothing || !dryRun)) throw searchEnded;
    const summary = {
      found: plan.listed,
      selected: toAdd.length + known.length,
      ingestedBefore: plan.ingestedBefore,
    };
    const notFound = plan.notFound.map((id) => ({
      status: 'not_found' as const,
      input: bounded(id, URL_LENGTH),
    }));
    if (dryRun || summary.selected === 0) {
      const before = summary.selected === 0 ? plan.namedBefore : [];
      return {
        ...summary,
        message: paragraph(
          planText(plan, choice),
          dryRun && summary.selected > 0 ? 'Nothing is registered or queued yet.' : '',
        ),
        nextCalls: nextCalls(plan, choice, input),
        sources: [
          ...notFound,
          ...toAdd.map((resource) => ({ status: 'new' as const, ...namedResource(resource) })),
          ...[...known, ...before].map(knownSource),
        ],
      };
    }
    if (toAdd.length > 0) {
      progress.begin(`Registering ${plural(toAdd.length, 'item')} from ${providerName(provider)}`);
    }
    const result = await runImport(fini, ingestion, provider, plan, english, options);
    const { report, unregistered } = result;
    progress.end(report?.counts.unfinished === 0);
    const queueing = { source: provider, documentIdsToRefresh: [], english, baser: false };
    const answer = report === null ? null : reportAnswer(report, context, queueing);
    const afterwards = afterImport(result, input, context.explain);
    return {
      ...answer,
      ...summary,
      message: paragraph(answer?.message ?? '', afterwards.message, planText(plan, choice)),
      nextCalls: [
        ...(answer?.nextCalls ?? []),
        ...afterwards.nextCalls,
        ...otherNames(plan.notFound, input),
      ],
      sources: [
        ...notFound,
        ...unregistered.map((resource) => ({
          status: 'unregistered' as const,
          ...namedResource(resource),
        })),
        // Without a report nothing else would name them.
        ...(answer?.sources ?? known.map(knownSource)),
      ],
    };
  },
  showOmitted: ({ batch, sources }, { provider, search }) =>
    sources.some(({ status }) => status === 'new')
      ? {
          tool: 'list_provider_resources',
          arguments: inputFor({ provider, search }, {}),
          why: 'Show all items that are not in Fini yet, page by page',
        }
      : listOmitted({ batch, sources }),
  isError: ({ found, selected, ingestedBefore, outcome, sources }, { dryRun }) => {
    if (!dryRun && selected > 0) return outcome === undefined || outcome === 'failed';
    const isMissing = sources.some(({ status }) => status === 'not_found');
    return selected + ingestedBefore === 0 && (found > 0 || isMissing);
  },
});

type Input = Readonly<Record<string, unknown>> & { readonly provider: Provider };

function isUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** An item's names; list_provider_resources has all that register takes. */
function namedResource(resource: ProviderResource) {
  const { externalId, title, originalUrl, path } = boundedResource(resource);
  return {
    externalId: bounded(externalId, URL_LENGTH),
    title,
    originalUrl: bounded(originalUrl, URL_LENGTH),
    path,
  };
}

/** A provider as people write its name. */
function providerName(provider: Provider): string {
  return provider.charAt(0).toUpperCase() + provider.slice(1);
}

/** A source as it stands before it is imported. */
function knownSource(document: FiniDocument) {
  const { id, title, originalUrl } = document;
  return {
    status: statusOf(document),
    id,
    title: shown(title, TITLE_LENGTH),
    originalUrl: shown(originalUrl, URL_LENGTH),
  };
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

/** The message about what was found and selected. */
function planText(plan: ImportPlan, choice: Choice): string {
  const { listed, toAdd, known, notFound, searchEnded, unreadable } = plan;
  const isNothing = toAdd.length + known.length === 0;
  const why = searchEnded instanceof FiniError ? quotedMessage(searchEnded) : 'the time ran out';
  const isInPart = searchEnded !== null && (!('externalIds' in choice) || notFound.length > 0);
  return paragraph(
    isNothing && notFound.length === 0 ? nothingSelected(plan, choice) : '',
    `${plural(listed, 'item')} not in Fini yet; ${toAdd.length} selected to add.`,
    known.length === 0
      ? ''
      : 'externalIds' in choice
        ? `${plural(known.length, 'selected item')} already in Fini, to be ingested again.`
        : `${plural(known.length, 'matching item')} in Fini whose ingestion has not finished: running jobs are waited for, and the rest is ingested.`,
    notFound.length === 0
      ? ''
      : `${plural(notFound.length, 'externalId')} not found at the provider or in Fini.`,
    isInPart
      ? `Not all sources in Fini could be searched (${why}), so items registered before may be missing here.`
      : '',
    unreadable === 0 ? '' : `${plural(unreadable, 'item')} without a usable ID or URL left out.`,
  );
}

/** Why nothing is selected. */
function nothingSelected(plan: ImportPlan, choice: Choice): string {
  const { ingestedBefore, failedBefore, namedBefore, others } = plan;
  if (ingestedBefore > 0) {
    const some =
      namedBefore.length < ingestedBefore ? ` Only ${namedBefore.length} are shown here.` : '';
    const failed = failedBefore > 0 ? `, of which ${failedBefore} failed` : '';
    return `Nothing is queued, because Fini has already ingested what was selected: ${plural(ingestedBefore, 'matching source')}${failed}.${some}`;
  }
  if ('all' in choice) {
    return 'Nothing is queued: the provider has nothing to import, or it is already in Fini.';
  }
  const titles = others.map((title) => quoted(bounded(title, TITLE_LENGTH))).join(', ');
  const search = 'search' in choice ? ` ${quoted(choice.search)}` : '';
  const hint = titles === '' ? '' : ` Try a shorter word. Available: ${titles}.`;
  return `Nothing matches${search}.${hint}`;
}

/** The calls that may follow where nothing was queued. */
function nextCalls(plan: ImportPlan, choice: Choice, input: Input): NextCall[] {
  const { toAdd, known, notFound, namedBefore, failedBefore } = plan;
  const { provider } = input;
  const selected = toAdd.length + known.length;
  if (selected > 0) {
    const now = inputFor({ ...input, dryRun: false }, DEFAULTS);
    const why = `Import ${plural(selected, 'selected item')}`;
    return [
      { tool: 'import_provider_resources', arguments: now, why },
      ...otherNames(notFound, input),
    ];
  }
  const failed = namedBefore.filter((source) => stateOf(source) === 'failed');
  const again = (failedBefore > 0 ? failed : 'search' in choice ? namedBefore : []).map(
    ({ id }) => id,
  );
  const status = failedBefore > 0 ? 'failed' : undefined;
  // No source tells the path to it.
  const isTitle = 'search' in choice && !choice.search.includes(PATH_SEPARATOR.trim());
  const title = isTitle && namedBefore.length > 0 ? choice.search : undefined;
  return [
    ...callForItems(
      'refresh_sources',
      'documentIds',
      again,
      `Ingest ${plural(again.length, failedBefore > 0 ? 'failed source' : 'source')} again`,
    ),
    ...otherNames(notFound, input),
    {
      tool: 'list_sources',
      arguments: inputFor({ source: provider, status, title }, {}),
      why: `Show ${failedBefore > 0 ? 'why sources failed' : 'what is already in Fini'}`,
    },
    {
      tool: 'list_provider_resources',
      arguments: { provider },
      why: 'Show the items that are not in Fini yet',
    },
  ];
}

/** Calls for externalIds that were not found, since they may be titles or source IDs. */
function otherNames(notFound: readonly string[], { provider, english }: Input): NextCall[] {
  const title = notFound.find((name) => !isUrl(name) && /\s|^\D+$/.test(name));
  const calls: NextCall[] = [];
  if (title !== undefined) {
    const search = bounded(title, TITLE_LENGTH);
    const look = { provider, search, ...inputFor({ english }, DEFAULTS), dryRun: true };
    const why = `Look for ${quoted(search)} as a title`;
    calls.push({ tool: 'import_provider_resources', arguments: look, why });
  }
  const documentIds = notFound.filter(isSourceId);
  const why = 'Ingest these again, if they are IDs of other sources';
  return [...calls, ...callForItems('refresh_sources', 'documentIds', documentIds, why)];
}

/** Sentences about what happened besides the report, and how to continue. */
function afterImport(
  { unregistered, unregisteredIsGuess, registered, trouble }: ImportResult,
  input: Input,
  explain: ToolContext['explain'],
): { message: string; nextCalls: NextCall[] } {
  const { provider } = input;
  if (trouble instanceof IngestionError) {
    const explained = explain(trouble);
    const isRegistered = trouble.stage === 'not_queued' && registered > 0;
    const why = `Queue ${plural(registered, 'registered item')}`;
    return {
      message: paragraph(
        explained?.message ?? '',
        isRegistered ? `${plural(registered, 'item')} registered.` : '',
      ),
      nextCalls: [
        ...(explained?.nextCalls ?? []),
        ...(isRegistered ? ingestCalls(trouble.request, trouble.left, why) : []),
      ],
    };
  }
  if (trouble !== null) {
    const again = {
      tool: 'import_provider_resources',
      arguments: inputFor(input, DEFAULTS),
      why: 'Continue with what is registered',
    };
    return {
      message: paragraph('Nothing was queued.', explain(trouble)?.message ?? ''),
      nextCalls: trouble.surelyNotCarriedOut ? [] : [again],
    };
  }
  const ids = unregistered.map(({ externalId }) => externalId);
  return {
    message: paragraph(
      ids.length === 0 ? '' : `Fini returned no source ID for ${plural(ids.length, 'item')}.`,
      unregisteredIsGuess
        ? `Which ${ids.length === 1 ? 'one' : 'ones'} is a guess, because not every source shows its item.`
        : '',
    ),
    nextCalls: callForItems(
      'import_provider_resources',
      'externalIds',
      ids,
      `Import ${plural(ids.length, 'unregistered item')} again`,
      { provider, ...inputFor({ english: input.english }, DEFAULTS) },
    ),
  };
}
