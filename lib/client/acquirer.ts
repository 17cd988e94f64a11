/**
 * Acquires locks for the owners of a client. The server grants a lock again to the owner that holds it; so branches of a
 * program with the same owner take turns at a lock here, in the client.
 */

import { ledToCaller } from '../message/caller-stack.ts';
import { MessageError } from '../message/message-error.ts';
import { NumberedTable } from '../message/numbered-table.ts';
import { show } from '../message/show.ts';
import { pause } from '../message/timeout.ts';
import type { RequestedLock } from '../protocol.ts';
import type { ConnectionKeeper } from './connection-keeper.ts';
import {
  isReasonOf,
  LockClosedError,
  LockDrainingError,
  LockTimeoutError,
  noConnection,
  tellOwn,
} from './lock-error.ts';
import { type Hold, LockHandle, type LockSource, type RequestTrace, type TraceRequest } from './lock-handle.ts';
import { type LockCall, lockKey, remainingMs } from './options.ts';

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

/** A server that is about to stop is asked again after a delay of up to this, on the next connection if there is one. */
const MAX_DRAINING_PAUSE_MS = 1_000;

/** Lets one branch of an owner at a time ask for a lock or hold it. */
export class Acquirer implements LockSource {
  readonly #keeper: ConnectionKeeper;
  /** The owners that ask for locks or hold some: fresh ones, and those with the tag of a caller. */
  readonly #fresh = new NumberedTable<Owner>();
  readonly #named = new Map<string, Owner>();
  readonly #traceRequest: TraceRequest | undefined;

  constructor(keeper: ConnectionKeeper, traceRequest: TraceRequest | undefined) {
    this.#keeper = keeper;
    this.#traceRequest = traceRequest;
  }

  /**
   * Asks for locks as the owner with this tag, or as a fresh one, once no other branch of the owner asks for them or holds
   * them. Resolves to null when a try-lock would have to wait.
   */
  async acquire(call: LockCall, tag?: string): Promise<readonly LockHandle[] | null> {
    const owner = tag === undefined ? this.#freshOwner() : this.#namedOwner(tag);
    const trace = this.#traceRequest?.(call, owner.tag);
    let holds: readonly Hold[] | null = null;
    let hasTurn = false;
    try {
      hasTurn = this.#takeTurn(owner, call) || (await this.#awaitTurn(owner, call));
      if (hasTurn) holds = await this.#ask(owner.tag, call);
    } catch (error) {
      if (hasTurn) this.#endTurns(owner, call);
      trace?.failed(error);
      throw ledToCaller(error, call.signal);
    }
    trace?.answered(holds);
    if (holds === null && hasTurn) this.#endTurns(owner, call);
    return holds?.map((hold) => this.#handOut(owner, hold, trace)) ?? null;
  }

  #handOut(owner: Owner, hold: Hold, trace: RequestTrace | undefined): LockHandle {
    hold.whenEnded = () => {
      this.#endTurn(owner, hold);
      trace?.ended(hold);
    };
    // It was taken away right behind its grant.
    if (hold.freed !== undefined) hold.whenEnded();
    return new LockHandle(hold, this);
  }

  /** The error of a call that did not wait, for a lock that is not free. */
  notFree(call: LockCall): LockTimeoutError {
    const { items, command } = call;
    const [what, why] =
      command === 'lock'
        ? [`the lock ${show(items[0]?.name)} was`, 'it is not free']
        : ['the locks were', 'not all of them are free'];
    const own = this.#keeper.session.ownHold(call);
    return new LockTimeoutError(`${what} not granted: ${why}${own === undefined ? '' : `; ${tellOwn(own)}`}`);
  }

