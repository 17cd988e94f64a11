/** The locks of this process: the lock table with a clock, tokens, and work in slices where there is much of it. */

import { randomUUID } from 'node:crypto';
import type { Listing } from '../locks/listing.ts';
import type { LockKind } from '../locks/lock.ts';
import type { LockSession } from '../locks/lock-session.ts';
import { LockTable } from '../locks/lock-table.ts';
import type {
  CancelResult,
  NamesRequest,
  Outcome,
  ReleaseAllResult,
  ReleaseRequest,
  ReleaseResult,
  RequestId,
  TableEvent,
  TableLimits,
} from '../locks/types.ts';
import { PendingResult } from '../message/pending-result.ts';
import { ReleasedResult } from '../wire/reply-printer.ts';
import { compareEncoded } from '../wire/text.ts';
import { hashText } from '../wire/text-hash.ts';
import { type Clock, systemClock } from './clock.ts';
import {
  charactersOf,
  type DescribedAnswer,
  describeAnswer,
  describeLock,
  describeTaken,
  type TableAnswer,
} from './lock-descriptions.ts';
import type {
  ForceReleaseResult,
  HoldersPage,
  ListPage,
  LockAllRequest,
  LockAllResult,
  LockClientInfo,
  LockDescription,
  LockManager,
  LockRequest,
  LockResult,
  LockStatistics,
  ManagedSession,
  PageLimits,
  Pages,
} from './lock-manager.ts';
import { SlicedWork } from './sliced-work.ts';
import { StatisticsRecorder } from './stats.ts';
import { tokensFromWallClock } from './tokens.ts';

/** How much is done between two looks at the clock. */
const CLAIMS_A_STEP = 64;
const NAMES_A_STEP = 32;

/** How the locks of this process are kept. */
export interface LocalLockManagerOptions {
  readonly limits: TableLimits & PageLimits;
  readonly clock?: Clock;
  /** The source of fencing tokens: each greater than all before. */
  readonly nextToken?: () => number;
}

/** Where the answer of a request goes that has to wait; what it is answered is what it asked for. */
interface Context {
  settle(answer: LockResult | LockAllResult): void;
}

type Event = TableEvent<LockClientInfo, Context>;

/** A lock manager whose locks end with the process. */
export class LocalLockManager implements LockManager {
  readonly epoch: string = randomUUID();
  readonly isDurable = false;
  readonly table: LockTable<LockClientInfo, Context>;
  readonly clock: Clock;
  readonly #limits: PageLimits;
  readonly #statistics = new StatisticsRecorder();
  readonly #slicedWork: SlicedWork;
  #armedForMs = Number.POSITIVE_INFINITY;
  #stopTimer: (() => void) | undefined;
  #whenUnheld: (() => void) | undefined;

  constructor(options: LocalLockManagerOptions) {
    this.clock = options.clock ?? systemClock;
    this.#slicedWork = new SlicedWork(this.clock);
    this.#limits = options.limits;
    this.table = new LockTable<LockClientInfo, Context>({
      limits: options.limits,
      nextToken: options.nextToken ?? tokensFromWallClock(),
      compareNames: compareEncoded,
      hashName: hashText,
    });
  }

  openSession(client: LockClientInfo): ManagedSession {
    return new LocalSession(this, this.table.openSession(client));
  }

  inspect(lockName: string, maxEntries: number, kind?: LockKind): LockDescription {
    return describeLock(this.table.inspect(lockName, maxEntries, kind), this.clock.nowMs());
  }

  list(request: NamesRequest): Pages<ListPage> {
    const listing = this.table.listNames(request);
    return this.#inSlices(listing, (max) => this.#makePage(listing, max, request.kind));
  }

