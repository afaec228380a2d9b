import { lstatSync, mkdirSync, type Stats, statSync } from 'node:fs';
import module from 'node:module';
import { homedir } from 'node:os';
import { dirname, posix, win32 } from 'node:path';

/** Long enough for the first answers, so that writing does not delay them. */
const WRITE_AFTER_MS = 1_000;
/** Mode bits: somebody other than the owner may write. */
const WRITABLE_BY_OTHERS = 0o022;
/** Mode bit of a folder in which only the owner of an entry may rename or remove it. */
const STICKY = 0o1000;

/**
 * Lets Node keep compiled code between starts, where the running Node can (22.10 and newer). Node
 * runs what it finds there, so the cache lies in a folder that nobody but the user can write to, or
 * there is none. A cache that cannot be had is no fault: the server starts without it.
 */
export function enableCompileCache(): void {
  if (!('enableCompileCache' in module && 'flushCompileCache' in module)) return;
  const { enableCompileCache: enable, flushCompileCache: flush } = module;
  if (typeof enable !== 'function' || typeof flush !== 'function') return;
  const { NODE_COMPILE_CACHE, NODE_DISABLE_COMPILE_CACHE } = process.env;
  if (NODE_DISABLE_COMPILE_CACHE) return;
  // With NODE_COMPILE_CACHE, Node has enabled it already, where the user wants it.
  if (!NODE_COMPILE_CACHE) {
    const folder = cacheFolder(process.platform, process.env, homeOrNull());
    if (folder === null || !isOwnFolder(folder, process.getuid?.())) return;
    enable(folder);
  }
  // Node writes at an orderly end, which many clients do not allow.
  setTimeout(() => flush(), WRITE_AFTER_MS).unref();
}

/** Where the cache belongs: in the user's own cache home. Null where there is none. */
export function cacheFolder(
  platform: NodeJS.Platform,
  environment: Readonly<Record<string, string | undefined>>,
  home: string | null,
): string | null {
  const { isAbsolute, join } = platform === 'win32' ? win32 : posix;
  const { LOCALAPPDATA, XDG_CACHE_HOME } = environment;
  const below = (...parts: string[]) => (home === null ? undefined : join(home, ...parts));
  // The XDG specification has a relative path ignored.
  const xdg = XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME) ? XDG_CACHE_HOME : below('.cache');
  const place =
    platform === 'win32' ? LOCALAPPDATA : platform === 'darwin' ? below('Library', 'Caches') : xdg;
  return place && isAbsolute(place) ? join(place, 'fini-mcp') : null;
}

/**
 * Makes a folder where there is none, and says whether it is the user's alone: theirs, a folder and
 * no link to one, which nobody else can write to or put another in the place of.
 *
 * @param uid The user's ID; undefined on Windows, where the folder inherits who may write to it.
 */
export function isOwnFolder(folder: string, uid: number | undefined): boolean {
  try {
    mkdirSync(dirname(folder), { recursive: true, mode: 0o700 });
    // Here "recursive" only means that it may be there already.
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const found = lstatSync(folder);
    if (!found.isDirectory()) return false;
    if (uid === undefined) return true;
    return (
      found.uid === uid &&
      (found.mode & WRITABLE_BY_OTHERS) === 0 &&
      keepsEntries(statSync(dirname(folder)), uid)
    );
  } catch {
    // Read-only, no room, no rights, something else in its place: no cache.
    return false;
  }
}

/** Whether nobody else can replace what the user has in this folder. */
function keepsEntries({ uid: owner, mode }: Stats, uid: number): boolean {
  const isSafe = (mode & WRITABLE_BY_OTHERS) === 0 || (mode & STICKY) !== 0;
  return (owner === uid || owner === 0) && isSafe;
}

function homeOrNull(): string | null {
  try {
    return homedir();
  } catch {
    // A user without a home, as in some containers.
    return null;
  }
}
