import { TOOL_GROUPS } from '../config.ts';
import { type CatalogEntry, catalog } from './catalog.ts';
import type { ServerKind } from './tool.ts';

/** A reason that a server does not list a tool: how it was started, and how it must be started. */
export interface Barrier {
  /** Words that follow "This server was started". */
  readonly started: string;
  /** Words that follow "the server must be started". */
  readonly wanted: string;
}

/** Every reason that a kind of server does not list a tool. */
export function barriersTo(tool: CatalogEntry, kind: ServerKind): readonly Barrier[] {
  const barriers: Barrier[] = [];
  const { toolGroups } = kind;
  if (!toolGroups.some((group) => tool.groups.includes(group))) {
    const wanted = TOOL_GROUPS.filter((group) => [...toolGroups, ...tool.groups].includes(group));
    barriers.push({
      started: `with --tools ${toolGroups.join(',')}`,
      wanted: `with --tools ${wanted.join(',')}`,
    });
  }
  if (kind.readOnly && tool.kind !== 'reads') {
    barriers.push({ started: 'with --read-only', wanted: 'without --read-only' });
  }
  if (tool.kind === 'deletes' && !kind.allowDelete) {
    barriers.push({ started: 'without --allow-delete', wanted: 'with --allow-delete' });
  }
  if (tool.kind === 'publishes' && !kind.allowPublish) {
    barriers.push({ started: 'without --allow-publish', wanted: 'with --allow-publish' });
  }
  return barriers;
}

/** True if a client's access token lacks the scope that a tool needs. */
export function lacksScope(tool: CatalogEntry, { missingTokenScope }: ServerKind): boolean {
  return missingTokenScope !== undefined && tool.kind !== 'reads';
}

/** The tools that a kind of server lists: the others cannot be called either. */
export function toolsFor(kind: ServerKind): readonly CatalogEntry[] {
  return catalog.filter((tool) => barriersTo(tool, kind).length === 0 && !lacksScope(tool, kind));
}

/** The names of the listed tools, so that texts mention no others. */
export function listedNames(kind: ServerKind): ReadonlySet<string> {
  return new Set(toolsFor(kind).map(({ name }) => name));
}
