/**
 * The ways in which a request to Fini can fail:
 * - `refused`: Fini answered with a status of 400 or more;
 * - `redirected`: Fini (or a proxy in front of it) answered with a redirect, which is not followed;
 * - `unreadable`: the answer was cut off, was not JSON or had an unexpected shape;
 * - `too_large`: the answer's body exceeded the limit;
 * - `timed_out`: the whole exchange took longer than one attempt may, or than its call had left;
 * - `interrupted`: the connection broke after the request may have been sent;
 * - `unreachable`: no connection was made, so the request surely did not arrive;
 * - `not_sent`: its time was over, or its caller gone, before its first byte was written.
 */
export type FiniFailure =
  | 'refused'
  | 'redirected'
  | 'unreadable'
  | 'too_large'
  | 'timed_out'
  | 'interrupted'
  | 'unreachable'
  | 'not_sent';

/** The operations of Fini, as errors name them. */
export type Operation =
  | 'crawl links'
  | 'list provider resources'
  | 'register provider resources'
  | 'ingest sources'
  | 'refresh sources'
  | 'list sources'
  | 'get source'
  | 'delete sources'
  | 'generate knowledge'
  | 'get knowledge jobs'
  | 'list articles'
  | 'get articles'
  | 'publish articles'
  | 'get folder tree'
  | 'list agents';

/** A scope of a workspace key. */
export type Scope = 'read' | 'write';

/** Facts about a failed request. */
type FiniErrorDetails = Pick<FiniError, 'operation' | 'failure' | 'cause'> &
  Partial<
    Pick<FiniError, 'status' | 'retryAfterSeconds' | 'isExplained' | 'missingScope' | 'hadLessTime'>
  >;

/** A failed request to Fini. The message is Fini's own if it gave one. */
export class FiniError extends Error {
  override readonly name = 'FiniError';
  /** The operation of the request. */
  readonly operation: Operation;
  readonly failure: FiniFailure;
  /** The HTTP status, if Fini answered at all. */
  readonly status: number | undefined;
  /** The pause that Fini asks for before the next try, in seconds. */
  readonly retryAfterSeconds: number | undefined;
  /** True if the error is Fini's own, not one of a proxy or firewall in front of it. */
  readonly isExplained: boolean;
  /** True if its call's end left it less time than a request may take. */
  readonly hadLessTime: boolean;
  /** The scope that the key has turned out to lack; undefined if a 403 may have another reason. */
  readonly missingScope: Scope | undefined;

  constructor(message: string, details: FiniErrorDetails) {
    super(message, { cause: details.cause });
    this.operation = details.operation;
    this.failure = details.failure;
    this.status = details.status;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.isExplained = details.isExplained ?? false;
    this.hadLessTime = details.hadLessTime ?? false;
    this.missingScope = details.missingScope;
  }

  /** True if the key or its scope is at fault, so that asking again cannot help. */
  get isDenied(): boolean {
    return this.status === 401 || this.status === 403;
  }

  /** True if Fini refused the request before doing anything, or never got it. */
  get surelyNotCarriedOut(): boolean {
    if (this.failure === 'unreachable' || this.failure === 'not_sent') return true;
    // 307 and 308 mean that nothing was processed. Other redirects can follow a completed request.
    if (this.failure === 'redirected') return this.status === 307 || this.status === 308;
    return this.status !== undefined && this.status >= 400 && this.status < 500;
  }

  /** True if Fini has said that it is done with the request, so nothing of it can follow later. */
  get isOver(): boolean {
    return this.surelyNotCarriedOut || (this.failure === 'refused' && this.status === 500);
  }

  /** True if the same request may succeed a little later. */
  get isPassing(): boolean {
    switch (this.failure) {
      case 'refused':
        return this.status === 429 || (this.status ?? 0) >= 500;
      case 'redirected':
      case 'too_large':
        return false;
      default:
        return true;
    }
  }
}

/** The error of a call without a key. The remedy depends on how the server is reached. */
export class MissingKeyError extends Error {
  override readonly name = 'MissingKeyError';

  constructor() {
    super('No Fini API key is set.');
  }
}
