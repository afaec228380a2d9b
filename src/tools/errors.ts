import { randomUUID } from 'node:crypto';
import { GenerationError, SourcesNotReady } from '../engine/drafts.ts';
import { IngestionError } from '../engine/ingest.ts';
import { WaitEnded } from '../fini/deadline.ts';
import { FiniError, type Operation, type Scope } from '../fini/errors.ts';
import { counted, jsonText, parsedUrl, quotedMessage } from '../text.ts';
import { MissingKeyError } from '../workspace.ts';
import { queuedAfterInput } from './fields.ts';
import { RAW_FILE_HINT } from './hints.ts';
import { listedNames, toolsFor } from './index.ts';
import { generateCall, ingestCall, waitCall } from './next-calls.ts';
import type { ServerKind, ToolDependencies } from './tool.ts';

const KEY = 'workspace key (it starts with "fini_"; create one in the Fini dashboard)';

function missingKey(kind: ServerKind): string {
  const start = 'No Fini API key is set, so nothing was sent to Fini.';
  const how = kind.http
    ? `Ask the person to send a ${KEY} in the X-Fini-Api-Key header, which is set in the MCP client's configuration, or to set FINI_API_KEY in the server's environment and restart the server.`
    : `Ask the person to set FINI_API_KEY to a ${KEY} in the "env" of this server in the MCP client's configuration, and to restart the server.`;
  return `${start} ${how} To try without an account, start the server with --sandbox.`;
}

/** How a person sets another key, in words that follow "Ask the person to". */
function setKey(kind: ServerKind, key: string): string {
  return kind.http
    ? `send ${key} in the X-Fini-Api-Key header, or to set FINI_API_KEY to it in the server's environment and restart the server`
    : `set FINI_API_KEY to ${key} and restart the server`;
}

/** What a failed write may have done, and how to check, by the operation's name. */
const AFTER_UNCERTAIN_WRITE: Readonly<Partial<Record<Operation, string>>> = {
  'crawl links':
    'A crawl creates nothing, so it is safe to call again. A smaller limit makes it faster.',
  'register provider resources':
    'The resources may have been registered. Registering queues nothing, and registering an item again only updates it, so it is safe to call again.',
  'ingest sources':
    'The jobs may have been queued all the same, so do not simply call again. First call list_sources with {"originalUrl":"ONE OF THE URLS"}, or get_source with {"id":"ONE OF THE IDS"}. If linkedJobStatus is PENDING or IN_PROGRESS, they are queued: call wait_for_sources with {"ids":["THEIR IDS"]}. If not, call again. ingest_and_wait does this check itself.',
  'refresh sources':
    'The jobs may have been queued all the same, so do not simply call again. First check one of the sources: call get_source with {"id":"ITS ID"}. If linkedJobStatus is PENDING or IN_PROGRESS, they are queued: call wait_for_sources with {"ids":["THEIR IDS"]}.',
  'generate knowledge':
    'Drafts may be generated all the same. In a few minutes, call list_articles with {"type":"draft"}.',
  'publish articles':
    'It may be published all the same, and is not sent again for a minute. Then check it with get_articles: published_draft means that it is published.',
  'delete sources':
    'The sources may have been deleted all the same. Before calling again, call get_source with {"id":"ONE OF THE IDS"}.',
};

const NO_SUCH_ADDRESS = 'The Fini API was not found at this address: check FINI_BASE_URL.';

/** What a 404 means where it may be for an ID, by the operation's name. */
const NOT_FOUND: Readonly<Partial<Record<Operation, string>>> = {
  'get source': 'There is no such source in this workspace. Find the right ID with list_sources.',
  'get articles':
    'Either there are no such articles in this workspace (list_articles shows the IDs), or the Fini API was not found at this address (check FINI_BASE_URL).',
  'publish articles':
    'Fini has no such draft any more, or not its folder (get_knowledge_tree shows the folders). Check the draft with get_articles.',
  'get folder tree':
    'Either there is no such agent in this workspace (list_agents shows the IDs), or the Fini API was not found at this address (check FINI_BASE_URL).',
};

