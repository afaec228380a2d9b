import { lstatSync, mkdirSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** Delay before writing, so that it does not delay the first answers. */
const WRITE_AFTER_MS = 1_000;
/** Mode bits of write access for anyone but the owner. */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Lets Node keep compiled code between starts, if the running Node can (22.10 and newer). Node runs
 * what it finds there, and its default is a folder that all users share, so the cache is kept in one
 * that only the user can write to. Without such a folder, the server starts without a cache.
 */
export function enableCompileCache(): void {
  if (!('enableCompileCache' in module && 'flushCompileCache' in module)) return;
  const { enableCompileCache: enable, flushCompileCache: flush } = module;
  if (typeof enable !== 'function' || typeof flush !== 'function') return;
  const { NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE, XDG_CACHE_HOME } = process.env;
  if (NODE_DISABLE_COMPILE_CACHE) return;
  // With NODE_COMPILE_CACHE, Node has already enabled the cache where the user wants it.
  if (!NODE_COMPILE_CACHE) {
    const folder = ownFolder(XDG_CACHE_HOME);
    if (folder === null) return;
    enable(folder);
  }
  // Node writes the cache only when the process ends normally, which many clients do not allow.
  setTimeout(() => flush(), WRITE_AFTER_MS).unref();
}

/**
 * Makes the cache's folder if there is none, in the cache home or in `~/.cache`. Null unless it is a
 * folder and not a link, belongs to the user, and no one else can write to it.
 */
export function ownFolder(cacheHome: string | undefined): string | null {
  try {
    // The XDG specification ignores relative paths.
    const isGiven = cacheHome !== undefined && isAbsolute(cacheHome);
    const folder = join(isGiven ? cacheHome : join(homedir(), '.cache'), 'fini-mcp');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const found = lstatSync(folder);
    // Windows has no such owner: the folder inherits access rights from the user's own folder.
    const uid = process.getuid?.();
    const isOwn =
      uid === undefined || (found.uid === uid && (found.mode & WRITABLE_BY_OTHERS) === 0);
    return found.isDirectory() && isOwn ? folder : null;
  } catch {
    // The folder may be read-only or missing, or the disk full: the server starts without a cache.
    return null;
  }
}
