import { parsedUrl } from './text.ts';

/* Host names in settings and requests. */

/** True if a host name means this machine alone. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i.test(hostname);
}

/** True if an address to listen on means every address of the machine, so that it names no host. */
export function isWildcard(host: string): boolean {
  return /^(0\.0\.0\.0|\[::\])$/.test(urlHostOf(host) ?? '');
}

/** The name in a request for an address or a name to listen on. */
export function urlHostOf(host: string): string | null {
  return hostnameOf(`http://${host.includes(':') ? `[${host}]` : host}`);
}

/** The host of a URL, in lower case; null if it has none. */
export function hostnameOf(url: string): string | null {
  return parsedUrl(url)?.hostname.toLowerCase() || null;
}
