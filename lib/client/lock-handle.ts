/** A hold on the server, and the handles to it that callers get. */

import { whenAborted } from '../message/abort-listeners.ts';
import type { Moment } from '../message/moment.ts';
import { show } from '../message/show.ts';
import type { LockMode, RequestedLock } from '../protocol.ts';
import { Lease } from './lease.ts';
import { LockInvalidError, type LockLostCode, LockLostError, type LockTimeoutError } from './lock-error.ts';
import {
  type LockCall,
  lockKey,
  NESTED_LOCK_OPTIONS,
  NESTED_TRY_LOCK_OPTIONS,
  type NestedLockOptions,
  type NestedTryLockOptions,
  requireFunction,
  toCall,
  wrong,
} from './options.ts';

/** Runs a function in no request's asynchronous context, where there is such a thing. */
export type Outside = (run: () => void) => void;

/** The session that has a hold. */
export interface HoldSession {
  /** Unlocks; resolves to undefined when the lock was held, else to why it was not, within its time limit. Never rejects. */
  unlock(hold: Hold): Promise<LockLostError | undefined>;
  /** Starts its lease anew; resolves to whether it was still held. Rejects without a connection. */
  renew(hold: Hold, leaseMs: number): Promise<boolean>;
  /** Whether the client may rely on what it holds. */
  readonly isConfirmed: boolean;
  /** Asks the server; resolves once it is known whether the session goes on. */
  confirm(): Promise<void>;
  /** Runs code that calls listeners, in no request's context. */
  readonly outside: Outside;
}

type State = { readonly kind: 'held' | 'released' } | { readonly kind: 'lost'; readonly loss: LockLostError };

/** One hold on the server, as this client knows it: lasts until the last of its handles is released, or until it is lost. */
export class Hold {
  /** Its number in the connection's table. */
  id = 0;
  readonly name: string;
  readonly mode: LockMode;
  /** The owner tag. */
  readonly owner: string;
  readonly token: number;
  /** Holders of the lock at the grant, this one included. */
  readonly count: number;
  /** Others may steal it. */
  isStealable = false;
  /** The lease that it was asked for with. */
  leaseMs: number | undefined;
  /** Why the server has freed it, or may have; perhaps while its unlock was on the way. */
  freed: LockLostCode | undefined;
  /** Called when the hold has been unlocked or lost. */
  whenEnded: (() => void) | undefined;
  /** One for each handle that shares the hold; aborts when the hold is lost. */
  readonly handles: Set<AbortController> = new Set();
  readonly #session: HoldSession;
  #state: State = { kind: 'held' };
  #lease: Lease | undefined;

  constructor({ name, mode }: RequestedLock, owner: string, token: number, count: number, session: HoldSession) {
    this.name = name;
    this.mode = mode;
    this.owner = owner;
    this.token = token;
    this.count = count;
    this.#session = session;
  }

  /** Why the hold was lost; undefined as long as it was not. */
  get loss(): LockLostError | undefined {
    // The process may have been paused for so long that no timer could end the lease yet.
    if (this.#state.kind === 'held' && this.#lease?.isOver === true) this.#expire();
    return this.#state.kind === 'lost' ? this.#state.loss : undefined;
  }

  /** Milliseconds until its lease is over, 0 when it is; `Infinity` without one. */
  get leaseLeftMs(): number {
    return this.#lease?.leftMs ?? Number.POSITIVE_INFINITY;
  }

  /** Whether the lock is held as far as the client can be sure. */
  get isHeld(): boolean {
    return this.isWanted && this.#session.isConfirmed;
  }

  /** Whether it was neither lost nor unlocked. */
  get isWanted(): boolean {
    return this.loss === undefined && this.#state.kind === 'held';
  }

  /** Asks the server; resolves to whether the lock is held. */
  async confirm(): Promise<boolean> {
    if (this.isWanted) await this.#session.confirm();
    return this.isHeld;
  }

  /** Renews the lease until the hold ends. Resolves once it is known to run. */
  startLease(leaseMs: number, sent: Moment): Promise<void> {
    // The loss may have come right behind the grant.
    if (this.#state.kind !== 'held') return Promise.resolve();
    this.leaseMs = leaseMs;
    this.#lease = new Lease(leaseMs, sent, {
      renew: () => this.#session.renew(this, leaseMs),
      over: () => this.#expire(),
    });
    return this.#lease.confirmed;
  }

  /** Releases one handle; the last one unlocks. Resolves to why the lock was not held any more, if it was not. */
  release(handle: AbortController): Promise<LockLostError | undefined> {
    this.handles.delete(handle);
    const { loss } = this;
    return loss === undefined && this.handles.size === 0 ? this.unlock() : Promise.resolve(loss);
  }

