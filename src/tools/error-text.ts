import { bounded, counted, ERROR_LENGTH } from '../bounded.ts';
import { FiniError, type Scope } from '../fini/errors.ts';
import { IngestionError } from '../ingestion/ingestion.ts';
import { WaitEnded } from '../ingestion/wait.ts';

/** No tool can work without a key. What to do about it depends on how the server is reached. */
export class MissingKeyError extends Error {
  override readonly name = 'MissingKeyError';

  constructor() {
    super('No Fini API key is set.');
  }
}

const KEY = 'workspace key (it begins with "fini_"; Fini\'s dashboard makes one)';

function missingKey(overHttp: boolean): string {
  const start = 'No Fini API key is set, so nothing was sent to Fini.';
  const how = overHttp
    ? `Ask the person to send a ${KEY} in the X-Fini-Api-Key header, which the MCP client's configuration sets, or to set FINI_API_KEY in the server's environment and restart the server.`
    : `Ask the person to put FINI_API_KEY (a ${KEY}) into the "env" of this server in the MCP client's configuration and to restart the server.`;
  return `${start} ${how} To try without an account, start the server with --sandbox.`;
}

/** How a person sets another key, in words that follow "Ask the person to". */
function setKey(overHttp: boolean, key: string): string {
  return overHttp
    ? `send ${key} in the X-Fini-Api-Key header, or to set FINI_API_KEY to it in the server's environment and restart the server`
    : `set FINI_API_KEY to ${key} and to restart the server`;
}

const LISTED_ITEMS = 500;

/** What a failed write leaves behind, and how to find out; by the operation's name. */
const AFTER_UNCERTAIN_WRITE: Readonly<Record<string, string>> = {
  'crawl links':
    'A crawl creates nothing, so it is safe to call again; a smaller limit makes it faster.',
  'register provider resources':
    'The resources may have been registered. Registering queues nothing and known ones only come back as updated, so it is safe to call again.',
  'ingest sources':
    'The jobs may have been queued all the same, so do not simply call again: look first with list_sources, originalUrl set to one of the URLs (or id to one of the IDs). If linkedJobStatus is PENDING or IN_PROGRESS they are queued: go on with wait_for_sources. If not, call again; ingest_and_wait does this check itself.',
  'refresh sources':
    'The jobs may have been queued all the same, so do not simply call again: look first at one of the sources with get_source. If linkedJobStatus is PENDING or IN_PROGRESS they are queued: go on with wait_for_sources.',
  'delete sources':
    'The sources may have been deleted all the same: look with get_source before calling again.',
};

/**
 * What went wrong, why and what to do next, for a model or a person: the one place in which errors
 * become text. An error that is none of ours gives null, and so does a wait that one has ended.
 *
 * @param overHttp Whether the client reaches the server over HTTP, where a key comes in a header.
 */
export function explainError(error: unknown, overHttp = false): string | null {
  if (error instanceof IngestionError) {
    const cause = explainCause(error, overHttp);
    return cause === null ? null : explainFate(error, cause);
  }
  if (error instanceof MissingKeyError) return missingKey(overHttp);
  if (error instanceof FiniError)
    return explainFiniError(error, overHttp, AFTER_UNCERTAIN_WRITE[error.operation]);
  return null;
}

/** The same for a fault of this server, whose details are in the log under a reference. */
export function explainFault(error: unknown, reference: string): string {
  const cause = `Something went wrong inside fini-mcp, which is a fault of this server and not of the input. Its log on stderr has the details under the reference ${reference}.`;
  if (error instanceof IngestionError) return explainFate(error, cause);
  return `${cause} Calling again may help; if not, report it with that log.`;
}

/** Why a wait has failed; null where that is a fault of this server. */
function explainCause({ cause, stage }: IngestionError, overHttp: boolean): string | null {
  // Where it is uncertain, the items say what to do.
  const next = stage === 'maybe_queued' ? '' : undefined;
  if (cause instanceof FiniError) return explainFiniError(cause, overHttp, next).trim();
  return cause instanceof WaitEnded ? cause.message : null;
}

/** What is true of the items of a wait that failed, and how to go on with each. */
function explainFate(error: IngestionError, cause: string): string {
  const { stage, queued, joined, doubtful, left, queuedAfter } = error;
  const since =
    queuedAfter === null || !Number.isFinite(queuedAfter)
      ? ''
      : ` and queuedAfter ${JSON.stringify(new Date(queuedAfter).toISOString())}`;
  const running =
    joined.length === 0
      ? ''
      : ` ${counted(joined.length, 'source')} had jobs running before, which continue: call wait_for_sources with ids ${listed(joined)}.`;
  const unsent =
    left.length === 0
      ? ''
      : ` Not queued: ${listed(left)}. To queue ${left.length === 1 ? 'it' : 'them'}, call ingest_and_wait again.`;
  const done =
    queued.length === 0
      ? ''
      : ` This call queued ${counted(queued.length, 'source')}: call wait_for_sources with ids ${listed(queued)}${since}.`;
  switch (stage) {
    case 'not_queued':
      return `Nothing was queued. ${cause}${running}`;
    case 'partly_queued':
      return `Only a part was queued. ${cause}${done}${unsent}${running}`;
    case 'maybe_queued':
      return `Fini did not confirm the queueing of ${counted(doubtful.length, 'item')}. ${cause} They may have been queued all the same. Find out with list_sources, ${howToFind(doubtful)}: linkedJobStatus PENDING or IN_PROGRESS means queued, so call wait_for_sources with those IDs. If they are not after a minute, call ingest_and_wait again; it joins what runs and queues the rest. (A source that was ingested before shows its old result until its new job starts.) Items: ${listed(doubtful)}.${done}${unsent}${running}`;
    case 'queued':
      return queued.length === 0
        ? `The wait ended early. ${cause}${running}`
        : `The wait ended early. ${cause} The jobs continue at Fini. Once the cause is fixed, call wait_for_sources with ids ${listed(queued)}${since}.${running}`;
  }
}

