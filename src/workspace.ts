import type { Config } from './config.ts';
import { createFiniClient } from './fini/client.ts';
import { createHttp } from './fini/http.ts';
import { Ingestion } from './ingestion/ingestion.ts';
import type { Workspace } from './tools/define.ts';
import { MissingKeyError } from './tools/error-text.ts';

/** The first retry comes after this part of the polling interval. */
const RETRY_DELAY_PART = 0.25;

/**
 * Makes the function that gives the configured workspace, which is built on first use and lives as
 * long as the process.
 *
 * @throws {MissingKeyError} from the function it returns, where no key is set.
 */
export function createWorkspace(config: Config): () => Workspace {
  let workspace: Workspace | undefined;
  return () => {
    if (config.apiKey === undefined) throw new MissingKeyError();
    workspace ??= openWorkspace(config, config.apiKey);
    return workspace;
  };
}

function openWorkspace(config: Config, apiKey: string): Workspace {
  const { baseUrl, requestTimeoutMs, pollIntervalMs, waitTimeoutSeconds } = config;
  const retryDelayMs = pollIntervalMs * RETRY_DELAY_PART;
  const fini = createFiniClient(createHttp({ baseUrl, apiKey, requestTimeoutMs, retryDelayMs }));
  return { fini, ingestion: new Ingestion(fini, pollIntervalMs), waitTimeoutSeconds };
}
