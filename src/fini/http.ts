import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { now } from '../clock.ts';
import { Secrets } from '../secrets.ts';
import { type Budget, NOTICEABLE_MS } from './budget.ts';
import { Connections, MAXIMUM_ANSWER_BYTES } from './connections.ts';
import type { Deadline } from './deadline.ts';
import { FiniError, type Operation } from './errors.ts';

/** The settings of requests to one Fini. */
export interface HttpOptions {
  /** Scheme, host and an optional path, without a trailing slash. */
  readonly baseUrl: string;
  /** The workspace key. It is sent in the `Authorization` header and nowhere else. */
  readonly apiKey: string;
  /** Maximum time of one attempt, including the answer's body, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** The pause before the first retry, in milliseconds; it doubles with each one. */
  readonly retryDelayMs: number;
  /** The key's connections to the base URL's origin. New ones if none are given. */
  readonly connections?: Connections | undefined;
  /** The limit on the key's requests. Without one, there is no limit. */
  readonly budget?: Budget | undefined;
}

/** One request to Fini. */
export interface HttpRequest extends Partial<Deadline> {
  /** Name of the request in errors. */
  readonly operation: Operation;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** The path below the base URL, with its query. */
  readonly path: string;
  /** The body, sent as JSON. */
  readonly body?: unknown;
  /** True if it changes nothing, so that it can be sent again. True by default for a `GET`. */
  readonly reads?: boolean | undefined;
}

/** Sends a request and returns its answer's JSON. */
export type Http = (request: HttpRequest) => Promise<unknown>;

/** Maximum number of retries of a request whose call has no end of its own. */
const MAXIMUM_RETRIES = 3;
/** Maximum number of retries after errors that mostly come from the settings or the network. */
const MAXIMUM_STUBBORN_RETRIES = 3;
const MAXIMUM_RETRY_DELAY_MS = 8_000;
/** Maximum pause that is believed: longer than any wait here, and short enough for a timer. */
const LONGEST_RETRY_AFTER_SECONDS = 86_400;

/** Error codes of a connection that was never made, so that the request cannot have arrived. */
const NOT_CONNECTED =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_.*|CERT_.*|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_.*)$/;

/** Fini's error answer; missing and odd fields are tolerated. */
const errorEnvelope = z.object({
  message: z
    .union([z.string(), z.array(z.string())])
    .nullable()
    .catch(null),
  error: z.string().nullable().catch(null),
});

/**
 * Makes the function that every request to Fini goes through. It sends `Authorization` only to the base
 * URL's origin, follows no redirect, and limits the time and the size of each attempt. It retries only
 * without risk: a read after a passing failure, anything else only if Fini surely did not carry it out
 * (connection refused, 429). It retries until the call ends, and waits as long as Fini asks; if that is
 * longer than the call, it gives up at once.
 *
 * Nothing is sent once the signal is aborted, at any stage.
 *
 * @throws {FiniError} from the function it returns, for the last attempt that had its whole time.
 *   Once the signal is aborted: its reason if the request may have reached Fini by then, else an
 *   error of kind `not_sent`.
 */
