import { parsedUrl } from './text.ts';

/*
 * Host names, as settings and requests have them.
 */

/** True if a host name means this machine alone. */
export function isLoopback(hostname: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i.test(hostname);
}

/** True if an address to listen on stands for all that the machine has, and so is nobody's name. */
export function isWildcard(host: string): boolean {
  return /^(0\.0\.0\.0|\[::\])$/.test(urlHostOf(host) ?? '');
}

/** An address or a name to listen on, as a request names it. */
export function urlHostOf(host: string): string | null {
  return hostnameOf(`http://${host.includes(':') ? `[${host}]` : host}`);
}

/** The host of a URL, in lower case; null where it has none. */
export function hostnameOf(url: string): string | null {
  return parsedUrl(url)?.hostname.toLowerCase() || null;
}
