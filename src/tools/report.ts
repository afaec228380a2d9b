import * as z from 'zod';
import type { Report, ReportedSource } from '../engine/source-report.ts';
import type { EndedEarly } from '../engine/wait.ts';
import type { FiniError } from '../fini/errors.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import {
  bounded,
  ERROR_LENGTH,
  paragraph,
  plural,
  quotedMessage,
  shown,
  TITLE_LENGTH,
  URL_LENGTH,
  WORD_LENGTH,
} from '../text.ts';
import { batchOutput, listCall } from './batch.ts';
import { queuedAfterInput } from './fields.ts';
import { type HintName, hintsOf, hintsSchema } from './hints.ts';
import type { NextCall } from './next-calls.ts';
import { nextCallsAfterWait, type Queueing } from './next-steps.ts';
import { currentRecord, hintOn, isLost, retriable } from './reported-source.ts';
import type { AnswerData, ToolContext } from './tool.ts';

/** The requested time of a wait that was cut short; see {@link endedEarlyText}. */
export const askedSecondsOutput = z
  .number()
  .optional()
  .describe(
    'Requested seconds, if the wait was cut short because the client asked for no progress.',
  );

/** The status of a source at the end of a wait. */
export const ROW_STATUSES = ['completed', 'failed', 'unfinished', 'unqueued'] as const;

/** A source in an answer. Empty fields are left out, except for its status. */
export const rowShape = {
  status: z.enum(ROW_STATUSES),
  input: z
    .string()
    .optional()
    .describe('The input as given, if neither id nor originalUrl shows it.'),
  originalUrl: z.string().optional(),
  id: z.string().optional().describe('Source ID.'),
  source: z.string().optional().describe('Kind of source, if not web.'),
  title: z.string().optional(),
  error: z.string().optional().describe('Reason for the failure.'),
  hint: z.string().optional().describe('Name of the advice in hints.'),
  jobStatus: z.string().optional().describe("Job status in Fini's words, until it has ended."),
  joined: z
    .boolean()
    .optional()
    .describe('True if its job was already running and was not queued again.'),
  ignored: z
    .array(z.enum(['english', 'baser']))
    .optional()
    .describe('Settings of this call that the joined job does not use.'),
  paragraphCount: z.int().optional(),
  linkedKnowledgeId: z.string().optional().describe('ID of the Knowledge article made from it.'),
  jobId: z.string().optional().describe('Job ID, while the job is unfinished.'),
};

const row = z.object(rowShape);

/** The outcome of a wait, without its sources. */
export const outcomeShape = {
  outcome: z
    .enum(['completed', 'partial', 'failed', 'timed_out'])
    .describe('timed_out: some are unfinished; partial: some failed or were not queued.'),
  counts: z
    .object({
      submitted: z.int(),
      completed: z.int(),
      failed: z.int(),
      unfinished: z.int(),
      unqueued: z.int(),
    })
    .describe('Each input counts once; submitted is the sum of the others.'),
  elapsedSeconds: z.number(),
  askedSeconds: askedSecondsOutput,
  batch: batchOutput,
  queuedAfter: z.string().optional().describe('Pass it to wait_for_sources along with ids.'),
  hints: hintsSchema,
};

/** The report of a wait, as the tools that wait return it. */
export const reportShape = { ...outcomeShape, sources: z.array(row) };

/** A source of a report. */
type ReportRow = z.output<typeof row>;

/** The report of a wait, as the tools that wait return it. */
export type ReportAnswer = AnswerData<z.output<z.ZodObject<typeof reportShape>>> & {
  readonly nextCalls: readonly NextCall[];
};

/**
 * Makes an answer from the report of a wait.
 *
 * @param queueing The request of the call; null if it only waited.
 */
export function reportAnswer(
  report: Report,
  { canCall }: Pick<ToolContext, 'canCall'>,
  queueing: Queueing | null,
): ReportAnswer {
  const { outcome, counts, elapsedSeconds, queuedAfter } = report;
  const sources = [...report.sources.map(reportedRow), ...unqueuedRows(report)];
  return {
    message: reportMessage(report, canCall),
    outcome,
    counts,
    elapsedSeconds,
    askedSeconds: report.endedEarly?.askedSeconds,
    batch: report.batch ?? undefined,
    ...(counts.unfinished > 0 && queuedAfterInput(queuedAfter)),
    hints: hintsOf(sources),
    nextCalls: nextCallsAfterWait(report, queueing),
    sources,
  };
}

/** The call that lists the sources that a long answer leaves out first. */
export function listOmitted({
  batch,
  sources,
}: {
  readonly batch?: string | undefined;
  readonly sources: readonly { readonly status: string }[];
}): NextCall | undefined {
  if (batch === undefined) return undefined;
  const statuses = [
    { status: 'completed', listed: 'completed' },
    { status: 'unfinished', listed: 'running' },
    { status: 'failed', listed: 'failed' },
  ];
  const first = statuses.find(({ status }) => sources.some((source) => source.status === status));
  if (first === undefined) return undefined;
  const why = `Show the ${first.listed} sources of this batch`;
  return listCall(batch, why, first.listed);
}

/** Says that a client that asked for no progress cut the wait short. */
export function endedEarlyText(endedEarly: EndedEarly | null): string {
  if (endedEarly === null) return '';
  const { waitedSeconds, askedSeconds } = endedEarly;
  return `Waited ${waitedSeconds} s, not ${askedSeconds}: this client asked for no progress.`;
}

