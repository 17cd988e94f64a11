import { expect } from 'chai';
import fc from 'fast-check';
import { DeadlineHeap } from '../../lib/locks/deadline-heap.ts';
import type { Deadline } from '../../lib/locks/types.ts';

function makeMember(): Deadline {
  return { deadlineMs: 0, heapIndex: -1, heapSequence: 0 };
}

type Step = { readonly add: number } | { readonly remove: number } | { readonly take: number };

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ add: fc.nat(20) }) },
    { weight: 1, arbitrary: fc.record({ remove: fc.nat(100) }) },
    { weight: 1, arbitrary: fc.record({ take: fc.nat(20) }) },
  ),
  { maxLength: 200, size: 'max' },
);

describe('deadline heap', () => {
  it('has no earliest deadline while it is empty', () => {
    const heap = new DeadlineHeap<Deadline>();
    expect(heap.earliestMs).to.equal(Number.POSITIVE_INFINITY);
    expect(heap.takeDue(Number.MAX_VALUE)).to.equal(undefined);
  });

  it('does not keep a deadline that never comes', () => {
    const heap = new DeadlineHeap<Deadline>();
    const member = makeMember();
    heap.add(member, Number.POSITIVE_INFINITY);
    heap.remove(member);
    heap.add(member, Number.POSITIVE_INFINITY);
    expect(heap.takeDue(Number.POSITIVE_INFINITY)).to.equal(undefined);
  });

  it('gives nothing before its time', () => {
    const heap = new DeadlineHeap<Deadline>();
    const member = makeMember();
    heap.add(member, 10);
    expect(heap.takeDue(9)).to.equal(undefined);
    expect(heap.takeDue(10)).to.equal(member);
    expect(heap.takeDue(10)).to.equal(undefined);
  });

  it('takes a removed member again, with its new deadline', () => {
    const heap = new DeadlineHeap<Deadline>();
    const member = makeMember();
    heap.add(member, 10);
    heap.remove(member);
    heap.remove(member);
    heap.add(member, 20);
    expect(heap.earliestMs).to.equal(20);
    expect(heap.takeDue(20)).to.equal(member);
    expect(heap.takeDue(20)).to.equal(undefined);
  });

  it('behaves like a sorted array, with equal deadlines in the order in which they were added', () => {
    fc.assert(
      fc.property(steps, (sequence) => {
        const pair = new HeapBesideArray();
        for (const step of sequence) {
          pair.take(step);
          expect(pair.heap.earliestMs).to.equal(pair.sorted[0]?.atMs ?? Number.POSITIVE_INFINITY);
        }
        for (const { member } of pair.sorted) expect(pair.heap.takeDue(20)).to.equal(member);
        expect(pair.heap.takeDue(20)).to.equal(undefined);
      }),
      { numRuns: 300 },
    );
  });
});

class HeapBesideArray {
  readonly heap: DeadlineHeap<Deadline> = new DeadlineHeap<Deadline>();
  sorted: { readonly member: Deadline; readonly atMs: number }[] = [];

  take(step: Step): void {
    if ('add' in step) {
      const member = makeMember();
      this.heap.add(member, step.add);
      this.sorted = [...this.sorted, { member, atMs: step.add }].sort((a, b) => a.atMs - b.atMs);
    } else if ('remove' in step) {
      const [leaving] = this.sorted.splice(step.remove % (this.sorted.length || 1), 1);
      if (leaving !== undefined) this.heap.remove(leaving.member);
    } else {
      const first = this.sorted[0];
      const due = first !== undefined && first.atMs <= step.take ? this.sorted.shift() : undefined;
      expect(this.heap.takeDue(step.take)).to.equal(due?.member);
    }
  }
}
