import { bounded } from '../text.ts';
import type { NextCall } from '../tools/next-calls.ts';
import {
  chosenRows,
  copyOf,
  countByStatus,
  headlineOf,
  nameOfRow,
  pages,
  type RowChoice,
  type Sorting,
  statusLabel,
  withoutScheme,
} from './table.ts';
import type { Overview, TableRow } from './tool-result.ts';

/** Maximum length of a button's label in characters. */
const LABEL_LENGTH = 80;

/** Events from the person. */
export interface ViewEvents {
  readonly onOpen: (url: string) => void;
  readonly onCall: (call: NextCall) => void;
}

/** The page's document. Every text is inserted as text and never as markup. */
export class View {
  readonly #events: ViewEvents;
  #overview: Overview | null = null;
  #opensLinks = false;
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
  }

  /** Shows that the host's call is running, with a clock. */
  showRunning(headline: string, about: string): void {
    this.showMessage(headline, about);
    byId('bar').classList.add('running');
    this.#startClock(byId('elapsed'));
  }

  /** Shows the result of a call that has nothing for the table. */
  showMessage(headline: string, about: string): void {
    this.#overview = null;
    this.#showHead(headline, '', about);
    byId('bar').className = '';
    byId('bar').replaceChildren();
    this.showCalls([], true);
    byId('list').hidden = true;
  }

  /** Shows a result. */
  showOverview(overview: Overview, opensLinks: boolean): void {
    this.#overview = overview;
    this.#opensLinks = opensLinks;
    const { elapsedSeconds, message, rows } = overview;
    const elapsed = elapsedSeconds > 0 ? `Took ${elapsedSeconds.toLocaleString('en-US')} s` : '';
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
    // Keyboard users continue from the button's place.
    if (hadFocus) (group.querySelector('button') ?? byId('headline')).focus();
  }

  /** True while a call is running, so that no other can be started. */
  get isBusy(): boolean {
    return byId('page').ariaBusy === 'true';
  }

  /** Shows a notice: what is happening, with a clock while it lasts, or what has happened. */
  showNotice(text: string, { isBusy = false, isError = false } = {}): void {
    const notice = byId('notice');
    const wasBusy = this.isBusy;
    notice.textContent = text;
    notice.className = isError ? 'error' : '';
    byId('status').hidden = text === '';
    byId('page').ariaBusy = String(isBusy);
    this.#disableButtons();
    // A notice while a call runs does not restart its clock.
    if (isBusy && wasBusy) return;
    const clock = byId('clock');
    clock.textContent = '';
    if (isBusy) this.#startClock(clock);
    else window.clearInterval(this.#clock);
  }

  /** Marks the buttons as disabled while a call runs. Really disabled buttons would lose the focus. */
  #disableButtons(): void {
    for (const button of byId('actions').children) button.ariaDisabled = String(this.isBusy);
  }

  #startClock(clock: HTMLElement): void {
    window.clearInterval(this.#clock);
    const startedAt = Date.now();
    this.#clock = window.setInterval(() => {
      clock.textContent = `${Math.round((Date.now() - startedAt) / 1000)} s`;
    }, 1000);
  }

  #showHead(headline: string, elapsed: string, about: string): void {
    window.clearInterval(this.#clock);
    byId('headline').textContent = headline;
    byId('elapsed').textContent = elapsed;
    byId('about').textContent = about;
  }

  #showBar(overview: Overview): void {
    const bar = byId('bar');
    // Completed pages come first in the bar.
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
    const words = parts.map(([status, count]) => `${count} ${statusLabel(status).toLowerCase()}`);
    bar.ariaLabel = words.join(', ') || 'Nothing';
    // A plan has no progress.
    bar.hidden = overview.isPlan;
  }

  #showFilters(overview: Overview): void {
    const parts = [...countByStatus(overview)].reverse();
    const all = parts.reduce((sum, [, count]) => sum + count, 0);
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
    // The column is left out if it is empty.
    const hasReasons = rows.some(({ reason, advice }) => (reason ?? advice) !== undefined);
    byId('page').dataset.reasons = String(hasReasons);
    const more = [...unlisted.values()].reduce((sum, count) => sum + count, 0);
    const chosenCount = chosen.length.toLocaleString('en-US');
    const shown =
      chosen.length === rows.length ? '' : `${chosenCount} of ${pages(rows.length)} shown.`;
    const hidden = more === 0 ? '' : `${pages(more)} more in Fini, too many to list here.`;
    byId('shown').textContent = [shown, hidden].filter(Boolean).join(' ');
    byId('copy').textContent = `Copy ${pages(chosen.length)}`;
  }

  #row(row: TableRow): HTMLTableRowElement {
    const { status, url, input, reason, advice } = row;
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
        advice === undefined ? '' : element('span', 'quiet', advice),
      ),
    );
    return line;
  }

  #link(url: string): HTMLElement {
    const path = withoutScheme(url);
    if (!this.#opensLinks || path === url) return element('span', 'url', url);
    const link = element('a', 'url');
    // The link breaks between its parts, and has one name for screen readers.
    for (const part of path.split(/(?<=[/?&])/)) link.append(part, element('wbr'));
    link.ariaLabel = path;
    link.href = url;
    link.title = url;
    link.rel = 'noreferrer';
    link.addEventListener('click', (event) => {
      event.preventDefault();
      this.#events.onOpen(url);
    });
    return link;
  }

  /** Copies the visible rows. Sandboxed frames have no access to the clipboard's own interface. */
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

/** Returns an element of the page, which must exist. */
export function byId(id: string): HTMLElement;
export function byId<Kind extends HTMLElement>(id: string, kind: new () => Kind): Kind;
export function byId(id: string, kind = HTMLElement): HTMLElement {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`The page has no ${id}.`);
  return found;
}

function directionOf({ up }: NonNullable<Sorting>): 'ascending' | 'descending' {
  return up ? 'ascending' : 'descending';
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

function cell(className: string, ...parts: readonly (HTMLElement | '')[]): HTMLTableCellElement {
  const made = element('td', className);
  made.role = 'cell';
  made.append(...parts.filter((part) => part !== ''));
  return made;
}
