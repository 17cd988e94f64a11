/** The server's clock in the hands of a test. */

import type { Clock } from '../server/clock.ts';

/** Time as the server of a test sees it. */
export interface TestClock {
  /**
   * Moves the server's time on by that many milliseconds. The wait limits and leases that end meanwhile end one after the
   * other, each at its own time, and what follows from one has come to its end before the next: answers and events have
   * reached the clients, and what the program did upon them has reached the server. Resolves when all is quiet. Calls that
   * overlap are carried out one after the other. Rejects with a `RangeError` when `ms` is no number from 0, and with an
   * `Error` when the clock is the system's.
   */
  advance(ms: number): Promise<void>;
}

/** What is due, and when. */
interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** Seconds with fractions, as the wire has them, are not exact: 2.007 of them are a little more than 2,007 milliseconds. */
const ROUNDING_MS = 1e-3;

/** A clock that stands still unless it is moved. Its time begins at 0. */
export class ManualClock implements Clock, TestClock {
  readonly #settled: () => Promise<void>;
  /** By when they are due, those of one time in the order in which they were started. */
  readonly #timers: Timer[] = [];
  #nowMs = 0;
  #advancing: Promise<void> = Promise.resolve();

  /** `settled` resolves when nothing is on its way between the server and its clients any more. */
  constructor(settled: () => Promise<void>) {
    this.#settled = settled;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  measureMs(): number {
    return this.#nowMs;
  }

  startTimeout(delayMs: number, callback: () => void): () => void {
    if (delayMs === Number.POSITIVE_INFINITY) return () => {};
    const timer = { dueMs: this.#nowMs + delayMs, callback };
    const later = this.#timers.findIndex(({ dueMs }) => dueMs > timer.dueMs);
    this.#timers.splice(later === -1 ? this.#timers.length : later, 0, timer);
    return () => {
      const index = this.#timers.indexOf(timer);
      if (index !== -1) this.#timers.splice(index, 1);
    };
  }

  defer(callback: () => void): void {
    setImmediate(callback);
  }

  advance(ms: number): Promise<void> {
    if (!(ms >= 0 && ms < Number.POSITIVE_INFINITY)) {
      return Promise.reject(new RangeError(`ms is ${ms}; expected a number from 0`));
    }
    const advance = (): Promise<void> => this.#advance(ms);
    this.#advancing = this.#advancing.then(advance, advance);
    return this.#advancing;
  }

  async #advance(ms: number): Promise<void> {
    // What was asked before the call was asked before the time moves.
    await this.#settled();
    const endMs = this.#nowMs + ms;
    for (let timer = this.#takeDue(endMs); timer !== undefined; timer = this.#takeDue(endMs)) {
      this.#nowMs = timer.dueMs;
      timer.callback();
      await this.#settled();
    }
    this.#nowMs = Math.max(this.#nowMs, endMs);
  }

  #takeDue(endMs: number): Timer | undefined {
    const next = this.#timers[0];
    return next !== undefined && next.dueMs <= endMs + ROUNDING_MS ? this.#timers.shift() : undefined;
  }
}

/** What a test is told that wants to move the machine's own clock. */
export const UNMOVABLE_CLOCK: TestClock = {
  advance: () =>
    Promise.reject(new Error("the clock is the system's; start the server with { clock: 'manual' } to move it")),
};
