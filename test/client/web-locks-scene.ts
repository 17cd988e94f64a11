/** Callbacks of the Web Locks API that tests steer: they hold their lock until they are told to let go. */

import type { WebLock } from '../../lib/client/web-lock.ts';
import type { WebLockOptions } from '../../lib/client/web-lock-options.ts';
import type { WebLockManager } from '../../lib/client/web-locks.ts';

/** A promise that is settled from outside. */
export class Gate<Value = void> {
  readonly promise: Promise<Value>;
  open: (value: Value) => void = () => {};
  fail: (error: unknown) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.open = resolve;
      this.fail = reject;
    });
  }
}

/** One request whose callback goes on until it is told to end. */
export class HeldRequest {
  /** Resolves with the lock when the callback is called. */
  readonly granted: Promise<WebLock | null>;
  /** What `request` returned. */
  readonly settled: Promise<unknown>;
  /** Ends the callback with that value. */
  readonly release: (value?: unknown) => void;
  /** Ends the callback with that error. */
  readonly fail: (error: unknown) => void;
  readonly #isCalled: () => boolean;

  constructor(locks: WebLockManager, name: string, options: WebLockOptions = {}) {
    const granted = new Gate<WebLock | null>();
    const ended = new Gate<unknown>();
    let isCalled = false;
    this.granted = granted.promise;
    this.release = ended.open;
    this.fail = ended.fail;
    this.#isCalled = () => isCalled;
    this.settled = locks.request(name, options, (lock) => {
      isCalled = true;
      granted.open(lock);
      return ended.promise;
    });
    // Tests leave some held until their client is closed, which ends them.
    this.settled.catch(() => {});
  }

  /** Whether the callback was called. */
  get isCalled(): boolean {
    return this.#isCalled();
  }
}
