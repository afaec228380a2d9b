import * as z from 'zod';
import type { GenerationReport, ReportedDraft } from '../engine/draft-report.ts';
import { GENERATION_OPERATIONS, type GenerateRequest } from '../fini/knowledge-client.ts';
import {
  bounded,
  counted,
  ERROR_LENGTH,
  jsonText,
  paragraph,
  shown,
  TITLE_LENGTH,
  URL_LENGTH,
  WORD_LENGTH,
} from '../text.ts';
import { sourceId, sourceIds, timeoutSeconds } from './fields.ts';
import { generateCall } from './next-calls.ts';
import { troubleStep } from './next-steps.ts';
import { defineTool } from './tool.ts';
import { waitOptions } from './wait-options.ts';

/** The most sources of one call: its report names each. */
const MAXIMUM_SOURCES = 100;
/** The longest instructions, in characters. */
const INSTRUCTIONS_LENGTH = 10_000;

const draft = z.object({
  status: z.enum(['drafted', 'nothing_made', 'failed', 'unfinished', 'unqueued']),
  id: z.string().describe('Source ID.'),
  title: z.string().optional(),
  originalUrl: z.string().optional(),
  articleId: z.string().optional().describe('The draft article.'),
  jobStatus: z.string().optional(),
  jobId: z.string().optional().describe('The job, if it has not ended.'),
  error: z.string().optional().describe('Why it failed.'),
  joined: z.boolean().optional().describe('Its job was already running and was not queued again.'),
});

/** Generates drafts from sources, waits and reports (fini-api.md, "generate from sources"). */
export const generateKnowledge = defineTool({
  name: 'generate_knowledge',
  title: 'Generate draft articles',
  description:
    'Generates draft articles of Knowledge from ingested sources, waits and reports each source: the draft, or that nothing was made and why. Use it once sources are completed, or for those that list_sources shows with changed true. Makes drafts only: nothing goes live before a person publishes it. The sources must have been ingested successfully. get_articles shows the drafts. After timed_out, the same call joins running jobs; after they have ended, it makes further drafts.',
  kind: 'writes',
  scope: 'read and write',
  idempotent: false,
  openWorld: false,
  inputSchema: z.strictObject({
    /** Source IDs. */
    documentIds: sourceIds
      .max(MAXIMUM_SOURCES)
      .describe('Source IDs (UUIDs), at most 100. Not URLs.'),
    /** What to heed while writing. */
    instructions: z
      .string()
      .max(INSTRUCTIONS_LENGTH)
      .optional()
      .describe('What to heed while writing, in words.'),
    /** What generation may do. */
    restrictedOps: z
      .array(z.enum(GENERATION_OPERATIONS))
      .optional()
      .describe(
        'What generation may do: a new article in an existing folder, an update of the best match, or nothing. Default: any of these.',
      ),
    /** The agent whose folders to write into. */
    botId: sourceId
      .optional()
      .describe("An agent's ID (list_agents shows them): write into that agent's folders only."),
    timeoutSeconds,
  }),
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
    nextSteps: z.string().describe('What to do next, with the exact calls.'),
    sources: z.array(draft).describe('In the order of the input.'),
  }),
  async handler({ timeoutSeconds, ...request }, context) {
    const { generation, progress } = context;
    const options = waitOptions(timeoutSeconds, context);
    const report = await generation.generate(request, options);
    progress.end(report.counts.unfinished === 0);
    const { outcome, counts, elapsedSeconds } = report;
    return {
      ...{ outcome, counts, elapsedSeconds },
      nextSteps: nextSteps(report, request, context.canCall('publish_articles')),
      sources: report.sources.map(shownDraft),
    };
  },
  text({ outcome, counts, elapsedSeconds, nextSteps, sources }) {
    const others = [
      { count: counts.nothing_made, word: 'made nothing' },
      { count: counts.failed, word: 'failed' },
      { count: counts.unfinished, word: 'unfinished' },
      { count: counts.unqueued, word: 'not queued' },
    ].map(({ count, word }) => (count === 0 ? '' : `${count} ${word}, `));
    return [
      `${outcome}: ${counts.drafted} of ${counts.submitted} drafted, ${others.join('')}in ${elapsedSeconds} s.`,
      nextSteps,
      ...sources.map(lineOf),
    ].join('\n');
  },
  isError: ({ outcome }) => outcome === 'failed',
});

