/**
 * The vocabulary of locks as types: what is asked of the lock table and what it says happened. Two types are the
 * caller's own: the `Subject` that a session belongs to and the `Context` of a request; the table only carries them.
 */

import type { LockSession } from './lock-session.ts';

/** `exclusive` and `shared` are one reader/writer lock; `permit` is a counted lock in a name space of its own. */
export type LockMode = 'exclusive' | 'shared' | 'permit';

/** Names a request within its session, as long as it waits and as long as the hold that it was granted lasts. */
export type RequestId = number | string;

/** Why a hold ended without its owner asking for it. */
export type LossReason = 'lease' | 'sessionEnded';

/** What one request asks for. The context comes back with an answer that came later. */
export interface AcquireRequest<Context> {
  readonly name: string;
  readonly mode: LockMode;
  /** Permits only: granted while fewer than this many hold; none means always. A whole number from 1. */
  readonly limit?: number | undefined;
  /** The owner tag within the session; the empty string is the session's untagged owner. */
  readonly tag: string;
  /** Milliseconds to wait at most: 0 is a try-lock, `Infinity` waits without limit. */
  readonly waitMs: number;
  /** Milliseconds from the grant after which the table frees the lock by itself; none means never. */
  readonly leaseMs?: number | undefined;
  readonly id?: RequestId | undefined;
  readonly context: Context;
}

/** A grant. `count` is the number of holders of the lock, this one included. */
export interface Granted {
  readonly status: 'ok';
  readonly token: number;
  readonly count: number;
  /** Present when the owner held the lock already: no new grant took place. */
  readonly alreadyHeld?: true;
}

/** A request that a limit of the table forbids: which, and its value. */
export interface LimitReached {
  readonly status: 'limit';
  readonly limit: keyof TableLimits;
  readonly value: number;
}

/** What became of a request at once. `queued`: the answer comes as an event. */
export type AcquireResult =
  | Granted
  | LimitReached
  | { readonly status: 'queued' }
  | { readonly status: 'unavailable' }
  | { readonly status: 'draining' }
  | { readonly status: 'invalid'; readonly message: string };

/** Which hold or queue place to give up. All keys that are given must fit. */
export interface ReleaseRequest {
  /** Needed unless a token is given. */
  readonly name?: string | undefined;
  /** None means the reader/writer lock, in whichever of its modes; with a token, any mode. */
  readonly mode?: LockMode | undefined;
  /** None means the untagged owner; with a token, any owner of the session. */
  readonly tag?: string | undefined;
  readonly token?: number | undefined;
}

/** `count` is the number of holders left; `withdrawn` when the owner did not hold but only waited. */
export type ReleaseResult =
  | { readonly status: 'ok'; readonly count: number; readonly withdrawn?: true }
  | { readonly status: 'notHeld' };

/** How many holds were released; queue places are withdrawn too and not counted. */
export interface ReleaseAllResult {
  readonly status: 'ok';
  readonly released: number;
}

/** `granted`: the request was answered with a grant that is still held, and is left alone. */
export interface CancelResult {
  readonly status: 'ok';
  readonly outcome: 'cancelled' | 'granted' | 'unknown';
}

/** How a queued request ended. */
export type WaitResult =
  | Granted
  | { readonly status: 'timeout' }
  | { readonly status: 'cancelled' }
  | { readonly status: 'draining' };

/** What followed from an operation, in the order in which it happened. */
export type TableEvent<Subject, Context> =
  | {
      readonly kind: 'answered';
      readonly session: LockSession<Subject, Context>;
      readonly context: Context;
      readonly result: WaitResult;
    }
  | {
      readonly kind: 'lost';
      readonly session: LockSession<Subject, Context>;
      readonly name: string;
      readonly mode: LockMode;
      readonly tag: string;
      readonly token: number;
      readonly reason: LossReason;
    };

/** What an operation answers its caller, and what happened to others because of it. */
export interface Outcome<Subject, Context, Result> {
  readonly result: Result;
  readonly events: readonly TableEvent<Subject, Context>[];
}

/** One who holds a lock. Times are milliseconds of the table's clock. */
export interface HolderView<Subject, Context> {
  readonly session: LockSession<Subject, Context>;
  readonly tag: string;
  readonly mode: LockMode;
  readonly token: number;
  readonly sinceMs: number;
}

/** One who waits for a lock, however many requests share the place. */
export interface WaiterView<Subject, Context> {
  readonly session: LockSession<Subject, Context>;
  readonly tag: string;
  readonly mode: LockMode;
  /** Permits only: the greatest limit among the requests that share the place. */
  readonly limit: number | undefined;
  readonly sinceMs: number;
}

/** Everything about one name: holders in order of their grants, waiters in order of the queue. */
export interface LockView<Subject, Context> {
  readonly name: string;
  readonly holderCount: number;
  readonly waiterCount: number;
  /** The first of them, up to the number asked for: of the reader/writer lock, then of the permit. */
  readonly holders: readonly HolderView<Subject, Context>[];
  readonly waiters: readonly WaiterView<Subject, Context>[];
}

/** What the table admits at most. */
export interface TableLimits {
  /** Locks that are held or waited for; the reader/writer lock and the permit of one name are two. */
  readonly maxLocks: number;
  /** Locks that one session holds or waits for, each of its owners counted. */
  readonly maxLocksPerSession: number;
  /** Requests that wait for one lock. */
  readonly maxWaitersPerLock: number;
}

/** Counts as they are now. */
export interface TableCounts {
  /** Names whose reader/writer lock is held. */
  readonly locks: number;
  /** Names whose permit is held. */
  readonly permits: number;
  readonly holders: number;
  /** Requests that wait. */
  readonly waiting: number;
  readonly sessions: number;
}

/** What the table needs from outside. */
export interface TableOptions {
  readonly limits: TableLimits;
  /** The next fencing token: greater than every one before. */
  readonly nextToken: () => number;
  /** The order of names in listings: negative when `a` comes first. */
  readonly compareNames: (a: string, b: string) => number;
}
