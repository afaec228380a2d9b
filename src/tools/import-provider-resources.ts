import * as z from 'zod';
import {
  type ImportChoice,
  type ImportPlan,
  type ImportResult,
  type NotFound,
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
import { dryRun, provider, timeoutSeconds, trimmed } from './fields.ts';
import { callForItems, inputFor, type NextCall } from './next-calls.ts';
import { ingestCalls } from './next-steps.ts';
import { textMeanings } from './read-input.ts';
import { listOmitted, outcomeShape, ROW_STATUSES, reportAnswer, rowShape } from './report.ts';
import { boundedResource, leftOutOf, leftOutOutput, leftOutText } from './resource.ts';
import { defineTool, type ToolContext } from './tool.ts';
import { waitOptions } from './wait-options.ts';

/** Defaults of the input, which a proposed call leaves out. */
const IMPORT_DEFAULTS = { all: false, english: true, dryRun: false };

/** Maximum number of a provider's hosts to name in a reason. */
const NAMED_SITES = 3;

/** State of an item before its import, or the reason that it cannot be imported. */
const ITEM_STATUSES = [
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
  title: 'Import from Notion, Zendesk or Confluence and wait',
  description:
    'Imports content of a connected Notion, Zendesk or Confluence in one call: lists what is not in Fini yet, selects (by exactly one of search, externalIds and all), registers, queues, waits and reports like ingest_and_wait. Selected externalIds that are already in Fini are refreshed. Call it with dryRun first and show the person the items. To choose by hand use list_provider_resources. Safe to repeat. After timed_out, call wait_for_sources with its batch.',
  kind: 'writes',
  scope: 'read and write',
  idempotent: true,
  openWorld: true,
  inputSchema: z
    .strictObject({
      provider,
      /** Selects items by title and path. */
      search: z
        .string()
        .trim()
        .min(1)
        .optional()
        .describe('Items whose title or path contains this, ignoring case.'),
      /** Selects items by the provider's own IDs. */
      externalIds: z
        .array(externalId)
        .min(1)
        .optional()
        .describe("Items by the provider's own IDs or their URLs."),
      /** Selects everything that is not in Fini yet. */
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
    found: z.int().describe('Number of items at the provider that are not in Fini yet.'),
    selected: z.int().describe('Number of selected items, including those already in Fini.'),
    ingestedBefore: z
      .int()
      .describe('How many matching sources are already ingested and need nothing.'),
    leftOut: leftOutOutput,
    ...z.object(outcomeShape).partial().shape,
    sources: z
      .array(
        z.object({
          ...rowShape,
          status: z.enum([...ITEM_STATUSES, ...ROW_STATUSES]),
          externalId: z.string().optional(),
          path: z.array(z.string()).optional().describe('Titles of its parents, outermost first.'),
          reason: z.string().optional().describe('Why it was not found, where that is known.'),
        }),
      )
      .describe(
        'With dryRun: the current state of each selected item. Otherwise: the result for each.',
      ),
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
      leftOut: leftOutOf(plan),
    };
    const notFound = plan.notFound.map((one) => ({
      status: 'not_found' as const,
      input: bounded(one.name, URL_LENGTH),
      reason: notFoundReason(one),
    }));
    if (dryRun || summary.selected === 0) {
      const before = summary.selected === 0 ? plan.namedBefore : [];
      return {
        ...summary,
        message: paragraph(
          importPlanText(plan, choice),
          dryRun && summary.selected > 0 ? 'Nothing is registered or queued yet.' : '',
        ),
        nextCalls: callsAfterImportPlan(plan, choice, input),
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
      message: paragraph(
        answer?.message ?? '',
        afterwards.message,
        importPlanText(plan, choice, true),
      ),
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
        // Without a report, nothing else would name them.
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

type ImportInput = Readonly<Record<string, unknown>> & { readonly provider: Provider };

function isUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** The names of an item; list_provider_resources shows everything that registering takes. */
function namedResource(resource: ProviderResource) {
  const { externalId, title, originalUrl, path } = boundedResource(resource);
  return {
    externalId: bounded(externalId, URL_LENGTH),
    title,
    originalUrl: bounded(originalUrl, URL_LENGTH),
    path,
  };
}

/** The name of a provider as people write it. */
function providerName(provider: Provider): string {
  return provider.charAt(0).toUpperCase() + provider.slice(1);
}

/** A source in its state before the import. */
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
}): ImportChoice {
  if (search !== undefined) return { search };
  return externalIds === undefined ? { all: true } : { externalIds };
}

/** The message about what was found and selected, before an import or after it. */
function importPlanText(plan: ImportPlan, choice: ImportChoice, isOver = false): string {
  const { listed, toAdd, known, notFound } = plan;
  const isNothing = toAdd.length + known.length === 0;
  const explained = notFound.filter(({ why }) => why !== 'unknown').length;
  const unknown = notFound.length - explained;
  return paragraph(
    isNothing && notFound.length === 0 ? nothingSelected(plan, choice) : '',
    isOver
      ? `Before this call, ${plural(listed, 'item was', 'items were')} not in Fini; ${toAdd.length} of them selected.`
      : `${plural(listed, 'item')} not in Fini yet; ${toAdd.length} selected to add.`,
    knownText(known.length, choice),
    unknown === 0 ? '' : `${plural(unknown, 'externalId')} not found at the provider or in Fini.`,
    explained === 0
      ? ''
      : `${plural(explained, 'externalId')} cannot be imported as passed: see the reason for each.`,
    'externalIds' in choice && unknown === 0 ? '' : searchText(plan),
    leftOutText(plan),
  );
}

function knownText(known: number, choice: ImportChoice): string {
  if (known === 0) return '';
  return 'externalIds' in choice
    ? `${plural(known, 'selected item')} already in Fini, to be ingested again.`
    : `${plural(known, 'matching item')} in Fini whose ingestion has not finished: running jobs are waited for, and the rest is ingested.`;
}

/** Says that not all sources in Fini were searched, and why. */
function searchText({ searchEnded }: ImportPlan): string {
  if (searchEnded === null) return '';
  const why = searchEnded === 'over' ? 'the time ran out' : quotedMessage(searchEnded);
  return `Not all sources in Fini could be searched (${why}), so items registered before may be missing here.`;
}

/** Why a name stands for no item, and what to pass instead; undefined if nothing tells. */
function notFoundReason(one: NotFound): string | undefined {
  switch (one.why) {
    case 'unknown':
      return undefined;
    case 'short_link':
      return "This is a short link, which does not contain the page's ID. Open it and pass the full link, or pass the title as search.";
    case 'other_site': {
      const sites = one.sites.slice(0, NAMED_SITES).join(', ');
      return `This is a link of ${one.site}, but the items of this provider are of ${sites}. If both are one site, pass the ID alone: ${quoted(bounded(one.id, TITLE_LENGTH))}.`;
    }
    case 'container': {
      const { kind, title, items } = one.container;
      const name = quoted(bounded(title, TITLE_LENGTH));
      return `This is the ${kind} ${name} with ${plural(items.length, 'item')} not in Fini yet. Only items can be imported.`;
    }
  }
}

/** Why nothing is selected. */
function nothingSelected(plan: ImportPlan, choice: ImportChoice): string {
  const { ingestedBefore, failedBefore, namedBefore, others } = plan;
  if (ingestedBefore > 0) {
    const failed = failedBefore > 0 ? `, of which ${failedBefore} failed` : '';
    return paragraph(
      `Nothing is queued, because Fini has already ingested what was selected: ${plural(ingestedBefore, 'matching source')}${failed}.`,
      namedBefore.length < ingestedBefore ? `Only ${namedBefore.length} are shown here.` : '',
    );
  }
  if ('all' in choice) {
    return 'Nothing is queued: the provider has nothing to import, or it is already in Fini.';
  }
  const search = 'search' in choice ? ` ${quoted(choice.search)}` : '';
  const titles = others.map((title) => quoted(bounded(title, TITLE_LENGTH))).join(', ');
  return paragraph(
    `Nothing matches${search}.`,
    titles === '' ? '' : `Try a shorter word. Available: ${titles}.`,
  );
}

/** The calls that may follow if nothing was queued. */
function callsAfterImportPlan(
  plan: ImportPlan,
  choice: ImportChoice,
  input: ImportInput,
): NextCall[] {
  const { toAdd, known, notFound } = plan;
  const { provider } = input;
  const selected = toAdd.length + known.length;
  if (selected > 0) {
    const now = inputFor({ ...input, dryRun: false }, IMPORT_DEFAULTS);
    const why = `Import ${plural(selected, 'selected item')}`;
    return [
      { tool: 'import_provider_resources', arguments: now, why },
      ...otherNames(notFound, input),
    ];
  }
  const before = callsForIngested(plan, choice, provider);
  return [
    ...before.refresh,
    ...otherNames(notFound, input),
    before.show,
    {
      tool: 'list_provider_resources',
      arguments: { provider },
      why: 'Show the items that are not in Fini yet',
    },
  ];
}

/** The calls that ingest again, and show, what was ingested before: the failed sources if there are any. */
function callsForIngested(
  { namedBefore, failedBefore }: ImportPlan,
  choice: ImportChoice,
  provider: Provider,
): { refresh: NextCall[]; show: NextCall } {
  const refreshCall = (sources: readonly FiniDocument[], noun: string) => {
    const ids = sources.map(({ id }) => id);
    const why = `Ingest ${plural(ids.length, noun)} again`;
    return callForItems('refresh_sources', 'documentIds', ids, why);
  };
  // No source tells the path to it.
  const isTitle = 'search' in choice && !choice.search.includes(PATH_SEPARATOR.trim());
  const found = isTitle && namedBefore.length > 0 ? { title: choice.search } : {};
  if (failedBefore > 0) {
    const failed = namedBefore.filter((source) => stateOf(source) === 'failed');
    return {
      refresh: refreshCall(failed, 'failed source'),
      show: {
        tool: 'list_sources',
        arguments: { source: provider, status: 'failed', ...found },
        why: 'Show why sources failed',
      },
    };
  }
  return {
    // Without a search nobody has named them.
    refresh: refreshCall('search' in choice ? namedBefore : [], 'source'),
    show: {
      tool: 'list_sources',
      arguments: { source: provider, ...found },
      why: 'Show what is already in Fini',
    },
  };
}

/** Calls for externalIds that were not found: they may be titles, source IDs or containers. */
function otherNames(notFound: readonly NotFound[], { provider, english }: ImportInput): NextCall[] {
  const names = notFound.flatMap(({ name, why }) => (why === 'unknown' ? [name] : []));
  const title = names.find((name) => !isUrl(name) && /\s|^\D+$/.test(name));
  const look = { provider, ...inputFor({ english }, IMPORT_DEFAULTS), dryRun: true };
  const calls: NextCall[] = [];
  if (title !== undefined) {
    const search = bounded(title, TITLE_LENGTH);
    const why = `Look for ${quoted(search)} as a title`;
    calls.push({ tool: 'import_provider_resources', arguments: { ...look, search }, why });
  }
  const held = new Set(
    notFound.flatMap((one) => (one.why === 'container' ? one.container.items : [])),
  );
  const showItems = callForItems(
    'import_provider_resources',
    'externalIds',
    [...held],
    'Show what importing the items inside would do',
    look,
  );
  const documentIds = names.filter(isSourceId);
  const why = 'Ingest these again, if they are IDs of other sources';
  const refresh = callForItems('refresh_sources', 'documentIds', documentIds, why);
  return [...calls, ...showItems, ...refresh];
}

/** Sentences about events beside the report, and how to continue. */
function afterImport(
  { unregistered, unregisteredIsGuess, registered, trouble }: ImportResult,
  input: ImportInput,
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
        ...(isRegistered ? ingestCalls(trouble.request, trouble.notQueued, why) : []),
      ],
    };
  }
  if (trouble !== null) {
    const again = {
      tool: 'import_provider_resources',
      arguments: inputFor(input, IMPORT_DEFAULTS),
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
      { provider, ...inputFor({ english: input.english }, IMPORT_DEFAULTS) },
    ),
  };
}
