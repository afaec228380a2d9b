/**
 * Everything that outlives a call, for one workspace key: the latest requests that queued, batches, and
 * the items that calls in progress have reserved. All of it is plain JSON and expires. The store is
 * asynchronous, since replicas may share it. It never contains source texts, and it is found by a
 * digest of the key.
 */
export interface Store {
  /** Opens a part of the store under a name of its own. Each name is opened once. */
  shelf<Value>(name: string): Shelf<Value>;

  /**
   * Reserves all of these names for a holder, or none of them. Returns the names that others hold.
   *
   * @param milliseconds Time after which the reservation ends, also if its holder is gone.
   */
  reserve(
    names: readonly string[],
    holder: string,
    milliseconds: number,
  ): Promise<readonly string[]>;

  /** True if someone has reserved one of these names. */
  isReserved(names: readonly string[]): Promise<boolean>;

  /** Releases a holder's reservations of these names. */
  release(names: readonly string[], holder: string): Promise<void>;
}

/** Records of one kind. A record is never changed in place: a changed one replaces it. */
export interface Shelf<Value> {
  /** The records under these keys, by key. Expired and missing records are left out. */
  get(keys: readonly string[]): Promise<ReadonlyMap<string, Value>>;
  /** Keeps records for this many milliseconds, in place of the earlier ones under these keys. */
  put(entries: Iterable<readonly [key: string, value: Value]>, milliseconds: number): Promise<void>;
  /** Forgets the records under these keys. */
  delete(keys: readonly string[]): Promise<void>;
}
