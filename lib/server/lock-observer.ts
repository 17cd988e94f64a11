/**
 * What happens to locks, told in the moment in which it happens: to the history, to the log of long waits, to the histograms of the
 * metrics and to those who `watch`. The status page and the other metrics are not told: they ask the `ServerMonitor`.
 */

import type { HoldEnd, LockMode, NotGranted, RequestedLock, SessionEnd } from '../protocol.ts';

/** A client, as it is at that moment. */
export interface ObservedClient {
  readonly address: string;
  /** The name that it registered; empty for none. */
  readonly clientName: string;
}

/** A client's liveness: the same object from its first lock to its end. */
export interface ObservedSession {
  readonly client: ObservedClient;
  /** How it ended; undefined while it goes on. */
  readonly end: SessionEnd | undefined;
}

/** A lock as it is at that moment. */
export interface ObservedLock {
  readonly name: string;
  readonly holderCount: number;
  /** The others follow by `next`, in the order of their grants. */
  readonly firstHolder: ObservedClaim | undefined;
}

/** A hold, or one who waits for a lock: the same object from the first moment to the last. It goes on to change. */
export interface ObservedClaim {
  readonly lock: ObservedLock;
  readonly mode: LockMode;
  /** The tag is empty for the untagged owner. */
  readonly owner: { readonly tag: string; readonly session: ObservedSession };
  /** The fencing token; 0 while it waits. */
  readonly token: number;
  /** Since when it holds or waits. */
  readonly sinceMs: number;
  /** How long it waited before it was granted; undefined if that was at once. */
  readonly waitedMs?: number;
  /** The next holder of the same lock. */
  readonly next?: ObservedClaim | undefined;
  /** It waits together with others for several locks. */
  readonly group?: { readonly waiting: readonly ObservedClaim[] } | undefined;
}

/** A request that was not granted, for one lock or for several. */
export type RefusedRequest = (RequestedLock | { readonly locks: readonly RequestedLock[] }) & { readonly tag: string };

/** How a request ended that was not granted. */
export interface ObservedRefusal {
  readonly session: ObservedSession;
  readonly request: RefusedRequest;
  readonly result: NotGranted;
  /** What waited, as `queued` told it; undefined if the request was refused at once. */
  readonly claim: ObservedClaim | undefined;
  /** How long it waited; undefined if it was refused at once. */
  readonly waitedMs: number | undefined;
}

/** What somebody did to others. */
export interface Intervention {
  readonly by: 'steal' | 'forceUnlock' | 'kill';
  /** Who did it. */
  readonly client: ObservedClient;
  /** The lock that was taken away. */
  readonly lockName?: string | undefined;
  /** The address or name of the clients that were killed. */
  readonly killed?: string | undefined;
  /** How many holds or sessions ended. */
  readonly count: number;
}

/**
 * Told of what happens in the moment in which it happens, so each method must be quick, must not ask the server for anything, and copies
 * what it wants to keep. Times are milliseconds of the server's monotonic clock, as `performance.now` tells them. What it throws is
 * logged.
 */
export interface LockObserver {
  /** Someone waits. Of a request for several locks, it is told of the first one that waits. */
  queued?(claim: ObservedClaim, nowMs: number): void;
  /** A lock is granted: `claim.waitedMs` tells how long that took. */
  granted?(claim: ObservedClaim, nowMs: number): void;
  /** A hold ends. */
  ended?(claim: ObservedClaim, how: HoldEnd, nowMs: number): void;
  /** A request was not granted, at once or after a wait. */
  refused?(refusal: ObservedRefusal, nowMs: number): void;
  /** A session ends, which has so many holds and waits as yet: they end after that. */
  sessionEnded?(session: ObservedSession, holds: number, waits: number, nowMs: number): void;
  /** Someone took locks from others, or ended their sessions. */
  intervened?(intervention: Intervention, nowMs: number): void;
  /** The server begins to stop: `queued` is told no more, and the end of what waits or is held may never be told. */
  stopping?(nowMs: number): void;
}
