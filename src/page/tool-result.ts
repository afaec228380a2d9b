import { countOf, type Fields, fieldsOf, isFields, listOf, textOf, textsOf } from './narrowing.ts';
import { offeredCalls, type ToolCall } from './offered-calls.ts';

/* What the results of this server's tools say, as far as the page shows it. */

/** How a page stands, the most urgent first: of a wait, of generating drafts, or of a dry run. */
export const STATES = [
  'failed',
  'unqueued',
  'unfinished',
  'nothing_made',
  'selected',
  'completed',
  'drafted',
] as const;

/** How a page stands. */
export type RowState = (typeof STATES)[number];

/** A page, or another source, in the table. */
export interface Row {
  readonly state: RowState;
  /** Source ID. */
  readonly id?: string | undefined;
  readonly url?: string | undefined;
  readonly title?: string | undefined;
  /** The name under which it was passed, where it is neither the ID nor the URL. */
  readonly input?: string | undefined;
  /** Why it is in that state, in Fini's or this server's words. */
  readonly reason?: string | undefined;
  /** What to do about it. */
  readonly hint?: string | undefined;
  /** Whether it had been ingested before drafts were generated, which its state is about then. */
  readonly isIngested?: boolean;
}

/** How many there are in each state. */
export type Counts = Readonly<Partial<Record<RowState, number>>>;

/** What can be done next. Each list is done in one go. */
export interface Offers {
  /** Calls that wait for what still runs. */
  readonly wait: readonly ToolCall[];
  /** Calls that ingest again what failed and may pass next time. */
  readonly retry: readonly ToolCall[];
  /** Whether drafts can be generated from what is completed. */
  readonly generate: boolean;
}

/** A result, as the page shows it. */
export interface Outcome {
  readonly kind: 'ingested' | 'generated' | 'planned';
  readonly rows: readonly Row[];
  /** How many more a long report counts than it lists. */
  readonly unlisted: Counts;
  /** What the server says of the whole, before the report. */
  readonly message: string;
  /** What to do next, for a model. */
  readonly nextSteps: string;
  readonly elapsedSeconds: number;
  readonly offers: Offers;
}

/** The text of a result. */
export function resultText(result: unknown): string {
  return listOf(fieldsOf(result).content)
    .map((part) => textOf(fieldsOf(part).text) ?? '')
    .join('\n');
}

/** Reads a tool's result; undefined where it has nothing for the table, such as an error. */
export function readResult(result: unknown): Outcome | undefined {
  const content = fieldsOf(result).structuredContent;
  if (!isFields(content)) return undefined;
  const message = textOf(content.message) ?? '';
  if (isFields(content.report)) {
    const report = ingested(content.report);
    const rows = [...leftBehind(content), ...report.rows];
    return { ...report, rows, message };
  }
  if (Array.isArray(content.queuedDocumentIds)) return queued(content, message);
  const { counts, sources } = content;
  if (Array.isArray(sources) && isFields(counts)) {
    return 'drafted' in counts ? generated(content) : ingested(content);
  }
  return message === '' ? undefined : planned(content, message);
}

const NOTHING: Offers = { wait: [], retry: [], generate: false };

/** The report of a wait (src/tools/report.ts). */
function ingested(report: Fields): Outcome {
  const nextSteps = textOf(report.nextSteps) ?? '';
  const calls = offeredCalls(nextSteps);
  const unqueued = textsOf(report.unqueued);
  const wait = calls.filter(({ tool }) => tool === 'wait_for_sources');
  const hints = listOf(report.hints).map(fieldsOf);
  const listed = listOf(report.sources).map((source) => sourceRow(fieldsOf(source), hints));
  const known = new Set(listed.map(({ id }) => id));
  // Those of which only an ID is known, or which a long report leaves out, are in the call alone.
  const awaited = wait.flatMap(({ input }) => textsOf(input.ids)).filter((id) => !known.has(id));
  const rows: Row[] = [
    ...unqueued.map((name): Row => ({ state: 'unqueued', ...named(name) })),
    ...listed,
    ...awaited.map((id): Row => ({ state: 'unfinished', id })),
    ...textsOf(report.completed).map((name): Row => ({ state: 'completed', ...named(name) })),
  ];
  const isNew = new Set(unqueued);
  return {
    ...reported(report, rows),
    kind: 'ingested',
    offers: {
      wait,
      // What was never ingested is offered in such calls too.
      retry: calls.filter(({ tool, input }) => {
        const items =
          tool === 'refresh_sources'
            ? textsOf(input.documentIds)
            : tool === 'ingest_and_wait'
              ? textsOf(input.documentIdsToRefresh)
              : [];
        return items.length > 0 && !items.some((item) => isNew.has(item));
      }),
      generate: nextSteps.includes('generate_knowledge'),
    },
  };
}

/** What every report has. */
function reported(report: Fields, rows: readonly Row[]) {
  return {
    rows,
    unlisted: unlistedOf(fieldsOf(report.counts), rows),
    message: '',
    nextSteps: textOf(report.nextSteps) ?? '',
    elapsedSeconds: countOf(report.elapsedSeconds),
  };
}

