/** The interface between the server's protocols and the locks. All times are milliseconds. */

import type { Survey, SurveyOptions } from '../locks/survey.ts';
import type {
  EarlierHold,
  LockAllRequest,
  LockKind,
  LockRequest,
  ReleaseRequest,
  Resumed,
  Resumption,
  SavedSession,
  SavedTable,
  SessionClient,
} from '../locks/types.ts';
import type { SessionClaims } from '../locks/views.ts';
import type { Logger } from '../message/logger.ts';
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
  SessionEnd,
  VerifyResult,
} from '../protocol.ts';
import type { LockObserver } from './lock-observer.ts';
import type { LockObservers } from './lock-observers.ts';

/** The answer to a request for one lock. A steal adds `taken`: the holders that lost the lock. */
export type LockResult = (Granted & { readonly taken?: Taken }) | NotGranted;

/** The answer to a request for several locks. */
export type LockAllResult = AllGranted | NotGranted;

/** Holds that were taken away: how many, and the first of them. */
export interface Taken {
  readonly count: number;
  readonly holders: readonly Omit<LockHolder, 'heldMs' | 'stealable'>[];
}

/** The answer to a release by force. */
export type ForceRelease = ForceReleaseResult & { readonly taken: Taken };

/** The client of a session, as its locks see it. */
export interface LockClientInfo extends SessionClient {
  /** Called when one of the client's holds ended although the client did not ask for that. */
  lost(hold: LostHold): void;
}

/** The client of a session of a planned stop, until it comes back. */
export interface AbsentClient extends LockClientInfo {
  /** Called with the answer to a request that waited at the stop. */
  answer(id: RequestId, result: LockResult | LockAllResult): void;
}

/** One client's locks. */
export interface ManagedSession {
  acquire(request: LockRequest): LockResult | PendingResult<LockResult>;
  /** Acquires all of the locks or none. */
  acquireAll(request: LockAllRequest): LockAllResult | PendingResult<LockAllResult>;
  release(request: ReleaseRequest): ReleaseResult | PendingResult<ReleaseResult>;
  /** Releases all locks of the session, or of one of its owners if a tag is given. */
  releaseAll(tag: string | undefined): ReleaseAllResult | PendingResult<ReleaseAllResult>;
  cancel(id: RequestId): CancelResult | PendingResult<CancelResult>;
  /** How many locks the session holds or awaits. */
  readonly claimCount: number;
  /** What the session holds and awaits, at most `max` of all. */
  claims(max: number): SessionClaims;
  /** Goes on for a client that has come back. In one step, everything that it does not list ends. */
  resume(client: LockClientInfo, resumption: Resumption): Resumed;
  /** Gives the session back what it held in an earlier run of the server; returns the tokens that it has lost. */
  restore(holds: readonly EarlierHold[]): readonly number[];
  /** Cancels the session's waits and frees its locks. The session cannot be used afterwards. */
  end(how: SessionEnd): void;
}

/** The names to list. */
export interface NamesRequest {
  /** Only locks of this kind, if given. */
  readonly kind?: LockKind | undefined;
  /** Only names that begin with this; an empty text means all. */
  readonly prefix: string;
  /** Only names after this one. */
  readonly after?: string | undefined;
}

/** The most that one reply contains. */
export interface PageLimits {
  /** Holders and waiters in one page, or owners in one cycle. */
  readonly maxPageEntries: number;
  /** The rough length of one page or cycle. A single lock is sent however long it is. */
  readonly maxPageBytes: number;
}

/** A listing, page by page. Ask for the next page only when the one before has come. */
export interface Pages<Page extends object> {
  /** Resolves to up to `max` entries; never, once `isWanted` is false, as it is for a client that is gone. */
  nextPage(max: number, isWanted?: () => boolean): PendingResult<Page>;
}

/** One page of holders, in the order of their grants. */
export interface HoldersPage {
  readonly holders: readonly NamedLockHolder[];
  readonly isLast: boolean;
}

/** Keeps the locks of many clients. */
export interface LockManager {
  /** Identifies one run of the locks. It changes when a restart has lost them. */
  readonly epoch: string;
  /** Names the series of the tokens, a UUID: those of different lineages cannot be compared. */
  readonly lineage: string;
  /** Whether tokens keep growing over a restart even if the wall clock is set back. */
  readonly isDurable: boolean;
  /**
   * Has observers told of what happens to locks and sessions from now on. Returns all of them together: the server tells them of what
   * the locks do not know, and adds others.
   */
  observe(observers: readonly LockObserver[], logger: Logger): LockObservers;
  openSession(client: LockClientInfo): ManagedSession;
  /** Lists at most `maxEntries` holders and as many waiters, of one kind of lock if given. */
  inspect(lockName: string, maxEntries: number, kind?: LockKind): LockInformation | PendingResult<LockInformation>;
  /** Lists names. A name that is in use from the first page to the last is always listed. */
  list(request: NamesRequest): Pages<LockPage>;
  /** Lists the holders of one kind of lock, or of one lock. */
  listHolders(kind: LockKind, lockName?: string): Pages<HoldersPage>;
  /** Finds what stands out among all locks, in slices. */
  survey(options: SurveyOptions): PendingResult<Survey>;
  /** Tells whether a lock is still held with a token. */
  verify(lockName: string, token: number): VerifyResult | PendingResult<VerifyResult>;
  /** Frees a lock, whoever holds it. */
  forceRelease(lockName: string, kind: LockKind): ForceRelease | PendingResult<ForceRelease>;
  /** Whether grants are held back: requests queue, and a try-lock is unavailable. */
  holdBack(isHeldBack: boolean): void;
  /**
   * Makes all further tokens greater than this one of an earlier run; resolves once that is on record. Rejects with a RangeError when no
   * run can have given such a token.
   */
  raiseTokens(token: number): Promise<void>;
  statistics(): LockStatistics | PendingResult<LockStatistics>;
  /** How many tokens can be given before more must be reserved. */
  readonly tokensLeft: number;
  /**
   * From now on grants nothing and answers all waiters `draining`, but those whose sessions outlive the process. Resolves when nothing
   * is held.
   */
  drain(): Promise<void>;
  /** What the sessions that outlive the process hold and await. */
  save(): SavedTable;
  /**
   * Gives the sessions of a planned stop what they had, but for those without a client; returns them by their ids. Grants must be held
   * back meanwhile.
   */
  load(
    saved: SavedTable,
    clientOf: (session: SavedSession) => AbsentClient | undefined,
  ): ReadonlyMap<string, ManagedSession>;
  /** Stops all timers. */
  close(): void;
}
