/**
 * The vocabulary of locks as types: what is asked of the lock table and what it says happened. Two types are the
 * caller's own: the `Subject` that a session belongs to and the `Context` of a request; the table only carries them.
 */

import type { LockKind } from './lock.ts';
import type { LockSession } from './lock-session.ts';

/** `exclusive` and `shared` are one reader/writer lock; `permit` is a counted lock in a name space of its own. */
export type LockMode = 'exclusive' | 'shared' | 'permit';

/** Names a request within its session, as long as it waits and as long as the hold that it was granted lasts. */
export type RequestId = number | string;

/** Why a hold ended without its owner asking for it. */
export type LossReason = 'lease' | 'sessionEnded' | 'forced' | 'stolen';

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
  /**
   * Takes the reader/writer lock away from its holders, and passes those who wait: from `stealable` holders only, or
   * from `any`. Exclusive requests only.
   */
  readonly steal?: 'stealable' | 'any' | undefined;
  /** Whether the hold that this request is granted may be stolen. Asking again for what is held does not change it. */
  readonly isStealable?: boolean | undefined;
  readonly id?: RequestId | undefined;
  readonly context: Context;
}

/** One of the locks of a request for several. */
export interface LockWanted {
  readonly name: string;
  readonly mode: LockMode;
  /** Permits only: as for a single lock. */
  readonly limit?: number | undefined;
}

/** What a request for several locks asks for: all of them in one step, or none. */
export interface LockAllRequest<Context> {
  /** At least one, and none of them twice. */
  readonly locks: readonly LockWanted[];
  /** The owner tag within the session; the empty string is the session's untagged owner. */
  readonly tag: string;
  /** Milliseconds to wait at most: 0 is a try-lock, `Infinity` waits without limit. */
  readonly waitMs: number;
  /** Milliseconds from the grant after which the table frees each of the locks by itself; none means never. */
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

/** The grant of several locks: tokens and numbers of holders in the order in which the locks were asked for. */
export interface AllGranted {
  readonly status: 'ok';
  readonly tokens: readonly number[];
  readonly counts: readonly number[];
  /** The names that the owner held before, which keep their tokens; present when there is one. */
  readonly alreadyHeld?: readonly string[];
}

/** One who waits for a lock, and how the next one of the cycle keeps him from it. */
export interface WaitStep<Subject = unknown, Context = unknown> {
  readonly session: LockSession<Subject, Context>;
  readonly tag: string;
  readonly name: string;
  readonly mode: LockMode;
  /** The next one holds the lock (or would, were the request granted), or waits ahead in its queue. */
  readonly blockedBy: 'holder' | 'waiter';
}

/**
 * A request that no order of releases by owners that do not wait could ever grant. Each in the cycle waits for the
 * next, and the last for the first, who is the owner of the request.
 */
export interface Deadlock<Subject = unknown, Context = unknown> {
  readonly status: 'deadlock';
  readonly cycle: readonly WaitStep<Subject, Context>[];
}

/** A request that makes no sense where it is made. The message is for people. */
export interface Invalid {
  readonly status: 'invalid';
  readonly message: string;
}

/** A request that a limit of the table forbids: which, and its value. */
export interface LimitReached {
  readonly status: 'limit';
  readonly limit: keyof TableLimits;
  readonly value: number;
}

/** What becomes of a request that is not granted at once. `queued`: the answer comes as an event. */
type NotGranted<Subject, Context> =
  | LimitReached
  | Deadlock<Subject, Context>
  | Invalid
  | { readonly status: 'queued' }
  | { readonly status: 'unavailable' }
  | { readonly status: 'draining' };

/** What became of a request at once. `denied`: the lock may not be stolen. */
export type AcquireResult<Subject = unknown, Context = unknown> =
  | Granted
  | NotGranted<Subject, Context>
  | { readonly status: 'denied' };

/** What became of a request for several locks at once. */
export type AcquireAllResult<Subject = unknown, Context = unknown> = AllGranted | NotGranted<Subject, Context>;

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

/** How many holds were taken away. */
export interface ForceReleaseResult {
  readonly status: 'ok';
  readonly released: number;
}

/** `granted`: the request was answered with a grant that is still held, and is left alone. */
export interface CancelResult {
  readonly status: 'ok';
  readonly outcome: 'cancelled' | 'granted' | 'unknown';
}

/** The wait took too long: some of those who hold what was waited for, at most ten. */
export interface TimedOut<Subject = unknown, Context = unknown> {
  readonly status: 'timeout';
  readonly holders: readonly NamedHolderView<Subject, Context>[];
}

/** How a queued request ended. */
export type WaitResult<Subject = unknown, Context = unknown> =
  | Granted
  | AllGranted
  | TimedOut<Subject, Context>
  | Deadlock<Subject, Context>
  | { readonly status: 'cancelled' }
  | { readonly status: 'draining' };

/** What followed from an operation, in the order in which it happened. */
export type TableEvent<Subject, Context> =
  | {
      readonly kind: 'answered';
      readonly session: LockSession<Subject, Context>;
      readonly context: Context;
      readonly result: WaitResult<Subject, Context>;
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
  readonly isStealable: boolean;
}

/** One holder with the name of its lock. */
export interface NamedHolderView<Subject, Context> extends HolderView<Subject, Context> {
  readonly name: string;
}

/** One who waits for a lock, however many requests share the place. */
export interface WaiterView<Subject, Context> {
  readonly session: LockSession<Subject, Context>;
  readonly tag: string;
  readonly mode: LockMode;
  /** Permits only: the greatest limit among the requests that share the place. */
  readonly limit: number | undefined;
  readonly sinceMs: number;
  /** The place in the queue of its lock, from 1; the reader/writer lock and the permit have a queue each. */
  readonly position: number;
  /** Whether it waits for several locks at once. */
  readonly isPartOfAll: boolean;
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

/** Which names are listed. */
export interface NamesRequest {
  /** Only of locks of that kind, if it is given. */
  readonly kind?: LockKind | undefined;
  /** Only names that begin with this; empty for all. */
  readonly prefix: string;
  /** Only names that come behind this one. */
  readonly after?: string | undefined;
}

/** What the table admits at most. */
export interface TableLimits {
  /** Locks that are held or waited for; the reader/writer lock and the permit of one name are two. */
  readonly maxLocks: number;
  /** Locks that one session holds or waits for, each of its owners counted. */
  readonly maxLocksPerSession: number;
  /** Requests that wait for one lock. */
  readonly maxWaitersPerLock: number;
  /** Locks that one request asks for. */
  readonly maxLocksPerRequest: number;
}

/** Counts as they are now. */
export interface TableCounts {
  /** Names whose reader/writer lock is held. */
  readonly locks: number;
  /** Names whose permit is held. */
  readonly permits: number;
  readonly holders: number;
  /** Requests that wait; one for several locks counts once. */
  readonly waiting: number;
  readonly sessions: number;
}

/** What the table needs from outside. */
export interface TableOptions {
  readonly limits: TableLimits;
  /** The next fencing token: greater than every one before. */
  readonly nextToken: () => number;
  /** The order of names in listings, and of answers when the table drains: negative when `a` comes first. */
  readonly compareNames: (a: string, b: string) => number;
  /** A whole number from 0 to below 2^31, the same for equal names; nobody outside may foresee which. */
  readonly hashName: (name: string) => number;
}
