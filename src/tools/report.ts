import * as z from 'zod';
import { INGEST_SOURCES } from '../fini/client.ts';
import type { FiniDocument } from '../fini/documents.ts';
import type { Report, ReportedSource } from '../ingestion/account.ts';
import { isStuck } from '../ingestion/states.ts';
import type { WaitOptions } from '../ingestion/wait.ts';
import {
  bounded,
  boundedOrNull,
  counted,
  ERROR_LENGTH,
  fitting,
  jsonBytes,
  jsonText,
  shown,
  TITLE_LENGTH,
  URL_LENGTH,
  WORD_LENGTH,
} from '../text.ts';
import { type Advice, adviceFor, GONE_ADVICE, RAW_FILE_HINT } from './hints.ts';
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

/** How long a tool waits, and how it reports progress to the client. */
export function waitOptions(
  timeoutSeconds: number | undefined,
  { startedAt, waitTimeoutSeconds, longestSeconds, signal, progress, log }: ToolContext,
): WaitOptions {
  let isTroubled = false;
  return {
    timeoutSeconds: Math.min(timeoutSeconds ?? waitTimeoutSeconds, longestSeconds),
    startedAt,
    signal,
    onProgress(state) {
      progress.update(state);
      if (state.trouble !== null && !isTroubled) {
        const error = bounded(state.trouble.message, ERROR_LENGTH);
        log('warning', { message: 'Fini did not answer a status check; trying again', error });
      }
      isTroubled = state.trouble !== null;
    },
    onChange({ id, originalUrl, title, linkedJobStatus, error }, before) {
      const from = boundedOrNull(before, WORD_LENGTH);
      const to = boundedOrNull(linkedJobStatus, WORD_LENGTH);
      log('info', {
        message: `source ${from ?? 'queued'} → ${to}`,
        id,
        originalUrl: boundedOrNull(originalUrl, URL_LENGTH),
        title: boundedOrNull(title, TITLE_LENGTH),
        from,
        to,
        ...(error && { error: bounded(error, ERROR_LENGTH) }),
      });
    },
  };
}

/** The largest report with full details for every source, in bytes. */
const IN_FULL_BYTES = 32_000;
/** No source takes less, so with thousands of them full details need not be tried. */
const SMALLEST_SOURCE_BYTES = 50;
/** The largest report, with room for what the tool adds to it. */
const MAXIMUM_BYTES = 60_000;
/** The room kept for saying what is left out. */
const SAYING_WHAT_IS_LEFT_OUT = 500;
/** How many sources one call to wait for them names. */
const IDS_IN_A_CALL = 1_000;
/** How many lost jobs a next step names; sources tell of each. */
const LOST_IN_A_STEP = 10;
/** How much of a report the items to try again may take, in bytes. */
const RETRIED_BYTES = 16_000;
/** How long an error is in a long report, in characters. */
const SHORT_ERROR_LENGTH = 160;

/** How many sources and inputs of each kind a report does not name. */
type Omitted = NonNullable<ReportOutput['omitted']>;

/**
 * Turns the account of a wait into what a tool returns. A long report has fewer details for each
 * source. Only an even longer one leaves sources out, completed ones first, and says so.
 *
 * @param context Tells whether there are tools that write, so that next steps name only what is there.
 */
export function reportOutput(
  report: Report,
  { canWrite }: Pick<ToolContext, 'canWrite'>,
): ReportOutput {
  const { outcome, counts, elapsedSeconds } = report;
  const unqueued = report.unqueued.map((input) => bounded(input, URL_LENGTH));
  const steps = nextSteps(report, canWrite);
  const head = { outcome, counts, elapsedSeconds, nextSteps: steps.join(' '), unqueued };
  if (report.sources.length <= IN_FULL_BYTES / SMALLEST_SOURCE_BYTES) {
    const sources = report.sources.filter((source) => !isBlank(source)).map(inFull);
    const full = { ...head, sources };
    if (jsonBytes(full) <= IN_FULL_BYTES) return full;
  }
  return inShort(report, head);
}

