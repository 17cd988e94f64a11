/** The time that a node leads. */

import { whenAborted } from '../message/abort-listeners.ts';
import type { Membership } from './membership.ts';

/** Another node leads, or may do so. */
export class ReplacedError extends Error {
  override readonly name: string = 'ReplacedError';
}

export class Term {
  /** Greater for each leader that follows: the create revision of its key. */
  readonly epoch: number;
  /** Aborts when the term ends: because the node resigned, and leads until it has handed over, or because it was replaced. */
  readonly end: AbortSignal;
  /** C1: aborts once another node leads, or may do so. Nothing may be answered any more. */
  readonly replaced: AbortSignal;
  readonly #membership: Membership;
  readonly #end = new AbortController();
  readonly #replaced = new AbortController();
  readonly #forgetMembership: () => void;

  constructor(epoch: number, membership: Membership) {
    this.epoch = epoch;
    this.#membership = membership;
    this.end = this.#end.signal;
    this.replaced = this.#replaced.signal;
    this.#forgetMembership = whenAborted(membership.end, () => this.replace());
    if (membership.end.aborted) this.replace();
  }

  /** C1: asked before each batch of replies. */
  get isLeading(): boolean {
    return !this.replaced.aborted && this.#membership.isCertain;
  }

  /** Another node leads, or may do so. */
  replace(): void {
    this.#forgetMembership();
    this.#replaced.abort();
    this.#end.abort();
  }

  /** The node wants to hand over. */
  resign(): void {
    this.#end.abort();
  }

  /**
   * Settles as the promise does, or rejects with a `ReplacedError`. C4: the ledger of a leader that was replaced never answers, so
   * whoever waits for it must not wait for that alone.
   */
  unlessReplaced<Value>(promise: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const fail = (): void => reject(new ReplacedError('another node leads, or may do so'));
      const stop = whenAborted(this.replaced, fail);
      if (this.replaced.aborted) fail();
      void promise.finally(stop).then(resolve, reject);
    });
  }
}
