/**
 * Every structure of the lock table on one page: what it keeps, what it is asked for, and what it says happened. All times
 * are milliseconds of one monotonic clock of the caller's.
 */

import type {
  AllGranted,
  Granted,
  HoldEnd,
  LockMode,
  LockStatistics,
  LossReason,
  LostHold,
  NotGranted,
  RequestedLock,
  RequestId,
  SessionEnd,
} from '../protocol.ts';
import type { ChosenMap } from './chosen-map.ts';
import type { LinkedList } from './linked-list.ts';

// What the table keeps.

/** Which of the two name spaces a lock is in. */
export type LockKind = 'readerWriter' | 'permit';

/** A lock, as long as somebody holds it or waits for it. There may be a million, so what few need is left out until then. */
export interface Lock {
  readonly name: string;
  readonly kind: LockKind;
  /** Whether `LockMap` has it. One that was deleted may be kept for its next use. */
  isInMap: boolean;
  /** The holders, linked in the order of their grants. */
  firstHolder: Claim | undefined;
  lastHolder: Claim | undefined;
  holderCount: number;
  /** The claims that wait, first come first; made when the first one waits. */
  queue: LinkedList<Claim> | undefined;
  /** How many requests wait. Requests of one owner share a claim. */
  requestCount?: number;
  /** How many of the claims that wait belong to owners with a tag and another claim. */
  entangledCount?: number;
  /** How many of the holders may be stolen from; none means none. */
  stealableCount?: number;
}

/** What one owner has in one lock: it waits in the queue or holds the lock. */
export interface Claim {
  /** Another one while it waits when all holders lose the lock. */
  lock: Lock;
  readonly owner: Owner;
  state: 'new' | 'waiting' | 'held' | 'gone';
  /** While it waits, the strongest mode among its requests. */
  mode: LockMode;
  /** The fencing token of its grant; 0 before that. */
  token: number;
  /** When it was granted, or came as long as it waits: whole milliseconds. */
  sinceMs: number;
  /** How long it waited before it was granted, in whole milliseconds; none if it was granted at once. */
  waitedMs?: number;
  /** The request that the grant answered. */
  requestId: RequestId | undefined;
  /** All claims of the owner are linked. */
  ownerPrevious: Claim | undefined;
  ownerNext: Claim | undefined;
  /** Its neighbours in the queue or among the holders. */
  previous?: Claim | undefined;
  next?: Claim | undefined;
  /** The requests for one lock that wait for this claim. While it waits it has either this or a group. */
  place?: Place | undefined;
  /** The request for several locks of which this is one. */
  group?: Group | undefined;
  /** The limit that the group asks for here; `Infinity` for none. */
  groupLimit?: number;
  isStealable?: boolean;
  /** While it is held: the waiting requests of its owner that name its lock among others. They end with it. */
  dependents?: Set<Group> | undefined;
  lease?: Lease | undefined;
}

/** Where a listing of the holders is. They may be very many, so it looks at them in slices while holds begin and end. */
export interface HolderWalk {
  next: Claim | undefined;
}

/** Holds and waits: the untagged part of a session, or a part with a tag. One with a tag lives as long as it has claims. */
export interface Owner {
  readonly session: Session;
  /** Empty for the untagged owner. */
  readonly tag: string;
  /** Its newest claim; the others follow by `ownerNext`. */
  firstClaim: Claim | undefined;
  claimCount: number;
  /** How many of the claims wait. */
  waitingCount: number;
  /** Those of its waiting requests for several locks that have a permit without limit among them. */
  groups: Set<Group> | undefined;
  /** Made when there are many claims, to find the one on a lock. */
  claimsByLock: Map<Lock, Claim> | undefined;
}

/** One client's liveness. When it has ended, its waits are cancelled and its holds are released one after the other. */
export interface Session {
  /** Another object once the client has come back on a new connection. */
  client: SessionClient;
  state: 'live' | 'ended';
  /** How it ended, if that was told. */
  end: SessionEnd | undefined;
  untagged: Owner | undefined;
  tagged: Map<string, Owner> | undefined;
  /** Of all owners. */
  claimCount: number;
  /** Bytes that its claims and waiting requests add to the memory of the table. */
  bytes: number;
  /** Waiting requests that have an id, by keys that nobody can foresee. */
  waits: Map<RequestId, WaitingRequest> | undefined;
  /** Finds holds by their tokens and requests; made when it is first asked for. */
  holdIndex: HoldIndex | undefined;
}

/** The client of a session, as others are told of it. */
export interface SessionClient {
  readonly address: string;
  /** The name that it registered; empty for none. */
  readonly clientName: string;
  /** When the session ends unless the client comes back; undefined as long as it is connected. */
  readonly suspendedUntilMs?: number | undefined;
  /** Whether its connection has ended, and only an anchor keeps the session. */
  readonly isAnchored?: boolean;
  /** Names the session if it outlives the server's process. */
  readonly keptId?: string | undefined;
}

/** The holds of a session, by keys that nobody can foresee: a client that reclaims a hold names its token. */
export interface HoldIndex {
  readonly byToken: Map<RequestId, Claim>;
  /** How many holds answered a request. An id may be used again while what it was granted is still held. */
  readonly countByRequest: Map<RequestId, number>;
}

