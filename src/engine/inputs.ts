import type { IngestRequest, IngestSource } from '../fini/client.ts';
import { hasUnseen, parsedUrl } from '../text.ts';
import { inputKey } from './identity.ts';

/*
 * Ingest takes URLs for `web` and source IDs for every other source. Fini calls mixing them up the most
 * common cause of failed imports, so a mix-up is found here, before any request, and every bad item is
 * named at once.
 */

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;
const WEB_URL = /^https?:\/\/[^/?#\\]/i;
/** A bullet, a number, a URL or a source ID after white space. */
const ANOTHER_ITEM =
  /\s(?:[-*+•‣◦–—](?:\s|$)|\d{1,4}[.)](?:\s|$)|[a-z][a-z0-9+.-]*:\/\/|[0-9a-f]{8}-[0-9a-f]{4}-)/i;
/** A label such as "Refunds:", with or without something after it. */
const LABEL = /^[^/?#]*:(?:\s|$)/;
const HOST_AND_PATH = /^[^\s/:?#@]+\.[a-z]{2,}(:\d+)?([/?#]|$)/i;

const LABELLED_ID = 'IDs with a label: pass one ID per item, without labels';

/** True if a text has the form of a source ID: a UUID, in any case. */
export function isSourceId(text: string): boolean {
  return UUID.test(text);
}

/** True if a text is a URL that Fini can fetch: absolute, http(s), with a host, without credentials. */
export function isWebUrl(text: string): boolean {
  return webUrlFault(text) === null;
}

/** The purpose of URLs, which decides what a refusal advises. */
export type UrlPurpose = 'ingest' | 'crawl';

/** The reason that a text is not such a URL, in words that follow "are", with advice. */
export function webUrlFault(text: string, purpose: UrlPurpose = 'ingest'): string | null {
  if (text === '') return 'empty: remove them';
  if (isSourceId(text)) {
    return purpose === 'crawl'
      ? "source IDs, but a crawl starts at URLs: pass the page's URL (get_source shows it as originalUrl)"
      : 'source IDs, but web takes URLs. For a page in Fini, pass its URL (get_source shows it as originalUrl) or call refresh_sources with the ID. For any other source in Fini, set "source" to its kind. If they are Notion\'s own IDs, call import_provider_resources with externalIds';
  }
  if (WEB_URL.test(text)) {
    if (ANOTHER_ITEM.test(text) || (/\s/.test(text) && text.endsWith(':')))
      return 'URLs with white space and something else after it: pass one URL per item, without labels';
    if (/\s/.test(text))
      return 'URLs with spaces in them: write each space as %20, and pass one URL per item';
    if (hasUnseen(text))
      return 'URLs with invisible characters: remove them, or percent-encode those you need';
    if (text.includes('\\'))
      return 'URLs with a backslash: write "/", or %5C if you mean a backslash';
    const url = parsedUrl(text);
    if (url === null) return 'not valid URLs: check the host and the port';
    if (url.username !== '' || url.password !== '') {
      return 'URLs with credentials: remove the part before "@". Fini must be able to read the page without it';
    }
    return null;
  }
  if (/^https?:/i.test(text)) return 'URLs without a host: write https://host/path';
  if (LABEL.test(text)) return 'labels: pass one URL per item, without labels';
  if (HOST_AND_PATH.test(text)) return 'without a scheme: put https:// before them';
  if (SCHEME.test(text)) return 'not http or https URLs: nothing else can be ingested';
  if (text.startsWith('/'))
    return 'relative paths: write the whole URL, with https:// and the host';
  return purpose === 'crawl'
    ? "not URLs: write https://host/path. For a provider's content, use import_provider_resources"
    : "not URLs. If they are a provider's own IDs, call import_provider_resources with externalIds";
}

/** The reason that a text is not the ID of a source in Fini, in words that follow "are". */
export function sourceIdFault(text: string): string | null {
  if (isSourceId(text)) return null;
  if (text === '') return 'empty: remove them';
  if (LABEL.test(text)) return LABELLED_ID;
  return isLikeUrl(text)
    ? 'URLs, but source IDs (UUIDs) are needed: list_sources with originalUrl finds them'
    : "not source IDs (UUIDs). A provider's own ID (externalId) is not a source ID: list_sources shows the IDs";
}

/** The reason that a text is not the ID of a source to ingest, in words that follow "are". */
function ingestedIdFault(text: string, source: IngestSource): string | null {
  if (isSourceId(text)) return null;
  if (text === '') return 'empty: remove them';
  if (LABEL.test(text)) return LABELLED_ID;
  const whereFrom =
    source === 'googledrive'
      ? 'Google Drive cannot be listed, so only IDs of sources in Fini work (list_sources with source "googledrive")'
      : "list_sources shows the IDs of sources in Fini. For a provider's own IDs or URLs, call import_provider_resources with externalIds";
  return isLikeUrl(text)
    ? `URLs, but source IDs (UUIDs) are needed: ${whereFrom}. To ingest a public page, set "source" to "web"`
    : `not source IDs (UUIDs). A provider's own ID (externalId) is not a source ID: ${whereFrom}`;
}

function isLikeUrl(text: string): boolean {
  return SCHEME.test(text) || HOST_AND_PATH.test(text);
}

/** The two lists of an ingest call. */
export type IngestList = 'documentIdsToAdd' | 'documentIdsToRefresh';

/** A fault of an ingest call, as a sentence without its full stop. */
export interface IngestFault {
  /** The bad item; null if the fault concerns the call as a whole. */
  readonly item: { readonly list: IngestList; readonly index: number } | null;
  readonly message: string;
}

/**
 * Finds everything that is wrong with the two lists of an ingest call. A null item is not text, which
 * another check refuses. Empty if nothing is wrong.
 */
export function findIngestFaults(request: {
  readonly source: IngestSource;
  readonly documentIdsToAdd: readonly (string | null)[];
  readonly documentIdsToRefresh: readonly (string | null)[];
}): IngestFault[] {
  const { source, documentIdsToAdd, documentIdsToRefresh } = request;
  if (documentIdsToAdd.length + documentIdsToRefresh.length === 0) {
    const kind = source === 'web' ? 'URL' : 'source ID';
    const message = `documentIdsToAdd and documentIdsToRefresh are both empty: pass at least one ${kind} in one of them.`;
    return [{ item: null, message }];
  }
  const faultOf = (item: string) =>
    source === 'web' ? webUrlFault(item) : ingestedIdFault(item, source);
  const faultsOf = (list: IngestList) =>
    request[list].flatMap((text, index): IngestFault[] => {
      const fault = text === null ? null : faultOf(text);
      if (fault === null) return [];
      return [{ item: { list, index }, message: `With source "${source}" these are ${fault}` }];
    });
  const refreshKeys = new Set(
    documentIdsToRefresh.flatMap((item) => (item === null ? [] : [inputKey(item)])),
  );
  const both = documentIdsToAdd.flatMap((text, index): IngestFault[] => {
    if (text === null || !refreshKeys.has(inputKey(text))) return [];
    const message = 'These are also in documentIdsToRefresh: keep them in only one of the two';
    return [{ item: { list: 'documentIdsToAdd', index }, message }];
  });
  return [...faultsOf('documentIdsToAdd'), ...faultsOf('documentIdsToRefresh'), ...both];
}

/** The inputs without repetitions, in order of first appearance; IDs in lower case, as Fini has them. */
export function withoutDuplicates(inputs: readonly string[]): string[] {
  const unique = new Map<string, string>();
  for (const input of inputs) {
    const key = inputKey(input);
    if (!unique.has(key)) unique.set(key, isSourceId(input) ? key : input);
  }
  return [...unique.values()];
}

/** A request without repetitions in either list. */
export function withoutRepetitions(request: IngestRequest): IngestRequest {
  return {
    ...request,
    documentIdsToAdd: withoutDuplicates(request.documentIdsToAdd),
    documentIdsToRefresh: withoutDuplicates(request.documentIdsToRefresh),
  };
}

/** Both lists of a request as one. */
export function inputsOf(request: IngestRequest): string[] {
  return [...request.documentIdsToAdd, ...request.documentIdsToRefresh];
}

/** The inputs of a request that Fini should already have: everything but new pages. */
export function knownInputsOf({ documentIdsToAdd, documentIdsToRefresh }: IngestRequest): string[] {
  return [...documentIdsToAdd.filter(isSourceId), ...documentIdsToRefresh];
}

/** The part of a request that concerns these inputs. */
export function requestFor(request: IngestRequest, inputs: Iterable<string>): IngestRequest {
  const wanted = new Set(inputs);
  const isWanted = (input: string) => wanted.has(input);
  return {
    ...request,
    documentIdsToAdd: request.documentIdsToAdd.filter(isWanted),
    documentIdsToRefresh: request.documentIdsToRefresh.filter(isWanted),
  };
}
