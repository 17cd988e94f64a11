/**
 * The objects of the Web Locks API: a request made of a caller's arguments, the Lock that a callback gets, the DOMExceptions.
 * Arguments are converted in the order of Web IDL, then checked in the order of the Web Locks specification.
 */

import { describe } from '../../message/show.ts';

/** `exclusive` and `shared` are the modes of the standard. */
export type WebLockMode = 'exclusive' | 'shared';

/** How a lock is requested. */
export interface WebLockOptions {
  /** `exclusive` by default. */
  readonly mode?: WebLockMode | undefined;
  /** Calls back with null when the lock is not free, instead of waiting for it. */
  readonly ifAvailable?: boolean | undefined;
  /** Takes the lock away from its holders, ahead of all waiters; only with mode `exclusive`. */
  readonly steal?: boolean | undefined;
  /** Ends the request as long as it is not granted. Not together with `ifAvailable` or `steal`. */
  readonly signal?: AbortSignal | undefined;
}

/** A request after its arguments have been converted. */
export interface WebLockRequest {
  readonly name: string;
  readonly mode: WebLockMode;
  readonly ifAvailable: boolean;
  readonly steal: boolean;
  readonly signal: AbortSignal | undefined;
  readonly callback: (lock: unknown) => unknown;
}

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

/** Callers can reach it only as the constructor of a lock, and cannot use it. */
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
type WebLockExceptionName = 'AbortError' | 'InvalidStateError' | 'NotSupportedError';

/** A DOMException of that name. `cause` is an error of this library, such as a `LockLostError`. */
export function namedException(name: WebLockExceptionName, message: string, cause?: Error): Error {
  const exception = new DOMException(message, name);
  // Browsers know no cause in the constructor.
  if (cause !== undefined)
    Object.defineProperty(exception, 'cause', { value: cause, configurable: true, writable: true });
  return exception;
}

/**
 * Converts the arguments, in the order in which a browser does: the name, the options from `ifAvailable` to `steal`, the
 * callback.
 * @throws TypeError when one of them cannot be converted, and whatever the conversion of an object throws.
 */
export function toWebLockRequest(name: unknown, options: unknown, callback: unknown): WebLockRequest {
  const converted = { name: toText(name), ...toOptions(options) };
  if (typeof callback !== 'function') throw wrongKind('callback', callback, 'a function');
  return { ...converted, callback: callback as WebLockRequest['callback'] };
}

/** @throws DOMException `NotSupportedError` where the standard says so, and the reason of an aborted signal. */
export function checkWebLockRequest({ name, mode, ifAvailable, steal, signal }: WebLockRequest): void {
  if (name.startsWith('-')) throw notSupported(`name is ${describe(name)}; expected one that does not begin with "-"`);
  if (steal && ifAvailable) throw conflict('steal', 'ifAvailable');
  if (steal && mode !== 'exclusive') throw conflict('steal', `mode "${mode}"`);
  if (signal === undefined) return;
  if (steal || ifAvailable) throw conflict('signal', steal ? 'steal' : 'ifAvailable');
  signal.throwIfAborted();
}

function conflict(one: string, other: string): Error {
  return notSupported(`${one} and ${other} cannot be given together`);
}

/** Members are read in alphabetical order: an object's getters can tell. */
function toOptions(options: unknown): Omit<WebLockRequest, 'name' | 'callback'> {
  const given = toDictionary(options);
  return {
    ifAvailable: Boolean(given.ifAvailable),
    mode: toMode(given.mode),
    signal: toSignal(given.signal),
    steal: Boolean(given.steal),
  };
}

function toDictionary(options: unknown): { readonly [Member in keyof WebLockOptions]?: unknown } {
  if (options === undefined || options === null) return {};
  if (typeof options === 'object' || typeof options === 'function') return options;
  throw wrongKind('options', options, 'an object');
}

function toMode(mode: unknown): WebLockMode {
  if (mode === undefined) return 'exclusive';
  const text = toText(mode);
  if (text === 'exclusive' || text === 'shared') return text;
  throw wrongKind('mode', mode, '"exclusive" or "shared"');
}

/** As in a browser: the getter of `aborted` accepts signals of other realms and throws for anything else. */
function toSignal(signal: unknown): AbortSignal | undefined {
  if (signal === undefined) return undefined;
  try {
    Reflect.get(AbortSignal.prototype, 'aborted', signal);
    return signal as AbortSignal;
  } catch {
    throw wrongKind('signal', signal, 'an AbortSignal');
  }
}

/** A symbol is no text, unlike for `String()`. */
function toText(value: unknown): string {
  return `${value as string}`;
}

function notSupported(message: string): Error {
  return namedException('NotSupportedError', message);
}

function wrongKind(name: string, value: unknown, expected: string): TypeError {
  return new TypeError(`${name} is ${describe(value)}; expected ${expected}`);
}
