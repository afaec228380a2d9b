import module from 'node:module';

/** Long enough for the first answers, so that writing does not delay them. */
const WRITE_AFTER_MS = 1_000;

/** Lets Node keep compiled code between starts, where the running Node can (22.10 and newer). */
export function enableCompileCache(): void {
  if (!('enableCompileCache' in module && 'flushCompileCache' in module)) return;
  const { enableCompileCache: enable, flushCompileCache: flush } = module;
  if (typeof enable !== 'function' || typeof flush !== 'function') return;
  enable();
  // Node writes at an orderly end, which many clients do not allow.
  setTimeout(() => flush(), WRITE_AFTER_MS).unref();
}
