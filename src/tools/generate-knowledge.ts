import * as z from 'zod';
import type { FolderState, GenerationReport, ReportedDraft } from '../engine/draft-report.ts';
import { GENERATION_OPERATIONS, type GenerateRequest } from '../fini/client.ts';
import {
  bounded,
  ERROR_LENGTH,
  paragraph,
  plural,
  shown,
  TITLE_LENGTH,
  URL_LENGTH,
  WORD_LENGTH,
} from '../text.ts';
import {
  batchInput,
  batchOutput,
  completedIn,
  exactlyOne,
  findBatch,
  listCall,
  MAXIMUM_DRAFTED,
} from './batch.ts';
import { agentId, sourceIds, timeoutSeconds } from './fields.ts';
import { type HintName, hintsOf, hintsSchema, mayMakeArticle } from './hints.ts';
import { callForItems, inputFor, type NextCall } from './next-calls.ts';
import { askedSecondsOutput, endedEarlyText, troubleText } from './report.ts';
import { defineTool } from './tool.ts';
import { waitOptions } from './wait-options.ts';

/** Maximum length of the instructions, in characters. */
const INSTRUCTIONS_LENGTH = 10_000;
/** Maximum number of articles in one call of get_articles. */
const DRAFTS_READ = 20;
/** A shorter text, in characters, is hardly an article. */
const SHORT_TEXT = 40;

const draft = z.object({
  status: z.enum(['drafted', 'nothing_made', 'failed', 'unfinished', 'unqueued']),
  id: z.string().describe('Source ID.'),
  title: z.string().optional(),
  originalUrl: z.string().optional(),
  articleId: z.string().optional().describe('ID of the draft article.'),
  jobStatus: z.string().optional(),
  jobId: z.string().optional().describe('Job ID, if the job has not ended.'),
  error: z.string().optional().describe('Reason for the failure.'),
  hint: z.string().optional().describe('Name of the advice in hints.'),
  joined: z
    .boolean()
    .optional()
    .describe('True if its job was already running and was not queued again.'),
  warnings: z
    .array(z.string())
    .optional()
    .describe('Warnings for the person who reviews the draft.'),
});

/** Generates drafts from sources, waits and reports. */
export const generateKnowledge = defineTool({
  name: 'generate_knowledge',
  title: 'Draft articles from sources, and wait',
  description:
    'Generates Knowledge drafts from ingested sources, waits, and reports each source: the draft, or why there is none. Use it once sources are completed, or for those that list_sources shows with changed true. Makes drafts only: nothing goes live before a person publishes it. The sources must have been ingested successfully. get_articles shows the drafts. After timed_out, pass the batch of the answer. Repeating the call after its jobs have ended makes further drafts.',
  kind: 'writes',
  scope: 'read and write',
  idempotent: false,
  openWorld: false,
  inputSchema: z
    .strictObject({
      /** A batch of sources, or of drafts to wait for. */
      batch: batchInput.describe('Batch of an earlier answer, for its completed sources.'),
      /** Source IDs. */
      documentIds: sourceIds
        .max(MAXIMUM_DRAFTED)
        .optional()
        .describe('Source IDs (UUIDs) instead, at most 100. Not URLs.'),
      /** Instructions for the writing. */
      instructions: z
        .string()
        .max(INSTRUCTIONS_LENGTH)
        .optional()
        .describe('Instructions for the writing.'),
      /** Allowed operations. */
      restrictedOps: z
        .array(z.enum(GENERATION_OPERATIONS))
        .optional()
        .describe(
          'Allowed operations: a new article in an existing folder, an update of the best match, or nothing. Default: all of these.',
        ),
      /** The agent whose folders to write into. */
      botId: agentId
        .optional()
        .describe("ID of an agent (see list_agents), to write only into that agent's folders."),
      timeoutSeconds,
    })
    .superRefine(exactlyOne('documentIds')),
  outputSchema: z.object({
    outcome: z
      .enum(['completed', 'partial', 'failed', 'timed_out'])
      .describe('completed: a draft from each source; failed: no draft at all.'),
    counts: z.object({
      submitted: z.int().describe('Sum of the other counts.'),
      drafted: z.int(),
      nothing_made: z.int().describe('Jobs that completed without an article.'),
      failed: z.int(),
      unfinished: z.int(),
      unqueued: z.int(),
    }),
    elapsedSeconds: z.number(),
    askedSeconds: askedSecondsOutput,
    batch: batchOutput,
    hints: hintsSchema,
    sources: z.array(draft).describe('In the order of the input.'),
  }),
  lists: { sources: 'by status' },
  async handler({ batch: handle, documentIds = [], timeoutSeconds, ...settings }, context) {
    const { generation, progress } = context;
    const options = waitOptions(timeoutSeconds, context);
    const batch = handle === undefined ? null : await findBatch(handle, context);
    const chosen =
      batch?.kind === 'sources'
        ? await completedIn(batch, context, settings)
        : { documentIds, message: '', nextCalls: [] };
    const report =
      batch?.kind === 'drafts'
        ? await generation.waitForBatch(batch, options)
        : await generation.generate({ ...settings, documentIds: chosen.documentIds }, options);
    progress.end(report.counts.unfinished === 0);
    const { outcome, counts, elapsedSeconds } = report;
    const sources = report.sources.map((source) => draftRow(source, report.folders));
    return {
      message: paragraph(
        generationMessage(report, context.canCall('publish_articles')),
        chosen.message,
      ),
      outcome,
      counts,
      elapsedSeconds,
      askedSeconds: report.endedEarly?.askedSeconds,
      batch: report.batch ?? undefined,
      hints: hintsOf(sources),
      nextCalls: [...callsAfterGeneration(report, settings), ...chosen.nextCalls],
      sources,
    };
  },
  showOmitted: ({ batch }) =>
    batch === undefined ? undefined : listCall(batch, 'Show all sources of this batch'),
  isError: ({ outcome }) => outcome === 'failed',
});

