import { counted } from '../bounded.ts';
import type { WaitProgress } from '../ingestion/ingestion.ts';

/** What a progress notification says. */
export interface ProgressUpdate {
  /** Strictly increases. */
  readonly progress: number;
  /** Fixed for the whole call, and only reached at its end. */
  readonly total: number;
  /** A sentence for a person. */
  readonly message: string;
}

/** Clients take silence for death, many after a few seconds; this keeps below five. */
const HEARTBEAT_MS = 4_000;
/** How far a heart-beat moves the bar towards the next finished item. */
const HEARTBEAT_STEP = 0.01;

/**
 * Turns the state of a wait into progress notifications: one whenever something changes, and one
 * every few seconds while nothing does.
 */
export class ProgressReporter {
  readonly #send: (update: ProgressUpdate) => void;
  readonly #startedAt = performance.now();
  #heartbeat: NodeJS.Timeout | undefined;
  #latest: WaitProgress | undefined;
  #latestKey = '';
  #progress = 0;
  #sent = false;

  constructor(send: (update: ProgressUpdate) => void) {
    this.#send = send;
  }

  /** Whether any notification has gone out. */
  get hasReported(): boolean {
    return this.#sent;
  }

  /** Takes the newest state, and tells of it where it differs from the last one told. */
  update(latest: WaitProgress): void {
    this.#latest = latest;
    const key = JSON.stringify({ ...latest, trouble: latest.trouble !== null });
    if (key === this.#latestKey) return;
    this.#latestKey = key;
    this.#beat();
    this.#heartbeat ??= setInterval(() => this.#beat(), HEARTBEAT_MS);
  }

  /** Ends the heart-beat; where everything has ended, a last notification reaches the total. */
  end(allEnded: boolean): void {
    clearInterval(this.#heartbeat);
    const latest = this.#latest;
    if (allEnded && latest !== undefined && this.#progress < latest.total) {
      this.#tell(latest, latest.total);
    }
  }

  #beat(): void {
    const latest = this.#latest;
    if (latest === undefined) return;
    const done = latest.completed + latest.failed;
    // Nothing is left to wait for: the last step belongs to the end of the call.
    if (done >= latest.total) return;
    const ceiling = Math.min(Math.max(done, Math.floor(this.#progress)) + 1, latest.total);
    const next = done > this.#progress ? done : undefined;
    this.#tell(latest, next ?? this.#progress + (ceiling - this.#progress) * HEARTBEAT_STEP);
  }

  #tell(latest: WaitProgress, progress: number): void {
    if (progress <= this.#progress) return;
    this.#progress = progress;
    this.#sent = true;
    const seconds = Math.round((performance.now() - this.#startedAt) / 1000);
    this.#send({ progress, total: latest.total, message: describe(latest, seconds) });
  }
}

function describe(latest: WaitProgress, seconds: number): string {
  const { total, completed, failed, inProgress, phase, trouble } = latest;
  if (phase === 'checking')
    return `Checking which of ${counted(total, 'item')} are being ingested already, ${seconds} s`;
  if (phase === 'queueing') return `Queueing ${counted(total, 'item')} at Fini, ${seconds} s`;
  const parts = [`${completed + failed} of ${total} done`];
  if (failed > 0) parts.push(`${failed} failed`);
  if (inProgress > 0) parts.push(`${inProgress} in progress`);
  if (trouble !== null) parts.push('Fini does not answer at the moment, trying again');
  return `${parts.join(', ')}, ${seconds} s`;
}
