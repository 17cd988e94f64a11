/** Runs a function under a guard: a handle, or several locks as one. */

import { LockLostError } from './lock-error.ts';

/** What gives back what it guards; resolves to why that was not held any more, if it was not. */
export interface Guard {
  end(): Promise<LockLostError | undefined>;
}

/**
 * Resolves to what the function returns if its lock was held all the while; what it throws is passed on. Rejects with a
 * `LockLostError`, which has the value as its `result`, when the lock was lost before it was given back.
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