function shownDraft({ id, document, jobId, job, joined, outcome }: ReportedDraft) {
  const hasEnded = outcome !== 'unfinished';
  return {
    status: outcome,
    id,
    title: shown(document?.title, TITLE_LENGTH),
    originalUrl: shown(document?.originalUrl, URL_LENGTH),
    articleId: shown(job?.hcArticleId, WORD_LENGTH),
    jobStatus: outcome === 'unfinished' ? shown(job?.jobStatus, WORD_LENGTH) : undefined,
    jobId: hasEnded ? undefined : shown(jobId, WORD_LENGTH),
    error:
      outcome === 'failed'
        ? bounded(job?.error ?? '', ERROR_LENGTH) || 'Fini gave no reason.'
        : undefined,
    joined: joined || undefined,
  };
}

/** What to do next, with the calls that do it. */
function nextSteps(
  { counts, sources, heldSeconds, trouble }: GenerationReport,
  { documentIds: _all, ...given }: GenerateRequest,
  canPublish: boolean,
): string {
  const idsWhere = (isWanted: (source: ReportedDraft) => boolean) =>
    sources.filter(isWanted).map(({ id }) => id);
  const waiting = idsWhere(({ outcome, jobId, state }) => {
    return outcome === 'unfinished' && jobId !== null && state === 'queued';
  });
  const untold = idsWhere(({ outcome, jobId, state }) => {
    return outcome === 'unfinished' && (jobId === null || state !== 'queued');
  });
  const held = idsWhere(({ state }) => state === 'held');
  const left = idsWhere(({ state }) => state === 'left');
  const failed = idsWhere(({ outcome }) => outcome === 'failed');
  const articleIds = sources.flatMap(({ job }) => job?.hcArticleId ?? []);
  return paragraph(
    waiting.length === 0
      ? ''
      : `${counted(waiting.length, 'job')} still running when the time ran out. To wait for ${waiting.length === 1 ? 'it' : 'them'}, ${generateCall(waiting, given)} It joins the running jobs for 15 minutes, unless the server is restarted.`,
    untold.length === 0
      ? ''
      : `Fini does not tell how ${counted(untold.length, 'job')} ended. To look for the drafts, call list_articles with {"type":"draft"}.`,
    trouble === null ? '' : troubleStep(trouble),
    articleIds.length === 0
      ? ''
      : `To read the drafts, call get_articles with ${jsonText({ articleIds: articleIds.slice(0, DRAFTS_READ) })}.${articleIds.length > DRAFTS_READ ? ' Then the others.' : ''} Drafts are not live: a person must review ${canPublish ? 'them, and agree to publish_articles' : 'and publish them in the Fini dashboard'}.`,
    counts.nothing_made === 0
      ? ''
      : counts.drafted > 0
        ? `${counted(counts.nothing_made, 'source')} made no draft. The usual cause: the source has nothing new for the articles.`
        : `${counted(counts.nothing_made, 'source')} made no draft. The usual causes: there is no folder tree (get_knowledge_tree shows it; folders are made in the Fini dashboard), or the source has nothing new.`,
    counts.failed === 0
      ? ''
      : `${counted(counts.failed, 'job')} failed, each for the reason given. To try again, ${generateCall(failed, given)}`,
    held.length === 0
      ? ''
      : `An earlier call sent ${counted(held.length, 'source')} and got no answer, so drafts may already be generated from ${held.length === 1 ? 'it' : 'them'}. This call did not queue ${held.length === 1 ? 'it' : 'them'} again. To check, call list_articles with {"type":"draft"}. If there is none in ${Math.ceil(heldSeconds)} s, ${generateCall(held, given)}`,
    left.length === 0
      ? ''
      : `Fini returned no job for ${counted(left.length, 'source')}. Check with get_source, then ${generateCall(left, given)}`,
  );
}

/** How many articles one call of get_articles takes. */
const DRAFTS_READ = 20;

function lineOf(source: z.output<typeof draft>): string {
  const { status, id, title, originalUrl, articleId, jobStatus, jobId, error, joined } = source;
  // In quotes, so that a title, which a page chooses, cannot pass for what this server says.
  const name = title === undefined ? (originalUrl ?? id) : JSON.stringify(title);
  const parts = [
    title === undefined ? undefined : originalUrl,
    articleId === undefined ? undefined : `article ${articleId}`,
    status === 'unfinished' ? (jobStatus ?? 'not started') : undefined,
    jobId === undefined ? undefined : `job ${jobId}`,
    error === undefined ? undefined : JSON.stringify(error),
    joined ? 'joined' : undefined,
  ].filter((part) => part !== undefined);
  const named = name === id ? id : `${name} (${id})`;
  return `- ${status.replace('_', ' ')}: ${[named, ...parts].join(', ')}`;
}
