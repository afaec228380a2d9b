/**
 * Everything that outlives a call, for one workspace key: the latest requests that queued, batches,
 * and the items that calls under way have reserved. Everything in it is plain JSON and expires. It is asynchronous,
 * since replicas may share it. Source texts never go into it, and it is found by a digest of the key.
 */
export interface Store {
  /** Opens a part of the store, once, under a name of its own. */
  shelf<Value>(name: string): Shelf<Value>;

  /**
   * Reserves all of these names for a holder, or none of them. The answer is the names that others
   * hold.
   *
   * @param milliseconds After this the reservation is void, also if its holder is gone.
   */
  reserve(
    names: readonly string[],
    holder: string,
    milliseconds: number,
  ): Promise<readonly string[]>;

  /** Tells whether someone has reserved one of these names. */
  isReserved(names: readonly string[]): Promise<boolean>;

  /** Gives back what a holder has reserved. */
  release(names: readonly string[], holder: string): Promise<void>;
}

/** Records of one kind. A record is never changed in place: a changed one is put in its stead. */
export interface Shelf<Value> {
  /** The records under these keys, by key. What has expired, or was never there, is left out. */
  get(keys: readonly string[]): Promise<ReadonlyMap<string, Value>>;
  /** Keeps records for so many milliseconds. What was under these keys before is forgotten. */
  put(entries: Iterable<readonly [key: string, value: Value]>, milliseconds: number): Promise<void>;
  /** Forgets the records under these keys. */
  delete(keys: readonly string[]): Promise<void>;
}
