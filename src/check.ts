import type { Config } from './config.ts';
import { createFiniClient } from './fini/client.ts';
import { Connections } from './fini/connections.ts';
import { FiniError } from './fini/errors.ts';
import { createHttp } from './fini/http.ts';
import { bounded, quotedMessage } from './text.ts';

/** How long a read that fails in passing is tried, in milliseconds: somebody watches. */
const PATIENCE_MS = 10_000;
const RETRY_DELAY_MS = 250;

/** What a check has found, for a person. */
export interface CheckResult {
  readonly isRight: boolean;
  /** Lines, the last of which say what to do. */
  readonly text: string;
}

/**
 * Tells whether the key, the network and the proxy are right, by one request that reads.
 *
 * @param patienceMs How long it is tried again after a failure in passing, in milliseconds.
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
  ];
  const result = (isRight: boolean, found: string): CheckResult => {
    return { isRight, text: [...lines, '', found].join('\n') };
  };
  if (apiKey === undefined) {
    return result(
      false,
      'No key is set. Set FINI_API_KEY to a workspace key (it starts with "fini_"; create one in the Fini dashboard). To try without an account, use --sandbox.',
    );
  }
  const retryDelayMs = RETRY_DELAY_MS;
  const http = createHttp({ baseUrl, apiKey, requestTimeoutMs, retryDelayMs, connections });
  const startedAt = performance.now();
  try {
    await createFiniClient(http).listSources({ limit: 1 }, { endsAt: startedAt + patienceMs });
    const milliseconds = Math.round(performance.now() - startedAt);
    return result(
      true,
      `All is well: Fini answered in ${milliseconds} ms, and the key can read. This check cannot tell whether it can also write.`,
    );
  } catch (error) {
    if (!(error instanceof FiniError)) throw error;
    return result(false, faultText(error, connections.proxy));
  } finally {
    await connections.destroy();
  }
}

function proxyText(proxy: string | null, { noProxy, baseUrl }: Config): string {
  if (proxy === null) return 'none';
  const except = noProxy === undefined ? '' : `, but not for NO_PROXY: ${bounded(noProxy, 200)}`;
  return `${proxy} for ${new URL(baseUrl).hostname}${except}`;
}

/** What is wrong, and what a person can do about it. */
function faultText(error: FiniError, proxy: string | null): string {
  const said = quotedMessage(error);
  const network = `Check the network${proxy === null ? ' (if you need a proxy, set HTTPS_PROXY)' : ', the proxy'} and FINI_BASE_URL.`;
  switch (error.failure) {
    case 'refused':
      return `Fini refused the request (HTTP ${error.status}): ${said}. ${refusalAdvice(error)}`;
    case 'redirected':
      return `The request was redirected (HTTP ${error.status}) and not followed, so that the key goes nowhere else. Check FINI_BASE_URL.`;
    case 'unreadable':
    case 'too_large':
      return `The answer is not Fini's: ${said}. A proxy or a login page may be in the way, or FINI_BASE_URL is another server's.`;
    default: {
      const isCertificate = /CERT|SELF_SIGNED|ISSUER/.test(error.message);
      const certificate =
        ' A company proxy that opens TLS needs its certificate in NODE_EXTRA_CA_CERTS.';
      return `Fini could not be reached: ${said}. ${network}${isCertificate ? certificate : ''}`;
    }
  }
}

function refusalAdvice({ status = 0, isExplained }: FiniError): string {
  switch (status) {
    case 401:
      return 'The key is wrong, revoked or not whole. Set FINI_API_KEY to the full workspace key (it starts with "fini_").';
    case 403:
      return isExplained
        ? 'The key lacks scope read, which every wait needs. Create one with scopes read and write in the Fini dashboard.'
        : 'The answer is not in the form of Fini: a proxy or a firewall may be in the way.';
    case 404:
      return 'There is no Fini API at this address. Check FINI_BASE_URL.';
    case 429:
      return 'Too many requests were made with this key. The settings are right; try again in a minute.';
    default:
      return status >= 500
        ? 'The settings may be right: Fini has a fault. Try again in a minute.'
        : 'Check FINI_BASE_URL.';
  }
}
