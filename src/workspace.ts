import { createHash } from 'node:crypto';
import { now } from './clock.ts';
import type { Config } from './config.ts';
import type { Batches } from './engine/batches.ts';
import { Generation } from './engine/drafts.ts';
import { Ingestion } from './engine/ingest.ts';
import { Memory } from './engine/memory.ts';
import { Publishing } from './engine/publish.ts';
import { Budget } from './fini/budget.ts';
import { createFiniClient, type FiniClient } from './fini/client.ts';
import { Connections } from './fini/connections.ts';
import { MissingKeyError } from './fini/errors.ts';
import { createHttp } from './fini/http.ts';
import { Secrets } from './secrets.ts';
import { MemoryStore } from './store/memory-store.ts';

/** A Fini workspace, as the tools see it. */
export interface Workspace {
  readonly fini: FiniClient;
  readonly ingestion: Ingestion;
  readonly generation: Generation;
  readonly publishing: Publishing;
  /** Batches that earlier calls have queued, by their handles. */
  readonly batches: Batches;
  /** Default length of a wait, in seconds. */
  readonly waitTimeoutSeconds: number;
}

/** Pause before the first retry, as a part of the polling interval. */
const RETRY_DELAY_PART = 0.25;

/** Time that the connections of an unused key stay open: longer than their keep-alive. */
const LINGER_MS = 10_000;
/** Limits on what is remembered for unused keys: number of keys, total characters of all keys. */
const REMEMBERED_KEYS = 1_000;
const REMEMBERED_CHARACTERS = 32_000_000;

/** State that outlives the use of a key: the same client may come back in a moment. */
interface KeyState {
  readonly store: MemoryStore;
  /** The memory, opened once: within a process, a shelf belongs to its opener, not to its name. */
  readonly memory: Memory;
  readonly connections: Connections;
  readonly budget: Budget;
  /** The workspace that a key's users share; undefined while there are none, since it holds the key. */
  workspace: Workspace | undefined;
  users: number;
  /** Time at which its last user left. */
  unusedSince: number;
}

/** A workspace in use by a client. */
export interface Lease {
  /** @throws {MissingKeyError} if there is no key. */
  readonly workspace: () => Workspace;
  /**
   * Secrets that must not go out to this client: its own key and the server's secrets. Other clients'
   * keys are not among them, or one client could tamper with, or guess at, another's answers.
   */
  readonly secrets: Secrets;
  /** Forgets the key and the workspace, unless another client uses them. */
  readonly release: () => void;
}

/**
 * The workspaces in use, by key. Clients of one workspace share its poller, and a key is kept only
 * while someone uses it.
 */
export class Workspaces {
  readonly #config: Config;
  readonly #own: readonly string[];
  /** State by the digest of a key, which is forgotten after its last use. The latest used come last. */
  readonly #states = new Map<string, KeyState>();
  #tidying: NodeJS.Timeout | undefined;

  constructor(config: Config, secrets: Secrets) {
    this.#config = config;
    this.#own = [config.apiKey, config.authToken].filter((secret) => secret !== undefined);
    for (const secret of this.#own) secrets.add(secret);
  }

  /** Opens the workspace of a key, or of the configured one. */
  lease(apiKey: string | undefined = this.#config.apiKey): Lease {
    const secrets = new Secrets();
    for (const secret of this.#own) secrets.add(secret);
    if (apiKey === undefined) {
      const workspace = () => {
        throw new MissingKeyError();
      };
      return { workspace, secrets, release: () => undefined };
    }
    const digest = keyDigest(apiKey);
    const state = this.#states.get(digest) ?? this.#newState();
    const workspace = state.workspace ?? this.#build(apiKey, state);
    // Kept only once nothing can fail any more: no lease would give it back.
    this.#states.set(digest, state);
    state.workspace = workspace;
    state.users += 1;
    this.#tidy();
    secrets.add(apiKey);
    let isReleased = false;
    return {
      workspace: () => workspace,
      secrets,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        state.users -= 1;
        if (state.users > 0) return;
        state.workspace = undefined;
        state.unusedSince = now();
        this.#states.delete(digest);
        this.#states.set(digest, state);
        this.#tidyLater();
      },
    };
  }

  #newState(): KeyState {
    const store = new MemoryStore();
    return {
      store,
      memory: new Memory(store),
      connections: new Connections(new URL(this.#config.baseUrl).origin, this.#config),
      budget: new Budget(this.#config.requestsPerMinute),
      workspace: undefined,
      users: 0,
      unusedSince: 0,
    };
  }

  #build(apiKey: string, { memory, connections, budget }: KeyState): Workspace {
    const { baseUrl, requestTimeoutMs, pollIntervalMs, waitTimeoutSeconds } = this.#config;
    const retryDelayMs = pollIntervalMs * RETRY_DELAY_PART;
    const options = { baseUrl, apiKey, requestTimeoutMs, retryDelayMs, connections, budget };
    const fini = createFiniClient(createHttp(options));
    return {
      fini,
      ingestion: new Ingestion(fini, pollIntervalMs, memory),
      generation: new Generation(fini, pollIntervalMs, memory),
      publishing: new Publishing(fini, memory),
      batches: memory.batches,
      waitTimeoutSeconds,
    };
  }

  /** Starts one timer for all keys: over HTTP, every request is a use of its own. */
  #tidyLater(): void {
    this.#tidying ??= setTimeout(() => {
      this.#tidying = undefined;
      this.#tidy();
      if ([...this.#states.values()].some(({ users }) => users === 0)) this.#tidyLater();
    }, LINGER_MS).unref();
  }

  /** Closes unused connections, and forgets the keys with nothing to remember. */
  #tidy(): void {
    const unused = [...this.#states].filter(([, { users }]) => users === 0);
    // Keys with nothing to remember go first: anyone can make up as many as they like.
    const [empty, remembered] = [true, false].map((isEmpty) =>
      unused.filter(([, state]) => state.store.isEmpty === isEmpty),
    );
    let tooMany = unused.length - REMEMBERED_KEYS;
    for (const [digest, state] of [...(empty ?? []), ...(remembered ?? [])]) {
      const { connections, budget, unusedSince } = state;
      const isOver = tooMany > 0;
      if (!isOver && now() - unusedSince < LINGER_MS) continue;
      tooMany -= 1;
      // Nothing waits for it: the outcome of its last requests no longer matters.
      connections.close().catch(() => undefined);
      const isNothing = state.store.isEmpty && budget.isIdle;
      if (isOver || isNothing) this.#states.delete(digest);
    }
    this.#forgetMost();
  }

  /** Forgets entries, the oldest ones of the key with the most to remember first. */
  #forgetMost(): void {
    const all = [...this.#states.values()].map(({ store }) => store);
    let sum = all.reduce((total, { characters }) => total + characters, 0);
    while (sum > REMEMBERED_CHARACTERS) {
      const most = all.reduce((one, other) => (other.characters > one.characters ? other : one));
      const before = most.characters;
      if (!most.forgetOldest()) return;
      sum -= before - most.characters;
    }
  }
}

function keyDigest(apiKey: string): string {
  return createHash('sha256').update(apiKey).digest('base64');
}
