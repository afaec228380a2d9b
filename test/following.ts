import type { Tool } from '@modelcontextprotocol/sdk/types.js';
import type { ToolAnswer } from './harness.ts';

/* Reads a tool's next steps as a model would, so that a test can make exactly the calls named. */

/** A tool's input. */
export type Input = Record<string, unknown>;

/** A call that was made, with its answer. */
export interface Done {
  readonly tool: string;
  readonly input: Input;
  readonly answer: ToolAnswer;
}

/** The JSON value that begins at this position, or undefined. */
function jsonAt(text: string, start: number): unknown {
  // The shortest beginning that parses is the value, but for numbers, which end with their digits.
  const number = /^\d+/.exec(text.slice(start))?.[0];
  if (number !== undefined) return Number(number);
  if (!/["[{]/.test(text[start] ?? '')) return undefined;
  for (let end = start + 1; end <= text.length; end += 1) {
    if (!/["\]}]/.test(text[end - 1] ?? '')) continue;
    try {
      return JSON.parse(text.slice(start, end));
    } catch {
      // Not complete yet.
    }
  }
  return undefined;
}

/** The inputs of a tool that a text gives as `name value`, `name: value` or `"name": value`. */
function inputsIn(text: string, tool: Tool): Input {
  const input: Input = {};
  for (const name of Object.keys(tool.inputSchema.properties ?? {})) {
    const found = new RegExp(`(?<![\\w.])"?${name}"?:? (?=["[{\\d])`).exec(text);
    if (found === null) continue;
    const value = jsonAt(text, found.index + found[0].length);
    if (value !== undefined) input[name] = value;
  }
  return input;
}

/** The tool's first input that is a list. */
function listOf(tool: Tool): string {
  const properties = Object.entries(tool.inputSchema.properties ?? {});
  const [name = ''] = properties.find(([, schema]) => 'items' in schema) ?? [];
  return name;
}

/**
 * The input of the first call of a tool that a text gives as `tool with {…}`.
 *
 * @throws where the text gives none.
 */
export function inputNamed(text: string, tool: string): Input {
  const [named] = new RegExp(`(?<!\\w)${tool} with (?=\\{)`).exec(text) ?? [];
  if (named === undefined) throw new Error(`no call of ${tool} in: ${text}`);
  return Object(jsonAt(text, text.indexOf(named) + named.length));
}

/**
 * The call of a tool that an answer tells to make: `tool with {…}`, `tool with ids […]`, or
 * `tool, these IDs`, which stand in the answer's last list.
 *
 * @throws where the answer tells of no such call.
 */
export function callNamed({ text }: ToolAnswer, tool: Tool): Input {
  const at = text.search(
    new RegExp(`(?<!\\w)${tool.name}\\b(?=,? (?:with|and|these|id|originalUrl))`),
  );
  if (at < 0) throw new Error(`no call of ${tool.name} in: ${text}`);
  const rest = text.slice(at + tool.name.length);
  if (rest.startsWith(' with {')) return inputNamed(text.slice(at), tool.name);
  const input = inputsIn(rest, tool);
  const list = listOf(tool);
  if (list !== '' && !(list in input) && /\b(?:these|those) IDs\b/.test(text)) {
    const last = text.lastIndexOf('["');
    input[list] = jsonAt(text, last);
  }
  return input;
}

/**
 * The last call as its answer tells to make it again: `again without dryRun`, `again with cursor
 * "…"`, `continue with offset 2`, `read on with paragraphs {…}`.
 *
 * @throws where the answer tells of no such call.
 */
export function callAgain({ input, answer }: Done, tool: Tool): Input {
  const without = /call (\w+) again without (\w+)/.exec(answer.text);
  if (without?.[1] === tool.name) {
    return Object.fromEntries(Object.entries(input).filter(([name]) => name !== without[2]));
  }
  const more = /(?:call again|[Gg]o on|[Cc]ontinue|[Rr]ead on) with (.*)/.exec(answer.text)?.[1];
  if (more === undefined) throw new Error(`no way on in: ${answer.text}`);
  return { ...input, ...inputsIn(more, tool) };
}
