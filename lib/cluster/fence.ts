/** Until when a node may act on what etcd told it last. */

import { elapsedMs, type Moment } from '../message/moment.ts';
import { startTimeout } from '../message/timeout.ts';

const LEAST_MARGIN_MS = 500;
const MARGIN_SHARE = 1 / 10;

/** Open while the lease of the node is certain; once shut, it stays shut. */
export class Fence {
  readonly #openMs: number;
  readonly #whenShut: () => void;
  #sent: Moment;
  #state: 'open' | 'shut' = 'open';
  #stopTimeout: () => void = () => {};

  /** The lease was asked for at that moment. `whenShut` is called once. */
  constructor(leaseMs: number, sent: Moment, whenShut: () => void) {
    this.#openMs = leaseMs - Math.max(LEAST_MARGIN_MS, leaseMs * MARGIN_SHARE);
    this.#sent = sent;
    this.#whenShut = whenShut;
    this.renew(sent);
  }

  /** C1: looks at the clocks each time, since a process that was stopped runs no timer before it goes on. */
  get isOpen(): boolean {
    if (this.#state === 'open' && elapsedMs(this.#sent) >= this.#openMs) this.shut();
    return this.#state === 'open';
  }

  /** C1: a keep-alive was answered. The lease counts from when it was sent. */
  renew(sent: Moment): void {
    if (!this.isOpen) return;
    this.#sent = sent;
    this.#stopTimeout();
    this.#stopTimeout = startTimeout(Math.max(0, this.#openMs - elapsedMs(sent)), () => {
      // Timers may be a little early.
      if (this.isOpen) this.renew(this.#sent);
    });
  }

  shut(): void {
    if (this.#state === 'shut') return;
    this.#state = 'shut';
    this.#stopTimeout();
    this.#whenShut();
  }
}
