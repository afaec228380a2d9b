import { isLoopback } from './hosts.ts';
import { parsedUrl } from './text.ts';

/** Proxies as the environment gives them: URLs, and the hosts to reach without one. */
export interface ProxySettings {
  readonly httpsProxy?: string | undefined;
  readonly httpProxy?: string | undefined;
  readonly noProxy?: string | undefined;
}

/** The proxy that requests to a URL take; undefined if they go directly, as they do on loopback. */
export function proxyFor(url: URL, settings: ProxySettings): string | undefined {
  const { httpsProxy, httpProxy, noProxy = '' } = settings;
  if (isLoopback(url.hostname) || isExcepted(url, noProxy)) return undefined;
  return url.protocol === 'https:' ? (httpsProxy ?? httpProxy) : httpProxy;
}

/** Says that requests to a URL would take a proxy of a kind that cannot be used; null if not. */
export function proxyFault(url: URL, settings: ProxySettings): string | null {
  const proxy = proxyFor(url, settings);
  if (proxy === undefined || /^https?:$/.test(parsedUrl(proxy)?.protocol ?? '')) return null;
  const name = proxy === settings.httpsProxy ? 'HTTPS_PROXY' : 'HTTP_PROXY';
  const { hostname } = url;
  return `${name} is not the URL of an HTTP proxy, and requests to ${hostname} would go through it; write it as http://host:port, or add ${hostname} to NO_PROXY`;
}

/** True if NO_PROXY names the host of a URL, or one above it, with its port if it has one. */
function isExcepted({ hostname, port, protocol }: URL, noProxy: string): boolean {
  const ownPort = port || (protocol === 'https:' ? '443' : '80');
  const entries = noProxy.toLowerCase().split(/[,\s]+/);
  return entries.some((entry) => {
    const [, host = '', onlyPort = ownPort] = /^(?:\*?\.)?(.+?)(?::(\d+))?$/.exec(entry) ?? [];
    if (onlyPort !== ownPort) return false;
    return host === '*' || hostname === host || (host !== '' && hostname.endsWith(`.${host}`));
  });
}
