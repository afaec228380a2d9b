/**
 * Milliseconds by a clock that never goes back. Only differences mean something: it starts at any
 * time, and another process has another one.
 */
export function now(): number {
  return performance.now();
}
