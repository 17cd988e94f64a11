/** The locks of this process: the lock table with a clock, tokens, and work in slices where there is much of it. */

import { randomUUID } from 'node:crypto';
import type { LockKind } from '../locks/lock.ts';
import type { LockSession } from '../locks/lock-session.ts';
import { LockTable } from '../locks/lock-table.ts';
import type {
  AcquireResult,
  CancelResult,
  LockView,
  Outcome,
  ReleaseAllResult,
  ReleaseRequest,
  ReleaseResult,
  RequestId,
  TableEvent,
  TableLimits,
  WaitResult,
} from '../locks/types.ts';
import { PendingResult } from '../message/pending-result.ts';
import { compareEncoded } from '../wire/text.ts';
import { type Clock, systemClock } from './clock.ts';
import type {
  HoldersPage,
  HoldersRequest,
  ListPage,
  ListRequest,
  LockClientInfo,
  LockDescription,
  LockManager,
  LockRequest,
  LockResult,
  LockStatistics,
  ManagedSession,
} from './lock-manager.ts';
import { SlicedWork } from './sliced-work.ts';
import { StatisticsRecorder } from './stats.ts';
import { tokensFromWallClock } from './tokens.ts';

/** How much is done between two looks at the clock. */
const CLAIMS_A_STEP = 64;
const NAMES_A_STEP = 32;
/** A session with no more claims than this is freed in the turn in which it ends. */
const MAX_CLAIMS_FREED_AT_ONCE = 256;
/** What a listed holder or waiter takes beside its texts, in characters of JSON, about. */
const ENTRY_CHARACTERS = 120;

/** How much one reply tells at most. */
export interface PageLimits {
  /** Holders and waiters in one page. */
  readonly maxPageEntries: number;
  /** The length of one page, about; a single lock is told whatever its length. */
  readonly maxPageBytes: number;
}

/** How the locks of this process are kept. */
export interface LocalLockManagerOptions {
  readonly limits: TableLimits & PageLimits;
  readonly clock?: Clock;
  /** The source of fencing tokens: each greater than all before. */
  readonly nextToken?: () => number;
}

type Event = TableEvent<LockClientInfo, PendingResult<LockResult>>;

/** A lock manager whose locks end with the process. */
export class LocalLockManager implements LockManager {
  readonly epoch: string = randomUUID();
  readonly isDurable = false;
  readonly table: LockTable<LockClientInfo, PendingResult<LockResult>>;
  readonly clock: Clock;
  readonly #limits: PageLimits;
  readonly #statistics = new StatisticsRecorder();
  readonly #slicedWork: SlicedWork;
  #armedForMs = Number.POSITIVE_INFINITY;
  #stopTimer: (() => void) | undefined;
  #isSweeping = false;
  #whenSwept: (() => void)[] = [];
  #whenUnheld: (() => void) | undefined;

  constructor(options: LocalLockManagerOptions) {
    this.clock = options.clock ?? systemClock;
    this.#slicedWork = new SlicedWork(this.clock);
    this.#limits = options.limits;
    this.table = new LockTable<LockClientInfo, PendingResult<LockResult>>({
      limits: options.limits,
      nextToken: options.nextToken ?? tokensFromWallClock(),
      compareNames: compareEncoded,
    });
  }

  openSession(client: LockClientInfo): ManagedSession {
    return new LocalSession(this, this.table.openSession(client));
  }

  inspect(lockName: string, maxEntries: number, kind?: LockKind): LockDescription {
    const nowMs = this.clock.nowMs();
    return describe(this.publish(this.table.inspect(lockName, maxEntries, nowMs, kind)), nowMs);
  }

  list(request: ListRequest): PendingResult<ListPage> {
    const page = new PendingResult<ListPage>();
    const scan = this.table.scan(request, request.kind);
    this.#slicedWork.add(
      () => scan.step(NAMES_A_STEP),
      () => page.settle(this.#makePage(scan.names, scan.hasMore, request.kind)),
    );
    return page;
  }