  /** Asks on one connection after the other, until there is an answer: a wait outlives its connection. */
  async #ask(owner: string, call: LockCall): Promise<readonly Hold[] | null> {
    const keeper = this.#keeper;
    keeper.callCount += 1;
    // After a loss the calls are made again in their order.
    const order = keeper.callCount;
    for (let whenFailed = keeper.whileDisconnected; ; whenFailed = 'wait') {
      const { state } = keeper;
      try {
        const holds = await (state.kind === 'connected'
          ? keeper.session.acquire(owner, call)
          : (await this.#askNext(owner, call, whenFailed, order)).asked);
        // A grant may have lain in the socket while the event loop was blocked, for longer than the session lasts (S6).
        if (holds !== null && !keeper.session.isConfirmed) await keeper.session.confirm();
        const isWanted = !keeper.closing.aborted && call.signal?.aborted !== true;
        if (holds === null || (isWanted && holds.every(isToBeHandedOut))) return holds;
        for (const hold of holds) void hold.unlock();
        call.signal?.throwIfAborted();
        // A lock that was lost before its handle was there is asked for again, with a lease as long as the wait lasts.
        throwIfLeaseOver(holds, call);
      } catch (error) {
        await this.#recover(error, call);
      }
    }
  }

  /** A try-lock waits for the connection as any request does, the others as long as they wait for their lock. */
  async #askNext(
    owner: string,
    call: LockCall,
    whenFailed: 'wait' | 'fail',
    order: number,
  ): Promise<{ readonly asked: Promise<readonly Hold[] | null> }> {
    const { signal, waitMs } = call;
    if (this.#keeper.closing.aborted) throw new LockClosedError();
    const timeoutMs = waitMs === 0 ? this.#keeper.requestTimeoutMs : remainingMs(call);
    const patience = { signal, whenFailed, order, timeoutMs };
    return await this.#keeper.ask(patience, (session) => session.acquire(owner, call));
  }

  /** Returns when the call is to be made again, on the next connection; throws when that makes no sense. */
  async #recover(error: unknown, call: LockCall): Promise<void> {
    const { signal } = call;
    const { reconnects, closing, connectionEnd } = this.#keeper;
    if (isReasonOf(signal, error)) throw error;
    // A server that stops is followed by another, as after a crash.
    if (error instanceof LockDrainingError && reconnects && remainingMs(call) > 0) {
      // All calls that pause are made on the next connection, in their order.
      const delayMs = Math.min(remainingMs(call), Math.random() * MAX_DRAINING_PAUSE_MS);
      await pause(delayMs, signal, connectionEnd);
      return;
    }
    if (!(error instanceof MessageError)) throw error;
    if (error.code === 'closed' && closing.aborted) throw new LockClosedError({ cause: error.cause ?? error });
    const isLost = error.code === 'closed' || error.code === 'connectionLost';
    if (isLost && reconnects) return;
    throw error.code === 'timeout' ? noConnection(error) : error;
  }

  #freshOwner(): Owner {
    const owner: Owner = { id: 0, tag: '', turns: new Map() };
    for (;;) {
      this.#fresh.add(owner);
      // A number alone might be the key of a row, and so the tag of a caller.
      owner.tag = `#${owner.id}`;
      if (!this.#named.has(owner.tag)) return owner;
      this.#fresh.delete(owner.id);
    }
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

  /** Returns whether no other branch of the owner asks for the locks or holds them. */
  #takeTurn({ turns }: Owner, { command, items }: LockCall): boolean {
    // Only a fresh owner asks for several locks, so nothing holds those; the server refuses one named twice.
    if (command === 'lock' && turns.has(lockKey(items[0] as RequestedLock))) return false;
    for (const lock of items) turns.set(lockKey(lock), undefined);
    return true;
  }

  /** Resolves to whether the turn came; a try-lock does not wait for it. */
  async #awaitTurn({ tag, turns }: Owner, call: LockCall): Promise<boolean> {
    const { signal, waitMs, items } = call;
    if (waitMs === 0) return false;
    const key = lockKey(items[0] as RequestedLock);
    const queue = turns.get(key) ?? new Set();
    turns.set(key, queue);
    const { closing } = this.#keeper;
    const turn = new AbortController();
    queue.add(turn);
    await pause(remainingMs(call), turn.signal, signal, closing);
    if (turn.signal.aborted) return true;
    queue.delete(turn);
    signal?.throwIfAborted();
    if (closing.aborted) throw closing.reason;
    const text = `the lock ${show(items[0]?.name)} was not granted within ${waitMs} ms`;
    throw new LockTimeoutError(`${text}: another branch of the same owner, ${tag}, has it`);
  }

  #endTurns(owner: Owner, { items }: LockCall): void {
    for (const lock of items) this.#endTurn(owner, lock);
    if (items.length === 0) this.#forget(owner);
  }

  /**
   * Gives the turn to the branch that has waited for longest, once no earlier request of the owner can bring the lock any
   * more: two requests for it at once would share one hold.
   */
  #endTurn(owner: Owner, lock: RequestedLock | Hold): void {
    const parameters = { lockName: lock.name, owner: owner.tag, mode: lock.mode };
    const startNext = (): void => this.#startNext(owner, lockKey(lock));
    this.#keeper.session.whenAnswered(parameters, startNext);
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

/** A lease that is shorter than a round trip is over each time: asking again ends with the wait. */
function throwIfLeaseOver(holds: readonly Hold[], call: LockCall): void {
  if (remainingMs(call) > 0 || !holds.some(({ freed }) => freed === 'leaseOver')) return;
  throw new LockTimeoutError(
    `the lock was not granted within ${call.waitMs} ms: its lease was over each time before the answer came`,
  );
}

/** The handle tells the caller that another took the lock away; asking again might take it back from the other. */
function isToBeHandedOut({ freed }: Hold): boolean {
  return freed === undefined || freed === 'stolen' || freed === 'forced';
}
