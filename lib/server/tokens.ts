/** Where tokens begin without a ledger that outlives the process: at the clock. */

import { dateOf, tokenAt } from '../ledger/clock-tokens.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { MemoryLedger } from '../ledger/memory-ledger.ts';
import type { Logger } from '../message/logger.ts';

/** A clock outside of these is certainly wrong for this version of the server, although tokens can begin there. */
const EARLIEST_PLAUSIBLE_MS = Date.UTC(2025, 0);
const LATEST_PLAUSIBLE_MS = Date.UTC(2050, 0);

/**
 * A ledger whose tokens begin now. Warns of a clock that is certainly wrong.
 * @throws RangeError when tokens that begin now could not grow, or not be told exactly.
 */
export function ledgerInMemory(logger: Logger): Ledger {
  const nowMs = Date.now();
  checkClock(logger, nowMs);
  return new MemoryLedger(tokenAt(nowMs));
}

/**
 * Warns of a clock that is certainly wrong.
 * @throws RangeError when tokens that begin at its time could not grow, or not be told exactly.
 */
export function checkClock(logger: Logger, nowMs: number): void {
  tokenAt(nowMs);
  if (nowMs >= EARLIEST_PLAUSIBLE_MS && nowMs <= LATEST_PLAUSIBLE_MS) return;
  const clock = dateOf(nowMs);
  logger.warn({ clock }, `the clock says ${clock}, where tokens begin: ${consequence(nowMs)}; set it and start again`);
}

function consequence(nowMs: number): string {
  return nowMs < EARLIEST_PLAUSIBLE_MS
    ? 'they are smaller than those that were given while it was right'
    : 'once it is right, a further start gives smaller ones';
}
