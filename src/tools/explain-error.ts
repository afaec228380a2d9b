import { randomUUID } from 'node:crypto';
import { GenerationError, NoFolders, SourcesNotReady } from '../engine/drafts.ts';
import { IngestionError } from '../engine/ingest.ts';
import { WaitEnded } from '../fini/deadline.ts';
import { FiniError, MissingKeyError, type Operation, type Scope } from '../fini/errors.ts';
import { PROVIDERS } from '../fini/provider-tree.ts';
import { paragraph, parsedUrl, plural, quotedMessage } from '../text.ts';
import { UnusableBatch, waitForBatchCall } from './batch.ts';
import { adviceOf } from './hints.ts';
import { listedNames, toolsFor } from './listed-tools.ts';
import { callForItems, type Explanation, type NextCall } from './next-calls.ts';
import { ingestCalls, waitCall } from './next-steps.ts';
import { renderText } from './render.ts';
import type { ServerKind, ToolDependencies } from './tool.ts';

/** A call of a tool that ended in an error. */
export interface FailedCall {
  readonly tool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  /** True if its tool takes timeoutSeconds. */
  readonly canWaitLonger?: boolean;
  /** The seconds that it had, if it would have had more with progress. */
  readonly silentSeconds?: number | undefined;
}

const KEY = 'workspace key (it starts with "fini_"; create one in the Fini dashboard)';

function missingKeyText(kind: ServerKind): string {
  const how = kind.http
    ? `Ask the person to send a ${KEY} in the X-Fini-Api-Key header, which is set in the MCP client's configuration, or to set FINI_API_KEY in the server's environment and restart the server.`
    : `Ask the person to set FINI_API_KEY to a ${KEY} in the "env" of this server in the MCP client's configuration, and to restart the server.`;
  return paragraph(
    'No Fini API key is set, so nothing was sent to Fini.',
    how,
    'A variable that the client does not expand counts as no key.',
    'To try without an account, start the server with --sandbox.',
  );
}

/** Instructions for setting another key, in words that follow "Ask the person to". */
function howToSetKey(kind: ServerKind, key: string): string {
  return kind.http
    ? `send ${key} in the X-Fini-Api-Key header, or to set FINI_API_KEY to it in the server's environment and restart the server`
    : `set FINI_API_KEY to ${key} and restart the server`;
}

function explanation(message: string, nextCalls: readonly NextCall[] = []): Explanation {
  return { message, nextCalls };
}

/** The items in these lists of a failed call. */
function itemsIn(call: FailedCall | undefined, ...lists: readonly string[]): string[] {
  return lists
    .flatMap((list) => call?.arguments[list] ?? [])
    .filter((item) => typeof item === 'string');
}

/** The same call once more. */
function sameCall(call: FailedCall | undefined, why: string): NextCall[] {
  return call === undefined ? [] : [{ tool: call.tool, arguments: call.arguments, why }];
}

/** The call that checks if the first of these items was queued. */
function checkCall([first]: readonly string[], why: string): NextCall[] {
  if (first === undefined) return [];
  return parsedUrl(first) === null
    ? [{ tool: 'get_source', arguments: { id: first }, why }]
    : [{ tool: 'list_sources', arguments: { originalUrl: first }, why }];
}

const DRAFTS: NextCall = {
  tool: 'list_articles',
  arguments: { type: 'draft' },
  why: 'Look for the drafts in a few minutes',
};
const CHECK_JOBS = 'Check whether the jobs were queued';

/** Explains that something may be queued all the same, and how to find out. */
function uncertainQueueing(call: FailedCall | undefined, items: readonly string[]): Explanation {
  const ids = items.filter((item) => parsedUrl(item) === null);
  return explanation(
    'The jobs may have been queued all the same, so check before calling again: linkedJobStatus PENDING or IN_PROGRESS means that they are queued.',
    [
      ...checkCall(items, CHECK_JOBS),
      ...waitCall(ids, null, 'Wait for the jobs, if they are queued'),
      ...sameCall(call, 'Queue them again, if they are not queued after a minute'),
    ],
  );
}

