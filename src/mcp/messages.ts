import {
  type JSONRPCErrorResponse,
  type JSONRPCMessage,
  ProtocolErrorCode,
  parseJSONRPCMessage,
} from '@modelcontextprotocol/server';
import * as z from 'zod';

/*
 * Reading of messages, over stdio and HTTP. The SDK refuses or ignores some messages that clients do
 * send: here, an obvious intention is honored, anything unreadable is refused, and every request with a
 * readable ID gets an answer.
 */

/** Maximum number of messages in a batch. */
export const BATCH_SIZE = 100;
/** Maximum length of a request's or progress's ID in characters, since it is sent back. */
const NAME_LENGTH = 256;
/** Maximum depth of a message. The tools' inputs are five levels deep. */
const DEPTH = 64;
/** Maximum number of objects, lists and named values in a message. */
const PARTS = 100_000;
/** Maximum number of named values in an object. */
const NAMES = 1_000;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Returns the reason that a JSON text is too deep or too large; null if it is neither. `JSON.parse`
 * needs over half a second for a megabyte of brackets, in which no one else gets an answer. This check
 * takes milliseconds.
 */
export function textFault(json: Uint8Array): string | null {
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
      if (depth > DEPTH) return `The message is nested more than ${DEPTH} levels deep.`;
      names[depth] = 0;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      depth = Math.max(0, depth - 1);
    } else if (byte === COLON) {
      parts += 1;
      const count = (names[depth] ?? 0) + 1;
      names[depth] = count;
      if (count > NAMES) {
        return `An object in the message has more than ${NAMES.toLocaleString('en-US')} names.`;
      }
    }
    if (parts > PARTS) return `The message has more than ${PARTS.toLocaleString('en-US')} parts.`;
  }
  return null;
}

/** A message to pass on, or the answer to one that cannot be read. */
export type Incoming =
  | { readonly message: JSONRPCMessage; readonly refusal?: undefined }
  | { readonly refusal: JSONRPCErrorResponse; readonly message?: undefined };

type JsonObject = Record<string, unknown>;
const jsonObject = z.record(z.string(), z.unknown());
const identifier = z.union([z.string(), z.int()]);
/** An ID that an answer can carry, even if it is not a valid one. */
const answerable = z.union([z.string().max(NAME_LENGTH), z.number()]);
const batch = z.array(z.unknown());

/**
 * Reads one line or one body: a message, or a batch, which clients of protocol 2025-03-26 may send.
 */
export function readMessages(json: unknown): Incoming[] {
  const items = batch.safeParse(json);
  if (!items.success) return [readMessage(json)];
  if (items.data.length === 0) return [{ refusal: refusal('The batch is empty.') }];
  if (items.data.length > BATCH_SIZE) {
    return [{ refusal: refusal(`A batch may hold ${BATCH_SIZE} messages at most.`) }];
  }
  return items.data.map(readMessage);
}

/** Makes the answer to a message that cannot be read. */
export function refusal(
  message: string,
  { id, code = ProtocolErrorCode.InvalidRequest }: { id?: unknown; code?: number } = {},
): JSONRPCErrorResponse {
  const known = answerable.safeParse(id).data;
  return { jsonrpc: '2.0', ...(known !== undefined && { id: known }), error: { code, message } };
}

/** Reads a field of a value that may be an object. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.getOwnPropertyDescriptor(value, name)?.value;
}

function readMessage(json: unknown): Incoming {
  const given = jsonObject.safeParse(json);
  if (!given.success) return { refusal: refusal('A message is a JSON object (JSON-RPC 2.0).') };
  const message = tolerated(given.data);
  const { id } = message;
  const fault = messageFaultOf(message);
  if (fault !== null) return { refusal: refusal(fault, { id }) };
  try {
    return { message: parseJSONRPCMessage(message) };
  } catch {
    const why = 'This is not a JSON-RPC 2.0 message: a request, a notification or a response.';
    return { refusal: refusal(why, { id }) };
  }
}

/** Drops fields that clients fill without meaning, or that ask for features not declared here. */
function tolerated(message: JsonObject): JsonObject {
  const { params, ...others } = message;
  const known = jsonObject.safeParse(params);
  if (!known.success) return params === null ? others : message;
  const { _meta, arguments: input, task: _task, ...kept } = known.data;
  return {
    ...others,
    params: {
      ...kept,
      ...(_meta != null && { _meta }),
      ...(input != null && { arguments: readArguments(input) }),
    },
  };
}

/** Parses arguments that a client sent as the JSON text of an object. */
function readArguments(input: unknown): unknown {
  if (typeof input !== 'string') return input;
  if (input.trim() === '') return {};
  try {
    return textFault(Buffer.from(input)) === null ? JSON.parse(input) : input;
  } catch {
    // The schema refuses it as it is.
    return input;
  }
}

/** Returns a clearer reason than "it does not fit" for a wrong message; null if none is found. */
function messageFaultOf({ jsonrpc, id, method, params }: JsonObject): string | null {
  if (id !== undefined && !identifier.safeParse(id).success) {
    return 'The ID of a request is a whole number or a text.';
  }
  if (isTooLong(id)) return `The request ID is longer than ${NAME_LENGTH} characters.`;
  if (jsonrpc !== '2.0') return 'A message has "jsonrpc": "2.0".';
  if (method !== undefined && typeof method !== 'string') return 'The method is a text.';
  if (method === undefined || params === undefined) return null;
  const known = jsonObject.safeParse(params);
  if (!known.success) return 'The params of a message are a JSON object.';
  const meta = jsonObject.safeParse(known.data._meta ?? {});
  if (!meta.success) return 'The _meta of a message is a JSON object.';
  const token = meta.data.progressToken;
  if (isTooLong(token)) return `The progressToken is longer than ${NAME_LENGTH} characters.`;
  return token === undefined || identifier.safeParse(token).success
    ? null
    : 'A progressToken is a whole number or a text.';
}

function isTooLong(name: unknown): boolean {
  return typeof name === 'string' && name.length > NAME_LENGTH;
}
