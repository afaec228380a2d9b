import type { IncomingMessage } from 'node:http';
import { ProtocolErrorCode } from '@modelcontextprotocol/server';
import { HttpRefusal } from './http-refusal.ts';
import {
  fieldOf,
  MAXIMUM_INITIALIZE_BYTES,
  MAXIMUM_INITIALIZE_PARTS,
  textFault,
} from './message-bounds.ts';
import { readMessages } from './messages.ts';

const MAXIMUM_BODY_BYTES = 4 * 1024 * 1024;
const BOTH_TYPES = 'application/json, text/event-stream';

/** The path that a request asks for, without a slash at its end. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').replace(/\?.*$/s, '').replace(/(?<=.)\/$/, '');
}

/**
 * Reads the whole body, bounded, as JSON.
 *
 * @param hold Called with the size of each part before it is kept; it may refuse.
 * @throws {HttpRefusal} where it is too large, or not JSON.
 */
export async function readJson(
  request: IncomingMessage,
  hold: (bytes: number) => void,
): Promise<unknown> {
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new HttpRefusal(415, 'A request has the content type application/json.');
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAXIMUM_BODY_BYTES) {
      const why = `A request may have ${MAXIMUM_BODY_BYTES / 1024 / 1024} MB at most: pass fewer items at once.`;
      throw new HttpRefusal(413, why);
    }
    hold(chunk.length);
    chunks.push(chunk);
  }
  const json = Buffer.concat(chunks);
  const fault = textFault(json);
  if (fault !== null) throw new HttpRefusal(400, fault, { code: ProtocolErrorCode.InvalidRequest });
  let body: unknown;
  try {
    body = JSON.parse(json.toString('utf8'));
  } catch {
    throw new HttpRefusal(400, 'The body is not JSON.', { code: ProtocolErrorCode.ParseError });
  }
  // What an initialize request tells is kept as long as the session.
  const isTooMuch =
    bytes > MAXIMUM_INITIALIZE_BYTES || textFault(json, MAXIMUM_INITIALIZE_PARTS) !== null;
  if (isTooMuch && messagesIn(body).some(isInitialize)) {
    const why = `An initialize request may have ${MAXIMUM_INITIALIZE_BYTES / 1024} kB and ${MAXIMUM_INITIALIZE_PARTS.toLocaleString('en-US')} parts at most.`;
    throw new HttpRefusal(413, why);
  }
  return body;
}

/**
 * The messages of a body as clients mean them, one alone or a batch.
 *
 * @throws {HttpRefusal} where one of them cannot be read.
 */
export function readBody(json: unknown): unknown {
  const read = readMessages(json);
  const refused = read.find(({ refusal }) => refusal !== undefined)?.refusal;
  if (refused !== undefined) {
    const { error, id } = refused;
    throw new HttpRefusal(400, error.message, { code: error.code, id });
  }
  const messages = read.map(({ message }) => message);
  return Array.isArray(json) ? messages : messages[0];
}

/** Whether a body begins with the message that opens a session. */
export function opensSession(body: unknown): boolean {
  return isInitialize(messagesIn(body)[0]);
}

function messagesIn(body: unknown): readonly unknown[] {
  return Array.isArray(body) ? body : [body];
}

function isInitialize(message: unknown): boolean {
  return fieldOf(message, 'method') === 'initialize';
}

/**
 * Names both types that an answer may have, where the client takes them in another way of writing:
 * the SDK compares to the letter.
 */
export function readAccept(request: IncomingMessage): void {
  const given = (request.headers.accept ?? '*/*').toLowerCase();
  const types = given.split(',').map((type) => type.replace(/;.*$/s, '').trim());
  const takes = (type: string) => {
    const [main] = type.split('/');
    return types.some((one) => one === type || one === `${main}/*` || one === '*/*');
  };
  const accept = BOTH_TYPES.split(', ').filter(takes).join(', ');
  if (accept === '' || accept === request.headers.accept) return;
  request.headers.accept = accept;
  // The SDK's adapter reads the headers as they came.
  const raw = request.rawHeaders.flatMap((text, index, all) => {
    const isName = index % 2 === 0;
    return (isName ? text : all[index - 1])?.toLowerCase() === 'accept' ? [] : [text];
  });
  request.rawHeaders.splice(0, request.rawHeaders.length, ...raw, 'accept', accept);
}
