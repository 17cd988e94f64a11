/** What the server tells of its locks, as the client passes it on. */

/** One who holds a lock. */
export interface LockHolder {
  /** The owner tag within the client; empty for none. */
  readonly owner: string;
  /** The name that the client registered; empty for none. */
  readonly name: string;
  readonly address: string;
  readonly mode: 'exclusive' | 'shared' | 'permit';
  readonly token: number;
  readonly heldMs: number;
  /** It was taken with `stealable`. */
  readonly stealable?: true;
}

/** One who holds a certain lock. */
export interface NamedLockHolder extends LockHolder {
  readonly lockName: string;
}

/** One of those who would wait for each other in a deadlock. */
export interface DeadlockStep {
  readonly owner: string;
  readonly name: string;
  readonly address: string;
  /** The lock that it waits for, and how it asked for it. */
  readonly lockName: string;
  readonly mode: 'exclusive' | 'shared' | 'permit';
  /** Whether the next one in the cycle holds that lock or waits ahead in its queue. */
  readonly blockedBy: 'holder' | 'waiter';
}

/** One who waits for a lock. */
export interface LockWaiter {
  readonly owner: string;
  readonly name: string;
  readonly address: string;
  readonly mode: 'exclusive' | 'shared' | 'permit';
  /** Of a permit. */
  readonly limit?: number;
  readonly waitedMs: number;
  /** Its place in the queue of the reader/writer lock or of the permit; 1 is next. */
  readonly position: number;
  /** It waits for several locks at once. */
  readonly lockAll?: true;
}

/** One lock: its holders in the order of their grants, its waiters in the order of the queue. */
export interface LockInformation {
  readonly lockName: string;
  /** Of all; the lists may tell fewer. */
  readonly holderCount: number;
  readonly waiterCount: number;
  readonly holders: readonly LockHolder[];
  readonly waiters: readonly LockWaiter[];
}

/** Which page of the locks is wanted. */
export interface ListOptions {
  /** Only names that begin with this. */
  readonly prefix?: string;
  /** Only names behind this one: the `next` of the page before. */
  readonly after?: string;
  /** How many names at most; 100 by default. */
  readonly max?: number;
}

/** One page; `next` is there when more follows. */
export interface LockPage {
  readonly locks: readonly LockInformation[];
  readonly next?: string;
}

/** Counts of now and since the server's start. */
export interface ServerStatistics {
  /** Names whose reader/writer lock is held, and names whose permit is. */
  readonly locks: number;
  readonly permits: number;
  readonly holders: number;
  /** Requests that wait. */
  readonly waiting: number;
  readonly sessions: number;
  readonly openConnections: number;
  readonly grants: number;
  readonly releases: number;
  readonly timeouts: number;
  readonly cancelled: number;
  readonly expiredLeases: number;
  /** Requests refused because they would have closed a deadlock. */
  readonly deadlocks: number;
  /** Holds that were taken away by `forceUnlock`, and by `steal`. */
  readonly forced: number;
  readonly stolen: number;
  readonly orphans: number;
  readonly permitOrphans: number;
  readonly connections: number;
  /** Connections that were turned away, and commands that were refused without a word, by reason. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly invalidRequests: number;
  readonly unknownCommands: number;
  readonly failedRequests: number;
  readonly requests: Readonly<Record<string, number>>;
  readonly uptimeMs: number;
}
