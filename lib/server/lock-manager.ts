/** The port between the server's protocols and the locks. All times are milliseconds. */

import type { LockAllRequest, LockKind, LockRequest, ReleaseRequest } from '../locks/types.ts';
import type { PendingResult } from '../message/pending-result.ts';
import type {
  AllGranted,
  CancelResult,
  ForceReleaseResult,
  Granted,
  LockHolder,
  LockInformation,
  LockPage,
  LockStatistics,
  LostHold,
  NamedLockHolder,
  NotGranted,
  ReleaseAllResult,
  ReleaseResult,
  RequestId,
} from '../protocol.ts';

/** What a request for one lock is answered, now or later. A steal tells whom the lock was taken from. */
export type LockResult = (Granted & { readonly taken?: Taken }) | NotGranted;

/** What a request for several locks is answered, now or later. */
export type LockAllResult = AllGranted | NotGranted;

/** Holds that were taken away from their holders: how many, and the first of them. */
export interface Taken {
  readonly count: number;
  readonly holders: readonly Omit<LockHolder, 'heldMs' | 'stealable'>[];
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

/** Which names are listed. */
export interface NamesRequest {
  /** Only of locks of that kind, if it is given. */
  readonly kind?: LockKind | undefined;
  /** Only names that begin with this; empty for all. */
  readonly prefix: string;
  /** Only names that come behind this one. */
  readonly after?: string | undefined;
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

/** One page of holders, in the order of their grants. */
export interface HoldersPage {
  readonly holders: readonly NamedLockHolder[];
  readonly isLast: boolean;
}

/** Keeps the locks of many clients. */
export interface LockManager {
  /** Names this life of the locks: after a restart that forgot them it is another. */
  readonly epoch: string;
  /** Whether tokens keep growing over a restart whatever the wall clock does. */
  readonly isDurable: boolean;
  openSession(client: LockClientInfo): ManagedSession;
  /** At most `maxEntries` holders and as many waiters are listed, of one kind of lock only if that is given. */
  inspect(lockName: string, maxEntries: number, kind?: LockKind): LockInformation | PendingResult<LockInformation>;
  /** Lists names. One that is held or waited for from the first page to the last is told. */
  list(request: NamesRequest): Pages<LockPage>;
  /** Lists the holders of one kind of lock, or of one lock. */
  listHolders(kind: LockKind, lockName?: string): Pages<HoldersPage>;
  /** Frees all holders of a lock, whoever they are. */
  forceRelease(lockName: string, kind: LockKind): ForceReleaseResult & { readonly taken: Taken };
  statistics(): LockStatistics | PendingResult<LockStatistics>;
  /** Grants nothing new from now on and answers all that wait `draining`. Resolves when nobody holds anything. */
  drain(): Promise<void>;
  /** Stops all timers. */
  close(): void;
}
