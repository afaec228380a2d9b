import {
  type CryptoKey,
  createRemoteJWKSet,
  customFetch,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
  type RemoteJWKSet,
} from 'jose';
import * as z from 'zod';
import { now } from '../clock.ts';
import { Connections } from '../fini/connections.ts';
import { isLoopback } from '../hosts.ts';
import type { Log } from '../log.ts';
import type { ProxySettings } from '../proxies.ts';
import { bounded, ERROR_LENGTH, parsedUrl, quoted } from '../text.ts';

/** Time after which keys are read again, in milliseconds. */
const FRESH_MS = 10 * 60_000;
/** Time that keys stay in use while the provider cannot be reached, in milliseconds. */
const USABLE_MS = 24 * 60 * 60_000;
/** The pause after a failed read, in milliseconds. */
const RETRY_MS = 1_000;
/** The pause after a read for an unknown key, since anyone can make up keys, in milliseconds. */
const UNKNOWN_KEY_PAUSE_MS = 10_000;
/** Time for everything that one read needs, in milliseconds. */
const READ_TIMEOUT_MS = 5_000;
/** Maximum size of an answer in bytes, and maximum number of keys to take from it. */
const MAXIMUM_ISSUER_ANSWER_BYTES = 512 * 1024;
const MAXIMUM_KEYS = 100;
/** Interval at which the log repeats the same failure, in milliseconds. */
const SAME_FAILURE_PAUSE_MS = 60_000;

/** The fields that RFC 8414 and OpenID Connect Discovery share. */
const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.string() });

/**
 * A public key (RFC 7517) of any type that can sign; no symmetric keys. Some providers write members that
 * they leave out as null, or empty.
 */
const keySchema = z
  .looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']) })
  .transform((key) =>
    Object.fromEntries(Object.entries(key).filter(([, value]) => !isEmpty(value))),
  );
const keySetSchema = z.object({ keys: z.array(z.unknown()) });

/** The error if there are no keys to check a token with. The log has the reason. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable';
}

/** Options for reaching an issuer. */
export interface IssuerOptions {
  readonly issuer: string;
  readonly proxy: ProxySettings;
  readonly log: Log;
  /** Returns the time in milliseconds. */
  readonly now?: () => number;
}

/**
 * The keys of an issuer: discovered (RFC 8414, OpenID Connect Discovery), kept, and read again when
 * they are old or a token names another. While the provider cannot be reached, known keys stay in use.
 */
export class IssuerKeys {
  readonly #options: IssuerOptions;
  readonly #now: () => number;
  readonly #remote: RemoteJWKSet;
  #known: { readonly text: string; readonly readAt: number } | undefined;
  #hasFailed = false;
  /** Time at which the provider may be asked again; null before the first read. */
  #nextReadAt: number | null = null;
  #logged: { readonly failure: string; readonly at: number } | undefined;

