import { type ServerResponse, STATUS_CODES } from 'node:http';

/** An answer of the API, before it is written. */
export type ApiAnswer = {
  /** HTTP status. */
  status: number;
  /** The value that becomes the JSON body. */
  body: unknown;
};

/** The API's error envelope. */
export function errorAnswer(status: number, message: string | string[]): ApiAnswer {
  return { status, body: { statusCode: status, message, error: STATUS_CODES[status] ?? 'Error' } };
}

/** Writes the answer as JSON, unless the client has gone. */
export function sendAnswer(
  response: ServerResponse,
  { status, body }: ApiAnswer,
  headers: Record<string, string> = {},
): void {
  if (response.destroyed) return;
  const text = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { ...jsonHeaders(text), ...headers }).end(text);
}

/** The headers of a JSON body. */
export function jsonHeaders(text: Buffer): Record<string, string | number> {
  return { 'content-type': 'application/json; charset=utf-8', 'content-length': text.length };
}
