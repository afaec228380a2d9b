import * as z from 'zod';
import type { GenerationReport, ReportedDraft } from '../engine/draft-report.ts';
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
import { type HintName, hintsOf, hintsSchema } from './hints.ts';
import { callForItems, inputFor, type NextCall } from './next-calls.ts';
import { askedSecondsOutput, endedEarlyText, troubleText } from './report.ts';
import { defineTool } from './tool.ts';
import { waitOptions } from './wait-options.ts';

/** The longest instructions, in characters. */
const INSTRUCTIONS_LENGTH = 10_000;
/** How many articles one call of get_articles takes. */
const DRAFTS_READ = 20;

const draft = z.object({
  status: z.enum(['drafted', 'nothing_made', 'failed', 'unfinished', 'unqueued']),
  id: z.string().describe('Source ID.'),
  title: z.string().optional(),
  originalUrl: z.string().optional(),
  articleId: z.string().optional().describe('The draft article.'),
  jobStatus: z.string().optional(),
  jobId: z.string().optional().describe('The job, if it has not ended.'),
  error: z.string().optional().describe('Why it failed.'),
  hint: z.string().optional().describe('What to do: see hints.'),
  joined: z.boolean().optional().describe('Its job was already running and was not queued again.'),
});

/** Generates drafts from sources, waits and reports. */
export const generateKnowledge = defineTool({
  name: 'generate_knowledge',
  title: 'Draft articles from sources, and wait',
  description:
    'Generates draft articles of Knowledge from ingested sources, waits and reports each source: the draft, or that nothing was made and why. Use it once sources are completed, or for those that list_sources shows with changed true. Makes drafts only: nothing goes live before a person publishes it. The sources must have been ingested successfully. get_articles shows the drafts. After timed_out, pass the batch of the answer. The same call again makes further drafts, once its jobs have ended.',
  kind: 'writes',
  scope: 'read and write',
  idempotent: false,
  openWorld: false,
  inputSchema: z
    .strictObject({
      /** A batch of sources, or of drafts that are waited for. */
      batch: batchInput.describe('The batch of an earlier answer: its completed sources.'),
      /** Source IDs. */
      documentIds: sourceIds
        .max(MAXIMUM_DRAFTED)
        .optional()
        .describe('Or source IDs (UUIDs), at most 100. Not URLs.'),
      /** Instructions for the writing. */
      instructions: z
        .string()
        .max(INSTRUCTIONS_LENGTH)
        .optional()
        .describe('Instructions for the writing.'),
      /** Operations that generation is limited to. */
      restrictedOps: z
        .array(z.enum(GENERATION_OPERATIONS))
        .optional()
        .describe(
          'What generation may do: a new article in an existing folder, an update of the best match, or nothing. Default: any of these.',
        ),
      /** The agent whose folders to write into. */
      botId: agentId
        .optional()
        .describe("An agent's ID (list_agents shows them): write into that agent's folders only."),
      timeoutSeconds,
    })
    .superRefine(exactlyOne('documentIds')),
  outputSchema: z.object({
    outcome: z
      .enum(['completed', 'partial', 'failed', 'timed_out'])
      .describe('completed: a draft from each source; failed: no draft at all.'),
    counts: z.object({
      submitted: z.int().describe('The sum of the others.'),
      drafted: z.int(),
      nothing_made: z.int().describe('The job completed without an article.'),
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
    const sources = report.sources.map((source) => draftRow(source, counts.drafted > 0));
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

function draftRow(source: ReportedDraft, anyDrafted: boolean) {
  const { id, document, jobId, job, joined, outcome } = source;
  const isUnfinished = outcome === 'unfinished';
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
    hint: hintOf(source, anyDrafted),
    joined: joined || undefined,
  };
}

function hintOf(source: ReportedDraft, anyDrafted: boolean): HintName | undefined {
  if (source.outcome === 'nothing_made') return anyDrafted ? 'nothing_new' : 'no_draft';
  if (source.state === 'held') return 'maybe_generating';
  if (source.state === 'not_queued') return 'no_job';
  return source.outcome === 'unfinished' && !isRunning(source) ? 'lost_job' : undefined;
}

/** True if a job is known to run, so that it can be waited for. */
function isRunning({ outcome, jobId, state }: ReportedDraft): boolean {
  return outcome === 'unfinished' && jobId !== null && state === 'queued';
}

function generationMessage(report: GenerationReport, canPublish: boolean): string {
  const { outcome, counts, sources, heldSeconds, trouble, elapsedSeconds } = report;
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
    counts.drafted > 0
      ? `Drafts are not live: a person must review them${canPublish ? ', and agree before they are published' : ' and publish them in the Fini dashboard'}.`
      : '',
  );
}

/** The calls that may come next, with the settings of this call. */
function callsAfterGeneration(
  { sources, heldSeconds, batch }: GenerationReport,
  settings: Omit<GenerateRequest, 'documentIds'>,
): NextCall[] {
  const generate = (
    isWanted: (source: ReportedDraft) => boolean,
    why: (count: string) => string,
  ) => {
    const ids = sources.filter(isWanted).map(({ id }) => id);
    const words = why(plural(ids.length, 'source'));
    return callForItems('generate_knowledge', 'documentIds', ids, words, inputFor(settings, {}));
  };
  const isUntold = (source: ReportedDraft) =>
    source.state === 'held' || (source.outcome === 'unfinished' && !isRunning(source));
  const articleIds = sources.flatMap(({ job }) => job?.hcArticleId ?? []);
  const needsFolders = sources.every(({ outcome }) => outcome === 'nothing_made');
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
      ({ outcome }) => outcome === 'failed',
      (count) => `Generate from ${count} again, once the reason is fixed`,
    ),
    ...(sources.some(isUntold)
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
