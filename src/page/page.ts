import type { NextCall } from '../tools/next-calls.ts';
import { applyContext, watchHeight } from './appearance.ts';
import { Host, HostError } from './host.ts';
import { type Fields, textOf, textsOf } from './narrowing.ts';
import { afterCall, callsAfter, callsForOthers, endingOf, headlineOf } from './table.ts';
import { type Overview, readDraft, readResult, type ToolResult } from './tool-result.ts';
import { byId, View } from './view.ts';

/** Maximum length of the part of an answer that the model is told, in characters. */
const MODEL_TEXT_LENGTH = 2_000;
/**
 * The tools of which the page makes calls, since their answers are about the items of the table. The
 * value says if a call can be made again though nobody knows whether the first one arrived.
 */
const IS_REPEATABLE: ReadonlyMap<string, boolean> = new Map([
  ['wait_for_sources', true],
  ['ingest_and_wait', true],
  ['ingest_site', true],
  ['import_provider_resources', true],
  ['refresh_sources', false],
  ['generate_knowledge', false],
]);

/** Follows the call for which the host shows this page, and makes calls for the person. */
function start(): void {
  let input: Fields = {};
  let overview: Overview | null = null;
  let nextCalls: readonly NextCall[] = [];
  /** Counts the calls that the host shows here, so that the page's own calls notice the next one. */
  let shownCall = 0;
  let hasOwnCalls = false;

  const view = new View({
    onOpen: (url) => {
      host.openLink(url).catch((error) => {
        // A running call continues.
        view.showNotice(wordsOf(error), { isError: true, isBusy: view.isBusy });
      });
    },
    onCall: (call) => void carryOut(call),
    onRead: async (articleId) => {
      const call = { tool: 'get_articles', arguments: { articleIds: [articleId] }, why: '' };
      try {
        return readDraft(await host.callTool(call));
      } catch (error) {
        return { title: '', text: wordsOf(error) };
      }
    },
  });
  const host = new Host({
    onContext: applyContext,
    onToolInput(given) {
      input = given;
      overview = null;
      shownCall += 1;
      hasOwnCalls = false;
      view.showNotice('');
      view.showRunning(runningHeadline(given), aboutInput(given));
    },
    onToolResult(given) {
      // A host may tell a result again. The results of the page's own calls are newer.
      if (hasOwnCalls) return;
      view.showNotice('');
      const result = readResult(given, input);
      const headline = result.isError ? 'The call failed' : 'The call has ended';
      if (result.overview === undefined) view.showMessage(headline, result.message);
      show(result.overview ?? null, result.nextCalls);
    },
    onToolCancelled(reason) {
      const why = reason === undefined ? '' : ` (${reason})`;
      view.showMessage(`Cancelled${why}`, 'Jobs that were already queued continue at Fini.');
    },
  });

  function show(now: Overview | null, calls: readonly NextCall[]): void {
    overview = now;
    nextCalls = calls;
    if (now !== null) view.showOverview(now, host);
    const isOffered = ({ tool, arguments: { dryRun } }: NextCall) =>
      IS_REPEATABLE.has(tool) && (dryRun !== true || now === null || now.isPlan);
    view.showCalls(calls.filter(isOffered), host.callsTools);
  }

  /** Makes a call, then those for what it had no room for, each once, and shows the results. */
  async function carryOut(first: NextCall): Promise<void> {
    const from = shownCall;
    hasOwnCalls = true;
    const left = [first];
    for (let call = left.shift(); call !== undefined; call = left.shift()) {
      const result = await make(call, from);
      if (result === null || result.isError || from !== shownCall) return;
      left.push(...callsForOthers(call, result));
    }
  }

  /** Makes a call, once, and shows its result; null if there is none. */
  async function make(call: NextCall, from: number): Promise<ToolResult | null> {
    view.showNotice(`${call.why}…`, { isBusy: true });
    try {
      const result = readResult(await host.callTool(call), call.arguments);
      if (result.message === '') throw new Error('It was empty.');
      const isShown = from === shownCall;
      const found = result.overview;
      const now = found && isShown && overview ? afterCall(overview, call, found) : found;
      // Some hosts never answer this.
      host.tellModel(tellingOf(call, now, result.text)).catch(() => undefined);
      if (isShown) showEnd(call, now, result);
      return result;
    } catch (error) {
      if (from === shownCall) showLoss(call, error);
      return null;
    }
  }

  function showLoss(call: NextCall, error: unknown): void {
    const isDeclined = error instanceof HostError && !error.mayHaveRun;
    if (!isDeclined) dropUnlessRepeatable(call);
    const words = isDeclined
      ? `It was not carried out, as far as the host says: ${wordsOf(error)}`
      : `The host gave no result: ${wordsOf(error)} The call may have run; ask the assistant to check.`;
    view.showNotice(words, { isError: true });
  }

  function showEnd(call: NextCall, now: Overview | undefined, result: ToolResult): void {
    if (now === undefined) {
      if (!result.isError) dropUnlessRepeatable(call);
      view.showNotice(result.message, { isError: result.isError });
      return;
    }
    const before = overview?.isPlan === true ? [] : nextCalls;
    const ending = endingOf(overview, result.overview ?? now);
    show(now, callsAfter(before, call, result.nextCalls));
    view.showNotice(ending);
  }

  function dropUnlessRepeatable(call: NextCall): void {
    if (IS_REPEATABLE.get(call.tool) !== true) show(overview, callsAfter(nextCalls, call, []));
  }

  watchHeight(byId('page'), (height) => host.resized(height));
  host.connect().catch((error) => view.showMessage('The host did not answer', wordsOf(error)));
}

/** Tells the model of a call that it did not make. */
function tellingOf({ tool }: NextCall, now: Overview | undefined, text: string): string {
  const answer = text.length > MODEL_TEXT_LENGTH ? `${text.slice(0, MODEL_TEXT_LENGTH)}…` : text;
  const all = now && ` All pages now: ${headlineOf(now)}.`;
  return `In the report page, the person called ${tool}.${all ?? ''} Its answer: ${answer}`;
}

/** The kind of a call, read from its input: a host need not name the tool. */
function runningHeadline(input: Fields): string {
  if (input.dryRun === true) return 'Looking for pages…';
  if ('links' in input) return 'Finding and ingesting pages…';
  if ('provider' in input) return 'Importing pages…';
  if ('documentIds' in input) return 'Generating drafts…';
  return 'ids' in input || 'batch' in input ? 'Waiting for pages…' : 'Ingesting pages…';
}

/** The items of an input in a line. */
function aboutInput(input: Fields): string {
  const provider = textOf(input.provider);
  if (provider !== undefined) return `From ${provider}`;
  const { links, ids, documentIds, documentIdsToAdd, documentIdsToRefresh } = input;
  const lists = [links, ids, documentIds, documentIdsToAdd, documentIdsToRefresh];
  const names = lists.flatMap(textsOf);
  const more = names.length > 3 ? ` and ${(names.length - 3).toLocaleString('en-US')} more` : '';
  return `${names.slice(0, 3).join(', ')}${more}`;
}

/** An error as a sentence, or as several. */
function wordsOf(error: unknown): string {
  const words = (error instanceof Error ? error.message : String(error)).trim();
  return /[.!?…]$/.test(words) ? words : `${words}.`;
}

start();
