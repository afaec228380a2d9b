import type { Dispatcher } from 'undici';
import { type ProxySettings, proxyFault, proxyFor } from '../proxies.ts';

const CONNECTIONS_PER_KEY = 32;
/** Maximum size of an answer's body. */
export const MAXIMUM_ANSWER_BYTES = 20 * 1024 * 1024;

/** The open connections to Fini. */
interface OpenPool {
  /** Makes a dispatcher that calls back just before it writes the request's first byte. */
  readonly dispatcherFor: (onWriting: () => void) => Dispatcher;
  readonly close: () => Promise<void>;
  readonly destroy: () => Promise<void>;
}

/**
 * The connections to Fini for one key. Their number is limited and they belong to this key alone, so
 * requests that hang take no connection from other keys.
 */
export class Connections {
  readonly #origin: string;
  readonly #proxies: ProxySettings;
  #pool: Promise<OpenPool> | undefined;

  /**
   * @param origin Scheme, host and port. Nothing is connected before the first request.
   * @param proxies Proxies to send requests through; ignored if the origin is on loopback.
   */
  constructor(origin: string, proxies: ProxySettings = {}) {
    this.#origin = origin;
    this.#proxies = proxies;
  }

  /** The proxy's origin, without its password; null if there is none. */
  get proxy(): string | null {
    const proxy = proxyFor(new URL(this.#origin), this.#proxies);
    return proxy === undefined ? null : new URL(proxy).origin;
  }

  /** Makes a dispatcher for one request. `onWriting` is called just before its first byte is written. */
  async dispatcherFor(onWriting: () => void): Promise<Dispatcher> {
    if (this.#pool === undefined) {
      const pool = open(this.#origin, this.#proxies);
      this.#pool = pool;
      // A failure counts only for the requests that are waiting now.
      pool.catch(() => {
        if (this.#pool === pool) this.#pool = undefined;
      });
    }
    return (await this.#pool).dispatcherFor(onWriting);
  }

  /** Closes the connections once the requests in progress have ended. The next request opens new ones. */
  async close(): Promise<void> {
    await this.#take()?.then(({ close }) => close());
  }

  /** Closes the connections at once, which ends the requests in progress. */
  async destroy(): Promise<void> {
    await this.#take()?.then(({ destroy }) => destroy());
  }

  #take(): Promise<OpenPool> | undefined {
    const pool = this.#pool;
    this.#pool = undefined;
    return pool;
  }
}

async function open(origin: string, proxies: ProxySettings): Promise<OpenPool> {
  const fault = proxyFault(new URL(origin), proxies);
  if (fault !== null) throw new Error(fault);
  // Loading undici takes longer than a server's whole start, so the first request pays for it.
  const { DecoratorHandler, Pool, ProxyAgent } = await import('./pool.ts');
  const settings = {
    connections: CONNECTIONS_PER_KEY,
    // One time-out covers the whole exchange; undici's own would only get in its way.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxResponseSize: MAXIMUM_ANSWER_BYTES,
  };
  const proxy = proxyFor(new URL(origin), proxies);
  const pool =
    proxy === undefined ? new Pool(origin, settings) : new ProxyAgent({ ...settings, uri: proxy });
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
