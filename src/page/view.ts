import { withoutInputs } from './offered-calls.ts';
import {
  type Choice,
  chosenRows,
  countsOf,
  generateCall,
  headlineOf,
  nameOfRow,
  pages,
  type Sorting,
  withoutScheme,
} from './table.ts';
import { type Outcome, type Row, type RowState, STATES } from './tool-result.ts';

/** A state in words. */
const WORDS: Readonly<Record<RowState, string>> = {
  failed: 'Failed',
  unqueued: 'Not queued',
  unfinished: 'Running',
  nothing_made: 'No draft',
  selected: 'Selected',
  completed: 'Completed',
  drafted: 'Drafted',
};
/** The order of the bar and the filters: what is done comes first. */
const BAR_ORDER = STATES.toReversed();

/** A button above the table. */
export interface Action {
  readonly label: string;
  readonly isMain: boolean;
  readonly run: () => void;
}

/** What a person does in the page. */
export interface ViewEvents {
  readonly onOpen: (url: string) => void;
}

/** The page's document. Every text gets into it as text, whatever stands in it. */
export class View {
  readonly #events: ViewEvents;
  #outcome: Outcome | null = null;
  #opensLinks = false;
  #choice: Choice = { state: null, search: '', sorting: { column: 'state', up: true } };
  #clock: number | undefined;

  constructor(events: ViewEvents) {
    this.#events = events;
    const search = byId('search', HTMLInputElement);
    search.addEventListener('input', () => this.#choose({ search: search.value }));
    for (const header of document.querySelectorAll('th')) {
      header.addEventListener('click', () => this.#sort(header.dataset.column ?? ''));
    }
  }

  /** Says that a call is under way. */
  showRunning(headline: string, about: string): void {
    this.#outcome = null;
    byId('bar').classList.add('running');
    this.#showHead(headline, '', about);
    this.showActions([]);
    byId('list').hidden = true;
    byId('next').hidden = true;
  }

  /** Says how a call ended that has nothing for the table. */
  showMessage(headline: string, about: string): void {
    this.showRunning(headline, about);
    byId('bar').classList.remove('running');
  }

  /** Shows a result. */
  showOutcome(outcome: Outcome, opensLinks: boolean): void {
    this.#outcome = outcome;
    this.#opensLinks = opensLinks;
    const { elapsedSeconds, message, nextSteps, rows } = outcome;
    const elapsed = elapsedSeconds > 0 ? `Took ${elapsedSeconds.toLocaleString('en-US')} s` : '';
    this.#showHead(
      headlineOf(outcome),
      elapsed,
      [withoutInputs(message), aboutLive(outcome)].filter(Boolean).join(' '),
    );
    this.#showBar(outcome);
    byId('list').hidden = rows.length === 0;
    byId('next').hidden = nextSteps === '';
    byId('steps').textContent = withoutInputs(nextSteps);
    if (this.#choice.state !== null && countsOf(outcome)[this.#choice.state] === undefined) {
      this.#choice = { ...this.#choice, state: null };
    }
    this.#showFilters(outcome);
    this.#showRows();
  }

  /** Shows what can be done next. */
  showActions(actions: readonly Action[]): void {
    const group = byId('actions');
    const hadFocus = group.contains(document.activeElement);
    group.replaceChildren(
      ...actions.map(({ label, isMain, run }) => {
        const button = element('button', isMain ? 'main' : '', label);
        button.addEventListener('click', () => {
          if (button.ariaDisabled !== 'true') run();
        });
        return button;
      }),
    );
    group.hidden = actions.length === 0;
    // Keyboard users continue from where the button was.
    if (hadFocus) (group.querySelector('button') ?? byId('headline')).focus();
  }

  /** Whether a call is still running, so that no other can be started. */
  get isBusy(): boolean {
    return byId('page').ariaBusy === 'true';
  }

  /** Says what happens, or has happened; with a clock while it lasts. */
  showNotice(text: string, { isBusy = false, isError = false } = {}): void {
    const notice = byId('notice');
    notice.textContent = text;
    byId('status').hidden = text === '';
    notice.className = isError ? 'error' : '';
    byId('page').ariaBusy = String(isBusy);
    // Not disabled, since a disabled button loses the focus.
    for (const button of byId('actions').children) button.ariaDisabled = String(isBusy);
    window.clearInterval(this.#clock);
    const clock = byId('clock');
    clock.textContent = '';
    if (!isBusy) return;
    const startedAt = Date.now();
    this.#clock = window.setInterval(() => {
      clock.textContent = `${Math.round((Date.now() - startedAt) / 1000)} s`;
    }, 1000);
  }