  /** Unlocks, whether or not handles share the hold. */
  unlock(): Promise<LockLostError | undefined> {
    if (this.#state.kind === 'lost') return Promise.resolve(this.#state.loss);
    if (this.#state.kind === 'released') return Promise.resolve(undefined);
    this.#state = { kind: 'released' };
    this.#lease?.stop();
    // The unlock goes out before the owner's next request for the lock.
    const unlocked = this.#session.unlock(this);
    this.whenEnded?.();
    return unlocked;
  }

  /** The server freed the lock, or may have. Returns whether it was held. */
  lose(code: LockLostCode): boolean {
    this.freed = code;
    if (this.#state.kind !== 'held') return false;
    const loss = new LockLostError(code, this.name);
    this.#state = { kind: 'lost', loss };
    this.#lease?.stop();
    this.#session.outside(() => {
      for (const handle of [...this.handles]) handle.abort(loss);
    });
    this.whenEnded?.();
    return true;
  }

  /** Unlocks as well: the server may not know yet that the lease is over. */
  #expire(): void {
    this.lose('leaseOver');
    void this.#session.unlock(this);
  }
}

/** Follows one request for locks, for whoever observes the client. */
export interface RequestTrace {
  /** Null if a try-lock would have to wait. */
  answered(holds: readonly Hold[] | null): void;
  failed(error: unknown): void;
  /** The hold was released or lost. */
  ended(hold: Hold): void;
}

/** Begins to follow a request; undefined when nobody observes the client. */
export type TraceRequest = (call: LockCall, owner: string) => RequestTrace | undefined;

/** The client that a handle belongs to. */
export interface LockSource {
  /** Asks for locks as the owner with this tag. Resolves to null when a try-lock would have to wait. */
  acquire(call: LockCall, owner: string): Promise<readonly LockHandle[] | null>;
  /** The error of a call that did not wait, for a lock that is not free. */
  notFree(call: LockCall): LockTimeoutError;
}

/** A lock that was granted. Release it with `release()`, or let `await using` do it. */
export class LockHandle implements AsyncDisposable {
  readonly name: string;
  readonly mode: LockMode;
  /** The fencing token: greater than that of every grant before. Give it to the resource, which refuses smaller ones. */
  readonly token: number;
  /** How many held the lock when it was granted, this handle included. */
  readonly count: number;
  readonly #hold: Hold;
  readonly #source: LockSource;
  readonly #lost = new AbortController();
  #ended: Promise<LockLostError | undefined> | undefined;

