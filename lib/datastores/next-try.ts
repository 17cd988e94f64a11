/** Decides when to ask for a lock in a datastore again. */

const MS_A_SECOND = 1_000;
const RETRY_MS = 1_000;

/**
 * How many milliseconds to wait before the next try; undefined if there is none. Tries come once a second, and a last
 * time after `seconds`. Counts the tries too, since a timer that ends early would leave a moment for one more.
 */
export function untilNextTry(seconds: number, tried: number, elapsedMs: number): number | undefined {
  const leftMs = seconds * MS_A_SECOND - elapsedMs;
  if (tried > Math.ceil(seconds) || leftMs <= 0) return undefined;
  return Math.min(leftMs, RETRY_MS);
}
