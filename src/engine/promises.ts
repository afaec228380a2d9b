/** How many requests one task has under way at once. */
const CONCURRENT_REQUESTS = 8;

/** `Promise.withResolvers`, which Node 20 does not have. */
export function withResolvers(): {
  promise: Promise<void>;
  resolve: () => void;
  reject: (reason: unknown) => void;
} {
  let resolve: () => void = () => undefined;
  let reject: (reason: unknown) => void = () => undefined;
  const promise = new Promise<void>((fulfil, fail) => {
    resolve = fulfil;
    reject = fail;
  });
  return { promise, resolve, reject };
}

/**
 * The promise's result, or an end as soon as the signal is aborted.
 *
 * @throws what the promise is rejected with, and the signal's reason once that is aborted.
 */
export async function orAborted<Result>(
  promise: Promise<Result>,
  signal: AbortSignal,
): Promise<Result> {
  signal.throwIfAborted();
  let abort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
  });
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/**
 * Does something with each item, a few at once. After a failure no further item is begun, since it
 * would meet the same trouble at its own cost in time, and nothing is under way any more at the end.
 *
 * @throws what the work threw.
 */
export async function forEachAtOnce<Item>(
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const troubles: unknown[] = [];
  const workThrough = async (): Promise<void> => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) {
      try {
        await work(item);
      } catch (error) {
        troubles.push(error);
        queue.length = 0;
      }
    }
  };
  const workers = Math.min(CONCURRENT_REQUESTS, items.length);
  await Promise.all(Array.from({ length: workers }, workThrough));
  if (troubles.length > 0) throw troubles[0];
}
