/** How locks are asked for: the options of the client's methods, and the one request that they all become. */

import { describe, requireFromZero, requireOptions } from './client-options.ts';
import { LockInvalidError } from './lock-error.ts';

/** `exclusive` and `shared` are one reader/writer lock; `permit` is a counted lock in a name space of its own. */
export type LockMode = 'exclusive' | 'shared' | 'permit';

/** Which lock, and how: a limit belongs to permits only, and only an exclusive lock can be stolen. */
export type LockModeOptions =
  | {
      /** `exclusive` by default. */
      readonly mode?: 'exclusive' | undefined;
      readonly limit?: never;
      /**
       * Take it away from those who hold it. The server allows that against holders who said `stealable`, and against
       * all others only where its settings say so.
       */
      readonly steal?: boolean | undefined;
    }
  | { readonly mode: 'shared'; readonly limit?: never; readonly steal?: never }
  | {
      readonly mode: 'permit';
      /** Granted while fewer than this many hold; without one, always. A whole number from 1. */
      readonly limit?: number | undefined;
      readonly steal?: never;
    };

/** What does not depend on whether the call waits. */
export interface HoldOptions {
  /**
   * Milliseconds after which the server frees the lock unless the client has said again that it lives, which it does by
   * itself. Without it no timer ever takes the lock.
   */
  readonly leaseMs?: number | undefined;
  /**
   * Calls with the same owner belong together for deadlock detection, and are one owner to the server. A fresh one by
   * default.
   */
  readonly owner?: string | undefined;
  /** Others may take it away with `steal`. */
  readonly stealable?: boolean | undefined;
  /** Ends the wait, on the server too: the call rejects with the signal's reason, and nothing is held. */
  readonly signal?: AbortSignal | undefined;
}

/** How long a call waits for its lock. */
export interface WaitOptions {
  /** Milliseconds to wait at most; 30,000 by default, `Infinity` for no limit. */
  readonly waitMs?: number | undefined;
}

/** How a lock is taken at once or not at all. */
export type TryLockOptions = LockModeOptions & HoldOptions;

/** How a lock is asked for. */
export type LockOptions = TryLockOptions & WaitOptions;

/** How a handle asks for a further lock: as its own owner. */
export type NestedLockOptions = LockModeOptions & Omit<HoldOptions, 'owner'> & WaitOptions;

/** The same, without waiting. */
export type NestedTryLockOptions = LockModeOptions & Omit<HoldOptions, 'owner'>;

/** One of several locks that are asked for together. */
export type LockItem = { readonly name: string } & (
  | { readonly mode?: 'exclusive' | 'shared' | undefined; readonly limit?: never }
  | { readonly mode: 'permit'; readonly limit?: number | undefined }
);

/** How several locks are asked for together. */
export interface LockAllOptions extends WaitOptions {
  /** Ends the wait, on the server too: the call rejects with the signal's reason, and nothing is held. */
  readonly signal?: AbortSignal | undefined;
}

/** How long a call may wait, and what ends it early. */
export interface Patience {
  /** Milliseconds to wait for the lock at most: 0 is a try-lock. */
  readonly waitMs: number;
  /** When that is over, by the clock of `performance.now()`. */
  readonly endMs: number;
  readonly signal: AbortSignal | undefined;
}

/** One lock as it is asked for. */
export interface LockRequest extends Patience {
  readonly name: string;
  readonly mode: LockMode;
  readonly limit: number | undefined;
  readonly leaseMs: number | undefined;
  readonly steal: boolean;
  readonly stealable: boolean;
}

const DEFAULT_WAIT_MS = 30_000;
const MS_A_SECOND = 1_000;
const MAX_SECONDS = 1e9;

/** @throws TypeError when the options are no object, and LockInvalidError when a number is none that makes sense. */
export function toRequest(name: string, options: NestedLockOptions): LockRequest {
  const { mode = 'exclusive', limit, leaseMs, steal = false, stealable = false } = requireOptions(options);
  if (leaseMs !== undefined && !(typeof leaseMs === 'number' && leaseMs > 0 && leaseMs <= MAX_SECONDS * MS_A_SECOND)) {
    throw new LockInvalidError(`leaseMs is ${describe(leaseMs)}; expected a number above 0, up to 1e12`);
  }
  const { waitMs, endMs, signal } = toPatience(options);
  return { name, mode, limit, leaseMs, steal, stealable, waitMs, endMs, signal };
}

/** @throws LockInvalidError when `waitMs` is no number from 0, or `signal` no signal. */
export function toPatience({ waitMs = DEFAULT_WAIT_MS, signal }: LockAllOptions): Patience {
  requireFromZero({ waitMs });
  if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
    throw new LockInvalidError(`signal is ${describe(signal)}; expected an AbortSignal`);
  }
  return { waitMs, endMs: performance.now() + waitMs, signal };
}

/** Milliseconds that are left to wait, rounded up. */
export function remainingMs({ waitMs, endMs }: Patience): number {
  return Math.min(waitMs, Math.max(0, Math.ceil(endMs - performance.now())));
}

/** Milliseconds as the wire has them; longer than it knows is no limit. */
export function toTimeLimit(waitMs: number): number | false {
  const seconds = waitMs / MS_A_SECOND;
  return seconds > MAX_SECONDS ? false : seconds;
}

/** Milliseconds of a lease as the wire has them. */
export function toLease(leaseMs: number): number {
  return leaseMs / MS_A_SECOND;
}
