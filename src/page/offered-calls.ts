import { type Fields, isFields } from './narrowing.ts';

/** A call of one of this server's tools. */
export interface ToolCall {
  readonly tool: string;
  readonly input: Fields;
}

/** A call in a text, and where its input stands. */
interface WrittenCall extends ToolCall {
  readonly start: number;
  readonly end: number;
}

const CALL = /\bcall ([a-z_]+) with (?=\{)/iy;

/**
 * The calls that a text offers: next steps hold them ready to be pasted, as "call TOOL with JSON".
 * What stands in quotes is data, such as an error of Fini's, and offers nothing.
 */
export function offeredCalls(text: string): ToolCall[] {
  return writtenCalls(text).map(({ tool, input }) => ({ tool, input }));
}

/** A text with the inputs of its calls left out, which nobody reads. */
export function withoutInputs(text: string): string {
  const calls = writtenCalls(text);
  const starts = [0, ...calls.map(({ end }) => end)];
  const ends = [...calls.map(({ start }) => start), text.length];
  return starts.map((start, index) => text.slice(start, ends[index])).join('{…}');
}

function writtenCalls(text: string): WrittenCall[] {
  const found: WrittenCall[] = [];
  let position = 0;
  while (position < text.length) {
    if (text[position] === '"') {
      position = endOfString(text, position);
      continue;
    }
    CALL.lastIndex = position;
    const match = CALL.exec(text);
    if (match === null) {
      position += 1;
      continue;
    }
    const start = position + match[0].length;
    const end = endOfObject(text, start);
    const input = parsed(text.slice(start, end));
    if (isFields(input)) found.push({ tool: match[1] ?? '', input, start, end });
    position = end;
  }
  return found;
}

/** Where a string in JSON that begins here is over. */
function endOfString(text: string, start: number): number {
  for (let position = start + 1; position < text.length; position += 1) {
    if (text[position] === '\\') position += 1;
    else if (text[position] === '"') return position + 1;
  }
  return text.length;
}

/** Where an object in JSON that begins here is over. */
function endOfObject(text: string, start: number): number {
  let depth = 0;
  let position = start;
  while (position < text.length) {
    if (text[position] === '"') {
      position = endOfString(text, position);
      continue;
    }
    if (text[position] === '{') depth += 1;
    if (text[position] === '}') depth -= 1;
    position += 1;
    if (depth === 0) return position;
  }
  return position;
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
