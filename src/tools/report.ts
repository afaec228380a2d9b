import * as z from 'zod';
import {
  bounded,
  boundedOrNull,
  counted,
  ERROR_LENGTH,
  TITLE_LENGTH,
  URL_LENGTH,
  WORD_LENGTH,
} from '../bounded.ts';
import type { FiniDocument } from '../fini/documents.ts';
import type { Report, ReportedSource } from '../ingestion/report.ts';
import { adviceFor } from '../ingestion/states.ts';
import type { WaitOptions } from '../ingestion/wait.ts';
import type { ToolContext } from './define.ts';

/** The account of a wait, as the tools that wait return it. */
export const reportShape = {
  /** `timed_out`: some are unfinished; `partial`: some failed or were not queued. */
  outcome: z.enum(['completed', 'partial', 'failed', 'timed_out']),
  /** `submitted` is the sum of the other four. */
  counts: z.object({
    submitted: z.int(),
    completed: z.int(),
    failed: z.int(),
    unfinished: z.int(),
    unqueued: z.int(),
  }),
  sources: z.array(
    z.object({
      /** The source ID. */
      id: z.string(),
      /** Absent, as all that is optional, from a long report but for what failed. */
      title: z.string().nullable().optional(),
      originalUrl: z.string().nullable(),
      status: z.enum(['completed', 'failed', 'unfinished']),
      /** Fini's own word for it; null while the job waited for has not shown. */
      jobStatus: z.string().nullable().optional(),
      jobId: z.string().nullable().optional(),
      /** Its job ran already and was waited for instead of being queued again. */
      joined: z.boolean().optional(),
      error: z.string().optional(),
      /** What to do about a failure. */
      hint: z.string().optional(),
      paragraphCount: z.int().optional(),
      linkedKnowledgeId: z.string().nullable().optional(),
    }),
  ),
  /** Inputs that Fini gave no ID for. */
  unqueued: z.array(z.string()),
  elapsedSeconds: z.number(),
  /** What to do now, in words, with tools and IDs. */
  nextSteps: z.string(),
};

/** The account of a wait, as the tools that wait return it. */
export type ReportOutput = z.output<z.ZodObject<typeof reportShape>>;

/** The same with its details listed by wait_for_sources alone, which every server has. */
export const reportShapeInShort = {
  ...reportShape,
  counts: z.custom<ReportOutput['counts']>(),
  sources: z.array(z.custom<ReportOutput['sources'][number]>()).describe("As wait_for_sources'."),
};

/** The same as one field, where another tool's schema shows what is in it. */
export const likeWaitForSources = z.custom<ReportOutput>().describe("wait_for_sources' report.");

