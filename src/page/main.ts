import { applyContext, watchSize } from './appearance.ts';
import { Host } from './host.ts';
import { type Fields, fieldsOf, listOf, textOf } from './narrowing.ts';
import type { ToolCall } from './offered-calls.ts';
import {
  afterCall,
  countsOf,
  generateCall,
  headlineOf,
  itemsOf,
  pages,
  withoutCall,
} from './table.ts';
import { type Outcome, readResult, resultText } from './tool-result.ts';
import { type Action, byId, View } from './view.ts';

/** How much of an answer the model is told, in characters: what decides comes first. */
const TOLD_LENGTH = 2_000;
/** The tools whose call may be made again where nobody knows whether it arrived. */
const REPEATABLE = [
  'wait_for_sources',
  'ingest_and_wait',
  'ingest_site',
  'import_provider_resources',
];

/** Follows the call for which the host shows this page, and makes calls for who looks at it. */
function start(): void {
  let input: Fields = {};
  let outcome: Outcome | null = null;
  /** Counts the calls that the host shows here, and says whether the page has gone on from this one. */
  let shownCall = 0;
  let hasOwnCalls = false;

  const view = new View({
    onOpen: (url) => {
      host.openLink(url).catch((error) => {
        // A running call continues.
        view.showNotice(wordsOf(error), { isError: true, isBusy: view.isBusy });
      });
    },
  });
  const host = new Host({
    onContext: applyContext,
    onToolInput(given) {
      input = given;
      outcome = null;
      shownCall += 1;
      hasOwnCalls = false;
      view.showNotice('');
      view.showRunning(runningHeadline(given), aboutInput(given));
    },
    onToolResult(result) {
      // A host may tell a result again. What the page's own calls bring is newer, and its buttons too.
      if (hasOwnCalls) return;
      view.showNotice('');
      outcome = readResult(result) ?? null;
      const headline = isFailure(result) ? 'The call failed' : 'The call has ended';
      if (outcome === null) view.showMessage(headline, resultText(result));
      else show(outcome);
    },
    onToolCancelled(reason) {
      const why = reason === undefined ? '' : ` (${reason})`;
      view.showMessage(`Cancelled${why}`, 'Jobs that were already queued continue at Fini.');
    },
  });

  function show(now: Outcome): void {
    view.showOutcome(now, host.opensLinks);
    view.showActions(host.callsTools ? actionsFor(now) : []);
  }

  function actionsFor(now: Outcome): Action[] {
    const { wait, retry } = now.offers;
    const drafts = [generateCall(now) ?? []].flat();
    const planned = [plannedCall(now) ?? []].flat();
    const count = (calls: readonly ToolCall[]) => pages(calls.flatMap(itemsOf).length);
    const actions = [
      { calls: wait, label: `Keep waiting for ${count(wait)}`, doing: 'Waiting' },
      {
        calls: planned,
        label: `Ingest ${pages(countsOf(now).selected ?? 0)}`,
        doing: 'Ingesting',
      },
      {
        calls: drafts,
        label: `Generate drafts from ${count(drafts)}`,
        doing: 'Generating drafts',
      },
      {
        calls: retry,
        label: `Try ${count(retry)} again`,
        doing: `Ingesting ${count(retry)} again`,
      },
    ];
    return actions
      .filter(({ calls }) => calls.length > 0)
      .map(({ calls, label, doing }, index) => ({
        label,
        isMain: index === 0 && calls !== retry,
        run: () => void carryOut(calls, doing),
      }));
  }

  /** The call of a dry run, in earnest. */
  function plannedCall(now: Outcome): ToolCall | null {
    const { dryRun, ...rest } = input;
    const tool = 'provider' in input ? 'import_provider_resources' : 'ingest_site';
    const isPlan = now.kind === 'planned' && (countsOf(now).selected ?? 0) > 0;
    return isPlan && dryRun !== undefined ? { tool, input: rest } : null;
  }

  /** Makes calls, one after the other, and shows what comes of each. */
  async function carryOut(calls: readonly ToolCall[], doing: string): Promise<void> {
    const from = shownCall;
    hasOwnCalls = true;
    view.showNotice(`${doing}…`, { isBusy: true });
    for (const call of calls) {
      const before = outcome;
      if (before === null || from !== shownCall) return;
      try {
        const result = await host.callTool(call);
        const found = readResult(result);
        const text = resultText(result);
        if (found === undefined && text === '') throw new Error('It was empty.');
        if (found === undefined) {
          if (from !== shownCall) return;
          const isError = isFailure(result);
          if (!isError && !REPEATABLE.includes(call.tool)) {
            outcome = withoutCall(before, call);
            show(outcome);
          }
          view.showNotice(text, { isError });
          return;
        }
        const now = before.kind === 'planned' ? found : afterCall(before, call, found);
        // Some hosts never say that they have told it.
        host.tellModel(tellingOf(call, now, result)).catch(() => undefined);
        // The host shows another call by now.
        if (from !== shownCall) return;
        outcome = now;
        show(outcome);
        view.showNotice(`${doing}…`, { isBusy: true });
      } catch (error) {
        if (from !== shownCall) return;
        if (!REPEATABLE.includes(call.tool)) {
          outcome = withoutCall(before, call);
          show(outcome);
        }
        const text = `The host gave no result: ${wordsOf(error)} The call may have been carried out; ask the assistant to check.`;
        view.showNotice(text, { isError: true });
        return;
      }
    }
    if (outcome === null) return;
    const { unfinished = 0 } = countsOf(outcome);
    const ending = unfinished === 0 ? 'Done' : `${pages(unfinished)} still running`;
    view.showNotice(`${ending}: ${headlineOf(outcome)}.`);
  }

  watchSize(byId('page'), (width, height) => host.resized(width, height));
  host.connect().catch((error) => view.showMessage('The host did not answer', wordsOf(error)));
}

/** What the model is told of a call that it did not make. */
function tellingOf({ tool }: ToolCall, outcome: Outcome, result: unknown): string {
  const text = resultText(result);
  const end = text.length > TOLD_LENGTH ? '…' : '';
  return `In the report page, the person called ${tool}. All pages now: ${headlineOf(outcome)}. Its answer: ${text.slice(0, TOLD_LENGTH)}${end}`;
}

/** What a call does, by what it was given: a host need not name the tool. */
function runningHeadline(input: Fields): string {
  if (input.dryRun === true) return 'Looking for pages…';
  if ('links' in input) return 'Finding and ingesting pages…';
  if ('provider' in input) return 'Importing pages…';
  if ('documentIds' in input) return 'Generating drafts…';
  return 'ids' in input ? 'Waiting for pages…' : 'Ingesting pages…';
}

/** What was asked for, in a line. */
function aboutInput(input: Fields): string {
  const items = itemsOf({ tool: '', input });
  const links = listOf(input.links).map(String);
  const provider = textOf(input.provider);
  const names = [...links, ...items];
  if (provider !== undefined) return `From ${provider}`;
  const first = names.slice(0, 3).join(', ');
  const more = names.length > 3 ? ` and ${(names.length - 3).toLocaleString('en-US')} more` : '';
  return `${first}${more}`;
}

function isFailure(result: unknown): boolean {
  return fieldsOf(result).isError === true;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

start();
