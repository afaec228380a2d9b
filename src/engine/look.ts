import type { FiniClient } from '../fini/client.ts';
import type { Deadline } from '../fini/deadline.ts';
import { FiniError } from '../fini/errors.ts';
import type { FiniDocument } from '../fini/schemas.ts';
import { forEachAtOnce } from './concurrency.ts';
import { type Baseline, recordsById } from './freshness.ts';
import { inputKey, namesOfSource } from './identity.ts';
import { isSourceId } from './inputs.ts';
import { isInFlight, JOB_LOST_MS } from './job-states.ts';
import { LARGE_PAGE, sourcePages } from './list.ts';

/** Maximum number of requests of a look, whatever the size of the workspace. */
const LOOK_REQUESTS = 8;
/** Number of pages to read for running jobs; a few sources that they don't show are looked up. */
const PAGES_OF_RUNNING = 3;
/** Number of records that contain a URL to search for the one that has it. */
const RECORDS_ALIKE = 10;

/** The list as a call found it before queueing. */
export interface Look extends Baseline {
  readonly newestChange: number;
  /** IDs that Fini was asked for and does not have. */
  readonly absent: ReadonlySet<string>;
  /**
   * True if `records` holds every source of the workspace. Only a single page proves it: a source that
   * moves while pages are read may be on none.
   */
  readonly isWhole: boolean;
}

/**
 * Looks at the list before something is queued. The list is ordered by change, so running jobs are at
 * its top. A source that is not found within eight requests is unknown.
 *
 * @param mayRun Inputs whose job may be running.
 * @param known Inputs that Fini should have: their records tell a new job from the one before.
 * @throws {FiniError}, and the signal's reason once that is aborted.
 */
export async function lookBeforeQueueing(
  fini: FiniClient,
  { mayRun, known }: { readonly mayRun: readonly string[]; readonly known: readonly string[] },
  deadline: Deadline,
): Promise<Look> {
  const missing = new Map(known.map((input) => [inputKey(input), input]));
  const unseen = new Map(mayRun.map((input) => [inputKey(input), input]));
  // A few known sources are looked up one by one; from the list, only the newest change matters.
  const isFew = mayRun.length === 0 && known.length < LOOK_REQUESTS;
  const found: FiniDocument[] = [];
  let newestChange: number | null = null;
  let hasMore = false;
  let pages = 0;
  let isRunningCovered = false;
  for await (const page of sourcePages(fini, deadline, {}, isFew ? 1 : LARGE_PAGE)) {
    pages += 1;
    found.push(...page.documents);
    for (const document of page.documents) {
      for (const name of namesOfSource(document)) {
        if (name === null) continue;
        missing.delete(inputKey(name));
        unseen.delete(inputKey(name));
      }
    }
    newestChange = latest(newestChange, page.newestChange);
    hasMore = page.hasMore;
    const reachesBack = isBefore(page.oldestChange, (newestChange ?? 0) - JOB_LOST_MS);
    isRunningCovered = !hasMore || reachesBack;
    if (isFew || !hasMore || pages >= LOOK_REQUESTS) break;
    const isQuiet = reachesBack && !page.documents.some(isInFlight);
    if (!isQuiet && pages < PAGES_OF_RUNNING) continue;
    const wanted = missing.size + (isRunningCovered ? 0 : unseen.size);
    if (wanted <= LOOK_REQUESTS - pages) break;
  }
  const toLookUp = [...new Map([...missing, ...(isRunningCovered ? [] : unseen)]).values()];
  const absent = new Set<string>();
  if (hasMore && toLookUp.length <= LOOK_REQUESTS - pages) {
    await forEachAtOnce(toLookUp, async (input) => {
      const document = await lookUp(fini, input, deadline);
      if (document === 'absent') absent.add(input);
      else if (document !== undefined) found.push(document);
    });
  }
  const isWhole = pages <= 1 && !hasMore;
  return { newestChange: newestChange ?? 0, records: recordsById(found), absent, isWhole };
}

/** The record of one input; `absent` if Fini has none, undefined if the look does not show it. */
async function lookUp(
  fini: FiniClient,
  input: string,
  deadline: Deadline,
): Promise<FiniDocument | 'absent' | undefined> {
  try {
    if (isSourceId(input)) return await fini.getSource(input, deadline);
    const request = { source: 'web', originalUrl: input, limit: RECORDS_ALIKE };
    const { documents } = await fini.listSources(request, deadline);
    // An API may ignore a filter that it does not know.
    return documents.find((document) =>
      namesOfSource(document).some((name) => name !== null && inputKey(name) === inputKey(input)),
    );
  } catch (error) {
    if (!(error instanceof FiniError) || error.isPassing || error.status === 401) throw error;
    // Only a 404 for an ID means that the source is absent; any other refusal proves nothing.
    return error.status === 404 && isSourceId(input) ? 'absent' : undefined;
  }
}

function latest(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.max(one, other);
}

function isBefore(time: number | null, other: number): boolean {
  return time !== null && time < other;
}
