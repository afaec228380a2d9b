import { bounded } from '../text.ts';
import type { NextCall } from '../tools/next-calls.ts';
import {
  chosenRows,
  copyOf,
  countByStatus,
  countsInWords,
  duration,
  headlineOf,
  nameOfRow,
  pages,
  type RowChoice,
  type Sorting,
  sharedAdvice,
  statusLabel,
  sumOf,
  unlistedText,
  withoutScheme,
} from './table.ts';
import type { Draft, Overview, StatusCounts, TableRow } from './tool-result.ts';

/** Maximum length of a button's label, in characters. */
const LABEL_LENGTH = 80;
/** The parts of rows that take the focus. */
const STOPS = 'a, summary';

/** Events of a person in the page. */
export interface ViewEvents {
  readonly onOpen: (url: string) => void;
  readonly onCall: (call: NextCall) => void;
  readonly onRead: (articleId: string) => Promise<Draft>;
}

/** The parts of a host that decide what a row offers. */
interface Abilities {
  readonly opensLinks: boolean;
  readonly callsTools: boolean;
}

/** The page's document. Every text gets into it as text and never as markup. */
export class View {
  readonly #events: ViewEvents;
  #overview: Overview | null = null;
  #host: Abilities = { opensLinks: false, callsTools: false };
  #shared: StatusCounts = new Map();
  /** Drafts that were read, by their IDs. */
  readonly #drafts = new Map<string, Promise<Draft>>();
  #choice: RowChoice = { status: null, search: '', sorting: { column: 'status', up: true } };
  #clock: number | undefined;

  constructor(events: ViewEvents) {
    this.#events = events;
    const search = byId('search', HTMLInputElement);
    search.addEventListener('input', () => this.#choose({ search: search.value }));
    for (const header of document.querySelectorAll('th')) {
      header.addEventListener('click', () => this.#sort(header.dataset.column ?? ''));
    }
    byId('copy').addEventListener('click', () => this.#copy());
    byId('rows').addEventListener('keydown', (event) => this.#walk(event));
  }

  /** Says that the host's call is under way, with a clock. */
  showRunning(headline: string, about: string): void {
    this.showMessage(headline, '');
    const progress = 'The assistant’s window may show how far it is.';
    byId('about').textContent = [about, progress].filter(Boolean).join('\n');
    const bar = byId('bar');
    bar.hidden = false;
    bar.className = 'running';
    bar.ariaLabel = 'Running';
    this.#startClock(byId('elapsed'));
  }

  /** Says how a call ended that has nothing for the table: the first line to all, the others to whom they concern. */
  showMessage(headline: string, about: string): void {
    this.#overview = null;
    this.#showHead(headline, '', about);
    byId('bar').hidden = true;
    byId('bar').replaceChildren();
    byId('advice').hidden = true;
    this.showCalls([], true);
    byId('list').hidden = true;
  }

  /** Shows a result. */
  showOverview(overview: Overview, host: Abilities): void {
    this.#overview = overview;
    this.#host = host;
    const { elapsedSeconds, message, rows } = overview;
    const elapsed = elapsedSeconds > 0 ? `Took ${duration(elapsedSeconds)}` : '';
    this.#showAdvice(overview);
    this.#showHead(headlineOf(overview), elapsed, message);
    this.#showBar(overview);
    byId('list').hidden = rows.length === 0;
    const { status } = this.#choice;
    if (status !== null && !countByStatus(overview).has(status)) {
      this.#choice = { ...this.#choice, status: null };
    }
    this.#showFilters(overview);
    this.#showRows();
  }

  /** Shows the calls that can be made next: as buttons, or in words if the host makes no calls. */
  showCalls(calls: readonly NextCall[], canCall: boolean): void {
    const group = byId('actions');
    const hadFocus = group.contains(document.activeElement);
    const buttons = calls.map((call) => {
      const button = element('button', '', bounded(call.why, LABEL_LENGTH));
      button.title = call.why;
      button.addEventListener('click', () => {
        if (button.ariaDisabled !== 'true') this.#events.onCall(call);
      });
      return button;
    });
    const words = `The assistant can go on: ${calls.map(({ why }) => why).join('; ')}.`;
    group.replaceChildren(...(canCall ? buttons : [element('p', 'quiet', words)]));
    group.hidden = calls.length === 0;
    this.#disableButtons();
    // Keyboard users continue from where the button was.
    if (hadFocus) (group.querySelector('button') ?? byId('headline')).focus();
  }

  /** Set while a call is running, so that no other can be started. */
  get isBusy(): boolean {
    return byId('page').ariaBusy === 'true';
  }

  /** Says what happens, with a clock while it lasts, or what has happened. */
  showNotice(text: string, { isBusy = false, isError = false } = {}): void {
    const notice = byId('notice');
    const wasBusy = this.isBusy;
    notice.textContent = text;
    notice.className = isError ? 'error' : '';
    byId('status').hidden = text === '';
    byId('page').ariaBusy = String(isBusy);
    this.#disableButtons();
    // A notice while a call runs leaves its clock alone.
    if (isBusy && wasBusy) return;
    const clock = byId('clock');
    clock.textContent = '';
    if (isBusy) this.#startClock(clock);
    else window.clearInterval(this.#clock);
  }

  /** Marks the buttons as disabled while a call runs. Really disabled ones would lose the focus. */
  #disableButtons(): void {
    for (const button of byId('actions').children) button.ariaDisabled = String(this.isBusy);
  }

  #startClock(clock: HTMLElement): void {
    window.clearInterval(this.#clock);
    const startedAt = Date.now();
    this.#clock = window.setInterval(() => {
      clock.textContent = duration(Math.round((Date.now() - startedAt) / 1000));
    }, 1000);
  }

  #showHead(headline: string, elapsed: string, about: string): void {
    window.clearInterval(this.#clock);
    byId('headline').textContent = headline;
    byId('elapsed').textContent = elapsed;
    const [first = '', ...others] = about.split('\n');
    byId('about').textContent = first.replace(/:$/, '.');
    byId('details').textContent = others.join('\n');
    byId('more').hidden = others.length === 0;
  }

  #showAdvice(overview: Overview): void {
    this.#shared = sharedAdvice(overview);
    const list = byId('advice');
    list.replaceChildren(
      ...[...this.#shared].map(([advice, count]) => {
        const item = element('li');
        item.append(element('b', '', pages(count)), `: ${advice}`);
        return item;
      }),
    );
    list.hidden = this.#shared.size === 0;
  }

