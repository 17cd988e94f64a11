/** The server's clock, moved by a test. */

import type { Clock } from '../server/clock.ts';

/** The time of a test's server. */
export interface TestClock {
  /**
   * Moves the server's time on by that many milliseconds. Wait limits and leases that end meanwhile end one by one,
   * each at its own time. Before the next one ends, its answers and events have reached the clients, and their
   * reactions have reached the server. Resolves when all is quiet. Overlapping calls run one after the other. Rejects
   * with a `RangeError` when `ms` is not a number from 0, and with an `Error` when the clock is the system's.
   */
  advance(ms: number): Promise<void>;
}

/** A callback and the time when it is due. */
interface Timer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** The wire's fractions of seconds are not exact: 2.007 seconds are a little more than 2,007 milliseconds. */
const ROUNDING_MS = 1e-3;

/** A clock that stands still until a test moves it. Its time begins at 0. */
export class ManualClock implements Clock, TestClock {
  readonly #settled: () => Promise<void>;
  /** Sorted by due time; timers of the same time in the order in which they started. */
  readonly #timers: Timer[] = [];
  #nowMs = 0;
  #advancing: Promise<void> = Promise.resolve();

  /** `settled` resolves when nothing is in transit between the server and its clients. */
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
    // Requests from before the call must reach the server before the time moves.
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

/** Rejects, since a test cannot move the machine's own clock. */
export const UNMOVABLE_CLOCK: TestClock = {
  advance: () =>
    Promise.reject(new Error("the clock is the system's; start the server with { clock: 'manual' } to move it")),
};
