import * as z from 'zod';
import {
  type Choice,
  type ImportPlan,
  type ImportResult,
  planImport,
  runImport,
  shownTitle,
} from '../engine/import.ts';
import { IngestionError } from '../engine/ingest.ts';
import { isSourceId } from '../engine/inputs.ts';
import { stateOf } from '../engine/job-states.ts';
import { statusOf } from '../engine/list.ts';
import type { FiniDocument } from '../fini/documents.ts';
import type { Provider, ProviderResource } from '../fini/provider-tree.ts';
import {
  bounded,
  counted,
  jsonText,
  paragraph,
  quoted,
  shown,
  TITLE_LENGTH,
  URL_LENGTH,
} from '../text.ts';
import { dryRun, listOf, provider, timeoutSeconds, trimmed } from './fields.ts';
import { ingestCall } from './next-calls.ts';
import { textMeanings } from './read-input.ts';
import { reportOutput, reportSchema, reportText } from './report.ts';
import { boundedResource } from './resource.ts';
import { defineTool, type ToolContext } from './tool.ts';
import { callBefore, waitOptions } from './wait-options.ts';

/** How many items of a kind a dry run shows; list_provider_resources has them all. */
const SHOWN_ITEMS = 100;

/** What names a provider's item. */
const externalId = trimmed.min(1).register(textMeanings, {
  kind: 'externalId',
  one: "a provider's own ID, or an item's URL",
  many: "the provider's own IDs, or its items' URLs",
});

/** Lists, chooses, registers, queues and waits (fini-api.md, the two routes of provider resources). */
export const importProviderResources = defineTool({
  name: 'import_provider_resources',
  title: 'Import from a provider and wait',
  description:
    'Imports content of a connected Notion, Zendesk or Confluence in one call: lists what is not in Fini yet, selects (by exactly one of search, externalIds and all), registers, queues, waits and reports like ingest_and_wait. Selected externalIds that are already in Fini are refreshed. Call it with dryRun first and show the person the items. To choose by hand use list_provider_resources. Safe to repeat. After timed_out, continue with wait_for_sources.',
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
    message: z.string().describe('What was found and selected, and what to do next.'),
    found: z.int().describe('How many items the provider has that are not in Fini yet.'),
    selected: z.int().describe('How many items are selected, including those already in Fini.'),
    ingestedBefore: z
      .int()
      .describe('How many matching sources are already ingested and need nothing.'),
    notFound: z
      .array(z.string())
      .describe('The externalIds that neither the provider nor Fini has.'),
    unregistered: z
      .array(z.string())
      .describe('The externalIds of items for which Fini returned no source ID.'),
    toAdd: z
      .array(
        z.object({
          externalId: z.string(),
          title: z.string(),
          originalUrl: z.string(),
          path: z.array(z.string()).describe('Titles of its parents, outermost first.'),
        }),
      )
      .optional()
      .describe('With dryRun: what would be registered and ingested.'),
    toRefresh: z
      .array(
        z.object({
          id: z.string().describe('Source ID.'),
          title: z.string().optional(),
          status: z.string().describe('completed, failed, running, never_ingested or unknown.'),
        }),
      )
      .optional()
      .describe(
        'With dryRun, or if there is no report: existing sources to ingest again or wait for.',
      ),
    report: reportSchema
      .optional()
      .describe('The result; absent with dryRun, or if nothing was queued.'),
  }),
  async handler(input, context) {
    const { provider, english, timeoutSeconds, dryRun } = input;
    const { fini, ingestion, progress } = context;
    const options = waitOptions(timeoutSeconds, context);
    progress.begin(`Listing items in ${providerName(provider)}`);
    const choice = choiceOf(input);
    const plan = await planImport(fini, provider, choice, callBefore(options));
    const { toAdd, known } = plan;
    const summary = {
      found: plan.listed,
      selected: toAdd.length + known.length,
      ingestedBefore: plan.ingestedBefore,
      notFound: plan.notFound.map((id) => bounded(id, URL_LENGTH)),
    };
    if (dryRun || summary.selected === 0) {
      return {
        ...summary,
        toAdd: toAdd.slice(0, SHOWN_ITEMS).map(shownResource),
        toRefresh: known.slice(0, SHOWN_ITEMS).map(boundedSource),
        unregistered: [],
        message: messageOf(plan, choice, dryRun),
      };
    }
    if (toAdd.length > 0) {
      progress.begin(`Registering ${counted(toAdd.length, 'item')} from ${providerName(provider)}`);
    }
    const result = await runImport(fini, ingestion, provider, plan, english, options);
    const { report, unregistered } = result;
    progress.end(report?.counts.unfinished === 0);
    return {
      ...summary,
      // Where there is no report, nothing else would name them.
      toRefresh: report === null ? known.map(boundedSource) : undefined,
      unregistered: unregistered.map(({ externalId }) => bounded(externalId, URL_LENGTH)),
      report: report === null ? undefined : reportOutput(report, context),
      message: [
        messageOf(plan, choice, false),
        ...afterwards(result, choice, context.explain),
      ].join(' '),
    };
  },
  text({ toAdd: planned, toRefresh = [], notFound, unregistered, report, message }) {
    const toAdd = planned ?? [];
    // Without a dry run it need not have come to what was planned.
    const isDone = planned === undefined;
    const named = [
      ...toAdd.map(
        ({ externalId, title, originalUrl, path }) =>
          `- to add: ${[...path, title].join(' › ')} (externalId ${jsonText(externalId)}, ${bounded(originalUrl, URL_LENGTH)})`,
      ),
      ...toRefresh.map(
        ({ id, title = 'untitled', status }) =>
          `- in Fini${isDone ? '' : plannedFor(status)}: ${title} (${id})`,
      ),
    ];
    return [
      message,
      ...notFound.map((id) => `- not found: ${jsonText(id)}`),
      ...unregistered.map((id) => `- not registered: ${jsonText(id)}`),
      ...named,
      ...(report === undefined ? [] : [reportText(report)]),
    ].join('\n');
  },
  isError: ({ found, selected, ingestedBefore, report, toAdd, notFound }) =>
    toAdd === undefined
      ? report === undefined || report.outcome === 'failed'
      : selected + ingestedBefore === 0 && found + notFound.length > 0,
});