function howToFind(items: readonly string[]): string {
  const first = items[0] ?? '';
  return URL.canParse(first)
    ? `originalUrl ${JSON.stringify(first)}`
    : `id ${JSON.stringify(first)}`;
}

function listed(items: readonly string[]): string {
  const more = items.length - LISTED_ITEMS;
  const list = JSON.stringify(items.slice(0, LISTED_ITEMS));
  return more > 0 ? `${list} and ${more} more (list_sources shows them)` : list;
}

/** @param next What to do where nobody knows whether the request was carried out. */
function explainFiniError(
  error: FiniError,
  overHttp: boolean,
  next = 'Call again in a minute.',
): string {
  const said = JSON.stringify(bounded(error.message, ERROR_LENGTH).replace(/\.$/, ''));
  const task = error.operation;
  switch (error.failure) {
    case 'refused':
      return explainStatus(error, overHttp, said, next);
    case 'redirected':
      return `Fini redirected the request to ${task} instead of answering (HTTP ${error.status}). The key is not sent to another address, so this was not followed. Check FINI_BASE_URL. ${next}`;
    case 'unreadable':
      return `Fini's answer to "${task}" could not be read: ${said}. A proxy or a login page may stand between; check FINI_BASE_URL if it stays so. ${next}`;
    case 'too_large':
      return `Fini's answer to "${task}" is too large: ${said}. Ask for less (a smaller limit). ${next}`;
    case 'timed_out':
      return `Fini did not finish the request to ${task} in time: ${said}. ${next} FINI_REQUEST_TIMEOUT_MS allows more time.`;
    case 'interrupted':
      return `The connection broke during the request to ${task}: ${said}. ${next}`;
    case 'unreachable':
      return `Fini could not be reached to ${task}: ${said}. Nothing was carried out. Check the network and FINI_BASE_URL, then call again.`;
    case 'not_sent':
      return `The request to ${task} was not sent: ${said}. Nothing was carried out. Call again in a minute.`;
  }
}

/** What is known of a key without a scope, and what it is still good for. */
function withoutScope(operation: string, scope: Scope, overHttp: boolean): string {
  const what =
    scope === 'write'
      ? 'it is read-only, so only list_sources, get_source, wait_for_sources and list_provider_resources work with it'
      : 'it is write-only, so only deep_crawl_links, register_provider_resources, ingest_sources and refresh_sources work with it';
  return `To ${operation}, the API key needs the scope "${scope}", which it lacks: ${what}. Ask the person to ${setKey(overHttp, 'a key with both scopes')}; calling again with this one cannot help.`;
}

function explainStatus(error: FiniError, overHttp: boolean, said: string, next: string): string {
  const { status = 0, operation } = error;
  const start = `Fini refused to ${operation} (HTTP ${status}): ${said}.`;
  switch (status) {
    case 401:
      return `${start} The API key is missing, malformed, revoked or wrong. Ask the person to ${setKey(overHttp, 'the full workspace key (it begins with "fini_")')}; calling again before that cannot help.`;
    case 403: {
      if (error.missingScope !== undefined)
        return `${start} ${withoutScope(operation, error.missingScope, overHttp)}`;
      const scope = /^(list|get)/.test(operation) ? 'read' : 'write';
      return `${start} To ${operation}, the API key needs the scope "${scope}", and an ID must belong to the key's own workspace. Ask the person for a key with that scope; calling again with this one cannot help.`;
    }
    case 404:
      return operation === 'get source'
        ? `${start} There is no such source in this workspace. Find the right ID with list_sources.`
        : `${start} The API is not where it is looked for: check FINI_BASE_URL.`;
    case 429: {
      const wait = error.retryAfterSeconds;
      const pause = wait === undefined ? 'a minute' : `${Math.ceil(wait)} s`;
      return `${start} Fini limits how often it is asked; nothing was carried out. Call again in ${pause}.`;
    }
    default:
      if (status >= 500) {
        return `Fini failed to ${operation} (HTTP ${status}): ${said}. ${next}`;
      }
      if (operation === 'ingest sources') {
        return `${start} Nothing was carried out. Fix the input accordingly and call again. If an ID is a provider's own (Notion's look like source IDs), pass it to import_provider_resources as externalIds instead.`;
      }
      return `${start} Nothing was carried out. ${operation.includes('provider') ? 'A provider must be connected in the Fini dashboard; if it is, fix' : 'Fix'} the input accordingly and call again.`;
  }
}
