/** Requests of the Web Locks API that tests steer: each holds its lock until the test ends its callback. */

import { expect } from 'chai';
import { LockLostError } from '../../lib/client/lock-error.ts';
import type { WebLock, WebLockOptions } from '../../lib/client/web-locks/web-lock.ts';
import type { WebLockManager } from '../../lib/client/web-locks/web-lock-manager.ts';
import { client, clientScene, type SceneOptions } from './client-scene.ts';

/** Of the client behind the proxy. */
export let locks: WebLockManager;

export function webLocksScene(options: SceneOptions = {}): void {
  clientScene(options);
  beforeEach(() => {
    locks = client.locks;
  });
}

/** A promise that is settled from outside. */
class Gate<Value> {
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

/** One request whose callback runs until the test ends it. */
export class HeldRequest {
  /** Resolves with the lock when the callback is called. */
  readonly granted: Promise<WebLock | null>;
  /** The promise that `request` returned. */
  readonly settled: Promise<unknown>;
  /** Whether the callback was called. */
  isCalled = false;
  readonly #end: Gate<unknown> = new Gate();

  constructor(manager: WebLockManager, name: string, options: WebLockOptions = {}) {
    const granted = new Gate<WebLock | null>();
    this.granted = granted.promise;
    this.settled = manager.request(name, options, (lock) => {
      this.isCalled = true;
      granted.open(lock);
      return this.#end.promise;
    });
    // Some requests hold their lock until the client is closed.
    this.settled.catch(() => {});
  }

  /** Ends the callback with a value. */
  readonly release = (value?: unknown): void => this.#end.open(value);

  /** Ends the callback with an error. */
  readonly fail = (error: unknown): void => this.#end.fail(error);
}

/** Makes a request and waits until its callback is called. */
export async function hold(manager: WebLockManager, name: string, options: WebLockOptions = {}): Promise<HeldRequest> {
  const request = new HeldRequest(manager, name, options);
  await request.granted;
  return request;
}

/** Expects the `AbortError` of a request whose lock was lost. */
export function expectLoss(error: unknown, code: LockLostError['code']): void {
  expect(error).to.be.instanceOf(DOMException).and.include({ name: 'AbortError', code: DOMException.ABORT_ERR });
  const { cause, message } = error as Error;
  expect(cause).to.be.instanceOf(LockLostError).and.include({ code, message });
}
