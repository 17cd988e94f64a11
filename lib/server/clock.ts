/** Time as the lock manager sees it: monotonic, so that a wall clock that is set decides nothing. */

import { type BudgetClock, budgetClock, inputTimeMs } from '../message/scheduler.ts';
import { startTimeout } from '../message/timeout.ts';

/** Now and later. */
export interface Clock extends BudgetClock {
  /** Milliseconds since some fixed moment. All that one input causes may happen at the same time. */
  nowMs(): number;
  /** Calls back after `delayMs`; returns a function that stops it. */
  startTimeout(delayMs: number, callback: () => void): () => void;
}

/** The clock of the machine. */
export const systemClock: Clock = { ...budgetClock, nowMs: inputTimeMs, startTimeout };
