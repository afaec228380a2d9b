import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';

const FRAME = /(file:\/\/\S+?\.js):(\d+):(\d+)/g;

/**
 * An error with its stack and causes, in which places in the bundle are named by the source file
 * they come from. The source maps are read now and not at the start, which they would slow down.
 */
export function originalStack(error: unknown): string {
  const maps = new Map<string, SourceMap | null>();
  return inspect(error).replace(FRAME, (frame, url: string, line: string, column: string) => {
    const map = maps.get(url) ?? readMap(url);
    maps.set(url, map);
    const entry = map?.findEntry(Number(line) - 1, Number(column) - 1);
    if (entry === undefined || !('originalSource' in entry)) return frame;
    const file = new URL(entry.originalSource, url).pathname.replace(
      /^.*?\/(?=(src|node_modules)\/)/,
      '',
    );
    return `${file}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}

function readMap(url: string): SourceMap | null {
  try {
    const path = `${fileURLToPath(url)}.map`;
    return existsSync(path) ? new SourceMap(JSON.parse(readFileSync(path, 'utf8'))) : null;
  } catch {
    // A stack without source places is better than none: there may be no descriptor left.
    return null;
  }
}