  /** Only the client makes handles. */
  constructor(hold: Hold, source: LockSource) {
    this.name = hold.name;
    this.mode = hold.mode;
    this.token = hold.token;
    this.count = hold.count;
    this.#hold = hold;
    this.#source = source;
    hold.handles.add(this.#lost);
  }

  /** The owner tag under which the server knows this hold. */
  get owner(): string {
    return this.#hold.owner;
  }

  /**
   * Whether the lock is still held. False also when the client cannot be sure, because the server has answered nothing for most of the
   * session's time-out: `confirm()` asks it.
   */
  get isHeld(): boolean {
    return this.#ended === undefined && this.#hold.isHeld;
  }

  /** Asks the server whether the lock is still held; waits for a connection, at most until the session counts as over. */
  async confirm(): Promise<boolean> {
    return this.#ended === undefined && (await this.#hold.confirm()) && this.isHeld;
  }

  /** Aborts when the lock is lost, with a `LockLostError` as its reason; never because it was released. */
  get signal(): AbortSignal {
    // After a pause of the process the lease may be over although its timer has not run yet.
    const loss = this.#ended === undefined ? this.#hold.loss : undefined;
    if (loss !== undefined) this.#lost.abort(loss);
    return this.#lost.signal;
  }

  /** Does nothing while the lock is held. @throws LockLostError when it was lost; `unconfirmed` when the client cannot be sure. */
  throwIfLost(): void {
    const isUnsure = this.#ended === undefined && !this.#hold.isHeld;
    this.signal.throwIfAborted();
    if (isUnsure) throw new LockLostError('unconfirmed', this.name);
  }

  /**
   * Settles as the promise does, but rejects with the `LockLostError` as soon as the lock is lost. The work behind the promise
   * goes on; pass `signal` to it where it can be stopped.
   */
  whileHeld<Value>(promise: PromiseLike<Value>): Promise<Value> {
    const { signal } = this;
    return new Promise((resolve, reject) => {
      const lose = (): void => reject(signal.reason);
      if (signal.aborted) lose();
      promise.then(resolve, reject).then(whenAborted(signal, lose));
    });
  }

  /**
   * Releases the lock; handles that re-entered it keep it until the last of them is released. Resolves to whether it
   * was still held when the server was told; false too when the connection broke before the answer. A second call does
   * nothing and resolves to the same. Never rejects.
   */
  async release(): Promise<boolean> {
    return (await this.end()) === undefined;
  }

  /** Releases the lock as well; resolves to the reason why it was not held any more, undefined if it was. */
  end(): Promise<LockLostError | undefined> {
    this.#ended ??= this.#hold.release(this.#lost);
    return this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  /**
   * Takes a further lock as the owner of this one, so that the server sees which locks belong together; the lock of this
   * very handle is entered once more, without asking. Rejects as `LockClient.lock` does, with `invalid` when this handle
   * was released, and with its `LockLostError` when it was lost, or is while the call waits.
   */
  async lock(name: string, options: NestedLockOptions = {}): Promise<LockHandle> {
    const call = toCall(name, options, NESTED_LOCK_OPTIONS);
    const handle = await this.#take(call);
    if (handle !== null) return handle;
    throw this.#source.notFree(call);
  }

  /** Takes a further lock as the same owner if that needs no waiting; resolves to null if it does. */
  async tryLock(name: string, options: NestedTryLockOptions = {}): Promise<LockHandle | null> {
    return await this.#take({ ...toCall(name, options, NESTED_TRY_LOCK_OPTIONS), waitMs: 0 });
  }

  /** Runs a function while it holds a further lock as the same owner. Resolves and rejects as `LockClient.locked` does. */
  async locked<Value>(
    name: string,
    run: (handle: LockHandle) => Value | Promise<Value>,
    options: NestedLockOptions = {},
  ): Promise<Awaited<Value>> {
    requireFunction('run', run);
    const handle = await this.lock(name, options);
    return await runGuarded(handle, () => run(handle));
  }

  async #take(call: LockCall): Promise<LockHandle | null> {
    this.throwIfLost();
    call.signal?.throwIfAborted();
    if (this.#ended !== undefined) {
      throw new LockInvalidError(`the handle of ${show(this.name)} was released; it takes no further lock`);
    }
    const [item] = call.items as readonly [RequestedLock];
    if (lockKey(item) === lockKey(this)) return this.#reenter(item.mode, call);
    return (await this.#takeUnlessLost(call))?.[0] ?? null;
  }

  /**
   * Ends the wait also when this lock is lost: the caller would otherwise go on without a lock that it relies on. Not by
   * `AbortSignal.any`: Node keeps its result as long as the signal lives.
   */
  async #takeUnlessLost(call: LockCall): Promise<readonly LockHandle[] | null> {
    const lost = this.signal;
    const { signal } = call;
    const { owner } = this.#hold;
    if (signal === undefined) return await this.#source.acquire({ ...call, signal: lost }, owner);
    const either = new AbortController();
    const stops = [signal, lost].map((one) => whenAborted(one, () => either.abort(one.reason)));
    try {
      return await this.#source.acquire({ ...call, signal: either.signal }, owner);
    } finally {
      for (const stop of stops) stop();
    }
  }

  #reenter(mode: LockMode, { leaseMs, steal }: LockCall): LockHandle {
    if (this.mode === 'shared' && mode === 'exclusive') {
      throw wrong('mode', mode, '"shared", since the handle holds the lock shared');
    }
    if (leaseMs !== undefined)
      throw wrong('leaseMs', leaseMs, 'none, since a lock that is entered again keeps its own');
    if (steal) throw wrong('steal', steal, 'none, since the handle holds the lock');
    return new LockHandle(this.#hold, this.#source);
  }
}

/** A handle or a set. `end` releases it; resolves to why it was not held any more, if it was not. */
export interface Guard {
  end(): Promise<LockLostError | undefined>;
}

/**
 * Resolves to the function's value if its lock was held all the while, and rejects with its error. Rejects with a
 * `LockLostError`, which has the value as its `result`, when the lock was lost before it was released.
 */
export async function runGuarded<Value>(guard: Guard, run: () => Value | Promise<Value>): Promise<Awaited<Value>> {
  let value: Awaited<Value>;
  try {
    value = await run();
  } catch (error) {
    await guard.end();
    throw error;
  }
  const loss = await guard.end();
  if (loss !== undefined) throw new LockLostError(loss.code, loss.lockName, { result: value });
  return value;
}
