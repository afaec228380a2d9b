import { setMaxListeners } from 'node:events';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Budget, type Turn } from '../../src/fini/budget.ts';
import type { Pause } from '../../src/fini/deadline.ts';
import { FiniError } from '../../src/fini/errors.ts';
import { eventually } from '../harness.ts';

/* Order and timing of requests within the limit. A window of 300 ms stands for Fini's minute. */

const WINDOW_MS = 300;
const operation = 'list sources';
const CALL: Turn = { operation };
const POLL: Turn = { operation, priority: 'poll' };

/** Takes this many turns at once, all of which are free, and ends them. */
async function use(budget: Budget, count: number, turn = CALL): Promise<void> {
  const ends = await Promise.all(Array.from({ length: count }, () => budget.take(turn)));
  for (const end of ends) end();
}

/** Asks for turns in this order, and records each name when its turn comes. */
function ask(budget: Budget, turns: readonly [name: string, turn: Turn][]) {
  const order: string[] = [];
  const all = turns.map(async ([name, turn]) => {
    const end = await budget.take(turn);
    order.push(name);
    end();
  });
  return { order, all: Promise.all(all) };
}

async function failureOf(taking: Promise<unknown>): Promise<FiniError> {
  const error = await taking.then(
    () => 'a turn',
    (reason: unknown) => reason,
  );
  if (!(error instanceof FiniError)) throw new Error(`not a FiniError: ${String(error)}`);
  return error;
}

function countTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}

const within = (milliseconds: number) => performance.now() + milliseconds;

test('in any window, whatever is asked for, no more go than the limit', async () => {
  const budget = new Budget(5, WINDOW_MS);
  const sentAt: number[] = [];
  const endedAt: number[] = [];
  const one = async (turn: Turn) => {
    const end = await budget.take(turn);
    sentAt.push(performance.now());
    await sleep(Math.random() * 40);
    endedAt.push(performance.now());
    end();
  };
  await Promise.all(Array.from({ length: 17 }, (_, index) => one(index % 3 ? CALL : POLL)));
  // However late Fini counted the first five, the sixth comes a full window later.
  const firstFive = endedAt.slice(0, 5).toSorted((a, b) => a - b);
  expect(sentAt[5]).toBeGreaterThanOrEqual((firstFive[0] ?? 0) + WINDOW_MS - 1);
  for (const [index, at] of sentAt.slice(5).entries()) {
    expect(at - (sentAt[index] ?? 0)).toBeGreaterThanOrEqual(WINDOW_MS - 1);
  }
});

test('a request under way counts for as long as it takes', async () => {
  const budget = new Budget(1, WINDOW_MS);
  const end = await budget.take(CALL);
  const { order, all } = ask(budget, [['next', CALL]]);
  await sleep(WINDOW_MS + 50);
  expect(order).toEqual([]);
  const endedAt = performance.now();
  end();
  await all;
  expect(performance.now() - endedAt).toBeGreaterThanOrEqual(WINDOW_MS - 1);
});

test('a request that ends twice is counted once', async () => {
  const budget = new Budget(2, WINDOW_MS);
  const end = await budget.take(CALL);
  end();
  end();
  await use(budget, 1);
  const startedAt = performance.now();
  await use(budget, 2);
  expect(performance.now() - startedAt).toBeGreaterThan(WINDOW_MS / 2);
});

test('calls go before polls, and each in their order', async () => {
  const budget = new Budget(3, WINDOW_MS);
  await use(budget, 3);
  const { order, all } = ask(budget, [
    ['poll 1', POLL],
    ['poll 2', POLL],
    ['call 1', CALL],
    ['call 2', CALL],
    ['call 3', CALL],
  ]);
  await all;
  expect(order).toEqual(['call 1', 'call 2', 'call 3', 'poll 1', 'poll 2']);
});

test('polls leave a third of the window to calls', async () => {
  const budget = new Budget(9, WINDOW_MS * 100);
  await use(budget, 6, POLL);
  const cancel = new AbortController();
  const polls = ask(budget, [['poll', { ...POLL, signal: cancel.signal }]]);
  await use(budget, 3);
  await setImmediate();
  expect(polls.order).toEqual([]);
  cancel.abort();
  await expect(polls.all).rejects.toThrow();
});

test('what would have to wait beyond its end fails at once and says when to come back', async () => {
  const budget = new Budget(1, 60_000);
  await use(budget, 1);
  const error = await failureOf(budget.take({ ...CALL, endsAt: within(59_000) }));
  expect(error).toMatchObject({ operation, failure: 'not_sent', surelyNotCarriedOut: true });
  expect(error.retryAfterSeconds).toBe(60);
  expect(error.message).toContain('60 s');
});

test('a poll that calls keep from its turn fails at its end', async () => {
  const budget = new Budget(1, WINDOW_MS);
  await use(budget, 1);
  const poll = failureOf(budget.take({ ...POLL, endsAt: within(WINDOW_MS + 100) }));
  // A later call takes the turn, before the poll.
  await use(budget, 1);
  expect(await poll).toMatchObject({ failure: 'not_sent' });
});

test('where one fails, the next may take its place', async () => {
  const budget = new Budget(1, WINDOW_MS);
  const end = await budget.take(CALL);
  const first = failureOf(budget.take({ ...CALL, endsAt: within(WINDOW_MS + 50) }));
  const second = budget.take({ ...CALL, endsAt: within(10_000) });
  await sleep(100);
  end();
  expect(await first).toMatchObject({ failure: 'not_sent' });
  (await second)();
});

