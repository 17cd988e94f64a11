import { expect } from 'chai';
import { TurnShare } from '../../lib/message/turn-share.ts';

/** Longer than the share of one turn. */
function workLong(): void {
  const endMs = performance.now() + 2;
  while (performance.now() < endMs);
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe('the share of a turn', () => {
  it('has the first work done at once', () => {
    const share = new TurnShare();
    let done = 0;
    share.add(() => {
      done += 1;
    });
    expect(done).to.equal(1);
  });

  it('has one piece of work done in each turn, however small it is', async () => {
    const share = new TurnShare(0);
    const done: number[] = [];
    for (const number of [1, 2, 3]) share.add(() => done.push(number));
    expect(done).to.deep.equal([1]);
    await nextTurn();
    expect(done).to.deep.equal([1, 2]);
    await nextTurn();
    expect(done).to.deep.equal([1, 2, 3]);
  });

  it('leaves work to later turns once it is used up, and does it in order', async () => {
    const share = new TurnShare();
    const done: number[] = [];
    const add = (number: number): void =>
      share.add(() => {
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

  it('begins anew in each turn', async () => {
    const share = new TurnShare();
    share.add(workLong);
    await nextTurn();
    let done = 0;
    share.add(() => {
      done += 1;
    });
    expect(done).to.equal(1);
  });
});
