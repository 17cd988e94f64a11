/** A lock table and four clients, for tests that read like a story. What happens to others is kept as news. */

import type { LockKind } from '../../lib/locks/lock.ts';
import type { LockSession } from '../../lib/locks/lock-session.ts';
import { LockTable } from '../../lib/locks/lock-table.ts';
import type { SessionEnd } from '../../lib/locks/session-end.ts';
import type {
  AcquireAllResult,
  AcquireRequest,
  AcquireResult,
  CancelResult,
  Deadlock,
  LockAllRequest,
  LockView,
  LockWanted,
  Outcome,
  ReleaseAllResult,
  ReleaseRequest,
  ReleaseResult,
  RequestId,
  TableEvent,
  TableLimits,
} from '../../lib/locks/types.ts';
import { hashText } from '../../lib/wire/text-hash.ts';

export type Session = LockSession<string, string>;

const ALL = Number.POSITIVE_INFINITY;

export class TableScene {
  readonly table: LockTable<string, string>;
  readonly anna: Session;
  readonly ben: Session;
  readonly cara: Session;
  readonly dora: Session;
  nowMs = 0;
  #news: string[] = [];

  /** Tokens are 1, 2, 3... unless they are given. */
  constructor(limits: Partial<TableLimits> = {}, tokens: readonly number[] = []) {
    let granted = 0;
    this.table = new LockTable<string, string>({
      limits: { maxLocks: 100, maxLocksPerSession: 100, maxWaitersPerLock: 100, maxLocksPerRequest: 100, ...limits },
      nextToken: () => {
        granted += 1;
        return tokens[granted - 1] ?? granted;
      },
      compareNames: (a, b) => a.length - b.length || Number(a > b) - Number(a < b),
      hashName: hashText,
    });
    this.anna = this.table.openSession('anna');
    this.ben = this.table.openSession('ben');
    this.cara = this.table.openSession('cara');
    this.dora = this.table.openSession('dora');
  }

  /** Asks for `jobs`, exclusively, untagged and for as long as it takes, unless the request says otherwise. */
  acquire(session: Session, request: Partial<AcquireRequest<string>> = {}): AcquireResult<string, string> {
    const usual: AcquireRequest<string> = {
      name: 'jobs',
      mode: 'exclusive',
      tag: '',
      waitMs: ALL,
      context: session.subject,
    };
    return this.#note(this.table.acquire(session, { ...usual, ...request }, this.nowMs));
  }

  /** Asks for several locks, exclusively unless the mode is given, untagged and for as long as it takes. */
  acquireAll(
    session: Session,
    locks: readonly (string | LockWanted)[],
    request: Partial<LockAllRequest<string>> = {},
  ): AcquireAllResult<string, string> {
    const usual: LockAllRequest<string> = {
      locks: locks.map((lock) => (typeof lock === 'string' ? { name: lock, mode: 'exclusive' } : lock)),
      tag: '',
      waitMs: ALL,
      context: session.subject,
    };
    return this.#note(this.table.acquireAll(session, { ...usual, ...request }, this.nowMs));
  }

  forceRelease(name: string = 'jobs', kind: LockKind = 'readerWriter'): number {
    return this.#note(this.table.forceRelease(name, kind, this.nowMs)).released;
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
  endSession(session: Session, max: number = ALL): SessionEnd<string, string> {
    const end = this.#note(this.table.endSession(session, this.nowMs));
    this.continueEnd(end, max);
    return end;
  }

  continueEnd(end: SessionEnd<string, string>, max: number): void {
    this.#tell(this.table.continueEnd(end, max, this.nowMs));
  }

  drain(): void {
    this.#tell(this.table.drain());
  }

  inspect(name: string = 'jobs', max: number = ALL): LockView<string, string> {
    return this.table.inspect(name, max);
  }

  /** Who holds `jobs`, in order of the grants; with the tag, if there is one. */
  holders(name: string = 'jobs'): readonly string[] {
    return this.inspect(name).holders.map(({ session, tag }) => ownerName(session, tag));
  }

  /** Who waits for `jobs`, in order of the queue. */
  waiters(name: string = 'jobs'): readonly string[] {
    return this.inspect(name).waiters.map(({ session, tag }) => ownerName(session, tag));
  }

  /** What happened since this was last asked: `context: status` and `session lost name: reason`. */
  takeNews(): readonly string[] {
    const news = this.#news;
    this.#news = [];
    return news;
  }

  #note<Result>(outcome: Outcome<string, string, Result>): Result {
    this.#tell(outcome.events);
    return outcome.result;
  }

  #tell(events: readonly TableEvent<string, string>[]): void {
    for (const event of events) {
      if (event.kind === 'lost') {
        this.#news.push(`${event.session.subject} lost ${event.name}: ${event.reason}`);
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
  const { cycle } = result as Deadlock<string, string>;
  return cycle.map(({ session, tag, name, mode, blockedBy }) => {
    return `${ownerName(session, tag)} waits for ${name} ${mode}: ${blockedBy}`;
  });
}

function ownerName(session: Session, tag: string): string {
  return tag === '' ? session.subject : `${session.subject}/${tag}`;
}
