/** When a lock in a datastore is asked for again. */

const MS_A_SECOND = 1_000;
const RETRY_MS = 1_000;

/**
 * How many milliseconds to wait before the next try of those within `seconds`: one each second, and the last when they are
 * over; undefined when there is none. Tries are counted, not only timed: a timer that ends early would leave a moment for
 * one more.
 */
export function untilNextTry(seconds: number, tried: number, elapsedMs: number): number | undefined {
  const leftMs = seconds * MS_A_SECOND - elapsedMs;
  if (tried > Math.ceil(seconds) || leftMs <= 0) return undefined;
  return Math.min(leftMs, RETRY_MS);
}