/** Says that Fini did not answer the last status check, and why. */
export function troubleText(trouble: FiniError | null): string {
  return trouble === null
    ? ''
    : `Fini did not answer the last status check: ${quotedMessage(trouble)}.`;
}

function reportedRow(source: ReportedSource): ReportRow & { hint?: HintName | undefined } {
  const { document, state, input, id, joined, ignored } = source;
  const current = currentRecord(source);
  const isNamed = input === null || input === id || input === document?.originalUrl;
  return {
    status: state,
    input: isNamed ? undefined : bounded(input, URL_LENGTH),
    ...namingFields(document),
    id,
    error: errorOf(source),
    hint: hintOn(source),
    jobStatus: state === 'unfinished' ? shown(current?.linkedJobStatus, WORD_LENGTH) : undefined,
    joined: joined || undefined,
    ignored: ignored.length > 0 ? [...ignored] : undefined,
    paragraphCount: state === 'completed' ? current?.paragraphCount : undefined,
    linkedKnowledgeId: shown(document?.linkedKnowledgeId, WORD_LENGTH),
    jobId: state === 'unfinished' ? shown(current?.linkedJobId, WORD_LENGTH) : undefined,
  };
}

function namingFields(document: FiniDocument | null) {
  const source = shown(document?.source, WORD_LENGTH);
  return {
    originalUrl: shown(document?.originalUrl, URL_LENGTH),
    title: shown(document?.title, TITLE_LENGTH),
    source: source === 'web' ? undefined : source,
  };
}

function errorOf(source: ReportedSource): string | undefined {
  if (source.state !== 'failed') return undefined;
  if (source.gone) return 'Fini has no source with this ID.';
  return bounded(currentRecord(source)?.error ?? '', ERROR_LENGTH) || 'Fini gave no reason.';
}

function unqueuedRows({ unqueued, held, neverIngested }: Report) {
  const isHeld = new Set(held);
  const documents = new Map(neverIngested.map((document) => [document.id, document]));
  return unqueued.map((input): ReportRow & { hint: HintName } => {
    const document = documents.get(input);
    if (document !== undefined) {
      const hint = document.source === 'files' ? 'raw_file' : 'never_ingested';
      return { status: 'unqueued', ...namingFields(document), id: document.id, hint };
    }
    const hint = isHeld.has(input) ? 'maybe_queued' : 'no_id';
    return { status: 'unqueued', input: bounded(input, URL_LENGTH), hint };
  });
}

function reportMessage(report: Report, canCall: ToolContext['canCall']): string {
  const { outcome, counts, elapsedSeconds, sources, held, neverIngested, trouble } = report;
  const others = [
    counts.failed > 0 ? `${counts.failed} failed, ` : '',
    counts.unfinished > 0 ? `${counts.unfinished} unfinished, ` : '',
    counts.unqueued > 0 ? `${counts.unqueued} not queued, ` : '',
  ].join('');
  const isWaitable = sources.some((source) => source.state === 'unfinished' && !isLost(source));
  const lost = sources.filter(isLost).length;
  const canIngest = canCall('ingest_and_wait');
  const toIngest = neverIngested.length > 0 || retriable(sources).length > 0;
  const ignored = sources.filter((source) => source.ignored.length > 0).length;
  return paragraph(
    `${outcome}: ${counts.completed} of ${counts.submitted} completed, ${others}in ${elapsedSeconds} s.`,
    endedEarlyText(report.endedEarly),
    isWaitable ? 'Unfinished jobs continue at Fini.' : '',
    lost > 0
      ? `Waiting longer will not help ${plural(lost, 'job')}, pending for more than 15 minutes: contact Fini support with ${lost === 1 ? 'its' : 'their'} jobId.`
      : '',
    troubleText(trouble),
    retryText(sources),
    report.unqueuedIsGuess
      ? 'Which inputs were not queued is a guess, because some sources do not show their URL yet.'
      : '',
    held.length > 0
      ? `${plural(held.length, 'item')} may already be queued: if Fini does not show the result by then, queue again in ${report.heldSeconds} s.`
      : '',
    ignored > 0
      ? `${plural(ignored, 'source')} already had a running job with other settings, so those of this call were not applied.`
      : '',
    ignored > 0 ? 'They can be once the job has ended.' : '',
    toIngest && !canIngest ? 'This server has no tools that ingest.' : '',
    counts.completed > 0 ? notYetLiveText(canCall) : '',
  );
}

function retryText(sources: readonly ReportedSource[]): string {
  const failed = new Set(sources.filter(({ state }) => state === 'failed').map(({ id }) => id))
    .size;
  if (failed === 0) return '';
  const promising = retriable(sources).length;
  if (promising === 0) return 'Trying failed sources again without a change will not help.';
  return `${promising} of ${plural(failed, 'failed source')} can succeed on another try, once the cause is fixed.`;
}

function notYetLiveText(canCall: ToolContext['canCall']): string {
  const rest = canCall('publish_articles') ? 'Assignment is' : 'Publishing and assignment are';
  return paragraph(
    'Completed is not yet live: the content must still go through Knowledge (generation, review, publishing, assignment) before agents answer from it.',
    `${rest} done in the Fini dashboard.`,
    canCall('generate_knowledge') ? 'Generate drafts only if the person wants them.' : '',
  );
}
