/** How holds of a session ended, for a client that has not heard of it and comes back. */

import type { LossReason, LostToken } from '../protocol.ts';

/** A client with a connection hears of each loss, unless the connection is just being lost: so the last ones are enough. */
const MAX_NOTED_WHILE_CONNECTED = 100;

export class LossReasons {
  readonly #reasons = new Map<number, LossReason>();

  /** Without a connection a session gets few new holds, so all of them are noted. */
  note({ token, reason }: LostToken, isConnected: boolean): void {
    this.#reasons.set(token, reason);
    if (isConnected) this.#forgetOldest();
  }

  /** The client has these in mind and does not hold them any more. They are noted on, since the answer may be lost. */
  tell(tokens: readonly number[]): readonly LostToken[] {
    const told = this.describe(tokens);
    const known = told.filter(({ token }) => this.#reasons.has(token));
    this.#reasons.clear();
    this.add(known);
    this.#forgetOldest();
    return told;
  }

  describe(tokens: readonly number[]): readonly LostToken[] {
    return tokens.map((token) => ({ token, reason: this.#reasons.get(token) ?? 'forced' }));
  }

  add(losses: readonly LostToken[]): void {
    for (const { token, reason } of losses) this.#reasons.set(token, reason);
  }

  all(): readonly LostToken[] {
    return [...this.#reasons].map(([token, reason]) => ({ token, reason }));
  }

  #forgetOldest(): void {
    for (const token of this.#reasons.keys()) {
      if (this.#reasons.size <= MAX_NOTED_WHILE_CONNECTED) return;
      this.#reasons.delete(token);
    }
  }
}
