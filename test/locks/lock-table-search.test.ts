import { expect } from 'chai';
import type { TableEvent } from '../../lib/locks/types.ts';
import {
  acquire,
  acquireAll,
  anna,
  ben,
  cancel,
  cara,
  catchUp,
  dora,
  drain,
  endSession,
  expectNews,
  forceRelease,
  release,
  startTable,
  table,
  takeNews,
  viewCycle,
  wait,
  waiters,
} from './table-scene.ts';

const X = { tag: 'x' } as const;
const PERMIT = { tag: 'x', mode: 'permit' } as const;

/** More slices than any search here takes. */
const MOST_SLICES = 60;

/** Every deadlock is looked for later. */
function startWithoutStepsAtOnce(): void {
  startTable({}, [], { searchStepsAtOnce: 0 });
}

/** Anna holds `a` and waits for `b`, Ben holds `b` and waits for `a`; Anna came last. */
function startWithCircle(): void {
  startWithoutStepsAtOnce();
  acquire(anna, { ...X, name: 'a', id: 1 });
  acquire(ben, { ...X, name: 'b' });
  acquire(ben, { ...X, name: 'a', id: 1, waitMs: 100 });
  acquire(anna, { ...X, name: 'b', id: 2, waitMs: 200 });
}

/** Dora holds `busy` and waits for Anna. */
function startWithAnnaWaitedFor(): void {
  startWithoutStepsAtOnce();
  acquire(dora, { name: 'busy' });
  acquire(anna, { ...X, name: 'm' });
  acquire(dora, { name: 'm' });
}

/** Ben waits for `busy` and for Cara, and Cara waits for `busy` behind Ben, who is in her way also when he holds it. */
function closeCircleBehindBen(): void {
  acquire(cara, { ...X, name: 'k' });
  acquire(ben, { ...X, name: 'busy', context: 'ben at busy' });
  acquire(ben, { ...X, name: 'k', context: 'ben at k' });
  acquire(cara, { ...X, name: 'busy' });
}

/** Does something at each moment of a search, and finishes it. */
function atEachMoment(start: () => void, act: () => void, expectEnd: () => void) {
  for (let slices = 0; slices < MOST_SLICES; slices += 1) {
    start();
    catchUp(slices);
    act();
    catchUp();
    expectEnd();
  }
}

