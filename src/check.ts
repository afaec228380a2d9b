import { now } from './clock.ts';
import type { Config } from './config.ts';
import { createFiniClient } from './fini/client.ts';
import { Connections } from './fini/connections.ts';
import { MissingKeyError } from './fini/errors.ts';
import { createHttp } from './fini/http.ts';
import { bounded } from './text.ts';
import { explainError } from './tools/explain-error.ts';

/** The time for attempts after a passing failure, in milliseconds: someone is watching. */
const PATIENCE_MS = 10_000;
const RETRY_DELAY_MS = 250;

/** The findings of a check, for a person. */
export interface CheckResult {
  readonly isRight: boolean;
  /** The settings, then what was found and what to do. */
  readonly text: string;
}

/**
 * Checks the key, the network and the proxy by one request that reads.
 *
 * @param patienceMs The time for attempts after a passing failure, in milliseconds.
 */
export async function check(
  config: Config,
  version: string,
  patienceMs = PATIENCE_MS,
): Promise<CheckResult> {
  const { baseUrl, apiKey, requestTimeoutMs } = config;
  const connections = new Connections(new URL(baseUrl).origin, config);
  const lines = [
    `fini-mcp ${version}, Node.js ${process.versions.node}`,
    `Fini:  ${baseUrl}`,
    `Proxy: ${proxyText(connections.proxy, config)}`,
    `Key:   ${apiKey === undefined ? 'none' : `FINI_API_KEY, ${apiKey.length} characters`}`,
    '',
  ];
  try {
    if (apiKey === undefined) throw new MissingKeyError();
    const retryDelayMs = RETRY_DELAY_MS;
    const http = createHttp({ baseUrl, apiKey, requestTimeoutMs, retryDelayMs, connections });
    const startedAt = now();
    await createFiniClient(http).listSources({ limit: 1 }, { endsAt: startedAt + patienceMs });
    const milliseconds = Math.round(now() - startedAt);
    lines.push(
      `All is well: Fini answered in ${milliseconds} ms, and the key can read. This check cannot tell whether it can also write.`,
    );
    return { isRight: true, text: lines.join('\n') };
  } catch (error) {
    const found = explainError(error, config);
    if (found === null) throw error;
    return { isRight: false, text: [...lines, found.message].join('\n') };
  } finally {
    await connections.destroy();
  }
}

function proxyText(proxy: string | null, { noProxy, baseUrl }: Config): string {
  if (proxy === null) return 'none';
  const except = noProxy === undefined ? '' : `, but not for NO_PROXY: ${bounded(noProxy, 200)}`;
  return `${proxy} for ${new URL(baseUrl).hostname}${except}`;
}
