/** How much time has passed, for what a client may rely on. */

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
 * sleeps. The wall clock may be set: forward, and something is over too early for the client; backward, and the monotonic
 * clock counts.
 */
export function elapsedMs({ monotonicMs, wallMs }: Moment): number {
  return Math.max(performance.now() - monotonicMs, Date.now() - wallMs);
}
