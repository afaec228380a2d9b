import {
  type JSONRPCErrorResponse,
  type JSONRPCMessage,
  ProtocolErrorCode,
  parseJSONRPCMessage,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { messageFault } from './message-bounds.ts';

/*
 * The manners on the wire that the SDK lacks (design.md, "Wire manners"), for every transport: what
 * a client surely means is read so, what cannot be read is refused, and every readable ID is answered.
 */

/** A message to pass on, or the answer to one that cannot be read. */
export type Incoming =
  | { readonly message: JSONRPCMessage; readonly refusal?: undefined }
  | { readonly refusal: JSONRPCErrorResponse; readonly message?: undefined };

type Fields = Record<string, unknown>;
const fields = z.record(z.string(), z.unknown());
const identifier = z.union([z.string(), z.int()]);
/** What an answer can be found by, even where it is no proper ID. */
const answerable = z.union([z.string(), z.number()]);
const batch = z.array(z.unknown());

/**
 * Reads what one line or one body holds: a message, or a batch of them, which clients of protocol
 * 2025-03-26 may send.
 */
export function readMessages(json: unknown): Incoming[] {
  const items = batch.safeParse(json);
  if (!items.success) return [readMessage(json)];
  if (items.data.length === 0) return [{ refusal: refusal('The batch is empty.') }];
  return items.data.map(readMessage);
}

/** The answer to what cannot be read. */
export function refusal(
  message: string,
  { id, code = ProtocolErrorCode.InvalidRequest }: { id?: string | number; code?: number } = {},
): JSONRPCErrorResponse {
  return { jsonrpc: '2.0', ...(id !== undefined && { id }), error: { code, message } };
}

function readMessage(json: unknown): Incoming {
  const excess = messageFault(json);
  if (excess !== null) {
    const { id, code, message } = excess;
    return { refusal: refusal(message, { ...(id !== undefined && { id }), code }) };
  }
  const given = fields.safeParse(json);
  if (!given.success) return { refusal: refusal('A message is a JSON object (JSON-RPC 2.0).') };
  const message = tolerated(given.data);
  const id = answerable.safeParse(message.id).data;
  const fault = faultOf(message);
  if (fault !== null) return { refusal: refusal(fault, { ...(id !== undefined && { id }) }) };
  try {
    return { message: parseJSONRPCMessage(message) };
  } catch {
    const why = 'This is not a JSON-RPC 2.0 message: a request, a notification or a response.';
    return { refusal: refusal(why, { ...(id !== undefined && { id }) }) };
  }
}

/** The message without what clients write where they mean nothing, or mean what is not declared here. */
function tolerated(message: Fields): Fields {
  const { params, ...others } = message;
  const known = fields.safeParse(params);
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

/** Arguments that some clients send as the JSON text of an object. */
function readArguments(input: unknown): unknown {
  if (typeof input !== 'string') return input;
  if (input.trim() === '') return {};
  try {
    return JSON.parse(input);
  } catch {
    // Refused as it is.
    return input;
  }
}

/** What is wrong with a message, where that can be said better than "it does not fit". */
function faultOf({ jsonrpc, id, method, params }: Fields): string | null {
  if (id !== undefined && !identifier.safeParse(id).success) {
    return 'The ID of a request is a whole number or a text.';
  }
  if (jsonrpc !== '2.0') return 'A message has "jsonrpc": "2.0".';
  if (method !== undefined && typeof method !== 'string') return 'The method is a text.';
  if (method === undefined || params === undefined) return null;
  const known = fields.safeParse(params);
  if (!known.success) return 'The params of a message are a JSON object.';
  const meta = fields.safeParse(known.data._meta ?? {});
  if (!meta.success) return 'The _meta of a message is a JSON object.';
  const token = meta.data.progressToken;
  return token === undefined || identifier.safeParse(token).success
    ? null
    : 'A progressToken is a whole number or a text.';
}
