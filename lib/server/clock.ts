/** The lock manager's time. It is monotonic, so setting the wall clock changes nothing. */

import { type BudgetClock, budgetClock, inputTimeMs } from '../message/scheduler.ts';
import { startTimeout } from '../message/timeout.ts';

/** Reads the time and calls back later. */
export interface Clock extends BudgetClock {
  /** Milliseconds since some fixed moment. The time may stand still while one input is handled. */
  nowMs(): number;
  /** Calls back after `delayMs`. Returns a function that cancels the call. */
  startTimeout(delayMs: number, callback: () => void): () => void;
}

/** The machine's clock. */
export const systemClock: Clock = { ...budgetClock, nowMs: inputTimeMs, startTimeout };
