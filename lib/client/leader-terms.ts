/** Leader election: the holder of a lock is the leader, for one term after the other. */

import { pause } from '../message/timeout.ts';
import type { LockHandle } from './lock-handle.ts';
import type { LockOptions } from './options.ts';

/** How to stand for election. */
export interface TermOptions {
  /** Ends the loop: no further term begins. */
  readonly signal?: AbortSignal | undefined;
  /** The lease of each term, in milliseconds; none by default. */
  readonly leaseMs?: number | undefined;
}

/** The client, which takes the lock of each term. */
interface TermSource {
  lock(name: string, options: LockOptions): Promise<LockHandle>;
}

/** A server that is not connected is asked again after a delay of up to this. */
const MAX_RETRY_MS = 1_000;

/**
 * One handle for each term. The lock is released when the loop goes on to the next one, or is left. `isPassing` tells
 * whether a call that rejected with this error may succeed later.
 */
export async function* leaderTerms(
  source: TermSource,
  isPassing: (error: unknown) => boolean,
  name: string,
  { signal, leaseMs }: TermOptions,
): AsyncGenerator<LockHandle, void, undefined> {
  const options = { waitMs: Number.POSITIVE_INFINITY, signal, leaseMs };
  const isOver = (): boolean => signal?.aborted === true;
  while (!isOver()) {
    let handle: LockHandle;
    try {
      handle = await source.lock(name, options);
    } catch (error) {
      if (!isOver() && !isPassing(error)) throw error;
      await pause(Math.random() * MAX_RETRY_MS, signal);
      continue;
    }
    try {
      yield handle;
    } finally {
      await handle.release();
    }
  }
}