describe('lock table', () => {
  describe('deadlocks that are looked for in slices', () => {
    it('are refused while the request waits', () => {
      startWithCircle();
      expect(waiters('b')).to.deep.equal(['anna/x']);
      expect(takeNews()).to.deep.equal([]);
      catchUp();
      expect(takeNews()).to.deep.equal(['anna: deadlock']);
      expect(waiters('b')).to.deep.equal([]);
      expect(table.counts).to.include({ waiting: 1, holders: 2 });
      expect(table.nextDeadlineMs).to.equal(100);
    });

    for (const [how, searchStepsAtOnce] of [
      ['at once', 1_000],
      ['in slices', 0],
    ] as const) {
      it(`are told without a cycle that is too long, found ${how}`, () => {
        startTable({}, [], { searchStepsAtOnce, maxCycleSteps: () => 2 });
        for (const [session, name] of [
          [anna, 'a'],
          [ben, 'b'],
          [cara, 'c'],
        ] as const)
          acquire(session, { ...X, name });
        acquire(ben, { ...X, name: 'c' });
        acquire(cara, { ...X, name: 'a' });
        const answers: unknown[] = [acquire(anna, { ...X, name: 'b' })];
        while (table.isBehind) {
          answers.push(...table.catchUp(1, 0).map((event) => event.kind === 'answered' && event.result));
        }
        expect(answers.at(-1)).to.deep.equal({ status: 'deadlock' });
        expect(waiters('b')).to.deep.equal([]);
      });
    }

    it('are told with the cycle', () => {
      startWithCircle();
      const events: TableEvent[] = [];
      while (table.isBehind) events.push(...table.catchUp(1, 0));
      expect(events.map((event) => event.kind === 'answered' && viewCycle(event.result))).to.deep.equal([
        ['anna/x waits for b exclusive: holder', 'ben/x waits for a exclusive: holder'],
      ]);
    });

    it('are not told once they are over, whenever that happens', () => {
      const ways: (() => void)[] = [
        () => cancel(ben, 1),
        () => wait(100),
        () => release(ben, { ...X, name: 'a' }),
        () => release(ben, { ...X, name: 'b' }),
        () => forceRelease('b'),
        () => endSession(ben, 0),
        () => endSession(ben),
        () => cancel(anna, 2),
        () => endSession(anna),
        () => drain(),
      ];
      for (const end of ways) {
        let news: readonly string[] = [];
        atEachMoment(
          startWithCircle,
          () => {
            news = takeNews();
            if (news.length === 0) end();
          },
          () => {
            if (news.length === 0) expect(takeNews()).not.to.include('anna: deadlock');
          },
        );
      }
    });

    it('are found although others come, go and are let in meanwhile', () => {
      atEachMoment(
        () => {
          startWithCircle();
          acquire(dora, { name: 'free', id: 1 });
          acquire(cara, { ...X, name: 'a', id: 1, context: 'cara at a' });
          acquire(cara, { ...X, name: 'free', context: 'cara at free' });
          acquire(cara, { ...X, tag: 'y', name: 'b', id: 2, context: 'cara at b' });
        },
        () => {
          release(dora, { name: 'free' });
          cancel(cara, 2);
          acquire(dora, { ...X, name: 'b', context: 'dora at b' });
        },
        () => {
          expect(takeNews()).to.have.members(['anna: deadlock', 'cara at free: ok', 'cara at b: cancelled']);
        },
      );
    });

    it('are found although a member of the circle is let in elsewhere meanwhile', () => {
      const start = () => {
        startWithAnnaWaitedFor();
        acquire(ben, { ...X, name: 'j' });
        acquire(anna, { ...X, name: 'j', context: 'anna' });
        closeCircleBehindBen();
      };
      atEachMoment(
        start,
        () => release(dora, { name: 'busy' }),
        () => expect(takeNews()).to.have.members(['ben at busy: ok', 'cara: deadlock']),
      );
    });

    it('are found although a member of the circle is let in behind another meanwhile', () => {
      const start = () => {
        startWithAnnaWaitedFor();
        acquire(anna, { ...X, name: 'busy', context: 'anna' });
        closeCircleBehindBen();
      };
      const letBenIn = () => {
        release(dora, { name: 'busy' });
        release(anna, { ...X, name: 'busy' });
      };
      atEachMoment(start, letBenIn, () => {
        expect(takeNews()).to.have.members(['anna: ok', 'ben at busy: ok', 'cara: deadlock']);
      });
    });

    it('are found although a waiter ahead gives up meanwhile', () => {
      const start = () => {
        startWithAnnaWaitedFor();
        acquire(anna, { ...X, name: 'busy', id: 1, context: 'anna' });
        closeCircleBehindBen();
      };
      atEachMoment(
        start,
        () => cancel(anna, 1),
        () => expect(takeNews()).to.have.members(['anna: cancelled', 'cara: deadlock']),
      );
    });

    it('are refused to an owner that asked before, but for the request that closed the circle', () => {
      startWithAnnaWaitedFor();
      acquire(anna, { ...X, name: 'busy', context: 'anna at busy' });
      acquire(ben, { ...X, name: 'b' });
      acquire(dora, { name: 'b' });
      acquire(ben, { ...X, name: 'm', context: 'ben at m' });
      acquire(anna, { ...X, name: 'b', context: 'anna at b' });
      catchUp();
      expect(takeNews()).to.deep.equal(['anna at b: deadlock']);
    });

    it('are refused to the last request that was not searched yet', () => {
      startWithoutStepsAtOnce();
      for (const [session, name] of [
        [anna, 'a'],
        [ben, 'b'],
        [cara, 'c'],
      ] as const) {
        acquire(session, { ...X, name });
        acquire(dora, { name, waitMs: 500 });
      }
      acquire(anna, { ...X, name: 'b' });
      acquire(cara, { ...X, name: 'a' });
      acquire(ben, { ...X, name: 'c' });
      catchUp();
      expect(takeNews()).to.deep.equal(['ben: deadlock']);
    });

    it('are all found, if there are several', () => {
      startWithCircle();
      acquire(cara, { ...X, name: 'c' });
      acquire(dora, { ...X, name: 'd' });
      acquire(dora, { ...X, name: 'c' });
      catchUp(3);
      acquire(cara, { ...X, name: 'd' });
      catchUp();
      expect(takeNews()).to.deep.equal(['anna: deadlock', 'cara: deadlock']);
    });

    it('are found also where only the refusal of another leaves two owners to wait for each other', () => {
      startWithoutStepsAtOnce();
      acquire(ben, { ...X, name: 'b' });
      acquire(cara, { ...X, name: 'c' });
      acquireAll(anna, ['b', 'a'], { ...X });
      acquire(anna, { ...X, name: 'c' });
      acquire(ben, { ...X, name: 'a' });
      acquire(cara, { ...X, name: 'a' });
      catchUp();
      expect(takeNews()).to.deep.equal(['ben: deadlock', 'cara: deadlock']);
    });

    it('are not told when one ahead asks for less meanwhile', () => {
      const start = () => {
        startWithoutStepsAtOnce();
        acquire(dora, { name: 'd' });
        acquire(anna, { ...X, name: 'a' });
        acquire(ben, { ...X, name: 'd', id: 1, context: 'ben exclusive' });
        acquire(ben, { ...X, name: 'd', mode: 'shared', context: 'ben shared' });
        acquire(anna, { ...X, name: 'd', mode: 'shared', context: 'anna shared' });
        acquire(ben, { ...X, name: 'a', context: 'ben at a' });
      };
      const act = () => {
        takeNews();
        cancel(ben, 1);
      };
      atEachMoment(start, act, () => expectNews('ben exclusive: cancelled'));
    });

    it('end all requests that share the place', () => {
      startWithCircle();
      acquire(anna, { ...X, name: 'b', context: 'again' });
      catchUp();
      expect(takeNews()).to.deep.equal(['anna: deadlock', 'again: deadlock']);
    });

    it('end a request for several locks in all its queues', () => {
      startWithoutStepsAtOnce();
      acquire(anna, { ...X, name: 'a' });
      acquire(ben, { ...X, name: 'b' });
      acquire(ben, { ...X, name: 'a' });
      acquireAll(anna, ['free', 'b'], { ...X });
      acquire(cara, { name: 'free' });
      catchUp();
      expect(takeNews()).to.deep.equal(['anna: deadlock', 'cara: ok']);
    });

    it('end the wait of an owner after its permit without limit passed the others', () => {
      startWithoutStepsAtOnce();
      acquire(dora, { ...PERMIT, name: 'p' });
      acquire(ben, { ...X, name: 'b' });
      acquire(ben, { ...PERMIT, name: 'p', limit: 1 });
      acquire(anna, { ...X, name: 'b' });
      expect(acquire(anna, { ...PERMIT, name: 'p' })).to.include({ status: 'ok' });
      catchUp();
      expect(takeNews()).to.deep.equal(['anna: deadlock']);
      expect(waiters('b')).to.deep.equal([]);
    });

    it('are not looked for any more when nobody waits', () => {
      startWithCircle();
      drain();
      catchUp(3);
      expect(table.isBehind).to.equal(false);
    });

    it('are very large ones, and after several large ones all but small ones, until a search is over', () => {
      startTable({ maxLocks: 20_000, maxLocksPerSession: 20_000 });
      /** Closes a circle of so many owners. */
      const isRefusedAtOnce = (owners: number, circle: string): boolean => {
        const tag = (index: number) => `${circle} ${index % owners}`;
        const ask = (index: number) => acquire(anna, { tag: tag(index), name: tag(index + 1), context: circle });
        for (let index = 0; index < owners; index += 1) acquire(anna, { tag: tag(index), name: tag(index) });
        for (let index = 0; index < owners - 1; index += 1) ask(index);
        return ask(owners - 1).status === 'deadlock';
      };
      let refusedCount = 0;
      while (isRefusedAtOnce(50, `${refusedCount}`)) refusedCount += 1;
      expect(refusedCount).to.be.greaterThan(5);
      expect(isRefusedAtOnce(2, 'small')).to.equal(true);
      expect(takeNews()).to.deep.equal([]);
      catchUp();
      expect(takeNews()).to.deep.equal([`${refusedCount}: deadlock`]);
      expect(isRefusedAtOnce(50, 'again')).to.equal(true);
      expect(isRefusedAtOnce(1_000, 'large')).to.equal(false);
    });

    it('keep nothing of owners that wait no longer', () => {
      startTable({ maxLocksPerSession: 20_000 }, [], { searchStepsAtOnce: 0 });
      acquire(ben, { ...X, name: 'b' });
      acquire(cara, { name: 'busy' });
      for (let count = 0; count < 10_000; count += 1) {
        const tag = `${count}`;
        acquire(anna, { tag, name: 'own' });
        acquire(ben, { ...X, name: 'own', id: 1 });
        acquire(anna, { tag, name: 'busy', id: 2 });
        cancel(anna, 2);
        cancel(ben, 1);
        release(anna, { tag, name: 'own' });
      }
      expect(table.isBehind).to.equal(true);
      catchUp(2_000);
      expect(table.isBehind).to.equal(false);
    });
  });
});
