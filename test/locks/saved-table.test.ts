import { expect } from 'chai';
import fc from 'fast-check';
import { LockTable } from '../../lib/locks/lock-table.ts';
import type { SavedTable, Session, TableEvent } from '../../lib/locks/types.ts';
import type { LockInformation, RequestId } from '../../lib/protocol.ts';
import { NAMES, NO_LIMITS, type Step, steps } from './table-steps.ts';

const SESSIONS = 4;

/** A table whose sessions outlive it, and its clock. */
class Run {
  readonly table: LockTable;
  sessions: readonly Session[] = [];
  nowMs = 0;
  lastToken = 100;
  isLoading = false;

  constructor() {
    this.table = new LockTable({
      limits: NO_LIMITS,
      nextToken: () => {
        this.lastToken += 1;
        return this.lastToken;
      },
      mayGrant: () => !this.isLoading,
    });
  }

  open(): void {
    this.sessions = Array.from({ length: SESSIONS }, (_, index) =>
      this.table.openSession({ address: `host:${index}`, clientName: '', keptId: `${index}` }),
    );
  }

  /** Steps that need more than one turn are left out. */
  take(step: Step): void {
    const { table, nowMs } = this;
    if (step.step === 'move') {
      this.nowMs += step.byMs;
      table.expire(Number.POSITIVE_INFINITY, this.nowMs);
      return;
    }
    if (!('session' in step)) return;
    const session = this.sessions[step.session] as Session;
    if (step.step === 'acquire') table.acquire(session, { ...step, context: contextOf(step.session, step.id) }, nowMs);
    if (step.step === 'acquireAll')
      table.acquireAll(session, { ...step, context: contextOf(step.session, step.id) }, nowMs);
    if (step.step === 'release') table.release(session, step, nowMs);
    if (step.step === 'cancel') table.cancel(session, step.id, nowMs);
  }

  /** A run that has read what this one would save, at another time of its own clock. */
  next(): Run {
    const saved = JSON.parse(JSON.stringify(this.table.save(this.nowMs))) as SavedTable;
    const next = new Run();
    next.open();
    next.nowMs = this.nowMs + 5_000;
    next.lastToken = this.lastToken;
    const sessionOf = (index: number): number => Number(saved.sessions[index]?.id);
    const sessions = saved.sessions.map((_, index) => next.sessions[sessionOf(index)]);
    next.isLoading = true;
    next.table.load(saved, sessions, (index, id) => contextOf(sessionOf(index), id), next.nowMs);
    next.isLoading = false;
    expect(next.table.letInAll(next.nowMs)).to.deep.equal([]);
    return next;
  }

  inspectAll(): readonly LockInformation[] {
    return NAMES.map((name) => this.table.inspect(name, 1_000, this.nowMs));
  }

  /** Releases the hold with the smallest token; returns what that causes. Waits that it cancels may end in any order. */
  releaseFirst(): readonly (readonly object[])[] | undefined {
    const holders = this.inspectAll().flatMap((lock) => lock.holders);
    const first = holders.sort((a, b) => a.token - b.token)[0];
    if (first === undefined) return undefined;
    const session = this.sessions[Number(first.address.split(':')[1])] as Session;
    const { events } = this.table.release(session, { token: first.token }, this.nowMs);
    const isCancelled = (event: TableEvent): boolean =>
      event.kind === 'answered' && event.result.status === 'cancelled';
    const cancelled = events.filter(isCancelled).map(describeEvent);
    const inOrder = events.filter((event) => !isCancelled(event)).map(describeEvent);
    return [inOrder, cancelled.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))];
  }
}

function contextOf(session: number, id: RequestId | undefined): string {
  return `${session} ${typeof id} ${id}`;
}

function describeEvent(event: TableEvent): object {
  return event.kind === 'answered' ? { context: event.context, result: event.result } : event.hold;
}

describe('what a planned stop saves of the lock table', () => {
  it('gives the next run the same holders, queues, deadlines and order', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const before = new Run();
        before.open();
        for (const step of sequence) before.take(step);
        const after = before.next();
        expect(after.inspectAll()).to.deep.equal(before.inspectAll());
        expect(after.table.counts).to.deep.equal(before.table.counts);
        expect(after.table.nextDeadlineMs - after.nowMs).to.equal(before.table.nextDeadlineMs - before.nowMs);
        for (let events = before.releaseFirst(); events !== undefined; events = before.releaseFirst()) {
          expect(after.releaseFirst()).to.deep.equal(events);
        }
        expect(after.table.counts).to.include({ holders: 0, waiting: 0 });
      }),
      { numRuns: 500 },
    );
  });

  it('leaves out sessions that end with the process, and those that the next run does not know', () => {
    const run = new Run();
    run.open();
    const [anna, ben] = run.sessions as readonly [Session, Session];
    const bare = run.table.openSession({ address: 'bare', clientName: '' });
    for (const [index, session] of [anna, ben, bare].entries()) {
      const request = { mode: 'exclusive', tag: '', waitMs: Number.POSITIVE_INFINITY } as const;
      run.table.acquire(session, { ...request, name: `own ${index}` }, 0);
      run.table.acquire(session, { ...request, name: 'shared', id: 1 }, 0);
    }
    const saved = run.table.save(0);
    expect(saved.holds.map(({ name }) => name)).to.deep.equal(['own 0', 'shared', 'own 1']);
    expect(saved.waits).to.have.length(1);
    const next = new Run();
    next.open();
    const sessions = saved.sessions.map(({ id }) => (id === '1' ? next.sessions[1] : undefined));
    next.table.load(saved, sessions, () => 'ben', 0);
    const events = next.table.letInAll(0).map(describeEvent);
    expect(events).to.deep.equal([{ context: 'ben', result: { status: 'ok', token: 101, count: 1 } }]);
    expect(next.table.counts).to.include({ holders: 2, waiting: 0 });
  });
});