/** The possible effect of a failed write, and how to check it, by the operation's name. */
const AFTER_UNCERTAIN_WRITE: Readonly<
  Partial<Record<Operation, (call: FailedCall | undefined) => Explanation>>
> = {
  'crawl links': () =>
    explanation(
      'A crawl creates nothing, so it is safe to call again. A smaller limit makes it faster.',
    ),
  'register provider resources': () =>
    explanation(
      paragraph(
        'The resources may have been registered.',
        'Registering queues nothing, and registering an item again only updates it, so it is safe to call again.',
      ),
    ),
  'ingest sources': (call) =>
    uncertainQueueing(call, itemsIn(call, 'documentIdsToAdd', 'documentIdsToRefresh')),
  'refresh sources': (call) => uncertainQueueing(call, itemsIn(call, 'documentIds')),
  'generate knowledge': () => explanation('Drafts may be generated all the same.', [DRAFTS]),
  'publish articles': (call) =>
    explanation(
      paragraph(
        'It may be published all the same, and is not sent again for a minute.',
        'Check it then: published_draft means that it is published.',
      ),
      callForItems(
        'get_articles',
        'articleIds',
        itemsIn(call, 'articleIds'),
        'Check in a minute what is published',
      ),
    ),
  'delete sources': (call) =>
    explanation(
      'The sources may have been deleted all the same, so check before calling again.',
      checkCall(itemsIn(call, 'documentIds'), 'Check whether the sources are still there'),
    ),
};

const NO_SUCH_ADDRESS = 'The Fini API was not found at this address: check FINI_BASE_URL.';

/** The meaning of a 404 that may be about an ID, by the operation's name. */
const NOT_FOUND: Readonly<Partial<Record<Operation, Explanation>>> = {
  'get source': explanation('There is no such source in this workspace.', [
    { tool: 'list_sources', arguments: {}, why: 'Find the right ID' },
  ]),
  'get articles': explanation(
    'Either there are no such articles in this workspace, or the Fini API was not found at this address (check FINI_BASE_URL).',
    [{ tool: 'list_articles', arguments: {}, why: 'Find the right IDs' }],
  ),
  'publish articles': explanation('Fini has no such draft any more, or not its folder.', [
    { tool: 'list_articles', arguments: { type: 'draft' }, why: 'See the drafts' },
    { tool: 'get_knowledge_tree', arguments: {}, why: 'See the folders' },
  ]),
  'get folder tree': explanation(
    'Either there is no such agent in this workspace, or the Fini API was not found at this address (check FINI_BASE_URL).',
    [{ tool: 'list_agents', arguments: {}, why: 'Find the right ID' }],
  ),
};

/**
 * Explains an error: what happened, why, and what to do next. Errors become text only here. Null for an
 * error that is not this project's, and for a wait that such an error has ended.
 *
 * @param kind The kind of server: it decides how a key is set, and which tools there are.
 * @param call The failed call, so that the next calls can name its items.
 */
export function explainError(
  error: unknown,
  kind: ServerKind,
  call?: FailedCall,
): Explanation | null {
  if (error instanceof IngestionError) {
    const cause = causeOf(error.cause, error.stage === 'maybe_queued', kind, call);
    return cause && explainFailedIngestion(error, cause, call);
  }
  if (error instanceof UnusableBatch) return explanation(error.message, error.nextCalls);
  if (error instanceof SourcesNotReady) return explainNotReady(error, kind, call);
  if (error instanceof NoFolders) return explainNoFolders(error, call);
  if (error instanceof GenerationError) {
    const cause = causeOf(error.cause, error.doubtful.length > 0, kind, call);
    return cause && explainFailedGeneration(error, cause, call);
  }
  if (error instanceof MissingKeyError) return explanation(missingKeyText(kind));
  return error instanceof FiniError ? explainFiniError(error, kind, call) : null;
}

/**
 * Explains any error to a client: with {@link explainError}, or, for an unexpected one, by saying where
 * to look it up.
 */
