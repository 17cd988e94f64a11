/** The lease of one hold: renewed in time, and over for this client before it is over for the server. */

import { elapsedMs, type Moment, thisMoment } from '../message/moment.ts';
import { startTimeout } from '../message/timeout.ts';

/** A lease is renewed when this much of it has passed. */
const RENEWAL_SHARE = 1 / 3;

/** How often to check whether the lease is over: timers do not count the time while the machine sleeps. */
const LONGEST_SLEEP_UNNOTICED_MS = 1_000;

/** The hold that has the lease. */
interface LeaseEvents {
  /** Asks the server to start the lease anew; resolves to whether it was still running. */
  renew(): Promise<boolean>;
  /** The lease is over. */
  over(): void;
}

/**
 * Counts from the moment when the request or the last answered renewal was *sent*: the server began to count later, so it
 * never frees the lock before this client knows.
 */
export class Lease {
  /** Resolves once the lease is known to run. */
  readonly confirmed: Promise<void>;
  readonly #leaseMs: number;
  readonly #events: LeaseEvents;
  /** From where the lease is counted. */
  #begin: Moment;
  #state: 'running' | 'ended' = 'running';
  #confirm: () => void = () => {};
  #stopRenewal: () => void = () => {};
  #stopEnd: () => void = () => {};

  constructor(leaseMs: number, sent: Moment, events: LeaseEvents) {
    this.#leaseMs = leaseMs;
    this.#events = events;
    this.#begin = sent;
    this.confirmed = new Promise((resolve) => {
      this.#confirm = resolve;
    });
    if (elapsedMs(sent) < leaseMs * RENEWAL_SHARE) {
      this.#confirm();
    } else {
      // The request waited for long, and the lease began at the grant, at an unknown time. A renewal makes that known.
      this.#begin = thisMoment();
    }
    this.#watchEnd();
    this.#renewAfter(sent);
  }

  /** Whether it is over, even if its timer has not run yet, as after a pause of the process. */
  get isOver(): boolean {
    return this.leftMs === 0;
  }

  /** Milliseconds until it is over, 0 when it is. */
  get leftMs(): number {
    return Math.max(0, this.#leaseMs - elapsedMs(this.#begin));
  }

  stop(): void {
    this.#state = 'ended';
    this.#stopRenewal();
    this.#stopEnd();
    this.#confirm();
  }

  #watchEnd(): void {
    this.#stopEnd();
    const look = (): void => (this.isOver ? this.#end() : this.#watchEnd());
    // The connection keeps the process alive; these need not.
    this.#stopEnd = startTimeout(Math.min(this.leftMs, LONGEST_SLEEP_UNNOTICED_MS), look, 'background');
  }

  #renewAfter(sent: Moment): void {
    const delayMs = Math.max(0, this.#leaseMs * RENEWAL_SHARE - elapsedMs(sent));
    this.#stopRenewal = startTimeout(delayMs, () => this.#renew(), 'background');
  }

  #renew(): void {
    // After a pause of the process the lease may be over, and the lock another's.
    if (this.isOver) {
      this.#end();
      return;
    }
    const sent = thisMoment();
    this.#events.renew().then(
      (isRunning) => {
        if (!isRunning || this.isOver) this.#end();
        if (this.#state === 'ended') return;
        this.#begin = sent;
        this.#confirm();
        this.#watchEnd();
        this.#renewAfter(sent);
      },
      // Refused by a limit, for example. If that goes on, the timer ends the lease; without a connection the hold is lost.
      () => {
        if (this.#state === 'running') this.#renewAfter(sent);
      },
    );
  }

  #end(): void {
    if (this.#state === 'ended') return;
    this.stop();
    this.#events.over();
  }
}
