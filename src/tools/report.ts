import * as z from 'zod';
import type { Report, ReportedSource } from '../engine/source-report.ts';
import {
  bounded,
  counted,
  ERROR_LENGTH,
  fitting,
  jsonBytes,
  paragraph,
  shown,
  TITLE_LENGTH,
  URL_LENGTH,
  WORD_LENGTH,
} from '../text.ts';
import { IDS_IN_A_CALL, nextSteps } from './next-steps.ts';
import { adviceOn, currentRecord, errorOf, isBlank, isLost, ownName } from './reported-source.ts';
import type { ToolContext } from './tool.ts';

/** A source in a report. Everything but its status is left out if there is nothing to say. */
const sourceInReport = z.object({
  status: z.enum(['completed', 'failed', 'unfinished']),
  input: z.string().optional().describe('The input as given, if it is neither the ID nor the URL.'),
  originalUrl: z.string().optional(),
  id: z.string().optional().describe('Source ID.'),
  source: z
    .string()
    .optional()
    .describe(
      'web, googledrive, notion, zendesk, confluence or files; left out for web pages in a long report.',
    ),
  title: z.string().optional(),
  error: z.string().optional().describe('Why it failed.'),
  hint: z.string().optional().describe('What to do about it.'),
  jobStatus: z
    .string()
    .optional()
    .describe('The job status in Fini; absent until the job appears.'),
  joined: z.boolean().optional().describe('Its job was already running and was not queued again.'),
  ignored: z
    .array(z.enum(['english', 'baser']))
    .optional()
    .describe('Settings of this call that the joined job does not use.'),
  paragraphCount: z.int().optional(),
  linkedKnowledgeId: z.string().optional().describe('The Knowledge article made from it.'),
  jobId: z.string().optional(),
});

type SourceInReport = z.output<typeof sourceInReport>;

/** How many of each there are: of all that was submitted, or of what a long report leaves out. */
const left = z.int().optional();

/** The account of a wait, as the tools that wait return it. */
export const reportShape = {
  outcome: z
    .enum(['completed', 'partial', 'failed', 'timed_out'])
    .describe('timed_out: some are unfinished; partial: some failed or were not queued.'),
  counts: z.object({
    submitted: z
      .int()
      .describe(
        'The sum of the other four. Spellings of the same ID or page count as one input; a source that two other inputs mean counts twice.',
      ),
    completed: z.int(),
    failed: z.int(),
    unfinished: z.int(),
    unqueued: z.int(),
  }),
  elapsedSeconds: z.number(),
  nextSteps: z.string().describe('What to do next, with the exact calls.'),
  unqueued: z.array(z.string()).describe('Inputs that were not queued.'),
  hints: z
    .array(z.object({ error: z.string(), hint: z.string(), count: z.int() }))
    .optional()
    .describe('In a long report: what to do about each error that several sources share.'),
  sources: z
    .array(sourceInReport)
    .describe(
      'In the order of the inputs. Those known only by ID so far are in nextSteps instead. A long report lists only those with an error or a hint here. The others are in completed, or, if unfinished, their IDs are in nextSteps.',
    ),
  completed: z
    .array(z.string())
    .optional()
    .describe('In a long report: the URL of each completed source, or its ID if it has no URL.'),
  omitted: z
    .object({ unqueued: left, failed: left, unfinished: left, completed: left })
    .optional()
    .describe('If a long report cannot list everything: how many more there are.'),
};

/** The account of a wait as one field. */
export const reportSchema = z.object(reportShape);

/** The account of a wait, as the tools that wait return it. */
export type ReportOutput = z.output<typeof reportSchema>;

/** The largest report with full details for every source, in bytes. */
const IN_FULL_BYTES = 32_000;
/** No source takes less, so with thousands of them full details need not be tried. */
const SMALLEST_SOURCE_BYTES = 50;
/** The largest report, with room for what the tool adds to it. */
const MAXIMUM_BYTES = 60_000;
/** The room kept for saying what is left out. */
const SAYING_WHAT_IS_LEFT_OUT = 500;
/** How long an error is in a long report, in characters. */
const SHORT_ERROR_LENGTH = 160;

/** How many sources and inputs of each kind a report does not name. */
type Omitted = NonNullable<ReportOutput['omitted']>;

/**
 * Turns the account of a wait into what a tool returns. A long report has fewer details for each
 * source. Only an even longer one leaves sources out, completed ones first, and says so.
 *
 * @param context Tells which tools there are, so that next steps name only those.
 */