export function explanationOf(
  error: unknown,
  { onUnexpectedError }: Pick<ToolDependencies, 'onUnexpectedError'>,
  kind: ServerKind,
  call?: FailedCall,
): Explanation {
  const explained = explainError(error, kind, call);
  if (explained !== null) {
    const names = listedNames(kind);
    const nextCalls = explained.nextCalls.filter(({ tool }) => names.has(tool));
    return { ...explained, nextCalls };
  }
  const reference = randomUUID();
  onUnexpectedError(reference, error);
  return explainFault(error, reference, call);
}

/** The same as text, for requests that no tool answers. */
export function failureText(...given: Parameters<typeof explanationOf>): string {
  return explanationText(explanationOf(...given));
}

/** An explanation as text. */
export function explanationText({ message, nextCalls }: Explanation): string {
  return renderText({ message, nextCalls }, {});
}

/** Explains a fault of this server, whose details are in the log under a reference. */
function explainFault(
  error: unknown,
  reference: string,
  call: FailedCall | undefined,
): Explanation {
  const cause = paragraph(
    'Something went wrong inside fini-mcp. The input did not cause it.',
    `The server's log on stderr has the details under the reference ${reference}.`,
  );
  if (error instanceof IngestionError)
    return explainFailedIngestion(error, explanation(cause), call);
  if (error instanceof GenerationError)
    return explainFailedGeneration(error, explanation(cause), call);
  return explanation(`${cause} Try again. If it fails again, report it with that log.`);
}

/**
 * The reason that a wait or a generation has failed; null if it is a fault of this server.
 *
 * @param isDoubtful True if it is unknown what was queued, which the explanation covers.
 */
function causeOf(
  cause: unknown,
  isDoubtful: boolean,
  kind: ServerKind,
  call: FailedCall | undefined,
): Explanation | null {
  if (cause instanceof FiniError) {
    return explainFiniError(cause, kind, call, explanation(isDoubtful ? '' : CALL_AGAIN));
  }
  return cause instanceof WaitEnded
    ? explanation(paragraph(cause.message, silenceText(call)))
    : null;
}

/** Says that a call had less time because its client asked for no progress, if that is so. */
function silenceText(call: FailedCall | undefined): string {
  const { silentSeconds } = call ?? {};
  if (silentSeconds === undefined) return '';
  return `This client asked for no progress, so a call has ${silentSeconds} s at most.`;
}

/** Advice on how to give a request more time. */
function moreTime({ hadLessTime }: FiniError, call: FailedCall | undefined): string {
  if (!hadLessTime || call === undefined) return 'To allow more time, set FINI_REQUEST_TIMEOUT_MS.';
  const how = call.canWaitLonger ? 'pass a larger timeoutSeconds' : 'set FINI_WAIT_TIMEOUT_SECONDS';
  return silenceText(call) || `To allow more time, ${how}.`;
}

/** The call that generates drafts from these sources, with the settings of the failed call. */
function generateCall(
  documentIds: readonly string[],
  why: string,
  call: FailedCall | undefined,
): NextCall[] {
  const { documentIds: _all, batch: _theirs, ...settings } = call?.arguments ?? {};
  return callForItems('generate_knowledge', 'documentIds', documentIds, why, settings);
}

/** Explains the state of a failed generation's sources, and how to continue. */
function explainFailedGeneration(
  { queued, doubtful, batch }: GenerationError,
  cause: Explanation,
  call: FailedCall | undefined,
): Explanation {
  const running =
    queued.length === 0 ? '' : `Jobs at Fini that continue: ${plural(queued.length, 'source')}.`;
  const why = `Wait for ${plural(queued.length, 'running job')}, once the cause is fixed`;
  const join = batch === null ? [] : [{ tool: 'generate_knowledge', arguments: { batch }, why }];
  if (doubtful.length > 0) {
    const sources = plural(doubtful.length, 'source');
    return explanation(
      paragraph(
        `Fini did not confirm the generation of drafts from ${sources}.`,
        cause.message,
        'They may be generated all the same.',
        running,
      ),
      [
        DRAFTS,
        ...generateCall(doubtful, `Generate from ${sources} again, if there are no drafts`, call),
        ...join,
      ],
    );
  }
  const start = queued.length > 0 ? 'The wait ended early.' : 'Nothing was queued.';
  return explanation(paragraph(start, cause.message, running), [...cause.nextCalls, ...join]);
}

