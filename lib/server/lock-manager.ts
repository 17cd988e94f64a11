/**
 * The port between the server's protocols and whatever keeps the locks: this process, or later a cluster. All times
 * are milliseconds.
 */

import type { LockKind } from '../locks/lock.ts';
import type {
  AcquireRequest,
  AllGranted,
  CancelResult,
  Granted,
  LimitReached,
  LockMode,
  LossReason,
  NamesRequest,
  ReleaseAllResult,
  ReleaseRequest,
  ReleaseResult,
  RequestId,
  LockAllRequest as TableLockAllRequest,
} from '../locks/types.ts';
import { PendingResult } from '../message/pending-result.ts';

/** What is asked for: everything of the lock table's request but the context. */
export type LockWish = Omit<AcquireRequest<unknown>, 'context'>;

/** A request for one lock. It is an object of a class so that whatever reads it learns once what it looks like. */
export class LockRequest implements AcquireRequest<PendingResult<LockResult>> {
  readonly name: string;
  readonly mode: LockMode;
  readonly limit: number | undefined;
  readonly tag: string;
  readonly waitMs: number;
  readonly leaseMs: number | undefined;
  readonly steal: 'stealable' | 'any' | undefined;
  readonly isStealable: boolean | undefined;
  readonly id: RequestId | undefined;
  #context: PendingResult<LockResult> | undefined = undefined;

  constructor(wish: LockWish) {
    this.name = wish.name;
    this.mode = wish.mode;
    this.limit = wish.limit;
    this.tag = wish.tag;
    this.waitMs = wish.waitMs;
    this.leaseMs = wish.leaseMs;
    this.steal = wish.steal;
    this.isStealable = wish.isStealable;
    this.id = wish.id;
  }

  /** The result, if it comes later: made when it is asked for, since most requests are granted at once. */
  get context(): PendingResult<LockResult> {
    this.#context ??= new PendingResult<LockResult>();
    return this.#context;
  }
}

/** The same for several locks at once. */
export type LockAllRequest = Omit<TableLockAllRequest<unknown>, 'context'>;

/** A grant; a steal tells whom the lock was taken from. */
export interface LockGranted extends Granted {
  readonly taken?: Taken;
}

/** Why nothing was granted. What tells of others is left out where clients are not to know, or where it is too long. */
export type NotGranted =
  | LimitReached
  | { readonly status: 'unavailable' | 'cancelled' | 'draining' | 'denied' }
  | { readonly status: 'invalid'; readonly message: string }
  | { readonly status: 'timeout'; readonly holders?: readonly NamedHolderDescription[] }
  | { readonly status: 'deadlock'; readonly cycle?: readonly WaitStepDescription[] };

/** What a lock request is answered, now or later. */
export type LockResult = LockGranted | NotGranted;

/** What a request for several locks is answered, now or later. */
export type LockAllResult = AllGranted | NotGranted;

/** How many holds were freed, and whose they were. */
export interface ForceReleaseResult {
  readonly status: 'ok';
  readonly released: number;
  readonly taken: Taken;
}

/** Holds that were taken away from their holders: how many, and the first of them. */
export interface Taken {
  readonly count: number;
  readonly holders: readonly TakenHold[];
}

/** One who lost a hold. */
export type TakenHold = Pick<HolderDescription, 'owner' | 'name' | 'address' | 'mode' | 'token'>;

/** A hold that its session did not give up itself. */
export interface LostHold {
  readonly lockName: string;
  readonly mode: LockMode;
  readonly owner: string;
  readonly token: number;
  readonly reason: LossReason;
}

/** The client behind a session, as its locks know it. */
export interface LockClientInfo {
  readonly address: string;
  /** The name that it registered; empty while there is none. */
  readonly clientName: string;
  /** One of its holds ended without its asking. */
  lost(hold: LostHold): void;
}

/** One client's locks. */
export interface ManagedSession {
  acquire(request: LockRequest): LockResult | PendingResult<LockResult>;
  /** All of them or none. */
  acquireAll(request: LockAllRequest): LockAllResult | PendingResult<LockAllResult>;
  release(request: ReleaseRequest): ReleaseResult | PendingResult<ReleaseResult>;
  /** Of one owner of the session if a tag is given. */
  releaseAll(tag: string | undefined): ReleaseAllResult | PendingResult<ReleaseAllResult>;
  cancel(id: RequestId): CancelResult | PendingResult<CancelResult>;
  /** Cancels what waits and frees what is held. Nothing may be asked afterwards. */
  end(): void;
}

