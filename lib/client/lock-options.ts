/** How locks are asked for: the options of the client's methods, and the one request that they all become. */

import { requireFromZero, requireOneOf, requireOptions, requireSignal, requireText, wrong } from './client-options.ts';

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
  /** As for a single lock: the lease of each of them, renewed by itself. */
  readonly leaseMs?: number | undefined;
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

/** Several locks as they are asked for. */
export interface AllRequest extends Patience {
  readonly items: readonly LockItem[];
  readonly leaseMs: number | undefined;
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

/** What a lock may be taken with when the call does not wait, by a client and by a handle. */
export const NESTED_TRY_LOCK_OPTIONS: readonly string[] = ['mode', 'limit', 'steal', 'leaseMs', 'stealable', 'signal'];
export const TRY_LOCK_OPTIONS: readonly string[] = [...NESTED_TRY_LOCK_OPTIONS, 'owner'];
/** And when it waits. */
export const NESTED_LOCK_OPTIONS: readonly string[] = [...NESTED_TRY_LOCK_OPTIONS, 'waitMs'];
export const LOCK_OPTIONS: readonly string[] = [...TRY_LOCK_OPTIONS, 'waitMs'];
export const LOCK_ALL_OPTIONS: readonly string[] = ['waitMs', 'leaseMs', 'signal'];
const LOCK_ITEM_OPTIONS: readonly string[] = ['name', 'mode', 'limit'];
const MODES: readonly LockMode[] = ['exclusive', 'shared', 'permit'];

/** @throws LockInvalidError when the name is no string, or an option is not known or makes no sense. */
export function toRequest(name: string, options: LockOptions, known: readonly string[]): LockRequest {
  const { mode = 'exclusive', limit, leaseMs, steal = false, stealable = false } = requireOptions(options, known);
  requireText('name', name);
  requireOneOf('mode', mode, MODES);
  if (options.owner !== undefined) requireText('owner', options.owner);
  requireLease(leaseMs);
  requireLimit('limit', limit);
  const { waitMs, endMs, signal } = toPatience(options);
  return { name, mode, limit, leaseMs, steal, stealable, waitMs, endMs, signal };
}

/** @throws LockInvalidError when the locks are no list of names and items that make sense. */
export function toItems(locks: readonly (string | LockItem)[]): readonly LockItem[] {
  if (!Array.isArray(locks)) throw wrong('locks', locks, 'a list of locks');
  return locks.map((lock: string | LockItem, index) => {
    if (typeof lock === 'string') return { name: lock };
    const { name, mode, limit } = requireOptions(lock, LOCK_ITEM_OPTIONS, `locks[${index}]`);
    requireText(`locks[${index}].name`, name);
    requireOneOf(`locks[${index}].mode`, mode, MODES);
    requireLimit(`locks[${index}].limit`, limit);
    return lock;
  });
}

/** @throws LockInvalidError when the lease is no time that can be one. */
export function requireLease(leaseMs: number | undefined): void {
  const isLease = typeof leaseMs === 'number' && leaseMs > 0 && leaseMs <= MAX_SECONDS * MS_A_SECOND;
  if (leaseMs !== undefined && !isLease) throw wrong('leaseMs', leaseMs, 'a number above 0, up to 1e12');
}

function requireLimit(name: string, limit: number | undefined): void {
  if (limit !== undefined && !(Number.isSafeInteger(limit) && limit >= 1))
    throw wrong(name, limit, 'a whole number from 1');
}

/** @throws LockInvalidError when `waitMs` is no number from 0, or `signal` no signal. */
export function toPatience({
  waitMs = DEFAULT_WAIT_MS,
  signal,
}: WaitOptions & { readonly signal?: AbortSignal | undefined }): Patience {
  requireFromZero({ waitMs });
  requireSignal('signal', signal);
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
