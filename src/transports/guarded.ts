import type { Transport } from '@modelcontextprotocol/server';
import type { Secrets } from '../secrets.ts';
import { readable } from './messages.ts';

/**
 * Makes a transport over which no secret goes out, whatever brought it in, and no raw issues of a
 * validator. It is changed in place: the SDK's HTTP transports are told apart by their class.
 */
export function guarded<Guarded extends Transport>(transport: Guarded, secrets: Secrets): Guarded {
  const send = transport.send.bind(transport);
  transport.send = (message, options) => send(secrets.redactJson(readable(message)), options);
  return transport;
}
