/** The errors that promises reject with, for tests to look at. */

import { expect } from 'chai';

/** Resolves to the value that a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error;
  }
  throw new Error(`expected a rejection, got ${JSON.stringify(value)}`);
}

/** Resolves to the error that a promise rejects with; throws if it does not. */
export async function errorOf(promise: Promise<unknown>): Promise<Error & { readonly code?: string }> {
  const error = await rejection(promise);
  if (!(error instanceof Error)) throw new Error(`expected an error, got ${JSON.stringify(error)}`);
  return error;
}

/** Expects an error of a class, with this message, with a message like this, or with these members. */
export async function rejects<E extends Error>(
  promise: Promise<unknown>,
  type: new (...parameters: never[]) => E,
  expected: string | RegExp | object = {},
): Promise<E> {
  const error = await rejection(promise);
  expect(error).to.be.instanceOf(type);
  if (typeof expected === 'string') expect(error).to.have.property('message', expected);
  else if (expected instanceof RegExp) expect(error).to.have.property('message').that.matches(expected);
  else expect(error).to.include(expected);
  return error as E;
}

/** Makes a call that waits. `abort` aborts its signal and expects that it rejects with the reason. */
export function abortable(call: (signal: AbortSignal) => Promise<unknown>): {
  readonly abort: (reason?: unknown) => Promise<void>;
} {
  const controller = new AbortController();
  const error = rejection(call(controller.signal));
  // If a test fails before it aborts the call, that failure is enough.
  error.catch(() => {});
  return {
    abort: async (reason = new Error('enough')) => {
      controller.abort(reason);
      expect(await error).to.equal(reason);
    },
  };
}
