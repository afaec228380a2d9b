import type { IncomingMessage } from 'node:http';
import { ProtocolErrorCode } from '@modelcontextprotocol/server';
import { HttpRefusal } from './http-refusal.ts';
import { readMessages, textFault } from './messages.ts';

const MEGABYTE = 1024 * 1024;
const MAXIMUM_BODY_BYTES = MEGABYTE;
const ACCEPTED = ['application/json', 'text/event-stream'];

/** Reads the path of a request, without a trailing slash. */
export function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').replace(/\?.*$/s, '').replace(/(?<=.)\/$/, '');
}

/**
 * Reads the whole body as JSON.
 *
 * @throws {HttpRefusal} if it is too large, or not JSON.
 */
export async function readJsonBody(request: IncomingMessage): Promise<unknown> {
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new HttpRefusal(415, 'A request has the content type application/json.');
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > MAXIMUM_BODY_BYTES) {
      const limit = MAXIMUM_BODY_BYTES / MEGABYTE;
      const why = `A request may have ${limit} MB at most: pass fewer items at once.`;
      throw new HttpRefusal(413, why);
    }
    chunks.push(chunk);
  }
  const json = Buffer.concat(chunks);
  const fault = textFault(json);
  if (fault !== null) throw new HttpRefusal(400, fault, { code: ProtocolErrorCode.InvalidRequest });
  try {
    // Some clients on Windows start with a byte order mark.
    return JSON.parse(json.toString('utf8').replace(/^\uFEFF/, ''));
  } catch {
    throw new HttpRefusal(400, 'The body is not JSON.', { code: ProtocolErrorCode.ParseError });
  }
}

/**
 * Reads the messages of a body as clients mean them: one message, or a batch.
 *
 * @throws {HttpRefusal} if one of them cannot be read.
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

/**
 * Returns the accepted types in the exact form that the SDK compares with. Clients also write them in
 * capitals, with weights or wildcards, or leave the header out.
 */
export function acceptOf(request: IncomingMessage): string {
  const given = (request.headers.accept ?? '*/*').toLowerCase();
  const types = given.split(',').map((type) => type.replace(/;.*$/s, '').trim());
  const takes = (type: string) => {
    const [main] = type.split('/');
    return types.some((one) => one === type || one === `${main}/*` || one === '*/*');
  };
  return ACCEPTED.filter(takes).join(', ');
}
