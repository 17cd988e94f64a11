/**
 * Measures the search for deadlocks in the lock table alone, without a server: crowds of owners that wait and are waited for.
 * Each is built with tags and without, which is never searched: the ratio of both times is what the search costs.
 *
 *     npm run build && node dist/bench/deadlock.js [--short]
 */

import { LockTable } from '../lib/locks/lock-table.ts';
import type { Session } from '../lib/locks/types.ts';
import { isShort } from './program.ts';

const OWNERS = isShort ? 200 : 4_900;
const DENSE = isShort ? [10, 100] : [100, 4_000];
const HANDOFFS = isShort ? 2_000 : 100_000;
const ROUNDS = isShort ? 1 : 15;
const SLICE_STEPS = 200;
const FOREVER = Number.POSITIVE_INFINITY;
const NO_LIMITS = {
  maxTableBytes: Number.POSITIVE_INFINITY,
  maxBytesPerSession: Number.POSITIVE_INFINITY,
  maxLocks: FOREVER,
  maxLocksPerSession: FOREVER,
  maxWaitersPerLock: FOREVER,
  maxLocksPerRequest: FOREVER,
};

/** Milliseconds of the processor, which say more than those of the clock where other work shares the machine. */
function processorMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Each owner is a session with a tag or without. */
class Crowd {
  readonly table: LockTable;
  readonly #tag: string;
  longestMs = 0;

  constructor(tag: string) {
    let token = 0;
    const nextToken = (): number => {
      token += 1;
      return token;
    };
    this.#tag = tag;
    this.table = new LockTable({ limits: NO_LIMITS, nextToken, compareNames: (a, b) => (a < b ? -1 : 1) });
  }

  owners(count: number): Session[] {
    return Array.from({ length: count }, () => this.table.openSession({ clientName: '', address: '' }));
  }

