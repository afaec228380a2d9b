import type { Dispatcher } from 'undici';

const MAXIMUM_CONNECTIONS = 32;
/** The bound on an answer's body. */
export const MAXIMUM_BODY_BYTES = 20 * 1024 * 1024;

/** What sends requests to Fini, until it is closed. */
interface OpenPool {
  /** Tells when it begins to write the request: until then, nothing of it has left. */
  readonly dispatcherFor: (onWriting: () => void) => Dispatcher;
  readonly close: () => Promise<void>;
  readonly destroy: () => Promise<void>;
}

/**
 * The connections to Fini for one key. They are bounded, and no other key's: requests that hang
 * take none from anybody else.
 */
export class Connections {
  readonly #origin: string;
  #pool: Promise<OpenPool> | undefined;

  /** @param origin Scheme, host and port. Nothing is connected before the first request. */
  constructor(origin: string) {
    this.#origin = origin;
  }

  /** Gives what sends one request. `onWriting` is called just before its first byte is written. */
  async dispatcherFor(onWriting: () => void): Promise<Dispatcher> {
    if (this.#pool === undefined) {
      const pool = open(this.#origin);
      this.#pool = pool;
      // A failure counts for those who wait for it now, and for nobody after them.
      pool.catch(() => {
        if (this.#pool === pool) this.#pool = undefined;
      });
    }
    return (await this.#pool).dispatcherFor(onWriting);
  }

  /** Closes the connections once the requests under way have ended. The next request opens others. */
  async close(): Promise<void> {
    await this.#take()?.then(({ close }) => close());
  }

  /** Closes the connections at once, which ends the requests under way. */
  async destroy(): Promise<void> {
    await this.#take()?.then(({ destroy }) => destroy());
  }

  #take(): Promise<OpenPool> | undefined {
    const pool = this.#pool;
    this.#pool = undefined;
    return pool;
  }
}

async function open(origin: string): Promise<OpenPool> {
  // Loading undici costs more than a server's whole start, so the first request pays for it.
  const { DecoratorHandler, Pool } = await import('./pool.ts');
  const pool = new Pool(origin, {
    connections: MAXIMUM_CONNECTIONS,
    // The whole exchange has one time-out of ours; two clocks would only disagree.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: MAXIMUM_BODY_BYTES,
  });
  return {
    dispatcherFor: (onWriting) =>
      pool.compose((dispatch) => (options, handler) => {
        const noting: Dispatcher.DispatchHandler = new DecoratorHandler(handler);
        const start = noting.onRequestStart?.bind(noting);
        noting.onRequestStart = (controller, context) => {
          onWriting();
          start?.(controller, context);
        };
        return dispatch(options, noting);
      }),
    close: () => pool.close(),
    destroy: () => pool.destroy(),
  };
}
