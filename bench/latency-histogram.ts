/** Counts of how long things took, in steps of 1.6 % and without an allocation for each. */

const STEPS = 64;
const POWERS = 40;
const NANOSECONDS_A_MILLISECOND = 1e6;
const MICROSECONDS_A_MILLISECOND = 1_000;

/** What a histogram comes to, in microseconds. */
export interface LatencySummary {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** Adds up durations; tells the quantiles. */
export class LatencyHistogram {
  readonly #counts: Uint32Array = new Uint32Array(STEPS * POWERS);
  #total = 0;
  #maxMs = 0;

  add(durationMs: number): void {
    const nanoseconds = Math.max(0, Math.round(durationMs * NANOSECONDS_A_MILLISECOND));
    this.#total += 1;
    if (durationMs > this.#maxMs) this.#maxMs = durationMs;
    const index = indexOf(nanoseconds);
    this.#counts[index] = (this.#counts[index] as number) + 1;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#total = 0;
    this.#maxMs = 0;
  }

  summarize(): LatencySummary {
    return {
      count: this.#total,
      p50: this.#quantile(0.5),
      p99: this.#quantile(0.99),
      p999: this.#quantile(0.999),
      max: this.#maxMs * MICROSECONDS_A_MILLISECOND,
    };
  }

  /** In microseconds; the lower end of the step that it lies in. */
  #quantile(share: number): number {
    const wanted = Math.floor(this.#total * share);
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (seen > wanted) return lowerEnd(index) / MICROSECONDS_A_MILLISECOND;
    }
    return this.#maxMs * MICROSECONDS_A_MILLISECOND;
  }
}

/** Up to 63 ns each has a step of its own, then each doubling has 32 of them. */
function indexOf(nanoseconds: number): number {
  if (nanoseconds < STEPS) return nanoseconds;
  const power = Math.floor(Math.log2(nanoseconds)) - 5;
  const index = (power * STEPS) / 2 + Math.floor(nanoseconds / 2 ** power);
  return Math.min(index, STEPS * POWERS - 1);
}

function lowerEnd(index: number): number {
  if (index < STEPS) return index;
  const power = Math.floor(index / (STEPS / 2)) - 1;
  return (index - (power * STEPS) / 2) * 2 ** power;
}
