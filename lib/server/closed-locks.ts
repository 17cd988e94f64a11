/** L3: locks that nobody is granted before it is on record that others have lost them. Their requests wait meanwhile. */

import type { LockKind } from '../locks/types.ts';

interface Closed {
  readonly name: string;
  readonly kind: LockKind;
  /** How many reasons there are to keep it closed. */
  count: number;
  readonly whenOpen: (() => void)[];
}

export class ClosedLocks {
  readonly #closed = new Map<string, Closed>();
  readonly #opened: (name: string, kind: LockKind) => void;

  /** `opened` lets waiters in. */
  constructor(opened: (name: string, kind: LockKind) => void) {
    this.#opened = opened;
  }

  has(name: string, kind: LockKind): boolean {
    return this.#closed.size > 0 && this.#closed.has(keyOf(name, kind));
  }

  /** Closes a lock; returns what ends that. It is open again once all have ended it who closed it. */
  close(name: string, kind: LockKind): () => void {
    const key = keyOf(name, kind);
    const closed = this.#closed.get(key) ?? { name, kind, count: 0, whenOpen: [] };
    this.#closed.set(key, closed);
    closed.count += 1;
    return () => {
      closed.count -= 1;
      if (closed.count > 0) return;
      this.#closed.delete(key);
      for (const callBack of closed.whenOpen) callBack();
      this.#opened(name, kind);
    };
  }

  /** Calls back once the lock is open, at once if it is. */
  whenOpen(name: string, kind: LockKind, callBack: () => void): void {
    const closed = this.#closed.get(keyOf(name, kind));
    if (closed === undefined) callBack();
    else closed.whenOpen.push(callBack);
  }
}

function keyOf(name: string, kind: LockKind): string {
  return `${kind} ${name}`;
}
