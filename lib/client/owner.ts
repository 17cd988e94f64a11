/**
 * One owner: a tag that the server sees. The server grants a lock again to the owner that holds it; so branches of a program
 * with the same owner exclude each other here, in the client.
 */

import type { NumberedTable } from '../message/numbered-table.ts';
import { show } from '../message/show.ts';
import { pause } from '../message/timeout.ts';
import type { ClientLife } from './client-life.ts';
import type { Hold } from './hold.ts';
import { LockTimeoutError } from './lock-error.ts';
import { type LockRequest, lockKey, type RequestedLock, remainingMs } from './options.ts';

/** The branches that wait for their turn at one lock, in the order of their calls: each aborts when its turn has come. */
type Queue = Set<AbortController>;

/** The owners that ask for a lock or hold one. */
export interface Owners {
  /** The client chose their tags: each has its number in it. */
  readonly fresh: NumberedTable<Owner>;
  /** The caller chose their tags. */
  readonly named: Map<string, Owner>;
}

/** An owner tag and the locks that its branches ask for or hold. */
export class Owner {
  /** Its number in the table of fresh owners; 0 if the caller chose the tag. */
  id = 0;
  readonly tag: string;
  readonly #life: ClientLife;
  readonly #owners: Owners;
  /** The locks that a branch asks for or holds. The queue is undefined until another branch waits. */
  readonly #turns = new Map<string, Queue | undefined>();

  /** Adds itself to the owners. Without a tag of the caller it chooses one that none of them has. */
  constructor(life: ClientLife, owners: Owners, tag?: string) {
    this.tag = tag ?? '';
    this.#life = life;
    this.#owners = owners;
    if (tag !== undefined) owners.named.set(tag, this);
    while (tag === undefined && (this.id === 0 || owners.named.has(this.tag))) {
      owners.fresh.delete(this.id);
      owners.fresh.add(this);
      // A number alone might be the key of a row, and so the tag of a caller.
      this.tag = `#${this.id}`;
    }
  }

  /**
   * Asks for locks once no other branch of the owner asks for them or holds them; resolves to null when a try-lock would
   * have to wait. Only a fresh owner asks for several at once, so nothing holds those; the server refuses one named twice.
   */
  async take(request: LockRequest): Promise<readonly Hold[] | null> {
    for (const lock of request.items) {
      const key = lockKey(lock);
      if (request.command === 'lockAll' || !this.#turns.has(key)) this.#turns.set(key, undefined);
      else if (request.waitMs === 0) return null;
      else await this.#awaitTurn(key, lock, request);
    }
    let holds: readonly Hold[] | null = null;
    try {
      holds = await this.#life.ask(this.tag, request);
    } finally {
      if (holds === null) for (const lock of request.items) this.#endTurn(lock);
      if (this.#turns.size === 0) this.#leave();
    }
    for (const hold of holds ?? []) hold.whenEnded(() => this.#endTurn(hold.grant));
    return holds;
  }

  /** The error of a call that did not wait, for a lock that is not free. */
  notFree(request: LockRequest): LockTimeoutError {
    return this.#life.notFree(request);
  }

  /**
   * Gives the turn to the branch that has waited for longest, once no earlier request of the owner can bring the lock any
   * more: two requests for it at once would share one hold.
   */
  #endTurn(lock: RequestedLock | Hold['grant']): void {
    const { name, mode } = lock;
    this.#life.whenAnswered({ lockName: name, owner: this.tag, mode }, () => this.#startNext(lockKey(lock)));
  }

  #startNext(key: string): void {
    const queue = this.#turns.get(key);
    for (const next of queue ?? []) {
      queue?.delete(next);
      next.abort();
      return;
    }
    this.#turns.delete(key);
    if (this.#turns.size === 0) this.#leave();
  }

  /** Nothing is asked for or held by this owner any more. */
  #leave(): void {
    this.#owners.fresh.delete(this.id);
    this.#owners.named.delete(this.tag);
  }

  async #awaitTurn(key: string, { name }: RequestedLock, request: LockRequest): Promise<void> {
    const queue = this.#turns.get(key) ?? new Set();
    this.#turns.set(key, queue);
    const { signal, waitMs } = request;
    const { closing } = this.#life;
    const turn = new AbortController();
    queue.add(turn);
    await pause(remainingMs(request), turn.signal, signal, closing);
    if (turn.signal.aborted) return;
    queue.delete(turn);
    signal?.throwIfAborted();
    closing.throwIfAborted();
    const text = `the lock ${show(name)} was not granted within ${waitMs} ms`;
    throw new LockTimeoutError(`${text}: another branch of the same owner, ${this.tag}, has it`);
  }
}
