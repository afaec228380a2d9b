/**
 * How a request to Fini can end badly:
 * - `refused`: Fini answered with a status of 400 or more;
 * - `redirected`: Fini (or a proxy before it) answered with a redirect, which is not followed;
 * - `unreadable`: the answer was cut off, was not JSON or had another shape than the contract's;
 * - `too_large`: the answer's body went over the bound;
 * - `timed_out`: the whole exchange took longer than one attempt may, or than its call had left;
 * - `interrupted`: the connection broke after the request may have been sent;
 * - `unreachable`: no connection came about, so the request surely did not arrive;
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

/** What can be asked of Fini, in words that errors use. */
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

/** What a workspace key may do. */
export type Scope = 'read' | 'write';

/** What is known of a failed request. */
export interface FiniErrorDetails {
  /** What was asked of Fini. */
  readonly operation: Operation;
  readonly failure: FiniFailure;
  /** The HTTP status, where Fini answered at all. */
  readonly status?: number | undefined;
  /** How long Fini asks to wait before the next try, in seconds. */
  readonly retryAfterSeconds?: number | undefined;
  /** The answer was Fini's own error, and not one of something that stands before it. */
  readonly isExplained?: boolean | undefined;
  /** The scope that the key has turned out to lack. */
  readonly missingScope?: Scope | undefined;
  readonly cause?: unknown;
}

/**
 * A request that Fini did not answer as the contract says (its section "Errors"). The message is
 * Fini's own where it gave one.
 */
export class FiniError extends Error {
  override readonly name = 'FiniError';
  /** What was asked of Fini. */
  readonly operation: Operation;
  readonly failure: FiniFailure;
  /** The HTTP status, where Fini answered at all. */
  readonly status: number | undefined;
  /** How long Fini asks to wait before the next try, in seconds. */
  readonly retryAfterSeconds: number | undefined;
  /** The answer was Fini's own error, and not one of something that stands before it. */
  readonly isExplained: boolean;
  /** The scope that the key has turned out to lack; undefined where a 403 may have another reason. */
  readonly missingScope: Scope | undefined;

  constructor(message: string, details: FiniErrorDetails) {
    super(message, { cause: details.cause });
    this.operation = details.operation;
    this.failure = details.failure;
    this.status = details.status;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.isExplained = details.isExplained ?? false;
    this.missingScope = details.missingScope;
  }

  /** The key or its scope is at fault: asking again cannot help. */
  get isDenied(): boolean {
    return this.status === 401 || this.status === 403;
  }

  /** Fini turned the request away before doing anything, or never got it. */
  get surelyNotCarriedOut(): boolean {
    if (this.failure === 'unreachable' || this.failure === 'not_sent') return true;
    // "Ask again over there"; the other redirects may follow something that was done.
    if (this.failure === 'redirected') return this.status === 307 || this.status === 308;
    return this.status !== undefined && this.status >= 400 && this.status < 500;
  }

  /** Fini itself has said that it is done with the request, so nothing of it comes later. */
  get isOver(): boolean {
    return this.surelyNotCarriedOut || (this.failure === 'refused' && this.status === 500);
  }

  /** The same request may well succeed a little later. */
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
