/** A handle: a lock that the caller holds. */

import { whenAborted } from '../message/abort-listeners.ts';
import { ledToCaller } from '../message/caller-stack.ts';
import { show } from '../message/show.ts';
import type { LockMode } from '../protocol.ts';
import type { Hold } from './hold.ts';
import { LockInvalidError, LockLostError } from './lock-error.ts';
import {
  type LockRequest,
  lockKey,
  NESTED_LOCK_OPTIONS,
  NESTED_TRY_LOCK_OPTIONS,
  type NestedLockOptions,
  type NestedTryLockOptions,
  type RequestedLock,
  requireFunction,
  toRequest,
  wrong,
} from './options.ts';
import type { Owner } from './owner.ts';

/** A lock that was granted. Release it with `release()`, or let `await using` do it. */
export class LockHandle implements AsyncDisposable {
  readonly name: string;
  readonly mode: LockMode;
  /** The fencing token: greater than that of every grant before. Give it to the resource, which refuses smaller ones. */
  readonly token: number;
  /** How many held the lock when it was granted, this handle included. */
  readonly count: number;
  readonly #hold: Hold;
  readonly #owner: Owner;
  readonly #lost = new AbortController();
  #ended: Promise<LockLostError | undefined> | undefined;

  /** Only the client makes handles. */
  constructor(hold: Hold, owner: Owner) {
    const { name, mode, token, count } = hold.grant;
    this.name = name;
    this.mode = mode;
    this.token = token;
    this.count = count;
    this.#hold = hold;
    this.#owner = owner;
    hold.handles.add(this.#lost);
  }

  /** The owner tag under which the server knows this hold. */
  get owner(): string {
    return this.#owner.tag;
  }

  /** Whether the lock is still held, as far as the client knows. */
  get isHeld(): boolean {
    return this.#ended === undefined && this.#hold.isHeld;
  }

  /** Aborts when the lock is lost, with a `LockLostError` as its reason; never because it was released. */
  get signal(): AbortSignal {
    // After a pause of the process the lease may be over although its timer has not run yet.
    const loss = this.#ended === undefined ? this.#hold.loss : undefined;
    if (loss !== undefined) this.#lost.abort(loss);
    return this.#lost.signal;
  }

  /** Does nothing while the lock is held. @throws LockLostError when it was lost. */
  throwIfLost(): void {
    this.signal.throwIfAborted();
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
    const request = toRequest(name, options, NESTED_LOCK_OPTIONS);
    const handle = await this.#take(request);
    if (handle !== null) return handle;
    throw this.#owner.notFree(request);
  }

  /** Takes a further lock as the same owner if that needs no waiting; resolves to null if it does. */
  async tryLock(name: string, options: NestedTryLockOptions = {}): Promise<LockHandle | null> {
    return await this.#take({ ...toRequest(name, options, NESTED_TRY_LOCK_OPTIONS), waitMs: 0 });
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

  async #take(request: LockRequest): Promise<LockHandle | null> {
    this.throwIfLost();
    request.signal?.throwIfAborted();
    if (this.#ended !== undefined) {
      throw new LockInvalidError(`the handle of ${show(this.name)} was released; it takes no further lock`);
    }
    const [item] = request.items as readonly [RequestedLock];
    if (lockKey(item) === lockKey(this)) return this.#reenter(item.mode, request);
    try {
      const holds = await this.#takeUnlessLost(request);
      return holds && new LockHandle(holds[0] as Hold, this.#owner);
    } catch (error) {
      // The loss of this lock is the reason of its signal.
      throw error === this.#lost.signal.reason ? error : ledToCaller(error, request.signal);
    }
  }

  /**
   * Ends the wait also when this lock is lost: the caller would otherwise go on without a lock that it relies on. Not by
   * `AbortSignal.any`: Node keeps its result as long as the signal lives.
   */
  async #takeUnlessLost(request: LockRequest): Promise<readonly Hold[] | null> {
    const lost = this.signal;
    const { signal } = request;
    if (signal === undefined) return await this.#owner.take({ ...request, signal: lost });
    const either = new AbortController();
    const stops = [signal, lost].map((one) => whenAborted(one, () => either.abort(one.reason)));
    try {
      return await this.#owner.take({ ...request, signal: either.signal });
    } finally {
      for (const stop of stops) stop();
    }
  }

  #reenter(mode: LockMode, { leaseMs, steal }: LockRequest): LockHandle {
    if (this.mode === 'shared' && mode === 'exclusive') {
      throw wrong('mode', mode, '"shared", since the handle holds the lock shared');
    }
    if (leaseMs !== undefined)
      throw wrong('leaseMs', leaseMs, 'none, since a lock that is entered again keeps its own');
    if (steal) throw wrong('steal', steal, 'none, since the handle holds the lock');
    return new LockHandle(this.#hold, this.#owner);
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
