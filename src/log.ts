import type { Secrets } from './secrets.ts';

/** How much is logged: nothing but faults, one line a request too, or everything. */
export const LOG_LEVELS = ['error', 'info', 'debug'] as const;

/** How much is logged. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Takes a line for people who run the server. */
export type Log = (level: LogLevel, message: string, fields?: Record<string, unknown>) => void;

/**
 * Makes the log. It goes to stderr, since stdout carries the protocol alone, a JSON object a line,
 * and no secret is ever in it.
 */
export function createLog(
  level: LogLevel,
  secrets: Secrets,
  write: (line: string) => unknown = (line) => process.stderr.write(line),
): Log {
  const limit = LOG_LEVELS.indexOf(level);
  return (lineLevel, message, fields = {}) => {
    if (LOG_LEVELS.indexOf(lineLevel) > limit) return;
    const time = new Date().toISOString();
    const line = JSON.stringify({ time, level: lineLevel, message, ...fields });
    write(`${secrets.redact(line)}\n`);
  };
}
