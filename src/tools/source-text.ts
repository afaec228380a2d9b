import { cut, tidied } from '../text.ts';

/** Maximum length of a text to show at once, in characters of up to three bytes. */
export const MAXIMUM_SHOWN_CHARACTERS = 16_000;

/** Length of the separator of two paragraphs: many short ones fill a text, too. */
const SEPARATOR_LENGTH = 2;

/** The paragraphs of a text; one that is too long to be shown at once comes as several, cut between characters. */
export function showableParagraphs(paragraphs: readonly string[]): string[] {
  return paragraphs.flatMap((paragraph) => {
    const parts: string[] = [];
    let rest = paragraph;
    while (rest.length > MAXIMUM_SHOWN_CHARACTERS) {
      const part = cut(rest, MAXIMUM_SHOWN_CHARACTERS);
      parts.push(part);
      rest = rest.slice(part.length);
    }
    return [...parts, rest];
  });
}

/** The first paragraphs that fit. There is always one, which is cut if it is too long by itself. */
export function fittingParagraphs(
  paragraphs: readonly string[],
  characters: number,
): { paragraphs: string[]; isCut: boolean } {
  const kept: string[] = [];
  let room = characters;
  for (const paragraph of paragraphs) {
    const text = tidied(paragraph);
    if (text.length > room) {
      if (kept.length > 0) break;
      return {
        paragraphs: [`${cut(text, room)}… (cut: ${paragraph.length} characters)`],
        isCut: true,
      };
    }
    kept.push(text);
    room -= text.length + SEPARATOR_LENGTH;
  }
  return { paragraphs: kept, isCut: false };
}
