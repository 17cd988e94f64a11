/**
 * Callbacks of the Web Locks API that tests steer: they hold their lock until they are told to let go. And what another
 * client sees of that.
 */

import { expect } from 'chai';
import type { LockClient } from '../../lib/client/lock-client.ts';
import type { WebLock, WebLockOptions } from '../../lib/client/web-locks/web-lock.ts';
import type { WebLockManager } from '../../lib/client/web-locks/web-locks.ts';

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

/** Nobody holds that lock or waits for it, as another client sees it. */
export async function isFree(name: string, other: LockClient): Promise<void> {
  expect(await other.inspect(name)).to.include({ holderCount: 0, waiterCount: 0 });
}

/**
 * So many wait for that lock, as another client sees it. The client sends what it sends in order, so the server knows of
 * all requests that it made before.
 */
export async function waits(name: string, count: number, client: LockClient, other: LockClient): Promise<void> {
  await client.rpc('ping');
  expect((await other.inspect(name)).waiterCount).to.equal(count);
}
