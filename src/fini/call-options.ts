/** The call on whose behalf a request is made. */
export interface CallOptions {
  /** Ends the request, and any pause before it, at once. */
  readonly signal?: AbortSignal | undefined;
  /**
   * When the call is over, by `performance.now()`. A read that failed in passing is tried again
   * until then. Default: the time of one attempt from now.
   */
  readonly endsAt?: number | undefined;
  /** Polls wait for what people called. Default `call`. */
  readonly priority?: 'call' | 'poll' | undefined;
  /** Told when a request has to wait because of Fini's limit: why, and for how long. */
  readonly onPause?: ((pause: Pause) => void) | undefined;
}

/** A call that can be ended, as all are that come from outside. */
export interface Call extends CallOptions {
  readonly signal: AbortSignal;
}

/** A call that ends at a certain time. */
export interface TimedCall extends Call {
  readonly endsAt: number;
}

/** Why a request waits, and for how many seconds, as far as is known. */
export interface Pause {
  readonly reason: 'limit';
  readonly seconds: number;
}