  listHolders({ kind, lockName, afterToken, max }: HoldersRequest): PendingResult<HoldersPage> {
    const page = new PendingResult<HoldersPage>();
    const scan = this.table.scanHolders(kind, afterToken, max, lockName);
    this.#slicedWork.add(
      () => scan.step(NAMES_A_STEP),
      () => {
        const holders = scan.holders.map(({ name, session }) => ({
          lockName: name,
          name: session.subject.clientName,
          address: session.subject.address,
        }));
        page.settle(scan.hasMore ? { holders, next: scan.lastToken } : { holders });
      },
    );
    return page;
  }

  /** Waits until the sessions that have ended are worked off, so that what counts as free is counted as free. */
  statistics(): LockStatistics | PendingResult<LockStatistics> {
    const count = (): LockStatistics => ({ ...this.table.counts, ...this.#statistics.totals });
    if (!this.#isSweeping) return count();
    const statistics = new PendingResult<LockStatistics>();
    this.#whenSwept.push(() => statistics.settle(count()));
    return statistics;
  }

  drain(): Promise<void> {
    this.#handle(this.table.drain(this.clock.nowMs()));
    return new Promise((resolve) => {
      this.#whenUnheld = resolve;
      this.#afterwards();
    });
  }

  close(): void {
    this.#stopTimer?.();
  }

  /** Frees everything of a session, at once or in slices. */
  endSession(session: LockSession<LockClientInfo, PendingResult<LockResult>>): void {
    this.#handle(this.table.endSession(session, MAX_CLAIMS_FREED_AT_ONCE, this.clock.nowMs()));
    this.#afterwards();
    if (!this.table.needsSweep || this.#isSweeping) return;
    this.#isSweeping = true;
    this.#slicedWork.add(
      () => {
        this.#handle(this.table.sweep(CLAIMS_A_STEP, this.clock.nowMs()));
        return !this.table.needsSweep;
      },
      () => {
        this.#isSweeping = false;
        this.#afterwards();
        for (const tell of this.#whenSwept.splice(0)) tell();
      },
    );
  }

  /** Answers and tells whom an operation concerned, then returns its own result. */
  publish<Result extends object>(outcome: Outcome<LockClientInfo, PendingResult<LockResult>, Result>): Result {
    if (outcome.events.length > 0) this.#handle(outcome.events);
    this.#afterwards();
    return outcome.result;
  }

  recordGrant(result: LockResult): void {
    this.#statistics.recordAnswer(result);
  }

  recordReleases(count: number): void {
    this.#statistics.releases += count;
  }

  #handle(events: readonly Event[]): void {
    for (const event of events) {
      this.#statistics.recordEvent(event);
      if (event.kind === 'answered') {
        event.context.settle(toLockResult(event.result));
      } else {
        const { name, mode, tag, token, reason } = event;
        event.session.subject.lost({ lockName: name, mode, owner: tag, token, reason });
      }
    }
  }

  /** After each change: the timer is set for the next deadline, and who waits for the last hold to end is told. */
  #afterwards(): void {
    if (this.table.nextDeadlineMs < this.#armedForMs) this.#armTimer();
    if (this.#whenUnheld !== undefined && this.table.counts.holders === 0) {
      this.#whenUnheld();
      this.#whenUnheld = undefined;
    }
  }

  /** One timer, for the earliest deadline. It may go off early, when that one was withdrawn: then it is set anew. */
  #armTimer(): void {
    this.#stopTimer?.();
    this.#armedForMs = this.table.nextDeadlineMs;
    this.#stopTimer = this.clock.startTimeout(Math.max(0, this.#armedForMs - this.clock.nowMs()), () => {
      this.#slicedWork.add(
        () => {
          const nowMs = this.clock.nowMs();
          this.#handle(this.table.expire(CLAIMS_A_STEP, nowMs));
          return this.table.nextDeadlineMs > nowMs;
        },
        () => {
          this.#armedForMs = Number.POSITIVE_INFINITY;
          this.#afterwards();
        },
      );
    });
  }

  #makePage(names: readonly string[], hasMore: boolean, kind: LockKind | undefined): ListPage {
    const locks: LockDescription[] = [];
    let entriesLeft = this.#limits.maxPageEntries;
    let charactersLeft = this.#limits.maxPageBytes;
    for (const name of names) {
      const lock = this.inspect(name, this.#limits.maxPageEntries, kind);
      if (lock.holderCount + lock.waiterCount === 0) continue;
      const entries = lock.holders.length + lock.waiters.length;
      const characters = [...lock.holders, ...lock.waiters].reduce(
        (sum, { owner, name: clientName, address }) =>
          sum + owner.length + clientName.length + address.length + ENTRY_CHARACTERS,
        name.length,
      );
      const last = locks.at(-1);
      if (last !== undefined && (entries > entriesLeft || characters > charactersLeft)) {
        return { locks, next: last.lockName };
      }
      entriesLeft -= entries;
      charactersLeft -= characters;
      locks.push(lock);
    }
    const next = names.at(-1);
    return hasMore && next !== undefined ? { locks, next } : { locks };
  }
}