/** The place of one owner in a queue, shared by all its requests that wait for the lock. */
export interface Place {
  readonly waits: LinkedList<Wait>;
  /** The greatest limit among the requests, `Infinity` when one has none, unless `greatestCount` is 0: see `limitOfPlace`. */
  limit: number;
  /** How many requests have that limit, and how many ask for the exclusive lock. */
  greatestCount: number;
  exclusiveCount: number;
}

/** A member of the heap of deadlines. It knows its place, so it can leave before its time. */
export interface Deadline {
  deadlineMs: number;
  /** Its place in the heap; -1 while it is not there. */
  heapIndex: number;
  /** Of those that end in the same millisecond, the one that was added first ends first. */
  heapSequence: number;
}

/** One request that waits for one lock; as a deadline it is the end of the wait. */
export interface Wait extends Deadline {
  readonly kind: 'wait';
  readonly claim: Claim;
  readonly request: LockRequest;
  /** How much memory it counts beside the claim. */
  readonly bytes: number;
  previous: Wait | undefined;
  next: Wait | undefined;
}

/** One request that waits for several locks: it is in all their queues and is granted all of them in one step. */
export interface Group extends Deadline {
  readonly kind: 'group';
  readonly owner: Owner;
  readonly request: LockAllRequest;
  /** How much memory it counts beside the claims. */
  readonly bytes: number;
  /** One for each lock, in the order in which they were asked for. */
  readonly claims: readonly Claim[];
  /** Those of the claims that wait. */
  readonly waiting: readonly Claim[];
  /** Those that were held before: when one of them ends, so does the group. */
  readonly held: readonly Claim[];
  /** Whether one of those that wait is a permit without limit. */
  readonly hasUnlimited: boolean;
  /** The index of the waiting claim that could not be granted last time: the next check begins there. */
  blockedAt: number;
}

export type WaitingRequest = Wait | Group;

/** The end of a hold that its owner asked for. */
export interface Lease extends Deadline {
  readonly kind: 'lease';
  readonly claim: Claim;
}

// What the table is asked for.

/** A request for one lock. */
export interface LockRequest extends RequestedLock {
  /** The owner tag within the session; empty for the untagged owner. */
  readonly tag: string;
  /** Milliseconds to wait at most: 0 is a try-lock, `Infinity` waits without limit. */
  readonly waitMs: number;
  /** Milliseconds from the grant after which the table frees the lock by itself; none means never. */
  readonly leaseMs?: number | undefined;
  /**
   * Takes the reader/writer lock away from its holders and passes its waiters: from `stealable` holders only, or from
   * `any`. Exclusive requests only.
   */
  readonly steal?: 'stealable' | 'any' | undefined;
  /** Whether the hold may be stolen. Asking again for what is held does not change it. */
  readonly isStealable?: boolean | undefined;
  readonly id?: RequestId | undefined;
  /** Comes back with an answer that comes later. May be set as late as before the table's next operation. */
  context?: unknown;
}

/** How a hold begins. */
export type GrantTerms = Pick<LockRequest, 'id' | 'leaseMs' | 'isStealable'>;

/** A request for several locks: all of them in one step, or none. */
export interface LockAllRequest extends Pick<LockRequest, 'tag' | 'waitMs' | 'leaseMs' | 'id' | 'context'> {
  /** At least one, and none of them twice. */
  readonly locks: readonly RequestedLock[];
}

/** Which hold or place in a queue to give up. All keys that are given must fit. */
export interface ReleaseRequest {
  /** Needed unless a token is given. */
  readonly name?: string | undefined;
  /** None means the reader/writer lock, in whichever of its modes; with a token, any mode. */
  readonly mode?: LockMode | undefined;
  /** None means the untagged owner; with a token, any owner of the session. */
  readonly tag?: string | undefined;
  readonly token?: number | undefined;
}

/** What the client of a session says it has, when it comes back. All else that the session has ends. */
export interface Resumption {
  /** The tokens of its holds. */
  readonly tokens: ChosenMap<number, true>;
  /** The requests that it wants answered: for several locks with how many, for one lock with undefined. */
  readonly requests: ChosenMap<RequestId, number | undefined>;
}

/** A hold of an earlier run of the server. */
export interface EarlierHold extends Pick<LockRequest, 'name' | 'mode' | 'tag' | 'leaseMs' | 'isStealable' | 'id'> {
  readonly token: number;
  /** How many milliseconds ago it was granted, as far as that is known. */
  readonly agoMs?: number | undefined;
}

/** What a planned stop saves, as JSON: everything that the sessions with a `keptId` have. Holds and waits tell their sessions by index. */
export interface SavedTable {
  readonly sessions: readonly SavedSession[];
  readonly holds: readonly SavedHold[];
  /** In an order that keeps that of each queue. */
  readonly waits: readonly SavedRequest[];
}

export interface SavedSession {
  /** Its `keptId`. */
  readonly id: string;
  readonly address: string;
  readonly clientName: string;
}

