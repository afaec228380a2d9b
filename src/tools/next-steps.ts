import type { Report, ReportedSource } from '../engine/source-report.ts';
import { INGEST_SOURCES } from '../fini/client.ts';
import type { FiniDocument } from '../fini/documents.ts';
import type { FiniError } from '../fini/errors.ts';
import {
  bounded,
  counted,
  ERROR_LENGTH,
  fitting,
  jsonBytes,
  jsonText,
  paragraph,
  shown,
  WORD_LENGTH,
} from '../text.ts';
import { queuedAfterInput } from './fields.ts';
import { RAW_FILE_HINT } from './hints.ts';
import { adviceOn, isBlank, isLost } from './reported-source.ts';
import type { ToolContext } from './tool.ts';

/** How many sources one call to wait for them names. */
export const IDS_IN_A_CALL = 1_000;
/** How many lost jobs a next step names; sources tell of each. */
const LOST_IN_A_STEP = 10;
/** How many sources a next step names for generating drafts. */
const DRAFTED_IN_A_STEP = 10;
/** How much of a report the items to try again may take, in bytes. */
const RETRIED_BYTES = 16_000;

/**
 * What to do after a wait, a sentence or two for each thing, with the exact calls.
 *
 * @param canCall Whether a tool is there, so that only such are named.
 */
export function nextSteps(report: Report, canCall: ToolContext['canCall']): string[] {
  const canIngest = canCall('ingest_and_wait');
  const { counts, sources, held, neverIngested, trouble } = report;
  const isExplained = new Set([...held, ...neverIngested.map(({ id }) => id)]);
  const unqueued = report.unqueued.filter((input) => !isExplained.has(input));
  const steps: string[] = [];
  if (counts.unfinished > 0) steps.push(...howToContinue(report));
  if (trouble !== null) steps.push(troubleStep(trouble));
  if (counts.failed > 0) steps.push(...stepsAfterFailure(sources, canIngest));
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
      `${counted(held.length, 'item')} (listed as not queued) may already be queued: an earlier call sent ${them}, and Fini does not show the result yet. This call did not queue ${them} again. In ${report.heldSeconds} s, call ingest_and_wait with ${them} again.`,
    );
  }
  if (neverIngested.length > 0) steps.push(howToIngest(neverIngested, canIngest));
  if (canIngest) steps.push(...stepsAfterJoining(sources));
  if (counts.completed > 0) {
    const next = canCall('generate_knowledge') ? howToGenerate(sources) : '';
    steps.push(
      `Completed is not yet live: the content must still go through Knowledge (generation, review, publishing, assignment) before agents answer from it.${next} ${canCall('publish_articles') ? 'After the review, publish_articles publishes them; assignment is' : 'Publishing and assignment are'} done in the Fini dashboard.`,
    );
  }
  return steps;
}

/** What kept Fini from answering the last look at jobs. */
export function troubleStep({ message }: FiniError): string {
  return `Fini did not answer the last status check: ${JSON.stringify(bounded(message, ERROR_LENGTH))}.`;
}

/** How to generate drafts from what is completed. */
function howToGenerate(sources: readonly ReportedSource[]): string {
  const completed = sources.filter(({ state }) => state === 'completed');
  const documentIds = [...new Set(completed.map(({ id }) => id))];
  const input =
    documentIds.length <= DRAFTED_IN_A_STEP
      ? jsonText({ documentIds })
      : 'documentIds set to the IDs of completed sources, at most 100 at once (list_sources with status "completed" shows them)';
  return ` To generate draft articles, call generate_knowledge with ${input}.`;
}

/** How to ingest sources that were never ingested, of any kind. */
function howToIngest(documents: readonly FiniDocument[], canIngest: boolean): string {
  const start = `${counted(documents.length, 'source')} (listed as not queued) ${documents.length === 1 ? 'was' : 'were'} never ingested, so there is no job to wait for.`;
  if (!canIngest) return `${start} This server has no tools that ingest.`;
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
  return paragraph(start, ...parts);
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

/** What to do about lost jobs, each named by its source and its job. */
function howToRescue(lost: readonly ReportedSource[]): string[] {
  if (lost.length === 0) return [];
  const named = [...new Map(lost.map(({ id, document }) => [id, document]))];
  const jobs = named.slice(0, LOST_IN_A_STEP).map(([id, document]) => {
    // In quotes, so that it cannot pass for a step, nor close the quotes of what follows.
    const job = shown(document?.linkedJobId, WORD_LENGTH);
    return job === undefined ? id : `${id} (job ${JSON.stringify(job)})`;
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
  const since = queuedAfterInput(queuedAfter);
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
function stepsAfterFailure(sources: readonly ReportedSource[], canIngest: boolean): string[] {
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
  if (!canIngest) return [`${each}.${some}${end} This server has no tools that ingest.`];
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
