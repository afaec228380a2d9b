import { type Fields, fieldsOf, textOf } from './narrowing.ts';

/**
 * Makes the page look like its host: light or dark, its colours and fonts, and its height if given.
 * Fonts that would have to be loaded are ignored: the page requests nothing.
 */
export function applyContext({ theme, styles, displayMode, containerDimensions }: Fields): void {
  const { dataset, style } = document.documentElement;
  if (theme === 'light' || theme === 'dark') {
    dataset.theme = theme;
    style.colorScheme = theme;
  }
  for (const [name, value] of Object.entries(fieldsOf(fieldsOf(styles).variables))) {
    const text = textOf(value);
    if (name.startsWith('--') && text !== undefined) style.setProperty(name, text);
  }
  const isFixed = typeof fieldsOf(containerDimensions).height === 'number';
  dataset.fills = String(displayMode === 'fullscreen' || isFixed);
}

/** Reports the page's size now and whenever it changes. */
export function watchSize(
  page: HTMLElement,
  onSize: (width: number, height: number) => void,
): void {
  let last = 0;
  const observer = new ResizeObserver(() => {
    const height = Math.ceil(page.getBoundingClientRect().height);
    if (height !== last) onSize(window.innerWidth, height);
    last = height;
  });
  observer.observe(page);
}
