/**
 * Milliseconds by a clock that never goes back. Only differences are meaningful: the clock starts at an
 * arbitrary time, and every process has its own.
 */
export function now(): number {
  return performance.now();
}