  lock(session: Session, name: string): string {
    const request = { name, mode: 'exclusive', tag: this.#tag, waitMs: FOREVER } as const;
    return this.table.acquire(session, request, 0).result.status;
  }

  unlock(session: Session, name: string): void {
    this.table.release(session, { name, tag: this.#tag }, 0);
  }

  /** The same, measured. */
  lockTimed(session: Session, name: string): string {
    const startMs = processorMs();
    const status = this.lock(session, name);
    this.longestMs = Math.max(this.longestMs, processorMs() - startMs);
    return status;
  }

  /** Goes on with the search until it is over; the result is how many requests it refused. */
  search(): number {
    let refused = 0;
    while (this.table.isSearching) {
      const startMs = processorMs();
      refused += this.table.continueSearch(SLICE_STEPS, 0).length;
      this.longestMs = Math.max(this.longestMs, processorMs() - startMs);
    }
    return refused;
  }
}

type Shape = (crowd: Crowd) => unknown;

/** Each owner holds a lock and waits for its neighbour's. */
function chain(order: (count: number) => number[]): (crowd: Crowd) => Session | undefined {
  return (crowd) => {
    const owners = crowd.owners(OWNERS);
    for (const [index, owner] of owners.entries()) crowd.lock(owner, `${index}`);
    for (const index of order(OWNERS - 1)) crowd.lockTimed(owners[index] as Session, `${index + 1}`);
    return owners.at(-1);
  };
}

const forwards = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
const backwards = (count: number): number[] => forwards(count).reverse();
/** Every one once, in leaps. */
const leaping = (count: number): number[] => forwards(count).map((index) => (index * 1_997) % count);

/** Each owner holds a lock that somebody waits for, and all ask for one lock. */
const hotLock: Shape = (crowd) => {
  const owners = crowd.owners(OWNERS);
  const waiters = crowd.owners(OWNERS);
  crowd.lock(owners[0] as Session, 'hot');
  for (const [index, owner] of owners.entries()) {
    crowd.lock(owner, `${index}`);
    crowd.lock(waiters[index] as Session, `${index}`);
  }
  for (const owner of owners.slice(1)) crowd.lockTimed(owner, 'hot');
};

/** A crowd waits for one lock, and each of its holders in turn asks for another, for which a crowd waits, too. */
const twoHotLocks: Shape = (crowd) => {
  const [first, ...others] = crowd.owners(OWNERS);
  crowd.lock(first as Session, 'second');
  for (const owner of others.slice(OWNERS / 2)) crowd.lock(owner, 'second');
  const waiters = others.slice(0, OWNERS / 2);
  for (const owner of waiters) crowd.lock(owner, 'first');
  for (const owner of waiters) {
    crowd.lockTimed(owner, 'second');
    crowd.search();
    crowd.unlock(owner, 'first');
  }
};

/** Many owners wait for many locks, and one that is waited for asks for the first of them. */
const dense: Shape = (crowd) => {
  const [locks = 0, owners = 0] = DENSE;
  const [holder, root, waiter] = crowd.owners(3) as [Session, Session, Session];
  for (let lock = 0; lock < locks; lock += 1) crowd.lock(holder, `${lock}`);
  for (const owner of crowd.owners(owners)) for (let lock = 0; lock < locks; lock += 1) crowd.lock(owner, `${lock}`);
  crowd.lock(root, 'own');
  crowd.lock(waiter, 'own');
  crowd.lockTimed(root, '0');
};

function measure(shape: Shape, tag: string): { ms: number; longestMs: number; refused: number } {
  const crowd = new Crowd(tag);
  const startMs = processorMs();
  shape(crowd);
  const refused = crowd.search();
  return { ms: processorMs() - startMs, longestMs: crowd.longestMs, refused };
}

function report(what: string, shape: Shape): void {
  for (const tag of ['', 'x']) measure(shape, tag);
  const plain = measure(shape, '');
  const tagged = measure(shape, 'x');
  const ratio = (tagged.ms / plain.ms).toFixed(2);
  console.log(
    `${what.padEnd(44)} ${tagged.ms.toFixed(0).padStart(6)} ms, ${ratio.padStart(7)} times without tags; ` +
      `longest step ${tagged.longestMs.toFixed(1)} ms, without tags ${plain.longestMs.toFixed(1)} ms` +
      (tagged.refused === 0 ? '' : `; ${tagged.refused} refused`),
  );
}

/** The last of a chain closes the circle again and again; each time that is found. The least of the rounds. */
function reportCircle(): void {
  const crowd = new Crowd('x');
  const last = chain(forwards)(crowd) as Session;
  crowd.search();
  const least = { ms: FOREVER, longestMs: FOREVER };
  for (let round = 0; round < ROUNDS; round += 1) {
    crowd.longestMs = 0;
    const startMs = processorMs();
    const refused = (crowd.lockTimed(last, '0') === 'deadlock' ? 1 : 0) + crowd.search();
    if (refused !== 1) throw new Error(`${refused} requests were refused instead of 1`);
    least.ms = Math.min(least.ms, processorMs() - startMs);
    least.longestMs = Math.min(least.longestMs, crowd.longestMs);
  }
  const { ms, longestMs } = least;
  console.log(`a circle of ${OWNERS} owners is found in ${ms.toFixed(1)} ms; longest step ${longestMs.toFixed(1)} ms`);
}

/** The owners of a short queue hand a lock on: milliseconds of the processor. */
function handOn(crowd: Crowd, [first, second]: readonly Session[]): number {
  const startMs = processorMs();
  for (let count = 0; count < HANDOFFS; count += 2) {
    for (const owner of [first, second] as [Session, Session]) {
      crowd.unlock(owner, 'own');
      crowd.lock(owner, 'own');
    }
  }
  return processorMs() - startMs;
}

/** The least of some rounds, because other work only adds to it. With tags and without by turns. */
function reportHandoff(): void {
  const sides = ['', 'x'].map((tag) => {
    const crowd = new Crowd(tag);
    const owners = crowd.owners(2);
    for (const owner of owners) crowd.lock(owner, 'own');
    return { crowd, owners, leastMs: FOREVER };
  });
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of sides) side.leastMs = Math.min(side.leastMs, handOn(side.crowd, side.owners));
  }
  const [plainMs, taggedMs] = sides.map(({ leastMs }) => leastMs) as [number, number];
  console.log(
    `a handoff: ${((taggedMs * 1e6) / HANDOFFS).toFixed(0)} ns, ${(taggedMs / plainMs).toFixed(2)} times without tags`,
  );
}

reportHandoff();
report(`a chain of ${OWNERS} owners, in order`, chain(forwards));
report(`a chain of ${OWNERS} owners, from its end`, chain(backwards));
report(`a chain of ${OWNERS} owners, in leaps`, chain(leaping));
report(`${OWNERS} owners that ask for one lock`, hotLock);
report(`${OWNERS} owners that ask for one of two`, twoHotLocks);
report(`one beside ${DENSE.join(' locks with waiters each ')}`, dense);
reportCircle();