/**
 * What went wrong, why and what to do next, for a model or a person: the one place in which errors
 * become text. Null for an error that is not ours, and for a wait that such an error has ended.
 *
 * @param kind Tells how the client sets a key, and which tools it has.
 */
export function explainError(error: unknown, kind: ServerKind): string | null {
  if (error instanceof IngestionError) {
    const cause = explainCause(error, kind);
    return cause === null ? null : explainFate(error, cause);
  }
  if (error instanceof SourcesNotReady) return notReady(error, kind);
  if (error instanceof GenerationError) {
    const cause = causeOf(error, kind);
    return cause === null ? null : explainGeneration(error, cause);
  }
  if (error instanceof MissingKeyError) return missingKey(kind);
  if (error instanceof FiniError)
    return explainFiniError(error, kind, AFTER_UNCERTAIN_WRITE[error.operation]);
  return null;
}

/**
 * What a client is told of any error: {@link explainError}, or of one that nobody expected, where to
 * look it up.
 */
export function failureText(
  error: unknown,
  { onUnexpectedError }: Pick<ToolDependencies, 'onUnexpectedError'>,
  kind: ServerKind,
): string {
  const text = explainError(error, kind);
  if (text !== null) return text;
  const reference = randomUUID();
  onUnexpectedError(reference, error);
  return explainFault(error, reference);
}

/** The same for a fault of this server, whose details are in the log under a reference. */
function explainFault(error: unknown, reference: string): string {
  const cause = `Something went wrong inside fini-mcp. The input did not cause it. The server's log on stderr has the details under the reference ${reference}.`;
  if (error instanceof IngestionError) return explainFate(error, cause);
  if (error instanceof GenerationError) return explainGeneration(error, cause);
  return `${cause} Try again. If it fails again, report it with that log.`;
}

/** Why a wait has failed; null where that is a fault of this server. */
function explainCause({ cause, stage }: IngestionError, kind: ServerKind): string | null {
  // Where it is uncertain, the items say what to do.
  const next = stage === 'maybe_queued' ? '' : undefined;
  if (cause instanceof FiniError) return explainFiniError(cause, kind, next).trim();
  return cause instanceof WaitEnded ? cause.message : null;
}

/** Why a generation has failed; null where that is a fault of this server. */
function causeOf({ cause, doubtful }: GenerationError, kind: ServerKind): string | null {
  // Where it is uncertain, the sources say what to do.
  const next = doubtful.length > 0 ? '' : undefined;
  if (cause instanceof FiniError) return explainFiniError(cause, kind, next).trim();
  return cause instanceof WaitEnded ? cause.message : null;
}

/** What is true of the sources of a generation that failed, and how to continue. */
function explainGeneration({ queued, doubtful }: GenerationError, cause: string): string {
  const running =
    queued.length === 0
      ? ''
      : ` ${counted(queued.length, 'job')} ${queued.length === 1 ? 'continues' : 'continue'} at Fini. Once the cause is fixed, ${generateCall(queued)} It joins jobs that are running.`;
  if (doubtful.length > 0) {
    return `Fini did not confirm that drafts are being generated from ${counted(doubtful.length, 'source')}. ${cause} They may be generated all the same. To check, call list_articles with {"type":"draft"} in a few minutes. If there are no new drafts, ${generateCall(doubtful)}${running}`;
  }
  return queued.length > 0
    ? `The wait ended early. ${cause}${running}`
    : `Nothing was queued. ${cause}`;
}

