/** Time as the lock manager sees it: monotonic, so that a wall clock that is set decides nothing. */

import { startTimeout } from '../message/timeout.ts';
import { turnTimeMs } from '../message/turn.ts';

/** Now, later, and as soon as others had their turn. */
export interface Clock {
  /** Milliseconds since some fixed moment. All that one piece of input causes may happen at the same time. */
  nowMs(): number;
  /** The same, read anew each time: to tell how long work takes. */
  measureMs(): number;
  /** Calls back after `delayMs`; returns a function that stops it. */
  startTimeout(delayMs: number, callback: () => void): () => void;
  /** Calls back after the events that are waiting now. */
  defer(callback: () => void): void;
}

/** The clock of the machine. */
export const systemClock: Clock = {
  nowMs: turnTimeMs,
  measureMs: () => performance.now(),
  startTimeout,
  defer: (callback) => {
    setImmediate(callback);
  },
};
