/** The objects of the standard: the Lock that a callback is called with, and the DOMExceptions. */

/** `exclusive` and `shared` are the modes of the standard. */
export type WebLockMode = 'exclusive' | 'shared';

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

/** The names by which callers tell them apart. */
export type WebLockExceptionName = 'AbortError' | 'InvalidStateError' | 'NotSupportedError';

/** A DOMException of that name. `cause` is what brought it about in this library, such as a `LockLostError`. */
export function namedException(name: WebLockExceptionName, message: string, cause?: Error): Error {
  const exception = new DOMException(message, name);
  // Browsers know no cause in the constructor.
  if (cause !== undefined)
    Object.defineProperty(exception, 'cause', { value: cause, configurable: true, writable: true });
  return exception;
}
