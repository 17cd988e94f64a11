/** The exceptions of the Web Locks API: DOMExceptions, as in a browser. */

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