/** How the tools that wait do so: for as long as asked, telling the client how it goes. */
export function waitOptions(
  timeoutSeconds: number | undefined,
  { startedAt, waitTimeoutSeconds, signal, progress, log }: ToolContext,
): WaitOptions {
  let isTroubled = false;
  return {
    timeoutSeconds: timeoutSeconds ?? waitTimeoutSeconds,
    startedAt,
    signal,
    onProgress(state) {
      progress.update(state);
      if (state.trouble !== null && !isTroubled) {
        const error = bounded(state.trouble.message, ERROR_LENGTH);
        log('warning', { message: 'Fini did not answer a look; trying again', error });
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

/** How many sources a report tells everything of; in a longer one only of those that failed. */
const TOLD_IN_FULL = 100;
/** How many IDs next steps name; a longer report has them all in its sources. */
const IDS_IN_NEXT_STEPS = 500;
/** How many sources of a kind the text names. */
const NAMED_AS_TEXT = 20;

/**
 * Turns the account of a wait into what a tool returns.
 *
 * @param context Tells whether there are tools that write, so that next steps name only what is there.
 */
export function reportOutput(
  report: Report,
  { canWrite }: Pick<ToolContext, 'canWrite'>,
): ReportOutput {
  return {
    outcome: report.outcome,
    counts: report.counts,
    sources: inBounds(report.sources),
    unqueued: report.unqueued.map((input) => bounded(input, URL_LENGTH)),
    elapsedSeconds: report.elapsedSeconds,
    nextSteps: nextSteps(report, canWrite),
  };
}

/** All of a short list told in full; of a longer one only the first that failed. */
function inBounds(sources: readonly ReportedSource[]): ReportOutput['sources'] {
  const failed = sources.filter(({ state }) => state === 'failed');
  const inFull = new Set(sources.length > TOLD_IN_FULL ? failed.slice(0, TOLD_IN_FULL) : sources);
  return sources.map((source) => {
    const told = sourceInReport(source);
    if (inFull.has(source)) return told;
    const { id, originalUrl, status, joined, error } = told;
    return { id, originalUrl, status, joined, error };
  });
}

function sourceInReport(source: ReportedSource): ReportOutput['sources'][number] {
  const { id, document, state, joined, gone } = source;
  // What the record says of the job before is not this job's result.
  const current = source.fresh ? document : null;
  const fault = gone ? 'Fini has no such source (any more).' : current?.error;
  return {
    id,
    title: boundedOrNull(document?.title ?? null, TITLE_LENGTH),
    originalUrl: boundedOrNull(document?.originalUrl ?? null, URL_LENGTH),
    status: state,
    jobStatus: boundedOrNull(current?.linkedJobStatus ?? null, WORD_LENGTH),
    jobId: boundedOrNull(current?.linkedJobId ?? null, WORD_LENGTH),
    joined: joined || undefined,
    error: state === 'failed' ? errorText(fault) : undefined,
    hint: gone
      ? 'It may have been deleted meanwhile. Add it again if it is wanted.'
      : current === null
        ? undefined
        : adviceFor(current),
    paragraphCount: current?.paragraphCount ?? 0,
    linkedKnowledgeId: boundedOrNull(document?.linkedKnowledgeId ?? null, WORD_LENGTH),
  };
}

function errorText(fault: string | null | undefined): string {
  return fault ? bounded(fault, ERROR_LENGTH) : 'Fini gave no reason.';
}

function nextSteps(report: Report, canWrite: boolean): string {
  const { counts, sources, unqueued, trouble } = report;
  const steps: string[] = [];
  if (counts.unfinished > 0) {
    const ids = sources.filter(({ state }) => state === 'unfinished').map(({ id }) => id);
    const since =
      report.queuedAfter === null || !Number.isFinite(report.queuedAfter)
        ? ''
        : `, "queuedAfter": "${new Date(report.queuedAfter).toISOString()}"`;
    const call =
      ids.length > IDS_IN_NEXT_STEPS
        ? `Call wait_for_sources, ids being those of the unfinished sources${since}`
        : `Call wait_for_sources with {"ids": ${JSON.stringify(ids)}${since}}`;
    steps.push(
      `${counted(ids.length, 'source')} had not ended when the time ran out; the jobs go on at Fini. ${call}.`,
    );
  }
  if (trouble !== null) {
    steps.push(`Fini did not answer the last look: ${bounded(trouble.message, ERROR_LENGTH)}`);
  }
  if (counts.failed > 0) steps.push(...stepsAfterFailure(sources, canWrite));
  if (unqueued.length > 0) {
    const guess = report.unqueuedIsGuess
      ? ' Which ones is a guess, since some sources do not show their URL yet: check with list_sources.'
      : '';
    steps.push(
      `Fini gave no ID for ${counted(unqueued.length, 'item')} (see unqueued): check that ${unqueued.length === 1 ? 'it is' : 'they are'} right, then pass ${unqueued.length === 1 ? 'it' : 'them'} to ingest_and_wait again, in documentIdsToAdd (documentIdsToRefresh takes only what Fini has).${guess}`,
    );
  }
  if (counts.completed > 0) {
    steps.push(
      'Completed is not yet live: the content must still go through Knowledge in the Fini dashboard (generation, review, publishing, assignment) before agents answer from it.',
    );
  }
  return steps.join(' ');
}

/** How to ingest again what failed, once its cause is mended. */
function stepsAfterFailure(sources: readonly ReportedSource[], canWrite: boolean): string[] {
  const failed = sources.flatMap(({ state, gone, document, id }) =>
    // Raw files cannot be ingested anew (fini-api.md, "refresh sources").
    state === 'failed' && !gone && document?.source !== 'files' ? { id, document } : [],
  );
  const steps = [
    'For each failed source do what its hint says, and leave out what stays as it is.',
  ];
  if (failed.length === 0) return steps;
  if (!canWrite) return [...steps, 'This server is read-only, so it cannot ingest it again.'];
  const isWeb = ({ document }: (typeof failed)[number]) => document?.source === 'web';
  for (const english of [true, false]) {
    const pages = failed.filter(
      (source) => isWeb(source) && isEnglish(source.document) === english,
    );
    const urls = pages.flatMap(({ document }) => document?.originalUrl ?? []);
    if (urls.length === 0) continue;
    const flag = english ? '' : ', "english": false';
    steps.push(`Then call ingest_and_wait with {"documentIdsToRefresh": ${someOf(urls)}${flag}}.`);
  }
  const ids = failed.filter((source) => !isWeb(source)).map(({ id }) => id);
  if (ids.length > 0) {
    steps.push(`Then call refresh_sources with {"documentIds": ${someOf(ids)}}.`);
  }
  return steps;
}

/** As Fini's default has it where a record does not say. */
function isEnglish(document: FiniDocument | null): boolean {
  return document?.english ?? true;
}

/** A list as JSON; of a long one the beginning, since the report has the rest. */
function someOf(items: readonly string[]): string {
  const left = items.length - NAMED_AS_TEXT;
  const list = JSON.stringify(items.slice(0, NAMED_AS_TEXT));
  return left > 0 ? `${list} and the ${left} others that failed` : list;
}

/** The report in short: totals, failures, what was not queued, and how to go on. */
export function reportText(report: ReportOutput): string {
  const { counts, outcome, sources, unqueued, elapsedSeconds } = report;
  const lines = [
    `${outcome}: ${counts.completed} of ${counts.submitted} completed, ${counts.failed} failed, ${counts.unfinished} unfinished, ${counts.unqueued} not queued, in ${elapsedSeconds} s.`,
    ...namedSources(sources, 'failed'),
    ...namedSources(sources, 'unfinished'),
    ...unqueued.slice(0, NAMED_AS_TEXT).map((input) => `- not queued: ${input}`),
    more(unqueued.length, 'not queued'),
    ...namedSources(sources, 'completed'),
    report.nextSteps,
  ];
  return lines.filter((line) => line !== '').join('\n');
}

function namedSources(
  sources: ReportOutput['sources'],
  status: ReportOutput['sources'][number]['status'],
): string[] {
  const wanted = sources.filter((source) => source.status === status);
  const lines = wanted.slice(0, NAMED_AS_TEXT).map((source) => {
    const { id, originalUrl, title } = source;
    const name = originalUrl || title;
    return `- ${status}: ${name ? `${name} (${id})` : id}${howItIs(source)}`;
  });
  return [...lines, more(wanted.length, status)];
}

function howItIs({
  status,
  title,
  jobStatus,
  error,
  hint,
}: ReportOutput['sources'][number]): string {
  if (status === 'completed') return title ? `: ${title}` : '';
  const progress = jobStatus === null ? 'not begun' : jobStatus;
  const parts = [error ?? progress, hint].filter((part) => part !== undefined);
  return parts.length === 0 ? '' : `: ${parts.join(' → ')}`;
}

function more(count: number, what: string): string {
  const left = count - NAMED_AS_TEXT;
  return left > 0 ? `- and ${left} more ${what}, all in the structured content` : '';
}
