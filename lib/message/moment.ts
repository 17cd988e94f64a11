/** Moments by two clocks, for those who must not think that less time has passed than has. */

/** A moment by both clocks, in milliseconds. */
export interface Moment {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/** This moment. */
export function thisMoment(): Moment {
  return { monotonicMs: performance.now(), wallMs: Date.now() };
}

/**
 * Milliseconds since a moment, by the clock that says more. On Linux the monotonic clock stands still while the machine
 * sleeps. If the wall clock is set forward, a lease ends too early for its owner; if backward, the monotonic clock counts.
 */
export function elapsedMs({ monotonicMs, wallMs }: Moment): number {
  return Math.max(performance.now() - monotonicMs, Date.now() - wallMs);
}
