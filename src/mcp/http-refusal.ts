import type { IncomingMessage, ServerResponse } from 'node:http';

/** JSON-RPC's code for an error that only its message explains. */
const SERVER_ERROR = -32000;

/** Parts of a refusal besides its status and message. */
interface RefusalDetails {
  /** The JSON-RPC error code. */
  readonly code?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** The ID of the message at fault, if known. */
  readonly id?: string | number | undefined;
  /** The reason for the log that a token was refused, without any part of the token. */
  readonly reason?: string | undefined;
}

/** A request that is refused with an HTTP status. */
export class HttpRefusal extends Error {
  readonly status: number;
  readonly details: RefusalDetails;

  constructor(status: number, message: string, details: RefusalDetails = {}) {
    super(message);
    this.status = status;
    this.details = details;
  }
}

/** Answers a refused request with a JSON-RPC error. */
export function answerRefusal(
  request: IncomingMessage,
  response: ServerResponse,
  { status, message, details: { code = SERVER_ERROR, headers = {}, id } }: HttpRefusal,
): void {
  // The unread rest of the body must not be taken for the next request.
  if (!request.complete) response.setHeader('connection', 'close');
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  answerJson(response, status, { jsonrpc: '2.0', error: { code, message }, id: id ?? null });
}

/** Answers with JSON. */
export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
