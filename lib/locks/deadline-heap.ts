/** A binary heap of deadlines: the ends of waits and of leases, the earliest on top. */

import type { Deadline } from './types.ts';

function isEarlier(a: Deadline, b: Deadline): boolean {
  return a.deadlineMs < b.deadlineMs || (a.deadlineMs === b.deadlineMs && a.heapSequence < b.heapSequence);
}

/** Insert, remove and take the earliest, each in O(log n). */
export class DeadlineHeap<T extends Deadline> {
  /** The earliest deadline in milliseconds, `Infinity` when there is none. */
  earliestMs: number = Number.POSITIVE_INFINITY;
  readonly #members: T[] = [];
  #added = 0;

  /** Adds a member that is in no heap. A deadline of `Infinity` is not kept. */
  add(member: T, deadlineMs: number): void {
    member.deadlineMs = deadlineMs;
    if (deadlineMs === Number.POSITIVE_INFINITY) return;
    this.#added += 1;
    member.heapSequence = this.#added;
    this.#members.push(member);
    this.#rise(member, this.#members.length - 1);
    this.#noteEarliest();
  }

  /** Removes a member; does nothing if it is not in the heap. */
  remove(member: T): void {
    const index = member.heapIndex;
    if (index === -1) return;
    member.heapIndex = -1;
    const last = this.#members.pop() as T;
    if (last !== member) {
      this.#rise(last, index);
      this.#sink(last, last.heapIndex);
    }
    this.#noteEarliest();
  }

  /** Removes and returns the earliest member if its time has come. */
  takeDue(nowMs: number): T | undefined {
    const first = this.#members[0];
    if (first === undefined || first.deadlineMs > nowMs) return undefined;
    this.remove(first);
    return first;
  }

  #noteEarliest(): void {
    this.earliestMs = this.#members[0]?.deadlineMs ?? Number.POSITIVE_INFINITY;
  }

  #rise(member: T, from: number): void {
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = this.#members[parentIndex] as T;
      if (isEarlier(parent, member)) break;
      this.#place(parent, index);
      index = parentIndex;
    }
    this.#place(member, index);
  }

  #sink(member: T, from: number): void {
    const count = this.#members.length;
    let index = from;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= count) break;
      let child = this.#members[childIndex] as T;
      const right = this.#members[childIndex + 1];
      if (right !== undefined && isEarlier(right, child)) {
        childIndex += 1;
        child = right;
      }
      if (isEarlier(member, child)) break;
      this.#place(child, index);
      index = childIndex;
    }
    this.#place(member, index);
  }

  #place(member: T, index: number): void {
    this.#members[index] = member;
    member.heapIndex = index;
  }
}
