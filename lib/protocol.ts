/**
 * What clients and the server say to each other about locks: requests, results, holders, waiters, cycles, statistics. Times
 * on the wire are seconds where a client asks and milliseconds where the server tells. See docs/protocol.md.
 */

/** `exclusive` and `shared` are one reader/writer lock; `permit` is a counted lock in a name space of its own. */
export type LockMode = 'exclusive' | 'shared' | 'permit';

/** A lock that is asked for. */
export interface RequestedLock {
  readonly name: string;
  readonly mode: LockMode;
  /** Permits only: granted while fewer than this many hold; none means always. A whole number from 1. */
  readonly limit?: number | undefined;
}

/** Names a request within its session, as long as it waits and as long as the hold lasts that it was granted. */
export type RequestId = number | string;

/** Why a hold ended without its owner asking for it. */
export type LossReason = 'lease' | 'sessionEnded' | 'forced' | 'stolen';

/** How a hold ended. */
export type HoldEnd = 'released' | LossReason;

/**
 * How a session ended. `bye`: its client said so. `left`: the client closed its side, as its system does when it exits. `lost`: the
 * connection was lost. `expired`: the client did not come back in time. `killed`: an operator ended it. `stopped`: the server did.
 */
export type SessionEnd = 'bye' | 'left' | 'lost' | 'expired' | 'killed' | 'stopped';

/** A client that is not connected may come back to its session. Both members are left out while it is connected. */
export interface Suspended {
  /** Its session ends in so many milliseconds unless it comes back. */
  readonly expiresInMs?: number;
  /** True: its connection has ended, and an anchor keeps its session. */
  readonly anchored?: boolean;
}

/** One who holds a lock. */
export interface LockHolder extends Suspended {
  /** The owner tag within the client; empty for none. */
  readonly owner: string;
  /** The name that the client registered; empty for none. */
  readonly name: string;
  readonly address: string;
  readonly mode: LockMode;
  readonly token: number;
  readonly heldMs: number;
  /** It was taken with `stealable`. */
  readonly stealable?: true;
}

/** One who holds a certain lock. */
export interface NamedLockHolder extends LockHolder {
  readonly lockName: string;
}

/** One who waits for a lock, however many requests share the place. */
export interface LockWaiter extends Suspended {
  readonly owner: string;
  readonly name: string;
  readonly address: string;
  readonly mode: LockMode;
  /** Permits only: the greatest limit among the requests that share the place. */
  readonly limit?: number;
  /** Its place in the queue of the reader/writer lock or of the permit; 1 is next. */
  readonly position: number;
  /** It waits for several locks at once. */
  readonly lockAll?: true;
  readonly waitedMs: number;
}

/** One who waits for a certain lock. */
export interface NamedLockWaiter extends LockWaiter {
  readonly lockName: string;
}

/** One owner in a deadlock: each waits for the next, and the last for the first. */
export interface DeadlockStep {
  readonly owner: string;
  readonly name: string;
  readonly address: string;
  /** The lock that it waits for, and how it asked for it. */
  readonly lockName: string;
  readonly mode: LockMode;
  /** Whether the next one in the cycle holds that lock (or would, were the request granted) or waits ahead in its queue. */
  readonly blockedBy: 'holder' | 'waiter';
}

/** One name: its holders in the order of their grants, its waiters in the order of the queue. */
export interface LockInformation {
  readonly lockName: string;
  /** Of all; the lists may tell fewer. */
  readonly holderCount: number;
  readonly waiterCount: number;
  /** Of the reader/writer lock, then of the permit. */
  readonly holders: readonly LockHolder[];
  readonly waiters: readonly LockWaiter[];
}

/** One page in name order; `next` is there when more follows, and is the `after` of the next page. */
export interface LockPage {
  readonly locks: readonly LockInformation[];
  readonly next?: string;
}