/** What to do about sources from which nothing can be generated. */
function notReady({ reasons }: SourcesNotReady, kind: ServerKind): string {
  const canRefresh = listedNames(kind).has('refresh_sources');
  const idsOf = (reason: string) =>
    [...reasons].flatMap(([id, theirs]) => (theirs === reason ? [id] : []));
  const [absent, failed, running, never] = [
    idsOf('absent'),
    idsOf('failed'),
    idsOf('running'),
    idsOf('never_ingested'),
  ];
  const parts = [
    absent.length === 0
      ? ''
      : `Not in this workspace: ${absent.join(', ')}. list_sources shows the IDs.`,
    failed.length === 0
      ? ''
      : `Failed to be ingested: ${failed.join(', ')}. list_sources with status "failed" shows why.`,
    running.length === 0 ? '' : `Still running: first ${waitCall(running)}`,
    never.length === 0
      ? ''
      : `Never ingested: first ${canRefresh ? `call refresh_sources with ${jsonText({ documentIds: never })}, and wait` : `ingest ${never.join(', ')}, for which this server has no tool`}.`,
  ].filter((part) => part !== '');
  return `Nothing was queued. Drafts can only be generated from sources that were ingested successfully, and ${counted(reasons.size, 'source')} ${reasons.size === 1 ? 'was' : 'were'} not. ${parts.join(' ')} Leave ${reasons.size === 1 ? 'it' : 'them'} out to generate from the others.`;
}

/** What is true of the items of a wait that failed, and how to continue with each. */
function explainFate(error: IngestionError, cause: string): string {
  const { stage, queued, joined, doubtful, left, unread, request, queuedAfter } = error;
  const since = queuedAfterInput(queuedAfter);
  const running =
    joined.length === 0
      ? ''
      : ` ${counted(joined.length, 'source')} already had running jobs, which continue: ${waitCall(joined)}`;
  const unsent =
    left.length === 0
      ? ''
      : ` ${counted(left.length, 'item')} not queued. To queue ${left.length === 1 ? 'it' : 'them'}, ${ingestCall(left, request)}`;
  const done =
    queued.length === 0
      ? ''
      : ` This call queued ${counted(queued.length, 'source')}: ${waitCall(queued, since)}`;
  switch (stage) {
    case 'not_queued':
      return `Nothing was queued. ${cause}${running}`;
    case 'partly_queued':
      return `Only some items were queued. ${cause}${done}${unsent}${running}`;
    case 'maybe_queued':
      return `Fini did not confirm that ${counted(doubtful.length, 'item')} ${doubtful.length === 1 ? 'was' : 'were'} queued. ${cause} They may have been queued all the same. To check, call ${howToFind(doubtful)}: linkedJobStatus PENDING or IN_PROGRESS means queued, so call wait_for_sources with those IDs. If they are still not queued after a minute, ${ingestCall(doubtful, request)} It joins running jobs and queues the rest. (A source that was ingested before shows its old result until its new job starts.)${done}${unsent}${running}`;
    case 'queued':
      if (unread) {
        return `Nothing could be read of the ${counted(queued.length, 'source')}, so nothing is known of how the jobs stand. ${cause} Once the cause is fixed, ${waitCall(queued, since)}`;
      }
      return queued.length === 0
        ? `The wait ended early. ${cause}${running}`
        : `The wait ended early. ${cause} The jobs continue at Fini. Once the cause is fixed, ${waitCall(queued, since)}${running}`;
  }
}

function howToFind(items: readonly string[]): string {
  const first = items[0] ?? '';
  return parsedUrl(first) !== null
    ? `list_sources with ${jsonText({ originalUrl: first })}`
    : `get_source with ${jsonText({ id: first })}`;
}