/** Advice about sources from which nothing can be generated. */
function explainNotReady(
  { reasons }: SourcesNotReady,
  kind: ServerKind,
  call: FailedCall | undefined,
): Explanation {
  const idsOf = (reason: string) =>
    [...reasons].flatMap(([id, theirs]) => (theirs === reason ? [id] : []));
  const [absent, failed, running, never] = [
    idsOf('absent'),
    idsOf('failed'),
    idsOf('running'),
    idsOf('never_ingested'),
  ];
  const ready = itemsIn(call, 'documentIds').filter((id) => !reasons.has(id));
  const named = (what: string, ids: readonly string[]) =>
    ids.length === 0 ? '' : `${what}: ${ids.join(', ')}.`;
  return explanation(
    paragraph(
      'Nothing was queued.',
      'Drafts can only be generated from sources that were ingested successfully.',
      `Not ready: ${plural(reasons.size, 'source')}.`,
      named('Not in this workspace', absent),
      named('Failed to be ingested', failed),
      running.length > 0 ? `Still running: ${running.length}.` : '',
      never.length > 0 ? `Never ingested: ${never.length}.` : '',
      never.length > 0 && !listedNames(kind).has('refresh_sources')
        ? 'This server has no tools that ingest.'
        : '',
    ),
    [
      ...waitCall(running, null, `Wait for ${plural(running.length, 'running source')}`),
      ...callForItems(
        'refresh_sources',
        'documentIds',
        never,
        `Ingest ${plural(never.length, 'source')} for the first time`,
      ),
      ...generateCall(ready, `Generate from ${plural(ready.length, 'ready source')}`, call),
      ...checkCall(failed, failed.length === 1 ? 'See why it failed' : 'See why the first failed'),
      ...(absent.length > 0
        ? [{ tool: 'list_sources', arguments: {}, why: 'See the IDs of sources' }]
        : []),
    ],
  );
}

/** Advice where there are no folders to write articles into. */
function explainNoFolders({ botId }: NoFolders, call: FailedCall | undefined): Explanation {
  const [what, how] =
    botId === undefined
      ? ['This workspace has no folders', 'create folders']
      : ['No folder is assigned to this agent', 'assign folders to it'];
  return explanation(
    `Nothing was queued. ${what}, and without one no draft can be made. Ask the person to ${how} under Knowledge in the Fini dashboard, then call again. The folder tree is a snapshot: it may not show new folders yet.`,
    [
      { tool: 'get_knowledge_tree', arguments: {}, why: 'See the folders of the workspace' },
      ...sameCall(call, 'Generate once there are folders'),
    ],
  );
}

/** Explains the state of a failed wait's items, and how to continue with each. */
function explainFailedIngestion(
  error: IngestionError,
  cause: Explanation,
  call: FailedCall | undefined,
): Explanation {
  const { stage, queued, joined, doubtful, notQueued, unread, request, batch } = error;
  const items = plural(notQueued.length, 'item');
  const queue = (inputs: readonly string[], why: string) =>
    request === null ? sameCall(call, why) : ingestCalls(request, inputs, why);
  const counts = paragraph(
    queued.length > 0 ? `${plural(queued.length, 'source')} queued by this call.` : '',
    notQueued.length > 0 && stage !== 'not_queued' ? `${items} not queued.` : '',
    joined.length > 0
      ? `${plural(joined.length, 'source')} with a job that was already running, which continues.`
      : '',
  );
  const sources = plural(queued.length + joined.length, 'source');
  const why = `Wait for ${sources}, once the cause is fixed`;
  const waits = batch === null ? [] : [waitForBatchCall(batch, why)];
  if (stage === 'queued' && unread) {
    return explanation(
      paragraph(
        `Nothing could be read of ${plural(queued.length, 'source')}, so nothing is known of how the jobs stand.`,
        cause.message,
      ),
      waits,
    );
  }
  switch (stage) {
    case 'not_queued':
      return explanation(paragraph('Nothing was queued.', cause.message, counts), [
        ...cause.nextCalls,
        ...waits,
      ]);
    case 'partly_queued':
      return explanation(paragraph('Only some items were queued.', cause.message, counts), [
        ...waits,
        ...queue(notQueued, `Queue ${items} left`),
      ]);
    case 'maybe_queued': {
      const unsure = plural(doubtful.length, 'item');
      return explanation(
        paragraph(
          `Fini did not confirm the queueing of ${unsure}.`,
          cause.message,
          'They may have been queued all the same: linkedJobStatus PENDING or IN_PROGRESS means that they are queued.',
          'A source that was ingested before shows its old result until its new job starts.',
          counts,
        ),
        [
          ...checkCall(doubtful, CHECK_JOBS),
          ...queue(
            doubtful,
            `Queue ${unsure} again, if not queued after a minute; running jobs are joined`,
          ),
          ...queue(notQueued, `Queue ${items} left`),
          ...waits,
        ],
      );
    }
    case 'queued':
      return explanation(
        paragraph('The wait ended early.', cause.message, 'Jobs continue at Fini.', counts),
        waits,
      );
  }
}

