import { expect } from 'chai';
import { PendingResult } from '../../lib/message/pending-result.ts';
import { LocalLockManager } from '../../lib/server/local-lock-manager.ts';
import type { ManagedSession } from '../../lib/server/lock-manager.ts';
import { DEFAULT_LOCK_SERVER_LIMITS } from '../../lib/server/lock-server-limits.ts';
import { ManualClock } from '../../lib/testing/test-clock.ts';
import { numbered } from './odd-names.ts';

const MANY = 2_000;
/** More than what is done before the next look at the clock. */
const MUCH = 64;
const LIMITS = { ...DEFAULT_LOCK_SERVER_LIMITS, maxPageEntries: 10 };

/** A clock on which each look takes longer than any budget, so that a turn ends behind one step of the work. */
class SlowClock extends ManualClock {
  #looks = 0;
  #deferred: (() => void)[] = [];

  override measureMs(): number {
    this.#looks += 1;
    return this.#looks;
  }

  override defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  nextTurn(): void {
    for (const callback of this.#deferred.splice(0)) callback();
  }
}

describe('long work of the lock manager', () => {
  let clock: SlowClock;
  let manager: LocalLockManager;

  beforeEach(() => {
    clock = new SlowClock(() => Promise.resolve());
    manager = new LocalLockManager({ limits: LIMITS, clock });
  });

  function openSession(): ManagedSession {
    return manager.openSession({ address: 'here', clientName: '', lost: () => {} });
  }

  /** How much each turn takes away, until nothing is left. */
  function stepsOf(countLeft: () => number): number[] {
    const steps: number[] = [];
    for (let left = countLeft(); left > 0; left = countLeft()) {
      clock.nextTurn();
      steps.push(left - countLeft());
    }
    return steps;
  }

  const holders = (): number => manager.statistics().holders;
  const waiting = (): number => manager.statistics().waiting;

  it('ends a session few locks at a time', () => {
    const session = openSession();
    for (const name of numbered(MANY)) session.acquire({ name, mode: 'exclusive', tag: '', waitMs: 0 });
    session.end('left');
    const steps = stepsOf(holders);
    expect(Math.max(...steps)).to.be.within(1, MUCH);
  });

  it('ends leases that are over few at a time', async () => {
    const session = openSession();
    for (const name of numbered(MANY))
      session.acquire({ name, mode: 'exclusive', tag: '', waitMs: 0, leaseMs: 1, isStealable: false });
    await clock.advance(1);
    expect(Math.max(...stepsOf(holders))).to.be.within(1, MUCH);
  });

  it('lets in those that wait few at a time', () => {
    const [holder, crowd] = [openSession(), openSession()];
    holder.acquire({ name: 'hot', mode: 'exclusive', tag: '', waitMs: 0 });
    for (let tag = 0; tag < MANY; tag += 1)
      crowd.acquire({ name: 'hot', mode: 'shared', tag: `${tag}`, waitMs: Number.POSITIVE_INFINITY });
    holder.release({ name: 'hot' });
    expect(waiting(), 'at once, since no time is left').to.be.above(MANY - MUCH);
    expect(Math.max(...stepsOf(waiting))).to.be.within(1, MUCH);
  });

  it('looks for a deadlock of many owners over many turns', () => {
    const session = openSession();
    const answered: string[] = [];
    const ask = (tag: number, name: number, waitMs: number): void => {
      const answer = session.acquire({ name: `${name}`, mode: 'exclusive', tag: `${tag}`, waitMs });
      if (answer instanceof PendingResult) answer.whenSettled(({ status }) => answered.push(status));
    };
    for (let number = 0; number < MANY; number += 1) ask(number, number, 0);
    for (let number = 0; number < MANY; number += 1) ask(number, (number + 1) % MANY, Number.POSITIVE_INFINITY);
    let turns = 0;
    for (; answered.length === 0; turns += 1) clock.nextTurn();
    expect(answered).to.deep.equal(['deadlock']);
    expect(turns).to.be.above(10);
  });

  it('looks for a token among many holders over many turns', () => {
    const session = openSession();
    for (let tag = 0; tag < MANY; tag += 1) session.acquire({ name: 'hot', mode: 'shared', tag: `${tag}`, waitMs: 0 });
    let outcome = '';
    const answer = manager.verify('hot', Number.MAX_SAFE_INTEGER);
    if (!(answer instanceof PendingResult)) throw new Error('the answer came at once');
    answer.whenSettled((settled) => {
      outcome = settled.outcome;
    });
    let turns = 0;
    for (; outcome === ''; turns += 1) clock.nextTurn();
    expect(outcome).to.equal('unknown');
    expect(turns).to.be.above(10);
  });

  it('goes over the names of a listing over many turns, and a lease does not wait for that', async () => {
    const session = openSession();
    for (const name of numbered(MANY)) session.acquire({ name, mode: 'exclusive', tag: '', waitMs: 0 });
    session.acquire({ name: 'leased', mode: 'exclusive', tag: '', waitMs: 0, leaseMs: 1, isStealable: false });
    let listed = 0;
    for (let count = 0; count < 10; count += 1) {
      manager
        .list({ prefix: '' })
        .nextPage(10)
        .whenSettled(() => {
          listed += 1;
        });
    }
    await clock.advance(1);
    clock.nextTurn();
    clock.nextTurn();
    expect(holders()).to.equal(MANY);
    let turns = 0;
    for (; listed === 0; turns += 1) clock.nextTurn();
    expect(turns).to.be.above(10);
  });
});