/** @param next What to do if it is unknown whether the request was carried out. */
function explainFiniError(
  error: FiniError,
  kind: ServerKind,
  next = 'Call again in a minute.',
): string {
  const said = quotedMessage(error);
  const task = error.operation;
  switch (error.failure) {
    case 'refused':
      return explainStatus(error, kind, said, next);
    case 'redirected':
      return `Fini redirected the request to ${task} instead of answering (HTTP ${error.status}). The server does not follow redirects, so the key is not sent to another address. Check FINI_BASE_URL. ${next}`;
    case 'unreadable':
      return `Fini's answer to "${task}" could not be read: ${said}. A proxy or a login page may be in the way. If this happens again, check FINI_BASE_URL. ${next}`;
    case 'too_large':
      return `Fini's answer to "${task}" is too large: ${said}. Request less: fewer items, a filter or a smaller limit. ${next}`;
    case 'timed_out':
      return `Fini did not finish the request to ${task} in time: ${said}. ${next} To allow more time, set FINI_REQUEST_TIMEOUT_MS.`;
    case 'interrupted':
      return `The connection broke during the request to ${task}: ${said}. ${next}`;
    case 'unreachable':
      return `Fini could not be reached to ${task}: ${said}. Nothing was carried out. Check the network and FINI_BASE_URL, then call again.`;
    case 'not_sent':
      return `The request to ${task} was not sent: ${said}. Nothing was carried out. Call again in ${pauseOf(error)}.`;
  }
}

/** How long Fini, or its limit, asks to wait. */
function pauseOf({ retryAfterSeconds }: FiniError): string {
  return retryAfterSeconds === undefined ? 'a minute' : `${Math.ceil(retryAfterSeconds)} s`;
}

/** Which scope a key lacks, and what still works with it. */
function withoutScope(operation: Operation, scope: Scope, kind: ServerKind): string {
  const held = scope === 'write' ? 'read' : 'write';
  const tools = toolsFor(kind).filter((tool) => tool.scope === held);
  const names = new Intl.ListFormat('en-GB').format(tools.map(({ name }) => name));
  const which = names === '' ? 'no tool of this server works' : `only ${names} work`;
  const what = `It is ${held}-only, so ${which} with it`;
  return `The API key lacks the ${scope} scope, which is needed to ${operation}. ${what}. Ask the person to ${setKey(kind, 'a key with both scopes')}. Calling again with this key will not help.`;
}

function explainStatus(error: FiniError, kind: ServerKind, said: string, next: string): string {
  const { status = 0, operation } = error;
  const start = `Fini refused to ${operation} (HTTP ${status}): ${said}.`;
  switch (status) {
    case 401:
      return `${start} The API key is missing, malformed, revoked or wrong. Ask the person to ${setKey(kind, 'the full workspace key (it starts with "fini_")')}. Calling again before that will not help.`;
    case 403: {
      if (error.missingScope !== undefined)
        return `${start} ${withoutScope(operation, error.missingScope, kind)}`;
      const scope = /^(list|get)/.test(operation) ? 'read' : 'write';
      return `${start} To ${operation}, the API key needs the ${scope} scope, and every ID must belong to the key's workspace. Ask the person to ${setKey(kind, 'a key with that scope')}. Calling again with this key will not help.`;
    }
    case 404:
      return `${start} ${NOT_FOUND[operation] ?? NO_SUCH_ADDRESS}`;
    case 429: {
      return `${start} Fini's rate limit was reached, so nothing was carried out. Call again in ${pauseOf(error)}.`;
    }
    default:
      if (status >= 500) {
        return `Fini failed to ${operation} (HTTP ${status}): ${said}. ${next}`;
      }
      if (operation === 'ingest sources') {
        return `${start} Nothing was carried out. Fix the input accordingly and call again. If an ID is a provider's own (Notion's look like source IDs), pass it to import_provider_resources as externalIds instead.`;
      }
      if (operation === 'publish articles') {
        return `${start} Nothing was published. Correct the draft in the Fini dashboard, then call again.`;
      }
      if (operation === 'refresh sources') {
        return `${start} Nothing was carried out. Fix the input: leave out raw files (source "files") and IDs that Fini does not have (list_sources shows them all), then call again. ${RAW_FILE_HINT}`;
      }
      return `${start} Nothing was carried out. ${operation.includes('provider') ? 'The provider must be connected in the Fini dashboard. If it is, fix' : 'Fix'} the input accordingly and call again.`;
  }
}
