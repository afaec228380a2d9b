import type { ServerResponse } from 'node:http';

/** More connections than any one process serves well. */
const MAXIMUM_CONNECTIONS = 10_000;
/** The part of the descriptors that clients may have. The rest is for Fini and for this process. */
const CLIENTS_PART = 1 / 2;
/** The part of the sessions that one key of a client's own may have, and that is kept from each side. */
const SESSIONS_PART = 1 / 5;
/** How much may wait for a client that does not read, in bytes, and for all of them together. */
const UNREAD_BYTES = 4 * 1024 * 1024;
const TOTAL_UNREAD_BYTES = 64 * 1024 * 1024;
/** What waits in less than this is on its way. */
const FLOWING_BYTES = 64 * 1024;

/** How many connections clients may have, so that enough descriptors are left for everything else. */
export function connectionLimit(): number {
  const descriptors = descriptorLimit();
  if (descriptors === null) return MAXIMUM_CONNECTIONS;
  return Math.max(1, Math.min(Math.floor(descriptors * CLIENTS_PART), MAXIMUM_CONNECTIONS));
}

/** How many files and sockets this process may have open; null where nothing bounds them. */
function descriptorLimit(): number | null {
  // Typed as an object without fields. Windows has no such limits.
  const report: { userLimits?: { open_files?: { soft?: unknown } } } = process.report.getReport();
  const soft = report.userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : null;
}

/**
 * Shares out the sessions, so that nobody takes them all. A key that a client brings gets a fifth
 * (at least one session). A fifth is kept for the clients without a key of their own, who use the
 * server's, and another for those with one. Where people sign in, each gets a fifth.
 */
export class SessionShares {
  readonly #maximum: number;
  readonly #hasSignIn: boolean;
  readonly #byParty = new Map<string | undefined, number>();
  #total = 0;

  /**
   * @param maximum How many sessions there may be at once.
   * @param hasSignIn Whether everybody is known, so that none need be kept for those who are not.
   */
  constructor(maximum: number, hasSignIn = false) {
    this.#maximum = maximum;
    this.#hasSignIn = hasSignIn;
  }

  /** Takes a session for a subject or a key, undefined for the server's own. Null where there is none to have. */
  take(party: string | undefined): (() => void) | null {
    const used = this.#byParty.get(party) ?? 0;
    if (this.#total >= this.#maximum || used >= this.#shareOf(party)) return null;
    this.#change(party, 1);
    let isGivenBack = false;
    return () => {
      if (isGivenBack) return;
      isGivenBack = true;
      this.#change(party, -1);
    };
  }

  #shareOf(party: string | undefined): number {
    const part = Math.floor(this.#maximum * SESSIONS_PART);
    const own = this.#byParty.get(undefined) ?? 0;
    if (party === undefined) return this.#maximum - part;
    if (this.#hasSignIn) return Math.max(1, part);
    const isRoomForBrought = this.#total - own < this.#maximum - part;
    return isRoomForBrought ? Math.max(1, part) : 0;
  }

  #change(party: string | undefined, change: number): void {
    this.#total += change;
    const left = (this.#byParty.get(party) ?? 0) + change;
    if (left === 0) this.#byParty.delete(party);
    else this.#byParty.set(party, left);
  }
}

/** How much of requests may be under way at once, in bytes of their bodies: in all, and for one subject or key of a client's own. */
const UNDER_WAY_BYTES = 32 * 1024 * 1024;
const UNDER_WAY_BYTES_EACH = 16 * 1024 * 1024;

/**
 * Bounds what is held for requests under way. A body is held several times over while it is read,
 * parsed and answered, so that a few large ones at once would fill the memory.
 */
export class UnderWayBound {
  readonly #byParty = new Map<string | undefined, number>();
  #total = 0;

  /** Takes room for a part of a body. False where there is none. */
  take(party: string | undefined, bytes: number): boolean {
    const own = (this.#byParty.get(party) ?? 0) + bytes;
    const isTooMuchForOne = party !== undefined && own > UNDER_WAY_BYTES_EACH;
    if (isTooMuchForOne || this.#total + bytes > UNDER_WAY_BYTES) return false;
    this.#total += bytes;
    this.#byParty.set(party, own);
    return true;
  }

  /** Gives back what was taken. */
  giveBack(party: string | undefined, bytes: number): void {
    this.#total -= bytes;
    const left = (this.#byParty.get(party) ?? 0) - bytes;
    if (left > 0) this.#byParty.set(party, left);
    else this.#byParty.delete(party);
  }
}

/** Lets clients go that do not read what they asked for, before it fills the memory. */
export class UnreadBound {
  readonly #responses = new Set<ServerResponse>();
  readonly #onLetGo: () => void;

  /** @param onLetGo Told of each client that is let go. */
  constructor(onLetGo: () => void) {
    this.#onLetGo = onLetGo;
  }

  /** Watches a response until it is closed. */
  watch(response: ServerResponse): void {
    this.#responses.add(response);
    response.once('close', () => this.#responses.delete(response));
    const write = response.write.bind(response);
    type Callback = (error: Error | null | undefined) => void;
    // A stream that is told to wait is filled all the same, out of sight: here it can be measured.
    response.write = (
      chunk: unknown,
      encoding?: BufferEncoding | Callback,
      callback?: Callback,
    ): boolean => {
      this.#check(response);
      if (response.destroyed) return true;
      if (typeof encoding === 'function') write(chunk, encoding);
      else if (encoding === undefined) write(chunk, callback);
      else write(chunk, encoding, callback);
      return true;
    };
  }

  #check(response: ServerResponse): void {
    const unread = response.writableLength;
    if (unread <= FLOWING_BYTES) return;
    if (unread > UNREAD_BYTES) {
      this.#letGo(response);
      return;
    }
    let sum = 0;
    let most = response;
    for (const one of this.#responses) {
      sum += one.writableLength;
      if (one.writableLength > most.writableLength) most = one;
    }
    if (sum > TOTAL_UNREAD_BYTES) this.#letGo(most);
  }

  #letGo(response: ServerResponse): void {
    this.#onLetGo();
    response.destroy();
  }
}