const CALL_AGAIN = 'Call again in a minute.';

/** Advice after an answer that was too large: only inputs that the tool has, and that were not passed. */
function requestLess(task: Operation, call: FailedCall | undefined): string {
  if (task === 'crawl links') return 'Pass a smaller limit.';
  if (task === 'get articles') return 'Ask for fewer articles at once.';
  if (call?.tool === 'list_sources') return 'Pass a smaller limit, or a filter.';
  return 'No call can ask for less: look in the Fini dashboard.';
}

/** @param uncertain Advice if it is unknown whether the request was carried out. */
function explainFiniError(
  error: FiniError,
  kind: ServerKind,
  call: FailedCall | undefined,
  uncertain = AFTER_UNCERTAIN_WRITE[error.operation]?.(call) ?? explanation(CALL_AGAIN),
): Explanation {
  const words = quotedMessage(error);
  const task = error.operation;
  const unsure = (...sentences: readonly string[]) =>
    explanation(paragraph(...sentences), uncertain.nextCalls);
  const next = uncertain.message;
  switch (error.failure) {
    case 'refused':
      return explainStatus(error, kind, call, uncertain);
    case 'redirected':
      return unsure(
        `Fini redirected the request to ${task} instead of answering (HTTP ${error.status}).`,
        'The server does not follow redirects, so the key is not sent to another address.',
        'Check FINI_BASE_URL.',
        next,
      );
    case 'unreadable':
      return unsure(
        `Fini's answer to "${task}" could not be read: ${words}.`,
        'A proxy or a login page may be in the way.',
        'If this happens again, check FINI_BASE_URL.',
        next,
      );
    case 'too_large':
      return unsure(
        `Fini's answer to "${task}" is too large: ${words}.`,
        requestLess(task, call),
        next,
      );
    case 'timed_out':
      return unsure(
        `Fini did not finish the request to ${task} in time: ${words}.`,
        next,
        moreTime(error, call),
      );
    case 'interrupted':
      return unsure(`The connection broke during the request to ${task}: ${words}.`, next);
    case 'unreachable':
      return explanation(
        paragraph(
          `Fini could not be reached to ${task}: ${words}. Nothing was carried out.`,
          'Check the network and FINI_BASE_URL, then call again.',
          certificateHint(error),
        ),
      );
    case 'not_sent':
      return explanation(
        paragraph(
          `The request to ${task} was not sent: ${words}. Nothing was carried out.`,
          `Call again in ${pauseOf(error)}.`,
          error.hadLessTime ? silenceText(call) : '',
        ),
      );
  }
}

function certificateHint({ message }: FiniError): string {
  return /CERT|SELF_SIGNED|ISSUER/.test(message)
    ? 'A company proxy that opens TLS needs its certificate in NODE_EXTRA_CA_CERTS.'
    : '';
}

/** The pause that Fini, or its limit, asks for. */
function pauseOf({ retryAfterSeconds }: FiniError): string {
  return retryAfterSeconds === undefined ? 'a minute' : `${Math.ceil(retryAfterSeconds)} s`;
}

