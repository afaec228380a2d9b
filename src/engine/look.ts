import type { Call, CallOptions } from '../fini/call-options.ts';
import type { FiniClient } from '../fini/client.ts';
import type { FiniDocument } from '../fini/documents.ts';
import { FiniError } from '../fini/errors.ts';
import { type Baseline, recordsById } from './freshness.ts';
import { inputKey, namesOf } from './identity.ts';
import { isSourceId } from './inputs.ts';
import { isInFlight } from './job-states.ts';
import { pagesOf } from './pages.ts';
import { forEachAtOnce } from './promises.ts';
import { SharedRun } from './shared-run.ts';

/** A look costs no more requests than this, whatever the workspace holds. */
const LOOK_REQUESTS = 8;
/** How many pages of the list calls at once read together; what they miss, each looks up by itself. */
const SHARED_PAGES = 3;
/** Jobs that pend for longer are lost by Fini's own word, so older changes need no look. */
const LOOK_BACK_MS = 15 * 60_000;
/** How many records that contain a URL are looked through for the one that has it. */
const RECORDS_ALIKE = 10;

/** What a call needs to know of the list before it queues. */
export interface Wanted {
  /** Inputs whose job may be running. */
  readonly mayRun: readonly string[];
  /** Inputs that Fini should have: their records tell a new job from the one before it. */
  readonly there: readonly string[];
}

/** The list as a call found it before it queued. */
export interface Look extends Baseline {
  /** IDs that Fini was asked for and does not have. */
  readonly absent: ReadonlySet<string>;
  /**
   * Every source that has changed since is in `records`, in milliseconds since 1970; -Infinity: all
   * are. Only one page tells for sure: a source that moves while pages are read may be on none.
   */
  readonly shownSince: number;
}

/** The newest pages of the list. */
interface Top {
  readonly documents: readonly FiniDocument[];
  readonly newestChange: number;
  /** How far the first page goes back, and how far all of them do. */
  readonly shownSince: number;
  readonly coveredSince: number;
  readonly pages: number;
}

/**
 * Looks at a workspace's list before something is queued. It is ordered by change, so its top tells
 * what runs; calls at once share the reading of that, and each looks up the few sources of its own
 * that it does not find there.
 */
export class Looks {
  readonly #fini: FiniClient;
  readonly #tops: SharedRun<Top>;

  constructor(fini: FiniClient) {
    this.#fini = fini;
    this.#tops = new SharedRun((call) => this.#readTop(call));
  }

  /**
   * Looks at the list as it is now. What it does not find within eight requests is unknown.
   *
   * @throws {FiniError}, and the signal's reason once that is aborted.
   */
  async look({ mayRun, there }: Wanted, user: Call): Promise<Look> {
    const isFew = mayRun.length === 0 && there.length < LOOK_REQUESTS;
    const top = isFew
      ? await this.#readNewest(user)
      : await this.#tops.join(user, performance.now());
    const found = [...top.documents];
    let { coveredSince, pages } = top;
    const isCovered = () => coveredSince < top.newestChange - LOOK_BACK_MS;
    const missing = new Map<string, string>();
    for (const input of [...(isCovered() ? [] : mayRun), ...there]) {
      missing.set(inputKey(input), input);
    }
    const find = (documents: readonly FiniDocument[]) => {
      for (const document of documents) {
        for (const name of namesOf(document)) if (name) missing.delete(inputKey(name));
      }
    };
    find(found);
    if (missing.size > LOOK_REQUESTS - pages && Number.isFinite(coveredSince)) {
      const after = found.at(-1)?.id;
      for await (const page of pagesOf(this.#fini, user, { after })) {
        found.push(...page.documents);
        find(page.documents);
        pages += 1;
        coveredSince = page.hasMore ? page.oldestChange : Number.NEGATIVE_INFINITY;
        if (pages >= LOOK_REQUESTS || missing.size === 0) break;
        if (there.length === 0 && isCovered()) break;
      }
    }
    const absent = new Set<string>();
    if (missing.size <= LOOK_REQUESTS - pages && Number.isFinite(coveredSince)) {
      await forEachAtOnce([...missing.values()], async (input) => {
        const document = await this.#lookUp(input, user);
        if (document) found.push(document);
        else if (document === null) absent.add(input);
      });
    }
    const { newestChange, shownSince } = top;
    return { newestChange, records: recordsById(found), absent, shownSince };
  }

  /** Only when the list last changed, for a call that looks for a few sources one by one. */
  async #readNewest(options: CallOptions): Promise<Top> {
    for await (const page of pagesOf(this.#fini, options, { limit: 1 })) {
      const { documents, newestChange, hasMore } = page;
      const since = hasMore ? newestChange : Number.NEGATIVE_INFINITY;
      return { documents, newestChange, shownSince: since, coveredSince: since, pages: 1 };
    }
    const none = Number.NEGATIVE_INFINITY;
    return { documents: [], newestChange: none, shownSince: none, coveredSince: none, pages: 1 };
  }

  /** Reads the list's top as far back as anything may be in flight, within bounds. */
  async #readTop(options: CallOptions): Promise<Top> {
    const documents: FiniDocument[] = [];
    let newestChange = Number.NEGATIVE_INFINITY;
    let shownSince = Number.NEGATIVE_INFINITY;
    let coveredSince = Number.NEGATIVE_INFINITY;
    let pages = 0;
    for await (const page of pagesOf(this.#fini, options)) {
      documents.push(...page.documents);
      newestChange = Math.max(newestChange, page.newestChange);
      coveredSince = page.hasMore ? page.oldestChange : Number.NEGATIVE_INFINITY;
      if (pages === 0) shownSince = coveredSince;
      pages += 1;
      if (pages >= SHARED_PAGES) break;
      const isQuiet = page.oldestChange < newestChange - LOOK_BACK_MS;
      if (isQuiet && !page.documents.some(isInFlight)) break;
    }
    return { documents, newestChange, shownSince, coveredSince, pages };
  }

  /** The record of one input; null where Fini says that there is none, undefined where it shows none. */
  async #lookUp(input: string, options: CallOptions): Promise<FiniDocument | null | undefined> {
    try {
      if (isSourceId(input)) return await this.#fini.getSource(input, options);
      const request = { source: 'web', originalUrl: input, limit: RECORDS_ALIKE };
      const { documents } = await this.#fini.listSources(request, options);
      // An API may ignore a filter that it does not know.
      return documents.find((document) =>
        namesOf(document).some((name) => name !== null && inputKey(name) === inputKey(input)),
      );
    } catch (error) {
      if (!(error instanceof FiniError) || error.isPassing || error.status === 401) throw error;
      // Only this says that there is none; any other refusal says nothing.
      return error.status === 404 && isSourceId(input) ? null : undefined;
    }
  }
}
