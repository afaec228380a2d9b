import { orAborted } from './promises.ts';

/** Something under way for several callers at once. */
interface Run<Result> {
  readonly result: Promise<Result>;
  readonly abort: AbortController;
  users: number;
}

/**
 * Runs something for several callers at once. A caller that arrives during a run shares the next
 * one, because the current run may have missed what the caller has just done. A run ends early once
 * no caller waits for it.
 */
export class SharedRun<Result> {
  readonly #start: (signal: AbortSignal) => Promise<Result>;
  #last: Promise<unknown> = Promise.resolve();
  #next: Run<Result> | undefined;

  constructor(start: (signal: AbortSignal) => Promise<Result>) {
    this.#start = start;
  }

  /**
   * The result of the next run.
   *
   * @throws what the run throws, and the signal's reason once that is aborted.
   */
  async join(signal: AbortSignal): Promise<Result> {
    signal.throwIfAborted();
    this.#next ??= this.#prepare();
    const run = this.#next;
    run.users += 1;
    try {
      return await orAborted(run.result, signal);
    } finally {
      run.users -= 1;
      if (run.users === 0) {
        run.abort.abort();
        if (this.#next === run) this.#next = undefined;
      }
    }
  }

  #prepare(): Run<Result> {
    const abort = new AbortController();
    const result = this.#last.then(() => {
      this.#next = undefined;
      abort.signal.throwIfAborted();
      return this.#start(abort.signal);
    });
    // Its callers hear of a failure; the run after it only waits for its end.
    this.#last = result.catch(() => undefined);
    return { result, abort, users: 0 };
  }
}
