/** Bounds the time between the beginning of a message and its end, without a timer for each message. */

import { ProtocolError } from '../wire/errors.ts';
import { TurnBudget } from './scheduler.ts';
import { startTimeout } from './timeout.ts';

/** A peer began a message and did not send its end in time. */
export class LateMessageError extends ProtocolError {}

/** Receives messages from a peer. */
export interface Receiver {
  /** Whether it waits for the peer to send more. */
  readonly isIdle: boolean;
  /** Ends the connection because of what the peer did wrong. */
  breakOff(error: ProtocolError): void;
}

/** A message may take up to a twelfth longer than its time limit, so that one sweep serves all of them. */
const SWEEPS_A_TIMEOUT = 12;

/** The connections of a server on which a message has begun that is not whole. */
export class BegunMessages {
  readonly #error: LateMessageError;
  readonly #periodMs: number;
  /**
   * How many sweeps each has seen. Counting sweeps rather than milliseconds is fair to all after the server itself was
   * stopped for a while: it makes up for none of the sweeps that it missed.
   */
  readonly #sweepCounts = new Map<Receiver, number>();
  /** Thousands may be late at once, and ending them must not keep the others waiting. */
  readonly #ends = new TurnBudget();
  #state: 'resting' | 'sweeping' = 'resting';

  /** `timeoutMs` is how many milliseconds a message may take. */
  constructor(timeoutMs: number) {
    this.#error = new LateMessageError('limit', `a message did not end within messageTimeoutMs, ${timeoutMs}`);
    this.#periodMs = timeoutMs / SWEEPS_A_TIMEOUT;
  }

  /** A message has begun. */
  add(receiver: Receiver): void {
    this.#sweepCounts.set(receiver, 0);
    if (this.#state === 'resting') this.#sweepLater();
  }

  /** The message is whole, or will never be. */
  delete(receiver: Receiver): void {
    this.#sweepCounts.delete(receiver);
  }

  #sweepLater(): void {
    this.#state = 'sweeping';
    startTimeout(this.#periodMs, () => this.#sweep(), 'background');
  }

  #sweep(): void {
    const late: Receiver[] = [];
    for (const [receiver, sweepCount] of this.#sweepCounts) {
      // While the server does not read, the peer cannot send the end.
      if (!receiver.isIdle) continue;
      if (sweepCount < SWEEPS_A_TIMEOUT) this.#sweepCounts.set(receiver, sweepCount + 1);
      else late.push(receiver);
    }
    // The end may lie in the socket already, so read first.
    setImmediate(() => {
      for (const receiver of late) this.#ends.add(() => this.#endIfLate(receiver));
    });
    if (this.#sweepCounts.size > 0) this.#sweepLater();
    else this.#state = 'resting';
  }

  #endIfLate(receiver: Receiver): void {
    const sweepCount = this.#sweepCounts.get(receiver) ?? 0;
    if (sweepCount >= SWEEPS_A_TIMEOUT && receiver.isIdle) receiver.breakOff(this.#error);
  }
}