  constructor(options: IssuerOptions) {
    this.#options = options;
    this.#now = options.now ?? now;
    this.#remote = createRemoteJWKSet(new URL(options.issuer), {
      timeoutDuration: READ_TIMEOUT_MS,
      // `find` decides when to read again, since jose would not use old keys while a read fails.
      cacheMaxAge: Number.POSITIVE_INFINITY,
      cooldownDuration: 0,
      [customFetch]: (_issuer, { signal }) => this.#read(signal),
    });
  }

  /**
   * Finds the key that a token is signed with.
   *
   * @throws {KeysUnavailable} if no keys are known, or the key is unknown and may be new.
   */
  async find(header: JWSHeaderParameters, token?: FlattenedJWSInput): Promise<CryptoKey> {
    const age = this.#age();
    if (age !== null && age >= USABLE_MS) await this.#remote.reload();
    else if (age !== null && age >= FRESH_MS) {
      // No one waits for it while there are keys to use; #read logs a failure.
      this.#remote.reload().catch(() => undefined);
    }
    return this.#remote(header, token);
  }

  /** The age of the known keys, in milliseconds; null if there are none. */
  #age(): number | null {
    return this.#known === undefined ? null : this.#now() - this.#known.readAt;
  }

  /** Reads the keys, or returns the known ones if it is too early to ask again. */
  async #read(signal: AbortSignal): Promise<Response> {
    if (this.#nextReadAt !== null && this.#now() < this.#nextReadAt) {
      if (this.#known === undefined || this.#hasFailed) throw new KeysUnavailable();
      return new Response(this.#known.text);
    }
    // Fresh keys are read again only for a token that names another one.
    const age = this.#age();
    const pause = age !== null && age < FRESH_MS ? UNKNOWN_KEY_PAUSE_MS : 0;
    try {
      const text = JSON.stringify(await readKeySet(this.#options, signal));
      this.#known = { text, readAt: this.#now() };
      this.#hasFailed = false;
      this.#nextReadAt = this.#now() + pause;
      return new Response(text);
    } catch (error) {
      this.#hasFailed = true;
      this.#nextReadAt = this.#now() + RETRY_MS;
      this.#logFailure(error instanceof Error ? error.message : String(error));
      throw new KeysUnavailable();
    }
  }

  #logFailure(message: string): void {
    const failure = bounded(message, ERROR_LENGTH * 2);
    const time = this.#now();
    const last = this.#logged;
    if (last?.failure === failure && time - last.at < SAME_FAILURE_PAUSE_MS) return;
    this.#logged = { failure, at: time };
    const { issuer, log } = this.#options;
    log('error', "the identity provider's keys could not be read", { issuer, error: failure });
  }
}

/** @throws if no metadata or no keys are found, with the reason in the message. */
async function readKeySet({ issuer, proxy }: IssuerOptions, signal: AbortSignal) {
  const jwksUrl = await discover(issuer, (url) => fetchJson(url, proxy, signal));
  const { keys } = keySetSchema.parse(await fetchJson(jwksUrl, proxy, signal));
  const usable = keys.slice(0, MAXIMUM_KEYS).flatMap((key) => keySchema.safeParse(key).data ?? []);
  if (usable.length === 0) throw new Error(`There is no public key at ${jwksUrl.href}.`);
  return { keys: usable };
}

/** Finds the URL of an issuer's keys, at each place where its metadata may be. */
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
      // A remote issuer must not make this server call a loopback address.
      const isLocal = isLoopback(new URL(issuer).hostname) && isLoopback(keys?.hostname ?? '');
      if (keys?.protocol === 'https:' || (keys?.protocol === 'http:' && isLocal)) return keys;
      throw new Error(`jwks_uri is no https URL: ${quoted(metadata.jwks_uri)}`);
    } catch (error) {
      faults.push(`${url.href}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  throw new Error(faults.join('; '));
}

/** Lists the possible URLs of an issuer's metadata, in the order in which MCP's clients look. */
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

/** Reads JSON with a limit on its size and, by the signal, on its time. Redirects are not followed. */
async function fetchJson(url: URL, proxy: ProxySettings, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted();
  const connections = new Connections(url.origin, proxy);
  // undici notices a signal only once it is connected.
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  try {
    return await Promise.race([aborted, exchange(url, connections, signal)]);
  } finally {
    await connections.destroy();
  }
}

function isEmpty(value: unknown): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

async function exchange(url: URL, connections: Connections, signal: AbortSignal) {
  const dispatcher = await connections.dispatcherFor(() => undefined);
  const { statusCode, body } = await dispatcher.request({
    origin: url.origin,
    path: `${url.pathname}${url.search}`,
    method: 'GET',
    signal,
    headers: { accept: 'application/json' },
  });
  if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > MAXIMUM_ISSUER_ANSWER_BYTES) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  // Unlike toString, a decoder skips a byte order mark.
  const json: unknown = JSON.parse(new TextDecoder().decode(Buffer.concat(chunks)));
  return json;
}
