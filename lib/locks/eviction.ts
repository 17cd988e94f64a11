/** The end of all holds of a lock, by somebody else. */

import type { LockBook } from './lock-book.ts';
import { stepsFor } from './steps.ts';
import type { Lock, Rest } from './types.ts';

/**
 * All holders lose a lock in one step: a new lock takes its place, with the same queue. Then the holders are told, perhaps in
 * slices, since they may be hundreds of thousands.
 */
export class Eviction implements Rest {
  /** How many hold the lock. */
  readonly count: number;
  /** The lock with that name from now on. */
  readonly successor: Lock;
  readonly #book: LockBook;
  readonly #lock: Lock;
  readonly #reason: 'stolen' | 'forced';

  constructor(book: LockBook, lock: Lock, reason: 'stolen' | 'forced') {
    this.count = lock.holderCount;
    this.successor = book.replaceLock(lock);
    this.#book = book;
    this.#lock = lock;
    this.#reason = reason;
  }

  get isOver(): boolean {
    return this.#lock.firstHolder === undefined;
  }

  /** Goes on until so many steps are taken, or all is done. The caller lets waiters in. */
  advance(maxSteps: number): void {
    let left = maxSteps;
    for (let { firstHolder: claim } = this.#lock; claim !== undefined && left > 0; claim = this.#lock.firstHolder) {
      left -= stepsFor(claim);
      this.#book.takeAway(claim, this.#reason);
    }
  }
}
