/** A lock table and four clients, for tests that read like a story. What happens to others is kept as news. */

import { LockTable } from '../../lib/locks/lock-table.ts';
import type {
  AcquireAllResult,
  AcquireResult,
  LockAllRequest,
  LockKind,
  LockRequest,
  LockWanted,
  Outcome,
  ReleaseRequest,
  Session,
  SessionEnd,
  TableEvent,
  TableLimits,
} from '../../lib/locks/types.ts';
import type {
  CancelResult,
  Deadlock,
  LockInformation,
  ReleaseAllResult,
  ReleaseResult,
  RequestId,
} from '../../lib/protocol.ts';

const ALL = Number.POSITIVE_INFINITY;

export class TableScene {
  readonly table: LockTable;
  readonly anna: Session;
  readonly ben: Session;
  readonly cara: Session;
  readonly dora: Session;
  nowMs = 0;
  #news: string[] = [];

  /** Tokens are 1, 2, 3... unless they are given. */
  constructor(limits: Partial<TableLimits> = {}, tokens: readonly number[] = []) {
    let granted = 0;
    this.table = new LockTable({
      limits: { maxLocks: 100, maxLocksPerSession: 100, maxWaitersPerLock: 100, maxLocksPerRequest: 100, ...limits },
      nextToken: () => {
        granted += 1;
        return tokens[granted - 1] ?? granted;
      },
      compareNames: (a, b) => a.length - b.length || Number(a > b) - Number(a < b),
    });
    this.anna = this.table.openSession({ clientName: 'anna', address: 'anna:1' });
    this.ben = this.table.openSession({ clientName: 'ben', address: 'ben:1' });
    this.cara = this.table.openSession({ clientName: 'cara', address: 'cara:1' });
    this.dora = this.table.openSession({ clientName: 'dora', address: 'dora:1' });
  }

  /** Asks for `jobs`, exclusively, untagged and for as long as it takes, unless the request says otherwise. */
  acquire(session: Session, request: Partial<LockRequest> = {}): AcquireResult {
    const usual: LockRequest = {
      name: 'jobs',
      mode: 'exclusive',
      tag: '',
      waitMs: ALL,
      context: session.client.clientName,
    };
    return this.#note(this.table.acquire(session, { ...usual, ...request }, this.nowMs));
  }

  /** Asks for several locks, exclusively unless the mode is given, untagged and for as long as it takes. */
  acquireAll(
    session: Session,
    locks: readonly (string | LockWanted)[],
    request: Partial<LockAllRequest> = {},
  ): AcquireAllResult {
    const usual: LockAllRequest = {
      locks: locks.map((lock) => (typeof lock === 'string' ? { name: lock, mode: 'exclusive' } : lock)),
      tag: '',
      waitMs: ALL,
      context: session.client.clientName,
    };
    return this.#note(this.table.acquireAll(session, { ...usual, ...request }, this.nowMs));
  }

  forceRelease(name: string = 'jobs', kind: LockKind = 'readerWriter'): number {
    return this.#note(this.table.forceRelease(name, kind, this.nowMs));
  }

  release(session: Session, request: ReleaseRequest = { name: 'jobs' }): ReleaseResult {
    return this.#note(this.table.release(session, request, this.nowMs));
  }

  releaseAll(session: Session, tag?: string): ReleaseAllResult {
    return this.#note(this.table.releaseAll(session, tag, this.nowMs));
  }

  cancel(session: Session, id: RequestId): CancelResult['outcome'] {
    return this.#note(this.table.cancel(session, id, this.nowMs)).outcome;
  }

  /** Lets time pass and ends what is due then. */
  wait(ms: number, max: number = ALL): void {
    this.nowMs += ms;
    this.#tell(this.table.expire(max, this.nowMs));
  }

  /** Ends a session and works off up to `max` of its claims; the rest is for `continueEnd`. */
  endSession(session: Session, max: number = ALL): SessionEnd {
    const end = this.#note(this.table.endSession(session, this.nowMs));
    this.continueEnd(end, max);
    return end;
  }

  continueEnd(end: SessionEnd, max: number): void {
    this.#tell(this.table.continueEnd(end, max, this.nowMs));
  }

  drain(): void {
    this.#tell(this.table.drain());
  }

  inspect(name: string = 'jobs', max: number = ALL): LockInformation {
    return this.table.inspect(name, max, this.nowMs);
  }

  /** Who holds `jobs`, in order of the grants; with the tag, if there is one. */
  holders(name: string = 'jobs'): readonly string[] {
    return this.inspect(name).holders.map(ownerName);
  }

  /** Who waits for `jobs`, in order of the queue. */
  waiters(name: string = 'jobs'): readonly string[] {
    return this.inspect(name).waiters.map(ownerName);
  }

  /** What happened since this was last asked: `context: status` and `session lost name: reason`. */
  takeNews(): readonly string[] {
    const news = this.#news;
    this.#news = [];
    return news;
  }

  #note<Result>(outcome: Outcome<Result>): Result {
    this.#tell(outcome.events);
    return outcome.result;
  }

  #tell(events: readonly TableEvent[]): void {
    for (const event of events) {
      if (event.kind === 'lost') {
        this.#news.push(`${event.session.client.clientName} lost ${event.hold.lockName}: ${event.hold.reason}`);
      } else {
        const isShared = event.result.status === 'ok' && event.result.alreadyHeld === true;
        this.#news.push(`${event.context}: ${event.result.status}${isShared ? ' alreadyHeld' : ''}`);
      }
    }
  }
}

/** A cycle as text: who waits for what, and how the next one keeps him from it. */
export function viewCycle(result: { readonly status: string }): readonly string[] {
  if (!('cycle' in result)) return [result.status];
  const { cycle = [] } = result as Deadlock;
  return cycle.map((step) => `${ownerName(step)} waits for ${step.lockName} ${step.mode}: ${step.blockedBy}`);
}

function ownerName({ name, owner }: { readonly name: string; readonly owner: string }): string {
  return owner === '' ? name : `${name}/${owner}`;
}