/** Whether there is nothing to tell of a source but its ID, which the call that waits for it has. */
function isBlank(source: ReportedSource): boolean {
  const { state, document, joined, ignored } = source;
  const isNamed = document?.originalUrl || document?.title || ownName(source) !== undefined;
  const isTold = isNamed || currentRecord(source)?.linkedJobStatus || joined || ignored.length > 0;
  return state === 'unfinished' && !isTold;
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

/** The input, where the source's ID and URL do not show it. */
function ownName({ input, id, document }: ReportedSource): string | undefined {
  if (input === null || input === id || input === document?.originalUrl) return undefined;
  return bounded(input, URL_LENGTH);
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
    nextSteps: [head.nextSteps, whereTheRestIs(omitted)].filter((step) => step !== '').join(' '),
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
  return [
    parts.length === 0
      ? ''
      : `Too many to list here: ${counts}. To see them, most recently changed first, call list_sources with ${calls}.`,
    unqueued === undefined
      ? ''
      : `${unqueued} more ${unqueued === 1 ? 'item was' : 'items were'} not queued.`,
  ]
    .filter((sentence) => sentence !== '')
    .join(' ');
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

/** A source's record, if it shows the job that was waited for: an older job's result does not count. */
function currentRecord({ fresh, document }: ReportedSource): FiniDocument | null {
  return fresh ? document : null;
}

function errorOf(source: ReportedSource, length: number): string | undefined {
  if (source.state !== 'failed') return undefined;
  if (source.gone) return 'Fini has no source with this ID.';
  return bounded(currentRecord(source)?.error ?? '', length) || 'Fini gave no reason.';
}

function adviceOn(source: ReportedSource): Advice | undefined {
  if (source.gone) return GONE_ADVICE;
  const current = currentRecord(source);
  return current === null ? undefined : adviceFor(current);
}

function nextSteps(report: Report, canWrite: boolean): string[] {
  const { counts, sources, held, neverIngested, trouble } = report;
  const isExplained = new Set([...held, ...neverIngested.map(({ id }) => id)]);
  const unqueued = report.unqueued.filter((input) => !isExplained.has(input));
  const steps: string[] = [];
  if (counts.unfinished > 0) steps.push(...howToContinue(report));
  if (trouble !== null) {
    const error = JSON.stringify(bounded(trouble.message, ERROR_LENGTH));
    steps.push(`Fini did not answer the last status check: ${error}.`);
  }
  if (counts.failed > 0) steps.push(...stepsAfterFailure(sources, canWrite));
  if (unqueued.length > 0) {
    const guess = report.unqueuedIsGuess
      ? ' Which ones is a guess, because some sources do not show their URL yet. Check with list_sources.'
      : '';
    steps.push(
      `Fini returned no ID for ${counted(unqueued.length, 'item')} (listed as not queued). Check that ${unqueued.length === 1 ? 'it is' : 'they are'} right, then pass ${unqueued.length === 1 ? 'it' : 'them'} to ingest_and_wait again in documentIdsToAdd (documentIdsToRefresh takes only what is in Fini).${guess}`,
    );
  }
  if (held.length > 0) {
    const them = held.length === 1 ? 'it' : 'them';
    steps.push(
      `An earlier request got no answer, so ${counted(held.length, 'item')} (listed as not queued) may already be queued. This call did not queue ${them} again. In a minute, call ingest_and_wait with ${them} again.`,
    );
  }
  if (neverIngested.length > 0) steps.push(howToIngest(neverIngested, canWrite));
  if (canWrite) steps.push(...stepsAfterJoining(sources));
  if (counts.completed > 0) {
    steps.push(
      'Completed is not yet live: the content must still go through Knowledge in the Fini dashboard (generation, review, publishing, assignment) before agents answer from it.',
    );
  }
  return steps;
}

/** How to ingest sources that were never ingested, of any kind. */
function howToIngest(documents: readonly FiniDocument[], canWrite: boolean): string {
  const start = `${counted(documents.length, 'source')} (listed as not queued) ${documents.length === 1 ? 'was' : 'were'} never ingested, so there is no job to wait for.`;
  if (!canWrite) return `${start} This server is read-only, so it cannot ingest.`;
  const callOf = callsWithin(RETRIED_BYTES);
  const others = new Set(documents.map(({ id }) => id));
  const calls = INGEST_SOURCES.flatMap((source) => {
    const names = documents.flatMap((document) => {
      const name = source === 'web' ? document.originalUrl : document.id;
      if (document.source !== source || !name) return [];
      others.delete(document.id);
      return [name];
    });
    const kind = source === 'web' ? {} : { source };
    return callOf('ingest_and_wait', kind, 'documentIdsToAdd', names);
  });
  const files = documents.filter(({ source }) => source === 'files');
  for (const { id } of files) others.delete(id);
  const parts = [
    ...[...calls, ...callOf('refresh_sources', {}, 'documentIds', [...others])].map(
      (call) => `To ingest, ${call}`,
    ),
    files.length === 0 ? '' : `${counted(files.length, 'raw file')}: ${RAW_FILE_HINT}`,
  ];
  return [start, ...parts].filter((part) => part !== '').join(' ');
}

/** How to get the processing that a joined job does not do. */
function stepsAfterJoining(sources: readonly ReportedSource[]): string[] {
  const others = sources.filter(({ ignored }) => ignored.length > 0);
  if (others.length === 0) return [];
  const names = [...new Set(others.flatMap(({ ignored }) => ignored))].join(' and ');
  const them = others.length === 1 ? 'it' : 'them';
  return [
    `${counted(others.length, 'source')} already had a running job with a different value of ${names}, so this call's value was not applied (marked as ignored). To apply it, call ingest_and_wait with ${them} again after the job has ended.`,
  ];
}

/** Whether a source's job is lost, so that waiting for it does not help. */
function isLost(source: ReportedSource): boolean {
  const current = currentRecord(source);
  return source.state === 'unfinished' && current !== null && isStuck(current);
}

/** What to do about lost jobs, each named by its source and its job. */
function howToRescue(lost: readonly ReportedSource[]): string[] {
  if (lost.length === 0) return [];
  const named = [...new Map(lost.map(({ id, document }) => [id, document]))];
  const jobs = named.slice(0, LOST_IN_A_STEP).map(([id, document]) => {
    const job = shown(document?.linkedJobId, WORD_LENGTH);
    return job === undefined ? id : `${id} (job ${job})`;
  });
  const more = named.length - jobs.length;
  const others = more > 0 ? ` and ${more} others, listed below` : '';
  return [
    `${counted(named.length, 'source')} pending for more than 15 minutes, so waiting longer will not help: contact Fini's support about ${jobs.join(', ')}${others}.`,
  ];
}

function howToContinue({ sources, queuedAfter }: Report): string[] {
  const rescue = howToRescue(sources.filter(isLost));
  const running = sources.filter((source) => source.state === 'unfinished' && !isLost(source));
  const unfinished = [...new Set(running.map(({ id }) => id))];
  if (unfinished.length === 0) return rescue;
  const ids = unfinished.slice(0, IDS_IN_A_CALL);
  const since =
    queuedAfter === null || !Number.isFinite(queuedAfter)
      ? {}
      : { queuedAfter: new Date(queuedAfter).toISOString() };
  const first =
    ids.length === unfinished.length
      ? ''
      : ` These are the first ${counted(ids.length, 'source')}. Wait for the others after that.`;
  const blank = new Set(running.filter(isBlank).map(({ id }) => id)).size;
  const only =
    blank === 0 ? '' : ` ${blank} of them show only an ID so far and are named only here.`;
  const step = `${counted(unfinished.length, 'source')} ${unfinished.length === 1 ? 'was' : 'were'} still running when the time ran out. The jobs continue at Fini. Call wait_for_sources with ${jsonText({ ids, ...since })}.${first}${only}`;
  return [step, ...rescue];
}

/** What to do about failures. Another try is proposed only for what may then succeed. */
function stepsAfterFailure(sources: readonly ReportedSource[], canWrite: boolean): string[] {
  const unique = [...new Map(sources.map((source) => [source.id, source])).values()];
  const failed = unique.filter(({ state }) => state === 'failed');
  const toTry = failed.filter((source) => adviceOn(source)?.mayPass);
  const each =
    failed.length === 1 ? 'The failed source has a hint' : 'Each failed source has a hint';
  if (toTry.length === 0) return [`${each}. Trying again without a change will not help.`];
  const some =
    toTry.length === failed.length
      ? ''
      : ` ${toTry.length} of the ${failed.length} can succeed on another try`;
  const end = some === '' ? '' : '.';
  if (!canWrite)
    return [`${each}.${some}${end} This server is read-only, so it cannot ingest again.`];
  const calls = retries(toTry);
  if (calls.length === 0) return [`${each}.${some}${end}`];
  const its = toTry.length === 1 ? 'its cause is' : 'their causes are';
  const how = `${some === '' ? ' Once' : '; once'} ${its} fixed, ${calls.join(' Then ')}`;
  return [`${each}.${some}${how}`];
}

/** Writes calls of tools, with as many of their items as fit into so many bytes in all. */
function callsWithin(bytes: number) {
  let room = bytes;
  return (tool: string, before: object, list: string, items: readonly string[], after = {}) => {
    const named = fitting(items, room);
    room -= jsonBytes(named);
    if (named.length === 0) return [];
    const left = items.length - named.length;
    const others = left > 0 ? ` Do the same with the ${left} others.` : '';
    return [`call ${tool} with ${jsonText({ ...before, [list]: named, ...after })}.${others}`];
  };
}

/** The calls that ingest these again, pages with the processing that they had. */
function retries(sources: readonly ReportedSource[]): string[] {
  const pages = new Map<string, { flags: object; urls: string[] }>();
  const ids: string[] = [];
  for (const { id, document } of sources) {
    if (document?.source !== 'web' || !document.originalUrl) {
      ids.push(id);
      continue;
    }
    const flags = {
      ...(document.english === false && { english: false }),
      ...(document.baser === true && { baser: true }),
    };
    const key = JSON.stringify(flags);
    const group = pages.get(key) ?? { flags, urls: [] };
    group.urls.push(document.originalUrl);
    pages.set(key, group);
  }
  const callOf = callsWithin(RETRIED_BYTES);
  return [
    ...[...pages.values()].flatMap(({ urls, flags }) =>
      callOf('ingest_and_wait', {}, 'documentIdsToRefresh', urls, flags),
    ),
    ...callOf('refresh_sources', {}, 'documentIds', ids),
  ];
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