  listHolders(kind: LockKind, lockName?: string): Pages<HoldersPage> {
    const listing = this.table.listHolders(kind, lockName);
    return this.#inSlices(listing, (max): HoldersPage => {
      const holders = listing.peekHolders(max).map(({ name, session }) => ({
        lockName: name,
        name: session.subject.clientName,
        address: session.subject.address,
      }));
      listing.skip(max);
      return { holders, isLast: listing.isOver };
    });
  }

  forceRelease(lockName: string, kind: LockKind): ForceReleaseResult {
    const outcome = this.table.forceRelease(lockName, kind, this.clock.nowMs());
    return { ...this.publish(outcome), taken: describeTaken(outcome.events) };
  }

  statistics(): LockStatistics {
    return { ...this.table.counts, ...this.#statistics.totals };
  }

  drain(): Promise<void> {
    this.#handle(this.table.drain());
    return new Promise((resolve) => {
      this.#whenUnheld = resolve;
      this.#afterwards();
    });
  }

  close(): void {
    this.#stopTimer?.();
  }

  /** Frees what a session has, in slices that all ends share: thousands may end in one turn. */
  endSession(session: LockSession<LockClientInfo, Context>): void {
    const end = this.publish(this.table.endSession(session, this.clock.nowMs()));
    if (end.isOver) return;
    this.#slicedWork.add(
      () => {
        this.#handle(this.table.continueEnd(end, CLAIMS_A_STEP, this.clock.nowMs()));
        return end.isOver;
      },
      () => this.#afterwards(),
    );
  }

  /** Answers and tells whom an operation concerned, then returns its own result. */
  publish<Result extends object>(outcome: Outcome<LockClientInfo, Context, Result>): Result {
    if (outcome.events.length > 0) this.#handle(outcome.events);
    this.#afterwards();
    return outcome.result;
  }

  /** Counts what the table answered at once, and returns it as clients are told it. */
  answer<Given extends TableAnswer>(given: Given): DescribedAnswer<Given> {
    this.#statistics.recordAnswer(given);
    return describeAnswer(given, this.#limits, this.clock);
  }

  recordReleases(count: number): void {
    this.#statistics.releases += count;
  }

  #handle(events: readonly Event[]): void {
    // Each handoff comes by here, and an iterator would be one more thing to make and to collect.
    for (let index = 0; index < events.length; index += 1) {
      const event = events[index] as Event;
      this.#statistics.recordEvent(event);
      if (event.kind === 'answered') {
        event.context.settle(describeAnswer(event.result, this.#limits, this.clock));
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

  #inSlices<Page extends object>(
    listing: Pick<Listing<unknown>, 'step'>,
    makePage: (max: number) => Page,
  ): Pages<Page> {
    return {
      nextPage: (max) => {
        const page = new PendingResult<Page>();
        this.#slicedWork.add(
          () => listing.step(NAMES_A_STEP, max),
          () => page.settle(makePage(max)),
        );
        return page;
      },
    };
  }

  #makePage(listing: Listing<string>, max: number, kind: LockKind | undefined): ListPage {
    const locks: LockDescription[] = [];
    const names = listing.peek(max);
    const size = { entries: 0, characters: 0 };
    let count = 0;
    for (; count < names.length; count += 1) {
      const lock = this.inspect(names[count] as string, this.#limits.maxPageEntries, kind);
      if (lock.holderCount + lock.waiterCount === 0) continue;
      addSize(size, lock);
      if (locks.length > 0 && this.#isTooLarge(size)) break;
      locks.push(lock);
    }
    listing.skip(count);
    const next = listing.isOver ? undefined : listing.position;
    return next === undefined ? { locks } : { locks, next };
  }

  #isTooLarge({ entries, characters }: PageSize): boolean {
    return entries > this.#limits.maxPageEntries || characters > this.#limits.maxPageBytes;
  }
}

interface PageSize {
  entries: number;
  characters: number;
}

function addSize(size: PageSize, { lockName, holders, waiters }: LockDescription): void {
  size.entries += holders.length + waiters.length;
  size.characters += lockName.length;
  for (const entry of [...holders, ...waiters]) size.characters += charactersOf(entry);
}

/** One client's locks in this process. */
class LocalSession implements ManagedSession {
  readonly #manager: LocalLockManager;
  readonly #session: LockSession<LockClientInfo, Context>;

  constructor(manager: LocalLockManager, session: LockSession<LockClientInfo, Context>) {
    this.#manager = manager;
    this.#session = session;
  }

  acquire(request: LockRequest): LockResult | PendingResult<LockResult> {
    const { table, clock } = this.#manager;
    const outcome = table.acquire(this.#session, request, clock.nowMs());
    const result = this.#manager.publish(outcome);
    if (result.status === 'queued') return request.context;
    const answer = this.#manager.answer(result);
    if (request.steal === undefined || answer.status !== 'ok') return answer;
    return { ...answer, taken: describeTaken(outcome.events) };
  }

  acquireAll(request: LockAllRequest): LockAllResult | PendingResult<LockAllResult> {
    const { table, clock } = this.#manager;
    const context = new PendingResult<LockAllResult>();
    const result = this.#manager.publish(table.acquireAll(this.#session, { ...request, context }, clock.nowMs()));
    return result.status === 'queued' ? context : this.#manager.answer(result);
  }

  release(request: ReleaseRequest): ReleaseResult {
    const { table, clock } = this.#manager;
    const result = this.#manager.publish(table.release(this.#session, request, clock.nowMs()));
    if (result.status !== 'ok' || result.withdrawn !== undefined) return result;
    this.#manager.recordReleases(1);
    return new ReleasedResult(result.count);
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