/** The scope that a key lacks, and the tools that still work with it. */
function missingKeyScopeText(operation: Operation, scope: Scope, kind: ServerKind): string {
  const held = scope === 'write' ? 'read' : 'write';
  const tools = toolsFor(kind).filter((tool) => tool.scope === held);
  const names = new Intl.ListFormat('en-GB').format(tools.map(({ name }) => name));
  const usable = names === '' ? 'no tool of this server works' : `only ${names} work`;
  return paragraph(
    `The API key lacks the ${scope} scope, which is needed to ${operation}.`,
    `It is ${held}-only, so ${usable} with it.`,
    `Ask the person to ${howToSetKey(kind, 'a key with both scopes')}.`,
    'Calling again with this key will not help.',
  );
}

function explainStatus(
  error: FiniError,
  kind: ServerKind,
  call: FailedCall | undefined,
  uncertain: Explanation,
): Explanation {
  const { status = 0, operation } = error;
  const words = quotedMessage(error);
  const start = `Fini refused to ${operation} (HTTP ${status}): ${words}.`;
  switch (status) {
    case 401:
      return explanation(
        paragraph(
          start,
          'The API key is missing, malformed, revoked or wrong.',
          `Ask the person to ${howToSetKey(kind, 'the full workspace key (it starts with "fini_")')}.`,
          'Calling again before that will not help.',
        ),
      );
    case 403: {
      if (error.missingScope !== undefined)
        return explanation(`${start} ${missingKeyScopeText(operation, error.missingScope, kind)}`);
      if (!error.isExplained)
        return explanation(
          `${start} The answer is not in the form of Fini, so a proxy or a firewall may be in the way.`,
        );
      const scope = /^(list|get)/.test(operation) ? 'read' : 'write';
      return explanation(
        paragraph(
          start,
          `To ${operation}, the API key needs the ${scope} scope, and every ID must belong to the key's workspace.`,
          `Ask the person to ${howToSetKey(kind, 'a key with that scope')}.`,
          'Calling again with this key will not help.',
        ),
      );
    }
    case 404: {
      const { message, nextCalls } = NOT_FOUND[operation] ?? explanation(NO_SUCH_ADDRESS);
      return explanation(`${start} ${message}`, nextCalls);
    }
    case 429:
      return explanation(
        `${start} Fini's rate limit was reached, so nothing was carried out. Call again in ${pauseOf(error)}.`,
      );
    default:
      if (status >= 500) {
        const what = `Fini failed to ${operation} (HTTP ${status}): ${words}.`;
        return explanation(paragraph(what, uncertain.message), uncertain.nextCalls);
      }
      return explainRefusedInput(operation, start, call);
  }
}

/** Explains an input that Fini refused with a 400 or similar. */
function explainRefusedInput(
  operation: Operation,
  start: string,
  call: FailedCall | undefined,
): Explanation {
  const nothing = `${start} Nothing was carried out.`;
  switch (operation) {
    case 'ingest sources':
      return explanation(`${nothing} Fix the input accordingly and call again.`, importCall(call));
    case 'publish articles':
      return explanation(
        `${start} Nothing was published. Correct the draft in the Fini dashboard, then call again.`,
      );
    case 'refresh sources':
      return explanation(
        paragraph(
          nothing,
          'Fix the input: leave out raw files and IDs that Fini does not have, then call again.',
          adviceOf('raw_file'),
        ),
        [{ tool: 'list_sources', arguments: {}, why: 'See the IDs of sources and their kinds' }],
      );
    default: {
      const fix = operation.includes('provider')
        ? 'The provider must be connected in the Fini dashboard. If it is, fix the input accordingly and call again.'
        : 'Fix the input accordingly and call again.';
      return explanation(paragraph(nothing, fix));
    }
  }
}

/** The call that imports the items, since an ID may be a provider's own (Notion's look the same). */
function importCall(call: FailedCall | undefined): NextCall[] {
  const source = call?.arguments.source;
  const provider = PROVIDERS.find((name) => name === source);
  if (provider === undefined) return [];
  return callForItems(
    'import_provider_resources',
    'externalIds',
    itemsIn(call, 'documentIdsToAdd', 'documentIdsToRefresh'),
    "Look for them as the provider's own IDs",
    { provider, dryRun: true },
  );
}
