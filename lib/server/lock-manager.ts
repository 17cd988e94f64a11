/**
 * The port between the server's protocols and whatever keeps the locks: this process, or later a cluster. All times
 * are milliseconds.
 */

import type { LockKind } from '../locks/lock.ts';
import type {
  AcquireRequest,
  AcquireResult,
  AllGranted,
  CancelResult,
  Deadlock,
  LockMode,
  LossReason,
  ReleaseAllResult,
  ReleaseRequest,
  ReleaseResult,
  RequestId,
  TimedOut,
  WaitResult,
} from '../locks/types.ts';
import type { PendingResult } from '../message/pending-result.ts';

/** What is asked for: everything of the lock table's request but the context. */
export type LockRequest = Omit<AcquireRequest<unknown>, 'context'>;

/** What a lock request is answered, now or later. */
export type LockResult =
  | Exclude<AcquireResult | WaitResult, AllGranted | TimedOut | Deadlock | { readonly status: 'queued' }>
  | { readonly status: 'timeout' | 'deadlock' };

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
}

/** One who waits for a lock. */
export interface WaiterDescription {
  readonly owner: string;
  readonly name: string;
  readonly address: string;
  readonly mode: LockMode;
  readonly limit?: number;
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

/** Which page of the names is wanted. */
export interface ListRequest {
  /** Only locks of that kind, if it is given. */
  readonly kind?: LockKind | undefined;
  readonly prefix: string;
  readonly after?: string | undefined;
  /** How many names at most. */
  readonly max: number;
}

/** One page, in name order; `next` is what to ask for as `after` when there is more. */
export interface ListPage {
  readonly locks: readonly LockDescription[];
  readonly next?: string;
}

/** Which page of the holders is wanted. */
export interface HoldersRequest {
  readonly kind: LockKind;
  /** Only holders of that lock, if it is given. */
  readonly lockName?: string | undefined;
  /** Only grants behind that token; 0 for all. */
  readonly afterToken: number;
  readonly max: number;
}

/** One page of holders, in the order of their grants; `next` is what to ask for as `afterToken` when there is more. */
export interface HoldersPage {
  readonly holders: readonly { readonly lockName: string; readonly name: string; readonly address: string }[];
  readonly next?: number;
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
  readonly expiredLeases: number;
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
  list(request: ListRequest): ListPage | PendingResult<ListPage>;
  listHolders(request: HoldersRequest): HoldersPage | PendingResult<HoldersPage>;
  statistics(): LockStatistics | PendingResult<LockStatistics>;
  /** Grants nothing new from now on and answers all that wait `draining`. Resolves when nobody holds anything. */
  drain(): Promise<void>;
  /** Stops all timers. */
  close(): void;
}
