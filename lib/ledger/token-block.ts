/** Fencing tokens out of blocks that are reserved ahead. */

import type { TokenSupply } from './ledger.ts';

/** How far above the start a claimed token may be: about twelve days of microseconds. */
const MAX_RAISE = 2 ** 40;

/** Where tokens begin, and how more are reserved. */
export interface TokenBlockOptions {
  readonly begin: number;
  /** The greatest token that may be given until `reserve` has resolved. */
  readonly reserved: number;
  /** How many tokens to reserve ahead. */
  readonly size: number;
  /** Resolves once no later run can give a token up to this one. Never rejects. */
  readonly reserve: (upTo: number) => Promise<void>;
}

export class TokenBlock implements TokenSupply {
  readonly begin: number;
  readonly #size: number;
  readonly #reserve: (upTo: number) => Promise<void>;
  #last: number;
  #reserved: number;
  /** The token at which to reserve more. Infinity while that is under way. */
  #extendAt: number;
  #reserving: Promise<void> = Promise.resolve();
  #isShort = false;
  #whenRefilled: () => void = () => {};

  constructor({ begin, reserved, size, reserve }: TokenBlockOptions) {
    this.begin = begin;
    this.#last = begin;
    this.#size = size;
    this.#reserve = reserve;
    this.#reserved = reserved;
    this.#extendAt = this.#half();
  }

  get last(): number {
    return this.#last;
  }

  get left(): number {
    return this.#reserved - this.#last;
  }

  has(count: number): boolean {
    // L1: grants wait rather than pass the reservation.
    if (this.#reserved - this.#last >= count) return true;
    this.#isShort = true;
    if (this.#extendAt !== Number.POSITIVE_INFINITY) this.#extend(count);
    return false;
  }

  next(): number {
    if (this.#last >= this.#reserved) throw new RangeError(`no token is reserved beyond ${this.#reserved}`);
    this.#last += 1;
    // L1: extended at half.
    if (this.#last >= this.#extendAt) this.#extend(0);
    return this.#last;
  }

  async raiseTo(token: number): Promise<void> {
    // L1: a claim above the reservation raises it first, within a bound.
    if (token > this.begin + MAX_RAISE) {
      throw new RangeError(`the token ${token} is too far above ${this.begin}, where the tokens of this run began`);
    }
    if (token > this.#reserved) await this.#reserveUpTo(token + this.#size);
    this.#last = Math.max(this.#last, token);
  }

  onRefill(callback: () => void): void {
    this.#whenRefilled = callback;
  }

  #half(): number {
    return this.#reserved - Math.floor(this.#size / 2);
  }

  #extend(count: number): void {
    this.#extendAt = Number.POSITIVE_INFINITY;
    void this.#reserveUpTo(this.#last + this.#size + count);
  }

  /** One reservation at a time, so that a smaller one never replaces a greater one. */
  #reserveUpTo(wanted: number): Promise<void> {
    const upTo = Math.min(wanted, Number.MAX_SAFE_INTEGER);
    this.#reserving = this.#reserving.then(async () => {
      if (upTo > this.#reserved) await this.#reserve(upTo);
      this.#reserved = Math.max(this.#reserved, upTo);
      this.#extendAt = this.#half();
      if (!this.#isShort) return;
      this.#isShort = false;
      this.#whenRefilled();
    });
    return this.#reserving;
  }
}
