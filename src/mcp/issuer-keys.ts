import * as z from 'zod';
import { Connections, type ProxySettings } from '../fini/connections.ts';
import { isLoopback } from '../hosts.ts';
import type { Log } from '../log.ts';
import { bounded, ERROR_LENGTH, parsedUrl, quoted } from '../text.ts';

/** Until when keys are used without a look whether they changed, in milliseconds. */
const FRESH_MS = 10 * 60_000;
/** Until when they are used while the provider cannot be reached, in milliseconds. */
const USABLE_MS = 24 * 60 * 60_000;
/** After a failure, the pause before the provider is asked again: with keys at hand, and without. */
const RETRY_MS = 30_000;
const RETRY_WITHOUT_KEYS_MS = 1_000;
/** The pause after a token's unknown key, since anybody can make up keys. */
const UNKNOWN_KEY_PAUSE_MS = 10_000;
/** How long the provider has for all that is read of it together, in milliseconds. */
const READ_TIMEOUT_MS = 5_000;
/** How long an answer of it may be, in bytes, and how many keys it may have. */
const MAXIMUM_ANSWER_BYTES = 512 * 1024;
const MAXIMUM_KEYS = 100;
/** How often the log tells of the same failure. */
const SAME_FAILURE_PAUSE_MS = 60_000;

/** What is used of RFC 8414 and of OpenID Connect Discovery, which agree in it. */
const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.string() });

const optionalText = z.string().optional();
/** A public key (RFC 7517) of any type that signs: no symmetric one. */
const keySchema = z.object({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  ...{ kid: optionalText, alg: optionalText, use: optionalText, crv: optionalText },
  ...{ n: optionalText, e: optionalText, x: optionalText, y: optionalText },
  key_ops: z.array(z.string()).optional(),
});
const keySetSchema = z.object({ keys: z.array(z.unknown()) });

/** The keys that an issuer signs with, as it publishes them. Read again, it is another object. */
export interface KeySet {
  readonly keys: z.infer<typeof keySchema>[];
}

/** There are no keys to check a token with. The log has the reason. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/** How an issuer is reached. */
export interface IssuerOptions {
  readonly issuer: string;
  readonly proxy: ProxySettings;
  readonly log: Log;
  /** The time, in milliseconds. */
  readonly now?: () => number;
}

/**
 * The keys of an issuer: discovered (RFC 8414, OpenID Connect Discovery), kept, and read again when
 * they are old or a token names another. While the provider cannot be reached, known keys stay in use.
 */
export class IssuerKeys {
  readonly #options: IssuerOptions;
  readonly #now: () => number;
  #known: { readonly keySet: KeySet; readonly readAt: number } | undefined;
  #reading: Promise<void> | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;
  #askedForUnknownAt = Number.NEGATIVE_INFINITY;
  #logged = { failure: '', at: Number.NEGATIVE_INFINITY };

  constructor(options: IssuerOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
  }

