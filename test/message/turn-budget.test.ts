import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect } from 'chai';
import { type BudgetClock, TurnBudget } from '../../lib/message/scheduler.ts';
import { bytesKeptBy } from '../support/garbage.ts';
import { workLong } from '../support/work-long.ts';

describe('the budget of a turn', () => {
  it('runs the first work at once', () => {
    const budget = new TurnBudget();
    let done = 0;
    budget.add(() => {
      done += 1;
    });
    expect(done).to.equal(1);
  });

  it('runs at least one piece of work in each turn, even with the smallest budget', async () => {
    const budget = new TurnBudget(0);
    const done: number[] = [];
    for (const number of [1, 2, 3]) budget.add(() => done.push(number));
    expect(done).to.deep.equal([1]);
    await nextTurn();
    expect(done).to.deep.equal([1, 2]);
    await nextTurn();
    expect(done).to.deep.equal([1, 2, 3]);
  });

  it('leaves work to later turns once it is used up, in order', async () => {
    const budget = new TurnBudget();
    const done: number[] = [];
    const add = (number: number): void =>
      budget.add(() => {
        done.push(number);
        workLong();
      });
    for (const number of [1, 2, 3, 4]) add(number);
    expect(done).to.deep.equal([1]);
    await nextTurn();
    expect(done).to.deep.equal([1, 2]);
    add(5);
    while (done.length < 5) await nextTurn();
    expect(done).to.deep.equal([1, 2, 3, 4, 5]);
  });

  it('keeps nothing of work that is done, even if some always waits', () => {
    let looks = 0;
    const deferred: (() => void)[] = [];
    const clock: BudgetClock = {
      measureMs: () => {
        looks += 1;
        return looks;
      },
      defer: (callback) => deferred.push(callback),
    };
    const budget = new TurnBudget(0, clock);
    let done = 0;
    const addOne = (): void => {
      const work = [looks];
      budget.add(() => {
        done += work.length;
      });
    };
    const keptBytes = bytesKeptBy(() => {
      for (let count = 0; count < 3; count += 1) addOne();
      for (let turn = 0; turn < 50_000; turn += 1) {
        addOne();
        for (const callback of deferred.splice(0)) callback();
      }
    });
    expect([done, budget.isAwaited]).to.deep.equal([50_001, true]);
    expect(keptBytes).to.be.lessThan(1_000_000);
  });

  it('is full again in each turn', async () => {
    const budget = new TurnBudget();
    budget.add(workLong);
    await nextTurn();
    let done = 0;
    budget.add(() => {
      done += 1;
    });
    expect(done).to.equal(1);
  });

  it('puts unfinished work at the end of the queue', async () => {
    const budget = new TurnBudget(0);
    const done: string[] = [];
    const steps = (name: string, count: number): void => {
      let step = 0;
      budget.add(() => {
        step += 1;
        done.push(`${name}${step}`);
        return step < count ? 'again' : 'done';
      });
    };
    steps('a', 3);
    steps('b', 2);
    while (done.length < 5) await nextTurn();
    expect(done).to.deep.equal(['a1', 'a2', 'b1', 'a3', 'b2']);
  });
});
