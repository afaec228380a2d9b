import { now } from '../clock.ts';
import type { Shelf, Store } from './store.ts';

/** Maximum size in characters of JSON. Past it, the oldest records are forgotten. */
const MAXIMUM_STORED_CHARACTERS = 4_000_000;

/** A record, with its place in the store. */
interface StoredRecord {
  readonly characters: number;
  readonly expiresAt: number;
  /** Removes it from its shelf. */
  readonly forget: () => void;
}

interface Reservation {
  readonly holder: string;
  readonly expiresAt: number;
}

/** The store of one process. Its content ends with the process. */
export class MemoryStore implements Store {
  /** Every record of every shelf, oldest first. */
  readonly #records = new Set<StoredRecord>();
  readonly #reservations = new Map<string, Reservation>();
  #characters = 0;
  /** Time at which the last record expires. */
  #lastExpiry = 0;

  shelf<Value>(): Shelf<Value> {
    const records = new Map<string, StoredRecord & { readonly value: Value }>();
    const forget = (key: string) => {
      const record = records.get(key);
      if (record === undefined) return;
      records.delete(key);
      this.#records.delete(record);
      this.#characters -= record.characters;
    };
    return {
      get: async (keys) => {
        const found = new Map<string, Value>();
        for (const key of keys) {
          const record = records.get(key);
          if (record !== undefined && record.expiresAt > now()) found.set(key, record.value);
        }
        return found;
      },
      put: async (entries, milliseconds) => {
        this.#forgetExpired();
        const expiresAt = now() + milliseconds;
        this.#lastExpiry = Math.max(this.#lastExpiry, expiresAt);
        for (const [key, value] of entries) {
          forget(key);
          const characters = key.length + JSON.stringify(value).length;
          const record = { value, characters, expiresAt, forget: () => forget(key) };
          records.set(key, record);
          this.#records.add(record);
          this.#characters += characters;
        }
        while (this.#characters > MAXIMUM_STORED_CHARACTERS) this.forgetOldest();
      },
      delete: async (keys) => keys.forEach(forget),
    };
  }

  async reserve(
    names: readonly string[],
    holder: string,
    milliseconds: number,
  ): Promise<readonly string[]> {
    const busy = names.filter((name) => this.#isReserved(name));
    if (busy.length > 0) return busy;
    const expiresAt = now() + milliseconds;
    for (const name of names) this.#reservations.set(name, { holder, expiresAt });
    return [];
  }

  async isReserved(names: readonly string[]): Promise<boolean> {
    return names.some((name) => this.#isReserved(name));
  }

  async release(names: readonly string[], holder: string): Promise<void> {
    for (const name of names) {
      if (this.#reservations.get(name)?.holder === holder) this.#reservations.delete(name);
    }
  }

  /** Size of everything kept, in characters of JSON. */
  get characters(): number {
    return this.#characters;
  }

  /** True if nothing is left to remember. */
  get isEmpty(): boolean {
    return this.#lastExpiry <= now();
  }

  /** Forgets the oldest record. Returns true if there was one. */
  forgetOldest(): boolean {
    for (const { forget } of this.#records) {
      forget();
      return true;
    }
    return false;
  }

  #isReserved(name: string): boolean {
    const reservation = this.#reservations.get(name);
    return reservation !== undefined && reservation.expiresAt > now();
  }

  #forgetExpired(): void {
    for (const { expiresAt, forget } of this.#records) if (expiresAt <= now()) forget();
  }
}