/** A source, as far as a dry run shows it. */
interface SourceName {
  readonly id: string;
  readonly title?: string | undefined;
  readonly status: string;
}

/** What an import does with what Fini has. */
function plannedFor(status: string): string {
  if (status === 'running') return ', running, to be waited for';
  return status === 'never_ingested'
    ? ', never ingested, to be ingested'
    : ', to be ingested again';
}

function isUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}

/** An item, as far as a dry run shows it; list_provider_resources has all that register takes. */
function shownResource(resource: ProviderResource) {
  const { externalId, title, originalUrl, path } = boundedResource(resource);
  return { externalId, title, originalUrl, path };
}

/** A provider as people write its name. */
function providerName(provider: Provider): string {
  return provider.charAt(0).toUpperCase() + provider.slice(1);
}

function boundedSource(document: FiniDocument): SourceName {
  const { id, title } = document;
  return { id, title: shown(title, TITLE_LENGTH), status: statusOf(document) };
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

function messageOf(plan: ImportPlan, choice: Choice, dryRun: boolean): string {
  const { listed, toAdd, known, notFound, searchedInPart, unreadable } = plan;
  const selected = toAdd.length + known.length;
  const sentences = [
    `${counted(listed, 'item')} not in Fini yet; ${toAdd.length} selected to add.`,
    known.length === 0
      ? ''
      : 'externalIds' in choice
        ? `${counted(known.length, 'selected item')} already in Fini, to be ingested again.`
        : `${counted(known.length, 'matching item')} in Fini whose ingestion has not finished: ${pronouns(known)} will be ingested, or waited for if ${pronouns(known)} ${known.length === 1 ? 'is' : 'are'} running.`,
    notFound.length === 0
      ? ''
      : `${counted(notFound.length, 'externalId')} not found at the provider or ${searchedInPart ? 'among the newest sources in Fini (the time ran out before the older ones were searched)' : 'in Fini'}: check with list_provider_resources.${otherNames(notFound)}`,
    unreadable === 0 ? '' : `${counted(unreadable, 'item')} without a usable ID or URL left out.`,
    selected === 0 && notFound.length === 0 ? nothingSelected(plan, choice) : '',
    dryRun && selected > SHOWN_ITEMS
      ? `Only the first ${SHOWN_ITEMS} are shown. list_provider_resources lists them all, page by page.`
      : '',
    dryRun && selected > 0
      ? 'Nothing is registered or queued yet. To import these, call import_provider_resources again without dryRun.'
      : '',
  ];
  return paragraph(...sentences);
}

function pronouns({ length }: readonly unknown[]): 'it' | 'they' {
  return length === 1 ? 'it' : 'they';
}

/** What else the externalIds that were not found may be. */
function otherNames(notFound: readonly string[]): string {
  const title = notFound.find((name) => !isUrl(name) && /\s|^\D+$/.test(name));
  const sourceId = notFound.find(isSourceId);
  const sentences = [
    title === undefined
      ? ''
      : ` ${quoted(bounded(title, TITLE_LENGTH))} may be a title: to choose by title, pass search instead.`,
    sourceId === undefined
      ? ''
      : ` If ${sourceId} is the ID of a source of another kind, call refresh_sources with ${JSON.stringify({ documentIds: [sourceId] })}.`,
  ];
  return sentences.join('');
}

/** Sources that have been ingested, by title and ID, and the call that ingests them again. */
function namedSources(sources: readonly FiniDocument[], more: number): string {
  const names = sources.map((source) => {
    const title = quoted(
      shownTitle({ title: source.title ?? '', originalUrl: source.originalUrl ?? '' }),
    );
    return `${title} (${source.id}${stateOf(source) === 'failed' ? ', failed' : ''})`;
  });
  return `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

function refreshCall(sources: readonly FiniDocument[]): string {
  return `call refresh_sources with ${JSON.stringify({ documentIds: sources.map(({ id }) => id) })}`;
}

function nothingSelected(plan: ImportPlan, choice: Choice): string {
  const { ingestedBefore, failedBefore, namedBefore, others } = plan;
  if (failedBefore > 0) {
    const failed = namedBefore.filter((source) => stateOf(source) === 'failed');
    const [named, of] = 'search' in choice ? [namedBefore, ingestedBefore] : [failed, failedBefore];
    return `Nothing is queued: Fini already has ${counted(ingestedBefore, 'matching source')}, of which ${failedBefore} failed: ${namedSources(named, of - named.length)}. list_sources with status "failed" shows why; to ingest ${failed.length === failedBefore ? 'them' : 'these'} again, ${refreshCall(failed)}.`;
  }
  if (ingestedBefore > 0 && 'search' in choice) {
    const named = namedSources(namedBefore, ingestedBefore - namedBefore.length);
    return `Nothing is queued, since Fini has ingested what matches: ${named}. To ingest ${namedBefore.length === 1 ? 'it' : 'these'} again, ${refreshCall(namedBefore)}.`;
  }
  if (ingestedBefore > 0) {
    return 'Nothing is queued, because what you selected is already ingested. list_sources shows it.';
  }
  if ('all' in choice) {
    return 'Nothing is queued: the provider has nothing to import, or it is already in Fini (see list_sources).';
  }
  const search = 'search' in choice ? ` ${quoted(choice.search)}` : '';
  const titles = others.map((title) => quoted(bounded(title, TITLE_LENGTH))).join(', ');
  const there = titles === '' ? '' : `: try a shorter word. Available: ${titles}`;
  return `Nothing matches${search}${there} (list_provider_resources shows all items, list_sources what is already in Fini).`;
}

/** What happened in addition to the report, and how to continue. */
function afterwards(
  result: ImportResult,
  choice: Choice,
  explain: ToolContext['explain'],
): string[] {
  const { unregistered, registered, trouble } = result;
  const sentences: string[] = [];
  const byTitle = 'search' in choice ? ' (found by title; list_sources shows the others)' : '';
  if (trouble instanceof IngestionError) {
    sentences.push(explain(trouble) ?? '');
    if (trouble.stage === 'not_queued' && registered > 0) {
      sentences.push(
        `${counted(registered, 'item')} registered. To queue ${registered === 1 ? 'it' : 'them'}, ${ingestCall(trouble.left, trouble.request)}`,
      );
    }
  } else if (trouble !== null) {
    sentences.push(`Nothing was queued. ${explain(trouble)}`);
    if (!trouble.surelyNotCarriedOut) {
      sentences.push(
        `Call import_provider_resources again with the same input to continue with what is registered${byTitle}.`,
      );
    }
  } else if (unregistered.length > 0) {
    sentences.push(
      `Fini returned no source ID for ${counted(unregistered.length, 'item')} (listed as not registered). To try again, pass them as externalIds.`,
    );
  }
  return sentences;
}
