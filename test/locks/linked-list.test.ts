import { expect } from 'chai';
import fc from 'fast-check';
import { type Linked, LinkedList } from '../../lib/locks/linked-list.ts';

class Member implements Linked<Member> {
  readonly number: number;
  previous: Member | undefined = undefined;
  next: Member | undefined = undefined;

  constructor(number: number) {
    this.number = number;
  }
}

describe('wait queue', () => {
  it('is empty at first', () => {
    const queue = new LinkedList<Member>();
    expect(queue).to.include({ first: undefined, last: undefined, size: 0 });
    expect([...queue]).to.deep.equal([]);
  });

  it('lets the current member leave during an iteration', () => {
    const queue = new LinkedList<Member>();
    for (const number of [1, 2, 3]) queue.push(new Member(number));
    const seen: number[] = [];
    for (const member of queue) {
      seen.push(member.number);
      queue.remove(member);
    }
    expect(seen).to.deep.equal([1, 2, 3]);
    expect(queue.size).to.equal(0);
  });

  it('behaves like an array that members join at the end and leave from anywhere', () => {
    const steps = fc.array(fc.record({ isLeaving: fc.boolean(), pick: fc.nat(7) }), { maxLength: 100, size: 'max' });
    fc.assert(
      fc.property(steps, (sequence) => {
        const queue = new LinkedList<Member>();
        const array: Member[] = [];
        const gone = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => new Member(number));
        for (const { isLeaving, pick } of sequence) {
          if (isLeaving) moveOne(array, gone, pick, (member) => queue.remove(member));
          else moveOne(gone, array, pick, (member) => queue.push(member));
          expectToBe(queue, array);
        }
      }),
    );
  });
});

function moveOne(from: Member[], to: Member[], pick: number, tell: (member: Member) => void): void {
  const member = from.splice(pick % Math.max(from.length, 1), 1)[0];
  if (member === undefined) return;
  to.push(member);
  tell(member);
}

function expectToBe(queue: LinkedList<Member>, array: readonly Member[]): void {
  const numbers = array.map((member) => member.number);
  expect([...queue].map((member) => member.number)).to.deep.equal(numbers);
  expect(queue.size).to.equal(array.length);
  expect(queue.first).to.equal(array[0]);
  expect(queue.last).to.equal(array.at(-1));
  const backwards: number[] = [];
  for (let member = queue.last; member !== undefined; member = member.previous) backwards.push(member.number);
  expect(backwards).to.deep.equal(numbers.toReversed());
}
