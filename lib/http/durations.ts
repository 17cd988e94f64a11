/** How long waits and holds last, counted in buckets. It is told of every grant, so it does almost nothing. */

import type { LockObserver, ObservedClaim } from '../server/lock-observer.ts';

/** The upper bounds of the buckets, in milliseconds; the last bucket has none. */
const BOUNDS_MS = [1, 5, 10, 50, 100, 500, 1_000, 5_000, 10_000, 60_000, 300_000, 3_600_000];
const MS_A_SECOND = 1_000;

/** Counts durations. */
class Histogram {
  readonly #counts = new Array<number>(BOUNDS_MS.length + 1).fill(0);
  #sumMs = 0;

  add(durationMs: number): void {
    let index = 0;
    while (index < BOUNDS_MS.length && durationMs > (BOUNDS_MS[index] as number)) index += 1;
    this.#counts[index] = (this.#counts[index] as number) + 1;
    this.#sumMs += durationMs;
  }

  /** In the format of Prometheus, where each bucket counts those below it too. */
  text(name: string, help: string): string {
    const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
    let count = 0;
    for (const [index, inBucket] of this.#counts.entries()) {
      count += inBucket;
      const boundMs = BOUNDS_MS[index];
      lines.push(`${name}_bucket{le="${boundMs === undefined ? '+Inf' : boundMs / MS_A_SECOND}"} ${count}`);
    }
    lines.push(`${name}_sum ${this.#sumMs / MS_A_SECOND}`, `${name}_count ${count}`);
    return `${lines.join('\n')}\n`;
  }
}

/** The waits that ended with a grant, and the holds that have ended. */
export class Durations implements LockObserver {
  readonly #waits = new Histogram();
  readonly #holds = new Histogram();

  granted({ waitedMs }: ObservedClaim): void {
    this.#waits.add(waitedMs ?? 0);
  }

  ended({ sinceMs }: ObservedClaim, _how: unknown, nowMs: number): void {
    this.#holds.add(Math.max(0, nowMs - sinceMs));
  }

  /** Both histograms in the format of Prometheus. */
  text(): string {
    return (
      this.#waits.text('holdfast_wait_seconds', 'How long granted requests waited; 0 where they did not.') +
      this.#holds.text('holdfast_hold_seconds', 'How long holds lasted that have ended.')
    );
  }
}
