import packageJson from '../package.json' with { type: 'json' };

/*
 * The check of Node.js itself. Versions that are refused run this file too, so it imports nothing else,
 * and the build keeps newer syntax out of it.
 */

/** Says that this version of Node.js is too old, and where it lies; null if it will do. */
export function nodeFault(version = process.versions.node): string | null {
  const oldest = packageJson.engines.node.replace('>=', '');
  return isOlderVersion(version, oldest)
    ? `fini-mcp needs Node.js ${oldest} or newer, and this is ${version} (${process.execPath}). Install a newer one, or start fini-mcp with the full path of one.`
    : null;
}

function isOlderVersion(version: string, than: string): boolean {
  const [given = [], oldest = []] = [version, than].map((text) => text.split('.').map(Number));
  const first = oldest.findIndex((part, index) => part !== given[index]);
  return first >= 0 && Number(given[first]) < Number(oldest[first]);
}
