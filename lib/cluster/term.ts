/** The time that a node leads. */

import { whenAborted } from '../message/abort-listeners.ts';
import type { Membership } from './membership.ts';

/** `replaced`: it must not answer any more. `resigned`: it leads until it has handed over. */
export type TermEnd = 'replaced' | 'resigned';

export class Term {
  /** Greater for each leader that follows: the create revision of its key. */
  readonly epoch: number;
  /** Aborts when the term ends, with a `TermEnd`. */
  readonly end: AbortSignal;
  readonly #membership: Membership;
  readonly #end = new AbortController();
  #isReplaced = false;

  constructor(epoch: number, membership: Membership) {
    this.epoch = epoch;
    this.#membership = membership;
    this.end = this.#end.signal;
    if (membership.end.aborted) this.replace();
    else whenAborted(membership.end, () => this.replace());
  }

  /** C1: asked before each batch of replies. */
  get isLeading(): boolean {
    return !this.#isReplaced && this.#membership.isCertain;
  }

  /** Another node leads, or may do so. */
  replace(): void {
    this.#isReplaced = true;
    this.#end.abort('replaced' satisfies TermEnd);
  }

  resign(): void {
    this.#end.abort('resigned' satisfies TermEnd);
  }
}
