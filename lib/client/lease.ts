/** The lease of one hold: renewed in time, and over for this client before it is over for the server. */

import { startTimeout } from '../message/timeout.ts';

/** A lease is renewed when this much of it has passed. */
const RENEWAL_SHARE = 1 / 3;

/** What a lease needs of its hold. */
export interface LeaseEvents {
  /** Asks the server to start the lease anew; resolves to whether it was still running. */
  renew(): Promise<boolean>;
  /** The lease is over. */
  over(): void;
}

/**
 * Counts from the time at which the request or the last answered renewal was *sent*: the server began to count later, so
 * that it never frees the lock before this client knows. Times are those of `performance.now()`.
 */
export class Lease {
  /** Resolves once the lease is known to run. */
  readonly confirmed: Promise<void>;
  readonly #leaseMs: number;
  readonly #events: LeaseEvents;
  #endMs: number;
  #state: 'running' | 'ended' = 'running';
  #confirm: () => void = () => {};
  #stopRenewal: () => void = () => {};
  #stopEnd: () => void = () => {};

  constructor(leaseMs: number, sentMs: number, events: LeaseEvents) {
    this.#leaseMs = leaseMs;
    this.#events = events;
    this.confirmed = new Promise((resolve) => {
      this.#confirm = resolve;
    });
    const nowMs = performance.now();
    this.#endMs = sentMs + leaseMs;
    if (nowMs < sentMs + leaseMs * RENEWAL_SHARE) {
      this.#confirm();
    } else {
      // The request waited for so long that little or nothing is left. When the server began to count is not known: a
      // renewal tells.
      this.#endMs = nowMs + leaseMs;
    }
    this.#arm(sentMs);
  }

  /** Whether it is over by now, even if no timer has had the time to say so, as after a pause of the whole process. */
  get isOver(): boolean {
    return this.leftMs === 0;
  }

  /** Milliseconds until it is over, 0 when it is. */
  get leftMs(): number {
    return Math.max(0, this.#endMs - performance.now());
  }

  stop(): void {
    this.#state = 'ended';
    this.#stopRenewal();
    this.#stopEnd();
    this.#confirm();
  }

  #arm(sentMs: number): void {
    const nowMs = performance.now();
    this.#stopEnd();
    // The connection keeps the process alive; these need not.
    this.#stopEnd = startTimeout(Math.max(0, this.#endMs - nowMs), () => this.#end(), 'background');
    this.#renewAt(sentMs + this.#leaseMs * RENEWAL_SHARE);
  }

  #renewAt(renewalMs: number): void {
    const delayMs = Math.max(0, renewalMs - performance.now());
    this.#stopRenewal = startTimeout(delayMs, () => this.#renew(), 'background');
  }

  #renew(): void {
    // After a pause of the process this may be long due, and the lock another's.
    if (this.isOver) {
      this.#end();
      return;
    }
    const sentMs = performance.now();
    this.#events.renew().then(
      (isRunning) => {
        if (!isRunning || this.isOver) this.#end();
        if (this.#state === 'ended') return;
        this.#endMs = sentMs + this.#leaseMs;
        this.#confirm();
        this.#arm(sentMs);
      },
      // Refused by a limit, say. Should that go on, the lease ends by its timer; without a connection the hold is lost.
      () => {
        if (this.#state === 'running') this.#renewAt(sentMs + this.#leaseMs * RENEWAL_SHARE);
      },
    );
  }

  #end(): void {
    if (this.#state === 'ended') return;
    this.stop();
    this.#events.over();
  }
}