export function reportOutput(
  report: Report,
  { canCall }: Pick<ToolContext, 'canCall'>,
): ReportOutput {
  const { outcome, counts, elapsedSeconds } = report;
  const unqueued = report.unqueued.map((input) => bounded(input, URL_LENGTH));
  const steps = nextSteps(report, canCall);
  const head = { outcome, counts, elapsedSeconds, nextSteps: steps.join(' '), unqueued };
  if (report.sources.length <= IN_FULL_BYTES / SMALLEST_SOURCE_BYTES) {
    const sources = report.sources.filter((source) => !isBlank(source)).map(inFull);
    const full = { ...head, sources };
    if (jsonBytes(full) <= IN_FULL_BYTES) return full;
  }
  return inShort(report, head);
}

function inFull(source: ReportedSource): SourceInReport {
  const { id, document, state, joined, ignored } = source;
  const current = currentRecord(source);
  return {
    status: state,
    input: ownName(source),
    originalUrl: shown(document?.originalUrl, URL_LENGTH),
    id,
    source: shown(document?.source, WORD_LENGTH),
    title: shown(document?.title, TITLE_LENGTH),
    error: errorOf(source, ERROR_LENGTH),
    hint: adviceOn(source)?.hint,
    jobStatus: shown(current?.linkedJobStatus, WORD_LENGTH),
    joined: joined || undefined,
    ignored: ignored.length > 0 ? [...ignored] : undefined,
    paragraphCount: current?.paragraphCount,
    linkedKnowledgeId: shown(document?.linkedKnowledgeId, WORD_LENGTH),
    jobId: shown(current?.linkedJobId, WORD_LENGTH),
  };
}

function inShort(report: Report, head: Omit<ReportOutput, 'sources'>): ReportOutput {
  const { sources, counts } = report;
  const toTell = sources.filter(
    (source) =>
      source.state === 'failed' || adviceOn(source) !== undefined || source.ignored.length > 0,
  );
  const isTold = new Set(toTell);
  const hints = sharedHints(toTell);
  let room = MAXIMUM_BYTES - SAYING_WHAT_IS_LEFT_OUT - jsonBytes({ ...head, unqueued: [], hints });
  const take = <Item>(items: readonly Item[]) => {
    const taken = fitting(items, room);
    room -= jsonBytes(taken);
    return taken;
  };
  const unqueued = take(head.unqueued);
  const told = take(toTell.map((source) => needed(source, hints)));
  const completed = take(
    sources
      .filter((source) => source.state === 'completed' && !isTold.has(source))
      .map(
        (source) => ownName(source) ?? shown(source.document?.originalUrl, URL_LENGTH) ?? source.id,
      ),
  );
  const waitable = counts.unfinished - sources.filter(isLost).length;
  const lostAndTold = toTell.slice(0, told.length).filter(isLost).length;
  const count = (status: string) => told.filter((source) => source.status === status).length;
  const omitted = {
    unqueued: missing(counts.unqueued, unqueued.length),
    failed: missing(counts.failed, count('failed')),
    // Next steps name those that are worth waiting for.
    unfinished: missing(counts.unfinished, Math.min(waitable, IDS_IN_A_CALL) + lostAndTold),
    completed: missing(counts.completed, completed.length + count('completed')),
  };
  const isWhole = Object.values(omitted).every((number) => number === undefined);
  return {
    ...head,
    nextSteps: paragraph(head.nextSteps, whereTheRestIs(omitted)),
    unqueued,
    hints: hints.length > 0 ? hints : undefined,
    sources: told,
    completed,
    omitted: isWhole ? undefined : omitted,
  };
}

function missing(all: number, named: number): number | undefined {
  return all > named ? all - named : undefined;
}

function whereTheRestIs({ unqueued, failed, unfinished, completed }: Omitted): string {
  const parts = [
    { count: failed, word: 'failed', status: 'failed' },
    { count: unfinished, word: 'unfinished', status: 'running' },
    { count: completed, word: 'completed', status: 'completed' },
  ].filter(({ count }) => count !== undefined);
  const counts = parts.map(({ count, word }) => `${count} ${word}`).join(', ');
  const calls = parts.map(({ status }) => JSON.stringify({ status, limit: 100 })).join(', ');
  return paragraph(
    parts.length === 0
      ? ''
      : `Too many to list here: ${counts}. To see them, most recently changed first, call list_sources with ${calls}.`,
    unqueued === undefined
      ? ''
      : `${unqueued} more ${unqueued === 1 ? 'item was' : 'items were'} not queued.`,
  );
}

/** What a long report says about a source: what went wrong, and the name to use in the next call. */
function needed(source: ReportedSource, hints: NonNullable<ReportOutput['hints']>): SourceInReport {
  const { id, document, state, ignored } = source;
  const kind = shown(document?.source, WORD_LENGTH);
  const originalUrl = shown(document?.originalUrl, URL_LENGTH);
  const error = errorOf(source, SHORT_ERROR_LENGTH);
  const hint = adviceOn(source)?.hint;
  const isShared = hints.some((one) => one.error === error && one.hint === hint);
  // A page goes by its URL; every other source, and one that still runs, by its ID.
  const goesByUrl = originalUrl !== undefined && document?.source === 'web' && state === 'failed';
  return {
    status: state,
    input: ownName(source),
    originalUrl,
    id: goesByUrl ? undefined : id,
    // Nearly all are web pages, which the URL says.
    source: kind === 'web' ? undefined : kind,
    error,
    hint: isShared ? undefined : hint,
    ignored: ignored.length > 0 ? [...ignored] : undefined,
  };
}