/** A grant. `count` is the number of holders of the lock, this one included. */
export interface Granted {
  readonly status: 'ok';
  readonly token: number;
  readonly count: number;
  /** The owner held the lock already: no new grant took place. */
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

/** The wait took too long: some of the holders of what was waited for. Left out where clients are not to know. */
export interface TimedOut {
  readonly status: 'timeout';
  readonly holders?: readonly NamedLockHolder[];
}

/**
 * No order of releases by owners that do not wait could ever grant the request. The cycle is left out where clients are not
 * to know, and where it is too long.
 */
export interface Deadlock {
  readonly status: 'deadlock';
  readonly cycle?: readonly DeadlockStep[];
}

/** A request that makes no sense where it is made. The message is for people. */
export interface Invalid {
  readonly status: 'invalid';
  readonly message: string;
}

/** A limit forbids the request. */
export interface LimitReached {
  readonly status: 'limit';
  readonly limit: string;
  readonly value: number;
}

/**
 * A try-lock would have had to wait. `grace`: nothing is granted until the sessions of the run before are back or over. `ledger`: the
 * session could not be recorded.
 */
export interface Unavailable {
  readonly status: 'unavailable';
  readonly reason?: 'grace' | 'ledger';
}

/** How a request ends that is not granted. `denied`: the lock may not be stolen. */
export type NotGranted =
  | TimedOut
  | Deadlock
  | Invalid
  | LimitReached
  | Unavailable
  | { readonly status: 'cancelled' | 'draining' | 'denied' };

/** `count` is the number of holders left; `withdrawn` when the owner did not hold but only waited. */
export type ReleaseResult =
  | { readonly status: 'ok'; readonly count: number; readonly withdrawn?: true }
  | { readonly status: 'notHeld' };

/** How many holds were released; places in queues are given up too and not counted. */
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

/**
 * What a token is worth. `current`: the lock is held with it. `superseded`: it is not any more. `unknown`: the server cannot
 * tell.
 */
export type TokenStanding = 'current' | 'superseded' | 'unknown';

export interface VerifyResult {
  readonly status: 'ok';
  readonly outcome: TokenStanding;
}

/** A hold that its owner did not give up itself. */
export interface LostHold extends LostToken {
  readonly lockName: string;
  readonly mode: LockMode;
  readonly owner: string;
}

/** The token of a hold, and how that ended. */
export interface LostToken {
  readonly token: number;
  readonly reason: LossReason;
}

/** Counts of locks: now, and since the start. */
export interface LockStatistics {
  /** Names whose reader/writer lock is held, and names whose permit is. */
  readonly locks: number;
  readonly permits: number;
  readonly holders: number;
  /** Requests that wait; one for several locks counts once. */
  readonly waiting: number;
  readonly sessions: number;
  /** How much memory locks, holders and waiting requests count, in bytes. */
  readonly tableBytes: number;
  readonly grants: number;
  readonly releases: number;
  readonly timeouts: number;
  readonly cancelled: number;
  /** Requests refused because they would have closed a deadlock. */
  readonly deadlocks: number;
  readonly expiredLeases: number;
  /** Holds that were taken away by `forceUnlock`, and by `steal`. */
  readonly forced: number;
  readonly stolen: number;
  /** Holds freed because their session ended: of reader/writer locks, and of permits. */
  readonly orphans: number;
  readonly permitOrphans: number;
}

/** The session that a `hello` opened or resumed, which outlives its connection. */
export interface SessionInformation {
  /**
   * `reclaim`: the server has restarted, and the client must tell what it holds by `reclaim`. `gone`: the session to be resumed is
   * over, and this is a new one. `anchored`: this connection keeps the session of another.
   */
  readonly state: 'opened' | 'resumed' | 'reclaim' | 'gone' | 'anchored';
  readonly id: string;
  /** Told once, when the session is opened. */
  readonly secret?: string;
  /** Seconds within which the client must come back once it is no longer heard of. */
  readonly timeout: number;
  /** Resumed: the tokens that the client listed and does not hold any more, and how each hold ended. */
  readonly lost?: readonly LostToken[];
  /** Resumed: the answers to listed requests that were granted meanwhile. */
  readonly answers?: readonly { readonly id: RequestId; readonly result: Granted | AllGranted }[];
  /** Resumed: the listed requests that neither wait nor were granted. */
  readonly unknown?: readonly RequestId[];
}

/** One of several servers of which one leads and the others stand by. */
export interface ClusterNode {
  readonly node: string;
  /** Where clients reach it: `host:port`. */
  readonly address: string;
}

/** The servers of a cluster, as the leader knows them. */
export interface ClusterInformation {
  /** The server that answers. */
  readonly node: string;
  readonly role: 'leader';
  /** Grows with each change of the leader. */
  readonly epoch: number;
  readonly leader: ClusterNode;
  readonly nodes: readonly (ClusterNode & { readonly role: 'leader' | 'standby' })[];
  /** How many sessions are recorded for the next leader. */
  readonly sessions: number;
  /** Decides who leads; `lagMs` is how long its last answer took. */
  readonly etcd: {
    readonly endpoint: string;
    readonly version: string;
    readonly lagMs: number;
    readonly revision: number;
  };
}

/** Counts of sessions that outlive their connections: without a connection now, and since the start. */
export interface SessionStatistics {
  readonly suspendedSessions: number;
  /** Sessions that held something before the server was started, and are not back. As long as there are any, nothing new is granted. */
  readonly awaitedSessions: number;
  readonly resumedSessions: number;
  /** Those that nobody resumed in time. */
  readonly expiredSessions: number;
}

/** The answer to `stats`: the locks, and what else the server counts. */
export interface ServerStatistics extends LockStatistics, SessionStatistics {
  readonly openConnections: number;
  readonly connections: number;
  /** Connections that were turned away, and commands that were refused, by reason. */
  readonly refusals: Readonly<Record<string, number>>;
  readonly invalidRequests: number;
  readonly unknownCommands: number;
  readonly failedRequests: number;
  /** Requests by command. */
  readonly requests: Readonly<Record<string, number>>;
  /** Answers with another status than `ok`: by command, then by status. */
  readonly notOk: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly uptimeMs: number;
}

/** How much of a limit is used. */
export interface LimitUsage {
  readonly limit: string;
  readonly used: number;
  readonly max: number;
}

/** What stands out among all locks. */
export interface LockSurvey {
  /** How long ago all locks were looked at. */
  readonly ageMs: number;
  readonly holders: Readonly<Record<LockMode, number>>;
  /** Places in queues, however many requests share one. */
  readonly waiters: Readonly<Record<LockMode, number>>;
  /** One of each lock at most, the longest first. */
  readonly longestWaits: readonly NamedLockWaiter[];
  readonly longestHolds: readonly NamedLockHolder[];
  readonly usage: readonly LimitUsage[];
}

/**
 * What a record of the history tells of. `hold`: a lock was held. `request`: a request was not granted. `session`: a session ended and
 * freed something. The others: somebody took a lock from its holders, or ended sessions.
 */
export type HistoryKind = 'hold' | 'request' | 'session' | 'steal' | 'forceUnlock' | 'kill';

/** How that ended. Of a request: the status of its answer. */
export type HistoryReason = HoldEnd | SessionEnd | NotGranted['status'] | 'steal' | 'forceUnlock' | 'kill';

/** Something that happened and is over. Times are milliseconds since 1970 by the clock of the server. */
export interface HistoryRecord {
  readonly kind: HistoryKind;
  readonly reason: HistoryReason;
  /** Left out where no lock is meant. */
  readonly lockName?: string | undefined;
  /** Of a request for several locks: the names of the others, at most 99. */
  readonly otherLocks?: readonly string[] | undefined;
  readonly mode?: LockMode | undefined;
  readonly owner?: string | undefined;
  /** The name that the client registered; empty for none. */
  readonly name: string;
  readonly address: string;
  readonly token?: number | undefined;
  /** Since when the lock was held or waited for; the same as `untilMs` where neither is meant. */
  readonly sinceMs: number;
  readonly untilMs: number;
  /** How long it was waited for; left out if it was not. */
  readonly waitedMs?: number | undefined;
  /** How the session ended with which the hold ended. */
  readonly session?: SessionEnd | undefined;
  /** How many holds a session freed, or how many holds or sessions somebody ended. */
  readonly count?: number | undefined;
  /** The address or name of the clients whose sessions were ended. */
  readonly killed?: string | undefined;
}

/**
 * What a watcher is told of. `wait`: somebody waits. `grant`: somebody got a lock. `release`: the owner gave it up. `loss`: a hold ended
 * otherwise. `refusal`: a request was not granted.
 */
export type WatchedKind = 'wait' | 'grant' | 'release' | 'loss' | 'refusal';

/** Something that happened to a lock just now. */
export interface WatchedEvent {
  readonly event: 'watched';
  readonly kind: WatchedKind;
  /** Of a loss: how it came. Of a refusal: the status of the answer. */
  readonly reason?: LossReason | NotGranted['status'] | undefined;
  /** How the session ended with which the hold was lost. */
  readonly session?: SessionEnd | undefined;
  /** When it happened: milliseconds since 1970 by the clock of the server. */
  readonly atMs: number;
  readonly lockName: string;
  /** Of a wait or a refusal for several locks: the names of the others, at most 99. */
  readonly otherLocks?: readonly string[] | undefined;
  readonly mode: LockMode;
  readonly owner: string;
  /** The name that the client registered; empty for none. */
  readonly name: string;
  readonly address: string;
  readonly token?: number | undefined;
  /** How long it was waited for; left out if it was not. */
  readonly waitedMs?: number | undefined;
  readonly heldMs?: number | undefined;
}

/** One page of the history, the newest record first; `next` is there when more follows, and is the `after` of the next page. */
export interface HistoryPage {
  readonly records: readonly HistoryRecord[];
  readonly next?: number;
}