export function createHttp(options: HttpOptions): Http {
  const base = new URL(options.baseUrl);
  const connections = options.connections ?? new Connections(base.origin);
  const secrets = new Secrets();
  secrets.add(options.apiKey);
  const pathPrefix = base.pathname.replace(/\/+$/, '');

  return async (request) => {
    const { signal, endsAt, onPause } = request;
    const retryUntil = endsAt ?? now() + options.requestTimeoutMs;
    const maximumRetries = endsAt === undefined ? MAXIMUM_RETRIES : Number.POSITIVE_INFINITY;
    let stubborn = 0;
    let last: FiniError | undefined;
    for (let retries = 0; ; retries += 1) {
      try {
        return await attempt(request, retryUntil);
      } catch (error) {
        if (!(error instanceof FiniError)) throw error;
        const delay = retryDelay(error, retries, options.retryDelayMs);
        const isLate = now() + delay > retryUntil;
        // If this attempt was never sent, or the call's end cut it short, the previous error says more.
        const isCutShort = isRead(request) && error.failure === 'timed_out' && isLate;
        const saysLess = error.failure === 'not_sent' || (isCutShort && endsAt !== undefined);
        last = saysLess ? (last ?? error) : error;
        if (isStubborn(error)) stubborn += 1;
        const isEnough = retries >= maximumRetries || stubborn > MAXIMUM_STUBBORN_RETRIES;
        if (isLate || isEnough || !mayRetry(request, error)) throw last;
        if (error.status === 429 && delay >= NOTICEABLE_MS) {
          onPause?.({ reason: 'limit', seconds: Math.ceil(delay / 1000) });
        }
        await sleep(delay, undefined, { signal }).catch(() => undefined);
        // Cancelled between attempts: the last error says that nothing was carried out.
        if (signal?.aborted === true) throw last;
      }
    }
  };

  /** Makes one attempt, once it is the request's turn. Every attempt counts in the budget. */
  async function attempt(request: HttpRequest, turnUntil: number): Promise<unknown> {
    const { budget } = options;
    const end = await budget?.take({ ...request, endsAt: turnUntil }).catch((error: unknown) => {
      throw request.signal?.aborted === true ? endedUnsent(request) : error;
    });
    try {
      const answer = await exchange(request);
      budget?.accepted();
      return answer;
    } catch (error) {
      const isRefused = error instanceof FiniError && error.status === 429;
      if (isRefused) budget?.refused(error.retryAfterSeconds);
      throw error;
    } finally {
      end?.();
    }
  }

  /** Makes one exchange, from connecting to the last byte of the body. */
  async function exchange(request: HttpRequest): Promise<unknown> {
    const { operation, signal } = request;
    const isOver = () => signal?.aborted === true;
    if (isOver()) throw endedUnsent(request);
    const left = (request.endsAt ?? Number.POSITIVE_INFINITY) - now();
    if (left <= 0) throw outOfTime(request);
    const hadLessTime = left < options.requestTimeoutMs;
    const timeoutMs = Math.min(options.requestTimeoutMs, left);
    const body = request.body === undefined ? null : JSON.stringify(request.body);
    let isSent = false;
    const dispatcher = await connections.dispatcherFor(() => {
      isSent = true;
    });
    if (isOver()) throw endedUnsent(request);
    const abort = new AbortController();
    // undici notices an abort only once it is the request's turn, which may take long.
    const aborted = new Promise<never>((_, reject) => {
      abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true });
    });
    const cancel = () => abort.abort();
    const outgoing = {
      origin: base.origin,
      method: request.method,
      path: pathPrefix + request.path,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${options.apiKey}`,
        ...(body === null ? {} : { 'content-type': 'application/json' }),
      },
      body,
      signal: abort.signal,
    };
    const timer = setTimeout(cancel, timeoutMs);
    signal?.addEventListener('abort', cancel, { once: true });
    let status: number | undefined;
    try {
      const answer = await Promise.race([aborted, dispatcher.request(outgoing)]);
      status = answer.statusCode;
      const content = await answer.body.text().catch((error: unknown) => {
        // The status decides the result; only the reason is missing.
        if (answer.statusCode >= 400 && !isOver()) return '';
        throw error;
      });
      // An API that echoes the key must not put it into a title or an error that is shown.
      const text = secrets.redact(content);
      const header = (name: string): string | undefined => {
        const value = answer.headers[name];
        return Array.isArray(value) ? value[0] : value;
      };
      return readAnswer(operation, status, header, text);
    } catch (error) {
      if (isOver()) throw isSent ? signal?.reason : endedUnsent(request);
      if (error instanceof FiniError) throw error;
      if (abort.signal.aborted) {
        const seconds = roundedSeconds(timeoutMs);
        // Without a connection nothing was sent, which says more than the time it took.
        const [message, failure] = isSent
          ? ([`Fini did not answer within ${seconds} s.`, 'timed_out'] as const)
          : ([
              `No connection was free within ${seconds} s.${throughProxy(connections.proxy)}`,
              'not_sent',
            ] as const);
        throw new FiniError(message, { operation, failure, status, hadLessTime, cause: error });
      }
      throw connectionError(operation, status, error, { isSent, proxy: connections.proxy });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', cancel);
    }
  }
}

/** The error of a request that ended before its first byte was written. */
function endedUnsent({ operation, signal }: HttpRequest): FiniError {
  const { reason } = signal ?? {};
  const message = reason instanceof Error ? reason.message : 'The call ended.';
  return new FiniError(message, { operation, failure: 'not_sent', cause: reason });
}

/** The error of a request that has no time left before its call's end. */
function outOfTime({ operation }: HttpRequest): FiniError {
  const message = `The call's time was over.`;
  return new FiniError(message, { operation, failure: 'not_sent', hadLessTime: true });
}

