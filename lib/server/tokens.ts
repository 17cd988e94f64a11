/** The source of fencing tokens. */

import type { Logger } from '../message/logger.ts';

const MICROSECONDS_A_MS = 1_000;
/** How many tokens there must be above the first one: enough for a million grants a second over thirty years. */
const ROOM = 1e15;
const LATEST_POSSIBLE_MS = Math.floor((Number.MAX_SAFE_INTEGER - ROOM) / MICROSECONDS_A_MS);
/** A clock outside of these is certainly wrong for this version of the server, although tokens can begin there. */
const EARLIEST_PLAUSIBLE_MS = Date.UTC(2025, 0);
const LATEST_PLAUSIBLE_MS = Date.UTC(2050, 0);

/**
 * Tokens begin at the microseconds since 1970 and grow by one. They keep growing over restarts without being stored,
 * unless the wall clock is set back or the average exceeds a million grants a second.
 */
export function tokensFrom(nowMs: number): () => number {
  let token = nowMs * MICROSECONDS_A_MS;
  return () => {
    token += 1;
    return token;
  };
}

/**
 * Warns of a clock that is certainly wrong.
 * @throws RangeError when tokens that begin at its time could not grow, or not be told exactly.
 */
export function checkClock(logger: Logger, nowMs: number): void {
  const clock = dateOf(nowMs);
  if (!(nowMs >= 0 && nowMs <= LATEST_POSSIBLE_MS)) {
    const range = `from ${dateOf(0)} to ${dateOf(LATEST_POSSIBLE_MS)}`;
    throw new RangeError(`the clock says ${clock}; expected a time ${range}, where tokens can begin; set it`);
  }
  if (nowMs >= EARLIEST_PLAUSIBLE_MS && nowMs <= LATEST_PLAUSIBLE_MS) return;
  logger.warn({ clock }, `the clock says ${clock}, where tokens begin: ${consequence(nowMs)}; set it and start again`);
}

function consequence(nowMs: number): string {
  return nowMs < EARLIEST_PLAUSIBLE_MS
    ? 'they are smaller than those that were given while it was right'
    : 'once it is right, a further start gives smaller ones';
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString();
}
