/** The standard's Lock: what the callback of a request is called with. */

import type { WebLockMode } from './web-lock-options.ts';

/** A lock that was granted, by its name and mode. It stays readable when the lock is not held any more. */
export interface WebLock {
  readonly name: string;
  readonly mode: WebLockMode;
}

const KEY = Symbol('makes locks');

/** A Lock. */
export function makeWebLock(name: string, mode: WebLockMode): WebLock {
  return new Lock(KEY, name, mode);
}

/** Callers reach it only as the constructor of an object, and cannot use it. */
class Lock implements WebLock {
  readonly #name: string;
  readonly #mode: WebLockMode;

  constructor(key: symbol, name: string, mode: WebLockMode) {
    if (key !== KEY) throw new TypeError('a Lock cannot be constructed; request() makes them');
    this.#name = name;
    this.#mode = mode;
  }

  get name(): string {
    return this.#name;
  }

  get mode(): WebLockMode {
    return this.#mode;
  }

  get [Symbol.toStringTag](): string {
    return 'Lock';
  }
}