function sourceRow(source: Fields, hints: readonly Fields[]): Row {
  const error = textOf(source.error);
  const shared = hints.find((hint) => hint.error === error);
  const state = stateOf(source.status);
  return {
    state,
    ...nameOf(source),
    reason: error ?? (state === 'unfinished' ? jobWords(source.jobStatus) : undefined),
    hint: textOf(source.hint) ?? (error === undefined ? undefined : textOf(shared?.hint)),
  };
}

/** The report of generating drafts (src/tools/generate-knowledge.ts). */
function generated(report: Fields): Outcome {
  const rows = listOf(report.sources).map((each): Row => {
    const source = fieldsOf(each);
    const state = stateOf(source.status);
    const articleId = textOf(source.articleId);
    const error = textOf(source.error);
    const reasons: Partial<Record<RowState, string | undefined>> = {
      drafted: articleId === undefined ? undefined : `Draft article ${articleId}`,
      nothing_made: 'The job completed without a draft.',
      unfinished: jobWords(source.jobStatus),
      failed: error === undefined ? 'No draft was made.' : `No draft was made: ${error}`,
    };
    return { state, ...nameOf(source), reason: reasons[state] };
  });
  const running = new Set(rows.filter(({ state }) => state === 'unfinished').map(({ id }) => id));
  const answer = reported(report, rows);
  return {
    ...answer,
    kind: 'generated',
    offers: {
      ...NOTHING,
      // The same call joins what runs; for anything else it could make drafts twice.
      wait: offeredCalls(answer.nextSteps).filter(({ tool, input }) => {
        const ids = textsOf(input.documentIds);
        return (
          tool === 'generate_knowledge' && ids.length > 0 && ids.every((id) => running.has(id))
        );
      }),
    },
  };
}

/** What was queued without waiting (src/tools/refresh-sources.ts). */
function queued(content: Fields, message: string): Outcome {
  const ids = textsOf(content.queuedDocumentIds);
  const exact = offeredCalls(message).filter(({ tool }) => tool === 'wait_for_sources');
  // Too many to be named in the message, which then has only the time.
  const queuedAfter = /\{"queuedAfter":"([^"]+)"\}/.exec(message)?.[1];
  const input = queuedAfter === undefined ? { ids } : { ids, queuedAfter };
  return {
    kind: 'ingested',
    rows: ids.map((id): Row => ({ state: 'unfinished', id, reason: 'Queued' })),
    unlisted: {},
    message: '',
    nextSteps: message,
    elapsedSeconds: 0,
    offers: {
      ...NOTHING,
      wait: exact.length > 0 || ids.length === 0 ? exact : [{ tool: 'wait_for_sources', input }],
    },
  };
}

/** What a dry run selected, or why nothing was queued. */
function planned(content: Fields, message: string): Outcome {
  const toAdd = [...listOf(content.toAdd), ...listOf(content.toRefresh)].map(fieldsOf);
  const rows: Row[] = [
    ...leftBehind(content),
    ...textsOf(content.urls).map((url): Row => ({ state: 'selected', url })),
    ...toAdd.map(
      (item): Row => ({
        state: 'selected',
        ...nameOf(item),
        reason: textsOf(item.path).join(' › ') || undefined,
      }),
    ),
  ];
  // What names a tool is for the model; a person has the buttons.
  const sentences = message.split(/(?<=\.) (?=[A-Z])/);
  const isForModel = (sentence: string) => /\b[a-z]+_[a-z_]+\b/.test(sentence);
  return {
    kind: 'planned',
    rows,
    unlisted: unlistedOf({ selected: content.selected }, rows),
    message: sentences.filter((sentence) => !isForModel(sentence)).join(' '),
    nextSteps: sentences.filter(isForModel).join(' '),
    elapsedSeconds: 0,
    offers: NOTHING,
  };
}

/** What an import names beside its report: it got no further. */
function leftBehind(content: Fields): Row[] {
  const row = (reason: string) => (input: string) =>
    ({ state: 'unqueued', ...named(input), reason }) satisfies Row;
  return [
    ...textsOf(content.notFound).map(row('Found neither at the provider nor in Fini.')),
    ...textsOf(content.unregistered).map(row('Fini returned no source ID for it.')),
  ];
}

function nameOf({ id, originalUrl, title, input }: Fields) {
  return { id: textOf(id), url: textOf(originalUrl), title: textOf(title), input: textOf(input) };
}

/** What a bare name is. */
function named(name: string): Pick<Row, 'url' | 'id' | 'input'> {
  if (/^https?:\/\//i.test(name)) return { url: name };
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(name) ? { id: name } : { input: name };
}

function stateOf(status: unknown): RowState {
  return STATES.find((state) => state === status) ?? 'unfinished';
}

/** A job's status in Fini, in words. */
function jobWords(status: unknown): string {
  if (status === 'PENDING') return 'Pending';
  if (status === 'IN_PROGRESS') return 'In progress';
  return textOf(status) ?? 'Not started';
}

function unlistedOf(counts: Fields, rows: readonly Row[]): Counts {
  const entries = STATES.map((state): [RowState, number] => [
    state,
    countOf(counts[state]) - rows.filter((row) => row.state === state).length,
  ]);
  return Object.fromEntries(entries.filter(([, count]) => count > 0));
}
