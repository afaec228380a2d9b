import { createHash } from 'node:crypto';
import type { Config } from './config.ts';
import { createFiniClient } from './fini/client.ts';
import { createHttp } from './fini/http.ts';
import { Ingestion } from './ingestion/ingestion.ts';
import { QueuedLately } from './ingestion/queued-lately.ts';
import { Secrets } from './secrets.ts';
import type { Workspace } from './tools/define.ts';
import { MissingKeyError } from './tools/error-text.ts';

/** The first retry comes after this part of the polling interval. */
const RETRY_DELAY_PART = 0.25;

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
  readonly #secrets: Secrets;
  readonly #own: readonly string[];
  /** By the digest of a key, since a key is forgotten with its last use. */
  readonly #queuedLately = new Map<string, QueuedLately>();
  readonly #open = new Map<string, { workspace: Workspace; users: number }>();

  constructor(config: Config, secrets: Secrets) {
    this.#config = config;
    this.#secrets = secrets;
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
    const open = this.#open.get(apiKey) ?? { workspace: this.#build(apiKey), users: 0 };
    open.users += 1;
    this.#open.set(apiKey, open);
    secrets.add(apiKey);
    const forgetSecret = this.#secrets.add(apiKey);
    let isReleased = false;
    return {
      workspace: () => open.workspace,
      secrets,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        forgetSecret();
        open.users -= 1;
        if (open.users === 0) this.#open.delete(apiKey);
      },
    };
  }

  #build(apiKey: string): Workspace {
    const { baseUrl, requestTimeoutMs, pollIntervalMs, waitTimeoutSeconds } = this.#config;
    const retryDelayMs = pollIntervalMs * RETRY_DELAY_PART;
    const fini = createFiniClient(createHttp({ baseUrl, apiKey, requestTimeoutMs, retryDelayMs }));
    const ingestion = new Ingestion(fini, pollIntervalMs, this.#queuedLatelyFor(apiKey));
    return { fini, ingestion, waitTimeoutSeconds };
  }

  /** What was queued with a key lives longer than its use: the same call may come in another session. */
  #queuedLatelyFor(apiKey: string): QueuedLately {
    for (const [name, { isEmpty }] of this.#queuedLately) {
      if (isEmpty) this.#queuedLately.delete(name);
    }
    const name = createHash('sha256').update(apiKey).digest('base64');
    const queuedLately = this.#queuedLately.get(name) ?? new QueuedLately();
    this.#queuedLately.set(name, queuedLately);
    return queuedLately;
  }
}
