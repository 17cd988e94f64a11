/**
 * Acquires locks for the owners of a client. The server grants a lock again to the owner that holds it; so branches of a
 * program with the same owner take turns at a lock here, in the client.
 */

import { ledToCaller } from '../message/caller-stack.ts';
import { NumberedTable } from '../message/numbered-table.ts';
import { show } from '../message/show.ts';
import { pause } from '../message/timeout.ts';
import type { ClientLife } from './client-life.ts';
import { LockTimeoutError } from './lock-error.ts';
import { type Hold, LockHandle, type LockSource } from './lock-handle.ts';
import { type LockRequest, lockKey, type RequestedLock, remainingMs } from './options.ts';

/** The branches that wait for their turn, in the order of their calls: each aborts when its turn has come. */
type Queue = Set<AbortController>;

/** An owner tag and the locks that its branches ask for or hold. */
interface Owner {
  /** Its number among the fresh owners; 0 if the caller chose the tag. */
  id: number;
  tag: string;
  /** By `lockKey`. The queue is undefined until another branch waits. */
  readonly turns: Map<string, Queue | undefined>;
}

/** Lets one branch of an owner at a time ask for a lock or hold it. */
export class Acquirer implements LockSource {
  readonly #life: ClientLife;
  /** The owners that ask for locks or hold some: fresh ones, and those with the tag of a caller. */
  readonly #fresh = new NumberedTable<Owner>();
  readonly #named = new Map<string, Owner>();

  constructor(life: ClientLife) {
    this.#life = life;
  }

  /**
   * Asks for locks as the owner with this tag, or as a fresh one, once no other branch of the owner asks for them or holds
   * them. Resolves to null when a try-lock would have to wait.
   */
  async acquire(request: LockRequest, tag?: string): Promise<readonly LockHandle[] | null> {
    const owner = tag === undefined ? this.#freshOwner() : this.#namedOwner(tag);
    for (const lock of request.items) {
      const key = lockKey(lock);
      // Only a fresh owner asks for several locks, so nothing holds those; the server refuses one named twice.
      if (request.command === 'lockAll' || !owner.turns.has(key)) owner.turns.set(key, undefined);
      else if (!(await this.#awaitTurn(owner, key, request))) return null;
    }
    let holds: readonly Hold[] | null = null;
    try {
      holds = await this.#life.ask(owner.tag, request);
    } catch (error) {
      throw ledToCaller(error, request.signal);
    } finally {
      if (holds === null) for (const lock of request.items) this.#endTurn(owner, lock);
      // A list of no locks has no turn to end.
      if (owner.turns.size === 0) this.#forget(owner);
    }
    if (holds === null) return null;
    const handles: LockHandle[] = [];
    for (const hold of holds) {
      hold.whenEnded(() => this.#endTurn(owner, hold));
      handles.push(new LockHandle(hold, this));
    }
    return handles;
  }

  /** The error of a call that did not wait, for a lock that is not free. */
  notFree(request: LockRequest): LockTimeoutError {
    return this.#life.notFree(request);
  }

  #freshOwner(): Owner {
    const owner: Owner = { id: 0, tag: '', turns: new Map() };
    do {
      this.#fresh.delete(owner.id);
      this.#fresh.add(owner);
      // A number alone might be the key of a row, and so the tag of a caller.
      owner.tag = `#${owner.id}`;
    } while (this.#named.has(owner.tag));
    return owner;
  }

  /** The tag may be that of a fresh owner, which has its number in the tag. */
  #namedOwner(tag: string): Owner {
    const known = this.#named.get(tag) ?? this.#fresh.get(Number(tag.slice(1)));
    if (known?.tag === tag) return known;
    const owner = { id: 0, tag, turns: new Map() };
    this.#named.set(tag, owner);
    return owner;
  }

  /** The owner neither asks for anything nor holds anything. */
  #forget({ id, tag }: Owner): void {
    this.#fresh.delete(id);
    this.#named.delete(tag);
  }

  /** Resolves to whether the turn came; a try-lock does not wait for it. */
  async #awaitTurn({ tag, turns }: Owner, key: string, request: LockRequest): Promise<boolean> {
    const { signal, waitMs, items } = request;
    if (waitMs === 0) return false;
    const queue = turns.get(key) ?? new Set();
    turns.set(key, queue);
    const { closing } = this.#life;
    const turn = new AbortController();
    queue.add(turn);
    await pause(remainingMs(request), turn.signal, signal, closing);
    if (turn.signal.aborted) return true;
    queue.delete(turn);
    signal?.throwIfAborted();
    if (closing.aborted) throw ledToCaller(closing.reason);
    const text = `the lock ${show(items[0]?.name)} was not granted within ${waitMs} ms`;
    throw new LockTimeoutError(`${text}: another branch of the same owner, ${tag}, has it`);
  }

  /**
   * Gives the turn to the branch that has waited for longest, once no earlier request of the owner can bring the lock any
   * more: two requests for it at once would share one hold.
   */
  #endTurn(owner: Owner, lock: RequestedLock | Hold): void {
    const parameters = { lockName: lock.name, owner: owner.tag, mode: lock.mode };
    this.#life.whenAnswered(parameters, () => this.#startNext(owner, lockKey(lock)));
  }

  #startNext(owner: Owner, key: string): void {
    const queue = owner.turns.get(key);
    for (const next of queue ?? []) {
      queue?.delete(next);
      next.abort();
      return;
    }
    owner.turns.delete(key);
    if (owner.turns.size === 0) this.#forget(owner);
  }
}
