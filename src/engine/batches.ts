import { randomInt } from 'node:crypto';
import type { GenerationLimits } from '../fini/client.ts';
import type { Shelf, Store } from '../store/store.ts';

/** Time after which a batch is forgotten. */
const BATCH_MS = 24 * 60 * 60_000;
/** Capital letters and digits without those that look alike. */
const HANDLE_CHARACTERS = 'ACDEFGHJKLMNPQRTUVWXYZ234679';
const HANDLE_LENGTH = 5;

/** The jobs that one call queued or joined, under a handle that later calls take in place of IDs. */
export interface Batch {
  /** A short name, such as `b7Q4M2`. It is valid only together with the key of its workspace. */
  readonly handle: string;
  /** `sources`: inputs are URLs or source IDs. `drafts`: inputs are source IDs, and IDs are job IDs. */
  readonly kind: 'sources' | 'drafts';
  /** The inputs as given, without repetitions and without those that were surely not queued. */
  readonly inputs: readonly string[];
  /** Every ID that Fini returned for them, without repetitions. */
  readonly ids: readonly string[];
  /** Source or job IDs by input, as far as they are known. */
  readonly idOf: Readonly<Record<string, string>>;
  /**
   * The newest change before the batch was queued, in milliseconds since 1970. An older status belongs
   * to an earlier job. Null if the time is unknown.
   */
  readonly queuedAfter: number | null;
  /** The limits of the jobs of a batch of drafts. */
  readonly limits?: GenerationLimits;
}

/** The sources of a batch, as far as their IDs are known. */
export function sourceIdsIn({ kind, inputs, ids }: Batch): readonly string[] {
  return kind === 'sources' ? ids : inputs;
}

/** The batches of one workspace. */
export class Batches {
  readonly #shelf: Shelf<Batch>;

  constructor(store: Store) {
    this.#shelf = store.shelf('batches');
  }

  /** A handle for a batch that is about to begin. */
  newHandle(): string {
    const characters = Array.from(
      { length: HANDLE_LENGTH },
      () => HANDLE_CHARACTERS[randomInt(HANDLE_CHARACTERS.length)],
    );
    return `b${characters.join('')}`;
  }

  /** Keeps a batch for a day. A later call can keep it again when it knows more about the inputs. */
  async keep(batch: Batch): Promise<void> {
    await this.#shelf.put([[batch.handle, batch]], BATCH_MS);
  }

  /** Finds a batch by its handle, in any case; null if it is unknown or forgotten. */
  async find(handle: string): Promise<Batch | null> {
    const name = `b${handle.trim().slice(1).toUpperCase()}`;
    return (await this.#shelf.get([name])).get(name) ?? null;
  }
}
