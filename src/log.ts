import { maskKeys, type Secrets } from './secrets.ts';
import { cut, seenJson } from './text.ts';

/** How much is logged: nothing but faults, one line a request too, or everything. */
export const LOG_LEVELS = ['error', 'info', 'debug'] as const;

/** How much is logged. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Takes a line for people who run the server. */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** How long a field may be, in characters: a stack with its causes is shorter. */
const FIELD_LENGTH = 20_000;

/**
 * Makes the log. It goes to stderr, since stdout carries the protocol alone, a JSON object a line.
 * No field is made of a key; one that got into a text is masked, with the server's own secrets.
 * Nothing in a line is acted upon by a terminal: what is not seen is escaped.
 */
export function createLog(
  level: LogLevel,
  secrets: Secrets,
  write: (line: string) => unknown = (line) => process.stderr.write(line),
): Log {
  const limit = LOG_LEVELS.indexOf(level);
  const clean = (_name: string, value: unknown) =>
    typeof value === 'string' ? shortened(maskKeys(secrets.redact(value))) : value;
  return (lineLevel, message, fields = {}) => {
    if (LOG_LEVELS.indexOf(lineLevel) > limit) return;
    const time = new Date().toISOString();
    const line = JSON.stringify({ time, level: lineLevel, message, ...fields }, clean);
    write(`${seenJson(line)}\n`);
  };
}

function shortened(text: string): string {
  if (text.length <= FIELD_LENGTH) return text;
  return `${cut(text, FIELD_LENGTH)}… (${text.length} characters)`;
}