export interface SavedHold extends EarlierHold {
  readonly session: number;
}

/** A request that waits. */
export interface SavedRequest {
  readonly session: number;
  /** How many milliseconds ago it came. */
  readonly agoMs: number;
  readonly request: SavedWait<LockRequest> | SavedWait<LockAllRequest>;
}

/** With the milliseconds that it still waits; none means without limit. */
type SavedWait<Request extends LockRequest | LockAllRequest> = Omit<Request, 'waitMs' | 'context' | 'steal'> & {
  readonly waitMs?: number | undefined;
};

// What the table answers.

/** What became of a request for one lock at once. `queued`: the answer comes as an event. */
export type AcquireResult = WaitResult<Granted> | { readonly status: 'queued' } | Stolen;

/** The lock is granted. Its owner should learn that once all former holders were told of their loss, perhaps in slices. */
export interface Stolen {
  readonly status: 'stolen';
  readonly granted: Granted;
  /** How many held it. */
  readonly count: number;
  readonly rest: Rest;
}

/** The same for several locks. */
export type AcquireAllResult = WaitResult<AllGranted> | { readonly status: 'queued' };

/** How a request ended. */
export type WaitResult<Grant = Granted | AllGranted> = Grant | NotGranted;

/** What an operation caused, in order. */
export type TableEvent =
  | { readonly kind: 'answered'; readonly session: Session; readonly context: unknown; readonly result: WaitResult }
  | { readonly kind: 'lost'; readonly session: Session; readonly hold: LostHold };

/** What an operation answers its caller, and what happened to others because of it. */
export interface Outcome<Result> {
  readonly result: Result;
  readonly events: readonly TableEvent[];
}

/** What an operation could not do at once: `LockTable.goOn` goes on with it. */
export interface Rest {
  readonly isOver: boolean;
  /** Takes about so many steps, each a request or a hold that ends. */
  advance(maxSteps: number, nowMs: number): void;
}

/** Counts as they are now. */
export type TableCounts = Pick<LockStatistics, 'locks' | 'permits' | 'holders' | 'waiting' | 'sessions' | 'tableBytes'>;

/** What a client that has come back has to know. */
export interface Resumed {
  /** Those of its tokens that it does not hold any more. */
  readonly lost: readonly number[];
  /** What was granted meanwhile. */
  readonly answers: readonly { readonly id: RequestId; readonly result: Granted | AllGranted }[];
  /** The requests that neither wait nor were granted. */
  readonly unknown: readonly RequestId[];
  /** How many holds were released because the client did not list them. */
  readonly released: number;
}

// What the table needs.

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
  /** Bytes of memory that all claims and waiting requests count; when they count this much, no more come in. */
  readonly maxTableBytes: number;
  /** The same, of one session. */
  readonly maxBytesPerSession: number;
}

/** The limits, and one that follows from others. */
export interface AllTableLimits extends TableLimits {
  /** As `maxLocksPerSession`, of a session with a `keptId`: its client must list its locks when it comes back. The same by default. */
  readonly maxLocksPerKeptSession?: number | undefined;
}

/**
 * Told of claims as they begin and end, within the operation that does that. It must not call the table, and claims go on to change: it
 * copies what it wants to keep.
 */
export interface TableObserver {
  /** A claim waits from now on. Of a request for several locks, it is told of the first one that waits. */
  queued(claim: Claim): void;
  /** A claim is held from now on. It is not told of holds of an earlier run. */
  granted(claim: Claim): void;
  /** A hold ends. */
  ended(claim: Claim, how: HoldEnd): void;
  /** A request that waited ends without a grant. */
  refused(request: WaitingRequest, result: NotGranted): void;
}

/** What the table needs from outside. */
export interface TableOptions {
  readonly limits: AllTableLimits;
  /** The next fencing token: greater than every one before, the first greater than 0. */
  readonly nextToken: () => number;
  /**
   * Whether that many tokens can be had now; always, by default. While it is false, requests wait that would be granted, until
   * `letInAll` is called.
   */
  readonly mayGrant?: ((count: number) => boolean) | undefined;
  /** Whether nobody may be granted a lock for now, until `letIn` is called; never by default. */
  readonly isClosed?: ((name: string, kind: LockKind) => boolean) | undefined;
  /** Called before a hold ends that was not released, in a session that goes on. The lock may be closed for that. */
  readonly onLoss?: ((claim: Claim, reason: LossReason) => void) | undefined;
  /** A deadlock with more owners is answered without its cycle; by default none is. */
  readonly maxCycleSteps?: () => number;
  /** How many claims a search for a deadlock looks at within a request, roughly; the rest is for `catchUp`. */
  readonly searchStepsAtOnce?: number;
  /** How many requests are answered because of another one, at most, in the same operation; the rest is for `catchUp`. */
  readonly answersAtOnce?: number;
  /** Whether the operations of others have used up what may be done at once; then only very little is. Never, by default. */
  readonly isBusy?: (() => boolean) | undefined;
}

/** What it needs for each grant and loss. */
export type BookOptions = Pick<TableOptions, 'nextToken' | 'mayGrant' | 'isClosed' | 'onLoss'>;