function draftRow(source: ReportedDraft, folders: FolderState) {
  const { id, document, jobId, job, joined, outcome } = source;
  const isUnfinished = outcome === 'unfinished';
  const warnings = warningsOf(source);
  return {
    status: outcome,
    id,
    title: shown(document?.title, TITLE_LENGTH),
    originalUrl: shown(document?.originalUrl, URL_LENGTH),
    articleId: shown(job?.hcArticleId, WORD_LENGTH),
    jobStatus: isUnfinished ? shown(job?.jobStatus, WORD_LENGTH) : undefined,
    jobId: isUnfinished ? shown(jobId, WORD_LENGTH) : undefined,
    error:
      outcome === 'failed'
        ? bounded(job?.error ?? '', ERROR_LENGTH) || 'Fini gave no reason.'
        : undefined,
    hint: hintOf(source, folders),
    joined: joined || undefined,
    warnings: warnings.length > 0 ? warnings : undefined,
  };
}

/** Names what a person should know of a draft before reviewing it. */
function warningsOf({ draft, isAllowed }: ReportedDraft): string[] {
  if (draft === undefined) return [];
  if (draft === null) return ['Fini does not find it: look for it among the drafts in a minute.'];
  const { textLength, operation, sameArticle, sameTitle } = draft;
  const what = operation === 'UPDATE_ARTICLE' ? 'updates an article' : 'is a new article';
  return [
    textLength < SHORT_TEXT ? `Its text has only ${plural(textLength, 'character')}.` : '',
    isAllowed ? '' : `It ${what}, which restrictedOps (${operation}) has not allowed.`,
    othersText('of the same article', sameArticle),
    othersText('with the same title', sameTitle),
  ].filter((warning) => warning !== '');
}

function othersText(which: string, ids: readonly string[]): string {
  const [first] = ids;
  if (first === undefined) return '';
  return ids.length === 1
    ? `Another draft ${which} waits for review: ${first}.`
    : `${ids.length} other drafts ${which} wait for review, such as ${first}.`;
}

const NOTHING_MADE: Readonly<Record<FolderState, HintName>> = {
  some: 'nothing_new',
  none: 'no_folders',
  unknown: 'no_draft',
};

function hintOf(source: ReportedDraft, folders: FolderState): HintName | undefined {
  if (source.outcome === 'nothing_made') return NOTHING_MADE[folders];
  if (source.state === 'held') return 'maybe_generating';
  if (source.state === 'not_queued') return 'no_job';
  return source.outcome === 'unfinished' && !isRunning(source) ? 'lost_job' : undefined;
}

/** True if a job is known to be running, so that it can be waited for. */
function isRunning({ outcome, jobId, state }: ReportedDraft): boolean {
  return outcome === 'unfinished' && jobId !== null && state === 'queued';
}

