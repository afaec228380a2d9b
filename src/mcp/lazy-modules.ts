/*
 * Modules that a start does not need, each loaded on first use. Node resolves a path again for each file
 * that imports it, so every use goes through here: modules that `loadAll` has loaded need no file.
 */

/** The tools, the engine and the Fini client, for calls; and the texts of errors. */
export const loadCalls = once(() => import('../tools/call.ts'));

/** The tools as clients list them. */
export const loadListing = once(() => import('../tools/listing.ts'));

export const loadPrompts = once(() => import('./prompts.ts'));

/** The sources as resources. */
export const loadSources = once(() => import('./source-resources.ts'));

/** Loads all of them, for a server that may have no file descriptor left on first use. */
export async function loadAll(): Promise<void> {
  await Promise.all([loadCalls(), loadListing(), loadPrompts(), loadSources()]);
}

/** Imports a module once: each `import()` of a loaded module takes a tenth of a call on loopback. */
function once<Module>(load: () => Promise<Module>): () => Promise<Module> {
  let loaded: Promise<Module> | undefined;
  return () => {
    loaded ??= load();
    return loaded;
  };
}
