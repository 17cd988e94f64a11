/** Leader election: the one who holds a lock leads, for one term after the other. */

import { whenAborted } from '../message/abort-listeners.ts';
import { startTimeout } from '../message/timeout.ts';
import { isPermanent } from './connection-failure.ts';
import { LockUnreachableError } from './lock-error.ts';
import type { LockHandle } from './lock-handle.ts';
import type { LockOptions } from './options.ts';

/** How to stand for election. */
export interface TermOptions {
  /** Ends the loop: no further term begins. */
  readonly signal?: AbortSignal | undefined;
  /** The lease of each term, in milliseconds; none by default. */
  readonly leaseMs?: number | undefined;
}

/** What takes the lock of each term. */
export interface TermSource {
  lock(name: string, options: LockOptions): Promise<LockHandle>;
}

/** A server that is not connected is asked again after a delay of up to this. */
const MAX_RETRY_MS = 1_000;

/** One handle for each term. The lock is given back when the loop comes for the next one, or is left. */
export async function* leaderTerms(
  source: TermSource,
  name: string,
  { signal, leaseMs }: TermOptions,
): AsyncGenerator<LockHandle, void, undefined> {
  const options = { waitMs: Number.POSITIVE_INFINITY, signal, leaseMs };
  while (signal?.aborted !== true) {
    const handle = await stand(source, name, options);
    if (handle === undefined) continue;
    try {
      yield handle;
    } finally {
      await handle.release();
    }
  }
}

/** Waits for the lock; undefined when the loop is to look again whether it goes on. */
async function stand(source: TermSource, name: string, options: LockOptions): Promise<LockHandle | undefined> {
  const { signal } = options;
  try {
    return await source.lock(name, options);
  } catch (error) {
    if (signal?.aborted === true) return undefined;
    if (!isPassing(error)) throw error;
    await pause(Math.random() * MAX_RETRY_MS, signal);
    return undefined;
  }
}

/** No connection, where new calls do not wait for the next one. */
function isPassing(error: unknown): boolean {
  return error instanceof LockUnreachableError && !isPermanent(error.cause);
}

function pause(delayMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      stopTimeout();
      stopListening();
      resolve();
    };
    const stopTimeout = startTimeout(delayMs, finish);
    const stopListening = whenAborted(signal, finish);
  });
}
