import { maskKeys, type Secrets } from './secrets.ts';
import { cut, seenJson } from './text.ts';

/** Levels of the log: only faults, one line for each request, or everything. */
export const LOG_LEVELS = ['error', 'info', 'debug'] as const;

/** A level of the log. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Writes a line for the people who run the server. */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/** Maximum length of a field in characters; a stack with its causes is shorter. */
const FIELD_LENGTH = 20_000;

/**
 * Makes the log: one JSON object per line, on stderr, since stdout carries only the protocol. Keys and
 * the server's own secrets are masked, and characters that control a terminal are escaped.
 */
export function createLog(
  level: LogLevel,
  secrets: Secrets,
  write: (line: string) => unknown = (line) => process.stderr.write(line),
): Log {
  const limit = LOG_LEVELS.indexOf(level);
  const clean = (_name: string, value: unknown) =>
    typeof value === 'string' ? shortenedField(maskKeys(secrets.redact(value))) : value;
  return (lineLevel, message, fields = {}) => {
    if (LOG_LEVELS.indexOf(lineLevel) > limit) return;
    const time = new Date().toISOString();
    const line = JSON.stringify({ time, level: lineLevel, message, ...fields }, clean);
    write(`${seenJson(line)}\n`);
  };
}

function shortenedField(text: string): string {
  if (text.length <= FIELD_LENGTH) return text;
  return `${cut(text, FIELD_LENGTH)}… (${text.length} characters)`;
}
