/**
 * Decides when the server stops reading from a peer (a result is pending, the peer does not read, or others wait), and which
 * slow reader is cut off when all peers together have too much unread. One that has too much by itself, `hardOutputBytes`, is
 * cut off by `MessageConnection.send`.
 */

import type { MessageConnection, ReadingPolicy, Wait } from './message-connection.ts';
import { type PartialLimits, PartialMessages } from './partial-messages.ts';
import type { PendingResult } from './pending-result.ts';
import { TurnBudget } from './scheduler.ts';

/** How many messages are given out between two looks whether others should have their turn. */
const MESSAGES_A_LOOK = 32;

/** A larger input may hold very many messages, so it waits when the budget of the turn is used up. */
const MAX_SMALL_BYTES = 512;

/**
 * Of a smaller input so many messages never wait. Nearly all inputs have one, and the question comes once more behind the last
 * message, so most never need to look at the clock.
 */
const MESSAGES_AT_ONCE = 2;

/** Reading the clock costs as much as a short request, so of the further ones only every eighth does. */
const SMALL_MESSAGES_A_LOOK = 8;

/** How much of a turn is spent on many messages that came together, of all peers. */
const BATCHES_BUDGET_MS = 2;

/** How much of a turn is spent on what follows from the ends of peers. Thousands of them may go in one turn. */
const ENDS_BUDGET_MS = 1;

/** The budgets that all connections of a server share. Tests make them smaller. */
export interface ReadingBudgets {
  readonly batches: TurnBudget;
  /** An end never waits behind messages of others. */
  readonly ends: TurnBudget;
}

/** What a peer may do before the server stops reading from it. */
export interface ReadingLimits extends PartialLimits {
  /** Above this much unsent output no more messages of the peer are decoded. */
  readonly softOutputBytes: number;
  /**
   * Above this much unsent output of all connections no listing is made, and a connection that has more than
   * `softOutputBytes` of it is cut off when it gets more.
   */
  readonly totalOutputBytes: number;
}

/** One for all connections of a server. */
export class ServerReading implements ReadingPolicy {
  readonly partialMessages: PartialMessages;
  readonly #limits: ReadingLimits;
  /** What the peers of all connections have not read, without what is on its way as usual. */
  #unreadBytes = 0;
  readonly #batches: TurnBudget;
  readonly #ends: TurnBudget;

  constructor(limits: ReadingLimits, budgets: Partial<ReadingBudgets> = {}) {
    this.#limits = limits;
    this.partialMessages = new PartialMessages(limits);
    this.#batches = budgets.batches ?? new TurnBudget(BATCHES_BUDGET_MS);
    this.#ends = budgets.ends ?? new TurnBudget(ENDS_BUDGET_MS);
  }

  beforeMessage(
    connection: MessageConnection,
    byteCount: number,
    count: number,
    pending: PendingResult | undefined,
  ): Wait | undefined {
    if (pending !== undefined && !pending.isSettled) return (goOn) => pending.whenSettled(goOn);
    if (this.#isForLater(byteCount, count)) return (goOn) => this.#batches.add(goOn);
    if (connection.unsentBytes < this.#limits.softOutputBytes) return undefined;
    // The system may take it at once.
    connection.flush();
    return connection.unsentBytes < this.#limits.softOutputBytes ? undefined : (goOn) => connection.whenDrained(goOn);
  }

  /** Whether message `count` of an input, counted from 0, waits for a later turn. */
  #isForLater(byteCount: number, count: number): boolean {
    const isSmall = byteCount > 0 && byteCount <= MAX_SMALL_BYTES;
    if (!isSmall) return (count > 0 || byteCount > 0) && count % MESSAGES_A_LOOK === 0 && this.#batches.isUsedUp;
    if (count < MESSAGES_AT_ONCE) return false;
    if (this.#batches.isAwaited) return true;
    return count % SMALL_MESSAGES_A_LOOK === MESSAGES_AT_ONCE && this.#batches.isUsedUp;
  }

  /** Whether all connections together have more to read than the process can keep, if `furtherBytes` are added. */
  isFull(furtherBytes = 0): boolean {
    return this.#unreadBytes + furtherBytes > this.#limits.totalOutputBytes;
  }

  unreadChanged(bytes: number): void {
    this.#unreadBytes += bytes;
  }

  isTooMuch(unreadBytes: number): boolean {
    return this.isFull() && unreadBytes > this.#limits.softOutputBytes;
  }

  beforeEnd(): Wait | undefined {
    return this.#ends.isUsedUp ? (goOn) => this.#ends.add(goOn) : undefined;
  }
}
