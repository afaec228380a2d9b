/*
 * Modules that a start does not need, each loaded when it is first used. Node resolves a path again for
 * each file that imports it, so every use goes through here: what `loadAll` has loaded needs no file.
 */

/** The tools, the engine and the client of Fini, for calls; and the words for what fails. */
export const loadCalls = once(() => import('../tools/call.ts'));

/** The tools as clients list them. */
export const loadListing = once(() => import('../tools/listing.ts'));

export const loadPrompts = once(() => import('./prompts.ts'));

/** The sources as resources. */
export const loadSources = once(() => import('./source-resources.ts'));

/** Loads them all: for a server that may have no file descriptor left when one is first used. */
export async function loadAll(): Promise<void> {
  await Promise.all([loadCalls(), loadListing(), loadPrompts(), loadSources()]);
}

/** Asks Node for a module once: each `import()` of a loaded one takes a tenth of a call on loopback. */
function once<Module>(load: () => Promise<Module>): () => Promise<Module> {
  let loaded: Promise<Module> | undefined;
  return () => {
    loaded ??= load();
    return loaded;
  };
}