  #showBar(overview: Overview): void {
    const bar = byId('bar');
    // Finished pages come first.
    const parts = [...countByStatus(overview)].reverse();
    bar.className = '';
    bar.replaceChildren(
      ...parts.map(([status, count]) => {
        const part = element('span');
        part.dataset.status = status;
        part.style.flexGrow = String(count);
        return part;
      }),
    );
    bar.ariaLabel = countsInWords(countByStatus(overview)) || 'Nothing';
    // A plan is not progress.
    bar.hidden = overview.isPlan;
  }

  #showFilters(overview: Overview): void {
    const parts = [...countByStatus(overview)].reverse();
    const all = sumOf(countByStatus(overview));
    const filters = byId('filters');
    const focused = [...filters.children].findIndex((child) => child.matches(':focus'));
    filters.replaceChildren(
      this.#filter(null, 'All', all),
      ...parts.map(([status, count]) => this.#filter(status, statusLabel(status), count)),
    );
    const again = filters.children[focused];
    if (again instanceof HTMLElement) again.focus();
  }

  #filter(status: string | null, word: string, count: number): HTMLButtonElement {
    const button = element('button', status === null ? '' : 'badge');
    if (status !== null) button.dataset.status = status;
    button.ariaPressed = String(this.#choice.status === status);
    button.append(`${word} `, element('b', '', count.toLocaleString('en-US')));
    button.addEventListener('click', () => this.#choose({ status }));
    return button;
  }

  #choose(change: Partial<RowChoice>): void {
    this.#choice = { ...this.#choice, ...change };
    if (this.#overview === null) return;
    if ('status' in change) this.#showFilters(this.#overview);
    this.#showRows();
  }

  #sort(name: string): void {
    const column = name === 'status' || name === 'reason' ? name : 'page';
    const { sorting } = this.#choice;
    const isDown = sorting?.column === column && !sorting.up;
    const next: Sorting = isDown ? null : { column, up: sorting?.column !== column };
    for (const header of document.querySelectorAll('th')) {
      const isIt = next !== null && header.dataset.column === column;
      header.ariaSort = isIt ? directionOf(next) : 'none';
    }
    this.#choose({ sorting: next });
  }

  #showRows(): void {
    if (this.#overview === null) return;
    const { rows, unlisted } = this.#overview;
    const chosen = chosenRows(rows, this.#choice);
    const fragment = document.createDocumentFragment();
    fragment.append(...chosen.map((row) => this.#row(row)));
    byId('rows').replaceChildren(fragment);
    byId('scroller').scrollTop = 0;
    // The column is left out if it would be empty.
    const hasReasons = rows.some(
      ({ reason, advice, articleId }) => (reason ?? advice ?? articleId) !== undefined,
    );
    byId('page').dataset.reasons = String(hasReasons);
    const chosenCount = chosen.length.toLocaleString('en-US');
    const all = pages(rows.length + sumOf(unlisted));
    const shown = chosen.length === rows.length ? '' : `${chosenCount} of ${all} shown.`;
    byId('shown').textContent = [shown, unlistedText(unlisted)].filter(Boolean).join(' ');
    const stop = byId('rows').querySelector<HTMLElement>(STOPS);
    if (stop !== null) stop.tabIndex = 0;
    byId('copy').textContent = `Copy ${pages(chosen.length)}`;
  }

  #row(row: TableRow): HTMLTableRowElement {
    const { status, url, input, reason, advice, articleId } = row;
    const isShared = reason !== undefined && advice !== undefined && this.#shared.has(advice);
    const line = element('tr');
    line.role = 'row';
    line.dataset.status = status;
    const name = nameOfRow(row);
    line.append(
      cell('status', element('span', 'badge', statusLabel(status))),
      cell(
        'page',
        name === url ? '' : element('span', 'title', name),
        url === undefined ? '' : this.#link(url),
        input === undefined || input === name ? '' : element('span', 'quiet', `Given as ${input}`),
      ),
      cell(
        'reason',
        reason === undefined ? '' : element('span', 'words', reason),
        advice === undefined || isShared ? '' : element('span', 'quiet', advice),
        articleId === undefined ? '' : this.#draft(articleId),
      ),
    );
    return line;
  }

  #link(url: string): HTMLElement {
    const path = withoutScheme(url);
    if (!this.#host.opensLinks || path === url) return element('span', 'url', url);
    const link = element('a', 'url');
    // It breaks where its parts end, and has one name for screen readers.
    for (const part of path.split(/(?<=[/?&])/)) link.append(part, element('wbr'));
    link.ariaLabel = path;
    link.href = url;
    link.title = url;
    link.rel = 'noreferrer';
    link.tabIndex = -1;
    link.addEventListener('click', (event) => {
      event.preventDefault();
      this.#events.onOpen(url);
    });
    return link;
  }

  /** A draft to be read where it is named; its ID alone if the host calls no tools. */
  #draft(articleId: string): HTMLElement {
    if (!this.#host.callsTools) return element('span', 'words', `Draft article ${articleId}`);
    const details = element('details');
    const summary = element('summary', '', 'Read the draft');
    summary.tabIndex = -1;
    const title = element('b');
    const text = element('p', 'draft', 'Reading…');
    details.append(summary, title, text);
    details.addEventListener('toggle', async () => {
      if (!details.open) return;
      const read = this.#drafts.get(articleId) ?? this.#events.onRead(articleId);
      this.#drafts.set(articleId, read);
      const draft = await read;
      // A draft that could not be read can be tried again.
      if (draft.title === '') this.#drafts.delete(articleId);
      title.textContent = draft.title;
      text.textContent = draft.text;
    });
    return details;
  }

  /** Moves the focus among the rows by arrow keys: they are one tab stop, however many there are. */
  #walk(event: KeyboardEvent): void {
    const step = STEPS[event.key] ?? 0;
    const stops = [...byId('rows').querySelectorAll<HTMLElement>(STOPS)];
    const at = stops.findIndex((stop) => stop.matches(':focus'));
    const [from, to] = [stops[at], stops[at + step]];
    if (step === 0 || from === undefined || to === undefined) return;
    event.preventDefault();
    from.tabIndex = -1;
    to.tabIndex = 0;
    to.focus();
  }

  /** Copies the rows that are shown. The clipboard's own interface is closed to sandboxed frames. */
  #copy(): void {
    const chosen = chosenRows(this.#overview?.rows ?? [], this.#choice);
    const field = element('textarea');
    field.value = copyOf(chosen);
    document.body.append(field);
    field.select();
    const isCopied = document.execCommand('copy');
    field.remove();
    byId('copy').focus();
    byId('copy').textContent = isCopied ? 'Copied' : 'The host does not allow copying';
  }
}

/** An element of the page, which has it. */
export function byId(id: string): HTMLElement;
export function byId<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind;
export function byId(id: string, kind = HTMLElement): HTMLElement {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`The page has no ${id}.`);
  return found;
}

function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className = '',
  text = '',
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  if (made instanceof HTMLButtonElement) made.type = 'button';
  if (className !== '') made.className = className;
  if (text !== '') made.textContent = text;
  return made;
}

/** Rows that an arrow key moves by. */
const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1 };

function directionOf({ up }: NonNullable<Sorting>): 'ascending' | 'descending' {
  return up ? 'ascending' : 'descending';
}

function cell(className: string, ...parts: readonly (HTMLElement | '')[]): HTMLTableCellElement {
  const made = element('td', className);
  made.role = 'cell';
  made.append(...parts.filter((part) => part !== ''));
  return made;
}
