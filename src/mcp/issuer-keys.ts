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
import { Connections, type ProxySettings } from '../fini/connections.ts';
import { isLoopback } from '../hosts.ts';
import type { Log } from '../log.ts';
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
const MAXIMUM_ANSWER_BYTES = 512 * 1024;
const MAXIMUM_KEYS = 100;
/** Interval at which the log repeats the same failure, in milliseconds. */
const SAME_FAILURE_PAUSE_MS = 60_000;

/** The fields that RFC 8414 and OpenID Connect Discovery share. */
const metadataSchema = z.object({ issuer: z.string(), jwks_uri: z.string() });

/** A public key (RFC 7517) of any type that can sign; no symmetric keys. */
const keySchema = z.looseObject({ kty: z.enum(['RSA', 'EC', 'OKP']) });
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
  /** Time at which the provider may be asked again. */
  #nextReadAt = Number.NEGATIVE_INFINITY;
  #logged = { failure: '', at: Number.NEGATIVE_INFINITY };

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
    if (this.#known !== undefined && age >= USABLE_MS) await this.#remote.reload();
    else if (this.#known !== undefined && age >= FRESH_MS) {
      // No one waits for it while there are keys to use; #read logs a failure.
      this.#remote.reload().catch(() => undefined);
    }
    return this.#remote(header, token);
  }

  #age(): number {
    return this.#known === undefined ? Number.POSITIVE_INFINITY : this.#now() - this.#known.readAt;
  }

  /** Reads the keys, or returns the known ones if it is too early to ask again. */
  async #read(signal: AbortSignal): Promise<Response> {
    if (this.#now() < this.#nextReadAt) {
      if (this.#known === undefined || this.#hasFailed) throw new KeysUnavailable();
      return new Response(this.#known.text);
    }
    // Fresh keys are read again only for a token that names another one.
    const pause = this.#age() < FRESH_MS ? UNKNOWN_KEY_PAUSE_MS : 0;
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
    const now = this.#now();
    if (failure === this.#logged.failure && now - this.#logged.at < SAME_FAILURE_PAUSE_MS) return;
    this.#logged = { failure, at: now };
    const { issuer, log } = this.#options;
    log('error', "the identity provider's keys could not be read", { issuer, error: failure });
  }
}

/** @throws if no metadata or no keys are found, with the reason in the message. */
async function readKeySet({ issuer, proxy }: IssuerOptions, signal: AbortSignal) {
  const jwksUrl = await discover(issuer, (url) => readJson(url, proxy, signal));
  const { keys } = keySetSchema.parse(await readJson(jwksUrl, proxy, signal));
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
async function readJson(url: URL, proxy: ProxySettings, signal: AbortSignal): Promise<unknown> {
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
    if (bytes > MAXIMUM_ANSWER_BYTES) throw new Error('the answer is too large');
    chunks.push(chunk);
  }
  const json: unknown = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  return json;
}