/** The hints that several sources with the same error share; the first of each error. */
function sharedHints(sources: readonly ReportedSource[]): NonNullable<ReportOutput['hints']> {
  const found = new Map<string, { error: string; hint: string; count: number }>();
  for (const source of sources) {
    const error = errorOf(source, SHORT_ERROR_LENGTH);
    const hint = adviceOn(source)?.hint;
    if (error === undefined || hint === undefined) continue;
    const shared = found.get(error) ?? { error, hint, count: 0 };
    if (shared.hint === hint) shared.count += 1;
    found.set(error, shared);
  }
  return [...found.values()].filter(({ count }) => count > 1);
}

/** A report as text: how it ended, how to continue, and the result for each source. */
export function reportText(report: ReportOutput): string {
  const { counts, outcome, sources, unqueued, completed = [], elapsedSeconds } = report;
  const withStatus = (status: SourceInReport['status']) =>
    sources.filter((source) => source.status === status);
  const others = [
    { count: counts.failed, word: 'failed' },
    { count: counts.unfinished, word: 'unfinished' },
    { count: counts.unqueued, word: 'not queued' },
  ].map(({ count, word }) => (count === 0 ? '' : `${count} ${word}, `));
  const lines = [
    `${outcome}: ${counts.completed} of ${counts.submitted} completed, ${others.join('')}in ${elapsedSeconds} s.`,
    ...(report.nextSteps === '' ? [] : [report.nextSteps]),
    ...section('Not queued', unqueued),
    ...failures(report, withStatus('failed')),
    ...section('Unfinished', withStatus('unfinished').map(lineOf)),
    ...section('Completed', [...withStatus('completed').map(lineOf), ...completed]),
  ];
  return lines.join('\n');
}

function section(title: string, lines: readonly string[], about = ''): string[] {
  if (lines.length === 0) return [];
  const heading = `${title} (${lines.length}):${about === '' ? '' : ` ${about}`}`;
  return [heading, ...lines.map((line) => `- ${line}`)];
}

/** The failed sources, grouped by hint. */
function failures({ hints = [] }: ReportOutput, failed: readonly SourceInReport[]): string[] {
  const byHint = new Map<string, string[]>();
  for (const source of failed) {
    const shared = hints.find(({ error }) => error === source.error);
    const hint = source.hint ?? shared?.hint ?? '';
    const lines = byHint.get(hint) ?? [];
    lines.push(lineOf({ ...source, hint: undefined }));
    byHint.set(hint, lines);
  }
  return [...byHint].flatMap(([hint, lines]) => section('Failed', lines, hint));
}

function lineOf(source: SourceInReport): string {
  const { status, input, originalUrl, id, title, error, hint, joined, paragraphCount } = source;
  const { source: kind, ignored, jobStatus = 'not started', linkedKnowledgeId, jobId } = source;
  // In quotes, so that a title, which a page chooses, cannot pass for what this server says.
  const quotedTitle = title === undefined ? undefined : JSON.stringify(title);
  const name = originalUrl ?? quotedTitle ?? id ?? '';
  const given = input === undefined ? '' : `${input} → `;
  const named = id === undefined || id === name ? given + name : `${given}${name} (${id})`;
  // The hint about a job that pends for too long names both the state and the job.
  const isExplained = jobStatus === 'PENDING' && hint !== undefined;
  const parts = [
    // In quotes, so that an error cannot pass for the hint.
    error === undefined ? undefined : JSON.stringify(error),
    status === 'unfinished' && !isExplained ? jobStatus : undefined,
    kind === 'web' ? undefined : kind,
    quotedTitle === name ? undefined : quotedTitle,
    status === 'completed' && paragraphCount !== undefined
      ? counted(paragraphCount, 'paragraph')
      : undefined,
    linkedKnowledgeId === undefined ? undefined : `article ${linkedKnowledgeId}`,
    joined ? 'joined' : undefined,
    ignored === undefined ? undefined : `not applied: ${ignored.join(', ')}`,
    status === 'unfinished' && jobId !== undefined && !isExplained ? `job ${jobId}` : undefined,
  ].filter((part) => part !== undefined);
  const line = parts.length === 0 ? named : `${named}: ${parts.join(', ')}`;
  return hint === undefined ? line : `${line} → ${hint}`;
}