/** Seconds for a reader, since an attempt near its call's end has an odd number of milliseconds. */
function roundedSeconds(milliseconds: number): number {
  const unit = milliseconds < 1000 ? 1 : 100;
  return (Math.round(milliseconds / unit) * unit) / 1000;
}

function mayRetry(request: HttpRequest, error: FiniError): boolean {
  if (!error.isPassing) return false;
  return isRead(request) || error.surelyNotCarriedOut;
}

function isRead({ method, reads = method === 'GET' }: HttpRequest): boolean {
  return reads;
}

/** True for errors that usually persist until someone changes something: a login page, no network. */
function isStubborn({ failure }: FiniError): boolean {
  return failure === 'unreadable' || failure === 'unreachable';
}

/** Exponential back-off with jitter, or the pause that Fini asks for if that is longer. */
function retryDelay(error: FiniError, retries: number, firstDelayMs: number): number {
  const delay = Math.min(firstDelayMs * 2 ** retries, MAXIMUM_RETRY_DELAY_MS);
  const asked = (error.retryAfterSeconds ?? 0) * 1000;
  return Math.max(delay * (0.5 + Math.random() / 2), asked);
}

function readAnswer(
  operation: Operation,
  status: number,
  header: (name: string) => string | undefined,
  text: string,
): unknown {
  if (status >= 300 && status < 400) {
    const message = `Fini answered with a redirect (HTTP ${status}), which is not followed.`;
    throw new FiniError(message, { operation, failure: 'redirected', status });
  }
  const json = parseJson(text);
  if (status >= 400) {
    const message = json.success ? envelopeMessage(json.data) : null;
    throw new FiniError(message ?? `Fini gave no reason.`, {
      operation,
      failure: 'refused',
      status,
      retryAfterSeconds: parseRetryAfter(header('retry-after')),
      isExplained: message !== null,
    });
  }
  if (!json.success) {
    const type = header('content-type')?.split(';')[0] ?? 'no content type';
    const message = `Fini's answer was not JSON (HTTP ${status}, ${type}).`;
    throw new FiniError(message, { operation, failure: 'unreadable', status });
  }
  return json.data;
}

function parseJson(text: string): { success: true; data: unknown } | { success: false } {
  try {
    return { success: true, data: JSON.parse(text) };
  } catch {
    return { success: false };
  }
}

function envelopeMessage(json: unknown): string | null {
  const envelope = errorEnvelope.safeParse(json);
  if (!envelope.success) return null;
  const { message, error } = envelope.data;
  const text = Array.isArray(message) ? message.join('; ') : message;
  return text || error || null;
}

/** Reads seconds or an HTTP date (RFC 9110, 10.2.3); anything else counts as missing. */
function parseRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value.trim())) return Math.min(Number(value), LONGEST_RETRY_AFTER_SECONDS);
  const date = Date.parse(value);
  return Number.isNaN(date)
    ? undefined
    : Math.min(Math.max(0, (date - Date.now()) / 1000), LONGEST_RETRY_AFTER_SECONDS);
}

function throughProxy(proxy: string | null): string {
  return proxy === null
    ? ''
    : ` Requests go through the proxy ${proxy} (HTTPS_PROXY or HTTP_PROXY), except to the hosts in NO_PROXY.`;
}

/** The error of a broken connection. An error without a network code is our own, and stays as it is. */
function connectionError(
  operation: Operation,
  status: number | undefined,
  error: unknown,
  { isSent, proxy }: { isSent: boolean; proxy: string | null },
): unknown {
  if (!(error instanceof Error && 'code' in error) || error instanceof TypeError) return error;
  const code = String(error.code);
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') {
    const message = `Fini's answer is larger than ${MAXIMUM_ANSWER_BYTES / 1024 / 1024} MB.`;
    return new FiniError(message, { operation, failure: 'too_large', status });
  }
  if (status !== undefined) {
    const message = `Fini's answer was cut off (${code}).`;
    return new FiniError(message, { operation, failure: 'unreadable', status, cause: error });
  }
  if (!isSent || NOT_CONNECTED.test(code)) {
    const refused = /Proxy response \((\d+)\)/.exec(error.message)?.[1];
    const why = refused === undefined ? code : `the proxy answered with HTTP ${refused}`;
    const message = `Could not connect (${why}).${throughProxy(proxy)}`;
    return new FiniError(message, { operation, failure: 'unreachable', cause: error });
  }
  const message = `The connection to Fini broke (${code}).`;
  return new FiniError(message, { operation, failure: 'interrupted', cause: error });
}
