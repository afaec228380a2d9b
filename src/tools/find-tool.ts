import { quoted } from '../text.ts';
import { barriersTo, lacksScope, tools, toolsFor } from './index.ts';
import { folded } from './read-input.ts';
import { isNear } from './refusal.ts';
import type { ServerKind, Tool } from './tool.ts';

/** How much of a name is compared. */
const LONGEST_NAME = 64;

/** Finds a tool that a server of a kind lists, or says why there is none and which may be meant. */
export function findTool(name: string, kind: ServerKind): Tool | string {
  const listed = toolsFor(kind);
  const tool = tools.find((one) => one.name === name);
  if (tool !== undefined) return listed.includes(tool) ? tool : whyOff(tool, kind);
  const start = `There is no tool ${quoted(name)}`;
  const meant = toolsMeant(name);
  const [only] = meant;
  if (only !== undefined && meant.length === 1 && !listed.includes(only)) {
    return `${start}. ${whyOff(only, kind)}`;
  }
  const names = meant.filter((one) => listed.includes(one)).map((one) => one.name);
  if (names.length > 0) return `${start}: did you mean ${names.join(' or ')}?`;
  return `${start}. There are ${listed.map((one) => one.name).join(', ')}.`;
}

function whyOff(tool: Tool, kind: ServerKind): string {
  const barriers = barriersTo(tool, kind);
  const list = new Intl.ListFormat('en');
  const causes: string[] = [];
  const remedies: string[] = [];
  if (barriers.length > 0) {
    causes.push(`this server was started ${list.format(barriers.map(({ started }) => started))}`);
    remedies.push(
      `the server must be started ${list.format(barriers.map(({ wanted }) => wanted))}`,
    );
  }
  if (lacksScope(tool, kind)) {
    causes.push(`the access token of this client lacks the scope ${kind.withoutScope}`);
    remedies.push('the client must sign in again with that scope');
  }
  return `${tool.name} is off: ${causes.join(', and ')}. If the person wants it, say that ${remedies.join(', and ')}.`;
}

function toolsMeant(name: string): readonly Tool[] {
  if (name.length > LONGEST_NAME) return [];
  // Clients put the server's name in front, with one of several separators.
  const wanted = folded(name.replace(/[.:/]/g, '_'));
  const tests: ((own: string) => boolean)[] = [
    (own) => own === wanted || wanted.endsWith(own),
    (own) => isNear(own, wanted),
    (own) => wanted.length > 2 && own.includes(wanted),
  ];
  for (const test of tests) {
    const found = tools.filter((tool) => test(folded(tool.name)));
    if (found.length > 0) return found;
  }
  return [];
}
