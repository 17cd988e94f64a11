/** Bounds the messages that have begun and are not whole: their time, without a timer for each, and their bytes in all. */

import { ProtocolError } from '../wire/errors.ts';
import { TurnBudget } from './scheduler.ts';
import { startTimeout } from './timeout.ts';

/** A peer began a message and did not send its end in time, or there was no room for the rest. */
export class PartialMessageError extends ProtocolError {
  /** The limit that was passed. */
  readonly limit: 'messageTimeoutMs' | 'totalInputBytes';

  constructor(limit: 'messageTimeoutMs' | 'totalInputBytes', message: string) {
    super('limit', message);
    this.limit = limit;
  }
}

/** The limits of messages that have begun. */
export interface PartialLimits {
  /** How many milliseconds may pass between the beginning of a message and its end. */
  readonly messageTimeoutMs: number;
  /** How many bytes of unfinished messages the server keeps in all. Above that it breaks off the longest. */
  readonly totalInputBytes: number;
}

/** One message that has begun. */
interface PartialMessage {
  byteCount: number;
  /**
   * Sweeps are counted, not milliseconds: a server that was stopped for a while does not catch up on sweeps, so no client
   * loses that time.
   */
  sweepCount: number;
}

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
export class PartialMessages {
  readonly #limits: PartialLimits;
  readonly #partial = new Map<Receiver, PartialMessage>();
  #byteCount = 0;
  /** Thousands may be late at once, and ending them must not keep the others waiting. */
  readonly #ends = new TurnBudget();
  #state: 'resting' | 'sweeping' = 'resting';

  constructor(limits: PartialLimits) {
    this.#limits = limits;
  }

  /** So far `byteCount` bytes have come of a message that is not whole. */
  set(receiver: Receiver, byteCount: number): void {
    const partial = this.#partial.get(receiver);
    this.#byteCount += byteCount - (partial?.byteCount ?? 0);
    if (partial === undefined) this.#partial.set(receiver, { byteCount, sweepCount: 0 });
    else partial.byteCount = byteCount;
    if (this.#byteCount > this.#limits.totalInputBytes) this.#breakOffLongest();
    if (this.#state === 'resting') this.#sweepLater();
  }

  /** The message is whole, or will never be. */
  delete(receiver: Receiver): void {
    this.#byteCount -= this.#partial.get(receiver)?.byteCount ?? 0;
    this.#partial.delete(receiver);
  }

  /** Breaks off the longest message, so that clients with short ones are left alone. */
  #breakOffLongest(): void {
    let longest: [Receiver, PartialMessage] | undefined;
    for (const entry of this.#partial) if (entry[1].byteCount > (longest?.[1].byteCount ?? 0)) longest = entry;
    const { totalInputBytes } = this.#limits;
    const text = `messages that have begun take more than totalInputBytes, ${totalInputBytes}, in all`;
    longest?.[0].breakOff(new PartialMessageError('totalInputBytes', text));
  }

  #sweepLater(): void {
    this.#state = 'sweeping';
    startTimeout(this.#limits.messageTimeoutMs / SWEEPS_A_TIMEOUT, () => this.#sweep(), 'background');
  }

  #sweep(): void {
    const late: Receiver[] = [];
    for (const [receiver, partial] of this.#partial) {
      // While the server does not read, the peer cannot send the end.
      if (!receiver.isIdle) continue;
      if (partial.sweepCount < SWEEPS_A_TIMEOUT) partial.sweepCount += 1;
      else late.push(receiver);
    }
    // The end may lie in the socket already, so read first.
    setImmediate(() => {
      for (const receiver of late) this.#ends.add(() => this.#endIfLate(receiver));
    });
    if (this.#partial.size > 0) this.#sweepLater();
    else this.#state = 'resting';
  }

  #endIfLate(receiver: Receiver): void {
    const sweepCount = this.#partial.get(receiver)?.sweepCount ?? 0;
    if (sweepCount < SWEEPS_A_TIMEOUT || !receiver.isIdle) return;
    const text = `a message did not end within messageTimeoutMs, ${this.#limits.messageTimeoutMs}`;
    receiver.breakOff(new PartialMessageError('messageTimeoutMs', text));
  }
}
