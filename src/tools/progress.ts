import { setTimeout as sleep } from 'node:timers/promises';
import { now } from '../clock.ts';
import type { WaitProgress } from '../engine/wait.ts';
import { plural } from '../text.ts';

/** The content of a progress notification. */
export interface ProgressUpdate {
  /** The progress, which strictly increases. */
  readonly progress: number;
  /** The total, fixed once it is known, and only reached at the end of the call. */
  readonly total?: number;
  /** A sentence for a person. */
  readonly message: string;
}

/** The progress of a call. */
interface CallProgress {
  readonly describe: (seconds: number) => string;
  readonly done: number;
  /** Undefined while it is unknown. */
  readonly total: number | undefined;
}

/** Interval of the heartbeat: some clients give up on a silent call after a few seconds. */
const HEARTBEAT_MS = 4_000;
/** Time in which even a busy client has read what it was sent. */
const READ_WITHIN_MS = 50;
/** Step by which a heartbeat moves the bar towards the next finished item. */
const HEARTBEAT_STEP = 0.01;

/**
 * Turns the state of a wait into progress notifications: one whenever something changes, and one
 * every few seconds while nothing does.
 */
export class ProgressReporter {
  readonly #send: (update: ProgressUpdate) => void;
  readonly #startedAt = now();
  #heartbeat: NodeJS.Timeout | undefined;
  #latest: CallProgress | undefined;
  #latestKey = '';
  #progress = 0;
  /** When the last notification was sent, by `now()`; null before the first. */
  #sentAt: number | null = null;

  constructor(send: (update: ProgressUpdate) => void) {
    this.#send = send;
  }

  /** Reports a task before the number of items is known. */
  begin(task: string): void {
    this.#take({ describe: (seconds) => `${task}, ${seconds} s`, done: 0, total: undefined }, task);
  }

  /** Takes the newest state, and reports it if it differs from the last one. */
  update(latest: WaitProgress): void {
    const { total, completed, failed } = latest;
    const key = JSON.stringify({ ...latest, trouble: latest.trouble !== null });
    const done = completed + failed;
    this.#take({ describe: (seconds) => describe(latest, seconds), done, total }, key);
  }

  /** Reports that Fini's limit keeps the next request waiting, until there is other news. */
  paused(seconds: number): void {
    const until = now() + seconds * 1000;
    const describe = () => {
      const left = Math.max(1, Math.ceil((until - now()) / 1000));
      return `Fini allows 100 requests a minute; continuing in ${left} s`;
    };
    const { done = 0, total } = this.#latest ?? {};
    this.#take({ describe, done, total }, `paused until ${until}`);
  }

  /** Stops the heartbeat. If everything has ended, a last notification reaches the total. */
  end(allEnded: boolean): void {
    clearInterval(this.#heartbeat);
    const latest = this.#latest;
    if (allEnded && latest?.total !== undefined && this.#progress < latest.total) {
      this.#report(latest, latest.total);
    }
  }

  /**
   * Resolves once the last notification has surely been read. The SDK's clients drop a notification that
   * they read together with the answer (typescript-sdk issue 2580), so the answer must come separately.
   */
  async delivered(): Promise<void> {
    if (this.#sentAt === null) return;
    const milliseconds = this.#sentAt + READ_WITHIN_MS - now();
    if (milliseconds > 0) await sleep(milliseconds);
  }

  #take(latest: CallProgress, key: string): void {
    this.#latest = latest;
    if (key === this.#latestKey) return;
    this.#latestKey = key;
    this.#beat();
    this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS);
  }

  #beat(): void {
    const latest = this.#latest;
    if (latest === undefined) return;
    const { done, total } = latest;
    // The last step belongs to the end of the call.
    if (total !== undefined && done >= total) return;
    const nextItem = Math.max(done, Math.floor(this.#progress)) + 1;
    const ceiling = Math.min(nextItem, total ?? nextItem);
    const next = done > this.#progress ? done : undefined;
    this.#report(latest, next ?? this.#progress + (ceiling - this.#progress) * HEARTBEAT_STEP);
  }

  #report({ describe, total }: CallProgress, progress: number): void {
    if (progress <= this.#progress) return;
    this.#progress = progress;
    this.#sentAt = now();
    const seconds = Math.round((now() - this.#startedAt) / 1000);
    const message = describe(seconds);
    this.#send(total === undefined ? { progress, message } : { progress, total, message });
  }
}

function describe(latest: WaitProgress, seconds: number): string {
  const { total, completed, failed, inProgress, phase, trouble } = latest;
  if (phase === 'checking')
    return `Checking ${plural(total, 'item')} for running jobs, ${seconds} s`;
  if (phase === 'queueing') return `Queueing ${plural(total, 'item')} in Fini, ${seconds} s`;
  const parts = [`${completed + failed} of ${total} done`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (inProgress > 0) parts.push(`${inProgress} in progress`);
  if (trouble !== null) parts.push('Fini is not responding, trying again');
  return `${parts.join(', ')}, ${seconds} s`;
}