/** One who holds a lock, as people and programs are told of it. */
export interface HolderDescription {
  readonly owner: string;
  readonly name: string;
  readonly address: string;
  readonly mode: LockMode;
  readonly token: number;
  readonly heldMs: number;
  /** Present when it said that others may steal the lock. */
  readonly stealable?: true;
}

/** One who holds a lock, with the name of the lock. */
export interface NamedHolderDescription extends HolderDescription {
  readonly lockName: string;
}

/** One owner of a cycle: what it waits for, and how the next one keeps it from it, the last one by the first. */
export interface WaitStepDescription {
  readonly owner: string;
  readonly name: string;
  readonly address: string;
  readonly lockName: string;
  readonly mode: LockMode;
  readonly blockedBy: 'holder' | 'waiter';
}

/** One who waits for a lock. */
export interface WaiterDescription {
  readonly owner: string;
  readonly name: string;
  readonly address: string;
  readonly mode: LockMode;
  readonly limit?: number;
  /** 1 is next; counted for the reader/writer lock and for the permit of a name each. */
  readonly position: number;
  /** Present when it waits for other locks at the same time. */
  readonly lockAll?: true;
  readonly waitedMs: number;
}

/** One name: its reader/writer lock, then its permit. The counts tell of all, the lists of the first. */
export interface LockDescription {
  readonly lockName: string;
  readonly holderCount: number;
  readonly waiterCount: number;
  readonly holders: readonly HolderDescription[];
  readonly waiters: readonly WaiterDescription[];
}

/** How much one reply tells at most. */
export interface PageLimits {
  /** Holders and waiters in one page, or owners in one cycle. */
  readonly maxPageEntries: number;
  /** The length of one page or cycle, about; a single lock is told whatever its length. */
  readonly maxPageBytes: number;
}

/** A listing page by page: the next page is asked for when the one before has come. */
export interface Pages<Page extends object> {
  /** With up to `max` entries. */
  nextPage(max: number): PendingResult<Page>;
}

/** One page, in name order; `next` is what to ask for as `after` when there is more. */
export interface ListPage {
  readonly locks: readonly LockDescription[];
  readonly next?: string;
}

/** One page of holders, in the order of their grants. */
export interface HoldersPage {
  readonly holders: readonly { readonly lockName: string; readonly name: string; readonly address: string }[];
  readonly isLast: boolean;
}

/** Counts now, and since the start. */
export interface LockStatistics {
  /** Names whose reader/writer lock is held, and names whose permit is. */
  readonly locks: number;
  readonly permits: number;
  readonly holders: number;
  readonly waiting: number;
  readonly sessions: number;
  readonly grants: number;
  readonly releases: number;
  readonly timeouts: number;
  readonly cancelled: number;
  readonly deadlocks: number;
  readonly expiredLeases: number;
  /** Holds taken away by force, and by stealing. */
  readonly forced: number;
  readonly stolen: number;
  /** Holds freed because their session ended: of reader/writer locks, and of permits. */
  readonly orphans: number;
  readonly permitOrphans: number;
}

/** Keeps the locks of many clients. */
export interface LockManager {
  /** Names this life of the locks: after a restart that forgot them it is another. */
  readonly epoch: string;
  /** Whether tokens keep growing over a restart whatever the wall clock does. */
  readonly isDurable: boolean;
  openSession(client: LockClientInfo): ManagedSession;
  /** At most `maxEntries` holders and as many waiters are listed, of one kind of lock only if that is given. */
  inspect(lockName: string, maxEntries: number, kind?: LockKind): LockDescription | PendingResult<LockDescription>;
  /** Lists names. One that is held or waited for from the first page to the last is told. */
  list(request: NamesRequest): Pages<ListPage>;
  /** Lists the holders of one kind of lock, or of one lock. */
  listHolders(kind: LockKind, lockName?: string): Pages<HoldersPage>;
  /** Frees all holders of a lock, whoever they are. */
  forceRelease(lockName: string, kind: LockKind): ForceReleaseResult | PendingResult<ForceReleaseResult>;
  statistics(): LockStatistics | PendingResult<LockStatistics>;
  /** Grants nothing new from now on and answers all that wait `draining`. Resolves when nobody holds anything. */
  drain(): Promise<void>;
  /** Stops all timers. */
  close(): void;
}
