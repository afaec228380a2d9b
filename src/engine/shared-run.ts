import { setMaxListeners } from 'node:events';
import type { Call } from '../fini/call-options.ts';
import { orAborted } from './promises.ts';

/** Something under way for several callers at once. */
interface Run<Result> {
  readonly result: Promise<Result>;
  readonly abort: AbortController;
  readonly users: Set<Call>;
  /** By `performance.now()`; Infinity while it waits for the run before it. */
  startedAt: number;
}

/**
 * Runs something for several callers at once. A caller shares the run under way if that is new
 * enough, and else the next one. A run ends early once no caller waits for it.
 */
export class SharedRun<Result> {
  readonly #start: (options: Call) => Promise<Result>;
  #last: Promise<unknown> = Promise.resolve();
  #current: Run<Result> | undefined;
  #next: Run<Result> | undefined;

  constructor(start: (options: Call) => Promise<Result>) {
    this.#start = start;
  }

  /**
   * The result of a run that began at `notBefore` (by `performance.now()`) or later.
   *
   * @throws what the run throws, and the signal's reason once that is aborted.
   */
  async join(user: Call, notBefore: number): Promise<Result> {
    user.signal.throwIfAborted();
    const run = this.#underWay(notBefore) ?? this.#next ?? this.#prepare();
    if (run !== this.#current) this.#next = run;
    run.users.add(user);
    try {
      return await orAborted(run.result, user.signal);
    } finally {
      run.users.delete(user);
      if (run.users.size === 0) {
        run.abort.abort();
        if (this.#next === run) this.#next = undefined;
      }
    }
  }

  #underWay(notBefore: number): Run<Result> | undefined {
    const run = this.#current;
    return run !== undefined && !run.abort.signal.aborted && run.startedAt >= notBefore
      ? run
      : undefined;
  }

  #prepare(): Run<Result> {
    const abort = new AbortController();
    // Several requests listen to it at once, by design.
    setMaxListeners(0, abort.signal);
    const users = new Set<Call>();
    const run: Run<Result> = {
      abort,
      users,
      startedAt: Number.POSITIVE_INFINITY,
      result: this.#last.then(() => {
        if (this.#next === run) this.#next = undefined;
        abort.signal.throwIfAborted();
        this.#current = run;
        run.startedAt = performance.now();
        return this.#start({
          signal: abort.signal,
          endsAt: latestEnd(users),
          onPause: (pause) => {
            for (const { onPause } of users) onPause?.(pause);
          },
        });
      }),
    };
    // Its callers hear of a failure; the run after it only waits for its end.
    this.#last = run.result
      .catch(() => undefined)
      .finally(() => {
        if (this.#current === run) this.#current = undefined;
      });
    return run;
  }
}

/** As long as any of them may wait; undefined where none says. */
function latestEnd(users: Iterable<Call>): number | undefined {
  const ends = [...users].flatMap(({ endsAt }) => endsAt ?? []);
  return ends.length === 0 ? undefined : Math.max(...ends);
}
