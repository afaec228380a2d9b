import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WaitProgress } from '../../src/engine/wait.ts';
import { ProgressReporter, type ProgressUpdate } from '../../src/tools/progress.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const waiting: WaitProgress = {
  total: 2,
  completed: 0,
  failed: 0,
  phase: 'waiting',
  inProgress: 1,
  trouble: null,
};

test('while nothing changes, at least one notification comes every 5 s, for an hour, each higher', () => {
  const sent: { at: number; update: ProgressUpdate }[] = [];
  const start = Date.now();
  const progress = new ProgressReporter((update) => sent.push({ at: Date.now() - start, update }));
  progress.update(waiting);
  progress.update({ ...waiting, completed: 1, inProgress: 0 });
  vi.advanceTimersByTime(3_600_000);
  for (const [index, { at, update }] of sent.entries()) {
    const before = sent[index - 1];
    expect(at - (before?.at ?? 0)).toBeLessThanOrEqual(5_000);
    expect(update.progress).toBeGreaterThan(before?.update.progress ?? 0);
    expect(update.progress).toBeLessThan(2);
  }
  expect(sent.at(-1)?.at).toBeGreaterThan(3_595_000);
  expect(sent.at(-1)?.update.message).toBe('1 of 2 done, 3600 s');
  progress.end(true);
  expect(sent.at(-1)?.update.progress).toBe(2);
  const count = sent.length;
  vi.advanceTimersByTime(60_000);
  expect(sent).toHaveLength(count);
});

test('a state that is the same as the one before is not told again', () => {
  const sent: ProgressUpdate[] = [];
  const progress = new ProgressReporter((update) => sent.push(update));
  progress.update(waiting);
  progress.update({ ...waiting });
  expect(sent).toHaveLength(1);
  progress.end(false);
});

test('a request that Fini’s limit keeps waiting is told of, and counts down', () => {
  const updates: ProgressUpdate[] = [];
  const reporter = new ProgressReporter((update) => updates.push(update));
  reporter.update(waiting);
  reporter.paused(8);
  vi.advanceTimersByTime(5_000);
  reporter.update({ ...waiting, completed: 1 });
  reporter.end(false);
  const messages = updates.map(({ message }) => message);
  expect(messages[1]).toBe('Fini allows 100 requests a minute; continuing in 8 s');
  expect(messages[2]).toMatch(/continuing in [1-7] s$/);
  expect(messages.at(-1)).toMatch(/^1 of 2 done/);
  for (const [index, { progress, total }] of updates.entries()) {
    expect(progress).toBeGreaterThan(updates[index - 1]?.progress ?? 0);
    expect(total).toBe(2);
  }
});
