import { isSourceId } from '../engine/inputs.ts';

const SOURCE_URI_START = 'fini://sources/';

/** The template of a source's resource (MCP's URI templates). */
export const SOURCE_TEMPLATE = `${SOURCE_URI_START}{id}`;
/** The template of a later part of a source's text. */
export const SOURCE_PART_TEMPLATE = `${SOURCE_TEMPLATE}/paragraphs/{offset}`;

/** The URI of a source's text, from its beginning or from a later paragraph on. */
export function sourceUri(id: string, offset = 0): string {
  return offset === 0
    ? `${SOURCE_URI_START}${id}`
    : `${SOURCE_URI_START}${id}/paragraphs/${offset}`;
}

/** The source and paragraph that a URI names; null if it is not a URI of this server. */
export function parseSourceUri(uri: string): { id: string; offset: number } | null {
  const match = /^fini:\/\/sources\/([0-9a-f-]+)(?:\/paragraphs\/(\d{1,9}))?$/i.exec(uri);
  if (match?.[1] === undefined || !isSourceId(match[1])) return null;
  return { id: match[1].toLowerCase(), offset: Number(match[2] ?? 0) };
}