  /**
   * The keys, not older than the provider's absence makes them.
   *
   * @throws {KeysUnavailable}
   */
  async current(): Promise<KeySet> {
    const pause = this.#known === undefined ? RETRY_WITHOUT_KEYS_MS : RETRY_MS;
    const isPausing = this.#now() - this.#failedAt < pause;
    if (this.#age() >= FRESH_MS && !isPausing) {
      const reading = this.#read();
      // Nobody waits again for a provider that has just failed to answer, if there are keys to go on with.
      const hasJustFailed = this.#now() - this.#failedAt < FRESH_MS;
      if (!hasJustFailed || this.#age() >= USABLE_MS) await reading;
    }
    if (this.#known === undefined || this.#age() >= USABLE_MS) throw new KeysUnavailable();
    return this.#known.keySet;
  }

  /**
   * The keys after another look, where a token names one that is not among those given.
   *
   * @throws {KeysUnavailable} where the last look failed, so that nobody knows whose key it is.
   */
  async besides(given: KeySet): Promise<KeySet> {
    if (this.#reading !== undefined) await this.#reading;
    else if (this.#known?.keySet === given) {
      const now = this.#now();
      if (now - this.#askedForUnknownAt >= UNKNOWN_KEY_PAUSE_MS) {
        this.#askedForUnknownAt = now;
        await this.#read();
      }
    }
    if (this.#known === undefined || this.#failedAt >= this.#known.readAt) {
      throw new KeysUnavailable();
    }
    return this.#known.keySet;
  }

  #age(): number {
    return this.#known === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#known.readAt;
  }

  /** Reads the keys, once for all who wait for them. Where that fails, the known ones stay. */
  #read(): Promise<void> {
    this.#reading ??= readKeySet(this.#options)
      .then((keySet) => {
        this.#known = { keySet, readAt: this.#now() };
        this.#failedAt = Number.NEGATIVE_INFINITY;
      })
      .catch((error: unknown) => {
        this.#failedAt = this.#now();
        this.#logFailure(String(error instanceof Error ? error.message : error));
      })
      .finally(() => {
        this.#reading = undefined;
      });
    return this.#reading;
  }

  #logFailure(message: string): void {
    const failure = bounded(message, ERROR_LENGTH * 2);
    const now = this.#now();
    if (failure === this.#logged.failure && now - this.#logged.at < SAME_FAILURE_PAUSE_MS) return;
    this.#logged = { failure, at: now };
    const { issuer, log } = this.#options;
    log('error', "the identity provider's keys could not be read", { issuer, error: failure });
  }
}

/** @throws where no metadata or no keys are found, with a message that says why. */
async function readKeySet({ issuer, proxy }: IssuerOptions): Promise<KeySet> {
  const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
  const jwksUrl = await discover(issuer, (url) => readJson(url, proxy, signal));
  const { keys } = keySetSchema.parse(await readJson(jwksUrl, proxy, signal));
  const usable = keys.slice(0, MAXIMUM_KEYS).flatMap((key) => keySchema.safeParse(key).data ?? []);
  if (usable.length === 0) throw new Error(`There is no public key at ${jwksUrl.href}.`);
  return { keys: usable };
}

/** Finds where an issuer's keys are, at each place where its metadata may be. */
async function discover(issuer: string, read: (url: URL) => Promise<unknown>): Promise<URL> {
  const faults: string[] = [];
  for (const url of metadataUrls(issuer)) {
    try {
      const metadata = metadataSchema.parse(await read(url));
      if (metadata.issuer !== issuer) {
        const said = quoted(metadata.issuer);
        throw new Error(`the issuer is ${said} there: set it to exactly that`);
      }
      const keys = parsedUrl(metadata.jwks_uri);
      // An issuer that is elsewhere has nothing to say about what is asked of this machine.
      const isLocal = isLoopback(new URL(issuer).hostname) && isLoopback(keys?.hostname ?? '');
      if (keys?.protocol === 'https:' || (keys?.protocol === 'http:' && isLocal)) return keys;
      throw new Error(`jwks_uri is no https URL: ${quoted(metadata.jwks_uri)}`);
    } catch (error) {
      faults.push(`${url.href}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(faults.join('; '));
}

/** Where an issuer's metadata may be, in the order in which MCP's clients look. */
function metadataUrls(issuer: string): URL[] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const places = [
    `/.well-known/oauth-authorization-server${path}`,
    `/.well-known/openid-configuration${path}`,
    `${path}/.well-known/openid-configuration`,
  ];
  return [...new Set(places)].map((place) => new URL(place, origin));
}

/** Reads JSON that is bounded in size and, by the signal, in time. Redirects are not followed. */
async function readJson(url: URL, proxy: ProxySettings, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted();
  const connections = new Connections(url.origin, proxy);
  // undici heeds a signal only once it is connected.
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    return await Promise.race([aborted, exchange(url, connections, signal)]);
  } finally {
    await connections.destroy();
  }
}

async function exchange(url: URL, connections: Connections, signal: AbortSignal) {
  const dispatcher = await connections.dispatcherFor(() => undefined);
  const { statusCode, body } = await dispatcher.request({
    ...{ origin: url.origin, path: `${url.pathname}${url.search}`, method: 'GET', signal },
    headers: { accept: 'application/json' },
  });
  if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAXIMUM_ANSWER_BYTES) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  const json: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  return json;
}