function generationMessage(report: GenerationReport, canPublish: boolean): string {
  const { outcome, counts, sources, heldSeconds, trouble, elapsedSeconds } = report;
  const drafted = sources.filter((source) => source.outcome === 'drafted');
  const warned = drafted.filter((source) => warningsOf(source).length > 0).length;
  const unchecked = drafted.filter(({ draft }) => draft === undefined).length;
  const others = [
    counts.nothing_made > 0 ? `${counts.nothing_made} made nothing, ` : '',
    counts.failed > 0 ? `${counts.failed} failed, ` : '',
    counts.unfinished > 0 ? `${counts.unfinished} unfinished, ` : '',
    counts.unqueued > 0 ? `${counts.unqueued} not queued, ` : '',
  ].join('');
  return paragraph(
    `${outcome}: ${counts.drafted} of ${counts.submitted} drafted, ${others}in ${elapsedSeconds} s.`,
    endedEarlyText(report.endedEarly),
    sources.some(isRunning) ? 'Running jobs continue at Fini.' : '',
    troubleText(trouble),
    sources.some(({ state }) => state === 'held')
      ? `What may already be generating can be queued again in ${Math.ceil(heldSeconds)} s, if there is no draft by then.`
      : '',
    warned > 0
      ? `${plural(warned, 'draft')} ${warned === 1 ? 'has' : 'have'} warnings: show them to the person.`
      : '',
    unchecked > 0 ? `${plural(unchecked, 'draft')} could not be checked.` : '',
    counts.drafted > unchecked && !report.areOthersKnown
      ? "It is unknown whether other drafts of the same articles wait for review: Fini's list of drafts could not be read whole."
      : '',
    counts.drafted > 0 ? notLiveText(canPublish) : '',
  );
}

function notLiveText(canPublish: boolean): string {
  return canPublish
    ? 'Drafts are not live: a person must review them, and agree before they are published.'
    : 'Drafts are not live: a person must review them and publish them in the Fini dashboard.';
}

/** The calls that may come next, with the settings of this call. */
function callsAfterGeneration(
  { sources, heldSeconds, batch, folders }: GenerationReport,
  settings: Omit<GenerateRequest, 'documentIds'>,
): NextCall[] {
  const generate = (
    isWanted: (source: ReportedDraft) => boolean,
    why: (count: string) => string,
  ) => {
    const { restrictedOps = [] } = settings;
    const makesNone =
      restrictedOps.length > 0 && restrictedOps.every((operation) => operation === 'DO_NOTHING');
    const ids = makesNone ? [] : sources.filter(isWanted).map(({ id }) => id);
    const words = why(plural(ids.length, 'source'));
    return callForItems('generate_knowledge', 'documentIds', ids, words, inputFor(settings, {}));
  };
  const mayHaveDrafts = (source: ReportedDraft) =>
    source.state === 'held' || (source.outcome === 'unfinished' && !isRunning(source));
  const articleIds = sources.flatMap(({ job }) => job?.hcArticleId ?? []);
  const needsFolders =
    folders !== 'some' && sources.some(({ outcome }) => outcome === 'nothing_made');
  const running = sources.filter(isRunning).length;
  const why = `Wait for the drafts of ${plural(running, 'source')}`;
  return [
    ...(batch !== null && running > 0
      ? [{ tool: 'generate_knowledge', arguments: { batch }, why }]
      : []),
    ...callForItems(
      'get_articles',
      'articleIds',
      articleIds,
      `Read ${plural(articleIds.length, 'draft')}`,
      {},
      DRAFTS_READ,
    ),
    ...(needsFolders
      ? [{ tool: 'get_knowledge_tree', arguments: {}, why: 'See whether there are folders' }]
      : []),
    ...generate(
      ({ outcome, job }) => outcome === 'failed' && mayMakeArticle(job?.error ?? null),
      (count) => `Generate from ${count} again, once the reason is fixed`,
    ),
    ...(sources.some(mayHaveDrafts)
      ? [{ tool: 'list_articles', arguments: { type: 'draft' }, why: 'Look for the drafts' }]
      : []),
    ...generate(
      ({ state }) => state === 'held',
      (count) => `Generate from ${count} in ${Math.ceil(heldSeconds)} s, if there are no drafts`,
    ),
    ...generate(
      ({ state }) => state === 'not_queued',
      (count) => `Generate from ${count} without a job again`,
    ),
  ];
}
