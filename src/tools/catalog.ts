import { TOOL_GROUPS, type ToolGroup } from '../config.ts';
import { toolGroups, tools } from './all-tools.ts';
import type { ToolFacts } from './tool.ts';

/** Facts of a tool that decide which clients can use it. */
export interface CatalogEntry extends Pick<ToolFacts, 'name' | 'kind' | 'scope'> {
  readonly groups: readonly ToolGroup[];
}

/**
 * Every tool, in listed order. The build replaces this module by its data, so that a start loads no
 * tool: their schemas took a sixth of it.
 */
export const catalog: readonly CatalogEntry[] = tools.map((tool) => ({
  name: tool.name,
  kind: tool.kind,
  scope: tool.scope,
  groups: TOOL_GROUPS.filter((group) => toolGroups[group].includes(tool)),
}));
