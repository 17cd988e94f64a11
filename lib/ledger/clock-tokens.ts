/** Where tokens begin when nothing is known of earlier runs: at the wall clock. */

const MICROSECONDS_A_MS = 1_000;
/** How many tokens there must be above the first one: enough for a million grants a second over thirty years. */
const ROOM = 1e15;
const LATEST_POSSIBLE_MS = Math.floor((Number.MAX_SAFE_INTEGER - ROOM) / MICROSECONDS_A_MS);

/**
 * The microseconds since 1970. Tokens that begin there keep growing over restarts without being stored, unless the wall
 * clock is set back or the average exceeds a million grants a second.
 * @throws RangeError when tokens that begin there could not grow, or not be told exactly.
 */
export function tokenAt(nowMs: number): number {
  if (nowMs >= 0 && nowMs <= LATEST_POSSIBLE_MS) return microsecondsAt(nowMs);
  const range = `from ${dateOf(0)} to ${dateOf(LATEST_POSSIBLE_MS)}`;
  throw new RangeError(`the clock says ${dateOf(nowMs)}; expected a time ${range}, where tokens can begin; set it`);
}

/** The same for a time that may be any. */
export function microsecondsAt(nowMs: number): number {
  return Math.floor(nowMs * MICROSECONDS_A_MS);
}

export function dateOf(ms: number): string {
  return new Date(ms).toISOString();
}
