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
import { createHttp } from './fini/http.ts';
import { Secrets } from './secrets.ts';
import { MemoryStore } from './store/memory-store.ts';

/** One Fini workspace, as the tools see it. */
export interface Workspace {
  readonly fini: FiniClient;
  readonly ingestion: Ingestion;
  readonly generation: Generation;
  readonly publishing: Publishing;
  /** What earlier calls have queued, by the handles that they gave. */
  readonly batches: Batches;
  /** How long a wait lasts where a call does not say, in seconds. */
  readonly waitTimeoutSeconds: number;
}

/** No tool can work without a key. What to do about it depends on how the server is reached. */
export class MissingKeyError extends Error {
  override readonly name = 'MissingKeyError';

  constructor() {
    super('No Fini API key is set.');
  }
}

/** The first retry comes after this part of the polling interval. */
const RETRY_DELAY_PART = 0.25;

/** How long the connections of a key that nobody uses stay open: longer than their keep-alive. */
const LINGER_MS = 10_000;
/** Limits on what is remembered for unused keys: number of keys, total characters of all keys. */
const REMEMBERED_KEYS = 1_000;
const REMEMBERED_CHARACTERS = 32_000_000;

/** Outlives the use of a key: the same client may come back in a moment. */
interface KeyState {
  readonly store: MemoryStore;
  readonly connections: Connections;
  readonly budget: Budget;
  users: number;
  /** When its last user left. */
  unusedSince: number;
}

/** A workspace in use by a client. */
export interface Lease {
  /** @throws {MissingKeyError} where there is no key. */
  readonly workspace: () => Workspace;
  /**
   * What must not go out to this client: its own key and the server's secrets, but no other
   * client's key, which would let one client tamper with, or guess at, what another is told.
   */
  readonly secrets: Secrets;
  /** Forgets the key and the workspace, unless another client uses them. */
  readonly release: () => void;
}

/**
 * The workspaces in use, by key: clients of one workspace share its watcher, and a key is kept only
 * as long as somebody uses it.
 */
export class Workspaces {
  readonly #config: Config;
  readonly #own: readonly string[];
  /** By the digest of a key, since a key is forgotten with its last use. The latest used come last. */
  readonly #kept = new Map<string, KeyState>();
  readonly #open = new Map<string, { workspace: Workspace; kept: KeyState }>();

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
    const open = this.#open.get(apiKey) ?? this.#build(apiKey);
    open.kept.users += 1;
    this.#open.set(apiKey, open);
    this.#tidy();
    secrets.add(apiKey);
    let isReleased = false;
    return {
      workspace: () => open.workspace,
      secrets,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        open.kept.users -= 1;
        if (open.kept.users > 0) return;
        this.#open.delete(apiKey);
        this.#leave(apiKey, open.kept);
      },
    };
  }

  #build(apiKey: string): { workspace: Workspace; kept: KeyState } {
    const { baseUrl, requestTimeoutMs, pollIntervalMs, waitTimeoutSeconds } = this.#config;
    const retryDelayMs = pollIntervalMs * RETRY_DELAY_PART;
    const kept = this.#kept.get(digestOf(apiKey)) ?? {
      store: new MemoryStore(),
      connections: new Connections(new URL(baseUrl).origin, this.#config),
      budget: new Budget(this.#config.requestsPerMinute),
      users: 0,
      unusedSince: 0,
    };
    this.#kept.set(digestOf(apiKey), kept);
    const { connections, budget } = kept;
    const options = { baseUrl, apiKey, requestTimeoutMs, retryDelayMs, connections, budget };
    const http = createHttp(options);
    const fini = createFiniClient(http);
    const memory = new Memory(kept.store);
    const workspace = {
      fini,
      ingestion: new Ingestion(fini, pollIntervalMs, memory),
      generation: new Generation(fini, pollIntervalMs, memory),
      publishing: new Publishing(fini, memory),
      batches: memory.batches,
      waitTimeoutSeconds,
    };
    return { workspace, kept };
  }

  #leave(apiKey: string, kept: KeyState): void {
    kept.unusedSince = now();
    this.#kept.delete(digestOf(apiKey));
    this.#kept.set(digestOf(apiKey), kept);
    this.#tidyLater();
  }

  /** One timer for all: over HTTP without sessions every request is a use of its own. */
  #tidyLater(): void {
    this.#tidying ??= setTimeout(() => {
      this.#tidying = undefined;
      this.#tidy();
      if ([...this.#kept.values()].some(({ users }) => users === 0)) this.#tidyLater();
    }, LINGER_MS).unref();
  }

  /** Closes connections that nobody uses, and forgets the keys of which there is nothing to remember. */
  #tidy(): void {
    const unused = [...this.#kept].filter(([, { users }]) => users === 0);
    // Keys of which there is nothing to remember go first: anybody can make up as many as they like.
    const [empty, remembered] = [true, false].map((isEmpty) =>
      unused.filter(([, kept]) => kept.store.isEmpty === isEmpty),
    );
    let tooMany = unused.length - REMEMBERED_KEYS;
    for (const [digest, kept] of [...(empty ?? []), ...(remembered ?? [])]) {
      const { connections, budget, unusedSince } = kept;
      const isOver = tooMany > 0;
      if (!isOver && now() - unusedSince < LINGER_MS) continue;
      tooMany -= 1;
      // Nothing waits for it: how its last requests ended no longer matters.
      connections.close().catch(() => undefined);
      const isNothing = kept.store.isEmpty && budget.isIdle;
      if (isOver || isNothing) this.#kept.delete(digest);
    }
    this.#forgetMost();
  }

  /** The key with the most to remember loses its oldest entries first. */
  #forgetMost(): void {
    const all = [...this.#kept.values()].map(({ store }) => store);
    let sum = all.reduce((total, { characters }) => total + characters, 0);
    while (sum > REMEMBERED_CHARACTERS) {
      const most = all.reduce((one, other) => (other.characters > one.characters ? other : one));
      const before = most.characters;
      if (!most.forgetOldest()) return;
      sum -= before - most.characters;
    }
  }
}

function digestOf(apiKey: string): string {
  return createHash('sha256').update(apiKey).digest('base64');
}
