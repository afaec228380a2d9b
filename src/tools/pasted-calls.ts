import type { IngestRequest } from '../fini/client.ts';
import { jsonText } from '../text.ts';

/* Calls that an error tells to make next, written so that they can be pasted. */

const LISTED_ITEMS = 500;

/** The call that waits for these, as a sentence that can be pasted. */
export function waitCall(ids: readonly string[], since: object = {}): string {
  const named = ids.slice(0, LISTED_ITEMS);
  return `call wait_for_sources with ${jsonText({ ids: named, ...since })}.${others(ids, named)}`;
}

/** The call that ingests these as they were passed, as a sentence that can be pasted. */
export function ingestCall(items: readonly string[], request: IngestRequest | null): string {
  if (request === null) return 'make the same call again.';
  const named = items.slice(0, LISTED_ITEMS);
  const wanted = new Set(named);
  const add = request.documentIdsToAdd.filter((item) => wanted.has(item));
  const refresh = request.documentIdsToRefresh.filter((item) => wanted.has(item));
  const input = {
    ...(request.source !== 'web' && { source: request.source }),
    ...(add.length > 0 && { documentIdsToAdd: add }),
    ...(refresh.length > 0 && { documentIdsToRefresh: refresh }),
    ...(!request.english && { english: false }),
    ...(request.baser && { baser: true }),
  };
  return `call ingest_and_wait with ${jsonText(input)}.${others(items, named)}`;
}

/** The call that generates drafts from these, as a sentence that can be pasted. */
export function generateCall(documentIds: readonly string[], options: object = {}): string {
  return `call generate_knowledge with ${jsonText({ documentIds, ...options })}.`;
}

function others(items: readonly string[], named: readonly string[]): string {
  const more = items.length - named.length;
  return more > 0 ? ` Then do the same with the ${more} others.` : '';
}