  #showHead(headline: string, elapsed: string, about: string): void {
    byId('headline').textContent = headline;
    byId('elapsed').textContent = elapsed;
    byId('about').textContent = about;
  }

  #showBar(outcome: Outcome): void {
    const bar = byId('bar');
    bar.classList.remove('running');
    const parts = countsInOrder(outcome);
    bar.replaceChildren(
      ...parts.map(({ state, count }) => {
        const part = element('span', state);
        part.style.flexGrow = String(count);
        return part;
      }),
    );
    bar.ariaLabel =
      parts.map(({ state, count }) => `${count} ${WORDS[state].toLowerCase()}`).join(', ') ||
      'Nothing';
  }

  #showFilters(outcome: Outcome): void {
    const parts = countsInOrder(outcome);
    const all = parts.reduce((sum, { count }) => sum + count, 0);
    const filters = byId('filters');
    const focused = filters.contains(document.activeElement)
      ? [...filters.children].findIndex((child) => child.matches(':focus'))
      : -1;
    filters.replaceChildren(
      this.#filter(null, 'All', all),
      ...parts.map(({ state, count }) => this.#filter(state, WORDS[state], count)),
    );
    const again = filters.children[focused];
    if (again instanceof HTMLElement) again.focus();
  }

  #filter(state: RowState | null, word: string, count: number): HTMLButtonElement {
    const button = element('button', state ?? '');
    button.ariaPressed = String(this.#choice.state === state);
    if (state !== null) button.append(element('span', 'dot'));
    button.append(`${word} `, element('b', '', count.toLocaleString('en-US')));
    button.addEventListener('click', () => this.#choose({ state }));
    return button;
  }

  #choose(change: Partial<Choice>): void {
    this.#choice = { ...this.#choice, ...change };
    if (this.#outcome === null) return;
    if ('state' in change) this.#showFilters(this.#outcome);
    this.#showRows();
  }

  #sort(name: string): void {
    const column = name === 'state' || name === 'page' || name === 'reason' ? name : 'page';
    const { sorting } = this.#choice;
    const isSame = sorting?.column === column;
    const next: Sorting = isSame
      ? sorting.up
        ? { column, up: false }
        : null
      : { column, up: true };
    for (const header of document.querySelectorAll('th')) {
      const isIt = next !== null && header.dataset.column === column;
      header.ariaSort = isIt ? (next.up ? 'ascending' : 'descending') : 'none';
    }
    this.#choose({ sorting: next });
  }

  #showRows(): void {
    if (this.#outcome === null) return;
    const { rows, unlisted } = this.#outcome;
    const chosen = chosenRows(rows, this.#choice);
    const fragment = document.createDocumentFragment();
    fragment.append(...chosen.map((row) => this.#row(row)));
    byId('rows').replaceChildren(fragment);
    byId('scroller').scrollTop = 0;
    // With nothing to say in it, the column would be empty.
    const hasReasons = rows.some(({ reason, hint }) => reason !== undefined || hint !== undefined);
    byId('page').dataset.reasons = String(hasReasons);
    const more = Object.values(unlisted).reduce((sum, count) => sum + count, 0);
    const shown =
      chosen.length === rows.length
        ? ''
        : `${chosen.length.toLocaleString('en-US')} of ${pages(rows.length)} shown.`;
    const hidden = more === 0 ? '' : `${pages(more)} more in Fini, too many to list here.`;
    byId('shown').textContent = [shown, hidden].filter(Boolean).join(' ');
  }

  #row(row: Row): HTMLTableRowElement {
    const line = element('tr');
    line.role = 'row';
    const state = cell('state');
    state.append(element('span', `badge ${row.state}`, WORDS[row.state]));
    const page = cell('page');
    const name = nameOfRow(row);
    if (name !== row.url) page.append(element('span', 'title', name));
    if (row.url !== undefined) page.append(this.#link(row.url));
    if (row.input !== undefined && row.input !== name) {
      page.append(element('span', 'input', `Given as ${row.input}`));
    }
    const reason = cell('reason');
    if (row.reason !== undefined) {
      const isTrouble = row.state === 'failed' || row.state === 'unqueued';
      reason.append(element('span', isTrouble ? 'trouble' : 'quiet', row.reason));
    }
    if (row.hint !== undefined) reason.append(element('span', 'hint', row.hint));
    line.append(state, page, reason);
    return line;
  }

  #link(url: string): HTMLElement {
    const path = withoutScheme(url);
    if (!this.#opensLinks || path === url) return element('span', 'url', url);
    const link = element('a', 'url');
    // It breaks where its parts end, not within words.
    for (const part of path.split(/(?<=[/?&])/)) link.append(part, element('wbr'));
    // One name for screen readers.
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
}

/** What completed means, which people take for live. */
function aboutLive(outcome: Outcome): string {
  const { completed = 0, drafted = 0 } = countsOf(outcome);
  // A long report names its completed pages by URL alone.
  const isLong = completed > 0 && outcome.offers.generate && generateCall(outcome) === null;
  if (drafted > 0) {
    return 'Drafts are not live yet: review and publish them in the Fini dashboard.';
  }
  if (completed === 0) return '';
  const live =
    'Completed pages are not live yet: they still go through Knowledge in Fini, where drafts are made, reviewed and published.';
  return isLong ? `${live} To generate drafts from so many, ask the assistant.` : live;
}

function countsInOrder(outcome: Outcome): { state: RowState; count: number }[] {
  const counts = countsOf(outcome);
  return BAR_ORDER.flatMap((state) => {
    const count = counts[state] ?? 0;
    return count === 0 ? [] : [{ state, count }];
  });
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

function cell(className: string): HTMLTableCellElement {
  const made = element('td', className);
  made.role = 'cell';
  return made;
}
