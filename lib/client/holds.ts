/** The holds of a client's session. */

import { NumberedTable } from '../message/numbered-table.ts';
import { pause } from '../message/timeout.ts';
import type { LockLostCode } from './lock-error.ts';
import type { Hold } from './lock-handle.ts';
import { type LockCall, lockKey } from './options.ts';

/** A hold stays until the server has answered its unlock. */
export class Holds {
  readonly #table = new NumberedTable<Hold>();
  /** The same by their tokens; made when the first is lost, because keeping it for each lock doubles the cost of a lock. */
  #byToken: Map<unknown, Hold> | undefined;
  /** Aborts when the last hold has ended while the client drains. */
  #unheld: AbortController | undefined;

  get size(): number {
    return this.#table.size;
  }

  add(hold: Hold): void {
    this.#table.add(hold);
    this.#byToken?.set(hold.token, hold);
  }

  delete(hold: Hold): void {
    this.#table.delete(hold.id);
    this.#byToken?.delete(hold.token);
    if (this.#table.size === 0) this.#unheld?.abort();
  }

  /** Those that are neither lost nor unlocked. */
  wanted(): readonly Hold[] {
    return this.#table.inOrder().filter(({ isWanted }) => isWanted);
  }

  /** The first of the client's own on one of these locks. */
  find({ items }: LockCall): Hold | undefined {
    const keys = items.map(lockKey);
    return this.#table.inOrder().find((hold) => hold.isWanted && keys.includes(lockKey(hold)));
  }

  /** The first with one of these tokens. */
  findByTokens(tokens: readonly number[]): Hold | undefined {
    return this.#table.inOrder().find(({ token }) => tokens.includes(token));
  }

  /** The server has freed one. */
  lose(token: unknown, code: LockLostCode): void {
    this.#byToken ??= new Map(this.#table.inOrder().map((hold) => [hold.token, hold]));
    const hold = this.#byToken.get(token);
    if (hold?.lose(code)) this.delete(hold);
  }

  /** The server frees all of them, or has done so. */
  loseAll(code: LockLostCode): void {
    this.#byToken = undefined;
    for (const hold of this.#table.takeAll()) hold.lose(code);
    this.#unheld?.abort();
  }

  /** Resolves once there is none, or after `timeoutMs`. */
  async untilNone(timeoutMs: number): Promise<void> {
    this.#unheld = new AbortController();
    if (this.size > 0) await pause(timeoutMs, this.#unheld.signal);
  }
}
