import { quoted } from '../text.ts';
import { tools } from './all-tools.ts';
import { type CatalogEntry, catalog } from './catalog.ts';
import { likeness } from './input.ts';
import { barriersTo, lacksScope, toolsFor } from './listed-tools.ts';
import type { ServerKind, Tool } from './tool.ts';

/** Finds a tool that this kind of server lists, or says why there is none and which may be meant. */
export function findTool(name: string, kind: ServerKind): Tool | string {
  const listed = toolsFor(kind);
  const isListed = (entry: CatalogEntry) => listed.includes(entry);
  const entry = catalog.find((one) => one.name === name);
  const tool = tools.find((one) => one.name === name);
  if (entry !== undefined && tool !== undefined)
    return isListed(entry) ? tool : whyOff(entry, kind);
  const start = `There is no tool ${quoted(name)}`;
  const meant = toolsMeant(name);
  const [only] = meant;
  if (only !== undefined && meant.length === 1 && !isListed(only)) {
    return `${start}. ${whyOff(only, kind)}`;
  }
  const names = meant.filter(isListed).map((one) => one.name);
  if (names.length > 0) return `${start}: did you mean ${names.join(' or ')}?`;
  return `${start}. There are ${listed.map((one) => one.name).join(', ')}.`;
}

function whyOff(tool: CatalogEntry, kind: ServerKind): string {
  const barriers = barriersTo(tool, kind);
  const list = new Intl.ListFormat('en');
  const causes: string[] = [];
  const remedies: string[] = [];
  if (barriers.length > 0) {
    causes.push(`this server was started ${list.format(barriers.map(({ started }) => started))}`);
    const wanted = list.format(barriers.map((barrier) => barrier.wanted));
    remedies.push(`the server must be started ${wanted}`);
  }
  if (lacksScope(tool, kind)) {
    causes.push(`the access token of this client lacks the scope ${kind.missingTokenScope}`);
    remedies.push('the client must sign in again with that scope');
  }
  return `${tool.name} is off: ${causes.join(', and ')}. If the person wants it, say that ${remedies.join(', and ')}.`;
}

/** The tools with the same words as the name, or else with fewer of them, or else with more. */
function toolsMeant(name: string): readonly CatalogEntry[] {
  const found = catalog.map((tool) => ({ tool, likeness: likeness(name, tool.name) }));
  const [best] = (['same', 'more', 'fewer'] as const)
    .map((wanted) => found.filter((one) => one.likeness === wanted))
    .filter((alike) => alike.length > 0);
  return (best ?? []).map(({ tool }) => tool);
}