/** One client's locks in this process. */
class LocalSession implements ManagedSession {
  readonly #manager: LocalLockManager;
  readonly #session: LockSession<LockClientInfo, PendingResult<LockResult>>;

  constructor(manager: LocalLockManager, session: LockSession<LockClientInfo, PendingResult<LockResult>>) {
    this.#manager = manager;
    this.#session = session;
  }

  acquire(request: LockRequest): LockResult | PendingResult<LockResult> {
    const { table, clock } = this.#manager;
    const context = new PendingResult<LockResult>();
    const result = this.#manager.publish(table.acquire(this.#session, { ...request, context }, clock.nowMs()));
    if (result.status === 'queued') return context;
    const answer = toLockResult(result);
    this.#manager.recordGrant(answer);
    return answer;
  }

  release(request: ReleaseRequest): ReleaseResult {
    const { table, clock } = this.#manager;
    const result = this.#manager.publish(table.release(this.#session, request, clock.nowMs()));
    if (result.status === 'ok' && result.withdrawn === undefined) this.#manager.recordReleases(1);
    return result;
  }

  releaseAll(tag: string | undefined): ReleaseAllResult {
    const { table, clock } = this.#manager;
    const result = this.#manager.publish(table.releaseAll(this.#session, tag, clock.nowMs()));
    this.#manager.recordReleases(result.released);
    return result;
  }

  cancel(id: RequestId): CancelResult {
    const { table, clock } = this.#manager;
    return this.#manager.publish(table.cancel(this.#session, id, clock.nowMs()));
  }

  end(): void {
    this.#manager.endSession(this.#session);
  }
}

/** What the lock table says of others is left out: it speaks of them as sessions. */
function toLockResult(result: Exclude<AcquireResult | WaitResult, { readonly status: 'queued' }>): LockResult {
  if (result.status === 'timeout' || result.status === 'deadlock') return { status: result.status };
  if ('tokens' in result) throw new Error('a request for one lock was granted several');
  return result;
}

function describe(view: LockView<LockClientInfo, PendingResult<LockResult>>, nowMs: number): LockDescription {
  return {
    lockName: view.name,
    holderCount: view.holderCount,
    waiterCount: view.waiterCount,
    holders: view.holders.map(({ session, tag, mode, token, sinceMs }) => ({
      owner: tag,
      name: session.subject.clientName,
      address: session.subject.address,
      mode,
      token,
      heldMs: Math.round(nowMs - sinceMs),
    })),
    waiters: view.waiters.map(({ session, tag, mode, limit, sinceMs }) => ({
      owner: tag,
      name: session.subject.clientName,
      address: session.subject.address,
      mode,
      ...(limit === undefined ? {} : { limit }),
      waitedMs: Math.round(nowMs - sinceMs),
    })),
  };
}
