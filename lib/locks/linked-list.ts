/** A first-in-first-out list whose members carry the links, so that any of them leaves in constant time. */

/** A member is in one list at a time. */
export interface Linked<T> {
  previous?: T | undefined;
  next?: T | undefined;
}

/** Members in order of arrival. */
export class LinkedList<T extends Linked<T>> implements Iterable<T> {
  first: T | undefined = undefined;
  last: T | undefined = undefined;
  size = 0;

  push(member: T): void {
    member.previous = this.last;
    member.next = undefined;
    if (this.last === undefined) this.first = member;
    else this.last.next = member;
    this.last = member;
    this.size += 1;
  }

  /** Takes out a member of this very list. */
  remove(member: T): void {
    if (member.previous === undefined) this.first = member.next;
    else member.previous.next = member.next;
    if (member.next === undefined) this.last = member.previous;
    else member.next.previous = member.previous;
    member.previous = undefined;
    member.next = undefined;
    this.size -= 1;
  }

  /** In order of arrival. The member just given may be removed meanwhile, others not. */
  [Symbol.iterator](): Generator<T, void, undefined> {
    return linkedFrom(this.first);
  }
}

/** A member and those behind it. The member just given may be removed meanwhile, others not. */
export function* linkedFrom<T extends Linked<T>>(first: T | undefined): Generator<T, void, undefined> {
  for (let member = first; member !== undefined; ) {
    const { next }: Linked<T> = member;
    yield member;
    member = next;
  }
}
