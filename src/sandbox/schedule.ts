type Step = { at: number; run: (at: number) => void };

/** The coming steps, in order. There are no timers: due steps run when someone asks for the state. */
export class Schedule {
  readonly #steps: Step[] = [];

  /** Adds a step behind those due at the same time. It receives the time at which it was due. */
  add(at: number, run: Step['run']): void {
    const after = this.#steps.findLastIndex((step) => step.at <= at);
    this.#steps.splice(after + 1, 0, { at, run });
  }

  /** Runs the steps that are due, in order. */
  advance(now: number): void {
    for (let step = this.#steps[0]; step && step.at <= now; step = this.#steps[0]) {
      this.#steps.shift();
      step.run(step.at);
    }
  }
}

/** Milliseconds until a job starts, and from its start until its end. */
type JobTimes = { pendingMs: number; workingMs: number };

/** The scripted times, or else the settings' times, varied by the source's URL or ID. */
export function jobTimes(script: Partial<JobTimes>, settings: JobTimes, url: string): JobTimes {
  return {
    pendingMs: script.pendingMs ?? varied(settings.pendingMs, `pending ${url}`),
    workingMs: script.workingMs ?? varied(settings.workingMs, `working ${url}`),
  };
}

/** A time varied by up to half, by a hash (FNV-1a) of the text. */
function varied(milliseconds: number, text: string): number {
  let hash = 0x811c9dc5;
  for (const character of text) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return Math.round(milliseconds * (0.5 + (hash >>> 0) / 2 ** 32));
}
