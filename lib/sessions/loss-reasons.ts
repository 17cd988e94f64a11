/** How holds of a session ended, for a client that has not heard of it and comes back. */

import type { LostToken } from '../protocol.ts';

/** A client with a connection hears of each loss, unless the connection is just being lost: so the last ones are enough. */
const MAX_NOTED_WHILE_CONNECTED = 100;

export class LossReasons {
  /** By the texts of their tokens: a client may have chosen those, and the engine hashes numbers without a seed. */
  readonly #losses = new Map<string, LostToken>();

  /** Without a connection a session gets few new holds, so all of them are noted. */
  note({ token, reason }: LostToken, isConnected: boolean): void {
    this.add([{ token, reason }]);
    if (isConnected) this.#forgetOldest();
  }

  /** The client has these in mind and does not hold them any more. They are noted on, since the answer may be lost. */
  tell(tokens: readonly number[]): readonly LostToken[] {
    const told = this.describe(tokens);
    const known = told.filter(({ token }) => this.#losses.has(String(token)));
    this.#losses.clear();
    this.add(known);
    this.#forgetOldest();
    return told;
  }

  describe(tokens: readonly number[]): readonly LostToken[] {
    return tokens.map((token) => this.#losses.get(String(token)) ?? { token, reason: 'forced' });
  }

  add(losses: readonly LostToken[]): void {
    for (const loss of losses) this.#losses.set(String(loss.token), loss);
  }

  all(): readonly LostToken[] {
    return [...this.#losses.values()];
  }

  #forgetOldest(): void {
    for (const token of this.#losses.keys()) {
      if (this.#losses.size <= MAX_NOTED_WHILE_CONNECTED) return;
      this.#losses.delete(token);
    }
  }
}
