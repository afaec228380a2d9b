import { isSourceId } from '../engine/inputs.ts';

const SOURCE_URI_START = 'fini://sources/';

/** The templates of the resources that this server offers (MCP's URI templates). */
export const SOURCE_TEMPLATE = `${SOURCE_URI_START}{id}`;
/** The place at which a text continues. */
export const SOURCE_PART_TEMPLATE = `${SOURCE_TEMPLATE}/paragraphs/{offset}`;

/** The resource of a source's text, from its beginning or from a later paragraph on. */
export function sourceUri(id: string, offset = 0): string {
  return offset === 0
    ? `${SOURCE_URI_START}${id}`
    : `${SOURCE_URI_START}${id}/paragraphs/${offset}`;
}

/** The source and paragraph that a URI names; null if it is no URI of this server. */
export function parseSourceUri(uri: string): { id: string; offset: number } | null {
  const match = /^fini:\/\/sources\/([0-9a-f-]+)(?:\/paragraphs\/(\d{1,9}))?$/i.exec(uri);
  if (match?.[1] === undefined || !isSourceId(match[1])) return null;
  return { id: match[1].toLowerCase(), offset: Number(match[2] ?? 0) };
}
