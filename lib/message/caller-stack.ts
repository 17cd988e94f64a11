/**
 * Stacks that lead to the caller. An error made when an answer comes or a timer ends has the reader of the connection in its
 * stack, not the caller. The engine knows the callers of an async function, and puts them into the stack of an error that is
 * made within it.
 */

/** The stacks as they were before, of errors that lead to a caller by now. */
const ownStacks = new WeakMap<Error, string>();

/**
 * An async method that catches an error throws this instead: the error with the callers of the method in its stack. An error
 * that several calls reject with is copied, so that each leads to its own caller. The reason of the caller's own signal is
 * left as it is.
 */
export function ledToCaller(error: unknown, signal?: AbortSignal): unknown {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return error;
  if (signal?.aborted === true && signal.reason === error) return error;
  const known = ownStacks.get(error);
  const led = known === undefined ? error : copyOf(error);
  const ownStack = known ?? error.stack;
  ownStacks.set(led, ownStack);
  led.stack = `${ownStack}\n${framesOfCaller()}`;
  return led;
}

function copyOf(error: Error): Error {
  const copy: Error = Object.create(Object.getPrototypeOf(error), Object.getOwnPropertyDescriptors(error));
  Object.defineProperty(copy, 'stack', { value: '', writable: true, configurable: true });
  return copy;
}

/** Behind the text of the error and the two functions here. */
function framesOfCaller(): string {
  return (new Error().stack ?? '').split('\n').slice(3).join('\n');
}
