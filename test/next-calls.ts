import type { ToolAnswer } from './harness.ts';

/** A tool's input. */
type Input = Record<string, unknown>;

/** The inputs of all calls of a tool that an answer proposes. */
export function nextCallsOf({ nextCalls }: ToolAnswer, tool: string): Input[] {
  return nextCalls.filter((call) => call.tool === tool).map((call) => ({ ...call.arguments }));
}

/**
 * The input of the first call of a tool that an answer proposes.
 *
 * @throws with the answer's text if it proposes none.
 */
export function nextCall(answer: ToolAnswer, tool: string): Input {
  const [input] = nextCallsOf(answer, tool);
  if (input === undefined) throw new Error(`no next call of ${tool} in: ${answer.text}`);
  return input;
}

/** Words with an underscore that are not tools. */
const NO_TOOLS = new Set([
  ...['timed_out', 'never_ingested', 'dry_run', 'not_published', 'published_draft'],
]);

/** The tools that a text names. Text in quotes and URLs is data. */
export function toolsNamed(text: string): string[] {
  const said = text.replace(/"(?:[^"\\]|\\.)*"|https?:\/\/\S+/g, '""');
  const words = said.match(/\b[a-z]+(?:_[a-z]+)+\b/g) ?? [];
  return [...new Set(words)].filter((word) => !NO_TOOLS.has(word));
}
