/** How long a text that names a request or its progress may be, in characters: it is echoed and kept. */
const NAME_LENGTH = 256;
/** How deep a message may be nested. The tools' inputs are five deep. */
const DEPTH = 64;
/** How many objects and lists a message may hold, and how many named values. */
const PARTS = 100_000;
/** How many named values one object may hold. */
const NAMES = 1_000;
/** How long an initialize request may be, in bytes: what it tells is kept as long as the session. */
export const MAXIMUM_INITIALIZE_BYTES = 64 * 1024;
/** How many parts it may have: parsed, one takes some 60 bytes. */
export const MAXIMUM_INITIALIZE_PARTS = 1_000;

const TOO_DEEP = `The message is nested more than ${DEPTH} levels deep.`;
const tooManyParts = (maximum: number) =>
  `The message has more than ${maximum.toLocaleString('en-US')} parts.`;
const TOO_MANY_NAMES = `An object in the message has more than ${NAMES.toLocaleString('en-US')} names.`;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Why a JSON text is not parsed; null where it may be. Parsing takes seconds for some texts of a
 * few megabytes, and this takes milliseconds for any.
 */
export function textFault(json: Uint8Array, maximumParts = PARTS): string | null {
  const names = new Uint32Array(DEPTH + 1);
  let depth = 0;
  let parts = 0;
  let isInText = false;
  for (let index = 0; index < json.length; index += 1) {
    const byte = json[index];
    if (isInText) {
      if (byte === BACKSLASH) index += 1;
      else if (byte === QUOTE) isInText = false;
    } else if (byte === QUOTE) {
      isInText = true;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth += 1;
      parts += 1;
      if (depth > DEPTH) return TOO_DEEP;
      names[depth] = 0;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth > 0) depth -= 1;
    } else if (byte === COLON) {
      const count = (names[depth] ?? 0) + 1;
      names[depth] = count;
      parts += 1;
      if (count > NAMES) return TOO_MANY_NAMES;
    }
    if (parts > maximumParts) return tooManyParts(maximumParts);
  }
  return null;
}

/** Why a message is refused, and under which ID and code. */
export interface MessageFault {
  /** Undefined where the ID itself is at fault, which is never repeated. */
  readonly id: string | number | undefined;
  readonly code: number;
  readonly message: string;
}

const INVALID_REQUEST = -32600;
const INVALID_PARAMS = -32602;

/** Why a parsed message is not acted upon; null where it may be. */
export function messageFault(message: unknown): MessageFault | null {
  const id = idOf(message);
  const isNamed = typeof id === 'string' || typeof id === 'number';
  if (isTooLong(id)) {
    const why = `The request ID is longer than ${NAME_LENGTH} characters.`;
    return { id: undefined, code: INVALID_REQUEST, message: why };
  }
  const known = isNamed ? id : undefined;
  const fault = shapeFault(message);
  if (fault !== null) return { id: known, code: INVALID_REQUEST, message: fault };
  if (isTooLong(fieldOf(fieldOf(fieldOf(message, 'params'), '_meta'), 'progressToken'))) {
    const why = `The progressToken is longer than ${NAME_LENGTH} characters.`;
    return { id: known, code: INVALID_PARAMS, message: why };
  }
  return null;
}

function idOf(message: unknown): unknown {
  return fieldOf(message, 'id');
}

function isTooLong(name: unknown): boolean {
  return typeof name === 'string' && name.length > NAME_LENGTH;
}

/** A field of what may be an object. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

/** The bounds of {@link textFault}, for what came parsed already. It uses no recursion. */
function shapeFault(message: unknown): string | null {
  const left: { value: unknown; depth: number }[] = [{ value: message, depth: 0 }];
  let parts = 0;
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { value, depth } = next;
    if (typeof value !== 'object' || value === null) continue;
    if (depth >= DEPTH) return TOO_DEEP;
    const isList = Array.isArray(value);
    const children: unknown[] = isList ? value : Object.values(value);
    if (!isList && children.length > NAMES) return TOO_MANY_NAMES;
    parts += isList ? 1 : 1 + children.length;
    if (parts > PARTS) return tooManyParts(PARTS);
    for (const child of children) {
      if (typeof child === 'object' && child !== null)
        left.push({ value: child, depth: depth + 1 });
    }
  }
  return null;
}
