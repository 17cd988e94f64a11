/** The counts of the last hour, for plots. */

import type { Monitored } from './monitored.ts';

const PERIOD_MS = 10_000;
const MAX_SAMPLES = 360;

/** The counts at one time; what only grows is told as the difference to the sample before. */
export interface Sample {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  readonly holders: number;
  readonly waiting: number;
  readonly sessions: number;
  readonly grants: number;
  readonly losses: number;
}

interface Totals {
  readonly grants: number;
  readonly losses: number;
}

/** Takes a sample every 10 seconds and keeps 360 of them. */
export class Samples {
  readonly #monitored: () => Monitored;
  readonly #samples: Sample[] = [];
  readonly #timer: NodeJS.Timeout;
  #last: Totals | undefined;

  constructor(monitored: () => Monitored) {
    this.#monitored = monitored;
    this.#timer = setInterval(() => void this.take(), PERIOD_MS);
    this.#timer.unref();
    void this.take();
  }

  /** The oldest first. */
  all(): { readonly periodMs: number; readonly samples: readonly Sample[] } {
    return { periodMs: PERIOD_MS, samples: this.#samples };
  }

  /** Adds a sample; none while the server stands by. */
  async take(): Promise<void> {
    const monitored = this.#monitored();
    if (monitored.role === 'standby') return;
    const { holders, waiting, sessions, ...rest } = await monitored.monitor.statistics();
    const losses = rest.expiredLeases + rest.forced + rest.stolen + rest.orphans + rest.permitOrphans;
    const totals = { grants: rest.grants, losses };
    // The totals begin anew with each server that leads.
    const before = this.#last !== undefined && this.#last.grants <= totals.grants ? this.#last : totals;
    this.#last = totals;
    const difference = { grants: totals.grants - before.grants, losses: Math.max(0, losses - before.losses) };
    this.#samples.push({ atMs: Date.now(), holders, waiting, sessions, ...difference });
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }

  /** Stops the timer. */
  close(): void {
    clearInterval(this.#timer);
  }
}
