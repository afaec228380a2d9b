import { type Fields, fieldsOf, textOf } from './narrowing.ts';

/** The host's name for the colour of its ground. */
const GROUND = '--color-background-primary';

/**
 * Makes the page look like its host: light or dark, its colours and fonts, and its height where it is
 * given. Fonts that would have to be loaded are left: nothing leaves the page.
 */
export function applyContext({ theme, styles, displayMode, containerDimensions }: Fields): void {
  const { dataset, style } = document.documentElement;
  if (theme === 'light' || theme === 'dark') {
    dataset.theme = theme;
    style.colorScheme = theme;
  }
  const variables = fieldsOf(fieldsOf(styles).variables);
  // A host that says if it is light or dark, but not its colours, has a ground of its own.
  const isClear = dataset.theme !== undefined && textOf(variables[GROUND]) === undefined;
  document.body.style.background = isClear ? 'transparent' : '';
  for (const [name, value] of Object.entries(variables)) {
    const text = textOf(value);
    if (name.startsWith('--') && text !== undefined) style.setProperty(name, text);
  }
  const isFixed = typeof fieldsOf(containerDimensions).height === 'number';
  dataset.fills = String(displayMode === 'fullscreen' || isFixed);
}

/** Tells about the page's height now and whenever it changes. */
export function watchHeight(page: HTMLElement, onHeight: (height: number) => void): void {
  let last = 0;
  const observer = new ResizeObserver(() => {
    const height = Math.ceil(page.getBoundingClientRect().height);
    if (height !== last) onHeight(height);
    last = height;
  });
  observer.observe(page);
}