test('the signal ends a wait at once, and before any', async () => {
  const budget = new Budget(1, 60_000);
  await use(budget, 1);
  const cancel = new AbortController();
  const taking = budget.take({ ...CALL, signal: cancel.signal });
  cancel.abort(new Error('enough'));
  await expect(taking).rejects.toThrow('enough');
  const other = new Budget(1);
  await expect(other.take({ ...CALL, signal: cancel.signal })).rejects.toThrow('enough');
  expect(other.isIdle).toBe(true);
});

test('whoever waits more than a second hears why and for how long', async () => {
  const budget = new Budget(2, 60_000);
  await use(budget, 1);
  const cancel = new AbortController();
  const pauses: Record<string, Pause[]> = { go: [], wait: [], behind: [] };
  const turn = (name: string): Turn => ({
    ...{ ...CALL, signal: cancel.signal },
    onPause: (pause) => pauses[name]?.push(pause),
  });
  const taking = ['go', 'wait', 'behind'].map((name) => budget.take(turn(name)));
  // Its turn would come in the second window, after its deadline.
  const far = failureOf(budget.take({ ...CALL, endsAt: within(100_000) }));
  expect(await far).toMatchObject({ retryAfterSeconds: 120 });
  expect(pauses).toEqual({
    go: [],
    wait: [{ reason: 'limit', seconds: 60 }],
    behind: [{ reason: 'limit', seconds: 60 }],
  });
  cancel.abort();
  await Promise.allSettled(taking);
});

test('a wait of less than a second is not told', async () => {
  const budget = new Budget(1, WINDOW_MS);
  await use(budget, 1);
  const pauses: Pause[] = [];
  (await budget.take({ ...CALL, onPause: (pause) => pauses.push(pause) }))();
  expect(pauses).toEqual([]);
});

test('after a 429 nothing is sent before its Retry-After is over, and who waits hears so', async () => {
  const budget = new Budget(10, WINDOW_MS);
  budget.refused(1);
  const refusedAt = performance.now();
  const pauses: Pause[] = [];
  const short = failureOf(budget.take({ ...CALL, endsAt: within(500) }));
  const taking = budget.take({ ...CALL, onPause: (pause) => pauses.push(pause) });
  expect(await short).toMatchObject({ failure: 'not_sent', retryAfterSeconds: 1 });
  // A turn that is already waiting waits longer after the second refusal.
  budget.refused(1.5);
  (await taking)();
  expect(performance.now() - refusedAt).toBeGreaterThanOrEqual(1_490);
  expect(pauses).toEqual([{ reason: 'limit', seconds: 2 }]);
});

test('after each 429 without a Retry-After the pause is longer, until Fini answers', async () => {
  const budget = new Budget(10, 3_000);
  const pause = async () => {
    const startedAt = performance.now();
    (await budget.take(CALL))();
    return performance.now() - startedAt;
  };
  budget.refused(undefined);
  // Requests that were already on their way are refused too.
  budget.refused(undefined);
  budget.refused(undefined);
  const first = await pause();
  expect(first).toBeGreaterThan(40);
  budget.refused(undefined);
  expect(await pause()).toBeGreaterThan(90);
  budget.refused(undefined);
  expect(await pause()).toBeGreaterThan(190);
  for (let refusals = 0; refusals < 20; refusals += 1) budget.refused(undefined);
  expect(await pause()).toBeLessThan(3_000);
  budget.accepted();
  budget.refused(undefined);
  expect(budget.isIdle).toBe(false);
  const error = await failureOf(budget.take({ ...CALL, endsAt: within(10) }));
  expect(error).toMatchObject({ failure: 'not_sent', retryAfterSeconds: 1 });
});

test('no timer is left when nobody waits', async () => {
  const timersBefore = countTimers();
  const budget = new Budget(2, WINDOW_MS);
  await use(budget, 2);
  expect(countTimers()).toBe(timersBefore);
  const cancel = new AbortController();
  const cancelled = budget.take({ ...CALL, signal: cancel.signal }).catch(() => undefined);
  const polls = ask(budget, [['poll', POLL]]);
  expect(countTimers()).toBe(timersBefore + 1);
  cancel.abort();
  const alone = new AbortController();
  const other = new Budget(1, 60_000);
  await use(other, 1);
  const last = other.take({ ...CALL, signal: alone.signal }).catch(() => undefined);
  const timersWaiting = countTimers();
  alone.abort();
  expect(countTimers()).toBe(timersWaiting - 1);
  await last;
  await Promise.all([cancelled, polls.all]);
  // The test runner's own timers end meanwhile.
  const timersAfter = countTimers();
  expect(timersAfter).toBeLessThanOrEqual(timersBefore);
  budget.refused(30);
  expect(countTimers()).toBe(timersAfter);
});

test('a budget is idle once nothing counts any more', async () => {
  const budget = new Budget(2, WINDOW_MS);
  expect(budget.isIdle).toBe(true);
  const end = await budget.take(CALL);
  expect(budget.isIdle).toBe(false);
  end();
  expect(budget.isIdle).toBe(false);
  await eventually(() => expect(budget.isIdle).toBe(true));
});

test('thousands that wait cost little', async () => {
  const budget = new Budget(1, 60_000);
  await use(budget, 1);
  const cancel = new AbortController();
  setMaxListeners(0, cancel.signal);
  const startedAt = performance.now();
  const taking = Array.from({ length: 2_000 }, () =>
    budget.take({ ...POLL, signal: cancel.signal }),
  );
  cancel.abort();
  await Promise.allSettled(taking);
  expect(performance.now() - startedAt).toBeLessThan(5_000);
});
