/**
 * One owner: what belongs together for the server. Branches of a program that act as the same owner exclude each other
 * here, in the client, since the server lets an owner in twice.
 */

import { startTimeout } from '../message/timeout.ts';
import type { Hold } from './hold.ts';
import { LockTimeoutError } from './lock-error.ts';
import { type LockMode, type LockRequest, remainingMs } from './lock-options.ts';

/** What an owner asks of its client. */
export interface LockSource {
  /** Asks the server; resolves to null when a try-lock would have had to wait. */
  ask(owner: string, request: LockRequest): Promise<Hold | null>;
  /** Aborts, with the error for those who wait, when the client is closed. */
  readonly closing: AbortSignal;
}

/** One lock of the owner, asked for or held by one branch: the others that wait for their turn, in order of arrival. */
type Turn = Set<() => void>;

/** Whether two modes of a name are one lock. */
export function lockKey(name: string, mode: LockMode): string {
  return `${mode === 'permit' ? 'permit' : 'lock'} ${name}`;
}

/** An owner tag and the locks that are asked for or held under it. */
export class Owner {
  readonly tag: string;
  readonly #source: LockSource;
  readonly #whenUnused: () => void;
  readonly #turns = new Map<string, Turn>();

  /** `whenUnused` is called whenever nothing is asked for or held any more. */
  constructor(tag: string, source: LockSource, whenUnused: () => void) {
    this.tag = tag;
    this.#source = source;
    this.#whenUnused = whenUnused;
  }

  /** Asks for a lock once no other branch of the owner asks for it or holds it; null when a try-lock would wait. */
  async take(request: LockRequest): Promise<Hold | null> {
    const key = lockKey(request.name, request.mode);
    const other = this.#turns.get(key);
    if (other === undefined) this.#turns.set(key, new Set());
    else if (request.waitMs === 0) return null;
    else await this.#awaitTurn(other, request);
    return await this.#takeTurn(key, request);
  }

  /** Takes note of a hold that was asked for together with others. */
  keep(hold: Hold): void {
    const key = lockKey(hold.grant.name, hold.grant.mode);
    this.#turns.set(key, new Set());
    hold.whenEnded(() => this.#endTurn(key));
  }

  async #takeTurn(key: string, request: LockRequest): Promise<Hold | null> {
    let hold: Hold | null = null;
    try {
      hold = await this.#source.ask(this.tag, request);
    } finally {
      if (hold === null) this.#endTurn(key);
    }
    if (hold === null) return null;
    hold.whenEnded(() => this.#endTurn(key));
    return hold;
  }

  /** The next in the order of arrival has its turn. */
  #endTurn(key: string): void {
    const turn = this.#turns.get(key);
    if (turn === undefined) return;
    for (const next of turn) {
      next();
      return;
    }
    this.#turns.delete(key);
    if (this.#turns.size === 0) this.#whenUnused();
  }

  #awaitTurn(turn: Turn, request: LockRequest): Promise<void> {
    const { signal, waitMs, name } = request;
    const { closing } = this.#source;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      closing.throwIfAborted();
      const stop = (): void => {
        stopTimeout();
        turn.delete(next);
        signal?.removeEventListener('abort', abort);
        closing.removeEventListener('abort', close);
      };
      const fail = (error: unknown): void => {
        stop();
        reject(error);
      };
      const next = (): void => {
        stop();
        resolve();
      };
      const abort = (): void => fail(signal?.reason);
      const close = (): void => fail(closing.reason);
      const stopTimeout = startTimeout(remainingMs(request), () => {
        const text = `the lock ${JSON.stringify(name)} was not granted within ${waitMs} ms`;
        fail(new LockTimeoutError(`${text}: another branch of the same owner, ${this.tag}, has it`));
      });
      signal?.addEventListener('abort', abort, { once: true });
      closing.addEventListener('abort', close, { once: true });
      turn.add(next);
    });
  }
}
