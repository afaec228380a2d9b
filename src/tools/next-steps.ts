import type { Processing } from '../engine/job-states.ts';
import type { Report, ReportedSource } from '../engine/source-report.ts';
import { INGEST_SOURCES, type IngestRequest } from '../fini/client.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import { plural } from '../text.ts';
import { listCall, waitForBatchCall } from './batch.ts';
import { queuedAfterInput } from './fields.ts';
import { callForItems, type NextCall } from './next-calls.ts';
import { isLost, retriable } from './reported-source.ts';

/** The settings of a request that queued, so that another call can queue in the same way. */
export type Queueing = Omit<IngestRequest, 'documentIdsToAdd'>;

/**
 * The calls that may follow a wait, the most important first.
 *
 * @param queueing The request of the call; null if it only waited.
 */
export function nextCallsAfterWait(report: Report, queueing: Queueing | null): NextCall[] {
  const { sources, held, neverIngested, unqueued } = report;
  const isExplained = new Set([...held, ...neverIngested.map(({ id }) => id)]);
  const withoutId = unqueued.filter((input) => !isExplained.has(input));
  return [
    ...waitCalls(report),
    ...lostCalls(report),
    ...retryCalls(retriable(sources)),
    ...ingestCalls(
      queueing && { ...queueing, documentIdsToRefresh: [] },
      withoutId,
      `Queue ${plural(withoutId.length, 'item')} without an ID again, once it is right`,
    ),
    ...ingestCalls(
      queueing,
      held,
      `Queue ${plural(held.length, 'item')} again in ${report.heldSeconds} s, if Fini does not show the result by then`,
    ),
    ...firstIngestCalls(neverIngested),
    ...applyCalls(sources, queueing),
    ...generateCalls(report),
  ];
}

/** The call that waits for these sources. */
export function waitCall(
  ids: readonly string[],
  queuedAfter: number | null,
  why: string,
): NextCall[] {
  return callForItems('wait_for_sources', 'ids', ids, why, queuedAfterInput(queuedAfter));
}

/** The calls that ingest items as they were passed: new ones, and those to ingest again. */
export function ingestCalls(
  request: Queueing | null,
  items: readonly string[],
  why: string,
): NextCall[] {
  if (request === null) return [];
  const again = new Set(request.documentIdsToRefresh);
  const input = {
    ...(request.source !== 'web' && { source: request.source }),
    ...processingInput(request),
  };
  const toAdd = items.filter((item) => !again.has(item));
  const toRefresh = items.filter((item) => again.has(item));
  return [
    ...callForItems('ingest_and_wait', 'documentIdsToAdd', toAdd, why, input),
    ...callForItems('ingest_and_wait', 'documentIdsToRefresh', toRefresh, why, input),
  ];
}

function waitCalls({ sources, queuedAfter, batch }: Report): NextCall[] {
  const unfinished = sources.filter(({ state }) => state === 'unfinished');
  const ids = [...new Set(unfinished.filter((source) => !isLost(source)).map(({ id }) => id))];
  if (ids.length === 0) return [];
  const why = `Wait for ${plural(ids.length, 'unfinished source')}`;
  // A wait for the whole batch would also wait for a lost job.
  const isWhole = !unfinished.some(isLost);
  return batch !== null && isWhole
    ? [waitForBatchCall(batch, why)]
    : waitCall(ids, queuedAfter, why);
}

/** Shows later whether jobs that count as lost have gone on all the same. */
function lostCalls({ sources, batch }: Report): NextCall[] {
  const lost = sources.filter(isLost).length;
  if (batch === null || lost === 0) return [];
  return [listCall(batch, `See later whether ${plural(lost, 'stuck job')} went on`, 'running')];
}

/** The calls that ingest these again: pages by URL, with their settings, and everything else by ID. */
function retryCalls(sources: readonly ReportedSource[]): NextCall[] {
  const groups = new Map<string, { input: Record<string, boolean>; urls: string[] }>();
  const ids: string[] = [];
  for (const source of sources) {
    const { id, document } = source;
    const url = webPageUrl(source);
    if (url === undefined) {
      ids.push(id);
      continue;
    }
    const english = document?.english !== false;
    const input = processingInput({ english, baser: document?.baser === true });
    const key = JSON.stringify(input);
    const group = groups.get(key) ?? { input, urls: [] };
    group.urls.push(url);
    groups.set(key, group);
  }
  const pages = [...groups.values()].flatMap(({ input, urls }) => {
    const why = `Ingest ${plural(urls.length, 'failed page')} again, once the cause is fixed`;
    return callForItems('ingest_and_wait', 'documentIdsToRefresh', urls, why, input);
  });
  const why = `Refresh ${plural(ids.length, 'failed source')}, once the cause is fixed`;
  return [...pages, ...callForItems('refresh_sources', 'documentIds', ids, why)];
}

/** The calls that ingest again what joined a job with other settings, once that job has ended. */
function applyCalls(sources: readonly ReportedSource[], queueing: Queueing | null): NextCall[] {
  const ended = sources.filter(({ ignored, state }) => ignored.length > 0 && state === 'completed');
  if (queueing === null || ended.length === 0) return [];
  const settings = [...new Set(ended.flatMap(({ ignored }) => ignored))].join(' and ');
  const why = `Apply ${settings} of this call to ${plural(ended.length, 'source')}`;
  const items = ended.flatMap((source) => webPageUrl(source) ?? source.id);
  return ingestCalls({ ...queueing, documentIdsToRefresh: items }, items, why);
}

/** The calls that ingest sources which were never ingested. */
function firstIngestCalls(documents: readonly FiniDocument[]): NextCall[] {
  const remaining = new Set(documents.filter(({ source }) => source !== 'files'));
  const calls = INGEST_SOURCES.flatMap((source) => {
    const theirs = [...remaining].filter((document) => document.source === source);
    const names = theirs.flatMap((document) => {
      const name = source === 'web' ? document.originalUrl : document.id;
      if (name) remaining.delete(document);
      return name || [];
    });
    const why = `Ingest ${plural(names.length, 'source')} for the first time`;
    const kind = source === 'web' ? {} : { source };
    return callForItems('ingest_and_wait', 'documentIdsToAdd', names, why, kind);
  });
  const ids = [...remaining].map(({ id }) => id);
  const why = `Ingest ${plural(ids.length, 'source')} for the first time`;
  return [...calls, ...callForItems('refresh_sources', 'documentIds', ids, why)];
}

function generateCalls({ sources, batch }: Report): NextCall[] {
  const completed = sources.filter(({ state }) => state === 'completed');
  const ids = [...new Set(completed.map(({ id }) => id))];
  const why = `Generate draft articles from ${plural(ids.length, 'completed source')}`;
  if (batch === null || ids.length === 0) return [];
  return [{ tool: 'generate_knowledge', arguments: { batch }, why }];
}

/** A page's URL; undefined for a source of any other kind. */
function webPageUrl({ document }: ReportedSource): string | undefined {
  return (document?.source === 'web' && document.originalUrl) || undefined;
}

/** The inputs for these settings, without defaults. */
function processingInput({ english, baser }: Processing): Record<string, boolean> {
  return { ...(!english && { english }), ...(baser && { baser }) };
}
