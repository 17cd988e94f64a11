/** Long work in slices, so that no client waits for it: whatever there is of it shares one slice of each turn. */

import type { Clock } from './clock.ts';

/** How much of a turn such work takes at most, beyond the step under way. */
const SLICE_MS = 0.5;

interface Job {
  readonly step: () => boolean;
  readonly done: () => void;
}

/** Jobs take steps in turn. Work that fits into what is left of this turn's slice is done at once. */
export class SlicedWork {
  readonly #clock: Clock;
  readonly #jobs: Job[] = [];
  #sliceEndMs = 0;
  /** `resting` until the others had their turn. */
  #state: 'idle' | 'working' | 'resting' = 'idle';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Repeats a step until it says that it was the last. */
  add(step: () => boolean, done: () => void): void {
    this.#jobs.push({ step, done });
    if (this.#state === 'idle') this.#beginSlice();
    else if (this.#state === 'resting') this.#work();
  }

  #beginSlice(): void {
    this.#sliceEndMs = this.#clock.measureMs() + SLICE_MS;
    this.#clock.defer(() => {
      this.#state = 'idle';
      if (this.#jobs.length > 0) this.#beginSlice();
    });
    this.#work();
  }

  #work(): void {
    this.#state = 'working';
    while (this.#jobs.length > 0 && this.#clock.measureMs() < this.#sliceEndMs) {
      const job = this.#jobs.shift() as Job;
      if (job.step()) job.done();
      else this.#jobs.push(job);
    }
    this.#state = 'resting';
  }
}
